//! Where the shared verbs get their connections.

use sqlx::{Database, Transaction, pool::PoolConnection};

use super::{connection::Connection, dialect::Dialect};
use crate::{Result, message::Message};

/// A database that the shared verbs run on.
pub(crate) trait Backend: Send + Sync + 'static {
    /// The database's driver.
    type Db: Database<Connection: Connection> + Dialect;

    /// A connection for statements that only read, and read no content.
    fn reader(&self) -> impl Future<Output = Result<PoolConnection<Self::Db>>> + Send;

    /// A connection whose statements commit one by one, and write no content.
    fn writer(&self) -> impl Future<Output = Result<PoolConnection<Self::Db>>> + Send;

    /// A transaction that writes no content. Once committed it survives a power cut.
    fn begin(&self) -> impl Future<Output = Result<Transaction<'static, Self::Db>>> + Send;

    /// The same for what is worth less than a sync of the disk: SQLite may lose the last second in a power cut.
    fn begin_relaxed(&self) -> impl Future<Output = Result<Transaction<'static, Self::Db>>> + Send;

    /// Tells the other processes on the database, once the transaction commits. Nothing where there can be none.
    fn tell(
        &self,
        connection: &mut <Self::Db as Database>::Connection,
        message: Message<'_>,
    ) -> impl Future<Output = Result<()>> + Send;
}
