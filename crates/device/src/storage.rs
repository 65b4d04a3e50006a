//! The storage of a replica: read in an exclusive transaction, written at its end, all or nothing.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mana_core::{
    Change, RecordKey, RecordState,
    conflict::{KeptConflict, TextLineage},
    staging::{Proposal, Records},
    sync::{Commit, OutboxRow, QueuedChange, RecordRange, RecordRow, ReplicaMeta, SetAside},
};

/// The writes of a transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Writes {
    /// Replaces the [`ReplicaMeta`].
    pub meta: Option<ReplicaMeta>,
    /// Replaces the modules' manifests, a JSON array.
    pub manifests: Option<String>,
    /// Replaces records.
    pub records: Vec<(RecordKey, RecordState)>,
    /// Appends to the outbox, each with the cursor of that time.
    pub queue: Vec<(QueuedChange, String)>,
    /// The outbox rows to delete, by their `seq`.
    pub dequeue: Vec<u64>,
    /// The changes to set aside.
    pub set_aside: Vec<SetAside>,
    /// The changes that are set aside no longer, by event id.
    pub unset_aside: Vec<String>,
    /// Replaces proposals.
    pub proposals: Vec<Proposal>,
    /// Replaces lineages of texts.
    pub texts: Vec<TextLineage>,
    /// Adds conflicts where none of their id is there; [`CONFLICTS_KEPT`](mana_core::conflict::CONFLICTS_KEPT) stay.
    pub conflicts: Vec<KeptConflict>,
    /// Marks conflicts as ended, by id.
    pub ended: Vec<String>,
    /// Deletes records.
    pub dropped: Vec<RecordKey>,
}

impl Writes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Writes::default()
    }
}

impl From<Commit> for Writes {
    fn from(commit: Commit) -> Writes {
        let records = commit.records.into_iter();
        let cursor = commit.meta.as_ref().map(|meta| meta.cursor.clone());
        Writes {
            queue: queue_of(&commit.queue, &cursor.unwrap_or_default()),
            texts: commit.texts,
            conflicts: commit.conflicts,
            ended: commit.ended,
            meta: commit.meta,
            records: records.map(RecordRow::into_parts).collect(),
            dequeue: commit.dequeue,
            set_aside: commit.set_aside,
            unset_aside: commit.unset_aside,
            dropped: commit.dropped,
            ..Writes::default()
        }
    }
}

/// Why the storage did nothing.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The file can't be used.
    #[error("{path} can't be used: {reason}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        reason: String,
    },
    /// The database failed.
    #[error("the local database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Something stored can't be read back.
    #[error("{what} in the local database can't be read: {source}")]
    Corrupt {
        /// The kind of the stored value.
        what: &'static str,
        /// The parse error.
        source: serde_json::Error,
    },
}

/// Where a replica lives. Several replicas may share one, as tabs do, and processes.
#[async_trait]
pub trait Storage: Send + Sync {
    /// A transaction that nobody else reads or writes beside. Dropped without [`Transaction::commit`], it was not.
    async fn begin(&self) -> Result<Box<dyn Transaction>, StorageError>;
}

/// Reads, and at the end one commit.
#[async_trait]
pub trait Transaction: Send {
    /// The replica's metadata; none in a new storage.
    async fn meta(&mut self) -> Result<Option<ReplicaMeta>, StorageError>;

    /// The modules' manifests, a JSON array.
    async fn manifests(&mut self) -> Result<Option<String>, StorageError>;

    /// The records of these keys, as far as they exist.
    async fn states(&mut self, keys: &BTreeSet<RecordKey>) -> Result<Records, StorageError>;

    /// A part of the records by key, in the order of the bytes of app, table and id.
    async fn range(&mut self, range: &RecordRange) -> Result<Records, StorageError>;

    /// All records of a table by id, deleted ones too.
    async fn table(
        &mut self,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>, StorageError>;

    /// The oldest of the outbox.
    async fn outbox(&mut self, limit: usize) -> Result<Vec<OutboxRow>, StorageError>;

    /// The number of outbox rows.
    async fn waiting(&mut self) -> Result<usize, StorageError>;

    /// The changes that the server refused.
    async fn set_aside(&mut self) -> Result<Vec<SetAside>, StorageError>;

    /// The lineages of the texts of these records.
    async fn texts(&mut self, keys: &BTreeSet<RecordKey>)
    -> Result<Vec<TextLineage>, StorageError>;

    /// The conflicts, of these records or all, the newest first.
    async fn conflicts(
        &mut self,
        keys: Option<&BTreeSet<RecordKey>>,
    ) -> Result<Vec<KeptConflict>, StorageError>;

    /// The proposals, of one mission or all.
    async fn proposals(&mut self, mission: Option<&str>) -> Result<Vec<Proposal>, StorageError>;

    /// Writes and ends the transaction; when this returns, it is durable.
    async fn commit(self: Box<Self>, writes: Writes) -> Result<(), StorageError>;
}

/// Changes for the outbox, written at this cursor.
pub(crate) fn queue_of(changes: &[Change], cursor: &str) -> Vec<(QueuedChange, String)> {
    let queued = changes
        .iter()
        .map(|change| (change.clone().into(), cursor.to_owned()));
    queued.collect()
}
