//! The records that the log makes. How the merge decides is pinned by core's own vectors.

use std::{collections::BTreeMap, sync::Arc};

use mana_core::{Micros, RecordKey, RecordState, apply, manifest::Registry};
use serde_json::json;

use super::support::*;

type Records = BTreeMap<(String, String), RecordState>;

async fn records(store: &impl Backend, user: &str) -> Records {
    let mut all = Records::new();
    for (app, table) in [("todo", "tasks"), ("ai", "aiMissions")] {
        for (id, state) in store.records(&scope(user), app, table).await.unwrap() {
            all.insert((table.to_owned(), id), state);
        }
    }
    all
}

pub async fn sync_m1_any_order_any_batches_same_records(store: Arc<impl Backend>) {
    for seed in 0..6 {
        let mut rng = Rng(seed);
        let mut changes = meeting(&mut rng, 60, "event");
        // Missions here have no cadence, so the server adds nothing that depends on the order.
        let mut first = None;
        for order in 0..3 {
            let user = format!("{seed}-{order}");
            let mut rest = &changes[..];
            while !rest.is_empty() {
                let (batch, left) = rest.split_at(1 + rng.below(rest.len()));
                push(&*store, &scope(&user), "c", batch.to_vec(), after(30)).await;
                rest = left;
            }
            let records = records(&*store, &user).await;
            assert_eq!(
                records.len(),
                first.get_or_insert_with(|| records.clone()).len()
            );
            assert_eq!(Some(records), first, "seed {seed}, order {order}");
            rng.shuffle(&mut changes);
        }
    }
}

pub async fn sync_m1_records_equal_a_replay_of_the_log(store: Arc<impl Backend>) {
    let registry = Registry::builtin();
    let mut rng = Rng(7);
    let me = scope("me");
    let mut changes = meeting(&mut rng, 200, "event");
    changes.push(hourly("r0"));
    for batch in changes.chunks(9) {
        push(&*store, &me, "c", batch.to_vec(), after(30)).await;
    }
    let mut replayed = BTreeMap::<(String, String), RecordState>::new();
    for logged in log(&*store, &me).await.changes {
        let change = logged.change;
        let schema = registry.schema(change.app_id.as_deref().unwrap(), &change.table);
        apply(
            schema,
            replayed
                .entry((change.table.clone(), change.id.clone()))
                .or_default(),
            &change,
        );
    }
    assert_eq!(records(&*store, "me").await, replayed);
}

pub async fn sync_m5_a_delete_wins_over_a_later_update(store: Arc<impl Backend>) {
    let me = scope("me");
    let delete =
        change(json!({"table": "tasks", "id": "t", "op": "delete", "deletedAt": after(1)}));
    push(
        &*store,
        &me,
        "a",
        vec![task("t", "x", NOW), delete],
        after(2),
    )
    .await;
    push(
        &*store,
        &me,
        "b",
        vec![set("t", "title", json!("late"), after(3))],
        after(4),
    )
    .await;
    let record = get_task(&*store, &me, "t").await.unwrap();
    assert!(record.is_deleted());
    assert_eq!(
        record.data["title"], "late",
        "the record is whole for whoever restores it"
    );
}

pub async fn sync_m5_an_explicit_null_restores(store: Arc<impl Backend>) {
    let me = scope("me");
    let delete =
        change(json!({"table": "tasks", "id": "t", "op": "delete", "deletedAt": after(1)}));
    let restore = set("t", "deletedAt", json!(null), after(2));
    push(
        &*store,
        &me,
        "a",
        vec![task("t", "x", NOW), restore, delete],
        after(2),
    )
    .await;
    assert!(!get_task(&*store, &me, "t").await.unwrap().is_deleted());
}

pub async fn sync_l1_iterations_of_two_writers_both_stay(store: Arc<impl Backend>) {
    let me = scope("me");
    let iteration = |id: &str, at: Micros| {
        set_mission(
            "m",
            json!({"iterations": [{"id": id, "startedAt": at, "updatedAt": at, "plan": []}]}),
            at,
        )
    };
    push(
        &*store,
        &me,
        "a",
        vec![
            mission("m", json!({"title": "x"}), NOW),
            iteration("i2", after(2)),
        ],
        after(3),
    )
    .await;
    push(&*store, &me, "b", vec![iteration("i1", after(1))], after(4)).await;
    let record = get_mission(&*store, &me, "m").await;
    let ids: Vec<_> = record.data["iterations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["id"].clone())
        .collect();
    assert_eq!(ids, ["i1", "i2"]);
}

pub async fn sync_m9_a_table_without_a_manifest_is_merged_by_field(store: Arc<impl Backend>) {
    let me = scope("me");
    let write = |value: &str, at: Micros| {
        change(
            json!({"appId": "future", "table": "things", "id": "1", "op": "update",
            "fields": {"iterations": {"value": [value], "updatedAt": at}}}),
        )
    };
    push(
        &*store,
        &me,
        "a",
        vec![write("later", after(2)), write("earlier", after(1))],
        after(3),
    )
    .await;
    let record = store
        .record(&me, &RecordKey::new("future", "things", "1"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.data["iterations"], json!(["later"]));
}

pub async fn sync_m3_an_older_write_changes_no_record(store: Arc<impl Backend>) {
    let me = scope("me");
    push(
        &*store,
        &me,
        "a",
        vec![task("t", "new", after(2))],
        after(3),
    )
    .await;
    let before = get_task(&*store, &me, "t").await;
    let late = push(
        &*store,
        &me,
        "b",
        vec![set("t", "title", json!("old"), after(1))],
        after(4),
    )
    .await;
    assert_eq!(get_task(&*store, &me, "t").await, before);
    assert_eq!(late.tables.len(), 1, "it is in the log all the same");
    assert_eq!(log(&*store, &me).await.changes.len(), 2);
}
