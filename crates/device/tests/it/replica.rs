//! Writing, sending, hearing, and what goes wrong between.

use std::sync::atomic::Ordering;

use mana_core::{Op, RecordKey};
use mana_device::{DeviceError, Write};
use serde_json::json;

use crate::support::{Device, NOW, Server, task};

#[tokio::test]
async fn sync_s6_what_is_written_offline_waits_and_is_sent() {
    let server = Server::new().await;
    let device = Device::memory(0).await;
    *server.online.lock().unwrap() = false;
    device.add("a", "Milk").await;
    assert!(device.replica.sync(&server).await.unwrap_err().is_offline());
    assert_eq!(
        (device.waiting().await, device.title("a").await),
        (1, json!("Milk"))
    );
    *server.online.lock().unwrap() = true;
    device.replica.sync(&server).await.unwrap();
    assert_eq!(device.waiting().await, 0);
    let other = Device::memory(0).await;
    other.replica.sync(&server).await.unwrap();
    assert_eq!(other.title("a").await, "Milk");
}

#[tokio::test]
async fn sync_s4_a_lost_answer_is_a_push_that_comes_again() {
    let server = Server::new().await;
    let device = Device::memory(0).await;
    device.replica.sync(&server).await.unwrap();
    device.add("a", "Milk").await;
    *server.loses_answer.lock().unwrap() = true;
    assert!(device.replica.sync(&server).await.unwrap_err().is_offline());
    assert_eq!(device.waiting().await, 1);
    device.replica.sync(&server).await.unwrap();
    assert_eq!(device.waiting().await, 0);
    let other = Device::memory(0).await;
    other.replica.sync(&server).await.unwrap();
    assert_eq!(other.tasks().await, device.tasks().await);
}

#[tokio::test]
async fn sync_s3_a_refused_change_is_set_aside_and_the_rest_goes_on() {
    let server = Server::new().await;
    let device = Device::memory(0).await;
    device.add("a", "Milk").await;
    // What no device may say: only the server's own runner is a mission-runner.
    let mut bad = device
        .replica
        .write(vec![task(Op::Insert, "b", json!({ "title": "B" }))])
        .await
        .unwrap();
    let mut change = bad.remove(0);
    change.actor = Some(mana_core::Actor::system(
        mana_core::SystemSource::MissionRunner,
    ));
    let mut tx = device.storage.begin().await.unwrap();
    let last = tx.outbox(10).await.unwrap().pop().unwrap();
    let writes = mana_device::Writes {
        dequeue: vec![last.seq],
        queue: vec![(change.into(), last.since)],
        ..Default::default()
    };
    tx.commit(writes).await.unwrap();
    device.add("c", "Bread").await;
    device.replica.sync(&server).await.unwrap();
    assert_eq!(device.waiting().await, 0);
    let aside = device.replica.set_aside().await.unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].change.record_id(), "b");
    assert!(aside[0].reason.contains("runner"), "{}", aside[0].reason);
    let other = Device::memory(0).await;
    other.replica.sync(&server).await.unwrap();
    assert_eq!(
        (other.title("a").await, other.title("c").await),
        (json!("Milk"), json!("Bread"))
    );
    // Again, and refused again: it is not lost.
    assert!(device.replica.retry(aside[0].event_id()).await.unwrap());
    device.replica.sync(&server).await.unwrap();
    assert_eq!(device.replica.set_aside().await.unwrap().len(), 1);
}

#[tokio::test]
async fn sync_s12_too_large_makes_smaller_batches() {
    let server = Server::new().await;
    let device = Device::memory(0).await;
    server.most.store(3, Ordering::SeqCst);
    let writes: Vec<Write> = (0..10)
        .map(|n| {
            task(
                Op::Insert,
                &format!("t{n}"),
                json!({ "title": format!("Task {n}") }),
            )
        })
        .collect();
    device.replica.write(writes).await.unwrap();
    device.replica.sync(&server).await.unwrap();
    assert_eq!(device.waiting().await, 0);
    assert!(device.replica.set_aside().await.unwrap().is_empty());
    assert!(server.pushes.lock().unwrap().contains(&2));
}

#[tokio::test]
async fn sync_t4_t6_a_clock_that_is_ahead_is_set_back_and_follows() {
    let server = Server::new().await;
    let device = Device::memory(86_400).await;
    device.add("a", "First").await;
    device.replica.sync(&server).await.unwrap();
    let key = RecordKey::new("todo", "tasks", "a");
    let at = device.replica.record(&key).await.unwrap().unwrap().meta["title"].at;
    assert!(at > NOW && at < NOW.plus(62_000_000), "{at}");
    let other = Device::memory(0).await;
    other.replica.sync(&server).await.unwrap();
    assert_eq!(other.tasks().await, device.tasks().await);
    other.set("a", "Second").await;
    other.replica.sync(&server).await.unwrap();
    device.replica.sync(&server).await.unwrap();
    assert_eq!(
        device.title("a").await,
        "Second",
        "what a person does last wins over what they saw"
    );
    assert_eq!(other.tasks().await, device.tasks().await);
}

#[tokio::test]
async fn sync_s7_r3_a_device_behind_the_log_takes_a_snapshot_and_keeps_its_outbox() {
    let server = Server::new().await;
    let (device, other) = (Device::memory(0).await, Device::memory(0).await);
    device.add("a", "A").await;
    device.replica.sync(&server).await.unwrap();
    for n in 0..5 {
        other.replica.sync(&server).await.unwrap();
        other.set("a", &format!("A{n}")).await;
        other.add(&format!("new{n}"), "New").await;
    }
    other.replica.sync(&server).await.unwrap();
    server.compact().await;
    device.add("mine", "Mine").await;
    let before = server.snapshots.load(Ordering::SeqCst);
    device.replica.sync(&server).await.unwrap();
    assert!(
        server.snapshots.load(Ordering::SeqCst) > before + 1,
        "several pages"
    );
    assert_eq!(device.waiting().await, 0);
    other.replica.sync(&server).await.unwrap();
    assert_eq!(other.tasks().await, device.tasks().await);
    assert_eq!(other.title("mine").await, "Mine");
    assert_eq!(device.title("a").await, "A4");
}

#[tokio::test]
async fn device_names_every_field_that_does_not_fit_and_writes_nothing() {
    let device = Device::memory(0).await;
    let bad = task(Op::Insert, "a", json!({ "dueDate": "tomorrow" }));
    let good = task(Op::Insert, "b", json!({ "title": "B" }));
    let Err(DeviceError::Invalid(problems)) = device.replica.write(vec![good, bad]).await else {
        panic!("it is refused");
    };
    let fields: Vec<&str> = problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(fields, ["title", "dueDate"]);
    assert_eq!(
        (device.waiting().await, device.tasks().await),
        (0, "[]".to_owned())
    );
}

#[tokio::test]
async fn sync_s3_a_change_with_the_event_id_of_another_one_is_kept_back_alone() {
    let server = Server::new().await;
    let device = Device::sqlite().await;
    device.add("a", "A").await;
    device.replica.sync(&server).await.unwrap();
    let used = device.add("b", "B").await;
    let theirs = serde_json::json!({ "eventId": used, "table": "tasks", "id": "z", "op": "insert", "data": {} });
    server.pushed(theirs).await;
    device.add("c", "C").await;
    device.replica.sync(&server).await.unwrap();
    assert_eq!(device.waiting().await, 0);
    let set_aside = device.replica.set_aside().await.unwrap();
    assert_eq!(set_aside.len(), 1);
    assert_eq!(set_aside[0].event_id(), used);
    assert!(
        set_aside[0].reason.contains("eventId"),
        "{}",
        set_aside[0].reason
    );
    let other = Device::memory(0).await;
    other.replica.sync(&server).await.unwrap();
    assert_eq!(other.title("c").await, "C");
}

#[tokio::test]
async fn sync_f5_a_device_that_was_away_neither_keeps_nor_brings_back_what_was_taken_away() {
    for rows in [false, true] {
        let server = Server::new().await;
        let (here, away) = (Device::memory(0).await, Device::memory(0).await);
        here.add("gone", "A secret").await;
        here.add("stands", "Milk").await;
        here.replica.sync(&server).await.unwrap();
        away.replica.sync(&server).await.unwrap();
        here.write(task(Op::Delete, "gone", json!({}))).await;
        here.replica.sync(&server).await.unwrap();
        away.set("gone", "Mine").await;
        let back = json!({ "deletedAt": null });
        away.write(task(Op::Update, "gone", back)).await;
        server.forgets("gone", rows).await;

        away.replica.sync(&server).await.unwrap();
        here.replica.sync(&server).await.unwrap();
        assert_eq!(server.titles().await, [json!("Milk")]);
        for device in [&here, &away] {
            let kept = device.replica.records("todo", "tasks").await.unwrap();
            let ids: Vec<_> = kept.iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(ids, ["stands"], "rows dropped: {rows}");
        }
        let aside = away.replica.set_aside().await.unwrap();
        assert_eq!((aside.len(), away.waiting().await), (2, 0));
        assert!(aside[0].reason.contains("forgot"), "{}", aside[0].reason);
        let log = json!(
            server
                .backup()
                .await
                .rows
                .iter()
                .map(|row| &row.logged.change)
                .collect::<Vec<_>>()
        );
        assert_eq!(log.to_string().contains("A secret"), !rows);
    }
}
