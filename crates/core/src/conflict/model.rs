//! Conflicts, on the wire and on a device.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{actor::Actor, change::Change, ids, merge::canonical, record::RecordKey, time::Micros};

/// Conflicts that a device keeps at most. The oldest go first, those that are over before the others; the server's
/// history has their texts for 90 days (R2).
pub const CONFLICTS_KEPT: usize = 200;

/// A value that somebody wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WrittenValue {
    /// The value.
    pub value: Value,
    /// Its stamp.
    pub updated_at: Micros,
    /// Its author.
    pub actor: Actor,
}

/// A text that lost to another one whose author had not seen it, as the answer to a push names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The change of the push that the conflict is about.
    pub event_id: String,
    /// The record's module.
    pub app: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The field.
    pub field: String,
    /// The value that stands.
    pub winner: WrittenValue,
    /// The value that lost.
    pub loser: WrittenValue,
}

/// The kind of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConflictKind {
    /// A text lost to another value.
    Text,
    /// A value that a mission wrote, or that an undo put back, lost to a person's edit that it had not seen, and that
    /// does not say what it replaced.
    Overruled,
    /// A person's edit lies in a record that a mission removed without having seen it.
    Removed,
}

/// A conflict as a device keeps it for its person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptConflict {
    /// Derived from the record, the field and the two stamps: a conflict that is found twice is one.
    pub conflict_id: String,
    /// The kind.
    pub kind: ConflictKind,
    /// The record.
    #[serde(flatten)]
    pub key: RecordKey,
    /// The field.
    pub field: String,
    /// The value that stands; of a removal the tombstone's `deletedAt`.
    pub winner: WrittenValue,
    /// The value that lost, or that lies in the tombstone.
    pub loser: WrittenValue,
    /// When this device found it, by the server's clock.
    pub noticed_at: Micros,
    /// Whether there is nothing to tell any more: merged, or seen by the person.
    #[serde(default)]
    pub ended: bool,
}

impl KeptConflict {
    /// A conflict that a device has just found.
    pub fn new(
        kind: ConflictKind,
        key: RecordKey,
        field: impl Into<String>,
        winner: WrittenValue,
        loser: WrittenValue,
        noticed_at: Micros,
    ) -> KeptConflict {
        let field = field.into();
        let place = serde_json::json!([
            key.app,
            key.table,
            key.id,
            field,
            winner.updated_at,
            loser.updated_at
        ]);
        KeptConflict {
            conflict_id: ids::derive("conflict", &canonical(&place)),
            kind,
            key,
            field,
            winner,
            loser,
            noticed_at,
            ended: false,
        }
    }

    /// Whether a change of the record, made after the winner, writes the value that lost anew, or brings a removed
    /// record back: the person has decided, at whichever device.
    pub fn is_settled_by(&self, change: &Change) -> bool {
        let (field, value) = match self.kind {
            ConflictKind::Removed => ("deletedAt", &Value::Null),
            _ => (self.field.as_str(), &self.loser.value),
        };
        let mut writes = change.writes().into_iter();
        writes.any(|write| {
            write.field == field && write.at > self.winner.updated_at && *write.value == *value
        })
    }
}
