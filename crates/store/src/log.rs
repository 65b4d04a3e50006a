//! The log of changes and the records merged from it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mana_core::{AdjustedStamp, Change, Micros, RecordKey, RecordState, record::MAX_RECORD_BYTES};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Cursor, CursorCheck, Fence, LogIdentity, LogSize, Result, Room, Scope, json};

/// The changes of one client, appended together or not at all.
#[derive(Debug, Clone)]
pub struct Push {
    /// The client that sends the push.
    pub client_id: String,
    /// Normalised changes, each with its `appId`.
    pub changes: Vec<Change>,
    /// The server's time.
    pub received_at: Micros,
    /// The claim that the push depends on, if it is a run's result.
    pub fence: Option<Fence>,
    /// The name under which the pushing connection listens: it is not told of its own push. None: everybody is told.
    pub sender: Option<String>,
    /// The number of the push, counted by the client (S16).
    pub number: Option<u64>,
    /// The event ids that were derived from the changes themselves: each stands for its change, whatever the door made
    /// of it.
    pub derived: BTreeSet<String>,
    /// The event ids of the changes whose lists the sync service rewrote by what the log has (S18).
    pub rewritten: BTreeSet<String>,
    /// The changes that the server adds.
    pub follow_ups: Vec<FollowUp>,
    /// The size to which a record may grow, in bytes of its JSON: [`MAX_RECORD_BYTES`] for the changes of a device.
    pub largest_record: usize,
    /// The most that the push may add to the log. Removals of records that are there need no room.
    pub room: Room,
}

impl Push {
    /// Changes that a device writes, of a client that says nothing else.
    pub fn new(client_id: impl Into<String>, changes: Vec<Change>, received_at: Micros) -> Push {
        Push {
            client_id: client_id.into(),
            changes,
            received_at,
            fence: None,
            sender: None,
            number: None,
            derived: BTreeSet::new(),
            rewritten: BTreeSet::new(),
            follow_ups: Vec::new(),
            largest_record: MAX_RECORD_BYTES,
            room: Room::default(),
        }
    }

    /// Puts the server's additions to those of the changes that are new behind the others. Returns their event ids.
    pub(crate) fn add_follow_ups(&mut self, is_stored: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let added = std::mem::take(&mut self.follow_ups).into_iter();
        let added: Vec<Change> = added
            .filter(|follow_up| !is_stored(&follow_up.of))
            .map(|follow_up| follow_up.change)
            .collect();
        let event_ids = added.iter().filter_map(|change| change.event_id.clone());
        let event_ids: BTreeSet<String> = event_ids.collect();
        self.derived.extend(event_ids.iter().cloned());
        self.changes.extend(added);
        event_ids
    }
}

/// A change that the server adds to a push where one of its changes is new.
#[derive(Debug, Clone)]
pub struct FollowUp {
    /// The event id of the change that it follows.
    pub of: String,
    /// The change, complete.
    pub change: Change,
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
    /// The identity of the log.
    pub log: LogIdentity,
    /// The changes of the push, by event id, that left everything as it was: they lost to later writes, or their
    /// record was removed and stays so. Changes that had been stored before are told as they were then.
    pub unchanged: BTreeSet<String>,
    /// How much the push added to the log, as [`Push::room`] counts it.
    pub grown: LogSize,
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
    /// Which cursors are refused.
    pub check: CursorCheck,
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
    /// The identity of the log. Pages of a record's past leave it empty.
    pub log: LogIdentity,
}

/// Which part of the past of records to read.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// The records; empty: all of the log.
    pub keys: Vec<RecordKey>,
    /// The app whose records are left out.
    pub not_app: Option<String>,
    /// Rows after this place.
    pub after: Cursor,
    /// Rows before this one; none: from the newest.
    pub before: Option<Cursor>,
    /// How many rows at most.
    pub limit: usize,
}

impl HistoryQuery {
    /// The newest rows of a record.
    pub fn of(key: RecordKey, limit: usize) -> HistoryQuery {
        HistoryQuery {
            keys: vec![key],
            limit,
            ..HistoryQuery::default()
        }
    }

    /// The keys, each as an array of app, table and id.
    pub(crate) fn keys_json(&self) -> String {
        let keys = self.keys.iter();
        let keys: Vec<_> = keys.map(|key| [&key.app, &key.table, &key.id]).collect();
        serde_json::json!(keys).to_string()
    }
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
    /// Whether the reader's knowledge of the log is checked.
    pub check: CursorCheck,
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
    /// The end of the log after the records were read: they hold nothing of any row after it.
    pub end: Cursor,
    /// The identity of the log.
    pub log: LogIdentity,
}

/// The verbs of a log and its records, each one transaction.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends changes to the log and merges them into the projections.
    ///
    /// Stamps over 60 s in the future are set back; changes whose event id is stored already are left out, and refused
    /// ([`EventIdTaken`](crate::StoreError::EventIdTaken)) where they say something else;
    /// a mission whose cadence, time zone or state changed gets its next due time.
    async fn push(&self, scope: &Scope, push: Push) -> Result<Pushed>;

    /// Reads the log, oldest first.
    ///
    /// [`ResyncRequired`](crate::StoreError::ResyncRequired) for a cursor that the query's [`CursorCheck`] refuses
    /// (R3, R7).
    async fn changes(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage>;

    /// Reads the rows of records, newest first; the page's cursor is the place of its oldest row. Reads through the
    /// whole log where the records' rows are few, because no index of the log is by record.
    async fn history(&self, scope: &Scope, query: HistoryQuery) -> Result<ChangesPage>;

    /// Returns a record, deleted or not. A forgotten one is none.
    async fn record(&self, scope: &Scope, key: &RecordKey) -> Result<Option<RecordState>>;

    /// Returns those of these records that exist, deleted and forgotten ones too, in one query.
    async fn records_by_key(
        &self,
        scope: &Scope,
        keys: &[RecordKey],
    ) -> Result<Vec<(RecordKey, RecordState)>>;

    /// Returns all records of a table by id, deleted ones too but no forgotten ones. Without a bound: for tables that
    /// stay small.
    async fn records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>>;

    /// Returns merged records by key (bytes of UTF-8: app, table, id), a page at a time, deleted and forgotten ones
    /// too.
    async fn snapshot(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage>;

    /// Returns the log's identity.
    async fn identity(&self, scope: &Scope) -> Result<LogIdentity>;

    /// Has the log take back what devices hold, for 30 days (R8). `anew`: also where it was to be discarded.
    async fn open_give_back(&self, scope: &Scope, now: Micros, anew: bool) -> Result<()>;
    /// Returns the version of the data's shape that a device has to know to read the log (S17).
    async fn schema_version(&self, scope: &Scope) -> Result<u64>;

    /// Returns how much the log holds. Reads all of it.
    async fn size(&self, scope: &Scope) -> Result<LogSize>;
}
