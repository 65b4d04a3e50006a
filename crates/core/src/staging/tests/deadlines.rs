//! S9 and S10: proposals whose time has passed, and consent on top of what is there now.

use super::*;
use crate::mission::Mission;

fn event(starts: &str) -> Device {
    let params = json!({ "title": "Numbers", "startsAt": starts });
    Device::new(plan("server", vec![step(0, "create_event", params)]))
}

#[test]
fn modules_s9_a_proposal_expires_with_the_time_that_it_is_about() {
    let mut device = event("2026-04-09T15:30:00+02:00");
    let proposal = device.one();
    assert_eq!(proposal.deadline, time("2026-04-09T13:30:00Z"));
    let before = device.records.clone();
    let error = device.approve(&proposal, "2026-04-09T13:30:00Z");
    assert_eq!(error.expect_err("too late").code, "expired");
    let error = device.decide(&proposal, Decision::Expire, "2026-04-09T13:29:59Z");
    assert_eq!(error.expect_err("too early").code, "waits");
    assert_eq!(device.records, before);
    device
        .approve(&proposal, "2026-04-09T13:29:59Z")
        .expect("in time");
}

#[test]
fn modules_s9_everything_else_waits_for_thirty_days() {
    let params = json!({ "title": "Book the room", "dueDate": "2026-04-09" });
    let device = Device::new(plan("server", vec![step(0, "create_task", params)]));
    assert_eq!(device.one().deadline, time("2026-05-08T06:01:48Z"));
    let far = event("2027-01-01T10:00:00Z");
    assert_eq!(far.one().deadline, time("2026-05-08T06:01:48Z"));
}

#[test]
fn modules_s9_every_device_says_the_same_of_what_expired() {
    let mut here = event("2026-04-09T13:30:00Z");
    let mut there = here.clone();
    let proposal = here.one();
    let first = here
        .decide(&proposal, Decision::Expire, "2026-04-09T14:00:00Z")
        .expect("too late");
    assert_eq!(first.proposal.status, ProposalStatus::Expired);
    let second = there
        .decide(&proposal, Decision::Expire, "2026-04-11T09:00:00Z")
        .expect("too late");
    here.receive(&second.changes);
    there.receive(&first.changes);
    assert_eq!(here.records, there.records);
    let step = here.step(0);
    assert_eq!(
        (&step["status"], &step["decidedBy"], &step["decidedAt"]),
        (
            &json!("expired"),
            &json!("deadline"),
            &json!("2026-04-09T13:30:00.000000Z")
        )
    );
    assert_eq!(step["decisions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn modules_s9_what_expired_keeps_no_mission_waiting() {
    let device = event("2026-04-09T13:30:00Z");
    let mission = Mission::parse(MISSION, &device.mission().data);
    let open = |now: &str| open_steps(&device.registry, &mission, time(now)).count();
    assert_eq!(open("2026-04-09T13:29:00Z"), 1);
    assert_eq!(open("2026-04-09T13:30:00Z"), 0);
}

#[test]
fn modules_s10_a_stale_proposal_can_be_approved_on_top_of_what_was_shown() {
    let params = json!({ "taskId": "t1", "dueDate": "2026-04-10", "title": "Draft" });
    let mut device = Device::new(plan("server", vec![step(0, "update_task", params)]));
    let proposal = device.one();
    let at = "2026-04-08T06:30:00.000000Z";
    device.user("t1", "update", json!({ "dueDate": "2026-04-09" }), at);
    let error = device
        .approve(&proposal, "2026-04-08T07:00:00Z")
        .expect_err("stale");
    assert_eq!(
        error.details,
        Some(
            json!({ "dueDate": { "seen": "2026-04-08", "now": "2026-04-09",
            "proposed": "2026-04-10", "at": at, "actor": { "kind": "user" } } })
        )
    );
    let over = |stamp: Option<&str>| Decision::Approve {
        edited_params: None,
        over: Some([("dueDate".to_owned(), ShownStamp::At(stamp.map(time)))].into()),
    };
    let before = device.records.clone();
    for other in [None, Some("2026-04-08T06:29:00Z")] {
        let error = device.decide(&proposal, over(other), "2026-04-08T07:00:00Z");
        assert_eq!(error.expect_err("not what was shown").code, "stale");
        assert_eq!(device.records, before);
    }
    device
        .decide(&proposal, over(Some(at)), "2026-04-08T07:00:00Z")
        .expect("a fresh consent");
    let task = device.task("t1").expect("the task");
    assert_eq!(task.data["dueDate"], "2026-04-10");
    assert_eq!(
        device.step(0)["replaced"][0]["fields"]["dueDate"]["value"],
        "2026-04-09",
        "an undo brings back what the person wrote"
    );
}

#[test]
fn modules_s10_a_text_is_added_to_what_is_there_now() {
    let mut device = Device::new(plan(
        "server",
        vec![step(
            0,
            "append_to_context",
            json!({ "text": "Short answers." }),
        )],
    ));
    let proposal = device.one();
    let at = "2026-04-08T06:30:00.000000Z";
    let body = json!({ "body": "I live in Graz." });
    device.write(
        "context",
        "documents",
        "context",
        "insert",
        body,
        at,
        Actor::user(),
    );
    let error = device
        .approve(&proposal, "2026-04-08T07:00:00Z")
        .expect_err("stale");
    let details = error.details.expect("a difference");
    let both = "I live in Graz.\n\nShort answers.";
    assert_eq!(details["body"]["proposed"], both, "on top of what is there");
    let decision = Decision::Approve {
        edited_params: None,
        over: Some([("body".to_owned(), ShownStamp::At(Some(time(at))))].into()),
    };
    let decided = device
        .decide(&proposal, decision, "2026-04-08T07:00:00Z")
        .expect("a fresh consent");
    let key = RecordKey::new("context", "documents", "context");
    assert_eq!(device.records[&key].data["body"], both);
    assert_eq!(decided.proposal.operations[0].set["body"], both);
}
