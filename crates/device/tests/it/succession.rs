//! Tasks that repeat, on two devices.

use mana_core::{Op, RecordKey, ids, staging::Decision};
use serde_json::{Value, json};

use crate::consent::{meet, two_devices};
use crate::support::{Database, Device, Server, task};

const RECURRENCE: &str = "FREQ=WEEKLY;BYDAY=MO";

async fn repeating(device: &Device, id: &str) {
    let data =
        json!({"title": "Bins", "dueDate": "2099-12-07", "recurrence": {"rule": RECURRENCE}});
    device.write(task(Op::Insert, id, data)).await;
}

/// The tasks that are there, by title and day, and whether they are done.
async fn tasks(device: &Device) -> Vec<(Value, bool)> {
    let records = device.replica.records("todo", "tasks").await.unwrap();
    let there = records.into_iter().filter(|(_, state)| !state.is_deleted());
    let mut tasks: Vec<_> = there
        .map(|(_, state)| {
            let day = state.data.get("dueDate").cloned().unwrap_or_default();
            (day, state.data.get("done") == Some(&true.into()))
        })
        .collect();
    tasks.sort_by_key(|(day, _)| day.to_string());
    tasks
}

#[tokio::test]
async fn recurrence_t3_two_devices_that_tick_offline_meet_in_one_next_task() {
    let server = Server::new().await;
    let (a, b) = (Device::memory(0).await, Device::memory(30).await);
    repeating(&a, "bins").await;
    meet(&server, &[&a, &b]).await;
    for device in [&a, &b] {
        let done = json!({"done": true, "completedAt": "2099-12-07T08:00:00.000000Z"});
        device.write(task(Op::Update, "bins", done)).await;
    }
    meet(&server, &[&a, &b]).await;
    let both = [(json!("2099-12-07"), true), (json!("2099-12-14"), false)];
    assert_eq!(tasks(&a).await, both);
    assert_eq!(tasks(&b).await, both);
    // Opened again on one of them, on both.
    b.write(task(
        Op::Update,
        "bins",
        json!({"done": false, "completedAt": null}),
    ))
    .await;
    meet(&server, &[&a, &b]).await;
    for device in [&a, &b] {
        assert_eq!(tasks(device).await, [(json!("2099-12-07"), false)]);
    }
}

#[tokio::test]
async fn recurrence_t1_an_approved_completion_goes_on_and_its_undo_takes_that_back() {
    let (server, a, b) =
        two_devices(Database::Sqlite, "complete_task", json!({"taskId": "t1"})).await;
    let recurrence = json!({"recurrence": {"rule": RECURRENCE}, "dueDate": "2099-12-07"});
    a.write(task(Op::Update, "t1", recurrence)).await;
    meet(&server, &[&a, &b]).await;
    let proposal = a.replica.inbox().await.unwrap().remove(0);
    let yes = Decision::Approve {
        edited_params: None,
        over: None,
    };
    a.replica.decide(&proposal.id, &yes).await.unwrap();
    meet(&server, &[&a, &b]).await;
    let next = RecordKey::new("todo", "tasks", ids::successor_id("t1"));
    let there = b
        .replica
        .record(&next)
        .await
        .unwrap()
        .expect("the next task");
    assert_eq!(there.data["dueDate"], "2099-12-14");
    let extent = mana_core::undo::UndoExtent::Step {
        step_id: proposal.step_id.clone(),
    };
    let preview = b
        .replica
        .undo_preview(&proposal.mission_id, &extent)
        .await
        .unwrap();
    b.replica
        .undo(&proposal.mission_id, &extent, &preview.hash)
        .await
        .unwrap();
    meet(&server, &[&a, &b]).await;
    assert!(
        a.replica
            .record(&next)
            .await
            .unwrap()
            .expect("a tombstone")
            .is_deleted()
    );
}
