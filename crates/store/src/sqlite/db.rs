//! A store in one SQLite file: how it is opened, its one writer and its readers.

use std::{
    fs::{File, TryLockError},
    io::ErrorKind,
    path::Path,
    pin::Pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

use mana_core::manifest::Registry;
use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::Migrator,
    pool::PoolConnectionMetadata,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{under_way::UnderWay, wal_sync::WalSync};
use crate::{DatabaseContents, MissingSteps, Result, StoreError};

/// How long a verb waits for its turn before it answers [`StoreError::Busy`].
const WAIT: Duration = Duration::from_secs(10);

/// Reads run beside the writer and beside each other; more of them only cost memory.
const READERS: u32 = 2;

/// The page cache of one connection. The operating system caches the file anyway.
const CACHE_KIB: i64 = 1024;

/// Mana's storage in one SQLite file.
pub struct SqliteStore {
    pub(super) registry: Arc<Registry>,
    /// The pool of the one connection that writes.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// How far the runs under way are. There is no other process to tell, and a write for each phase would cost a
    /// sync of the disk.
    pub(super) under_way: UnderWay,
    /// Brings to the disk what was committed without waiting for it.
    pub(super) sync: WalSync,
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

    /// Returns what the file holds.
    pub async fn contents(path: impl AsRef<Path>) -> Result<DatabaseContents> {
        let path = path.as_ref();
        match std::fs::metadata(path) {
            Ok(file) if file.is_dir() => {
                return Err(io_error(path, ErrorKind::IsADirectory.into()));
            }
            Ok(file) if file.len() == 0 => return Ok(DatabaseContents::Empty),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(DatabaseContents::Missing);
            }
            Err(source) => return Err(io_error(path, source)),
        }
        let mut connection = options().filename(path).read_only(true).connect().await?;
        let tables: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'users'",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok(DatabaseContents::of(tables > 0))
    }

    /// Whether the file has the schema of this version.
    pub async fn is_current(path: impl AsRef<Path>) -> Result<bool> {
        Ok(Self::schema(path).await? == latest())
    }

    /// The steps of the schema that opening a file with tables runs; none where a process uses the file, because that
    /// process alone may run them.
    pub async fn missing_steps(path: impl AsRef<Path>) -> Result<Option<MissingSteps>> {
        let path = path.as_ref();
        match lock(path) {
            Ok(_) => {}
            Err(StoreError::InUse(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
        let from = Self::schema(path).await?.unwrap_or_default();
        Ok(MissingSteps::between(from, latest().unwrap_or_default()))
    }

    /// Returns the faults of the file's pages, the first of them; none where they are sound.
    pub async fn quick_check(path: impl AsRef<Path>) -> Result<Vec<String>> {
        let mut connection = options().filename(path).read_only(true).connect().await?;
        let mut found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(10)")
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    /// The last step of the file's schema.
    pub async fn schema(path: impl AsRef<Path>) -> Result<Option<i64>> {
        let mut connection = options().filename(path).read_only(true).connect().await?;
        let done = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(done)
    }

    async fn connect(
        path: &Path,
        registry: Arc<Registry>,
        lock: Option<File>,
    ) -> Result<Arc<Self>> {
        if lock.is_some() {
            make(path).await?;
        }
        let options = options()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = pool(1)
            .after_release(unless_stuck)
            .connect_with(options.clone())
            .await?;
        let sync = WalSync::of(path);
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
            under_way: UnderWay::default(),
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
            under_way: UnderWay::default(),
            sync: WalSync::default(),
            _lock: None,
        }))
    }

    /// A transaction that nobody else writes in. Once committed it is on the disk.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The same for what a call waits for that is worth less than a sync of the disk. Once committed it outlives
    /// this process, however that ends; on the disk it is a second later, or with the next [`write`](Self::write),
    /// and a power cut before that loses it.
    pub(super) async fn write_soon(&self) -> Result<Transaction<'static, Sqlite>> {
        // SQLite allows the change outside of transactions alone. The pool changes it back.
        let begin = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";
        let tx = self.writer.begin_with(begin).await?;
        self.sync.soon();
        Ok(tx)
    }
}

pub(super) fn options() -> SqliteConnectOptions {
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
        sqlx::raw_sql("PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF")
            .execute(&mut *connection)
            .await?;
        Ok(!connection.is_in_transaction())
    })
}

pub(super) static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| include!(concat!(env!("OUT_DIR"), "/migrations_sqlite.rs")));

async fn migrate(writer: &SqlitePool) -> Result<()> {
    Ok(MIGRATIONS.run(writer).await?)
}

/// Whether the file has the schema of this version, no older and no newer one.
async fn is_migrated(writer: &SqlitePool) -> Result<bool> {
    let done: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(writer)
        .await?;
    Ok(done == latest())
}

/// The last step of this version's schema.
pub(super) fn latest() -> Option<i64> {
    MIGRATIONS.iter().map(|migration| migration.version).max()
}

/// Locks the file, whichever of its names it is opened by: two servers on one file would take each other's runs.
pub(super) fn lock(path: &Path) -> Result<File> {
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let beside = path.with_added_extension("lock");
    let file = private(&beside)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(io_error(&beside, source)),
    }
}

/// Makes the database if it is missing or empty. Pages that rows leave can go back to the disk then, which SQLite
/// allows to say of a new file alone.
pub(super) async fn make(path: &Path) -> Result<()> {
    let file = private(path)?;
    let size = file
        .metadata()
        .map_err(|source| io_error(path, source))?
        .len();
    if size == 0 {
        let mut connection = options().filename(path).connect().await?;
        sqlx::raw_sql("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
            .execute(&mut connection)
            .await?;
        connection.close().await?;
    }
    Ok(())
}

/// Opens a file for writing, and makes it with mode 0600 if it is missing. SQLite gives the files beside the database
/// the mode of the database.
fn private(path: &Path) -> Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|source| io_error(path, source))
}

pub(super) fn io_error(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.display().to_string(),
        error,
    }
}

#[cfg(test)]
#[path = "db_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tables_tests;
