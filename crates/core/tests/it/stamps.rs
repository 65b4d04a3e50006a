//! Stamps from the future (T3, T4).

use mana_core::{
    AdjustedStamp, Change, Micros, RecordState, apply,
    change::{apply_adjustments, clamp_future_stamps},
};
use serde_json::json;

use crate::generate::schema;

fn push() -> Vec<Change> {
    let changes = json!([
        {"eventId": "e1", "table": "t", "id": "r", "op": "insert", "at": "2030-01-02T00:00:00Z",
         "actor": {"kind": "user"}, "data": {"title": "b", "a/b~": 1},
         "fields": {"title": {"updatedAt": "2030-01-02T00:00:00Z"},
                    "a/b~": {"updatedAt": "2030-01-01T00:00:00Z"}}},
        {"eventId": "e2", "table": "t", "id": "r", "op": "update", "at": "2026-01-01T00:00:30Z",
         "actor": {"kind": "user"},
         "fields": {"runs": {"updatedAt": "2026-01-01T00:01:00Z", "value": [
            {"id": "i", "startedAt": 1, "updatedAt": "2030-01-03T00:00:00Z", "plan": [
                {"id": "s", "status": "approved", "decidedAt": "2030-01-02T00:00:00Z",
                 "updatedAt": "not yet"}]}]}}},
        {"eventId": "e3", "table": "t", "id": "r", "op": "delete", "at": "2026-01-01T00:00:00Z",
         "actor": {"kind": "user"}, "deletedAt": "2030-01-04T00:00:00Z"}
    ]);
    serde_json::from_value(changes).expect("changes")
}

const NOW: &str = "2026-01-01T00:00:00Z";

fn adjusted() -> (Vec<Change>, Vec<AdjustedStamp>) {
    let mut changes = push();
    let now = Micros::parse(NOW).unwrap();
    let schema = schema();
    let adjusted = clamp_future_stamps(&mut changes, |_| &schema, now);
    (changes, adjusted)
}

#[test]
fn sync_t3_stamps_over_a_minute_ahead_are_set_back_in_their_order() {
    let (changes, adjusted) = adjusted();
    let said = serde_json::to_value(&adjusted).unwrap();
    assert_eq!(
        said,
        json!([
            {"eventId": "e1", "field": "/at", "at": "2026-01-01T00:01:00.000002Z"},
            {"eventId": "e1", "field": "/fields/a~1b~0/updatedAt", "at": "2026-01-01T00:01:00.000001Z"},
            {"eventId": "e1", "field": "/fields/title/updatedAt", "at": "2026-01-01T00:01:00.000002Z"},
            {"eventId": "e2", "field": "/fields/runs/value/0/updatedAt", "at": "2026-01-01T00:01:00.000003Z"},
            {"eventId": "e2", "field": "/fields/runs/value/0/plan/0/decidedAt", "at": "2026-01-01T00:01:00.000002Z"},
            {"eventId": "e3", "field": "/deletedAt", "at": "2026-01-01T00:01:00.000004Z"}
        ])
    );
    for (pointer, change) in adjusted.iter().map(|a| (&a.field, &a.event_id)) {
        let change = changes
            .iter()
            .find(|c| c.event_id.as_ref() == Some(change))
            .unwrap();
        let wire = serde_json::to_value(change).unwrap();
        let stamp = wire
            .pointer(pointer)
            .expect("the pointer leads into the wire change");
        assert!(
            stamp
                .as_str()
                .unwrap()
                .starts_with("2026-01-01T00:01:00.00000")
        );
    }
}

#[test]
fn sync_t3_stamps_within_a_minute_stay() {
    let (mut changes, _) = adjusted();
    let before = changes.clone();
    let schema = schema();
    let a_moment_later = Micros::parse(NOW).unwrap().plus(1_000);
    assert!(clamp_future_stamps(&mut changes, |_| &schema, a_moment_later).is_empty());
    assert_eq!(changes, before);
}

#[test]
fn sync_t3_what_a_fast_clock_wrote_last_stays_last() {
    let schema = schema();
    let write = |value: &str, at: &str| {
        let change = json!({"eventId": value, "table": "t", "id": "r", "op": "update", "actor": {"kind": "user"},
            "fields": {"title": {"value": value, "updatedAt": at}}});
        Change::parse(change).unwrap()
    };
    // A device two minutes ahead: the first stamp is still within the minute, the second is not.
    let mut changes = [
        write("first", "2026-01-01T00:00:50Z"),
        write("last", "2026-01-01T00:02:00Z"),
    ];
    assert_eq!(
        clamp_future_stamps(&mut changes, |_| &schema, Micros::parse(NOW).unwrap()).len(),
        1
    );
    let mut server = RecordState::default();
    for change in &changes {
        apply(&schema, &mut server, change);
    }
    assert_eq!(server.data["title"], "last");
}

#[test]
fn sync_t4_a_device_that_takes_over_the_adjustment_holds_what_the_server_holds() {
    let (on_server, adjusted) = adjusted();
    let schema = schema();
    let mut server = RecordState::default();
    for change in &on_server {
        apply(&schema, &mut server, change);
    }
    let mut outbox = push();
    let mut device = RecordState::default();
    for change in &outbox {
        apply(&schema, &mut device, change);
    }
    assert_ne!(device, server);
    for change in &mut outbox {
        apply_adjustments(&schema, &mut device, change, &adjusted);
    }
    assert_eq!(device, server);
    assert_eq!(outbox, on_server);
}

#[test]
fn sync_t4_what_was_written_since_keeps_its_stamp() {
    let (_, adjusted) = adjusted();
    let schema = schema();
    let mut outbox = push();
    let mut device = RecordState::default();
    for change in &outbox {
        apply(&schema, &mut device, change);
    }
    let later = json!({"table": "t", "id": "r", "op": "update", "actor": {"kind": "user"},
        "fields": {"title": {"value": "c", "updatedAt": "2030-02-01T00:00:00Z"}}});
    apply(&schema, &mut device, &Change::parse(later).unwrap());
    for change in &mut outbox {
        apply_adjustments(&schema, &mut device, change, &adjusted);
    }
    assert_eq!(device.data["title"], "c");
    assert_eq!(
        device.meta["title"].at,
        Micros::parse("2030-02-01T00:00:00Z").unwrap()
    );
}
