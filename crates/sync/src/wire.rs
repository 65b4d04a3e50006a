//! The bodies of the sync routes.

use mana_core::{AdjustedStamp, Change, Micros, conflict::Conflict};
use mana_store::{ChangesPage, Cursor, LogSize, RawState};
use serde::{Deserialize, Serialize};

/// Changes in a push of a device at most. The runner's pushes are its own.
pub const MAX_CHANGES: usize = 1000;

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
    /// The log's epoch, as in a push.
    #[serde(default)]
    pub log_epoch: Option<String>,
}

/// The answer to a push and to a pull.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushAnswer<C = Change> {
    /// The changes of other clients, oldest first.
    pub server_changes: Vec<C>,
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
    /// The identity of the log.
    pub log_epoch: String,
    /// The end of the log, as far as this answer knows: every change of the push stands before it.
    pub log_end: Cursor,
    /// Whether the log takes back what devices hold (R8).
    pub give_back: bool,
    /// The changes of this push, by event id, that left everything as it was: they lost to later writes, or their
    /// record was removed and stays so. A replay of the push is answered alike.
    pub unchanged: Vec<String>,
    /// The changes of this push that write keyed lists, where the first client pushed them: the lists come back to it
    /// as the merge has made them.
    #[serde(skip)]
    pub own_lists: Vec<Change>,
    /// How much the push added to the log.
    #[serde(skip)]
    pub grown: LogSize,
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
            give_back: page.log.gives_back(now),
            log_epoch: page.log.epoch,
            log_end: page.cursor,
            unchanged: Vec::new(),
            own_lists: Vec::new(),
            grown: LogSize::default(),
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
    /// The log's epoch, as in a push: earlier pages were of this log.
    #[serde(default)]
    pub log_epoch: Option<String>,
    /// The furthest `logEnd` that the device was told, by earlier pages too.
    #[serde(default)]
    pub log_end: String,
    /// The furthest end that the device was told of a log before it began to read anew. Where a row is missing there,
    /// the log takes back what devices hold (R8); a page is never refused for it.
    #[serde(default)]
    pub lost_end: String,
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
    /// The identity of the log.
    pub log_epoch: String,
    /// The end of the log: the records hold nothing of any row after it.
    pub log_end: Cursor,
    /// Whether the log takes back what devices hold (R8).
    pub give_back: bool,
    /// Whether a device of another epoch is to drop what the log lacks.
    pub discard_newer: bool,
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
