//! S5, S6, U1 to U3, U8: what a person wrote without the mission having seen it wins, on every device.

use super::*;
use crate::{
    Op, Prepare, prepare,
    undo::{UndoConsent, UndoExtent, UndoRequest},
};

const SEVEN: &str = "2026-04-08T07:00:00.000000Z";
const NINE: &str = "2026-04-08T09:00:00.000000Z";

fn renotes() -> Device {
    let params = json!({ "taskId": "t1", "title": "AI title", "notes": "AI notes" });
    Device::new(plan("server", vec![step(0, "update_task", params)]))
}

impl Device {
    /// A person's own write on this device, as its executor makes it.
    fn edit_field(&mut self, id: &str, field: &str, value: &str, now: &str) -> Change {
        let key = RecordKey::new("todo", "tasks", id);
        let write = Prepare {
            key: &key,
            op: Op::Update,
            set: object(json!({ field: value })),
            state: self.records.get(&key),
            tick: time(now),
            at: None,
            stamps: BTreeMap::new(),
            seen: BTreeMap::new(),
            actor: Actor::user(),
            event_id: format!("{field} {now}"),
        };
        let schema = self.registry.schema("todo", "tasks").clone();
        let prepared = prepare(&schema, write).expect("a good write");
        self.records.insert(key, prepared.state);
        prepared.change
    }

    fn undo_step(&mut self, now: &str) -> Vec<Change> {
        let extent = UndoExtent::Step {
            step_id: ids::step_id(&iteration(), 0),
        };
        let undo = UndoRequest {
            registry: &self.registry,
            mission_id: MISSION,
            mission: self.mission(),
            extent: &extent,
        };
        let hash = undo.preview(&self.records).expect("a preview").hash;
        let by = UndoConsent {
            user: "user",
            device: "here",
            tick: time(now),
            seed: now,
            hash: &hash,
        };
        let undone = undo.carry_out(&self.records, by).expect("an undo");
        self.records.extend(undone.records);
        undone.changes
    }
}

/// The clocks of the device that edits: behind, just before, and long after the decision.
const CLOCKS: [&str; 4] = [
    "2020-01-01T00:00:00Z",
    "2026-04-08T06:59:59Z",
    SEVEN,
    "2026-04-09T00:00:00Z",
];

#[test]
fn modules_s6_an_unseen_edit_beats_an_approved_update_whatever_the_clocks_say() {
    for clock in CLOCKS {
        let (mut desk, mut phone) = (renotes(), renotes());
        let edit = phone.edit_field("t1", "title", "Mine", clock);
        let proposal = desk.one();
        let approved = desk.approve(&proposal, SEVEN).expect("an approval");
        desk.receive(&[edit]);
        phone.receive(&approved.changes);
        assert_eq!(desk.records, phone.records, "{clock}");
        let task = desk.task("t1").expect("the task");
        assert_eq!(task.data["title"], "Mine", "{clock}");
        assert_eq!(
            task.data["notes"], "AI notes",
            "{clock}: nobody wrote there"
        );
    }
}

#[test]
fn modules_s6_an_unseen_edit_of_a_field_that_was_never_written_wins() {
    for clock in CLOCKS {
        let (mut desk, mut phone) = (renotes(), renotes());
        let edit = phone.edit_field("t1", "notes", "Mine", clock);
        let proposal = desk.one();
        let approved = desk.approve(&proposal, SEVEN).expect("an approval");
        desk.receive(&[edit]);
        phone.receive(&approved.changes);
        assert_eq!(desk.records, phone.records, "{clock}");
        assert_eq!(desk.task("t1").expect("the task").data["notes"], "Mine");
    }
    let mut desk = renotes();
    let proposal = desk.one();
    desk.approve(&proposal, SEVEN).expect("an approval");
    assert_eq!(
        desk.task("t1").expect("the task").meta["notes"].at,
        Micros(1)
    );
}

#[test]
fn modules_s6_what_a_person_edited_in_the_proposal_carries_the_time_of_the_decision() {
    let mut desk = renotes();
    let proposal = desk.one();
    let params = json!({ "taskId": "t1", "title": "My own words", "notes": "AI notes" });
    desk.edit(&proposal, params, SEVEN).expect("an approval");
    let task = desk.task("t1").expect("the task");
    assert_eq!(task.meta["title"].at, time(SEVEN));
    assert_eq!(task.meta["notes"].at, Micros(1));
    assert_eq!(task.meta["notes"].made_at(), time(SEVEN));
}

#[test]
fn modules_s6_a_removal_keeps_an_unseen_edit_readable_and_names_it() {
    let mut desk = Device::new(plan(
        "server",
        vec![step(0, "delete_task", json!({ "taskId": "t2" }))],
    ));
    let mut phone = desk.clone();
    let edit = phone.edit_field("t2", "title", "Order beans", "2026-04-08T06:30:00Z");
    let proposal = desk.one();
    let approved = desk.approve(&proposal, SEVEN).expect("an approval");
    assert_eq!(desk.task("t2").expect("the task").unseen_edits(), [""; 0]);
    desk.receive(&[edit]);
    phone.receive(&approved.changes);
    assert_eq!(desk.records, phone.records);
    let task = desk.task("t2").expect("the task");
    assert!(task.is_deleted());
    assert_eq!(task.data["title"], "Order beans");
    assert_eq!(task.unseen_edits(), ["title"]);
}

#[test]
fn modules_s6_the_decision_is_queued_before_the_operations() {
    let mut desk = renotes();
    let proposal = desk.one();
    let decided = desk.approve(&proposal, SEVEN).expect("an approval");
    let tables: Vec<_> = decided
        .changes
        .iter()
        .map(|one| one.table.as_str())
        .collect();
    assert_eq!(tables, ["aiMissions", "tasks"]);
    let undone = desk.undo_step(NINE);
    let tables: Vec<_> = undone.iter().map(|one| one.table.as_str()).collect();
    assert_eq!(tables, ["aiMissions", "tasks"]);
}

#[test]
fn modules_s5_another_authors_write_with_the_same_stamp_is_stale() {
    let mut desk = renotes();
    let proposal = desk.one();
    let key = RecordKey::new("todo", "tasks", "t1");
    let state = desk.records.get_mut(&key).expect("the task");
    state.data.insert("title".into(), json!("Another step's"));
    state.meta.get_mut("title").expect("a stamp").actor = author(1);
    let error = desk.approve(&proposal, SEVEN).expect_err("stale");
    assert_eq!(error.code, "stale");
    let details = error.details.expect("a difference");
    assert_eq!(
        details["title"]["actor"]["stepId"],
        json!(ids::step_id(&iteration(), 1))
    );
    let over = |actor: Actor| Decision::Approve {
        edited_params: None,
        over: Some(
            [(
                "title".to_owned(),
                ShownStamp::Write {
                    at: Some(time("2026-04-01T08:00:00Z")),
                    actor: Some(actor),
                },
            )]
            .into(),
        ),
    };
    let other = desk.decide(&proposal, over(author(2)), SEVEN);
    assert_eq!(other.expect_err("somebody else's").code, "stale");
    desk.decide(&proposal, over(author(1)), SEVEN)
        .expect("a consent to exactly that");
}

#[test]
fn modules_u8_an_unseen_edit_beats_an_undo() {
    for clock in CLOCKS {
        let mut desk = renotes();
        let proposal = desk.one();
        desk.approve(&proposal, SEVEN).expect("an approval");
        let mut phone = desk.clone();
        let edit = phone.edit_field("t1", "title", "Mine", clock);
        let undone = desk.undo_step(NINE);
        desk.receive(&[edit]);
        phone.receive(&undone);
        assert_eq!(desk.records, phone.records, "{clock}");
        let task = desk.task("t1").expect("the task");
        assert_eq!(task.data["title"], "Mine", "{clock}");
        assert_eq!(task.data["notes"], Value::Null, "{clock}: taken back");
    }
}

#[test]
fn modules_u1_undo_takes_what_the_decision_with_the_greatest_seen_stamp_replaced() {
    let (mut desk, mut phone) = (renotes(), renotes());
    phone.name = "phone";
    let proposal = desk.one();
    // The phone sees a newer title, approves on top of it, and before the desk does.
    let edit = phone.edit_field("t1", "title", "Mine", "2026-04-08T06:30:00Z");
    let newer = phone.one();
    let by_phone = phone
        .approve(&newer, "2026-04-08T06:40:00Z")
        .expect("an approval");
    let by_desk = desk.approve(&proposal, SEVEN).expect("an approval");
    desk.receive(&[edit]);
    desk.receive(&by_phone.changes);
    phone.receive(&by_desk.changes);
    assert_eq!(desk.records, phone.records);
    let replaced = &desk.step(0)["replaced"][0]["fields"]["title"]["value"];
    assert_eq!(
        replaced, "Draft the outline",
        "the later decision saw the older value"
    );
    desk.undo_step(NINE);
    assert_eq!(desk.task("t1").expect("the task").data["title"], "Mine");
}
