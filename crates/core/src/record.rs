//! A record as every replica keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Map,
    actor::{Actor, SEEN},
    time::Micros,
};

/// Bytes of JSON that a record may grow to by a device's changes (SYNC S19). A record that is larger already, or that
/// joins whole, stays as it is, and may shrink.
pub const MAX_RECORD_BYTES: usize = 8 << 20;

const DELETED_AT: &str = "deletedAt";

/// Which record: module (app), table and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordKey {
    /// The module's id, the `appId` of its changes.
    pub app: String,
    /// The table in it.
    pub table: String,
    /// The record's id.
    pub id: String,
}

impl RecordKey {
    /// A key from its parts.
    pub fn new(app: impl Into<String>, table: impl Into<String>, id: impl Into<String>) -> Self {
        RecordKey {
            app: app.into(),
            table: table.into(),
            id: id.into(),
        }
    }
}

/// When and by whom a field got its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stamp {
    /// When.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
}

impl Stamp {
    /// When the write was made, as history shows it: the actor's `decidedAt`, else the stamp itself. An approval and
    /// an undo carry a stamp just after the value that they saw, so their stamp says nothing about their time.
    pub fn made_at(&self) -> Micros {
        self.actor.decided_at().unwrap_or(self.at)
    }
}

/// The merged state of a record; its JSON `{data, meta}` is the same on the server and in the browser.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordState {
    /// The values by field. `deletedAt` is a field like any other.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub data: Map,
    /// The stamp of each field.
    pub meta: BTreeMap<String, Stamp>,
}

impl RecordState {
    /// Whether the record is forgotten: of such a record the server keeps the id alone (SYNC F1).
    pub fn is_forgotten(&self) -> bool {
        self.meta.is_empty()
    }

    /// The size of the state, in bytes of its JSON.
    pub fn bytes(&self) -> usize {
        let mut counted = Counter(0);
        // A counter takes everything, and a state is JSON already.
        let _ = serde_json::to_writer(&mut counted, self);
        counted.0
    }

    /// The size of a state that has grown beyond the bound from what it was; none where that is allowed.
    pub fn outgrown(&self, before: Option<&RecordState>, largest: usize) -> Option<usize> {
        let bytes = self.bytes();
        let has_grown = || before.is_none_or(|before| bytes > before.bytes());
        (bytes > largest && has_grown()).then_some(bytes)
    }

    /// True where `deletedAt` holds anything but null.
    pub fn is_deleted(&self) -> bool {
        self.data.get("deletedAt").is_some_and(|at| !at.is_null())
    }

    /// The fields of a record that a mission removed which a person had written without the removal having seen it.
    /// Their values stay readable in the tombstone.
    pub fn unseen_edits(&self) -> Vec<&str> {
        let removal = self.meta.get(DELETED_AT).filter(|_| self.is_deleted());
        let Some(Value::Object(seen)) = removal.and_then(|stamp| stamp.actor.extra().get(SEEN))
        else {
            return Vec::new();
        };
        let saw = |field: &str| Micros::parse(seen.get(field)?.as_str()?).ok();
        let unseen = self.meta.iter().filter(|(field, stamp)| {
            field.as_str() != DELETED_AT
                && matches!(stamp.actor, Actor::User { .. })
                && saw(field) != Some(stamp.at)
        });
        unseen.map(|(field, _)| field.as_str()).collect()
    }
}

/// The reason for which a record is refused that would be too large.
pub fn too_large(bytes: usize) -> String {
    format!(
        "this record would be larger than {MAX_RECORD_BYTES} bytes ({bytes}); shorten its texts or its lists, or put \
         a part of it into another record"
    )
}

/// Counts what is written to it.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Records by their key, as a replica holds them.
pub type Records = BTreeMap<RecordKey, RecordState>;
