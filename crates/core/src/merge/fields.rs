//! The merge of a record, field by field (M1…).

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    canonical::{by_canonical, canonical, normalize},
    list,
    schema::TableSchema,
};
use crate::{
    actor::Actor,
    change::Change,
    record::{RecordState, Stamp},
    time::Micros,
};

/// Merges a change into a record; true where that changed the record.
///
/// The record is one that this function made under the same schema, or an empty one.
pub fn apply(schema: &TableSchema, state: &mut RecordState, change: &Change) -> bool {
    let user = Actor::user();
    let actor = change.actor.as_ref().unwrap_or(&user);
    let mut changed = false;
    for write in change.writes() {
        changed |= write_field(schema, state, write.field, &write.value, write.at, actor);
    }
    changed
}

/// Merges another replica's state of the same record into this one; true where that changed it.
pub fn join(schema: &TableSchema, state: &mut RecordState, other: &RecordState) -> bool {
    let mut changed = false;
    for (field, stamp) in &other.meta {
        let value = other.data.get(field).unwrap_or(&Value::Null);
        changed |= write_field(schema, state, field, value, stamp.at, &stamp.actor);
    }
    changed
}

fn write_field(
    schema: &TableSchema,
    state: &mut RecordState,
    field: &str,
    value: &Value,
    at: Micros,
    actor: &Actor,
) -> bool {
    let present = state.data.get(field);
    let current = state.meta.get(field);
    if let Some(spec) = schema.lists.get(field) {
        let new_stamp = current.is_none_or(|c| by_stamp(at, actor, c).is_gt());
        if new_stamp {
            state.meta.insert(field.to_owned(), stamp(at, actor));
        }
        let list = state.data.entry(field).or_insert(Value::Null);
        return list::merge(spec, list, value) | new_stamp;
    }
    if current.is_some_and(|current| at < current.at) {
        return false;
    }
    let value = normalize(value);
    let wins = match (present, current) {
        (Some(present), Some(current)) => (at.cmp(&current.at))
            .then_with(|| by_canonical(&value, present))
            .then_with(|| by_stamp(at, actor, current))
            .is_gt(),
        _ => true,
    };
    if wins {
        state.meta.insert(field.to_owned(), stamp(at, actor));
        state.data.insert(field.to_owned(), value);
    }
    wins
}

fn by_stamp(at: Micros, actor: &Actor, current: &Stamp) -> Ordering {
    at.cmp(&current.at).then_with(|| {
        if *actor == current.actor {
            return Ordering::Equal;
        }
        let json = |actor: &Actor| canonical(&serde_json::to_value(actor).unwrap_or_default());
        json(actor).cmp(&json(&current.actor))
    })
}

fn stamp(at: Micros, actor: &Actor) -> Stamp {
    let mut actor = actor.clone();
    actor
        .extra_mut()
        .values_mut()
        .for_each(|value| *value = normalize(value));
    Stamp { at, actor }
}
