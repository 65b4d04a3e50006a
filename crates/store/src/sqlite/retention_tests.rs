use std::sync::Arc;

use mana_core::{Actor, Change, Defaults, manifest::Registry};
use serde_json::{Value, json};

use super::*;
use crate::{Log as _, Push, Schedule as _, StoreError};

async fn grown() -> (Arc<SqliteStore>, Scope) {
    let store = SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let me = Scope::own(&UserId("me".to_owned()));
    let mission = json!({"appId": "ai", "table": "aiMissions", "id": "m", "op": "insert", "data":
        {"state": "active", "cadence": {"kind": "interval", "everyMinutes": 60}}});
    let task = |id: &str, at: i64| {
        json!({"appId": "todo", "table": "tasks", "id": id, "op": "insert", "at": Micros(at),
            "data": {"title": at}})
    };
    for (n, change) in [
        task("a", 1),
        task("a", 2),
        task("b", 3),
        task("c", 4),
        mission,
    ]
    .into_iter()
    .enumerate()
    {
        store.push(&me, push(n as i64 + 1, change)).await.unwrap();
    }
    (store, me)
}

fn push(at: i64, change: Value) -> Push {
    let defaults = Defaults {
        event_id: at.to_string(),
        at: Micros(at),
        actor: Actor::user(),
        app_id: String::new(),
    };
    Push::new(
        "c",
        vec![Change::parse(change).unwrap().normalize(defaults)],
        Micros(at),
    )
}

async fn spoil(store: &SqliteStore) {
    for sql in [
        "UPDATE records SET state = replace(state, '\"title\":2', '\"title\":7') WHERE record_id = 'a'",
        "DELETE FROM records WHERE record_id = 'b'",
        "INSERT INTO records SELECT user_id, app_id, table_name, 'd', state, updated_at \
         FROM records WHERE record_id = 'c'",
        "UPDATE mission_schedule SET next_run_at = next_run_at + 1",
        "INSERT INTO mission_schedule VALUES ('me', 'gone', 1, 'due:1')",
    ] {
        let done = sqlx::query(sql).execute(&store.writer).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
    }
}

#[tokio::test]
async fn sync_r5_what_differs_is_named_and_put_right() {
    let (store, me) = grown().await;
    let right = store
        .record(&me, &RecordKey::new("todo", "tasks", "a"))
        .await;
    let due = store.next_wake().await.unwrap();
    spoil(&store).await;
    for projected in [store.check(&me).await, store.reproject(&me).await] {
        let projected = projected.unwrap();
        let names: Vec<_> = projected
            .differences
            .iter()
            .map(crate::Difference::to_string)
            .collect();
        let expected = [
            "schedule m",
            "changed todo/tasks/a",
            "missing todo/tasks/b",
            "surplus todo/tasks/d",
            "schedule gone",
        ];
        assert_eq!(
            (names, projected.differing),
            (expected.map(str::to_owned).to_vec(), 5)
        );
        assert_eq!(projected.records, 4);
    }
    assert_eq!(store.check(&me).await.unwrap().differing, 0);
    let mended = store
        .record(&me, &RecordKey::new("todo", "tasks", "a"))
        .await;
    assert_eq!(mended.unwrap(), right.unwrap());
    assert_eq!(store.next_wake().await.unwrap(), due);
}

#[tokio::test]
async fn sync_r1_a_record_that_its_rows_do_not_make_is_left_alone() {
    let (store, me) = grown().await;
    spoil(&store).await;
    let compacted = store.compact(&me, Micros(100)).await.unwrap();
    assert_eq!(compacted.left, [RecordKey::new("todo", "tasks", "a")]);
    assert_eq!((compacted.dropped, compacted.floor), (0, Cursor::BEGINNING));
    store.reproject(&me).await.unwrap();
    assert_eq!(store.compact(&me, Micros(100)).await.unwrap().dropped, 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_before_anything_changes() {
    let (store, me) = grown().await;
    spoil(&store).await;
    sqlx::query("UPDATE sync_changes SET actor = 'x' WHERE record_id = 'c'")
        .execute(&store.writer)
        .await
        .unwrap();
    let failed = store.reproject(&me).await;
    assert!(
        matches!(failed, Err(StoreError::Corrupt { .. })),
        "{failed:?}"
    );
    sqlx::query("UPDATE sync_changes SET actor = '{\"kind\":\"user\"}' WHERE record_id = 'c'")
        .execute(&store.writer)
        .await
        .unwrap();
    assert_eq!(
        store.check(&me).await.unwrap().differing,
        5,
        "nothing was put right by half"
    );
}
