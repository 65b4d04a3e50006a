//! Where the shared verbs get their connections, and the few steps that each database takes in its own way.

use std::ops::DerefMut;

use sqlx::{Database, Transaction, pool::PoolConnection};

use super::{connection::Connection, dialect::Dialect};
use crate::{
    ChangesPage, ChangesQuery, Claim, HistoryQuery, Push, Pushed, Result, RunProgress, Scope,
    SnapshotPage, SnapshotQuery, Take, UserId, message::Message,
};

/// The connection of a backend's driver.
pub(crate) type ConnectionOf<B> = <<B as Backend>::Db as Database>::Connection;

/// A database that the shared verbs run on.
pub(crate) trait Backend: Send + Sync + 'static {
    /// The database's driver.
    type Db: Database<Connection: Connection> + Dialect;

    /// A connection that reads one person's content.
    type Content: DerefMut<Target = <Self::Db as Database>::Connection> + Send;

    /// A connection for statements that only read, and read no content.
    fn reader(&self) -> impl Future<Output = Result<PoolConnection<Self::Db>>> + Send;

    /// A connection whose statements commit one by one, and write no content.
    fn writer(&self) -> impl Future<Output = Result<PoolConnection<Self::Db>>> + Send;

    /// A transaction that writes no content. Once committed it survives a power cut.
    fn begin(&self) -> impl Future<Output = Result<Transaction<'static, Self::Db>>> + Send;

    /// The same for what is worth less than a sync of the disk: SQLite may lose the last second in a power cut.
    fn begin_relaxed(&self) -> impl Future<Output = Result<Transaction<'static, Self::Db>>> + Send;

    /// A transaction that writes this person's rows beside the log.
    fn begin_as(
        &self,
        user: &UserId,
    ) -> impl Future<Output = Result<Transaction<'static, Self::Db>>> + Send;

    /// A transaction that reaches everything of this person, while nobody else writes the log.
    fn begin_alone(
        &self,
        user: &UserId,
    ) -> impl Future<Output = Result<Transaction<'static, Self::Db>>> + Send;

    /// Overwrites on the disk what deleted rows left there, as far as the database lets.
    fn scrub(&self) -> impl Future<Output = ()> + Send;

    /// A connection that reads this person's rows beside the log.
    fn read_as(&self, user: &UserId) -> impl Future<Output = Result<Self::Content>> + Send;

    /// A connection that reads this person's log and records, with everything merged that came by SQL.
    fn read_log(&self, user: &UserId) -> impl Future<Output = Result<Self::Content>> + Send;

    /// Tells the other processes on the database, once the transaction commits. Nothing where there can be none.
    fn tell(
        &self,
        connection: &mut ConnectionOf<Self>,
        message: Message<'_>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Appends changes to the log, in prepared statements or in one statement under the log's lock.
    fn append(&self, scope: &Scope, push: Push) -> impl Future<Output = Result<Pushed>> + Send;

    /// A page of the log.
    fn log_page(
        &self,
        scope: &Scope,
        query: ChangesQuery,
    ) -> impl Future<Output = Result<ChangesPage>> + Send;

    /// A page of a record's rows.
    fn record_rows(
        &self,
        scope: &Scope,
        query: HistoryQuery,
    ) -> impl Future<Output = Result<ChangesPage>> + Send;

    /// A page of the merged records.
    fn snapshot_page(
        &self,
        scope: &Scope,
        query: SnapshotQuery,
    ) -> impl Future<Output = Result<SnapshotPage>> + Send;

    /// Claims due slots, one writer at a time or by locking their rows.
    fn claim(&self, take: &Take) -> impl Future<Output = Result<Vec<Claim>>> + Send;

    /// Keeps how far a run is, where the database keeps that.
    fn keep_progress(
        &self,
        claim: &Claim,
        progress: &RunProgress,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The run of a mission that a worker is at.
    fn under_way(
        &self,
        user: &UserId,
        mission_id: &str,
    ) -> impl Future<Output = Result<Option<RunProgress>>> + Send;

    /// Marks the held claim of this slot, or of the run that goes by this slot, as cancelled. Whether there was one.
    fn mark_cancelled(
        &self,
        tx: &mut ConnectionOf<Self>,
        user: &UserId,
        mission_id: &str,
        slot: &str,
    ) -> impl Future<Output = Result<bool>> + Send;
}
