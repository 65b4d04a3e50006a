//! Making a local write (T2).

use mana_core::{
    Actor, Change, Map, Micros, Op, Prepare, RecordKey, RecordState, TableSchema, apply, prepare,
};
use serde_json::{Value, json};

use crate::generate::schema;

fn map(value: Value) -> Map {
    value.as_object().cloned().expect("an object")
}

fn write<'a>(key: &'a RecordKey, op: Op, set: Value, state: &'a RecordState) -> Prepare<'a> {
    Prepare {
        key,
        op,
        set: map(set),
        state: Some(state),
        tick: Micros(1_000),
        at: None,
        stamps: Default::default(),
        seen: Default::default(),
        actor: Actor::user(),
        event_id: "e1".into(),
    }
}

#[test]
fn sync_t2_a_local_write_is_stamped_later_than_what_it_replaces() {
    let key = RecordKey::new("todo", "tasks", "t1");
    let mut state = RecordState::default();
    let mut others = Change::new("tasks", "t1", Op::Delete);
    others.deleted_at = Some(Micros(5_000));
    apply(TableSchema::EMPTY, &mut state, &others);

    let title = prepare(
        TableSchema::EMPTY,
        write(&key, Op::Update, json!({"title": "Milk"}), &state),
    );
    assert_eq!(title.unwrap().state.meta["title"].at, Micros(1_000));

    let restore = write(&key, Op::Update, json!({"deletedAt": null}), &state);
    let restored = prepare(TableSchema::EMPTY, restore).unwrap();
    assert_eq!(restored.state.meta["deletedAt"].at, Micros(6_000));
    assert!(!restored.state.is_deleted());

    let delete = write(&key, Op::Delete, json!({}), &restored.state);
    let deleted = prepare(TableSchema::EMPTY, delete).unwrap();
    assert_eq!(deleted.change.deleted_at, Some(Micros(7_000)));
    assert!(deleted.state.is_deleted());
}

#[test]
fn sync_t2_a_named_stamp_is_used_as_it_is_and_yields_to_a_later_edit() {
    let key = RecordKey::new("todo", "tasks", "t1");
    let empty = RecordState::default();
    let edited = prepare(
        TableSchema::EMPTY,
        write(&key, Op::Insert, json!({"title": "Mine"}), &empty),
    );
    let edited = edited.unwrap().state;
    let set = json!({"title": "The AI's", "done": false});
    let insert = Prepare {
        at: Some(Micros(10)),
        ..write(&key, Op::Insert, set, &edited)
    };
    let both = prepare(TableSchema::EMPTY, insert).unwrap().state;
    assert_eq!(both.data["title"], "Mine");
    assert_eq!(both.data["done"], false);
    assert_eq!(both.meta["done"].at, Micros(10));
}

#[test]
fn sync_t2_the_change_of_a_local_write_makes_the_same_record_elsewhere() {
    let key = RecordKey::new("ai", "aiMissions", "m1");
    let empty = RecordState::default();
    let set = json!({"title": "Plan", "n": 1.0, "runs": [{"id": "a", "startedAt": 1}]});
    let inserted = prepare(&schema(), write(&key, Op::Insert, set, &empty)).unwrap();
    let wire = serde_json::to_value(&inserted.change).unwrap();
    let mut elsewhere = RecordState::default();
    apply(&schema(), &mut elsewhere, &Change::parse(wire).unwrap());
    assert_eq!(elsewhere, inserted.state);
    assert_eq!(
        inserted.state.data["runs"],
        json!([
            {"id": "a", "startedAt": 1, "plan": [], "overallStatus": "approved"}
        ])
    );
}

#[test]
fn sync_c2_a_local_write_is_checked_like_one_from_the_wire() {
    let key = RecordKey::new("todo", "tasks", "t1");
    let empty = RecordState::default();
    for (set, expected) in [
        (json!({"title": "a\0b"}), "`data.title` holds a NUL"),
        (json!({"runs": 3}), "`runs` is a keyed list"),
    ] {
        let error = prepare(&schema(), write(&key, Op::Insert, set, &empty)).unwrap_err();
        assert!(error.reason.contains(expected), "{}", error.reason);
    }
}
