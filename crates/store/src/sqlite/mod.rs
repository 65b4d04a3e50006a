//! The embedded backend: one file, one process, one writer, a few readers.

use std::{
    fs::{File, TryLockError},
    path::Path,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mana_core::{Micros, RecordKey, RecordState, manifest::Registry};
use serde_json::Value;
use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::Migrator,
    pool::{PoolConnection, PoolConnectionMetadata},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Cancelled, ChangesPage, ChangesQuery, Claim, DebugRecord, Lease, Push, Pushed, Result,
    RunProgress, RunRequest, Scope, SnapshotPage, SnapshotQuery, Store, StoreError, Take,
    message::Message, sql::Backend,
};

mod debug;
mod log;
mod moving;
mod progress;
mod push;
mod retention;
mod runs;
mod sync;

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
    /// How far the runs under way are. There is no other process to tell, and a write for each phase would cost a
    /// sync of the disk.
    under_way: progress::UnderWay,
    /// Brings to the disk what was committed without waiting for it.
    sync: sync::WalSync,
    /// Locked for as long as the store lives: a second process would break claims and order.
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the file, makes it if it is missing, and brings its schema up to date.
    pub async fn open(path: impl AsRef<Path>, registry: Arc<Registry>) -> Result<Arc<Self>> {
        let path = path.as_ref();
        let lock = lock(path)?;
        Self::connect(path, registry, Some(lock)).await
    }

    /// Opens the file for whoever runs the server, who need not stop it: every verb is a transaction, whichever
    /// process asks. Without a server on it, like [`open`](Self::open); beside one, of the same version only.
    pub async fn open_beside(path: impl AsRef<Path>, registry: Arc<Registry>) -> Result<Arc<Self>> {
        let path = path.as_ref();
        match lock(path) {
            Ok(lock) => Self::connect(path, registry, Some(lock)).await,
            Err(StoreError::InUse(_)) => Self::connect(path, registry, None).await,
            Err(error) => Err(error),
        }
    }

    async fn connect(
        path: &Path,
        registry: Arc<Registry>,
        lock: Option<File>,
    ) -> Result<Arc<Self>> {
        let options = options()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = pool(1)
            .after_release(unless_stuck)
            .connect_with(options.clone())
            .await?;
        let sync = sync::WalSync::of(path);
        if lock.is_some() {
            migrate(&writer).await?;
        } else if !is_migrated(&writer).await? {
            return Err(StoreError::InUse(path.display().to_string()));
        }
        let readers = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Arc::new(Self {
            registry,
            writer,
            readers,
            under_way: progress::UnderWay::default(),
            sync,
            _lock: lock,
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
            under_way: progress::UnderWay::default(),
            sync: sync::WalSync::default(),
            _lock: None,
        }))
    }

    /// A transaction that nobody else writes in. Once committed it is on the disk.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The same for what a call waits for that is worth less than a sync of the disk. Once committed it outlives
    /// this process, however that ends; on the disk it is a second later, or with the next [`write`](Self::write),
    /// and a power cut before that loses it.
    async fn write_soon(&self) -> Result<Transaction<'static, Sqlite>> {
        self.sync.soon();
        // SQLite allows the change outside of transactions alone. The pool changes it back.
        let begin = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";
        Ok(self.writer.begin_with(begin).await?)
    }
}

impl Backend for SqliteStore {
    type Db = Sqlite;

    async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        Ok(self.readers.acquire().await?)
    }

    async fn writer(&self) -> Result<PoolConnection<Sqlite>> {
        Ok(self.writer.acquire().await?)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.write().await
    }

    async fn begin_relaxed(&self) -> Result<Transaction<'static, Sqlite>> {
        self.write_soon().await
    }

    /// Nobody else uses the database.
    async fn tell(&self, _: &mut SqliteConnection, _: Message<'_>) -> Result<()> {
        Ok(())
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

/// Takes a connection back with its commits on the disk again, and doesn't take back one that believes to be in a
/// transaction.
///
/// Where writing fails for good (a full disk, an I/O error), SQLite ends the transaction by itself, the rollback
/// after it fails, and the connection would refuse every further one.
fn unless_stuck(
    connection: &mut SqliteConnection,
    _: PoolConnectionMetadata,
) -> Pin<Box<dyn Future<Output = Result<bool, sqlx::Error>> + Send + '_>> {
    Box::pin(async move {
        // Answered after the rollback, if there is one to come. Not prepared: a prepared one would do it once only.
        sqlx::raw_sql("PRAGMA synchronous = FULL")
            .execute(&mut *connection)
            .await?;
        Ok(!connection.is_in_transaction())
    })
}

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

async fn migrate(writer: &SqlitePool) -> Result<()> {
    Ok(MIGRATIONS.run(writer).await?)
}

/// Whether the file has the schema of this version, no older and no newer one.
async fn is_migrated(writer: &SqlitePool) -> Result<bool> {
    let done: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(writer)
        .await?;
    Ok(done == MIGRATIONS.iter().map(|migration| migration.version).max())
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

    async fn snapshot(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage> {
        log::snapshot(self, scope, query).await
    }

    async fn next_wake(&self) -> Result<Option<Micros>> {
        runs::next_wake(self).await
    }

    async fn claim_due(&self, take: &Take) -> Result<Vec<Claim>> {
        runs::claim_due(self, take).await
    }

    async fn renew(&self, claim: &Claim, lease_until: Micros) -> Result<Lease> {
        runs::renew(self, claim, lease_until).await
    }

    async fn release(&self, claim: &Claim) -> Result<()> {
        runs::release(self, claim).await
    }

    async fn release_all(&self) -> Result<u64> {
        runs::release_all(self).await
    }

    async fn progress(&self, claim: &Claim, progress: &RunProgress) -> Result<()> {
        progress::progress(self, claim, progress).await
    }

    async fn running(&self, scope: &Scope, mission_id: &str) -> Result<Vec<RunProgress>> {
        progress::running(self, scope, mission_id).await
    }

    async fn cancel_run(&self, scope: &Scope, mission_id: &str, slot: &str) -> Result<Cancelled> {
        progress::cancel(self, scope, mission_id, slot).await
    }

    async fn keep_debug(&self, scope: &Scope, record: DebugRecord) -> Result<()> {
        debug::keep(self, scope, record).await
    }

    async fn debug(&self, scope: &Scope, iteration_id: &str) -> Result<Option<DebugRecord>> {
        debug::get(self, scope, iteration_id).await
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

#[cfg(test)]
mod tests {
    use mana_core::{Actor, Change, Defaults};
    use serde_json::json;

    use super::*;
    use crate::{Ledger as _, Line, Reservation, Tags, UserId};

    fn note(body: String) -> Push {
        let change = json!({"table": "notes", "id": "n", "op": "insert", "data": {"body": body}});
        let defaults = Defaults {
            event_id: body.len().to_string(),
            at: Micros(1),
            actor: Actor::user(),
            app_id: "notes".to_owned(),
        };
        let change = Change::parse(change).unwrap().normalise(defaults);
        Push {
            client_id: "c".to_owned(),
            changes: vec![change],
            received_at: Micros(1),
            fence: None,
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_said_stores_nothing_and_passes() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin()))
            .await
            .unwrap();
        let me = Scope::own(&UserId("me".to_owned()));
        let pages: u32 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(&store.writer)
            .await
            .unwrap();
        // Holds for this connection, as a full disk holds for a while.
        let room = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 20));
        sqlx::query(room).execute(&store.writer).await.unwrap();

        let large = store.push(&me, note("x".repeat(1 << 20))).await;
        assert!(matches!(large, Err(StoreError::DiskFull)), "{large:?}");
        let all = ChangesQuery {
            limit: 10,
            ..ChangesQuery::default()
        };
        assert_eq!(store.changes(&me, all.clone()).await.unwrap().changes, []);
        store.push(&me, note("x".repeat(1 << 20))).await.unwrap();
        assert_eq!(store.changes(&me, all).await.unwrap().changes.len(), 1);
    }

    async fn level(connection: &mut SqliteConnection) -> i64 {
        let level = sqlx::query_scalar("PRAGMA synchronous").persistent(false);
        level.fetch_one(connection).await.unwrap()
    }

    #[tokio::test]
    async fn the_ledger_does_not_wait_for_the_disk_and_all_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin()))
            .await
            .unwrap();
        for _ in 0..2 {
            let mut soon = store.write_soon().await.unwrap();
            assert_eq!(level(&mut soon).await, 1);
            soon.commit().await.unwrap();
            assert_eq!(level(&mut store.write().await.unwrap()).await, 2);
            // Given up, as when a call is over its budget.
            drop(store.write_soon().await.unwrap());
            assert_eq!(level(&mut store.writer.acquire().await.unwrap()).await, 2);
        }
    }

    #[tokio::test]
    async fn a_reservation_whose_caller_went_away_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin()))
            .await
            .unwrap();
        let line = Line {
            account: "key:k".to_owned(),
            since: Micros(0),
            tokens_limit: Some(1_000_000),
            micros_usd_limit: None,
        };
        let reservation = |n: u32| Reservation {
            id: n.to_string(),
            lines: vec![line.clone()],
            tokens: 1,
            micros_usd: 0,
            expires_at: Micros(1 << 40),
            tags: Tags {
                user: UserId("me".to_owned()),
                mission: None,
                agent: None,
                key: Some("k".to_owned()),
                model: "a/m".to_owned(),
            },
        };
        for n in 0..200 {
            // Gone after a time that is too short for some and enough for others.
            let patience = Duration::from_micros(u64::from(n));
            let _ = tokio::time::timeout(patience, store.reserve(Micros(1), reservation(n))).await;
        }
        let last = store.reserve(Micros(1), reservation(1_000)).await.unwrap();
        assert_eq!(last, crate::Reserved::Ok);
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_reservations")
            .fetch_one(&store.readers)
            .await
            .unwrap();
        let (used, _) = store.used("key:k", Micros(0)).await.unwrap();
        assert_eq!(i64::try_from(used).unwrap(), rows);
        assert_eq!(level(&mut store.write().await.unwrap()).await, 2);
    }

    #[tokio::test]
    async fn a_store_that_is_closing_says_that_it_is_busy() {
        let store = SqliteStore::memory(Arc::new(Registry::builtin()))
            .await
            .unwrap();
        let me = Scope::own(&UserId("me".to_owned()));
        store.close().await;
        assert!(matches!(
            store.push(&me, note(String::new())).await,
            Err(StoreError::Busy)
        ));
    }
}
