//! The backend for many processes: one Postgres, row-level security, a log's lock, notices between servers.

use std::{pin::Pin, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use mana_core::{Micros, RecordKey, RecordState, manifest::Registry};
use serde_json::Value;
use sqlx::{
    Connection, Executor, PgConnection, PgPool, Postgres,
    pool::{PoolConnection, PoolConnectionMetadata},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::broadcast, task::JoinHandle};

use crate::{
    Cancelled, ChangesPage, ChangesQuery, Claim, DebugRecord, Lease, Push, Pushed, Result,
    RunProgress, RunRequest, Scope, SnapshotPage, SnapshotQuery, Store, StoreNotice, Take,
    message::Message, sql::Backend,
};

mod debug;
mod lock;
mod log;
mod moving;
mod notices;
mod notify;
mod pending;
mod progress;
mod push;
mod retention;
mod runs;
mod schema;

use lock::{Gate, Tx};

/// How Mana uses a Postgres server.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Connections at most, two at least. One more listens.
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
    db: Arc<Db>,
    listening: JoinHandle<()>,
}

/// What the verbs work with.
struct Db {
    registry: Arc<Registry>,
    pool: PgPool,
    wait: Duration,
    gate: Gate,
    /// This process, among those that hear each other's notices.
    instance: String,
    notices: broadcast::Sender<StoreNotice>,
}

impl PostgresStore {
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

    async fn tell(&self, connection: &mut PgConnection, message: Message<'_>) -> Result<()> {
        notify::notify(connection, &self.db.instance, message).await
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
impl Store for PostgresStore {
    async fn push(&self, scope: &Scope, push: Push) -> Result<Pushed> {
        push::push(&self.db, scope, push).await
    }

    async fn changes(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage> {
        log::changes(&self.db, scope, query).await
    }

    async fn record(&self, scope: &Scope, key: &RecordKey) -> Result<Option<RecordState>> {
        log::record(&self.db, scope, key).await
    }

    async fn records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>> {
        log::records(&self.db, scope, app, table).await
    }

    async fn snapshot(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage> {
        log::snapshot(&self.db, scope, query).await
    }

    async fn next_wake(&self) -> Result<Option<Micros>> {
        runs::next_wake(&self.db).await
    }

    async fn claim_due(&self, take: &Take) -> Result<Vec<Claim>> {
        runs::claim_due(&self.db, take).await
    }

    async fn renew(&self, claim: &Claim, lease_until: Micros) -> Result<Lease> {
        runs::renew(&self.db, claim, lease_until).await
    }

    async fn release(&self, claim: &Claim) -> Result<()> {
        runs::release(&self.db, claim).await
    }

    async fn release_all(&self) -> Result<u64> {
        runs::release_all(&self.db).await
    }

    async fn progress(&self, claim: &Claim, progress: &RunProgress) -> Result<()> {
        progress::progress(&self.db, claim, progress).await
    }

    async fn running(&self, scope: &Scope, mission_id: &str) -> Result<Vec<RunProgress>> {
        progress::running(&self.db, scope, mission_id).await
    }

    async fn cancel_run(&self, scope: &Scope, mission_id: &str, slot: &str) -> Result<Cancelled> {
        progress::cancel(&self.db, scope, mission_id, slot).await
    }

    async fn keep_debug(&self, scope: &Scope, record: DebugRecord) -> Result<()> {
        debug::keep(&self.db, scope, record).await
    }

    async fn debug(&self, scope: &Scope, iteration_id: &str) -> Result<Option<DebugRecord>> {
        debug::get(&self.db, scope, iteration_id).await
    }

    async fn enqueue_run(&self, scope: &Scope, request: RunRequest) -> Result<()> {
        runs::enqueue(&self.db, scope, request).await
    }

    async fn run_inputs(
        &self,
        scope: &Scope,
        mission_id: &str,
        slot: &str,
    ) -> Result<Option<Value>> {
        runs::inputs(&self.db, scope, mission_id, slot).await
    }

    async fn drop_run(&self, claim: &Claim) -> Result<()> {
        runs::drop_run(&self.db, claim).await
    }

    async fn shared_clock(&self) -> Result<Option<Micros>> {
        let micros = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let now: i64 = sqlx::query_scalar(micros).fetch_one(&self.db.pool).await?;
        Ok(Some(Micros(now)))
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
