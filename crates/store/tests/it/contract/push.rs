//! Appending: all or nothing, and repeatable.

use std::{collections::BTreeSet, sync::Arc};

use mana_core::{Actor, AdjustedStamp, Micros};
use mana_store::{Cursor, Push, Pushed, StoreError};
use serde_json::json;

use super::support::*;

pub async fn sync_s2_an_empty_push_answers_the_end_of_the_log(store: Arc<impl Backend>) {
    let me = scope("me");
    let none = push(&*store, &me, "c", vec![], NOW).await;
    let log = none.log.clone();
    let nothing = Pushed {
        log: log.clone(),
        ..Pushed::default()
    };
    assert_eq!(none, nothing);
    push(&*store, &me, "c", vec![task("t", "x", NOW)], NOW).await;
    let end = push(&*store, &me, "c", vec![], after(9)).await;
    assert_eq!(
        end,
        Pushed {
            before: Cursor(NOW),
            cursor: Cursor(NOW),
            log,
            ..Pushed::default()
        }
    );
}

pub async fn sync_s4_a_replay_stores_nothing(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes = vec![task("t", "x", NOW), set("t", "title", json!("y"), after(1))];
    push(&*store, &me, "c", changes.clone(), NOW).await;
    let before = log(&*store, &me).await;
    let replay = push(&*store, &me, "c", changes.clone(), after(9)).await;
    assert_eq!(replay.tables.len(), 0);
    assert_eq!(replay.cursor, before.cursor);
    // Stamps, author and version are not compared, and neither is the client.
    let mut other = changes;
    for change in &mut other {
        change.at = Some(after(5));
        change.actor = Some(Actor::ai("m", "i", "because"));
        change.schema_version = None;
        for write in change.fields.values_mut() {
            write.updated_at = Some(after(5));
        }
    }
    push(&*store, &me, "another client", other, after(9)).await;
    assert_eq!(log(&*store, &me).await, before);
}

pub async fn sync_s4_an_event_id_of_another_change_is_refused_by_index(store: Arc<impl Backend>) {
    let me = scope("me");
    let named = |mut value: serde_json::Value| {
        value["eventId"] = json!("e");
        change(value)
    };
    let insert = |table: &str, id: &str, data: serde_json::Value| {
        named(json!({"table": table, "id": id, "op": "insert", "at": NOW, "data": data}))
    };
    let numbers = json!({"n": 1.0, "big": 1e20, "small": -0.0, "text": "ä", "list": [1, {"b": 2, "a": null}]});
    let first = insert("tasks", "t", numbers);
    push(&*store, &me, "c", vec![first.clone()], NOW).await;
    let before = log(&*store, &me).await;
    let same = insert(
        "tasks",
        "t",
        json!({"n": 1, "big": 100_000_000_000_000_000_000_u128 as f64, "small": 0, "text": "ä",
            "list": [1.0, {"a": null, "b": 2}]}),
    );
    push(&*store, &me, "d", vec![same], after(1)).await;
    let update =
        named(json!({"table": "tasks", "id": "t", "op": "update", "fields": {"n": {"value": 1}}}));
    let elsewhere = {
        let mut other = first.clone();
        other.app_id = Some("notes".to_owned());
        other
    };
    for other in [
        insert("lists", "t", json!({"n": 1})),
        insert("tasks", "u", json!({"n": 1})),
        insert("tasks", "t", json!({"n": 2})),
        insert("tasks", "t", json!({})),
        update,
        elsewhere,
        named(json!({"table": "tasks", "id": "t", "op": "delete", "deletedAt": NOW})),
    ] {
        let new = task("new", "x", NOW);
        let refused = store
            .push(&me, pushing("c", vec![new, other.clone()], after(2)))
            .await;
        assert!(
            matches!(refused, Err(StoreError::EventIdTaken { index: 1 })),
            "{refused:?}: {other:?}"
        );
        assert_eq!(log(&*store, &me).await, before, "nothing is stored");
    }
    // The same holds within a push, and another log has ids of its own.
    let you = scope("you");
    let twice = vec![
        insert("tasks", "t", json!({"n": 1})),
        insert("tasks", "t", json!({"n": 2})),
    ];
    let refused = store.push(&you, pushing("c", twice, NOW)).await;
    assert!(
        matches!(refused, Err(StoreError::EventIdTaken { index: 1 })),
        "{refused:?}"
    );
    push(
        &*store,
        &you,
        "c",
        vec![insert("tasks", "u", json!({"n": 3}))],
        NOW,
    )
    .await;
}

pub async fn sync_s4_stamps_in_a_keyed_list_are_not_compared(store: Arc<impl Backend>) {
    let me = scope("me");
    let iterations = |at: Micros, summary: &str| {
        let step = json!({"id": "s", "status": "rejected", "decidedAt": at, "updatedAt": at});
        let element = json!({"id": "i", "startedAt": NOW, "updatedAt": at, "summary": summary, "plan": [step]});
        change(
            json!({"appId": "ai", "table": "aiMissions", "id": "m", "op": "update", "eventId": "e",
            "fields": {"iterations": {"value": [element], "updatedAt": at}}}),
        )
    };
    push(&*store, &me, "c", vec![iterations(after(600), "a")], NOW).await;
    let before = log(&*store, &me).await;
    push(
        &*store,
        &me,
        "c",
        vec![iterations(after(700), "a")],
        after(1),
    )
    .await;
    assert_eq!(log(&*store, &me).await, before);
    let other = vec![iterations(after(600), "b")];
    let refused = store.push(&me, pushing("c", other, after(1))).await;
    assert!(
        matches!(refused, Err(StoreError::EventIdTaken { index: 0 })),
        "{refused:?}"
    );
}

pub async fn sync_s15_changes_that_left_everything_as_it_was_are_named(store: Arc<impl Backend>) {
    let me = scope("me");
    let id = |change: &mana_core::Change| change.event_id.clone().unwrap();
    let delete =
        change(json!({"table": "tasks", "id": "t", "op": "delete", "deletedAt": after(2)}));
    let again = task("t", "again", after(3));
    let loses = set("u", "title", json!("old"), NOW);
    let wins = set("u", "title", json!("new"), after(9));
    let changes = vec![
        task("t", "x", NOW),
        task("u", "x", after(1)),
        delete,
        again,
        loses,
        wins,
    ];
    let expected = BTreeSet::from([id(&changes[3]), id(&changes[4])]);
    let pushed = push(&*store, &me, "c", changes.clone(), after(10)).await;
    assert_eq!(pushed.unchanged, expected);
    let replay = push(&*store, &me, "c", changes, after(20)).await;
    assert_eq!(replay.unchanged, expected, "a replay is answered alike");
}

pub async fn sync_s4_an_event_id_twice_in_a_push_counts_once(store: Arc<impl Backend>) {
    let me = scope("me");
    let twice = vec![task("t", "x", after(600)), task("t", "x", after(600))];
    let pushed = push(&*store, &me, "c", twice.clone(), NOW).await;
    assert_eq!(log(&*store, &me).await.changes.len(), 1);
    let replay = push(&*store, &me, "c", twice, NOW).await;
    assert_eq!(pushed.adjusted, replay.adjusted);
}

pub async fn sync_s4_a_push_that_was_stored_in_part_stores_the_rest(store: Arc<impl Backend>) {
    let me = scope("me");
    let (a, b) = (task("a", "x", NOW), task("b", "x", NOW));
    push(&*store, &me, "c", vec![a.clone()], NOW).await;
    push(&*store, &me, "c", vec![a, b], after(1)).await;
    assert_eq!(ids_of(&log(&*store, &me).await), ["a", "b"]);
}

pub async fn sync_t3_future_stamps_are_set_back_in_their_order(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes = vec![
        task("t", "first", after(3600)),
        set("t", "title", json!("second"), after(3601)),
        set("t", "title", json!("first again"), after(3602)),
    ];
    let pushed = push(&*store, &me, "c", changes.clone(), NOW).await;
    assert!(
        pushed
            .adjusted
            .iter()
            .all(|adjusted| adjusted.at > NOW && adjusted.at < after(61))
    );
    let titles: Vec<&AdjustedStamp> = pushed
        .adjusted
        .iter()
        .filter(|adjusted| adjusted.field == "/fields/title/updatedAt")
        .collect();
    assert_eq!(titles.len(), 3);
    assert!(titles.is_sorted_by(|a, b| a.at < b.at));
    let record = get_task(&*store, &me, "t").await.unwrap();
    assert_eq!(
        record.data["title"], "first again",
        "what was later stays later"
    );
    assert_eq!(record.meta["title"].at, titles[2].at);
    let page = log(&*store, &me).await;
    assert_eq!(
        page.changes[2].change.fields["title"].updated_at,
        Some(titles[2].at)
    );
}

/// Found by the simulation: a device whose clock is ahead keeps its last write, the log held the one before.
pub async fn sync_t3_what_is_later_stays_later_in_the_next_push_whatever_the_clock(
    store: Arc<impl Backend>,
) {
    let me = scope("me");
    let ahead = after(86_400);
    let title = |value: &str, at: Micros| set("t", "title", json!(value), at);
    let first = vec![
        title("z", ahead),
        title("zz", ahead.plus(1)),
        title("zzz", ahead.plus(2)),
    ];
    push(&*store, &me, "c", first, NOW).await;
    // Through another instance, at the same moment, earlier, and much earlier.
    let clocks = [NOW, NOW.plus(-1), after(-2)];
    for (n, now) in clocks.into_iter().enumerate() {
        let value = format!("{}", 9 - n);
        let change = title(&value, ahead.plus(10 + n as i64));
        push(&*store, &me, "c", vec![change], now).await;
        let record = get_task(&*store, &me, "t").await.unwrap();
        assert_eq!(record.data["title"], value.as_str());
    }
}

pub async fn sync_s4_a_replay_answers_the_same_adjusted(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes = vec![
        task("a", "x", after(3600)),
        task("b", "x", NOW),
        task("c", "x", after(7200)),
    ];
    let pushed = push(&*store, &me, "c", changes.clone(), NOW).await;
    assert!(!pushed.adjusted.is_empty());
    // Later, when the stamps would not lie in the future any more.
    let replay = push(&*store, &me, "c", changes.clone(), after(9000)).await;
    assert_eq!(sorted(replay.adjusted), sorted(pushed.adjusted.clone()));
    // With something new beside it.
    let more = changes.into_iter().chain([task("d", "x", NOW)]).collect();
    let more = push(&*store, &me, "c", more, after(9000)).await;
    assert_eq!(sorted(more.adjusted), sorted(pushed.adjusted));
}

fn sorted(mut adjusted: Vec<AdjustedStamp>) -> Vec<AdjustedStamp> {
    adjusted.sort_by(|a, b| (&a.event_id, &a.field).cmp(&(&b.event_id, &b.field)));
    adjusted
}

pub async fn sync_t3_stamps_within_a_minute_stay(store: Arc<impl Backend>) {
    let me = scope("me");
    let pushed = push(&*store, &me, "c", vec![task("t", "x", after(60))], NOW).await;
    assert_eq!(pushed.adjusted, []);
    assert_eq!(
        get_task(&*store, &me, "t").await.unwrap().meta["title"].at,
        after(60)
    );
}

pub async fn sync_s3_a_bad_change_stores_nothing_of_its_push(store: Arc<impl Backend>) {
    let me = scope("me");
    let mut bad = task("b", "x", NOW);
    bad.actor = None;
    let refused = store
        .push(
            &me,
            pushing("c", vec![hourly("m"), task("a", "x", NOW), bad], NOW),
        )
        .await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
    assert_eq!(log(&*store, &me).await.changes, []);
    assert_eq!(get_task(&*store, &me, "a").await, None);
    assert_eq!(store.next_wake().await.unwrap(), None);
    push(&*store, &me, "c", vec![task("a", "x", NOW)], NOW).await;
}

pub async fn sync_s1_thousands_of_changes_at_once(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes: Vec<_> = (0..3000)
        .map(|n| task(&format!("t{n:04}"), "x", NOW))
        .collect();
    let pushed = push(&*store, &me, "c", changes.clone(), NOW).await;
    assert_eq!(pushed.cursor, Cursor(NOW.plus(2999)));
    assert_eq!(
        store.records(&me, "todo", "tasks").await.unwrap().len(),
        3000
    );
    let page = log(&*store, &me).await;
    assert!(
        page.changes
            .iter()
            .map(|logged| &logged.change.id)
            .is_sorted()
    );
    assert_eq!(page.changes.len(), 3000);
    let replay = push(&*store, &me, "c", changes, after(1)).await;
    assert_eq!(replay.cursor, pushed.cursor);
}

pub async fn tables_names_what_was_appended(store: Arc<impl Backend>) {
    let me = scope("me");
    let (stored, new) = (task("t", "x", NOW), hourly("m"));
    push(&*store, &me, "c", vec![stored.clone()], NOW).await;
    let pushed = push(&*store, &me, "c", vec![stored, new], NOW).await;
    let tables: Vec<_> = pushed
        .tables
        .iter()
        .map(|(app, table)| (app.as_str(), table.as_str()))
        .collect();
    assert_eq!(tables, [("ai", "aiMissions")]);
}

pub async fn sync_s16_a_number_with_other_changes_is_a_copys(store: Arc<impl Backend>) {
    let me = scope("me");
    let numbered = |client: &str, number: u64, ids: &[&str]| Push {
        number: Some(number),
        ..pushing(
            client,
            ids.iter().map(|id| task(id, "x", NOW)).collect(),
            NOW,
        )
    };
    let taken = [
        numbered("c", 1, &["a"]),
        // The same again, and with what was written since.
        numbered("c", 1, &["a"]),
        numbered("c", 1, &["a", "b"]),
        numbered("c", 2, &["d"]),
        // A repetition that was on its way for long, and a number that was passed over.
        numbered("c", 1, &["a"]),
        numbered("c", 9, &["e", "f"]),
        // Another client, another log, and pushes without a number.
        numbered("d", 1, &["g"]),
        pushing("c", vec![task("h", "x", NOW)], NOW),
    ];
    for push in taken {
        let said = format!("{push:?}");
        store.push(&me, push).await.expect(&said);
    }
    store
        .push(&scope("you"), numbered("c", 1, &["z"]))
        .await
        .unwrap();
    let before = log(&*store, &me).await;
    for copy in [
        numbered("c", 9, &["z"]),
        numbered("c", 9, &["e", "z"]),
        numbered("c", 9, &["f", "e", "z"]),
        numbered("c", 3, &["e", "f", "z"]),
        numbered("c", 1, &["a", "b", "z"]),
    ] {
        let said = format!("{copy:?}");
        let refused = store.push(&me, copy).await;
        assert!(
            matches!(refused, Err(StoreError::Copied)),
            "{refused:?}: {said}"
        );
    }
    assert_eq!(
        log(&*store, &me).await,
        before,
        "nothing of a copy's push is stored"
    );
    store.push(&me, numbered("c", 10, &["z"])).await.unwrap();
}
