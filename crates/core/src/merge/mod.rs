//! The merge: pure, commutative, associative and idempotent (`spec/SYNC.md`, rules M1… and L1…).

mod list;
mod overall;

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

pub use list::rank;
pub use overall::overall_status;

use crate::{
    actor::Actor,
    change::Change,
    record::{RecordState, Stamp},
    time::Micros,
};

/// What the merge has to know of a table: its keyed lists by field. A manifest declares them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TableSchema {
    /// The fields that merge element by element.
    pub lists: BTreeMap<String, ListSpec>,
}

impl TableSchema {
    /// A table without keyed lists.
    pub const EMPTY: &'static TableSchema = &TableSchema {
        lists: BTreeMap::new(),
    };
}

/// How the elements of a keyed list merge and are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ListSpec {
    /// The field that the elements are ordered by, before their `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    /// How many elements stay: those last in order. The field of `orderBy` is immutable then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<usize>,
    /// Whether the elements carry a decision, whose `status` merges by rank.
    pub decision: bool,
    /// Whether `overallStatus` is derived from the nested decisions.
    pub overall: bool,
    /// Keyed lists in the elements.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub lists: BTreeMap<String, ListSpec>,
}

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
    let (Actor::User { extra } | Actor::Ai { extra, .. } | Actor::System { extra, .. }) =
        &mut actor;
    extra
        .values_mut()
        .for_each(|value| *value = normalize(value));
    Stamp { at, actor }
}

/// Orders two values by their canonical JSON; equal values, the usual case, cost no text.
fn by_canonical(a: &Value, b: &Value) -> Ordering {
    if a == b {
        Ordering::Equal
    } else {
        canonical(a).cmp(&canonical(b))
    }
}

/// The canonical JSON of a value (RFC 8785), the tie-break of every rule.
pub fn canonical(value: &Value) -> String {
    // Only a map with keys that are no text can fail, and JSON has none.
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// The value with every number in its one form: a double, whole ones up to 2^53 as integers (M7).
pub fn normalize(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(normal_number(number)),
        Value::Array(elements) => elements.iter().map(normalize).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.clone(), normalize(value)))
            .collect(),
        _ => value.clone(),
    }
}

fn normal_number(number: &Number) -> Number {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let Some(double) = number.as_f64() else {
        return number.clone();
    };
    if double.fract() == 0.0 && double.abs() < EXACT {
        Number::from(double as i64)
    } else {
        Number::from_f64(double).unwrap_or_else(|| number.clone())
    }
}
