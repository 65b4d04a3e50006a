//! The log of changes and the records merged from it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mana_core::{AdjustedStamp, Change, Micros, RecordKey, RecordState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Cursor, Fence, Result, Scope, json};

/// The changes of one client, appended together or not at all.
#[derive(Debug, Clone)]
pub struct Push {
    /// The client that sends the push. Its own changes are not sent back to it.
    pub client_id: String,
    /// Normalised changes, each with its `appId`.
    pub changes: Vec<Change>,
    /// The server's time.
    pub received_at: Micros,
    /// The claim that the push depends on, if it is a run's result.
    pub fence: Option<Fence>,
}

/// The outcome of a push.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pushed {
    /// `(app, table)` of what was appended. Empty for a replay.
    pub tables: BTreeSet<(String, String)>,
    /// Stamps that were set back, those of changes that had been stored before included.
    pub adjusted: Vec<AdjustedStamp>,
    /// The log's end before the push. A reader that had read up to there misses nothing but the push itself.
    pub before: Cursor,
    /// The server added changes of its own to the push's.
    pub added: bool,
    /// The log's end after the push.
    pub cursor: Cursor,
    /// A due time was set, moved or removed.
    pub schedule_changed: bool,
    /// The changes of the push, by event id, that write texts without naming the value that they replaced: others may
    /// be in conflict with them. Those that had been stored before are among them.
    pub unseen_texts: BTreeSet<String>,
}

/// Which part of a log to read.
#[derive(Debug, Clone, Default)]
pub struct ChangesQuery {
    /// The only app to read; none for all.
    pub app: Option<String>,
    /// The only tables to read; empty for all.
    pub tables: Vec<String>,
    /// Rows after this one.
    pub since: Cursor,
    /// How many rows to scan at most, those left out included.
    pub limit: usize,
    /// Leave out what this client pushed.
    pub not_from: Option<String>,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedChange {
    /// The change, as it was stored.
    pub change: Change,
    /// The client that pushed it.
    pub client_id: String,
    /// Where it stands in the log.
    pub cursor: Cursor,
}

/// A page of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangesPage {
    /// Oldest first.
    pub changes: Vec<LoggedChange>,
    /// The last row scanned; read on from here.
    pub cursor: Cursor,
    /// There are rows after the cursor.
    pub has_more: bool,
}

/// Which part of a record's past to read.
#[derive(Debug, Clone)]
pub struct HistoryQuery {
    /// The record.
    pub key: RecordKey,
    /// Rows before this one; none: from the newest.
    pub before: Option<Cursor>,
    /// How many rows at most.
    pub limit: usize,
}

/// Which merged records to read.
#[derive(Debug, Clone, Default)]
pub struct SnapshotQuery {
    /// The only app to read; none for all.
    pub app: Option<String>,
    /// Records after this key, in the order of [`RecordKey`].
    pub after: Option<RecordKey>,
    /// How many records at most.
    pub limit: usize,
}

/// A record's state as the JSON that it is stored as: a caller that only passes it on need not parse it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawState {
    data: Box<RawValue>,
    meta: Box<RawValue>,
}

impl RawState {
    /// The state.
    pub fn read(&self) -> Result<RecordState> {
        Ok(RecordState {
            data: json::read("a record", self.data.get())?,
            meta: json::read("a record", self.meta.get())?,
        })
    }
}

/// A page of merged records.
#[derive(Debug, Clone)]
pub struct SnapshotPage {
    /// By key, deleted ones too.
    pub records: Vec<(RecordKey, RawState)>,
    /// There are records after the last.
    pub has_more: bool,
    /// The end of a log that these records hold everything of. Rows after it may be in them, too.
    pub cursor: Cursor,
}

/// How much a log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSize {
    /// The content of its rows, in bytes, without what the database adds.
    pub bytes: u64,
    /// Its merged records, deleted ones too.
    pub records: u64,
}

/// The verbs of a log and its records, each one transaction.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends changes to the log and merges them into the projections.
    ///
    /// Stamps over 60 s in the future are set back; changes whose event id is stored already are left out;
    /// a mission whose cadence, time zone or state changed gets its next due time.
    async fn push(&self, scope: &Scope, push: Push) -> Result<Pushed>;

    /// Reads the log, oldest first.
    ///
    /// [`ResyncRequired`](crate::StoreError::ResyncRequired) for a cursor that is neither the beginning nor at or
    /// after the newest row that was ever dropped (R3).
    async fn changes(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage>;

    /// Reads the rows of a record, newest first; the page's cursor is the place of its oldest row. Reads through the
    /// whole log where the record's rows are few, because no index of the log is by record.
    async fn history(&self, scope: &Scope, query: HistoryQuery) -> Result<ChangesPage>;

    /// Returns a record, deleted or not.
    async fn record(&self, scope: &Scope, key: &RecordKey) -> Result<Option<RecordState>>;

    /// Returns those of these records that exist, deleted ones too, in one query.
    async fn records_by_key(
        &self,
        scope: &Scope,
        keys: &[RecordKey],
    ) -> Result<Vec<(RecordKey, RecordState)>>;

    /// Returns all records of a table by id, deleted ones too. Without a bound: for tables that stay small.
    async fn records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>>;

    /// Returns merged records by key (bytes of UTF-8: app, table, id), a page at a time, deleted ones too.
    async fn snapshot(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage>;

    /// Returns how much the log holds. Reads all of it.
    async fn size(&self, scope: &Scope) -> Result<LogSize>;
}
