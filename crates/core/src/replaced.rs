//! The values that an operation replaced in a record, and whose value a field holds.
//!
//! A step carries it ([`ReplacedRecord`]), so that any device can undo the step. Part U of `spec/MODULES.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{actor::Actor, manifest::hash_text, record::RecordState, time::Micros};

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
    /// Of a text that was added to, what finds it again in the longer text, in place of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<TextBefore>,
}

/// The beginning of a text, by which an undo cuts off what was added behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextBefore {
    /// Its length in bytes of UTF-8, without the blanks at its end.
    pub length: usize,
    /// SHA-256 of so many bytes, in hex.
    pub hash: String,
    /// The blanks at its end, which the addition took the place of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

impl TextBefore {
    /// The beginning by which a text is found again.
    pub(crate) fn of(before: &str) -> TextBefore {
        let (text, tail) = before.split_at(before.trim_end().len());
        TextBefore {
            length: text.len(),
            hash: hash_text(text),
            tail: tail.to_owned(),
        }
    }

    /// The text before, cut out of a longer one. None where the longer one does not begin with it.
    pub fn cut(&self, longer: &str) -> Option<String> {
        let text = longer.get(..self.length)?;
        (hash_text(text) == self.hash).then(|| format!("{text}{}", self.tail))
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
        Actor::System { .. } | Actor::Other(_) => Owner::Other,
    }
}
