//! Texts of people and of a mission that meet only at the server.

use mana_core::{
    Op, RecordKey,
    conflict::ConflictKind,
    staging::{Decision, ProposalStatus},
};
use mana_device::Write;
use serde_json::{Value, json};

use crate::{
    consent::{meet, two_devices},
    support::{Database, Device, Server, task},
};

const APPROVE: Decision = Decision::Approve {
    edited_params: None,
    over: None,
};

fn note(op: Op, body: &str) -> Write {
    Write {
        key: RecordKey::new("notes", "notes", "n1"),
        op,
        set: serde_json::from_value(json!({ "title": "Note", "body": body })).unwrap(),
    }
}

async fn field(device: &Device, key: (&str, &str, &str), field: &str) -> Value {
    let key = RecordKey::new(key.0, key.1, key.2);
    let record = device.replica.record(&key).await.unwrap().unwrap();
    record.data.get(field).cloned().unwrap_or_default()
}

async fn with_note(database: Database, body: &str) -> (Server, Device, Device) {
    let server = Server::on(database).await;
    let (laptop, phone) = (Device::memory(0).await, Device::sqlite().await);
    laptop.write(note(Op::Insert, body)).await;
    meet(&server, &[&laptop, &phone]).await;
    (server, laptop, phone)
}

const NOTE: (&str, &str, &str) = ("notes", "notes", "n1");

#[tokio::test]
async fn sync_x5_texts_that_do_not_touch_are_merged_once_and_nobody_is_bothered() {
    for database in Database::ALL {
        let (server, laptop, phone) = with_note(database, "One.\n\nTwo.").await;
        laptop
            .write(note(Op::Update, "One, and hours.\n\nTwo."))
            .await;
        phone.write(note(Op::Update, "One.\n\nTwo, a word.")).await;
        meet(&server, &[&laptop, &phone, &laptop]).await;
        for device in [&laptop, &phone] {
            let body = field(device, NOTE, "body").await;
            assert_eq!(body, "One, and hours.\n\nTwo, a word.");
            assert_eq!(device.replica.conflicts().await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn sync_x4_texts_that_touch_are_kept_and_told_on_both_devices() {
    for database in Database::ALL {
        let (server, laptop, phone) = with_note(database, "base").await;
        laptop.write(note(Op::Update, "base and two hours")).await;
        phone.write(note(Op::Update, "one word")).await;
        meet(&server, &[&laptop, &phone, &laptop]).await;
        let stands = field(&laptop, NOTE, "body").await;
        for device in [&laptop, &phone] {
            assert_eq!(field(device, NOTE, "body").await, stands);
            let conflicts = device.replica.conflicts().await.unwrap();
            assert_eq!(conflicts.len(), 1, "{conflicts:?}");
            assert_eq!(conflicts[0].winner.value, stands);
            let mut both = [stands.clone(), conflicts[0].loser.value.clone()];
            both.sort_by_key(Value::to_string);
            assert_eq!(both, [json!("base and two hours"), json!("one word")]);
            let seen = conflicts.into_iter().map(|one| one.conflict_id);
            device.replica.end_conflicts(seen.collect()).await.unwrap();
            meet(&server, &[device]).await;
            assert_eq!(device.replica.conflicts().await.unwrap(), [], "told once");
        }
    }
}

#[tokio::test]
async fn sync_x4_a_text_that_is_taken_on_one_device_closes_the_conflict_on_every_device() {
    for database in Database::ALL {
        let (server, laptop, phone) = with_note(database, "base").await;
        laptop.write(note(Op::Update, "base and two hours")).await;
        phone.write(note(Op::Update, "one word")).await;
        meet(&server, &[&laptop, &phone, &laptop]).await;
        let lost = phone.replica.conflicts().await.unwrap().remove(0).loser;
        phone
            .write(note(Op::Update, lost.value.as_str().unwrap()))
            .await;
        assert_eq!(phone.replica.conflicts().await.unwrap(), [], "here at once");
        meet(&server, &[&phone, &laptop]).await;
        assert_eq!(laptop.replica.conflicts().await.unwrap(), []);
        assert_eq!(field(&laptop, NOTE, "body").await, lost.value);
    }
}

#[tokio::test]
async fn sync_x4_an_edit_that_is_settled_is_told_no_more() {
    for database in Database::ALL {
        let (server, desk, phone) =
            two_devices(database, "delete_task", json!({ "taskId": "t1" })).await;
        let proposal = desk.replica.inbox().await.unwrap().remove(0);
        phone.set("t1", "Mine").await;
        desk.replica.decide(&proposal.id, &APPROVE).await.unwrap();
        meet(&server, &[&phone, &desk, &phone]).await;
        phone
            .write(task(Op::Update, "t1", json!({ "deletedAt": null })))
            .await;
        meet(&server, &[&phone, &desk]).await;
        for device in [&desk, &phone] {
            assert_eq!(device.replica.conflicts().await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn modules_s11_a_text_of_a_mission_that_lost_is_offered_anew() {
    for database in Database::ALL {
        let params = json!({ "taskId": "t1", "notes": "AI text" });
        let (server, desk, phone) = two_devices(database, "update_task", params).await;
        let proposal = desk.replica.inbox().await.unwrap().remove(0);
        phone
            .write(task(
                Op::Update,
                "t1",
                json!({ "notes": "Two hours of my own work" }),
            ))
            .await;
        desk.replica.decide(&proposal.id, &APPROVE).await.unwrap();
        meet(&server, &[&phone, &desk, &phone]).await;
        let key = ("todo", "tasks", "t1");
        for device in [&desk, &phone] {
            assert_eq!(
                field(device, key, "notes").await,
                "Two hours of my own work"
            );
        }
        let again = desk.replica.inbox().await.unwrap().remove(0);
        assert!(again.again);
        assert_ne!(again.id, proposal.id);
        assert_eq!(desk.replica.conflicts().await.unwrap(), []);
        assert_eq!(
            phone.replica.inbox().await.unwrap(),
            [],
            "the phone approved nothing"
        );
        // Rejecting leaves the step's approval as it is; approving writes on top of what is there now.
        let decided = desk.replica.decide(&again.id, &APPROVE).await.unwrap();
        assert_eq!(decided.len(), 2);
        meet(&server, &[&desk, &phone]).await;
        assert_eq!(field(&phone, key, "notes").await, "AI text");
        let statuses = desk.replica.proposals().await.unwrap();
        assert!(
            statuses
                .iter()
                .all(|one| one.status == ProposalStatus::Approved)
        );
    }
}

#[tokio::test]
async fn sync_x4_an_edit_in_a_record_that_a_mission_removed_is_told_on_both_devices() {
    for database in Database::ALL {
        let (server, desk, phone) =
            two_devices(database, "delete_task", json!({ "taskId": "t1" })).await;
        let proposal = desk.replica.inbox().await.unwrap().remove(0);
        phone.set("t1", "Mine").await;
        desk.replica.decide(&proposal.id, &APPROVE).await.unwrap();
        meet(&server, &[&phone, &desk, &phone]).await;
        for device in [&desk, &phone] {
            let key = RecordKey::new("todo", "tasks", "t1");
            let record = device.replica.record(&key).await.unwrap().unwrap();
            assert!(record.is_deleted());
            assert_eq!(record.data["title"], "Mine");
            let conflicts = device.replica.conflicts().await.unwrap();
            assert_eq!(conflicts.len(), 1, "{conflicts:?}");
            assert_eq!(conflicts[0].kind, ConflictKind::Removed);
            assert_eq!(conflicts[0].loser.value, "Mine");
        }
    }
}
