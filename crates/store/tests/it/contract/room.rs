//! A push adds no more to a log than it has room for (S12).

use std::sync::Arc;

use mana_core::{Change, Micros};
use mana_store::{LogMeasure, LogSize, Push, Pushed, Room, StoreError};
use serde_json::{Value, json};

use super::support::*;

/// A push of changes, with room for so many bytes and records.
async fn push_into(
    store: &impl Backend,
    room: (Option<u64>, Option<u64>),
    changes: Vec<Change>,
    at: Micros,
) -> Result<Pushed, StoreError> {
    let room = Room {
        bytes: room.0,
        records: room.1,
    };
    let push = Push {
        room,
        ..pushing("c", changes, at)
    };
    store.push(&scope("me"), push).await
}

fn removal(id: &str, at: Micros, actor: &Value) -> Change {
    change(
        json!({"table": "tasks", "id": id, "op": "delete", "deletedAt": at, "at": at, "actor": actor}),
    )
}

fn refused(pushed: Result<Pushed, StoreError>) -> LogMeasure {
    match pushed {
        Err(StoreError::NoRoom(measure)) => measure,
        other => panic!("{other:?}"),
    }
}

pub async fn sync_s12_records_are_counted_whatever_makes_them(store: Arc<impl Backend>) {
    let store = &*store;
    let me = scope("me");
    let user = json!({"kind": "user"});
    let makers: [fn(&str, Micros) -> Change; 3] = [
        |id, at| task(id, "x", at),
        |id, at| set(id, "title", json!("x"), at),
        |id, at| removal(id, at, &json!({"kind": "user"})),
    ];
    for (n, make) in makers.into_iter().enumerate() {
        let at = after(10 * n as i64);
        let new = |from: usize, to: usize| -> Vec<Change> {
            (from..to)
                .map(|id| make(&format!("{n}-{id}"), at))
                .collect()
        };
        let before = store.size(&me).await.unwrap();
        let over = push_into(store, (None, Some(2)), new(0, 3), at).await;
        assert_eq!(refused(over), LogMeasure::Records, "{n}");
        assert_eq!(store.size(&me).await.unwrap(), before, "nothing is stored");
        let pushed = push_into(store, (None, Some(2)), new(0, 2), at)
            .await
            .unwrap();
        assert_eq!(pushed.grown.records, 2, "{n}");
        let now = store.size(&me).await.unwrap();
        assert_eq!(now.records, before.records + 2);
        let grown = pushed.grown.bytes;
        // Postgres writes JSON with blanks.
        let stored = now.bytes - before.bytes;
        assert!(grown > 0 && grown <= stored && stored <= 2 * grown);
        // A record that is there already takes none, and a replay takes nothing.
        let again = vec![set(&format!("{n}-0"), "notes", json!("y"), after(90))];
        let written = push_into(store, (None, Some(0)), again, after(90)).await;
        assert_eq!(written.unwrap().grown.records, 0);
    }
    let replay = vec![task("r", "x", NOW)];
    push_into(store, (None, None), replay.clone(), NOW)
        .await
        .unwrap();
    let replayed = push_into(store, (Some(0), Some(0)), replay, NOW).await;
    assert_eq!(replayed.unwrap().grown, LogSize::default());
    // Made and removed in one push it is a record, too.
    let both = vec![task("b", "x", NOW), removal("b", after(1), &user)];
    let over = push_into(store, (None, Some(0)), both, after(1)).await;
    assert_eq!(refused(over), LogMeasure::Records);
}

pub async fn sync_s12_bytes_are_counted_and_removals_make_room(store: Arc<impl Backend>) {
    let store = &*store;
    let user = json!({"kind": "user"});
    let long = "x".repeat(10_000);
    let ids = ["a", "b", "c"];
    let tasks = ids.map(|id| task(id, "x", NOW)).to_vec();
    push_into(store, (None, None), tasks, NOW).await.unwrap();

    let full = (Some(10_000), None);
    let over = vec![set("a", "notes", json!(long), after(1))];
    assert_eq!(
        refused(push_into(store, full, over, after(1)).await),
        LogMeasure::Bytes
    );
    let lost = vec![set("a", "notes", json!(long), Micros(1))];
    let kept = push_into(store, full, lost, after(1)).await;
    assert_eq!(refused(kept), LogMeasure::Bytes, "what loses is kept too");

    let none = (Some(0), Some(0));
    let removed = push_into(store, none, vec![removal("a", after(2), &user)], after(2)).await;
    assert_eq!(removed.unwrap().grown, LogSize::default());
    for (why, changes) in [
        ("it is removed already", vec![removal("a", after(3), &user)]),
        ("nothing is there", vec![removal("new", after(3), &user)]),
        (
            "other things come along",
            vec![
                removal("b", after(3), &user),
                set("c", "notes", json!("y"), after(3)),
            ],
        ),
        (
            "its author is the size of a text",
            vec![removal(
                "b",
                after(3),
                &json!({"kind": "user", "displayName": long}),
            )],
        ),
    ] {
        let pushed = push_into(store, none, changes, after(3)).await;
        assert!(
            matches!(pushed, Err(StoreError::NoRoom(_))),
            "{why}: {pushed:?}"
        );
    }
    let rest = vec![removal("b", after(4), &user), removal("c", after(4), &user)];
    push_into(store, none, rest, after(4)).await.unwrap();
}
