//! Completions and openings at two replicas, in whatever order they meet.

use serde_json::{Value, json};

use super::*;
use crate::{change::Change, merge};

/// A replica of a single table, with a clock of its own.
#[derive(Clone)]
struct Replica {
    records: BTreeMap<RecordKey, RecordState>,
    today: &'static str,
    clock: i64,
}

fn task(id: &str) -> RecordKey {
    RecordKey::new("todo", "tasks", id)
}

fn next(id: &str) -> RecordKey {
    task(&ids::successor_id(id))
}

impl Replica {
    fn new(today: &'static str) -> Replica {
        Replica {
            records: BTreeMap::new(),
            today,
            clock: 1_000_000,
        }
    }

    /// A replica that has a task.
    fn with_task(today: &'static str, data: Value) -> Replica {
        let mut replica = Replica::new(today);
        replica.write("t", Op::Insert, data);
        replica
    }

    /// A person's write and what follows from it, as each replica makes them.
    fn write(&mut self, id: &str, op: Op, set: Value) -> Vec<Change> {
        let registry = Registry::builtin();
        let key = task(id);
        self.clock += 1_000_000;
        let before = self.records.get(&key).cloned();
        let write = Prepare {
            key: &key,
            op,
            set: serde_json::from_value(set).expect("an object"),
            state: before.as_ref(),
            tick: Micros(self.clock),
            at: None,
            stamps: BTreeMap::new(),
            seen: BTreeMap::new(),
            actor: Actor::user(),
            event_id: format!("{}-{}", self.today, self.clock),
        };
        let prepared = prepare(registry.schema("todo", "tasks"), write).expect("a write");
        let mut changes = vec![prepared.change];
        let named = successor_key(&registry, &key, before.as_ref(), &prepared.state);
        if let Some(next) = named {
            let succession = Succession {
                registry: &registry,
                key: &key,
                state: &prepared.state,
                successor: self.records.get(&next),
                today: Day::parse(self.today).expect("a day"),
                tick: Micros(self.clock + 1),
                event_id: format!("{}-{}-next", self.today, self.clock),
            };
            if let Some(followed) = succession.carry_out().expect("a write") {
                changes.push(followed.change);
                self.records.insert(next, followed.state);
            }
        }
        self.records.insert(key, prepared.state);
        changes
    }

    fn tick(&mut self, id: &str, done: bool) -> Vec<Change> {
        self.write(id, Op::Update, json!({ "done": done }))
    }

    fn apply(&mut self, changes: &[Change]) {
        let registry = Registry::builtin();
        for change in changes {
            let state = self.records.entry(task(&change.id)).or_default();
            merge::apply(registry.schema("todo", "tasks"), state, change);
        }
    }

    fn value(&self, key: &RecordKey, field: &str) -> Value {
        self.records[key]
            .data
            .get(field)
            .cloned()
            .unwrap_or_default()
    }

    fn is_there(&self, key: &RecordKey) -> bool {
        self.records
            .get(key)
            .is_some_and(|state| !state.is_deleted())
    }
}

/// Lets two replicas hear each other, and returns the records that both then have.
fn meet(a: &mut Replica, b: &mut Replica, of_a: &[Change], of_b: &[Change]) {
    a.apply(of_b);
    b.apply(of_a);
    assert_eq!(a.records, b.records);
}

fn mondays() -> Value {
    json!({
        "title": "Bins", "list": "Home", "dueDate": "2026-12-07", "done": false, "later": {"kept": true},
        "recurrence": {"rule": "FREQ=WEEKLY;BYDAY=MO;COUNT=3", "start": "2026-12-07"},
    })
}

#[test]
fn recurrence_t1_a_completed_record_goes_on_in_one_of_its_own() {
    let mut replica = Replica::with_task("2026-12-07", mondays());
    replica.write(
        "t",
        Op::Update,
        json!({"done": true, "completedAt": "2026-12-07T08:00:00.000000Z"}),
    );
    let next = &replica.records[&next("t")].data;
    let expected = json!({
        "title": "Bins", "list": "Home", "dueDate": "2026-12-14", "later": {"kept": true},
        "recurrence": {"rule": "FREQ=WEEKLY;BYDAY=MO;COUNT=2", "start": "2026-12-14"},
    });
    assert_eq!(Value::Object(next.clone()), expected);
    // To its end.
    let second = ids::successor_id("t");
    replica.tick(&second, true);
    let third = ids::successor_id(&second);
    assert_eq!(replica.value(&task(&third), "dueDate"), "2026-12-21");
    let changes = replica.tick(&third, true);
    assert_eq!(changes.len(), 1);
}

#[test]
fn recurrence_t1_nothing_follows_from_another_write_or_without_a_recurrence() {
    let mut replica = Replica::with_task("2026-12-07", mondays());
    assert_eq!(
        replica
            .write("t", Op::Update, json!({"title": "Paper"}))
            .len(),
        1
    );
    assert_eq!(
        replica
            .write("t", Op::Update, json!({"done": true, "recurrence": null}))
            .len(),
        1
    );
    // A value that another program wrote.
    let mut odd = Replica::with_task(
        "2026-12-07",
        json!({"title": "Odd", "recurrence": {"rule": "sometimes"}}),
    );
    assert_eq!(odd.tick("t", true).len(), 1);
}

#[test]
fn recurrence_t2_a_moved_occurrence_keeps_the_beat() {
    // Moved to the Sunday before, and done there.
    let mut task = mondays();
    task["dueDate"] = json!("2026-12-06");
    let mut replica = Replica::with_task("2026-12-06", task);
    replica.tick("t", true);
    assert_eq!(replica.value(&next("t"), "dueDate"), "2026-12-14");
}

#[test]
fn recurrence_t3_two_devices_that_complete_a_record_offline_meet_in_one_that_goes_on() {
    let mut a = Replica::with_task("2026-12-07", mondays());
    let mut b = a.clone();
    let of_a = a.tick("t", true);
    b.clock += 500;
    let of_b = b.tick("t", true);
    meet(&mut a, &mut b, &of_a, &of_b);
    assert_eq!(a.records.len(), 2);
    assert_eq!(a.value(&next("t"), "dueDate"), "2026-12-14");

    // The other one is later by days, and goes on from the completion: the later day counts.
    let mut from_completion = mondays();
    from_completion["recurrence"] = json!({"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion"});
    let mut a = Replica::with_task("2026-12-07", from_completion);
    let mut b = a.clone();
    b.today = "2026-12-09";
    let (of_a, of_b) = (a.tick("t", true), b.tick("t", true));
    meet(&mut a, &mut b, &of_a, &of_b);
    assert_eq!(a.value(&next("t"), "dueDate"), "2026-12-12");
    assert_eq!(a.value(&next("t"), "recurrence")["start"], "2026-12-12");
}

#[test]
fn recurrence_t4_whatever_a_person_did_with_the_successor_wins() {
    let mut a = Replica::with_task("2026-12-07", mondays());
    let mut b = a.clone();
    let next_id = ids::successor_id("t");
    let mut of_a = a.tick("t", true);
    of_a.extend(a.write(
        &next_id,
        Op::Update,
        json!({"dueDate": "2026-12-15", "done": true}),
    ));
    // Much later.
    b.clock += 60_000_000;
    let of_b = b.tick("t", true);
    meet(&mut a, &mut b, &of_a, &of_b);
    assert_eq!(a.value(&next("t"), "dueDate"), "2026-12-15");
    assert_eq!(a.value(&next("t"), "done"), true);
    // A completed successor stays where the first one is opened again.
    a.tick("t", false);
    assert!(a.is_there(&next("t")));
}

#[test]
fn recurrence_t5_opening_a_record_again_takes_its_successor_back_and_completing_it_brings_it_back()
{
    let mut replica = Replica::with_task("2026-12-07", mondays());
    replica.tick("t", true);
    replica.tick("t", false);
    assert!(!replica.is_there(&next("t")));
    replica.today = "2026-12-15";
    replica.tick("t", true);
    assert!(replica.is_there(&next("t")));
    // The days that passed meanwhile are left out.
    assert_eq!(replica.value(&next("t"), "dueDate"), "2026-12-21");
    replica.tick("t", false);
    assert!(!replica.is_there(&next("t")));
    replica.tick("t", true);
    assert!(replica.is_there(&next("t")));
    // A person removes it: the series is over.
    let id = ids::successor_id("t");
    replica.write(&id, Op::Delete, json!({}));
    replica.tick("t", false);
    replica.tick("t", true);
    assert!(!replica.is_there(&next("t")));
}

#[test]
fn recurrence_t5_an_undo_that_removed_the_successor_is_no_end_of_the_series() {
    let mut replica = Replica::with_task("2026-12-07", mondays());
    replica.tick("t", true);
    let key = next("t");
    let undo = Prepare {
        key: &key,
        op: Op::Delete,
        set: Map::new(),
        state: replica.records.get(&key),
        tick: Micros(replica.clock + 9),
        at: None,
        stamps: BTreeMap::new(),
        seen: BTreeMap::new(),
        actor: Actor::User {
            extra: map_of(UNDO_MARK, json!({})),
        },
        event_id: "undo".to_owned(),
    };
    let registry = Registry::builtin();
    let undone = prepare(registry.schema("todo", "tasks"), undo).expect("a write");
    replica.records.insert(key.clone(), undone.state);
    replica.tick("t", false);
    replica.tick("t", true);
    assert!(replica.is_there(&key));
}
