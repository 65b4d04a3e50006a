//! U1 to U9: what an undo takes back, what it keeps, and that devices converge.

use super::*;
use crate::undo::{KeptReason, UndoConsent, UndoExtent, UndoOutcome, UndoPreview, UndoRequest};

const SEVEN: &str = "2026-04-08T07:00:00.000000Z";
const EIGHT: &str = "2026-04-08T08:00:00.000000Z";
const NINE: &str = "2026-04-08T09:00:00.000000Z";

fn device(steps: &[(&str, Value)]) -> Device {
    let steps = steps.iter().enumerate();
    let steps = steps.map(|(index, (tool, params))| step(index, tool, params.clone()));
    Device::new(plan("server", steps.collect()))
}

fn step_id(index: usize) -> String {
    ids::step_id(&iteration(), index)
}

fn one_step(index: usize) -> UndoExtent {
    UndoExtent::Step {
        step_id: step_id(index),
    }
}

fn whole_iteration() -> UndoExtent {
    UndoExtent::Iteration {
        iteration_id: iteration(),
    }
}

impl Device {
    /// Approves every step, one a minute.
    fn approve_all(&mut self) {
        let mut have = Vec::new();
        let mut minute = 0;
        while let Some(proposal) = self.stage(&have).into_iter().next() {
            self.approve(&proposal, &format!("2026-04-08T07:{minute:02}:00.000000Z"))
                .expect("an approval");
            have.push(proposal.id);
            minute += 1;
        }
    }

    fn undo<'a>(&'a self, extent: &'a UndoExtent) -> UndoRequest<'a> {
        UndoRequest {
            registry: &self.registry,
            mission_id: MISSION,
            mission: self.mission(),
            extent,
        }
    }

    fn preview(&self, extent: &UndoExtent) -> UndoPreview {
        let undo = self.undo(extent);
        let touched = undo.touched();
        let seen = self.records.clone().into_iter();
        let records = seen.filter(|(key, _)| touched.contains(key)).collect();
        undo.preview(&records).expect("a preview")
    }

    fn take_back(&mut self, extent: &UndoExtent, now: &str) -> Result<UndoOutcome, ProposalError> {
        let hash = self.preview(extent).hash;
        self.take_back_as_shown(extent, now, &hash)
    }

    fn take_back_as_shown(
        &mut self,
        extent: &UndoExtent,
        now: &str,
        hash: &str,
    ) -> Result<UndoOutcome, ProposalError> {
        let by = UndoConsent {
            user: "user",
            device: "here",
            tick: time(now),
            seed: now,
            hash,
        };
        let undone = self.undo(extent).carry_out(&self.records, by)?;
        let mut merged = self.clone();
        self.records.extend(undone.records.clone());
        merged.receive(&undone.changes);
        assert_eq!(
            self.records, merged.records,
            "the records are what the changes make of them"
        );
        Ok(undone)
    }

    fn value(&self, id: &str, field: &str) -> Value {
        self.task(id).expect("a task").data[field].clone()
    }
}

fn reasons(preview: &UndoPreview) -> Vec<(KeptReason, Option<&str>)> {
    let kept = preview.kept.iter();
    kept.map(|kept| (kept.reason, kept.field.as_deref()))
        .collect()
}

#[test]
fn modules_u1_what_a_step_replaced_travels_with_it() {
    let mut here = device(&[
        (
            "reschedule_task",
            json!({ "taskId": "t1", "dueDate": "2026-04-10" }),
        ),
        ("create_task", json!({ "title": "Book the room" })),
        ("delete_task", json!({ "taskId": "t2" })),
    ]);
    let mut there = here.clone();
    for (n, proposal) in here.stage(&[]).iter().enumerate() {
        let decided = here.approve(proposal, SEVEN).expect("an approval");
        there.receive(&decided.changes);
        assert_eq!(there.step(n)["status"], "approved");
    }
    assert_eq!(
        there.step(0)["replaced"],
        json!([{ "app": "todo", "table": "tasks", "id": "t1",
            "fields": { "dueDate": { "value": "2026-04-08", "at": "2026-04-01T08:00:00.000000Z" } } }])
    );
    let made = ids::created_record_id(&step_id(1), 0);
    assert_eq!(
        there.step(1)["replaced"],
        json!([{ "app": "todo", "table": "tasks", "id": made }])
    );
    assert_eq!(
        there.step(2)["replaced"],
        json!([{ "app": "todo", "table": "tasks", "id": "t2",
            "fields": { "deletedAt": { "value": null, "absent": true } } }])
    );
    // So another device can take it back.
    there.take_back(&one_step(0), EIGHT).expect("an undo");
    assert_eq!(there.value("t1", "dueDate"), "2026-04-08");
}

#[test]
fn modules_u3_a_change_goes_back_field_by_field_but_for_what_was_written_since() {
    let mut here = device(&[(
        "update_task",
        json!({ "taskId": "t1", "title": "Draft it all", "dueDate": "2026-04-10", "list": "Work" }),
    )]);
    here.approve_all();
    here.user("t1", "update", json!({ "dueDate": "2026-04-11" }), EIGHT);
    here.user("t1", "update", json!({ "notes": "Mine" }), EIGHT);
    let preview = here.preview(&one_step(0));
    assert_eq!(reasons(&preview), [(KeptReason::Changed, Some("dueDate"))]);
    assert_eq!(preview.kept[0].actor, Some(Actor::user()));
    let [reversal] = preview.operations.as_slice() else {
        panic!("{preview:?}");
    };
    assert_eq!(
        reversal.operation.set,
        object(json!({ "title": "Draft the outline", "list": null }))
    );
    assert_eq!(
        reversal.now,
        object(json!({ "title": "Draft it all", "list": "Work" }))
    );
    here.take_back(&one_step(0), NINE).expect("an undo");
    let task = here.task("t1").expect("the task");
    assert_eq!(task.data["title"], "Draft the outline");
    assert_eq!(task.data["dueDate"], "2026-04-11", "a person's");
    assert_eq!(task.data["notes"], "Mine");
    assert_eq!(task.data["list"], Value::Null);
}

#[test]
fn modules_u4_a_record_that_the_step_made_goes() {
    let mut here = device(&[("create_task", json!({ "title": "Book the room" }))]);
    here.approve_all();
    let id = ids::created_record_id(&step_id(0), 0);
    here.take_back(&one_step(0), EIGHT).expect("an undo");
    assert!(here.task(&id).expect("a tombstone").is_deleted());
}

#[test]
fn modules_u4_a_record_that_was_edited_since_stays_and_it_is_said() {
    let mut here = device(&[("create_task", json!({ "title": "Book the room" }))]);
    here.approve_all();
    let id = ids::created_record_id(&step_id(0), 0);
    here.user(
        &id,
        "update",
        json!({ "notes": "UndoConsent the window" }),
        EIGHT,
    );
    let before = here.records.clone();
    let preview = here.preview(&one_step(0));
    assert_eq!(reasons(&preview), [(KeptReason::Edited, Some("notes"))]);
    assert_eq!(preview.kept[0].at, Some(time(EIGHT)));
    let error = here.take_back(&one_step(0), NINE).expect_err("nothing");
    assert_eq!(error.code, "nothing");
    assert_eq!(here.records, before);
    assert_eq!(here.step(0)["status"], "approved");
}

#[test]
fn modules_u4_what_was_removed_since_is_left_alone() {
    let mut here = device(&[
        ("create_task", json!({ "title": "Book the room" })),
        (
            "reschedule_task",
            json!({ "taskId": "t1", "dueDate": "2026-04-10" }),
        ),
    ]);
    here.approve_all();
    let made = ids::created_record_id(&step_id(0), 0);
    here.user(&made, "delete", json!({}), EIGHT);
    here.user("t1", "delete", json!({}), EIGHT);
    for index in [0, 1] {
        let preview = here.preview(&one_step(index));
        assert_eq!(preview.operations, []);
        assert_eq!(
            reasons(&preview),
            [(KeptReason::Removed, Some("deletedAt"))]
        );
    }
}

#[test]
fn modules_u5_a_removed_record_comes_back() {
    let mut here = device(&[("delete_task", json!({ "taskId": "t2" }))]);
    here.approve_all();
    here.take_back(&one_step(0), EIGHT).expect("an undo");
    let task = here.task("t2").expect("the task");
    assert!(!task.is_deleted());
    assert_eq!(task.data["title"], "Order coffee");
}

#[test]
fn modules_u5_a_removal_that_a_person_repeated_stays() {
    let mut here = device(&[("delete_task", json!({ "taskId": "t2" }))]);
    here.approve_all();
    here.user("t2", "update", json!({ "deletedAt": null }), EIGHT);
    here.user("t2", "delete", json!({}), "2026-04-08T08:30:00Z");
    let preview = here.preview(&one_step(0));
    assert_eq!(preview.operations, []);
    assert_eq!(
        reasons(&preview),
        [(KeptReason::Changed, Some("deletedAt"))]
    );
}

/// Three steps that build upon one another.
fn stacked() -> Device {
    let made = ids::created_record_id(&step_id(0), 0);
    let mut here = device(&[
        (
            "create_task",
            json!({ "title": "Book", "dueDate": "2026-04-09" }),
        ),
        (
            "reschedule_task",
            json!({ "taskId": "t1", "dueDate": "2026-04-10" }),
        ),
        (
            "reschedule_task",
            json!({ "taskId": "t1", "dueDate": "2026-04-12" }),
        ),
    ]);
    here.approve_all();
    // A mission of another run works on what the first step made.
    let actor = Actor::ai(MISSION, "another", "Later").of_step("another step");
    let set = json!({ "list": "Work", "dueDate": "2026-04-20" });
    here.write("todo", "tasks", &made, "update", set, EIGHT, actor);
    here
}

#[test]
fn modules_u6_an_iteration_goes_back_the_way_it_came() {
    let mut here = stacked();
    let preview = here.preview(&whole_iteration());
    let steps: Vec<_> = (preview.operations.iter())
        .map(|reversal| reversal.step_id.clone())
        .collect();
    assert_eq!(steps, [step_id(2), step_id(1)]);
    assert_eq!(reasons(&preview), [(KeptReason::Edited, Some("dueDate"))]);
    let undone = here.take_back(&whole_iteration(), NINE).expect("an undo");
    assert_eq!(here.value("t1", "dueDate"), "2026-04-08");
    let status = [0, 1, 2].map(|index| here.step(index)["status"].clone());
    assert_eq!(status, ["approved", "undone", "undone"]);
    assert_eq!(undone.changes.len(), 3, "one for all steps of the mission");
}

#[test]
fn modules_u6_one_after_the_other_is_the_same_as_all_at_once() {
    let (mut here, mut there) = (stacked(), stacked());
    here.take_back(&one_step(2), NINE).expect("an undo");
    assert_eq!(here.value("t1", "dueDate"), "2026-04-10");
    here.take_back(&one_step(1), NINE).expect("an undo");
    there
        .take_back(&UndoExtent::Mission, NINE)
        .expect("an undo");
    for device in [&here, &there] {
        assert_eq!(device.value("t1", "dueDate"), "2026-04-08");
        assert_eq!(device.step(1)["status"], "undone");
    }
    // The first of two that stand on one another has nothing of its own left until the second is back.
    let alone = stacked();
    let preview = alone.preview(&one_step(1));
    assert_eq!(preview.operations, []);
    assert_eq!(reasons(&preview), [(KeptReason::Changed, Some("dueDate"))]);
}

#[test]
fn modules_u6_a_persons_value_that_came_back_is_still_the_persons() {
    let made = ids::created_record_id(&step_id(0), 0);
    let mut here = device(&[
        ("create_task", json!({ "title": "Book" })),
        (
            "reschedule_task",
            json!({ "taskId": made, "dueDate": "2026-04-12" }),
        ),
    ]);
    let first = here.stage(&[]).remove(0);
    here.approve(&first, SEVEN).expect("an approval");
    here.user(&made, "update", json!({ "dueDate": "2026-04-11" }), EIGHT);
    let second = here.stage(&[first.id]).remove(0);
    here.approve(&second, "2026-04-08T08:30:00Z")
        .expect("an approval");
    let preview = here.preview(&whole_iteration());
    assert_eq!(preview.operations.len(), 1, "the record stays");
    assert_eq!(reasons(&preview), [(KeptReason::Edited, Some("dueDate"))]);
    here.take_back(&whole_iteration(), NINE).expect("an undo");
    assert_eq!(here.value(&made, "dueDate"), "2026-04-11");

    // Without the person's edit both go.
    let mut here = device(&[
        ("create_task", json!({ "title": "Book" })),
        (
            "reschedule_task",
            json!({ "taskId": made, "dueDate": "2026-04-12" }),
        ),
    ]);
    here.approve_all_in_turn();
    here.take_back(&UndoExtent::Mission, NINE).expect("an undo");
    assert!(here.task(&made).expect("a tombstone").is_deleted());
}

impl Device {
    /// Approves each step on what the one before left; staging anew in between.
    fn approve_all_in_turn(&mut self) {
        let first = self.stage(&[]).remove(0);
        self.approve(&first, SEVEN).expect("an approval");
        let second = self.stage(&[first.id]).remove(0);
        self.approve(&second, EIGHT).expect("an approval");
    }
}

#[test]
fn modules_u7_it_is_what_was_shown_or_nothing() {
    let mut here = device(&[(
        "update_task",
        json!({ "taskId": "t1", "title": "Draft it all", "list": "Work" }),
    )]);
    here.approve_all();
    let shown = here.preview(&one_step(0)).hash;
    here.user("t1", "update", json!({ "title": "My title" }), EIGHT);
    let before = here.records.clone();
    let error = here.take_back_as_shown(&one_step(0), NINE, &shown);
    assert_eq!(error.expect_err("it changed").code, "altered");
    assert_eq!(here.records, before);
    here.take_back(&one_step(0), NINE).expect("looked at again");
    assert_eq!(here.value("t1", "title"), "My title");
    let error = here.take_back(&one_step(0), NINE).expect_err("done");
    assert_eq!(error.code, "nothing");
}

#[test]
fn modules_u7_what_was_never_carried_out_cannot_be_undone() {
    let mut here = device(&[("create_task", json!({ "title": "Book the room" }))]);
    let error = here.take_back(&one_step(0), SEVEN).expect_err("open");
    assert_eq!(error.code, "nothing");
    let proposal = here.one();
    here.reject(&proposal, None, SEVEN).expect("a rejection");
    let error = here.take_back(&one_step(0), SEVEN).expect_err("rejected");
    assert_eq!(error.code, "nothing");
}

#[test]
fn modules_u8_it_is_the_persons_write_and_says_what_it_is() {
    let mut here = device(&[(
        "reschedule_task",
        json!({ "taskId": "t1", "dueDate": "2026-04-10" }),
    )]);
    here.approve_all();
    let replaced = here.step(0)["replaced"].clone();
    let undone = here.take_back(&one_step(0), EIGHT).expect("an undo");
    let stamp = &here.task("t1").expect("the task").meta["dueDate"];
    assert_eq!(
        serde_json::to_value(&stamp.actor).unwrap(),
        json!({ "kind": "user", "decidedAt": EIGHT, "undo": {
            "missionId": MISSION, "iterationId": iteration(), "stepId": step_id(0) } })
    );
    assert_eq!(
        stamp.at,
        time("2026-04-01T08:00:00.000002Z"),
        "just after what it takes back"
    );
    assert_eq!(undone.last, time(EIGHT));
    let step = here.step(0);
    assert_eq!(
        (&step["status"], &step["decidedBy"], &step["decidedAt"]),
        (&json!("undone"), &json!("user"), &json!(EIGHT))
    );
    assert_eq!(step["replaced"], replaced, "what it took back stays known");
    let decisions: Vec<_> = (step["decisions"].as_array().expect("a trail").iter())
        .map(|one| (one["status"].clone(), one["clientId"].clone()))
        .collect();
    assert_eq!(
        decisions,
        [
            (json!("approved"), json!("here")),
            (json!("undone"), json!("here"))
        ]
    );
    assert_eq!(
        here.mission().data["iterations"][0]["overallStatus"],
        "rejected"
    );
}

#[test]
fn modules_u9_an_undo_and_an_approval_elsewhere_end_the_same_everywhere() {
    let start = device(&[(
        "reschedule_task",
        json!({ "taskId": "t1", "dueDate": "2026-04-10" }),
    )]);
    let (mut here, mut there) = (start.clone(), start);
    let proposal = here.one();
    let approved = here.approve(&proposal, SEVEN).expect("an approval");
    let undone = here.take_back(&one_step(0), EIGHT).expect("an undo");
    // The other device is offline, and approves after the undo.
    let late = there.approve(&proposal, NINE).expect("an approval");
    here.receive(&late.changes);
    there.receive(&undone.changes);
    there.receive(&approved.changes);
    assert_eq!(here.records, there.records);
    assert_eq!(here.step(0)["status"], "undone");
    assert_eq!(
        here.value("t1", "dueDate"),
        "2026-04-08",
        "nothing new was seen"
    );
    let rest = here.take_back(&one_step(0), "2026-04-08T10:00:00Z");
    assert_eq!(rest.expect_err("nothing is left").code, "nothing");
}

#[test]
fn modules_u8_the_page_that_a_step_began_is_empty_again() {
    let mut here = device(&[("append_to_context", json!({ "text": "Short answers." }))]);
    here.approve_all();
    let key = RecordKey::new("context", "documents", "context");
    assert_eq!(here.records[&key].data["body"], "Short answers.");
    here.take_back(&one_step(0), EIGHT).expect("an undo");
    assert_eq!(here.records[&key].data["body"], Value::Null);
    assert!(!here.records[&key].is_deleted());
}

const NOTE: &str = "n1";

/// A device with a note, and a plan that adds to it.
fn device_with_note(body: &str, steps: &[&str]) -> Device {
    let steps = steps.iter();
    let steps: Vec<_> = steps
        .map(|text| ("append_to_note", json!({ "noteId": NOTE, "text": text })))
        .collect();
    let mut device = device(&steps);
    let data = json!({ "title": "Trip", "body": body });
    let at = "2026-04-01T08:00:00Z";
    device.write("notes", "notes", NOTE, "insert", data, at, Actor::user());
    device
}

impl Device {
    fn note(&self) -> &Value {
        &self.records[&RecordKey::new("notes", "notes", NOTE)].data["body"]
    }
}

#[test]
fn modules_u1_of_an_append_length_and_hash_are_kept() {
    let body = "Pack the tent.\n".repeat(1000);
    let mut here = device_with_note(&body, &["Take the stove."]);
    let proposal = here.one();
    here.approve(&proposal, SEVEN).expect("an approval");
    let step = here.step(0);
    assert_eq!(step.get("replaced"), None);
    let decision = &step["decisions"][0];
    assert_eq!(decision.get("replaced"), None);
    let body_before = &decision["appended"][0]["fields"]["body"];
    assert_eq!(body_before["before"]["length"], 14_999);
    assert_eq!(body_before["before"]["tail"], "\n");
    assert_eq!(body_before["at"], "2026-04-01T08:00:00.000000Z");
    assert!(decision.to_string().len() < 1000);
    here.take_back(&one_step(0), NINE).expect("an undo");
    assert_eq!(*here.note(), body, "back byte for byte");
    assert_eq!(here.step(0)["status"], "undone");
}

#[test]
fn modules_u6_appends_on_one_another_go_back_the_way_they_came() {
    let mut here = device_with_note("Straße", &["First.", "Second."]);
    here.approve_all_in_turn();
    assert_eq!(*here.note(), "Straße\n\nFirst.\n\nSecond.");
    let mut there = here.clone();
    here.take_back(&one_step(1), NINE).expect("an undo");
    assert_eq!(*here.note(), "Straße\n\nFirst.");
    here.take_back(&one_step(0), NINE).expect("an undo");
    there.take_back(&whole_iteration(), NINE).expect("an undo");
    assert_eq!(
        (here.note(), there.note()),
        (&json!("Straße"), &json!("Straße"))
    );
}

#[test]
fn modules_u2_an_append_on_which_a_person_wrote_since_stays() {
    let mut here = device_with_note("Tent", &["Stove."]);
    here.approve_all();
    let body = json!({ "body": "Tent\n\nStove and gas." });
    here.write("notes", "notes", NOTE, "update", body, EIGHT, Actor::user());
    let preview = here.preview(&one_step(0));
    assert_eq!(preview.operations, []);
    assert_eq!(reasons(&preview), [(KeptReason::Changed, Some("body"))]);
    let error = here.take_back(&one_step(0), NINE).expect_err("it stays");
    assert_eq!(error.code, "nothing");
}

#[test]
fn modules_u3_a_text_that_does_not_begin_with_the_one_before_stays() {
    let mut here = device_with_note("Tent", &["Stove."]);
    here.approve_all();
    // Another version of the program wrote it under the step's name.
    let body = json!({ "body": "Boat\n\nStove." });
    here.write("notes", "notes", NOTE, "update", body, EIGHT, author(0));
    let preview = here.preview(&one_step(0));
    assert_eq!(preview.operations, []);
    assert_eq!(reasons(&preview), [(KeptReason::Changed, Some("body"))]);
}

#[test]
fn modules_u1_an_append_that_an_older_device_approved_goes_back_to_its_whole_text() {
    let mut here = device_with_note("Tent", &["Stove."]);
    here.approve_all();
    let mut step = here.step(0).clone();
    let decision = step["decisions"][0].as_object_mut().expect("a decision");
    let appended = decision.remove("appended").expect("what was added to");
    let mut replaced = appended;
    let body = replaced[0]["fields"]["body"]
        .as_object_mut()
        .expect("a value");
    body.remove("before");
    body.insert("value".into(), json!("Tent"));
    decision.insert("replaced".into(), replaced.clone());
    step["replaced"] = replaced;
    let key = RecordKey::new(APP, MISSIONS, MISSION);
    let mission = here.records.get_mut(&key).expect("the mission");
    mission.data["iterations"][0]["plan"][0] = step;
    here.take_back(&one_step(0), NINE).expect("an undo");
    assert_eq!(*here.note(), "Tent");
}
