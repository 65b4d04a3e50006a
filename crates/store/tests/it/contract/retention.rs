//! Compaction, and the proof that the projections are what the log makes.

use std::{collections::BTreeMap, sync::Arc};

use mana_core::{Change, Micros, RecordKey, RecordState, apply, manifest::Registry};
use mana_store::{Compacted, Cursor, LoggedChange, Maintenance, Projected, Scope, StoreError};
use serde_json::json;

use super::support::*;

async fn compact(store: &impl Maintenance, scope: &Scope, before: Micros) -> Compacted {
    let compacted = store.compact(scope, before).await.unwrap();
    assert_eq!(compacted.left, [], "records and log agree");
    compacted
}

/// The records that these rows make, with what a device has already.
fn replay(device: &mut BTreeMap<RecordKey, RecordState>, rows: &[LoggedChange]) {
    let registry = Registry::builtin();
    for LoggedChange { change, .. } in rows {
        let key = RecordKey::new(change.app_id.as_deref().unwrap(), &change.table, &change.id);
        let schema = registry.schema(&key.app, &key.table);
        apply(schema, device.entry(key).or_default(), change);
    }
}

fn proven(projected: &Projected) {
    assert_eq!(
        (projected.differing, &projected.differences[..]),
        (0, &[][..])
    );
}

pub async fn sync_r1_what_was_overwritten_goes_and_records_stay(store: Arc<impl Upkept>) {
    let me = scope("me");
    let at = |n: i64| after(n);
    for (n, changes) in [
        vec![task("t", "first", at(0))],
        vec![set("t", "title", json!("second"), at(1))],
        vec![set("t", "title", json!("third"), at(2))],
        // Late, and older than what is there.
        vec![set("t", "title", json!("late"), at(1).plus(5))],
        vec![set("t", "notes", json!("stays"), at(3))],
        vec![task("other", "the newest", at(4))],
    ]
    .into_iter()
    .enumerate()
    {
        push(&*store, &me, "c", changes, after(10 + n as i64)).await;
    }
    let before = all_records(&*store, &me).await;
    let compacted = compact(&*store, &me, after(100)).await;
    assert_eq!(compacted.dropped, 3);
    assert_eq!(compacted.floor, Cursor(after(13)));
    let kept = log(&*store, &me).await.changes;
    let titles: Vec<_> = kept.iter().map(|row| row.cursor).collect();
    assert_eq!(titles, [after(12), after(14), after(15)].map(Cursor));
    assert_eq!(all_records(&*store, &me).await, before);
    proven(&store.check(&me).await.unwrap());
}

pub async fn sync_r1_what_stays_makes_the_same_records_byte_for_byte(store: Arc<impl Upkept>) {
    for seed in 0..8 {
        let me = scope(&format!("me {seed}"));
        let mut rng = Rng(seed);
        let mut changes = meeting(&mut rng, 200, "a");
        changes.push(hourly("r0"));
        for (n, batch) in changes.chunks(7).enumerate() {
            push(&*store, &me, "c", batch.to_vec(), after(30 + n as i64)).await;
        }
        let records = all_records(&*store, &me).await;
        let rows = log(&*store, &me).await.changes.len();
        let horizon = after(30 + rng.below(40) as i64);
        let compacted = compact(&*store, &me, horizon).await;
        assert!(compacted.dropped > 0, "seed {seed}");
        assert_eq!(
            compact(&*store, &me, horizon).await.dropped,
            0,
            "once is enough"
        );

        let kept = log(&*store, &me).await.changes;
        assert_eq!(kept.len() as u64, rows as u64 - compacted.dropped);
        let mut made = BTreeMap::new();
        replay(&mut made, &kept);
        let text = |of: &BTreeMap<RecordKey, RecordState>| {
            let states: Vec<_> = of
                .iter()
                .map(|(key, state)| (key.id.clone(), state))
                .collect();
            serde_json::to_string(&states).unwrap()
        };
        assert_eq!(text(&made), text(&records), "seed {seed}");
        assert_eq!(all_records(&*store, &me).await, records);
        proven(&store.check(&me).await.unwrap());
    }
}

pub async fn sync_r1_a_decided_step_and_its_iteration_stay(store: Arc<impl Upkept>) {
    let me = scope("me");
    let step = |status: &str, at: Micros| {
        json!({
            "id": "s", "index": 0, "summary": "x", "status": status, "updatedAt": at
        })
    };
    let iteration = |plan: serde_json::Value, at: Micros| {
        set_mission(
            "m",
            json!({"iterations": [{"id": "i", "startedAt": after(0), "updatedAt": after(0), "plan": [plan]}]}),
            at,
        )
    };
    let mut decided = step("approved", after(2));
    decided["decidedAt"] = json!(after(2));
    for (n, change) in [
        mission("m", json!({"title": "x"}), after(0)),
        iteration(step("planned", after(1)), after(1)),
        iteration(decided, after(2)),
        task("newest", "x", after(3)),
    ]
    .into_iter()
    .enumerate()
    {
        push(&*store, &me, "c", vec![change], after(10 + n as i64)).await;
    }
    let before = get_mission(&*store, &me, "m").await;
    // The whole step came again with its decision, so the plan's own row says nothing more.
    assert_eq!(compact(&*store, &me, after(100)).await.dropped, 1);
    assert_eq!(get_mission(&*store, &me, "m").await, before);
    proven(&store.check(&me).await.unwrap());
}

pub async fn sync_r2_the_newest_the_young_and_the_set_back_stay(store: Arc<impl Upkept>) {
    let me = scope("me");
    let title = |text: &str, at: Micros| set("t", "title", json!(text), at);
    push(
        &*store,
        &me,
        "c",
        vec![title("set back", after(3600))],
        after(0),
    )
    .await;
    push(&*store, &me, "c", vec![title("young", after(1))], after(50)).await;
    push(
        &*store,
        &me,
        "c",
        vec![title("newest and late", after(-5))],
        after(51),
    )
    .await;
    push(&*store, &me, "d", vec![title("wins", after(70))], after(70)).await;
    push(
        &*store,
        &me,
        "d",
        vec![title("late again", after(-9))],
        after(71),
    )
    .await;
    let compacted = compact(&*store, &me, after(50)).await;
    assert_eq!(
        compacted,
        Compacted::default(),
        "the only old row was set back"
    );
    let compacted = compact(&*store, &me, after(100)).await;
    assert_eq!(compacted.dropped, 2);
    let places: Vec<_> = log(&*store, &me)
        .await
        .changes
        .iter()
        .map(|row| row.cursor)
        .collect();
    // The place of what was set back follows its stamp.
    assert_eq!(places, [after(0).plus(1), after(70), after(71)].map(Cursor));

    let replay = title("set back", after(3600));
    let again = push(&*store, &me, "c", vec![replay], after(90)).await;
    assert_eq!(
        (again.adjusted.len(), again.tables.len()),
        (1, 0),
        "it answers as it did"
    );
    let next = push(&*store, &me, "c", vec![task("n", "x", after(0))], after(0)).await;
    assert_eq!(next.cursor, Cursor(after(71).plus(1)), "the order goes on");
}

pub async fn sync_r3_a_cursor_below_the_floor_is_refused(store: Arc<impl Upkept>) {
    let (me, you) = (scope("me"), scope("you"));
    for user in [&me, &you] {
        for n in 0..5 {
            push(
                &*store,
                user,
                "c",
                vec![set("t", "title", json!(n), after(n))],
                after(n),
            )
            .await;
        }
    }
    assert_eq!(
        compact(&*store, &me, after(3)).await.floor,
        Cursor(after(2))
    );
    for below in [after(-10), after(0), after(1), after(2).plus(-1)] {
        let refused = store.changes(&me, from(Cursor(below), 10)).await;
        assert!(
            matches!(refused, Err(StoreError::ResyncRequired(_))),
            "{below}"
        );
        store.changes(&you, from(Cursor(below), 10)).await.unwrap();
    }
    for good in [
        Cursor::BEGINNING,
        Cursor(after(2)),
        Cursor(after(3)),
        Cursor(after(9)),
    ] {
        store.changes(&me, from(good, 10)).await.unwrap();
    }
    let page = store
        .changes(&me, from(Cursor::BEGINNING, 10))
        .await
        .unwrap();
    assert_eq!(page.changes.len(), 2, "from the beginning is what is kept");
}

pub async fn sync_r3_a_device_that_snapshots_meets_one_that_was_there_all_along(
    store: Arc<impl Upkept>,
) {
    let me = scope("me");
    for seed in 0..4 {
        let mut rng = Rng(100 + seed);
        let batches: Vec<Vec<Change>> = (0..20)
            .map(|n| meeting(&mut rng, 6, &format!("{seed} {n}")))
            .collect();
        let (mut there, mut behind) = (BTreeMap::new(), BTreeMap::new());
        replay(&mut there, &log(&*store, &me).await.changes);
        let mut cursor = Cursor::BEGINNING;
        for (n, batch) in batches.into_iter().enumerate() {
            let now = after(seed as i64 * 100 + n as i64);
            push(&*store, &me, "c", batch, now).await;
            let page = store
                .changes(&me, from(Cursor::BEGINNING, 10_000))
                .await
                .unwrap();
            replay(&mut there, &page.changes);
            if n == 3 {
                replay(&mut behind, &page.changes);
                cursor = page.cursor;
            }
            if n % 6 == 5 {
                compact(&*store, &me, now).await;
            }
        }
        let refused = store.changes(&me, from(cursor, 10)).await;
        assert!(matches!(refused, Err(StoreError::ResyncRequired(_))));
        let registry = Registry::builtin();
        for (key, state) in all_records(&*store, &me).await {
            let schema = registry.schema(&key.app, &key.table);
            mana_core::merge::join(schema, behind.entry(key).or_default(), &state);
        }
        assert_eq!(behind, there);
        assert_eq!(there, all_records(&*store, &me).await);
    }
}

pub async fn sync_r3_a_push_that_comes_again_after_its_row_went_changes_nothing(
    store: Arc<impl Upkept>,
) {
    let me = scope("me");
    let first = set("t", "title", json!("first"), after(0));
    push(&*store, &me, "c", vec![first.clone()], after(0)).await;
    push(
        &*store,
        &me,
        "d",
        vec![set("t", "title", json!("second"), after(1))],
        after(1),
    )
    .await;
    assert_eq!(compact(&*store, &me, after(2)).await.dropped, 1);
    let before = all_records(&*store, &me).await;
    let again = push(&*store, &me, "c", vec![first], after(3)).await;
    assert_eq!(again.adjusted, []);
    assert_eq!(all_records(&*store, &me).await, before);
    proven(&store.check(&me).await.unwrap());
}

pub async fn sync_r1_pushes_during_a_compaction_are_all_there(store: Arc<impl Upkept>) {
    let me = scope("me");
    let mut rng = Rng(11);
    for n in 0..30 {
        push(
            &*store,
            &me,
            "c",
            meeting(&mut rng, 20, &format!("old {n}")),
            after(30),
        )
        .await;
    }
    let writer = {
        let (store, me) = (share(&store), me.clone());
        tokio::spawn(async move {
            for n in 0..30 {
                push(
                    &*store,
                    &me,
                    "d",
                    meeting(&mut rng, 3, &format!("new {n}")),
                    after(40),
                )
                .await;
            }
        })
    };
    let mut dropped = 0;
    for _ in 0..3 {
        dropped += compact(&*store, &me, after(35)).await.dropped;
    }
    writer.await.unwrap();
    assert!(dropped > 0);
    let mut made = BTreeMap::new();
    replay(&mut made, &log(&*store, &me).await.changes);
    assert_eq!(made, all_records(&*store, &me).await);
    proven(&store.check(&me).await.unwrap());
}

pub async fn sync_r5_a_replay_of_any_log_is_what_is_stored(store: Arc<impl Upkept>) {
    let me = scope("me");
    let mut rng = Rng(17);
    let mut changes = meeting(&mut rng, 150, "a");
    changes.extend([hourly("m1"), hourly("m2")]);
    changes.push(change(
        json!({"table": "tasks", "id": "empty", "op": "insert", "data": {}}),
    ));
    for batch in changes.chunks(11) {
        push(&*store, &me, "c", batch.to_vec(), after(30)).await;
    }
    push(
        &*store,
        &me,
        "c",
        vec![set_mission("m2", json!({"state": "paused"}), after(31))],
        after(31),
    )
    .await;
    push(
        &*store,
        &scope("you"),
        "c",
        vec![task("yours", "x", NOW)],
        NOW,
    )
    .await;
    let records = all_records(&*store, &me).await;
    let checked = store.check(&me).await.unwrap();
    proven(&checked);
    assert_eq!(checked.records, records.len() as u64);
    let wake = store.next_wake().await.unwrap();
    assert!(wake.is_some());
    proven(&store.reproject(&me).await.unwrap());
    assert_eq!(all_records(&*store, &me).await, records);
    assert_eq!(store.next_wake().await.unwrap(), wake);
    proven(&store.check(&scope("nobody")).await.unwrap());
}

pub async fn sync_r2_a_text_stays_for_ninety_days(store: Arc<impl Upkept>) {
    const DAY: i64 = 86_400;
    let me = scope("me");
    let days = |n: i64| after(n * DAY);
    push(&*store, &me, "c", vec![task("t", "Task", days(0))], days(0)).await;
    for n in [1, 2, 30] {
        let notes = set("t", "notes", json!(format!("Text of day {n}")), days(n));
        push(&*store, &me, "c", vec![notes], days(n)).await;
        let title = set("t", "title", json!(format!("Title of day {n}")), days(n));
        push(&*store, &me, "c", vec![title], days(n)).await;
    }
    push(
        &*store,
        &me,
        "c",
        vec![task("u", "Later", days(91))],
        days(91),
    )
    .await;
    let before = all_records(&*store, &me).await;
    compact(&*store, &me, days(91)).await;
    let kept = log(&*store, &me).await.changes;
    let texts: Vec<_> = (kept.iter())
        .filter_map(|row| row.change.fields.get("notes")?.value.clone())
        .collect();
    assert_eq!(texts, [json!("Text of day 2"), json!("Text of day 30")]);
    assert_eq!(all_records(&*store, &me).await, before);
    proven(&store.check(&me).await.unwrap());
}
