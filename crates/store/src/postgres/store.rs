//! A store in a Postgres database: how it is opened, and its connections.

use std::{pin::Pin, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use mana_core::{Micros, manifest::Registry};
use sqlx::{
    Connection, Executor, PgConnection, Postgres,
    pool::{PoolConnection, PoolConnectionMetadata},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::broadcast, task::JoinHandle};

use super::{
    claim,
    db::Db,
    gate::Gate,
    lock::{self, Tx},
    log, notices,
    notify::notify,
    progress, push,
    schema::{self, PostgresState, UpgradeTurn},
};
use crate::{
    ChangesPage, ChangesQuery, Claim, DatabaseContents, HistoryQuery, MissingSteps, Push, Pushed,
    Result, RunProgress, Scope, SharedDatabase, SnapshotPage, SnapshotQuery, StoreNotice, Take,
    UserId, message::Message, sql::Backend,
};

/// How Mana uses a Postgres server.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Connections at most, two at least. A further connection listens.
    pub connections: u32,
    /// How long a connection that nobody uses is kept.
    pub idle: Duration,
    /// How long a verb waits for a connection or for a log that somebody else writes, before it answers
    /// [`StoreError::Busy`](crate::StoreError::Busy).
    pub wait: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 4,
            idle: Duration::from_secs(30),
            wait: Duration::from_secs(5),
        }
    }
}

/// Mana's storage in a Postgres database. Any number of processes may use it at once.
pub struct PostgresStore {
    pub(super) db: Arc<Db>,
    listening: JoinHandle<()>,
}

impl PostgresStore {
    /// Returns what the database holds.
    pub async fn contents(url: &str) -> Result<DatabaseContents> {
        schema::contents(&PgConnectOptions::from_str(url)?.application_name("mana")).await
    }

    /// Whether the address can be read; the reason where it can't holds no part of it.
    pub fn check_url(url: &str) -> Result<(), String> {
        PgConnectOptions::from_str(url)
            .map(drop)
            .map_err(|error| match error {
                sqlx::Error::Configuration(cause) => cause.to_string(),
                other => other.to_string(),
            })
    }

    /// Looks at the database for its operator.
    pub async fn state(url: &str) -> Result<PostgresState> {
        schema::state(&PgConnectOptions::from_str(url)?.application_name("mana")).await
    }

    /// The last step of the database's schema; 0 where there is none.
    pub async fn schema(url: &str) -> Result<i64> {
        schema::last_step(&PgConnectOptions::from_str(url)?.application_name("mana")).await
    }

    /// The steps of the schema that opening a database with tables runs.
    pub async fn missing_steps(url: &str) -> Result<Option<MissingSteps>> {
        schema::missing_steps(&PgConnectOptions::from_str(url)?.application_name("mana")).await
    }

    /// Waits for the turn to keep the state before an upgrade and to upgrade.
    pub async fn upgrade_turn(url: &str) -> Result<UpgradeTurn> {
        schema::upgrade_turn(&PgConnectOptions::from_str(url)?.application_name("mana")).await
    }

    /// Whether the database has the schema of this version.
    pub async fn is_current(url: &str) -> Result<bool> {
        schema::is_current(&PgConnectOptions::from_str(url)?.application_name("mana")).await
    }

    /// Connects, brings the schema up to date where the URL's role may, and takes the role that obeys row-level
    /// security.
    pub async fn open(
        url: &str,
        registry: Arc<Registry>,
        options: PostgresOptions,
    ) -> Result<Arc<Self>> {
        let connect = PgConnectOptions::from_str(url)?.application_name("mana");
        let session = schema::prepare(&connect).await?;
        let pool = |connections: u32, idle| {
            PgPoolOptions::new()
                .max_connections(connections)
                .min_connections(0)
                .idle_timeout(idle)
                .acquire_timeout(options.wait)
                .test_before_acquire(false)
                .before_acquire(unless_gone)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        connection.execute(session).await?;
                        connection.execute(lock::PREPARE).await?;
                        Ok(())
                    })
                })
                .connect_lazy_with(connect.clone())
        };
        let (notices, _) = broadcast::channel(notices::KEPT);
        let connections = options.connections.max(2);
        let db = Arc::new(Db {
            registry,
            pool: pool(connections, Some(options.idle)),
            wait: options.wait,
            gate: Gate::new(connections as usize),
            instance: uuid::Uuid::now_v7().to_string(),
            notices,
        });
        let own = pool(1, None);
        let listener = notices::listen(&own).await?;
        let listening = tokio::spawn(notices::hear(db.clone(), own, listener));
        Ok(Arc::new(Self { db, listening }))
    }
}

impl Backend for PostgresStore {
    type Db = Postgres;
    type Content = Tx;

    async fn reader(&self) -> Result<PoolConnection<Postgres>> {
        Ok(self.db.pool.acquire().await?)
    }

    async fn writer(&self) -> Result<PoolConnection<Postgres>> {
        Ok(self.db.pool.acquire().await?)
    }

    async fn begin(&self) -> Result<Tx> {
        Ok(self.db.pool.begin().await?)
    }

    async fn begin_relaxed(&self) -> Result<Tx> {
        Ok(self.db.pool.begin().await?)
    }

    async fn begin_as(&self, user: &UserId) -> Result<Tx> {
        self.db.beside(user).await
    }

    async fn begin_alone(&self, user: &UserId) -> Result<Tx> {
        self.db.alone(user).await
    }

    /// The server's own vacuum does it.
    async fn scrub(&self) {}

    async fn read_as(&self, user: &UserId) -> Result<Tx> {
        self.db.beside(user).await
    }

    async fn read_log(&self, user: &UserId) -> Result<Tx> {
        self.db.read(user).await
    }

    async fn tell(&self, connection: &mut PgConnection, message: Message<'_>) -> Result<()> {
        notify(connection, &self.db.instance, message).await
    }

    async fn append(&self, scope: &Scope, push: Push) -> Result<Pushed> {
        push::push(&self.db, scope, push).await
    }

    async fn log_page(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage> {
        log::changes(&self.db, scope, query).await
    }

    async fn record_rows(&self, scope: &Scope, query: HistoryQuery) -> Result<ChangesPage> {
        log::history(&self.db, scope, query).await
    }

    async fn snapshot_page(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage> {
        log::snapshot(&self.db, scope, query).await
    }

    async fn claim(&self, take: &Take) -> Result<Vec<Claim>> {
        claim::claim_due(&self.db, take).await
    }

    async fn keep_progress(&self, claim: &Claim, progress: &RunProgress) -> Result<()> {
        progress::progress(&self.db, claim, progress).await
    }

    async fn under_way(&self, user: &UserId, mission_id: &str) -> Result<Option<RunProgress>> {
        progress::under_way(&self.db, user, mission_id).await
    }

    async fn mark_cancelled(
        &self,
        tx: &mut PgConnection,
        user: &UserId,
        mission_id: &str,
        slot: &str,
    ) -> Result<bool> {
        progress::mark_cancelled(tx, user, mission_id, slot).await
    }
}

/// A connection that was just in use is there still; asking it each time would cost every transaction a round trip.
const ASKED_AFTER: Duration = Duration::from_secs(1);

/// Doesn't hand out a connection that the database has closed while nobody used it.
fn unless_gone(
    connection: &mut PgConnection,
    used: PoolConnectionMetadata,
) -> Pin<Box<dyn Future<Output = Result<bool, sqlx::Error>> + Send + '_>> {
    Box::pin(async move {
        if used.idle_for > ASKED_AFTER {
            connection.ping().await?;
        }
        Ok(true)
    })
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[async_trait]
impl SharedDatabase for PostgresStore {
    async fn shared_clock(&self) -> Result<Option<Micros>> {
        let micros = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let now: i64 = sqlx::query_scalar(micros).fetch_one(&self.db.pool).await?;
        Ok(Some(Micros(now)))
    }

    /// Row-level security stands before the end of a log, so its witnesses are devices' numbered pushes, sessions and
    /// accounts.
    async fn newest_time(&self) -> Result<Option<Micros>> {
        let newest = "SELECT max(at) FROM (SELECT max(pushed_at) FROM client_pushes
             UNION ALL SELECT max(created_at) FROM sessions UNION ALL SELECT max(created_at) FROM users) AS times (at)";
        let newest: Option<i64> = sqlx::query_scalar(newest).fetch_one(&self.db.pool).await?;
        Ok(newest.map(Micros))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn notices(&self) -> Option<broadcast::Receiver<StoreNotice>> {
        Some(self.db.notices.subscribe())
    }

    async fn close(&self) {
        self.listening.abort();
        self.db.pool.close().await;
    }
}
