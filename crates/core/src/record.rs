//! A record as every replica keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Map, actor::Actor, time::Micros};

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
    /// True where `deletedAt` holds anything but null.
    pub fn is_deleted(&self) -> bool {
        self.data.get("deletedAt").is_some_and(|at| !at.is_null())
    }
}

/// Records by their key, as a replica holds them.
pub type Records = BTreeMap<RecordKey, RecordState>;
