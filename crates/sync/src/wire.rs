//! The bodies of the sync routes.

use std::fmt;

use mana_core::{AdjustedStamp, Change, Micros, conflict::Conflict};
use mana_store::{ChangesPage, Cursor, RawState};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Changes in a push of a device at most. The runner's pushes are its own.
pub const MAX_CHANGES: usize = 1000;

/// The body of a push.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushBody {
    /// The client that pushes; the header `X-Client-Id` overrides it.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The cursor of the last answer; empty or missing: from the beginning.
    #[serde(default)]
    pub since: Option<String>,
    /// The version of the data's shape.
    #[serde(default)]
    pub schema_version: Option<u64>,
    /// The changes, oldest first. Each is read by itself, so that an error can name it. Of a push of more than
    /// [`MAX_CHANGES`], which is refused, no further ones are kept in memory.
    #[serde(default, deserialize_with = "bounded")]
    pub changes: Vec<Value>,
}

/// Reads an array and keeps one element more than a push may have.
fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    struct Changes;

    impl<'de> Visitor<'de> for Changes {
        type Value = Vec<Value>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a sequence")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<Value>, A::Error> {
            let mut changes = Vec::new();
            while changes.len() <= MAX_CHANGES {
                match elements.next_element()? {
                    Some(change) => changes.push(change),
                    None => return Ok(changes),
                }
            }
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            Ok(changes)
        }
    }

    deserializer.deserialize_seq(Changes)
}

/// The query of a pull.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullParams {
    /// The table.
    pub collection: String,
    /// A cursor; empty or missing: from the beginning.
    #[serde(default)]
    pub since: String,
    /// How many rows to scan at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// The answer to a push and to a pull.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushAnswer {
    /// The changes of other clients, oldest first.
    pub server_changes: Vec<Change>,
    /// The conflicts of this push's texts (X3). A replay of the push is answered alike.
    pub conflicts: Vec<Conflict>,
    /// The cursor to read on from. Every row scanned is covered, the caller's own too.
    pub synced_until: Cursor,
    /// There is more after the cursor; ask again at once.
    pub has_more: bool,
    /// The server's clock.
    pub server_time: Micros,
    /// Stamps that were set back, to be taken over by the device.
    pub adjusted: Vec<AdjustedStamp>,
}

impl PushAnswer {
    pub(crate) fn new(page: ChangesPage, now: Micros) -> Self {
        Self {
            server_changes: page
                .changes
                .into_iter()
                .map(|logged| logged.change)
                .collect(),
            conflicts: Vec::new(),
            synced_until: page.cursor,
            has_more: page.has_more,
            server_time: now,
            adjusted: Vec::new(),
        }
    }
}

/// The query of a snapshot.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotParams {
    /// The `after` of the last page; empty or missing: from the first record.
    #[serde(default)]
    pub after: String,
    /// How many records at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A page of a snapshot.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotAnswer {
    /// Merged records by app, table and id, tombstones too.
    pub records: Vec<SnapshotRecord>,
    /// Where to go on; null after the last page.
    pub after: Option<String>,
    /// There are more records; ask again with `after`.
    pub has_more: bool,
    /// The cursor that the first page was taken at: pull from it once the last page is in.
    pub synced_until: Cursor,
    /// The server's clock.
    pub server_time: Micros,
}

/// A merged record.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRecord {
    /// The module of the record.
    pub app_id: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// Values, and the time and author of each.
    #[serde(flatten)]
    pub state: RawState,
}
