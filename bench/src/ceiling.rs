//! The speed of the database without Mana: the same log rows by multi-row INSERT into the same schema, with its indexes
//! and, on Postgres, under the same row-level security, as the same role.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, PgPool, Postgres, QueryBuilder, Sqlite, SqlitePool};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::{new_id, now};
use crate::server::Home;

const COLUMNS: &str = "INSERT INTO sync_changes (user_id, created_at, event_id, app_id, table_name, record_id, \
    op, data, field_timestamps, actor, client_id, schema_version, at";

/// A database with Mana's schema, without a server.
#[derive(Clone)]
pub enum Ceiling {
    /// A file with Mana's settings: WAL, and every commit synced to disk.
    Sqlite(SqlitePool),
    /// Another database of the same cluster, as the application's role.
    Postgres(PgPool),
}

impl Ceiling {
    /// The database of a migrated home that has no server.
    pub async fn open(home: &Home) -> Result<Ceiling> {
        match (home.cluster(), home.database()) {
            (Some(cluster), Some(name)) => {
                let pool = PgPoolOptions::new()
                    .max_connections(8)
                    .after_connect(|connection, _| {
                        Box::pin(async move {
                            connection.execute("SET ROLE mana_app").await?;
                            Ok(())
                        })
                    })
                    .connect(&cluster.url(name))
                    .await?;
                Ok(Ceiling::Postgres(pool))
            }
            _ => Ok(Ceiling::Sqlite(sqlite(&home.file()).await?)),
        }
    }

    /// Rows a second of so many connections at once. Each writes a log of its own, a hundred rows a statement and
    /// transaction.
    pub async fn rows_per_second(&self, connections: usize, rows: usize) -> Result<f64> {
        let began = Instant::now();
        let mut writers = JoinSet::new();
        for _ in 0..connections {
            let ceiling = self.clone();
            let statements = rows / connections / 100;
            writers.spawn(async move {
                let user = new_id();
                for _ in 0..statements {
                    ceiling.insert(&user, 100).await?;
                }
                anyhow::Ok(statements * 100)
            });
        }
        let mut written = 0_u32;
        while let Some(done) = writers.join_next().await {
            written += u32::try_from(done??)?;
        }
        Ok(f64::from(written) / began.elapsed().as_secs_f64())
    }

    /// The time of a transaction of a single row, from BEGIN to COMMIT, at a hundred a second.
    pub async fn commits(&self, count: usize) -> Result<Vec<Duration>> {
        let user = new_id();
        let mut pace = interval(Duration::from_millis(10));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            pace.tick().await;
            let began = Instant::now();
            self.insert(&user, 1).await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    async fn insert(&self, user: &str, rows: i64) -> Result<()> {
        let at = now();
        let numbers = 0..rows;
        let stamps = format!(r#"{{"done":"{at}","title":"{at}"}}"#);
        let data = |n| format!(r#"{{"done":false,"title":"Task number {n} of a batch"}}"#);
        let actor = r#"{"kind":"user"}"#;
        match self {
            Ceiling::Sqlite(pool) => {
                let mut insert = QueryBuilder::<Sqlite>::new(COLUMNS);
                insert.push(") ");
                insert.push_values(numbers, |mut row, n| {
                    row.push_bind(user)
                        .push_bind(at.0 + n)
                        .push_bind(new_id())
                        .push_bind("todo")
                        .push_bind("tasks")
                        .push_bind(new_id())
                        .push_bind("insert")
                        .push_bind(data(n))
                        .push_bind(stamps.clone())
                        .push_bind(actor)
                        .push_bind("bench")
                        .push_bind(1)
                        .push_bind(at.0);
                });
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                insert.build().execute(&mut *tx).await?;
                tx.commit().await?;
            }
            Ceiling::Postgres(pool) => {
                let mut insert = QueryBuilder::<Postgres>::new(COLUMNS);
                // The trigger doesn't order rows that come already applied. Their order is the statement's.
                insert.push(", folded) ");
                insert.push_values(numbers, |mut row, n| {
                    row.push_bind(user)
                        .push("mana_at(")
                        .push_bind_unseparated(at.0 + n)
                        .push_unseparated(")")
                        .push_bind(new_id())
                        .push_bind("todo")
                        .push_bind("tasks")
                        .push_bind(new_id())
                        .push_bind("insert")
                        .push_bind(data(n))
                        .push_unseparated("::jsonb")
                        .push_bind(stamps.clone())
                        .push_unseparated("::jsonb")
                        .push_bind(actor)
                        .push_unseparated("::jsonb")
                        .push_bind("bench")
                        .push_bind(1_i64)
                        .push("mana_at(")
                        .push_bind_unseparated(at.0)
                        .push_unseparated(")")
                        .push("true");
                });
                let mut tx = pool.begin().await?;
                sqlx::query("SELECT set_config('app.current_user_id', $1, true)")
                    .bind(user)
                    .execute(&mut *tx)
                    .await?;
                insert.build().execute(&mut *tx).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

async fn sqlite(file: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(60));
    Ok(SqlitePoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options)
        .await?)
}
