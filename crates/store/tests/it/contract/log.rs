//! Reading the log by cursor.

use std::sync::Arc;

use mana_core::{Micros, RecordKey, RecordState, TableSchema, apply};
use mana_store::{ChangesQuery, Cursor, HistoryQuery, LogSize};
use serde_json::json;

use super::support::*;

pub async fn sync_s2_pages_are_read_to_the_end_without_a_gap(store: Arc<impl Backend>) {
    let me = scope("me");
    for n in 0..25 {
        push(
            &*store,
            &me,
            "c",
            vec![task(&format!("t{n:02}"), "x", NOW)],
            after(n),
        )
        .await;
    }
    let mut cursor = Cursor::BEGINNING;
    let mut seen = Vec::new();
    loop {
        let page = store.changes(&me, from(cursor, 4)).await.unwrap();
        seen.extend(ids_of(&page).into_iter().map(str::to_owned));
        cursor = page.cursor;
        if !page.has_more {
            break;
        }
    }
    let all: Vec<String> = (0..25).map(|n| format!("t{n:02}")).collect();
    assert_eq!(seen, all);
}

pub async fn sync_s1_stamps_grow_though_the_clock_stands_still_or_goes_back(
    store: Arc<impl Backend>,
) {
    let me = scope("me");
    let two = vec![task("a", "x", NOW), task("b", "x", NOW)];
    let first = push(&*store, &me, "c", two, NOW).await;
    let same = push(&*store, &me, "c", vec![task("c", "x", NOW)], NOW).await;
    let back = push(&*store, &me, "c", vec![task("d", "x", NOW)], after(-3600)).await;
    assert_eq!(first.cursor, Cursor(NOW.plus(1)));
    assert_eq!(same.cursor, Cursor(NOW.plus(2)));
    assert_eq!(back.cursor, Cursor(NOW.plus(3)));
    assert_eq!(ids_of(&log(&*store, &me).await), ["a", "b", "c", "d"]);
}

pub async fn sync_s2_limit_counts_the_rows_left_out(store: Arc<impl Backend>) {
    let me = scope("me");
    for n in 0..6 {
        let client = if n < 4 { "mine" } else { "other" };
        push(
            &*store,
            &me,
            client,
            vec![task(&format!("t{n}"), "x", NOW)],
            after(n),
        )
        .await;
    }
    let query = |since| ChangesQuery {
        since,
        limit: 3,
        not_from: Some("mine".into()),
        ..Default::default()
    };
    let first = store.changes(&me, query(Cursor::BEGINNING)).await.unwrap();
    assert!(first.changes.is_empty());
    assert_eq!(
        first.cursor,
        Cursor(after(2)),
        "the cursor covers the caller's own rows"
    );
    assert!(first.has_more);
    let second = store.changes(&me, query(first.cursor)).await.unwrap();
    assert_eq!(ids_of(&second), ["t4", "t5"]);
    assert!(!second.has_more);
}

pub async fn sync_s2_has_more_is_exact_at_the_end_of_a_page(store: Arc<impl Backend>) {
    let me = scope("me");
    push(
        &*store,
        &me,
        "c",
        vec![task("a", "x", NOW), task("b", "x", NOW)],
        NOW,
    )
    .await;
    let exact = store
        .changes(&me, from(Cursor::BEGINNING, 2))
        .await
        .unwrap();
    assert_eq!((exact.changes.len(), exact.has_more), (2, false));
    let short = store
        .changes(&me, from(Cursor::BEGINNING, 1))
        .await
        .unwrap();
    assert_eq!((short.changes.len(), short.has_more), (1, true));
    let end = store.changes(&me, from(exact.cursor, 2)).await.unwrap();
    assert_eq!(
        (end.changes.len(), end.has_more, end.cursor),
        (0, false, exact.cursor)
    );
}

pub async fn sync_s2_a_filter_keeps_apps_tables_and_clients_apart(store: Arc<impl Backend>) {
    let me = scope("me");
    let note = change(
        json!({"appId": "notes", "table": "notes", "id": "n", "op": "insert", "data": {"title": "x"}}),
    );
    let list = change(json!({"table": "lists", "id": "l", "op": "insert", "data": {"title": "x"}}));
    push(
        &*store,
        &me,
        "c",
        vec![task("t", "x", NOW), note, list],
        NOW,
    )
    .await;
    let read = async |app: Option<&str>, tables: &[&str], not_from: Option<&str>| {
        let query = ChangesQuery {
            app: app.map(str::to_owned),
            tables: tables.iter().map(|&table| table.to_owned()).collect(),
            since: Cursor::BEGINNING,
            limit: 10,
            not_from: not_from.map(str::to_owned),
            ..ChangesQuery::default()
        };
        let page = store.changes(&me, query).await.unwrap();
        assert_eq!(
            page.cursor,
            Cursor(NOW.plus(2)),
            "the cursor covers what was left out"
        );
        ids_of(&page).join(" ")
    };
    assert_eq!(read(None, &[], None).await, "t n l");
    assert_eq!(read(Some("todo"), &[], None).await, "t l");
    assert_eq!(read(Some("todo"), &["lists"], None).await, "l");
    assert_eq!(read(None, &["lists", "notes"], None).await, "n l");
    assert_eq!(read(None, &[], Some("c")).await, "");
    assert_eq!(read(None, &[], Some("d")).await, "t n l");
}

pub async fn sync_s2_an_empty_log_answers_the_cursor_it_was_given(store: Arc<impl Backend>) {
    let me = scope("me");
    for since in [Cursor::BEGINNING, Cursor(NOW)] {
        let page = store.changes(&me, from(since, 10)).await.unwrap();
        assert_eq!(
            (page.changes.len(), page.cursor, page.has_more),
            (0, since, false)
        );
    }
}

pub async fn sync_s2_a_page_of_large_changes_ends_early_and_goes_on(store: Arc<impl Backend>) {
    let me = scope("me");
    let large = "x".repeat(1_500_000);
    for n in 0..8 {
        push(
            &*store,
            &me,
            "c",
            vec![task(&format!("t{n}"), &large, NOW)],
            after(n),
        )
        .await;
    }
    let mut cursor = Cursor::BEGINNING;
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = store.changes(&me, from(cursor, 1000)).await.unwrap();
        seen.extend(ids_of(&page).into_iter().map(str::to_owned));
        (cursor, pages) = (page.cursor, pages + 1);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"]);
    assert!(pages > 1, "12 MB don't come in one page");
}

pub async fn sync_c1_unknown_fields_come_back_as_they_went_in(store: Arc<impl Backend>) {
    let me = scope("me");
    let sent = change(json!({
        "table": "tasks", "id": "t", "op": "insert", "data": {"title": "x"},
        "actor": {"kind": "user", "displayName": "Ada"}, "schemaVersion": 1,
        "trace": {"from": "a newer client"}
    }));
    push(&*store, &me, "c", vec![sent.clone()], NOW).await;
    let page = log(&*store, &me).await;
    let got = &page.changes[0].change;
    assert_eq!(got.extra, sent.extra);
    assert_eq!(got.actor, sent.actor);
    assert_eq!(got.schema_version, Some(1));
    assert_eq!(page.changes[0].client_id, "c");
}

pub async fn sync_c4_every_kind_of_change_comes_back_with_explicit_stamps(
    store: Arc<impl Backend>,
) {
    let me = scope("me");
    let sent = vec![
        task("t", "Milk", after(1)),
        set("t", "notes", json!({"nested": [1, null, "é"]}), after(2)),
        set("t", "notes", json!(null), after(3)),
        change(json!({"table": "tasks", "id": "t", "op": "delete", "deletedAt": after(4)})),
        change(json!({"table": "tasks", "id": "empty", "op": "insert", "data": {}})),
    ];
    push(&*store, &me, "c", sent.clone(), NOW).await;
    let page = log(&*store, &me).await;
    let mut stamps: Vec<Micros> = Vec::new();
    for (logged, sent) in page.changes.iter().zip(&sent) {
        let mut expected = sent.clone();
        expected.schema_version = Some(1);
        assert_eq!(logged.change, expected);
        stamps.extend(logged.change.writes().iter().map(|write| write.at));

        let (mut from_sent, mut from_log) = (RecordState::default(), RecordState::default());
        apply(TableSchema::EMPTY, &mut from_sent, sent);
        apply(TableSchema::EMPTY, &mut from_log, &logged.change);
        assert_eq!(from_sent, from_log);
    }
    assert_eq!(page.changes.len(), sent.len());
    assert_eq!(stamps, [after(1), after(2), after(3), after(4)]);
}

pub async fn records_are_found_by_their_keys_in_one_query(store: Arc<impl Backend>) {
    let me = scope("me");
    push(
        &*store,
        &me,
        "c",
        vec![task("a", "x", NOW), task("b", "y", NOW), hourly("m")],
        NOW,
    )
    .await;
    push(
        &*store,
        &scope("you"),
        "c",
        vec![task("yours", "z", NOW)],
        NOW,
    )
    .await;
    let delete =
        change(json!({"table": "tasks", "id": "b", "op": "delete", "deletedAt": after(1)}));
    push(&*store, &me, "c", vec![delete], after(1)).await;
    let keys = [
        RecordKey::new("ai", "aiMissions", "m"),
        RecordKey::new("todo", "tasks", "b"),
        RecordKey::new("todo", "tasks", "yours"),
        RecordKey::new("todo", "tasks", "\"; DROP TABLE records; --"),
        RecordKey::new("todo", "tasks", "a"),
    ];
    let found = store.records_by_key(&me, &keys).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|(key, _)| &*key.id).collect();
    assert_eq!(ids, ["m", "b", "a"]);
    for (key, state) in &found {
        assert_eq!(store.record(&me, key).await.unwrap().as_ref(), Some(state));
    }
    assert_eq!(store.records_by_key(&me, &[]).await.unwrap(), []);
}

pub async fn the_size_of_a_log_counts_its_rows_and_records_and_nobody_elses(
    store: Arc<impl Backend>,
) {
    let (me, other) = (scope("me"), scope("other"));
    assert_eq!(store.size(&me).await.unwrap(), LogSize::default());
    push(&*store, &me, "c", vec![task("a", "x", NOW)], NOW).await;
    let small = store.size(&me).await.unwrap();
    assert!(small.bytes > 0 && small.records == 1, "{small:?}");
    let long = "ü".repeat(5_000);
    push(&*store, &me, "c", vec![task("b", &long, NOW)], after(1)).await;
    push(&*store, &other, "c", vec![task("c", "x", NOW)], NOW).await;
    let large = store.size(&me).await.unwrap();
    assert_eq!(large.records, 2);
    assert!(large.bytes >= small.bytes + 10_000, "{large:?}");
    assert_eq!(store.size(&other).await.unwrap().records, 1);
}

pub async fn sync_s14_the_past_of_a_record_comes_newest_first_in_pages(store: Arc<impl Backend>) {
    let me = scope("me");
    push(
        &*store,
        &me,
        "c",
        vec![task("t", "first", after(0))],
        after(0),
    )
    .await;
    for n in 1..5 {
        let title = set("t", "title", json!(format!("title {n}")), after(n));
        let other = set("other", "title", json!("elsewhere"), after(n));
        push(&*store, &me, "c", vec![title, other], after(n)).await;
    }
    let key = RecordKey::new("todo", "tasks", "t");
    let mut query = HistoryQuery::of(key.clone(), 2);
    let mut titles = Vec::new();
    let mut pages = 0;
    loop {
        let page = store.history(&me, query.clone()).await.unwrap();
        pages += 1;
        titles.extend(page.changes.iter().map(|row| {
            let writes = row.change.writes();
            writes[0].value.clone().into_owned()
        }));
        query.before = Some(page.cursor);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(
        titles,
        [
            json!("title 4"),
            json!("title 3"),
            json!("title 2"),
            json!("title 1"),
            json!("first")
        ]
    );
    query.before = None;
    let stranger = store.history(&scope("you"), query).await.unwrap();
    assert_eq!(stranger.changes, [], "another person's past is another's");
}

pub async fn sync_x1_the_base_of_a_text_is_kept(store: Arc<impl Backend>) {
    let me = scope("me");
    let mut change = set("t", "notes", json!("A text"), after(5));
    change.extra.insert("later".to_owned(), json!(1));
    change.fields.get_mut("notes").unwrap().base = Some(after(3));
    push(&*store, &me, "c", vec![change.clone()], after(6)).await;
    let logged = log(&*store, &me).await.changes.remove(0).change;
    assert_eq!(logged.fields, change.fields);
    assert_eq!(logged.extra, change.extra);
}

pub async fn the_past_of_several_records_is_read_between_two_places(store: Arc<impl Backend>) {
    let me = scope("me");
    for n in 0..6 {
        let id = ["a", "b", "c"][usize::try_from(n % 3).unwrap()];
        push(
            &*store,
            &me,
            "c",
            vec![task(&format!("{id}{n}"), "x", after(n))],
            after(n),
        )
        .await;
    }
    let note = change(
        json!({"appId": "notes", "table": "notes", "id": "n", "op": "insert", "at": after(7),
        "data": {"title": "N"}}),
    );
    push(&*store, &me, "c", vec![note], after(7)).await;
    let ids = |page: mana_store::ChangesPage| -> Vec<String> {
        page.changes.into_iter().map(|row| row.change.id).collect()
    };
    let all = HistoryQuery {
        not_app: Some("notes".to_owned()),
        limit: 10,
        ..HistoryQuery::default()
    };
    let page = store.history(&me, all.clone()).await.unwrap();
    let second = page.changes[4].cursor;
    assert_eq!(ids(page), ["c5", "b4", "a3", "c2", "b1", "a0"]);
    let since = HistoryQuery {
        after: second,
        ..all
    };
    assert_eq!(
        ids(store.history(&me, since).await.unwrap()),
        ["c5", "b4", "a3", "c2"]
    );
    let keys = ["a0", "c5", "none"].map(|id| RecordKey::new("todo", "tasks", id));
    let some = HistoryQuery {
        keys: keys.into(),
        limit: 10,
        ..HistoryQuery::default()
    };
    assert_eq!(ids(store.history(&me, some).await.unwrap()), ["c5", "a0"]);
}
