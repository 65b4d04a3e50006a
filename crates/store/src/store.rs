//! The log, its projections, and the schedule.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mana_core::{Adjusted, Change, Micros, RecordKey, RecordState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use tokio::sync::broadcast;

use crate::{
    Cancelled, Claim, Cursor, DebugRecord, Fence, Lease, Result, RunProgress, RunRequest, Scope,
    StoreNotice, Take, row,
};

/// One client's changes, to be appended together or not at all.
#[derive(Debug, Clone)]
pub struct Push {
    /// Who sends it. Its own changes are not sent back to it.
    pub client_id: String,
    /// Normalised changes, each with its `appId`.
    pub changes: Vec<Change>,
    /// The server's time.
    pub received_at: Micros,
    /// The claim that the push depends on, if it is a run's result.
    pub fence: Option<Fence>,
}

/// What a push did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pushed {
    /// `(app, table)` of what was appended. Empty for a replay.
    pub tables: BTreeSet<(String, String)>,
    /// Stamps that were set back, those of changes that had been stored before included.
    pub adjusted: Vec<Adjusted>,
    /// The log's end before the push. Who had read up to there misses nothing but the push itself.
    pub before: Cursor,
    /// The server added changes of its own to the push's.
    pub added: bool,
    /// The log's end after the push.
    pub cursor: Cursor,
    /// A due time was set, moved or removed.
    pub schedule_changed: bool,
}

/// Which part of a log to read.
#[derive(Debug, Clone, Default)]
pub struct ChangesQuery {
    /// One app only.
    pub app: Option<String>,
    /// These tables only; empty for all.
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
    /// Who pushed it.
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

/// Which merged records to read.
#[derive(Debug, Clone, Default)]
pub struct SnapshotQuery {
    /// One app only.
    pub app: Option<String>,
    /// Records after this key, in the order of [`RecordKey`].
    pub after: Option<RecordKey>,
    /// How many records at most.
    pub limit: usize,
}

/// A record's state as the JSON that it is stored as: whoever only passes it on need not read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawState {
    data: Box<RawValue>,
    meta: Box<RawValue>,
}

impl RawState {
    /// The state.
    pub fn read(&self) -> Result<RecordState> {
        Ok(RecordState {
            data: row::read("a record", self.data.get())?,
            meta: row::read("a record", self.meta.get())?,
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

/// Mana's storage: verbs, each one transaction.
#[async_trait]
pub trait Store: Send + Sync {
    /// Appends changes to the log and folds them into the projections.
    ///
    /// Stamps over 60 s in the future are set back; changes whose event id is stored already are left out;
    /// a mission whose cadence, time zone or state changed gets its next due time.
    async fn push(&self, scope: &Scope, push: Push) -> Result<Pushed>;

    /// Reads the log, oldest first.
    ///
    /// [`ResyncRequired`](crate::StoreError::ResyncRequired) for a cursor that is neither the beginning nor at or
    /// after the newest row that was ever dropped (R3).
    async fn changes(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage>;

    /// One record, deleted or not.
    async fn record(&self, scope: &Scope, key: &RecordKey) -> Result<Option<RecordState>>;

    /// All records of a table by id, deleted ones too.
    async fn records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>>;

    /// Merged records by key (bytes of UTF-8: app, table, id), a page at a time, deleted ones too.
    async fn snapshot(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage>;

    /// When the next run can be claimed: a due time, a request, or the end of somebody's lease.
    async fn next_wake(&self) -> Result<Option<Micros>>;

    /// Claims what is due and not claimed by a live lease, one slot a mission: what somebody asked for before what
    /// is due. People take turns: everybody's first comes before anybody's second, those under way counted; within
    /// a turn the longest due comes first.
    async fn claim_due(&self, take: &Take) -> Result<Vec<Claim>>;

    /// Prolongs the lease.
    async fn renew(&self, claim: &Claim, lease_until: Micros) -> Result<Lease>;

    /// Gives the slot back untried, for anyone to claim at once. Nothing happens if the claim is lost.
    async fn release(&self, claim: &Claim) -> Result<()>;

    /// Frees every claim, the attempt counted: at the start of the only process there is.
    async fn release_all(&self) -> Result<u64>;

    /// Says how far a claimed run is, to whoever asks and to the other processes. Lost in a crash.
    async fn progress(&self, claim: &Claim, progress: &RunProgress) -> Result<()>;

    /// The runs of a mission that wait or are under way, in any process.
    async fn running(&self, scope: &Scope, mission_id: &str) -> Result<Vec<RunProgress>>;

    /// Takes a run back that waits, or marks one that is under way, for whoever holds it to end it.
    async fn cancel_run(&self, scope: &Scope, mission_id: &str, slot: &str) -> Result<Cancelled>;

    /// Keeps a debug record, and the newest of its person up to [`DEBUG_KEPT`](crate::DEBUG_KEPT).
    async fn keep_debug(&self, scope: &Scope, record: DebugRecord) -> Result<()>;

    /// The debug record of an iteration.
    async fn debug(&self, scope: &Scope, iteration_id: &str) -> Result<Option<DebugRecord>>;

    /// Asks for a run. Asking twice for a slot is asking once; inputs given first stay.
    /// [`TooManyRuns`](crate::StoreError::TooManyRuns) past [`MOST_WAITING`](crate::MOST_WAITING) that wait.
    async fn enqueue_run(&self, scope: &Scope, request: RunRequest) -> Result<()>;

    /// The inputs that came with the request.
    async fn run_inputs(
        &self,
        scope: &Scope,
        mission_id: &str,
        slot: &str,
    ) -> Result<Option<Value>>;

    /// Ends a claim and its request with nothing written, because nothing is to be done.
    async fn drop_run(&self, claim: &Claim) -> Result<()>;

    /// The time by the clock that all processes on the database share; none where there is one process, which has its
    /// machine's.
    async fn shared_clock(&self) -> Result<Option<Micros>> {
        Ok(None)
    }

    /// Whether other processes may use the database, too: then claims that are held may be theirs.
    fn is_shared(&self) -> bool {
        false
    }

    /// What other processes on the database do from now on, and what comes by SQL; none where there can't be any.
    fn notices(&self) -> Option<broadcast::Receiver<StoreNotice>> {
        None
    }

    /// Finishes what is being written and closes the files.
    async fn close(&self);
}
