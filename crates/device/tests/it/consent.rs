//! Proposals, decided and undone at devices that meet only at the server.

use mana_core::{
    RecordKey, ids,
    mission::{APP, MISSIONS},
    staging::{Decision, ProposalStatus},
    undo::UndoExtent,
};
use mana_device::DeviceError;
use serde_json::{Value, json};

use crate::support::{Database, Device, Server};

const SLOT: &str = "due:1772431200000";
const APPROVE: Decision = Decision::Approve {
    edited_params: None,
    over: None,
};

fn iteration() -> String {
    ids::iteration_id("m1", SLOT)
}

/// Two devices that know a mission whose run proposes this.
pub async fn two_devices(
    database: Database,
    tool: &str,
    params: Value,
) -> (Server, Device, Device) {
    let server = Server::on(database).await;
    let (one, other) = (Device::memory(0).await, Device::sqlite().await);
    let at = "2026-03-02T05:59:00.000000Z";
    let step = json!({ "id": ids::step_id(&iteration(), 0), "index": 0, "status": "planned", "summary": "Do it",
        "rationale": "It is time.", "updatedAt": at,
        "intent": { "kind": "toolCall", "toolName": tool, "params": params } });
    let data = json!({ "title": "Week", "state": "active", "iterations": [{ "id": iteration(), "slot": SLOT,
        "source": "server", "startedAt": at, "finishedAt": at, "updatedAt": at, "plan": [step] }] });
    server.plans("m1", data).await;
    one.add("t1", "Draft").await;
    meet(&server, &[&one, &other]).await;
    (server, one, other)
}

/// Everybody has what everybody has.
pub async fn meet(server: &Server, devices: &[&Device]) {
    for device in devices.iter().chain(devices) {
        device.replica.sync(server).await.unwrap();
        device.replica.stage().await.unwrap();
    }
}

/// The status of the only proposal.
async fn status(device: &Device) -> ProposalStatus {
    let proposals = device.replica.proposals().await.unwrap();
    let [proposal] = &proposals[..] else {
        panic!("one proposal: {proposals:?}")
    };
    proposal.status
}

async fn step(device: &Device) -> Value {
    let key = RecordKey::new(APP, MISSIONS, "m1");
    let mission = device.replica.record(&key).await.unwrap().unwrap();
    mission.data["iterations"][0]["plan"][0].clone()
}

#[tokio::test]
async fn modules_s9_a_proposal_expires_at_one_device_and_so_at_all() {
    for database in Database::ALL {
        let (server, one, other) = two_devices(
            database,
            "create_event",
            json!({ "title": "Call", "startsAt": "2026-03-02T06:00:01Z" }),
        )
        .await;
        for device in [&one, &other] {
            assert_eq!(status(device).await, ProposalStatus::Open);
        }
        // Each look at the clock is a millisecond.
        while one.replica.expire().await.unwrap() == 0 {}
        assert_eq!(one.replica.expire().await.unwrap(), 0, "once");
        assert!(one.replica.inbox().await.unwrap().is_empty());
        meet(&server, &[&one, &other]).await;
        assert_eq!(step(&other).await["status"], "expired");
        assert_eq!(status(&other).await, status(&one).await);
        assert!(
            other
                .replica
                .records("calendar", "events")
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn modules_u_what_was_undone_at_one_device_is_undone_at_all_and_keeps_a_later_edit() {
    for database in Database::ALL {
        let params =
            json!({ "taskId": "t1", "title": "Draft the outline", "dueDate": "2026-03-05" });
        let (server, one, other) = two_devices(database, "update_task", params).await;
        let proposal = one.replica.inbox().await.unwrap().remove(0);
        one.replica.decide(&proposal.id, &APPROVE).await.unwrap();
        meet(&server, &[&one, &other]).await;
        assert_eq!(other.title("t1").await, "Draft the outline");
        other.set("t1", "Draft the outline, in ink").await;

        // The device that approved doesn't know of the ink yet; the preview that somebody saw elsewhere is another one.
        let extent = UndoExtent::Iteration {
            iteration_id: iteration(),
        };
        let stale = one.replica.undo_preview("m1", &extent).await.unwrap();
        let preview = other.replica.undo_preview("m1", &extent).await.unwrap();
        assert_eq!(
            (preview.operations.len(), preview.kept.len()),
            (1, 1),
            "{preview:?}"
        );
        let altered = other.replica.undo("m1", &extent, &stale.hash).await;
        assert!(
            matches!(&altered, Err(DeviceError::Decision(error)) if error.code == "altered"),
            "{altered:?}"
        );
        other
            .replica
            .undo("m1", &extent, &preview.hash)
            .await
            .unwrap();
        meet(&server, &[&one, &other]).await;

        assert_eq!(one.tasks().await, other.tasks().await);
        assert_eq!(one.title("t1").await, "Draft the outline, in ink");
        let key = RecordKey::new("todo", "tasks", "t1");
        let task = one.replica.record(&key).await.unwrap().unwrap();
        assert!(
            task.data.get("dueDate").is_none_or(Value::is_null),
            "{task:?}"
        );
        assert_eq!(step(&one).await["status"], "undone");
        assert_eq!(step(&one).await, step(&other).await);
    }
}
