//! The values that an operation replaced in a record, and whose value a field holds.
//!
//! A step carries it ([`ReplacedRecord`]), so that any device can undo the step. Part U of `spec/MODULES.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{actor::Actor, change::Op, manifest::Operation, record::RecordState, time::Micros};

/// The values that a step replaced in a single record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplacedRecord {
    /// The record's module.
    pub app: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The earlier values of its fields; none where the step made the record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, ReplacedValue>,
}

/// The earlier value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplacedValue {
    /// Its value, null where it had none.
    #[serde(default)]
    pub value: Value,
    /// The step that it came from, where it came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether the field had never been written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
    /// Its stamp, where it had one: of several decisions on a step, the one that saw the latest value knows what the
    /// step replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Micros>,
}

/// Returns the values that an operation is about to replace in the record as it is.
pub fn replaced(operation: &Operation, state: Option<&RecordState>) -> ReplacedRecord {
    let written: Vec<&str> = match operation.op {
        Op::Delete => vec!["deletedAt"],
        // A record that is there already is changed, not made.
        Op::Insert if state.is_none() => Vec::new(),
        _ => (operation.set.keys().chain(&operation.now))
            .map(String::as_str)
            .collect(),
    };
    let before = |field: &str| {
        let value = state.and_then(|state| state.data.get(field));
        let owner = owner(state, field);
        ReplacedValue {
            value: value.cloned().unwrap_or(Value::Null),
            step: match owner {
                Owner::Step(step) => Some(step.to_owned()),
                Owner::Nobody | Owner::Other => None,
            },
            absent: matches!(owner, Owner::Nobody),
            at: (state.and_then(|state| state.meta.get(field))).map(|stamp| stamp.at),
        }
    };
    ReplacedRecord {
        app: operation.app.clone(),
        table: operation.table.clone(),
        id: operation.id.clone(),
        fields: (written.into_iter())
            .map(|field| (field.to_owned(), before(field)))
            .collect(),
    }
}

/// Adds what another decision on the same step replaced. Of a field, the value with the greatest stamp stays: the
/// decision that saw it wrote last.
pub(crate) fn combine(known: &mut Vec<ReplacedRecord>, further: &[ReplacedRecord]) {
    for record in further {
        let twin = known.iter_mut().find(|one| {
            (&one.app, &one.table, &one.id) == (&record.app, &record.table, &record.id)
        });
        let Some(twin) = twin else {
            known.push(record.clone());
            continue;
        };
        for (field, value) in &record.fields {
            match twin.fields.get(field) {
                Some(present) if present.at >= value.at => {}
                _ => {
                    twin.fields.insert(field.clone(), value.clone());
                }
            }
        }
    }
}

/// The mark of an undo in the person's actor: which step was taken back, and in `owners` whose the values are
/// that came back: a step's, nobody's (null), or not named, a person's.
pub(crate) const UNDO_MARK: &str = "undo";

/// Whose a field's value is.
pub(crate) enum Owner<'a> {
    /// A step's, written by it or put back by an undo of what came after it.
    Step(&'a str),
    /// Nobody's: never written, or put back to what was there before any step.
    Nobody,
    /// Somebody else's: a person, a rule, a mission of another time.
    Other,
}

pub(crate) fn owner<'s>(state: Option<&'s RecordState>, field: &str) -> Owner<'s> {
    let Some(stamp) = state.and_then(|state| state.meta.get(field)) else {
        return Owner::Nobody;
    };
    match &stamp.actor {
        Actor::Ai { extra, .. } => match extra.get("stepId").and_then(Value::as_str) {
            Some(step) => Owner::Step(step),
            None => Owner::Other,
        },
        Actor::User { extra } => match extra.get(UNDO_MARK) {
            None => Owner::Other,
            Some(mark) => match mark.get("owners").and_then(|owners| owners.get(field)) {
                Some(Value::String(step)) => Owner::Step(step),
                Some(_) => Owner::Nobody,
                None => Owner::Other,
            },
        },
        Actor::System { .. } => Owner::Other,
    }
}
