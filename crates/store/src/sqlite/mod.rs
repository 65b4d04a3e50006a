//! The embedded backend: one file, one process, one writer, a few readers.

use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mana_core::{Micros, RecordKey, RecordState, manifest::Registry};
use serde_json::Value;
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    ChangesPage, ChangesQuery, Claim, Push, Pushed, Result, RunRequest, Scope, Store, StoreError,
};

mod accounts;
mod log;
mod push;
mod runs;

/// How long a verb waits for its turn before it answers [`StoreError::Busy`].
const WAIT: Duration = Duration::from_secs(10);

/// Reads run beside the writer and beside each other; more of them only cost memory.
const READERS: u32 = 2;

/// The page cache of one connection. The operating system caches the file anyway.
const CACHE_KIB: i64 = 1024;

/// Mana's storage in one SQLite file.
pub struct SqliteStore {
    registry: Arc<Registry>,
    /// One connection: who holds it is the only writer.
    writer: SqlitePool,
    readers: SqlitePool,
    /// Locked for as long as the store lives: a second process would break claims and order.
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the file, makes it if it is missing, and brings its schema up to date.
    pub async fn open(path: impl AsRef<Path>, registry: Arc<Registry>) -> Result<Arc<Self>> {
        let path = path.as_ref();
        let lock = lock(path)?;
        let options = options()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = pool(1).connect_with(options.clone()).await?;
        migrate(&writer).await?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Arc::new(Self {
            registry,
            writer,
            readers,
            _lock: Some(lock),
        }))
    }

    /// A store that is gone when it is dropped, for tests.
    pub async fn memory(registry: Arc<Registry>) -> Result<Arc<Self>> {
        // Every connection to `:memory:` is a database of its own, so reader and writer share the one.
        let writer = pool(1).connect_with(options().in_memory(true)).await?;
        migrate(&writer).await?;
        Ok(Arc::new(Self {
            registry,
            readers: writer.clone(),
            writer,
            _lock: None,
        }))
    }

    /// A transaction that nobody else writes in.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(WAIT)
        .pragma("cache_size", (-CACHE_KIB).to_string())
        // A checkpoint cuts the write-ahead log back to this, so that one large push doesn't keep its size.
        .pragma("journal_size_limit", (16 << 20).to_string())
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        // The connections are to a file: they don't go stale.
        .test_before_acquire(false)
}

async fn migrate(writer: &SqlitePool) -> Result<()> {
    Ok(sqlx::migrate!("migrations/sqlite").run(writer).await?)
}

fn lock(path: &Path) -> Result<File> {
    let beside = path.with_added_extension("lock");
    let io = |source| StoreError::Io {
        path: beside.display().to_string(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn push(&self, scope: &Scope, push: Push) -> Result<Pushed> {
        push::push(self, scope, push).await
    }

    async fn changes(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage> {
        log::changes(self, scope, query).await
    }

    async fn record(&self, scope: &Scope, key: &RecordKey) -> Result<Option<RecordState>> {
        log::record(self, scope, key).await
    }

    async fn records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>> {
        log::records(self, scope, app, table).await
    }

    async fn next_wake(&self) -> Result<Option<Micros>> {
        runs::next_wake(self).await
    }

    async fn claim_due(
        &self,
        worker: &str,
        now: Micros,
        lease_until: Micros,
        limit: usize,
    ) -> Result<Vec<Claim>> {
        runs::claim_due(self, worker, now, lease_until, limit).await
    }

    async fn renew(&self, claim: &Claim, lease_until: Micros) -> Result<bool> {
        runs::renew(self, claim, lease_until).await
    }

    async fn release(&self, claim: &Claim) -> Result<()> {
        runs::release(self, claim).await
    }

    async fn release_all(&self) -> Result<u64> {
        runs::release_all(self).await
    }

    async fn enqueue_run(&self, scope: &Scope, request: RunRequest) -> Result<()> {
        runs::enqueue(self, scope, request).await
    }

    async fn run_inputs(
        &self,
        scope: &Scope,
        mission_id: &str,
        slot: &str,
    ) -> Result<Option<Value>> {
        runs::inputs(self, scope, mission_id, slot).await
    }

    async fn drop_run(&self, claim: &Claim) -> Result<()> {
        runs::drop_run(self, claim).await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
