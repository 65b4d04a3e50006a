//! Merged records, a page at a time.

use std::{collections::BTreeMap, sync::Arc};

use mana_core::{RecordKey, RecordState, apply, manifest::Registry};
use mana_store::{Cursor, SnapshotQuery};
use serde_json::json;

use super::support::*;

pub async fn sync_s7_pages_hold_every_record_once_by_key_tombstones_too(store: Arc<impl Backend>) {
    let me = scope("me");
    // In the order of bytes: upper case before lower case, and both before what lies outside ASCII.
    let ids = ["B", "Z", "a", "b", "ba", "é"];
    let mut changes: Vec<_> = ids.iter().rev().map(|id| task(id, id, NOW)).collect();
    changes.push(change(
        json!({"table": "tasks", "id": "b", "op": "delete", "deletedAt": after(1)}),
    ));
    changes.push(mission("m", json!({"title": "x"}), NOW));
    let pushed = push(&*store, &me, "c", changes, after(2)).await;

    let mut query = SnapshotQuery {
        limit: 2,
        ..SnapshotQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = store.snapshot(&me, query.clone()).await.unwrap();
        assert_eq!(page.cursor, pushed.cursor);
        assert!(page.records.len() <= 2);
        for (key, state) in &page.records {
            let state = state.read().unwrap();
            assert_eq!(store.record(&me, key).await.unwrap().as_ref(), Some(&state));
            assert_eq!(state.is_deleted(), key.id == "b");
        }
        seen.extend(page.records.into_iter().map(|(key, _)| key));
        if !page.has_more {
            break;
        }
        query.after = seen.last().cloned();
    }
    let mut all = vec![RecordKey::new("ai", "aiMissions", "m")];
    all.extend(ids.map(|id| RecordKey::new("todo", "tasks", id)));
    assert_eq!(seen, all);
}

pub async fn sync_s7_a_snapshot_can_be_of_one_app_and_is_of_one_person(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes = vec![
        task("t", "x", NOW),
        mission("m", json!({"title": "x"}), NOW),
    ];
    push(&*store, &me, "c", changes, NOW).await;
    push(
        &*store,
        &scope("you"),
        "c",
        vec![task("yours", "x", NOW)],
        NOW,
    )
    .await;
    let query = |app: &str| SnapshotQuery {
        app: Some(app.to_owned()),
        limit: 10,
        ..SnapshotQuery::default()
    };
    let page = store.snapshot(&me, query("todo")).await.unwrap();
    let ids: Vec<_> = page.records.iter().map(|(key, _)| &*key.id).collect();
    assert_eq!((ids, page.has_more), (vec!["t"], false));
    let none = store.snapshot(&me, query("notes")).await.unwrap();
    assert_eq!((none.records.len(), none.has_more), (0, false));
    let empty = store
        .snapshot(&scope("nobody"), query("todo"))
        .await
        .unwrap();
    assert_eq!((empty.records.len(), empty.cursor), (0, Cursor::BEGINNING));
}

pub async fn sync_s7_a_page_of_large_records_ends_early(store: Arc<impl Backend>) {
    let me = scope("me");
    for n in 0..8 {
        let large = task(&format!("t{n}"), &"x".repeat(1_500_000), NOW);
        push(&*store, &me, "c", vec![large], NOW).await;
    }
    let page = store
        .snapshot(
            &me,
            SnapshotQuery {
                limit: 1000,
                ..SnapshotQuery::default()
            },
        )
        .await
        .unwrap();
    assert!(page.has_more && (1..8).contains(&page.records.len()));
}

pub async fn sync_s7_a_snapshot_and_the_log_after_it_make_the_records_while_others_write(
    store: Arc<impl Backend>,
) {
    let registry = Registry::builtin();
    let me = scope("me");
    let mut rng = Rng(3);
    push(
        &*store,
        &me,
        "c",
        meeting(&mut rng, 40, "before"),
        after(30),
    )
    .await;
    let mut device: BTreeMap<RecordKey, RecordState> = BTreeMap::new();
    let mut query = SnapshotQuery {
        limit: 1,
        ..SnapshotQuery::default()
    };
    let mut first = None;
    for round in 0.. {
        let page = store.snapshot(&me, query.clone()).await.unwrap();
        let cursor = *first.get_or_insert(page.cursor);
        query.after = page.records.last().map(|(key, _)| key.clone());
        device.extend(read(page.records));
        // In the page, before the page, after the page.
        push(
            &*store,
            &me,
            "d",
            meeting(&mut rng, 5, &format!("round {round}")),
            after(31),
        )
        .await;
        if !page.has_more {
            for logged in store
                .changes(&me, from(cursor, 100_000))
                .await
                .unwrap()
                .changes
            {
                let change = logged.change;
                let key =
                    RecordKey::new(change.app_id.as_deref().unwrap(), &change.table, &change.id);
                let schema = registry.schema(&key.app, &key.table);
                apply(schema, device.entry(key).or_default(), &change);
            }
            break;
        }
    }
    assert_eq!(device, all_records(&*store, &me).await);
}

pub async fn sync_s7_joining_a_snapshot_loses_nothing_of_ones_own(store: Arc<impl Backend>) {
    let registry = Registry::builtin();
    let me = scope("me");
    let mut rng = Rng(5);
    push(
        &*store,
        &me,
        "c",
        meeting(&mut rng, 40, "theirs"),
        after(30),
    )
    .await;
    // Not yet pushed.
    let own = meeting(&mut rng, 40, "own");
    let mut device: BTreeMap<RecordKey, RecordState> = BTreeMap::new();
    for change in &own {
        let key = RecordKey::new(change.app_id.as_deref().unwrap(), &change.table, &change.id);
        let schema = registry.schema(&key.app, &key.table);
        apply(schema, device.entry(key).or_default(), change);
    }
    for (key, state) in all_records(&*store, &me).await {
        let schema = registry.schema(&key.app, &key.table);
        mana_core::merge::join(schema, device.entry(key).or_default(), &state);
    }
    push(&*store, &me, "device", own, after(31)).await;
    assert_eq!(device, all_records(&*store, &me).await);
}
