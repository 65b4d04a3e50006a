//! The data that crosses the step's boundary: the wire of `POST /sync` and `GET /sync/snapshot`, and a replica's rows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AdjustedStamp, Change, Clock, Map, Micros, RecordKey, RecordState, Stamp,
    conflict::{KeptConflict, TextLineage},
    staging::Records,
};

/// The body of `POST /sync`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushRequest {
    /// The replica that sends.
    pub client_id: String,
    /// The cursor of the last answer.
    pub since: String,
    /// [`super::SCHEMA_VERSION`].
    pub schema_version: u64,
    /// The log's epoch; empty where none was heard of yet.
    pub log_epoch: String,
    /// The furthest end of the log that was heard of.
    pub log_end: String,
    /// The number of the push, by which the server notices a copy of this replica; an empty push has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_number: Option<u64>,
    /// The changes, oldest first. An empty push asks what others did.
    pub changes: Vec<QueuedChange>,
}

/// A change that waits in the outbox.
///
/// A change that this version can't read, such as one that a broken version wrote, is sent as it stands: the server
/// names what is wrong with it, and it holds up no other (S3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum QueuedChange {
    /// A change in the form of C1.
    Readable(Box<Change>),
    /// Any other JSON.
    Unreadable(Value),
}

impl QueuedChange {
    /// The change's id, where it has one.
    pub fn event_id(&self) -> Option<&str> {
        match self {
            QueuedChange::Readable(change) => change.event_id.as_deref(),
            QueuedChange::Unreadable(value) => value.get("eventId").and_then(Value::as_str),
        }
    }

    /// The record's id, where it can be read.
    pub fn record_id(&self) -> &str {
        match self {
            QueuedChange::Readable(change) => &change.id,
            QueuedChange::Unreadable(value) => {
                value.get("id").and_then(Value::as_str).unwrap_or_default()
            }
        }
    }

    /// The table's name, where it can be read.
    pub fn table(&self) -> &str {
        match self {
            QueuedChange::Readable(change) => &change.table,
            QueuedChange::Unreadable(value) => value
                .get("table")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        }
    }

    /// The change, unless this version can't read it.
    pub fn readable(&self) -> Option<&Change> {
        match self {
            QueuedChange::Readable(change) => Some(change),
            QueuedChange::Unreadable(_) => None,
        }
    }
}

impl From<Change> for QueuedChange {
    fn from(change: Change) -> QueuedChange {
        QueuedChange::Readable(Box::new(change))
    }
}

/// The answer to a [`PushRequest`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushAnswer {
    /// The changes of others, oldest first. The step reads each by itself, so that an unreadable one blocks nothing.
    pub server_changes: Vec<Value>,
    /// The cursor from which to read on.
    pub synced_until: String,
    /// Whether the log goes on after `synced_until`.
    #[serde(default)]
    pub has_more: bool,
    /// The server's clock.
    pub server_time: Micros,
    /// The stamps that were set back (T3).
    #[serde(default)]
    pub adjusted: Vec<AdjustedStamp>,
    /// The conflicts of the push's texts (X3). The step reads each by itself.
    #[serde(default)]
    pub conflicts: Vec<Value>,
    /// The identity of the log; empty where the server is older.
    #[serde(default)]
    pub log_epoch: String,
    /// The end of the log, as far as the answer knows.
    #[serde(default)]
    pub log_end: String,
    /// Whether the log takes back what devices hold (R8).
    #[serde(default)]
    pub give_back: bool,
}

/// The body of `POST /sync/join`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    /// The replica that gives back.
    pub client_id: String,
    /// The epoch of the log that lacks the records.
    pub log_epoch: String,
    /// The records, merged.
    pub records: Vec<RecordRow>,
}

/// The query of `GET /sync/snapshot`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRequest {
    /// The token of the page; empty for the first.
    pub after: String,
    /// The log's epoch; empty where none was heard of yet.
    pub log_epoch: String,
    /// The furthest end of the log that was heard of.
    pub log_end: String,
    /// The furthest end that was heard of before the replica began to read anew; empty where it did not (R8).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lost_end: String,
}

/// A page of `GET /sync/snapshot`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotPage {
    /// Merged records, tombstones included. No bound of a change holds for them.
    pub records: Vec<SnapshotRecord>,
    /// The token of the next page; none after the last one.
    pub after: Option<String>,
    /// The cursor from which to read the log on, once the last page is in.
    pub synced_until: String,
    /// The server's clock.
    pub server_time: Micros,
    /// The identity of the log; empty where the server is older.
    #[serde(default)]
    pub log_epoch: String,
    /// The end of the log after the page was read.
    #[serde(default)]
    pub log_end: String,
    /// Whether the log takes back what devices hold (R8).
    #[serde(default)]
    pub give_back: bool,
    /// Whether a device of another epoch is to drop what the log lacks.
    #[serde(default)]
    pub discard_newer: bool,
}

/// A record in a [`SnapshotPage`]. Flat, because serde reads a nested shape far more slowly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRecord {
    /// The module of the record.
    pub app_id: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The values by field.
    pub data: Map,
    /// The stamp of each field.
    pub meta: BTreeMap<String, Stamp>,
}

impl SnapshotRecord {
    /// The record's key and state.
    pub fn into_parts(self) -> (RecordKey, RecordState) {
        let (data, meta) = (self.data, self.meta);
        let key = RecordKey {
            app: self.app_id,
            table: self.table,
            id: self.id,
        };
        (key, RecordState { data, meta })
    }
}

/// The server's refusal of a request: the error envelope with its HTTP status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error code of the envelope.
    pub code: String,
    /// The sentence for a person.
    pub message: String,
    /// The details of the envelope.
    #[serde(default)]
    pub details: Value,
    /// `Retry-After` in seconds.
    #[serde(default)]
    pub retry_after_s: Option<u64>,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            code: code.into(),
            message: message.into(),
            details: Value::Null,
            retry_after_s: None,
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum TransportError {
    /// The server can't be reached, or the connection broke: the server may or may not have stored the push.
    #[error("the server can't be reached: {0}")]
    Offline(String),
    /// The server refused.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The driver handed over an event that the step did not wait for: a mistake of the program.
    #[error("the sync can't go on: {0}")]
    Unexpected(String),
}

/// A replica's knowledge of itself and the server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaMeta {
    /// The id by which the server knows the replica.
    pub client_id: String,
    /// The cursor up to which the log is merged here; empty until a snapshot is in.
    #[serde(default)]
    pub cursor: String,
    /// The token of the next page of an unfinished snapshot; empty for its first page.
    #[serde(default)]
    pub snapshot_after: String,
    /// The clock that stamps local writes.
    #[serde(default)]
    pub clock: Clock,
    /// The server's time when it last answered a push.
    #[serde(default)]
    pub last_synced_at: Option<Micros>,
    /// The stamps of texts that the server set back last, each with what it became: changes that wait in the outbox
    /// name them as what they replaced (T4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_back: Vec<(Micros, Micros)>,
    /// The identity of the log that the cursor belongs to; empty until the server has named one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log_epoch: String,
    /// The furthest end of that log that the server named: all that left the outbox stands before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log_end: String,
    /// The snapshot under way is one of a log that may lack what this replica holds (R8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejoin: Option<RejoinPlace>,
    /// The cursor with which the last giving back ended. Cursors from before it may name rows that are gone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rejoined: String,
    /// The number of the last push that was answered (S16).
    #[serde(default)]
    pub push_number: u64,
}

impl ReplicaMeta {
    /// Whether the replica still knows of the log what a request said, so that its answer continues from there.
    ///
    /// An answer to less than is known may come from before a rollback: it is not taken, and asked for again.
    pub(super) fn knows(&self, log_epoch: &str, log_end: &str) -> bool {
        self.log_epoch == log_epoch && self.log_end == log_end
    }

    /// The request of the snapshot's page where the replica stands.
    pub(super) fn page_request(&self) -> SnapshotRequest {
        SnapshotRequest {
            after: self.snapshot_after.clone(),
            log_epoch: self.log_epoch.clone(),
            log_end: self.log_end.clone(),
            lost_end: self
                .rejoin
                .as_ref()
                .map(|place| place.end.clone())
                .unwrap_or_default(),
        }
    }

    /// Remembers how far the log went, as the server named it.
    pub(super) fn saw_end(&mut self, end: &str) {
        if is_later(end, &self.log_end) {
            end.clone_into(&mut self.log_end);
        }
    }

    /// Begins a snapshot of a log of which it is not known what it lacks. The outbox stays, and so does the furthest
    /// end that was heard of: a copy that is put back underneath meanwhile lacks it, too.
    pub(super) fn begin_rejoin(&mut self) {
        let lost = self.rejoin.take().unwrap_or_default().end;
        self.saw_end(&lost);
        self.cursor.clear();
        self.snapshot_after.clear();
        self.log_epoch.clear();
        let end = std::mem::take(&mut self.log_end);
        self.rejoin = Some(RejoinPlace { after: None, end });
    }
}

/// Whether a place of a log lies after another one.
pub(super) fn is_later(place: &str, other: &str) -> bool {
    let at = |text: &str| Micros::parse(text).ok();
    at(place) > at(other)
}

/// How far a replica has come in giving back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RejoinPlace {
    /// The last record that was dealt with; none at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RecordKey>,
    /// The furthest end of a log that was heard of before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub end: String,
}

/// A part of a replica's records, by key in the order of the bytes of app, table and id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordRange {
    /// After this record; none: from the first.
    pub after: Option<RecordKey>,
    /// Up to this record, itself included; none: to the last.
    pub until: Option<RecordKey>,
    /// How many at most.
    pub limit: usize,
}

/// A change that the server has yet to get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxRow {
    /// The row's place in the outbox, never used twice.
    pub seq: u64,
    /// The change.
    pub change: QueuedChange,
    /// The cursor when the change was written; empty where that is not known. A change that arrived after it may have
    /// lost here to a stamp that the server sets back (T4).
    #[serde(default)]
    pub since: String,
}

/// A change that the server refused, kept for the person (S3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAside {
    /// The change.
    pub change: QueuedChange,
    /// The server's reason.
    pub reason: String,
    /// When the replica set the change aside, by its own clock.
    pub at: Micros,
    /// The cursor of the [`OutboxRow`].
    #[serde(default)]
    pub since: String,
}

impl SetAside {
    /// The change's id.
    pub fn event_id(&self) -> &str {
        self.change.event_id().unwrap_or_default()
    }
}

/// A record as a replica stores it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordRow {
    /// The module of the record.
    pub app: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The values by field.
    pub data: Map,
    /// The stamp of each field.
    pub meta: BTreeMap<String, Stamp>,
}

impl RecordRow {
    /// A row from its parts.
    pub fn new(key: RecordKey, state: RecordState) -> RecordRow {
        let RecordKey { app, table, id } = key;
        let RecordState { data, meta } = state;
        RecordRow {
            app,
            table,
            id,
            data,
            meta,
        }
    }

    /// The record's key and state.
    pub fn into_parts(self) -> (RecordKey, RecordState) {
        let (data, meta) = (self.data, self.meta);
        let key = RecordKey {
            app: self.app,
            table: self.table,
            id: self.id,
        };
        (key, RecordState { data, meta })
    }
}

/// The writes of one transaction: all or nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// Replaces the replica's [`ReplicaMeta`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<ReplicaMeta>,
    /// The records to replace.
    pub records: Vec<RecordRow>,
    /// The outbox rows to delete, by their `seq`.
    pub dequeue: Vec<u64>,
    /// The changes to set aside.
    pub set_aside: Vec<SetAside>,
    /// The changes that are set aside no longer, by event id. Most of them never were.
    pub unset_aside: Vec<String>,
    /// The server's changes that can't be read here, to be logged.
    pub left_out: Vec<LeftOut>,
    /// The lineages of texts to replace, by record and field.
    pub texts: Vec<TextLineage>,
    /// The conflicts to add where none of this id is kept; [`CONFLICTS_KEPT`](crate::conflict::CONFLICTS_KEPT) stay.
    pub conflicts: Vec<KeptConflict>,
    /// The conflicts to mark as ended, by id.
    pub ended: Vec<String>,
    /// The changes to append to the outbox, with the cursor of `meta`.
    pub queue: Vec<Change>,
    /// The records to delete, with the lineages and the conflicts of their texts: they are forgotten, or the log was
    /// put back to a state without them on purpose.
    pub dropped: Vec<RecordKey>,
    /// The records of which this replica holds more than a log that takes nothing back: the person is told (R9).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<RecordKey>,
}

/// A change of the server that this version can't read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The change's id, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Why it can't be read.
    pub reason: String,
}

/// The rows of those records whose key is in `changed`.
pub(super) fn rows_of(records: Records, changed: &BTreeSet<RecordKey>) -> Vec<RecordRow> {
    let rows = records
        .into_iter()
        .filter(|(key, _)| changed.contains(key))
        .map(|(key, state)| RecordRow::new(key, state));
    rows.collect()
}
