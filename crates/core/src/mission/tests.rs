//! Reading missions, checking their form, and what the server adds to them.

use serde_json::{Value, json};

use super::*;
use crate::actor::{Actor, SystemSource};
use crate::change::Op;
use crate::manifest::Registry;
use crate::prepare::{Prepare, prepare};
use crate::record::{RecordKey, RecordState};
use crate::zone::time_zone;
use crate::{Map, Micros};

fn at(text: &str) -> Micros {
    Micros::parse(text).expect("a time")
}

fn object(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn problems(data: Value) -> Vec<(String, String)> {
    check_mission(&object(data), |name| time_zone(name).is_ok())
        .into_iter()
        .map(|problem| (problem.field, problem.code))
        .collect()
}

#[test]
fn missions_f1_to_f4_the_form_names_what_is_wrong() {
    let cadence = json!({"kind": "daily", "atHour": 8, "atMinute": 0});
    let good = json!({"title": "Plan", "cadence": cadence, "timezone": "Europe/Berlin"});
    assert_eq!(problems(good), []);
    assert_eq!(
        problems(json!({"title": "Plan"})),
        [],
        "without a cadence it is manual"
    );
    let cases = [
        (json!({"title": "  "}), "title", "required"),
        (json!({"title": 3}), "title", "required"),
        (json!({"title": "x".repeat(201)}), "title", "range"),
        (
            json!({"title": "Plan", "cadence": {"kind": "cron", "expression": "soon"}}),
            "cadence.expression",
            "invalid",
        ),
        (
            json!({"title": "Plan", "timezone": "Europe/Atlantis"}),
            "timezone",
            "unknown",
        ),
        (
            json!({"title": "Plan", "state": "asleep"}),
            "state",
            "invalid",
        ),
        (
            json!({"title": "Plan", "overlap": "maybe"}),
            "overlap",
            "invalid",
        ),
        (
            json!({"title": "Plan", "catchUpMinutes": -1}),
            "catchUpMinutes",
            "range",
        ),
        (
            json!({"title": "Plan", "inputs": [{"module": "todo"}]}),
            "inputs[0]",
            "invalid",
        ),
        (
            json!({"title": "Plan", "inputs": "todo"}),
            "inputs",
            "invalid",
        ),
    ];
    for (data, field, code) in cases {
        let found = problems(data.clone());
        assert_eq!(
            found.first(),
            Some(&(field.to_owned(), code.to_owned())),
            "{data}"
        );
    }
}

#[test]
fn missions_f5_reading_survives_rubbish_and_says_why() {
    let mission = Mission::parse(
        "m",
        &object(json!({
            "title": ["x"], "cadence": 7, "state": 1, "inputs": [1, {"module": "todo", "table": "tasks"}],
            "nextRunAt": "tomorrow", "failures": "many",
            "iterations": [7, {"id": "i", "startedAt": "2026-01-01T00:00:00Z", "surprise": true,
                "plan": [
                    {"id": "s", "status": "dreamt", "intent": {"kind": "sing", "song": "x"}, "decidedAt": null}, 8]}],
        })),
    );
    assert_eq!(mission.inputs.len(), 1);
    assert_eq!(
        mission.state,
        MissionState::Paused,
        "a state that can't be read never runs"
    );
    assert_eq!(mission.iterations.len(), 1);
    assert_eq!(mission.iterations[0].extra["surprise"], true);
    assert_eq!(mission.iterations[0].plan.len(), 1);
    assert!(
        mission.iterations[0].plan[0].status.is_open(),
        "an unknown status is open"
    );
    let fields: Vec<_> = mission
        .problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    for field in [
        "title",
        "cadence",
        "state",
        "inputs[0]",
        "nextRunAt",
        "failures",
        "iterations",
    ] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
}

#[test]
fn missions_s1_slots_name_their_occurrence() {
    let due = at("2026-11-22T08:00:00Z");
    assert_eq!(slot::due(due), "due:1795334400000");
    assert_eq!(slot::time("due:1795334400000"), Some(due));
    assert_eq!(slot::time("run:0190"), None);
    for good in ["due:1", "backfill:1", "run:0190-ab"] {
        assert!(slot::is_valid(good), "{good}");
    }
    for bad in [
        "due:",
        "due:x",
        "run:",
        "run:a b",
        "later:1",
        "",
        &format!("run:{}", "a".repeat(65)),
    ] {
        assert!(!slot::is_valid(bad), "{bad}");
    }
}

/// A mission's record, written to as a device and the server do.
struct Record {
    registry: Registry,
    state: RecordState,
    now: Micros,
}

impl Record {
    fn new() -> Record {
        Record {
            registry: Registry::builtin(),
            state: RecordState::default(),
            now: at("2026-11-22T07:00:00Z"),
        }
    }

    /// Writes, and answers what the server adds.
    fn write(&mut self, set: Value) -> Map {
        let key = RecordKey::new(APP, MISSIONS, "m");
        let schema = self.registry.schema(APP, MISSIONS);
        self.now = self.now.plus(60_000_000);
        let before = (!self.state.data.is_empty()).then(|| self.state.clone());
        let write = Prepare {
            key: &key,
            op: if before.is_some() {
                Op::Update
            } else {
                Op::Insert
            },
            set: object(set),
            state: before.as_ref(),
            tick: self.now,
            at: None,
            stamps: Default::default(),
            seen: Default::default(),
            actor: Actor::user(),
            event_id: self.now.to_string(),
        };
        let after = prepare(schema, write).expect("a good write").state;
        let added = follow_up(
            schema,
            "m",
            before.as_ref(),
            &after,
            Some("Europe/Berlin"),
            self.now,
        )
        .expect("a good write");
        let Some(added) = added else {
            self.state = after;
            return Map::new();
        };
        assert_eq!(
            added.change.actor,
            Some(Actor::system(SystemSource::Projection))
        );
        let again = follow_up(
            schema,
            "m",
            Some(&added.state),
            &added.state,
            Some("Europe/Berlin"),
            self.now,
        )
        .expect("fine");
        assert_eq!(again, None, "a follow-up has no follow-up");
        self.state = added.state;
        added
            .change
            .fields
            .into_iter()
            .map(|(field, write)| (field, write.value.unwrap_or_default()))
            .collect()
    }

    fn next(&self) -> Option<Micros> {
        schedule_row("m", &self.state).map(|row| row.next_run_at)
    }
}

fn daily(hour: u32) -> Value {
    json!({"kind": "daily", "atHour": hour, "atMinute": 0})
}

#[test]
fn missions_n1_a_new_mission_gets_its_next_run_in_its_own_or_the_accounts_zone() {
    let mut record = Record::new();
    let added = record.write(json!({"title": "Plan", "state": "active", "cadence": daily(9)}));
    assert_eq!(
        added["nextRunAt"], "2026-11-22T08:00:00.000000Z",
        "9 in the account's Berlin"
    );
    assert_eq!(record.next(), Some(at("2026-11-22T08:00:00Z")));

    let mut record = Record::new();
    record.write(json!({"title": "Plan", "cadence": daily(9), "timezone": "Asia/Tokyo"}));
    assert_eq!(record.next(), Some(at("2026-11-23T00:00:00Z")));
}

#[test]
fn missions_n2_changing_cadence_zone_or_state_moves_the_next_run_and_a_title_does_not() {
    let mut record = Record::new();
    record.write(json!({"title": "Plan", "state": "active", "cadence": daily(9)}));
    assert_eq!(record.write(json!({"title": "Plan the week"})), Map::new());
    record.write(json!({"cadence": daily(10)}));
    assert_eq!(record.next(), Some(at("2026-11-22T09:00:00Z")));
    record.write(json!({"timezone": "UTC"}));
    assert_eq!(record.next(), Some(at("2026-11-22T10:00:00Z")));
    assert_eq!(
        record.write(json!({"state": "paused"}))["nextRunAt"],
        Value::Null
    );
    assert_eq!(record.next(), None);
    assert_eq!(
        record.write(json!({"state": "active"}))["nextRunAt"],
        "2026-11-22T10:00:00.000000Z"
    );
    record.write(json!({"cadence": {"kind": "manual"}}));
    assert_eq!(record.next(), None);
}

#[test]
fn missions_n3_a_next_run_that_the_push_itself_gives_stands() {
    let mut record = Record::new();
    let given = "2026-11-22T07:45:00.000000Z";
    let added = record.write(json!({"title": "Plan", "cadence": daily(9), "nextRunAt": given}));
    assert_eq!(added, Map::new());
    assert_eq!(record.next(), Some(at(given)));
    record.write(json!({"cadence": daily(10), "nextRunAt": "2026-11-22T08:45:00Z"}));
    assert_eq!(record.next(), Some(at("2026-11-22T08:45:00Z")));
    record.write(json!({"cadence": daily(9), "nextRunAt": null}));
    assert_eq!(
        record.next(),
        Some(at("2026-11-22T08:00:00Z")),
        "nothing is no time to stand"
    );
    record.write(json!({"nextRunAt": "rubbish"}));
    assert_eq!(
        record.next(),
        Some(at("2026-11-22T08:00:00Z")),
        "rubbish never silences a mission"
    );
}

#[test]
fn missions_n8_a_given_next_run_beyond_the_next_occurrence_does_not_stand() {
    let mut record = Record::new();
    let far = "2031-12-24T18:00:00Z";
    record.write(json!({"title": "Plan", "cadence": daily(9), "nextRunAt": far}));
    assert_eq!(
        record.next(),
        Some(at("2026-11-22T08:00:00Z")),
        "a wrong clock"
    );
    record.write(json!({"cadence": {"kind": "manual"}, "nextRunAt": far}));
    assert_eq!(
        record.next(),
        Some(at(far)),
        "a manual mission has no occurrence"
    );
}

#[test]
fn missions_n4_only_an_active_mission_that_is_not_deleted_is_in_the_schedule() {
    let mut record = Record::new();
    record.write(json!({"title": "Plan", "cadence": daily(9)}));
    assert!(record.next().is_some());
    record.write(json!({"deletedAt": "2026-11-22T07:30:00Z"}));
    assert_eq!(record.next(), None);
    record.write(json!({"deletedAt": null}));
    assert_eq!(record.next(), Some(at("2026-11-22T08:00:00Z")), "restored");
    for state in ["paused", "done", "archived"] {
        record.write(json!({"state": state}));
        assert_eq!(record.next(), None, "{state}");
    }
}

#[test]
fn missions_n5_resuming_forgets_the_failures() {
    let mut record = Record::new();
    record.write(json!({"title": "Plan", "cadence": daily(9)}));
    record.write(
        json!({"state": "paused", "failures": 5, "pausedReason": "It failed five times.",
        "nextRunAt": null, "retrySlot": null}),
    );
    let added = record.write(json!({"state": "active"}));
    assert_eq!(
        (&added["failures"], &added["pausedReason"]),
        (&json!(0), &Value::Null)
    );
    assert!(added.contains_key("nextRunAt"));
}

#[test]
fn missions_n6_a_retry_keeps_its_slot_until_the_schedule_changes() {
    let mut record = Record::new();
    record.write(json!({"title": "Plan", "cadence": daily(9)}));
    let added = record
        .write(json!({"nextRunAt": "2026-11-22T08:01:00Z", "retrySlot": "due:1795334400000"}));
    assert_eq!(added, Map::new());
    let row = schedule_row("m", &record.state).expect("a row");
    assert_eq!(row.slot, "due:1795334400000");
    record.write(json!({"cadence": daily(10)}));
    let row = schedule_row("m", &record.state).expect("a row");
    assert_eq!(row.slot, slot::due(at("2026-11-22T09:00:00Z")));
}

#[test]
fn missions_n7_jitter_is_the_same_everywhere_spread_and_never_as_long_as_half_the_wait() {
    let begins = |id: &str, minutes: u32, cadence: Value, due: &str| {
        let data = json!({"title": "Plan", "cadence": cadence, "nextRunAt": due, "jitterMinutes": minutes});
        let state = RecordState {
            data: object(data),
            ..RecordState::default()
        };
        let row = schedule_row(id, &state).expect("a row");
        assert_eq!(row.slot, slot::due(at(due)), "the slot is the due time's");
        row.next_run_at.0 - at(due).0
    };
    let due = "2026-11-22T08:00:00Z";
    let minute = 60_000_000;
    assert_eq!(begins("m", 0, daily(8), due), 0);
    let spread: Vec<i64> = (0..200)
        .map(|n| begins(&format!("m{n}"), 10, daily(8), due))
        .collect();
    assert!(spread.iter().all(|wait| (0..10 * minute).contains(wait)));
    let late = spread.iter().filter(|wait| **wait >= 5 * minute).count();
    assert!(
        (60..140).contains(&late),
        "{late} of 200 in the second half"
    );
    assert_eq!(
        begins("m7", 10, daily(8), due),
        spread[7],
        "always the same"
    );
    assert_ne!(
        begins("m7", 10, daily(8), "2026-11-23T08:00:00Z"),
        spread[7]
    );
    let often = json!({"kind": "interval", "everyMinutes": 2});
    for n in 0..200 {
        assert!(begins(&n.to_string(), 60, often.clone(), due) < minute);
    }
}

#[test]
fn missions_n7_a_retry_has_no_jitter() {
    let data = json!({"title": "Plan", "cadence": daily(8), "nextRunAt": "2026-11-22T08:01:00Z", "jitterMinutes": 60,
        "retrySlot": "due:1795334400000"});
    let state = RecordState {
        data: object(data),
        ..RecordState::default()
    };
    let row = schedule_row("m", &state).expect("a row");
    assert_eq!(row.next_run_at, at("2026-11-22T08:01:00Z"));
}

#[test]
fn missions_t14_a_new_mission_that_runs_daily_or_more_often_replaces_its_plan() {
    let of = |cadence: serde_json::Value| {
        Overlap::of_new(&Cadence::parse(Some(&cadence)).expect("a cadence"))
    };
    for cadence in [
        json!({"kind": "daily", "atHour": 8}),
        json!({"kind": "interval", "everyMinutes": 1440}),
        json!({"kind": "interval", "everyMinutes": 5}),
        json!({"kind": "cron", "expression": "0 8 * * 1-5"}),
        json!({"kind": "cron", "expression": "@hourly"}),
    ] {
        assert_eq!(of(cadence.clone()), Overlap::Replace, "{cadence}");
    }
    for cadence in [
        json!({"kind": "manual"}),
        json!({"kind": "weekly", "dayOfWeek": 1, "atHour": 8}),
        json!({"kind": "interval", "everyMinutes": 4000}),
        json!({"kind": "cron", "expression": "0 8 * * 1,4"}),
        json!({"kind": "cron", "expression": "0 8 1 * *"}),
    ] {
        assert_eq!(of(cadence.clone()), Overlap::Skip, "{cadence}");
    }
}
