//! S1 to S4: what becomes a proposal, and when it closes.

use super::*;

fn mixed() -> Vec<Value> {
    let mut note = step(2, "", json!({}));
    note["intent"] = json!({ "kind": "note", "body": "Nothing to do on Friday." });
    let mut decided = step(4, "create_task", json!({ "title": "Decided" }));
    decided["status"] = json!("rejected");
    let mut staged = step(5, "create_task", json!({ "title": "Staged elsewhere" }));
    staged["status"] = json!("staged");
    vec![
        step(
            0,
            "create_task",
            json!({ "title": "Book the room", "dueDate": "2026-04-09" }),
        ),
        step(
            1,
            "reschedule_task",
            json!({ "taskId": "t1", "dueDate": "2026-04-10" }),
        ),
        note,
        step(3, "find_tasks", json!({ "text": "room" })),
        decided,
        staged,
    ]
}

#[test]
fn modules_s1_a_server_iteration_becomes_proposals() {
    let device = Device::new(plan("server", mixed()));
    let staged = device.stage(&[]);
    let ids: Vec<_> = staged.iter().map(|proposal| proposal.id.clone()).collect();
    assert_eq!(ids, [proposal(0), proposal(1), proposal(5)]);
    let first = &staged[0];
    assert_eq!(
        (first.mission_title.as_str(), first.rationale.as_str()),
        ("Weekly plan", "Reason 0")
    );
    assert_eq!(
        (first.index, first.app.as_str(), first.module.as_str()),
        (0, "todo", "todo")
    );
    assert_eq!(
        (first.status, first.created_at),
        (ProposalStatus::Open, time(FINISHED))
    );
    assert_eq!(first.operations[0].set["title"], "Book the room");
    assert_eq!(device.stage(&[]), staged, "however often");
}

#[test]
fn modules_s1_what_is_staged_is_not_staged_again() {
    let device = Device::new(plan("server", mixed()));
    assert_eq!(
        device.stage(&[proposal(0), proposal(5)]),
        [device.stage(&[])[1].clone()]
    );
    assert_eq!(device.stage(&[proposal(0), proposal(1), proposal(5)]), []);
}

#[test]
fn modules_s1_a_browser_iteration_is_left_alone() {
    assert_eq!(Device::new(plan("browser", mixed())).stage(&[]), []);
    let mut nameless = plan("server", mixed());
    nameless.as_object_mut().unwrap().remove("source");
    assert_eq!(Device::new(nameless).stage(&[]), []);
}

#[test]
fn modules_s1_a_failed_run_and_a_deleted_mission_have_no_proposals() {
    let mut failed = plan("server", mixed());
    failed["error"] = json!({ "code": "timeout", "message": "The model did not answer." });
    assert_eq!(Device::new(failed).stage(&[]), []);
    let mut device = Device::new(plan("server", mixed()));
    device.write(
        APP,
        MISSIONS,
        MISSION,
        "delete",
        json!(null),
        "2026-04-08T09:00:00Z",
        Actor::user(),
    );
    assert_eq!(device.stage(&[]), []);
}

#[test]
fn modules_s1_a_tool_that_runs_by_itself_is_not_asked_about() {
    let mut device = Device::new(plan("server", mixed()));
    device
        .overrides
        .tools
        .insert("create_task".into(), crate::policy::Policy::Auto);
    let ids: Vec<_> = device
        .stage(&[])
        .into_iter()
        .map(|proposal| proposal.id)
        .collect();
    assert_eq!(ids, [proposal(1)]);
}

#[test]
fn modules_s2_a_tool_that_comes_later_makes_its_proposal_outdated() {
    let steps = vec![step(0, "water_plants", json!({}))];
    let mut failed = Device::new(plan("server", steps)).stage(&[]).remove(0);
    let registry = Registry::builtin();
    assert!(!failed.is_outdated(&registry));
    failed.tool = "create_task".to_owned();
    assert!(failed.is_outdated(&registry));
    failed.status = ProposalStatus::Rejected;
    assert!(!failed.is_outdated(&registry));
}

#[test]
fn modules_s2_what_can_not_be_carried_out_is_staged_with_its_reason() {
    let cases = [
        (
            step(0, "water_plants", json!({})),
            "unknownTool",
            "water_plants",
        ),
        (
            step(0, "create_task", json!({ "mood": "soon" })),
            "invalid",
            "create_task has no parameter mood.",
        ),
        (
            step(0, "complete_task", json!({ "taskId": "t9" })),
            "gone",
            "there is no t9",
        ),
        (
            step(0, "complete_task", json!({ "taskId": "t2" })),
            "gone",
            "was deleted",
        ),
        (
            step(0, "delete_task", json!({ "taskId": "t1" })),
            "denied",
            "switched off",
        ),
    ];
    for (step, code, message) in cases {
        let mut device = Device::new(plan("server", vec![step]));
        device.user("t2", "delete", json!(null), "2026-04-02T08:00:00Z");
        device
            .overrides
            .tools
            .insert("delete_task".into(), crate::policy::Policy::Deny);
        let proposal = device.one();
        assert_eq!(proposal.status, ProposalStatus::Failed);
        let error = proposal.error.clone().expect("a reason");
        assert_eq!(error.code, code);
        assert!(error.message.contains(message), "{error:?}");
        let records = device.records.clone();
        let refused = device
            .approve(&proposal, "2026-04-08T07:00:00Z")
            .expect_err("a failed proposal");
        assert_eq!((refused.code.as_str(), &device.records), (code, &records));
        let rejected = device
            .reject(&proposal, None, "2026-04-08T07:00:00Z")
            .expect("a rejection");
        assert_eq!(rejected.proposal.status, ProposalStatus::Rejected);
        assert_eq!(device.step(0)["status"], "rejected");
    }
}

#[test]
fn modules_s3_a_proposal_holds_what_it_touches() {
    let device = Device::new(plan(
        "server",
        vec![
            step(
                0,
                "update_task",
                json!({ "taskId": "t1", "dueDate": "2026-04-10", "list": "Studio" }),
            ),
            step(1, "complete_task", json!({ "taskId": "t1" })),
            step(2, "delete_task", json!({ "taskId": "t2" })),
            step(3, "create_task", json!({ "title": "New" })),
        ],
    ));
    let staged = device.stage(&[]);
    let seen = |n: usize| serde_json::to_value(&staged[n].seen).unwrap();
    let at = "2026-04-01T08:00:00.000000Z";
    assert_eq!(
        seen(0),
        json!({ "todo/tasks/t1": {
        "dueDate": { "value": "2026-04-08", "at": at, "actor": { "kind": "user" } },
        "list": { "value": null, "at": null } } })
    );
    assert_eq!(
        seen(1),
        json!({ "todo/tasks/t1": {
        "done": { "value": false, "at": at, "actor": { "kind": "user" } },
        "completedAt": { "value": null, "at": null } } })
    );
    assert_eq!(
        seen(2),
        json!({ "todo/tasks/t2": { "title": { "value": "Order coffee", "at": at,
            "actor": { "kind": "user" } } } })
    );
    assert_eq!(seen(3), json!({}));
    for proposal in &staged {
        assert_eq!(proposal.ops_hash, ops_hash(&proposal.operations));
    }
    let touched = device.staging(&BTreeMap::new()).touched();
    let touched: Vec<_> = touched.iter().map(seen_key).collect();
    assert_eq!(touched, ["todo/tasks/t1", "todo/tasks/t2"]);
}

#[test]
fn modules_s4_it_closes_when_it_was_decided_elsewhere() {
    let steps = || {
        vec![
            step(0, "create_task", json!({ "title": "One" })),
            step(1, "create_task", json!({ "title": "Two" })),
            step(2, "create_task", json!({ "title": "Three" })),
        ]
    };
    let mut here = Device::new(plan("server", steps()));
    let mut there = here.clone();
    let waiting = [proposal(0), proposal(1), "unrelated".to_owned()];
    let have = waiting.map(|id| (id, ProposalStatus::Open)).into();
    assert_eq!(here.staging(&have).closed(), []);
    let staged = there.stage(&[]);
    let approved = there.approve(&staged[0], "2026-04-08T07:00:00Z").unwrap();
    let rejected = there
        .reject(&staged[2], None, "2026-04-08T07:01:00Z")
        .unwrap();
    here.receive(&approved.changes);
    here.receive(&rejected.changes);
    let closed = ClosedProposal {
        id: proposal(0),
        status: ProposalStatus::Closed,
        step: StepStatus::Approved,
    };
    assert_eq!(here.staging(&have).closed(), std::slice::from_ref(&closed));
    assert_eq!(here.stage(&[proposal(0)]).len(), 1);
    here.write(
        APP,
        MISSIONS,
        MISSION,
        "delete",
        json!(null),
        "2026-04-08T09:00:00Z",
        Actor::user(),
    );
    let expired = ClosedProposal {
        id: proposal(1),
        status: ProposalStatus::Closed,
        step: StepStatus::Expired,
    };
    assert_eq!(here.staging(&have).closed(), [closed, expired]);
}

#[test]
fn modules_s4_a_rejection_that_an_approval_elsewhere_outranks_is_named() {
    let mut here = Device::new(plan(
        "server",
        vec![step(0, "create_task", json!({ "title": "One" }))],
    ));
    let mut there = here.clone();
    let staged = here.one();
    let approved = there.approve(&staged, "2026-04-08T07:00:00Z").unwrap();
    here.reject(&staged, Some("Not now"), "2026-04-08T08:00:00Z")
        .unwrap();
    let have = [(proposal(0), ProposalStatus::Rejected)].into();
    assert_eq!(here.staging(&have).closed(), []);
    here.receive(&approved.changes);
    let overruled = ClosedProposal {
        id: proposal(0),
        status: ProposalStatus::Overruled,
        step: StepStatus::Approved,
    };
    assert_eq!(here.staging(&have).closed(), [overruled]);
    let have = [(proposal(0), ProposalStatus::Overruled)].into();
    assert_eq!(here.staging(&have).closed(), [], "it is said once");
}
