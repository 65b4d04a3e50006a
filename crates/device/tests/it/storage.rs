//! The contract of every storage.

use mana_core::Op;
use serde_json::json;

use crate::support::{Device, Server, task};
use mana_device::{SqliteStorage, Storage as _, Writes};

async fn commits_all_or_nothing(device: &Device) {
    device.add("a", "A").await;
    device.add("b", "B").await;
    let mut tx = device.storage.begin().await.unwrap();
    let rows = tx.outbox(10).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].seq < rows[1].seq);
    assert_eq!(rows[0].change.record_id(), "a");
    // Dropped: as if it never was.
    drop(tx);
    let tx = device.storage.begin().await.unwrap();
    let writes = Writes {
        dequeue: vec![rows[0].seq],
        ..Writes::default()
    };
    tx.commit(writes).await.unwrap();
    assert_eq!(device.waiting().await, 1);
    // A number is never used twice, also when the queue was empty meanwhile.
    let tx = device.storage.begin().await.unwrap();
    let writes = Writes {
        dequeue: vec![rows[1].seq],
        ..Writes::default()
    };
    tx.commit(writes).await.unwrap();
    device.add("c", "C").await;
    let mut tx = device.storage.begin().await.unwrap();
    assert!(tx.outbox(10).await.unwrap()[0].seq > rows[1].seq);
}

#[tokio::test]
async fn sync_s6_memory_commits_all_or_nothing() {
    commits_all_or_nothing(&Device::memory(0).await).await;
}

#[tokio::test]
async fn sync_s6_sqlite_commits_all_or_nothing() {
    commits_all_or_nothing(&Device::sqlite().await).await;
}

#[tokio::test]
async fn sync_s6_sqlite_is_there_after_a_restart_and_for_two_at_once() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("replica.db");
    let first = SqliteStorage::open(&path).await.unwrap();
    let second = SqliteStorage::open(&path).await.unwrap();
    let writes = Writes {
        manifests: Some("[]".into()),
        ..Writes::default()
    };
    first.begin().await.unwrap().commit(writes).await.unwrap();
    let read = second.begin().await.unwrap().manifests().await.unwrap();
    assert_eq!(read.as_deref(), Some("[]"));
    first.close().await;
    second.close().await;
    let again = SqliteStorage::open(&path).await.unwrap();
    assert!(
        again
            .begin()
            .await
            .unwrap()
            .manifests()
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn sync_m1_memory_and_sqlite_come_to_the_same_records() {
    let server = Server::new().await;
    let (here, there) = (Device::memory(0).await, Device::sqlite().await);
    here.add("a", "From memory").await;
    there.add("a", "From SQLite").await;
    there.write(task(Op::Delete, "b", json!({}))).await;
    for device in [&here, &there, &here] {
        device.replica.sync(&server).await.unwrap();
    }
    assert_eq!(here.tasks().await, there.tasks().await);
    assert!(here.tasks().await.contains("deletedAt"));
}
