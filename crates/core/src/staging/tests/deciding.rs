//! S5 to S8: what a decision is checked against, what it writes, and that devices converge.

use super::*;

const SEVEN: &str = "2026-04-08T07:00:00.000000Z";

fn room() -> Device {
    let params = json!({ "title": "Book the room", "dueDate": "2026-04-09" });
    Device::new(plan("server", vec![step(0, "create_task", params)]))
}

fn moved() -> Device {
    let params = json!({ "taskId": "t1", "dueDate": "2026-04-10" });
    Device::new(plan("server", vec![step(0, "reschedule_task", params)]))
}

fn created() -> String {
    ids::created_record_id(&ids::step_id(&iteration(), 0), 0)
}

/// Refused with this code, and nothing has changed.
fn refused(device: &mut Device, proposal: &Proposal, code: &str) -> DecideError {
    let before = device.records.clone();
    let error = device.approve(proposal, SEVEN).expect_err(code);
    assert_eq!(error.code, code, "{error:?}");
    assert_eq!(device.records, before, "{code}");
    error
}

#[test]
fn modules_s6_approving_an_insert_makes_the_record_as_old_as_its_iteration() {
    let mut device = room();
    let proposal = device.one();
    let decided = device.approve(&proposal, SEVEN).expect("an approval");
    assert_eq!(decided.proposal.status, ProposalStatus::Approved);
    assert_eq!(decided.last, time(SEVEN));
    assert_eq!(decided.changes.len(), 2);
    let task = device.task(&created()).expect("the task");
    assert_eq!(
        task.data,
        object(json!({ "title": "Book the room", "dueDate": "2026-04-09", "done": false }))
    );
    for stamp in task.meta.values() {
        assert_eq!(stamp.at, time(FINISHED));
        assert_eq!(stamp.actor, author(0));
    }
    let step = device.step(0);
    assert_eq!(
        (&step["status"], &step["decidedBy"]),
        (&json!("approved"), &json!("user"))
    );
    assert_eq!(
        (&step["decidedAt"], &step["proposalId"]),
        (&json!(SEVEN), &json!(proposal.id))
    );
    assert_eq!(step["laterField"], 0, "what a later version wrote is kept");
    let iteration = &device.mission().data["iterations"][0];
    assert_eq!(
        (&iteration["overallStatus"], &iteration["summary"]),
        (&json!("approved"), &json!("A light week."))
    );
    assert_eq!(device.mission().meta["iterations"].actor, Actor::user());
    let wire = serde_json::to_value(&decided.changes[0]).unwrap();
    let sent = &wire["fields"]["iterations"]["value"][0];
    let fields: Vec<_> = sent
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(fields, ["id", "plan", "startedAt"]);
}

#[test]
fn modules_s6_approving_an_update_comes_just_after_what_was_seen() {
    let mut device = moved();
    device.user(
        "t1",
        "update",
        json!({ "dueDate": "2026-04-07" }),
        "2026-04-08T07:30:00Z",
    );
    let proposal = device.one();
    let decided = device.approve(&proposal, SEVEN).expect("an approval");
    let task = device.task("t1").expect("the task");
    assert_eq!(task.data["dueDate"], "2026-04-10");
    assert_eq!(task.meta["dueDate"].at, time("2026-04-08T07:30:00.000001Z"));
    assert_eq!(task.meta["dueDate"].actor, author(0).decided(time(SEVEN)));
    assert_eq!(task.meta["dueDate"].made_at(), time(SEVEN));
    assert_eq!(task.meta["title"].actor, Actor::user());
    assert_eq!(decided.last, time(SEVEN));
}

#[test]
fn modules_s6_the_time_of_completion_is_the_time_of_the_decision() {
    let mut device = Device::new(plan(
        "server",
        vec![step(0, "complete_task", json!({ "taskId": "t1" }))],
    ));
    let proposal = device.one();
    device.approve(&proposal, SEVEN).expect("an approval");
    let task = device.task("t1").expect("the task");
    assert_eq!(
        (&task.data["done"], &task.data["completedAt"]),
        (&json!(true), &json!(SEVEN))
    );
}

#[test]
fn modules_s6_a_removal_is_a_tombstone() {
    let mut device = Device::new(plan(
        "server",
        vec![step(0, "delete_task", json!({ "taskId": "t2" }))],
    ));
    let proposal = device.one();
    device.approve(&proposal, SEVEN).expect("an approval");
    let task = device.task("t2").expect("the task");
    assert!(task.is_deleted());
    assert_eq!(task.data["title"], "Order coffee");
    let seen = [("title".to_owned(), time("2026-04-01T08:00:00Z"))];
    let seen = seen.iter().map(|(field, at)| (field, *at));
    assert_eq!(task.meta["deletedAt"].actor, author(0).having_seen(seen));
    assert_eq!(task.meta["deletedAt"].at, time(SEVEN));
}

#[test]
fn modules_s6_editing_writes_what_the_person_made_of_it() {
    let mut device = room();
    let proposal = device.one();
    let params = json!({ "title": "Book the small room", "dueDate": "2026-04-09" });
    let decided = device
        .edit(&proposal, params.clone(), SEVEN)
        .expect("an approval");
    let task = device.task(&created()).expect("the task");
    assert_eq!(task.data["title"], "Book the small room");
    assert_eq!(
        task.meta["title"].at,
        time(SEVEN),
        "what the person changed is as new as the decision"
    );
    assert_eq!(task.meta["dueDate"].at, time(FINISHED));
    assert_eq!(device.step(0)["editedParams"], params);
    assert_eq!(
        device.step(0)["intent"]["params"]["title"],
        "Book the room",
        "what was planned stays"
    );
    assert_eq!(
        decided.proposal.ops_hash,
        ops_hash(&decided.proposal.operations)
    );
    assert_eq!(decided.proposal.params, object(params));
}

#[test]
fn modules_s7_rejecting_writes_the_reason_on_the_step_and_nothing_else() {
    let mut device = room();
    let proposal = device.one();
    let decided = device
        .reject(&proposal, Some(" Wrong date "), SEVEN)
        .expect("a rejection");
    assert_eq!(
        (decided.changes.len(), decided.proposal.status),
        (1, ProposalStatus::Rejected)
    );
    assert!(device.task(&created()).is_none());
    let step = device.step(0);
    assert_eq!(
        (&step["status"], &step["feedback"]),
        (&json!("rejected"), &json!("Wrong date"))
    );
    assert_eq!(
        device.mission().data["iterations"][0]["overallStatus"],
        "rejected"
    );
}

#[test]
fn modules_s5_what_is_decided_is_not_decided_again() {
    let mut device = room();
    let proposal = device.one();
    let decided = device.approve(&proposal, SEVEN).expect("an approval");
    refused(&mut device, &decided.proposal, "decided");
    let error = refused(&mut device, &proposal, "decided");
    assert_eq!(error.details, Some(json!({ "status": "approved" })));
    let error = device.reject(&proposal, None, SEVEN).expect_err("decided");
    assert_eq!(error.code, "decided");
}

#[test]
fn modules_s5_what_is_not_what_was_shown_is_refused() {
    let mut device = room();
    let proposal = device.one();
    let altered = |change: &dyn Fn(&mut Proposal)| {
        let mut altered = proposal.clone();
        change(&mut altered);
        altered
    };
    let cases = [
        altered(&|p| {
            p.operations[0]
                .set
                .insert("title".into(), json!("Transfer money"));
        }),
        altered(&|p| {
            p.operations[0]
                .set
                .insert("title".into(), json!("Transfer money"));
            p.ops_hash = ops_hash(&p.operations);
        }),
        altered(&|p| {
            p.params.insert("title".into(), json!("Transfer money"));
            p.operations[0]
                .set
                .insert("title".into(), json!("Transfer money"));
            p.ops_hash = ops_hash(&p.operations);
        }),
        altered(&|p| p.tool = "create_goal".into()),
        altered(&|p| p.id = ids::proposal_id("another step")),
        altered(&|p| {
            p.operations.clear();
            p.ops_hash = ops_hash(&[]);
        }),
        altered(&|p| p.ops_hash.clear()),
    ];
    for case in &cases {
        refused(&mut device, case, "altered");
    }
    // The plan itself changed after it was shown.
    let mut replanned = plan(
        "server",
        vec![step(0, "create_task", json!({ "title": "Other" }))],
    );
    replanned["plan"][0]["updatedAt"] = json!("2026-04-08T06:30:00.000000Z");
    let runner = Actor::system(SystemSource::MissionRunner);
    let data = json!({ "iterations": [replanned] });
    device.write(
        APP,
        MISSIONS,
        MISSION,
        "update",
        data,
        "2026-04-08T06:30:00Z",
        runner,
    );
    refused(&mut device, &proposal, "altered");
}

#[test]
fn modules_s5_a_manifest_that_changed_since_is_noticed() {
    let mut device = room();
    let proposal = device.one();
    let manifests = device
        .registry
        .to_json()
        .replace(r#""done":false}"#, r#""done":true}"#);
    device.registry = Registry::from_json(&manifests).expect("the manifests");
    refused(&mut device, &proposal, "altered");
}

#[test]
fn modules_s5_the_policy_counts_at_the_time_of_the_decision() {
    let mut device = room();
    let proposal = device.one();
    device
        .overrides
        .modules
        .insert("todo".into(), crate::policy::Policy::Deny);
    refused(&mut device, &proposal, "denied");
    device
        .reject(&proposal, None, SEVEN)
        .expect("a rejection is always possible");
}

#[test]
fn modules_s5_a_touched_field_that_changed_is_shown_three_ways() {
    let mut device = moved();
    let proposal = device.one();
    device.user(
        "t1",
        "update",
        json!({ "title": "Draft the talk outline" }),
        "2026-04-08T06:30:00Z",
    );
    let mut untouched = device.clone();
    untouched
        .approve(&proposal, SEVEN)
        .expect("another field doesn't matter");
    device.user(
        "t1",
        "update",
        json!({ "dueDate": "2026-04-09" }),
        "2026-04-08T06:40:00Z",
    );
    let error = refused(&mut device, &proposal, "stale");
    let difference = json!({ "dueDate": { "seen": "2026-04-08", "now": "2026-04-09",
        "proposed": "2026-04-10", "at": "2026-04-08T06:40:00.000000Z", "actor": { "kind": "user" } } });
    assert_eq!(error.details, Some(difference));
    // Staged again, it is bound to what is there now.
    let renewed = device.one();
    assert_eq!(renewed.id, proposal.id);
    device.approve(&renewed, SEVEN).expect("the renewed one");
    assert_eq!(device.task("t1").unwrap().data["dueDate"], "2026-04-10");
}

#[test]
fn modules_s5_a_removal_minds_every_field() {
    let mut device = Device::new(plan(
        "server",
        vec![step(0, "delete_task", json!({ "taskId": "t2" }))],
    ));
    let proposal = device.one();
    device.user(
        "t2",
        "update",
        json!({ "notes": "The good one" }),
        "2026-04-08T06:30:00Z",
    );
    let error = refused(&mut device, &proposal, "stale");
    let difference = json!({ "notes": { "seen": null, "now": "The good one",
        "proposed": null, "at": "2026-04-08T06:30:00.000000Z", "actor": { "kind": "user" } } });
    assert_eq!(error.details, Some(difference));
}

#[test]
fn modules_s5_a_record_that_is_gone_is_not_brought_back() {
    let mut device = moved();
    let proposal = device.one();
    device.user("t1", "delete", json!(null), "2026-04-08T06:30:00Z");
    refused(&mut device, &proposal, "gone");
    device
        .records
        .remove(&RecordKey::new("todo", "tasks", "t1"));
    refused(&mut device, &proposal, "gone");
}

#[test]
fn modules_s5_a_plan_that_is_no_longer_kept_can_only_be_cleared_away() {
    let mut device = room();
    let mut proposal = device.one();
    proposal.iteration_id = "dropped".into();
    refused(&mut device, &proposal, "gone");
    let decided = device.reject(&proposal, None, SEVEN).expect("a rejection");
    assert_eq!(
        (decided.changes.len(), decided.proposal.status),
        (0, ProposalStatus::Rejected)
    );
}

#[test]
fn modules_c10_an_edited_proposal_is_what_an_approval_of_it_carries_out() {
    let mut device = moved();
    let proposal = device.one();
    let (registry, records) = (Registry::builtin(), device.records.clone());
    let params = json!({ "taskId": "t1", "dueDate": "2026-04-10" });
    let read = edited(&registry, &proposal, &object(params.clone()), &records).expect("fits");
    let done = device
        .edit(&proposal, params, SEVEN)
        .expect("approved")
        .proposal;
    assert_eq!(
        (read.operations, read.ops_hash),
        (done.operations, done.ops_hash)
    );
    let other = object(json!({ "taskId": "t2", "dueDate": "2026-04-10" }));
    let refused = edited(&registry, &proposal, &other, &records).expect_err("another record");
    assert_eq!(refused.code, "invalid");
}

#[test]
fn modules_s5_edited_parameters_are_checked() {
    let mut device = moved();
    let proposal = device.one();
    let before = device.records.clone();
    let mut edited = |params: Value| device.edit(&proposal, params, SEVEN).expect_err("invalid");
    let error = edited(json!({ "taskId": "t1", "dueDate": "friday" }));
    assert_eq!(error.code, "invalid");
    let first = &error.details.as_ref().expect("details")["errors"][0];
    assert_eq!(
        (&first["field"], &first["code"]),
        (&json!("dueDate"), &json!("date"))
    );
    let error = edited(json!({ "taskId": "t2", "dueDate": "2026-04-10" }));
    assert!(
        error.code == "invalid" && error.message.contains("Another record"),
        "{error:?}"
    );
    assert_eq!(device.records, before);
}

#[test]
fn modules_s5_too_few_event_ids_write_nothing() {
    let mut device = room();
    let proposal = device.one();
    let decision = Decision::Approve {
        edited_params: None,
        over: None,
    };
    let error = decide(&DecisionInput {
        registry: &device.registry,
        overrides: &device.overrides,
        proposal: &proposal,
        decision: &decision,
        mission: device.mission(),
        records: &device.records,
        tick: time(SEVEN),
        by: "user",
        device: "here",
        event_ids: &["only one".to_owned()],
    });
    assert_eq!(error.expect_err("too few").code, "invalid");
    device
        .approve(&proposal, SEVEN)
        .expect("with enough it works");
}

/// Both devices take in both decisions, in either order and twice.
fn exchange(
    mut a: Device,
    mut b: Device,
    from_a: &DecisionResult,
    from_b: &DecisionResult,
) -> Device {
    let mut late = moved_or_room(&a);
    late.receive(&from_b.changes);
    late.receive(&from_a.changes);
    late.receive(&from_b.changes);
    a.receive(&from_b.changes);
    b.receive(&from_a.changes);
    b.receive(&from_a.changes);
    assert_eq!(a.records, b.records);
    assert_eq!(a.records, late.records);
    a
}

/// A third device that has decided nothing.
fn moved_or_room(device: &Device) -> Device {
    match device.step(0)["intent"]["toolName"].as_str() {
        Some("create_task") => room(),
        _ => moved(),
    }
}

#[test]
fn modules_s8_two_devices_that_approve_make_one_record() {
    let (mut a, mut b) = (room(), room());
    let (proposal_a, proposal_b) = (a.one(), b.one());
    assert_eq!(proposal_a, proposal_b, "both devices stage the same");
    let from_a = a.approve(&proposal_a, SEVEN).unwrap();
    let from_b = b.approve(&proposal_b, "2026-04-08T09:00:00Z").unwrap();
    let merged = exchange(a, b, &from_a, &from_b);
    let tasks = merged
        .records
        .keys()
        .filter(|key| key.table == "tasks")
        .count();
    assert_eq!(tasks, 3, "two of the person's and one of the mission's");
    assert_eq!(merged.step(0)["decidedAt"], "2026-04-08T09:00:00.000000Z");
}

#[test]
fn modules_s8_an_edit_after_approving_survives_a_second_approval() {
    let (mut a, mut b) = (room(), room());
    let (proposal_a, proposal_b) = (a.one(), b.one());
    a.approve(&proposal_a, SEVEN).unwrap();
    a.user(
        &created(),
        "update",
        json!({ "title": "Book it" }),
        "2026-04-08T07:05:00Z",
    );
    let from_b = b.approve(&proposal_b, "2026-04-08T09:00:00Z").unwrap();
    a.receive(&from_b.changes);
    assert_eq!(a.task(&created()).unwrap().data["title"], "Book it");
}

#[test]
fn modules_s8_approved_and_rejected_and_edited_converge() {
    let edited = json!({ "title": "Book the small room" });
    for (mut a, mut b) in [(room(), room()), (moved(), moved())] {
        let (pa, pb) = (a.one(), b.one());
        let from_a = a.approve(&pa, SEVEN).unwrap();
        let from_b = b
            .reject(&pb, Some("Not now"), "2026-04-08T09:00:00Z")
            .unwrap();
        let merged = exchange(a, b, &from_a, &from_b);
        assert_eq!(merged.step(0)["status"], "approved", "it has happened");
        assert!(merged.step(0).get("feedback").is_none());
    }
    for (first, second) in [
        (SEVEN, "2026-04-08T09:00:00Z"),
        ("2026-04-08T09:00:00Z", SEVEN),
    ] {
        let (mut a, mut b) = (room(), room());
        let (pa, pb) = (a.one(), b.one());
        let from_a = a.edit(&pa, edited.clone(), first).unwrap();
        let from_b = b.approve(&pb, second).unwrap();
        let merged = exchange(a, b, &from_a, &from_b);
        assert_eq!(
            merged.task(&created()).unwrap().data["title"],
            "Book the small room"
        );
    }
    let (mut a, mut b) = (moved(), moved());
    let (pa, pb) = (a.one(), b.one());
    let from_a = a.approve(&pa, SEVEN).unwrap();
    let from_b = b.approve(&pb, "2026-04-08T09:00:00Z").unwrap();
    let merged = exchange(a, b, &from_a, &from_b);
    assert_eq!(
        merged.task("t1").unwrap().meta["dueDate"].made_at(),
        time("2026-04-08T09:00:00Z")
    );
    assert_eq!(
        merged.task("t1").unwrap().meta["dueDate"].at,
        time("2026-04-01T08:00:00.000001Z")
    );
}
