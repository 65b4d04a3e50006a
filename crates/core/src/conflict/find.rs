//! Finding a conflict where a change is applied (X2): never where a state joins, which tells nothing of what its values
//! replaced.

use serde_json::Value;

use super::{
    lineage::{Lineages, PastText},
    model::WrittenValue,
    text_field::is_text,
};
use crate::{
    actor::Actor,
    change::Change,
    merge::{self, TableSchema, canonical},
    record::{RecordKey, RecordState},
    time::Micros,
};

/// A text that lost to a value whose author had not seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundConflict {
    /// The change that was applied.
    pub event_id: String,
    /// The record.
    pub key: RecordKey,
    /// The field.
    pub field: String,
    /// The value that stands.
    pub winner: WrittenValue,
    /// The text that lost.
    pub loser: WrittenValue,
    /// Whether this replica wrote the text that lost.
    pub own: bool,
    /// The text that both came from, where it is known.
    pub ancestor: Option<String>,
}

/// Merges a change into a record, notes what its texts replaced, and returns whether the record changed and the
/// conflicts between its texts and what is there.
///
/// `own`: the change was written at this replica.
pub fn apply_watching(
    schema: &TableSchema,
    key: &RecordKey,
    state: &mut RecordState,
    lineages: &mut Lineages,
    change: &Change,
    own: bool,
) -> (bool, Vec<FoundConflict>) {
    let mut found = Vec::new();
    let user = Actor::user();
    let actor = change.actor.as_ref().unwrap_or(&user);
    for write in change.writes() {
        let (field, at) = (write.field, write.at);
        let base = change.fields.get(field).and_then(|write| write.base);
        let (Some(stamp), Some(present)) = (state.meta.get(field), state.data.get(field)) else {
            if base.is_some() && is_text(schema, field, &write.value) {
                lineages.begin(key, field, at, base, own);
            }
            continue;
        };
        let text = is_text(schema, field, present) || is_text(schema, field, &write.value);
        if !text || schema.lists.contains_key(field) {
            continue;
        }
        let value = merge::normalize(&write.value);
        let written = || WrittenValue {
            value: value.clone(),
            updated_at: at,
            actor: actor.clone(),
        };
        let standing = || WrittenValue {
            value: present.clone(),
            updated_at: stamp.at,
            actor: stamp.actor.clone(),
        };
        let conflict = |winner: WrittenValue, loser: WrittenValue, own, ancestor| {
            let lost = loser
                .value
                .as_str()
                .is_some_and(|text| !text.trim().is_empty());
            (lost && winner.value != loser.value).then(|| FoundConflict {
                event_id: change.event_id.clone().unwrap_or_default(),
                key: key.clone(),
                field: field.to_owned(),
                winner,
                loser,
                own,
                ancestor,
            })
        };
        let lineage = lineages.at(key, field, stamp.at);
        if at == stamp.at {
            // Two writes of one instant saw nothing of each other, whatever they say of what they replaced; the merge
            // decides by their values (M4).
            if value != *present && base.is_none_or(|base| base < at) {
                let ancestor = base.and_then(|base| {
                    common_text(lineage.descends_from(base), lineage.text_at(base))
                });
                if canonical(&value) > canonical(present) {
                    found.extend(conflict(written(), standing(), lineage.own, ancestor));
                    (lineage.base, lineage.own) = (base, own);
                } else {
                    found.extend(conflict(standing(), written(), own, ancestor));
                }
            }
        } else if at > stamp.at {
            if let Some(base) = base.filter(|base| *base < stamp.at) {
                let ancestor = common_text(lineage.descends_from(base), lineage.text_at(base));
                found.extend(conflict(written(), standing(), lineage.own, ancestor));
            }
            lineage.add(PastText {
                at: stamp.at,
                base: lineage.base,
                own: lineage.own,
                actor: stamp.actor.clone(),
                value: Some(present.clone()),
            });
            (lineage.at, lineage.base, lineage.own) = (at, base, own);
        } else if lineage.past(at).is_none() {
            if lineage.is_unseen(at) {
                found.extend(conflict(standing(), written(), own, None));
            }
            lineage.add(PastText {
                at,
                base,
                own,
                actor: actor.clone(),
                value: Some(value.clone()),
            });
        }
    }
    (merge::apply(schema, state, change), found)
}

fn common_text(descends: bool, text: Option<String>) -> Option<String> {
    text.filter(|_| descends)
}

impl WrittenValue {
    /// Whether a person wrote the value for themselves: neither the AI nor an undo.
    pub fn is_persons(&self) -> bool {
        matches!(&self.actor, Actor::User { extra } if !extra.contains_key(crate::replaced::UNDO_MARK))
    }

    /// The value as a text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            Value::Null => Some(""),
            _ => None,
        }
    }

    /// The value of a field as a record holds it.
    pub fn of(state: &RecordState, field: &str) -> Option<WrittenValue> {
        let stamp = state.meta.get(field)?;
        Some(WrittenValue {
            value: state.data.get(field).cloned().unwrap_or(Value::Null),
            updated_at: stamp.at,
            actor: stamp.actor.clone(),
        })
    }

    /// Whether the stamp lies between two others.
    pub fn is_between(&self, after: Micros, before: Micros) -> bool {
        after < self.updated_at && self.updated_at < before
    }
}
