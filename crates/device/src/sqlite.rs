//! A storage in one SQLite file, shared by the processes of one person.

use std::{collections::BTreeSet, path::Path, time::Duration};

use async_trait::async_trait;
use mana_core::{
    RecordKey, RecordState,
    conflict::{CONFLICTS_KEPT, KeptConflict, TextLineage},
    staging::{Proposal, Records},
    sync::{OutboxRow, RecordRange, ReplicaMeta, SetAside},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sqlx::{
    QueryBuilder, Sqlite, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::storage::{Storage, StorageError, Transaction, Writes};

/// How long a transaction waits for another process's.
const WAIT: Duration = Duration::from_secs(10);

/// Rows in one statement: well below SQLite's limit on bound values.
const CHUNK: usize = 500;

const META: &str = "meta";
const MANIFESTS: &str = "manifests";

/// A replica's file.
#[derive(Clone)]
pub struct SqliteStorage {
    pool: SqlitePool,
}

impl SqliteStorage {
    /// Opens the file, makes it if it is missing, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<SqliteStorage, StorageError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT);
        let file = |error: &dyn std::fmt::Display| StorageError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(|error| file(&error))?;
        let migrations: Migrator = include!(concat!(env!("OUT_DIR"), "/migrations_replica.rs"));
        let migrated = migrations.run(&pool).await;
        migrated.map_err(|error| file(&error))?;
        Ok(SqliteStorage { pool })
    }

    /// Closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

struct Tx(sqlx::Transaction<'static, Sqlite>);

#[async_trait]
impl Storage for SqliteStorage {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StorageError> {
        Ok(Box::new(Tx(self
            .pool
            .begin_with("BEGIN IMMEDIATE")
            .await?)))
    }
}

impl Tx {
    async fn value(&mut self, key: &str) -> Result<Option<String>, StorageError> {
        let value = sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
            .bind(key)
            .fetch_optional(&mut *self.0)
            .await?;
        Ok(value)
    }

    async fn set_value(&mut self, key: &str, value: &str) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES (?, ?)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(value)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}

#[async_trait]
impl Transaction for Tx {
    async fn meta(&mut self) -> Result<Option<ReplicaMeta>, StorageError> {
        let text = self.value(META).await?;
        text.map(|text| read("the state", &text)).transpose()
    }

    async fn manifests(&mut self) -> Result<Option<String>, StorageError> {
        self.value(MANIFESTS).await
    }

    async fn states(&mut self, keys: &BTreeSet<RecordKey>) -> Result<Records, StorageError> {
        if keys.is_empty() {
            return Ok(Records::new());
        }
        let rows: Vec<StateColumns> = sqlx::query_as(
            "SELECT r.app_id, r.table_name, r.record_id, r.state
             FROM json_each(?) k CROSS JOIN records r
             ON r.app_id = k.value ->> 0 AND r.table_name = k.value ->> 1 AND r.record_id = k.value ->> 2",
        )
        .bind(keys_json(keys))
        .fetch_all(&mut *self.0)
        .await?;
        records_of(rows)
    }

    async fn range(&mut self, range: &RecordRange) -> Result<Records, StorageError> {
        let none = RecordKey::new("", "", "");
        let after = range.after.as_ref().unwrap_or(&none);
        let until = range.until.as_ref().unwrap_or(&none);
        let rows: Vec<StateColumns> = sqlx::query_as(
            "SELECT app_id, table_name, record_id, state FROM records
             WHERE (app_id, table_name, record_id) > (?1, ?2, ?3)
               AND (?4 OR (app_id, table_name, record_id) <= (?5, ?6, ?7))
             ORDER BY app_id, table_name, record_id LIMIT ?8",
        )
        .bind(&after.app)
        .bind(&after.table)
        .bind(&after.id)
        .bind(range.until.is_none())
        .bind(&until.app)
        .bind(&until.table)
        .bind(&until.id)
        .bind(i64::try_from(range.limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.0)
        .await?;
        records_of(rows)
    }

    async fn table(
        &mut self,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>, StorageError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT record_id, state FROM records WHERE app_id = ? AND table_name = ? ORDER BY record_id",
        )
        .bind(app)
        .bind(table)
        .fetch_all(&mut *self.0)
        .await?;
        rows.into_iter()
            .map(|(id, state)| Ok((id, read("a record", &state)?)))
            .collect()
    }

    async fn outbox(&mut self, limit: usize) -> Result<Vec<OutboxRow>, StorageError> {
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT seq, change, since FROM outbox ORDER BY seq LIMIT ?")
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&mut *self.0)
                .await?;
        rows.into_iter()
            .map(|(seq, change, since)| {
                Ok(OutboxRow {
                    seq: seq.unsigned_abs(),
                    change: read("a change", &change)?,
                    since,
                })
            })
            .collect()
    }

    async fn waiting(&mut self) -> Result<usize, StorageError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&mut *self.0)
            .await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    async fn set_aside(&mut self) -> Result<Vec<SetAside>, StorageError> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT set_aside FROM set_aside ORDER BY rowid")
                .fetch_all(&mut *self.0)
                .await?;
        rows.iter().map(|text| read("a change", text)).collect()
    }

    async fn texts(
        &mut self,
        keys: &BTreeSet<RecordKey>,
    ) -> Result<Vec<TextLineage>, StorageError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT t.lineage FROM json_each(?) k CROSS JOIN texts t
             ON t.app_id = k.value ->> 0 AND t.table_name = k.value ->> 1 AND t.record_id = k.value ->> 2",
        )
        .bind(keys_json(keys))
        .fetch_all(&mut *self.0)
        .await?;
        rows.iter()
            .map(|text| read("a text's past", text))
            .collect()
    }

    async fn conflicts(
        &mut self,
        keys: Option<&BTreeSet<RecordKey>>,
    ) -> Result<Vec<KeptConflict>, StorageError> {
        let rows: Vec<(String, bool)> = match keys {
            Some(keys) if keys.is_empty() => Vec::new(),
            Some(keys) => {
                sqlx::query_as(
                    // The few conflicts are looked through, so that a page of records without any costs nothing.
                    "SELECT conflict, ended FROM conflicts WHERE (+app_id, table_name, record_id) IN
                     (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))
                     ORDER BY noticed_at DESC, conflict_id DESC",
                )
                .bind(keys_json(keys))
                .fetch_all(&mut *self.0)
                .await?
            }
            None => sqlx::query_as(
                "SELECT conflict, ended FROM conflicts ORDER BY noticed_at DESC, conflict_id DESC",
            )
            .fetch_all(&mut *self.0)
            .await?,
        };
        let conflict = |(text, ended): &(String, bool)| {
            let conflict: KeptConflict = read("a conflict", text)?;
            Ok(KeptConflict {
                ended: *ended,
                ..conflict
            })
        };
        rows.iter().map(conflict).collect()
    }

    async fn proposals(&mut self, mission: Option<&str>) -> Result<Vec<Proposal>, StorageError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT proposal FROM proposals WHERE ?1 IS NULL OR mission_id = ?1 ORDER BY id",
        )
        .bind(mission)
        .fetch_all(&mut *self.0)
        .await?;
        rows.iter().map(|text| read("a proposal", text)).collect()
    }

    async fn commit(mut self: Box<Self>, writes: Writes) -> Result<(), StorageError> {
        if let Some(meta) = &writes.meta {
            self.set_value(META, &text("the state", meta)?).await?;
        }
        if let Some(manifests) = &writes.manifests {
            self.set_value(MANIFESTS, manifests).await?;
        }
        for records in writes.records.chunks(CHUNK) {
            let rows = records
                .iter()
                .map(|(key, state)| Ok((key, text("a record", state)?)))
                .collect::<Result<Vec<_>, StorageError>>()?;
            let mut insert =
                QueryBuilder::new("INSERT INTO records (app_id, table_name, record_id, state) ");
            insert.push_values(rows, |mut values, (key, state)| {
                values
                    .push_bind(&key.app)
                    .push_bind(&key.table)
                    .push_bind(&key.id)
                    .push_bind(state);
            });
            insert.push(
                " ON CONFLICT (app_id, table_name, record_id) DO UPDATE SET state = excluded.state",
            );
            insert.build().execute(&mut *self.0).await?;
        }
        for key in &writes.dropped {
            for delete in [
                "DELETE FROM records WHERE app_id = ? AND table_name = ? AND record_id = ?",
                "DELETE FROM texts WHERE app_id = ? AND table_name = ? AND record_id = ?",
                "DELETE FROM conflicts WHERE app_id = ? AND table_name = ? AND record_id = ?",
            ] {
                sqlx::query(delete)
                    .bind(&key.app)
                    .bind(&key.table)
                    .bind(&key.id)
                    .execute(&mut *self.0)
                    .await?;
            }
        }
        if !writes.dequeue.is_empty() {
            sqlx::query("DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))")
                .bind(json!(writes.dequeue).to_string())
                .execute(&mut *self.0)
                .await?;
        }
        for changes in writes.queue.chunks(CHUNK) {
            let rows = changes
                .iter()
                .map(|(change, since)| Ok((text("a change", change)?, since)))
                .collect::<Result<Vec<_>, StorageError>>()?;
            let mut insert = QueryBuilder::new("INSERT INTO outbox (change, since) ");
            insert.push_values(rows, |mut values, (change, since)| {
                values.push_bind(change).push_bind(since);
            });
            insert.build().execute(&mut *self.0).await?;
        }
        if !writes.unset_aside.is_empty() {
            sqlx::query("DELETE FROM set_aside WHERE event_id IN (SELECT value FROM json_each(?))")
                .bind(json!(writes.unset_aside).to_string())
                .execute(&mut *self.0)
                .await?;
        }
        for one in &writes.set_aside {
            sqlx::query("INSERT OR REPLACE INTO set_aside (event_id, set_aside) VALUES (?, ?)")
                .bind(one.event_id())
                .bind(text("a change", one)?)
                .execute(&mut *self.0)
                .await?;
        }
        for proposal in &writes.proposals {
            sqlx::query(
                "INSERT OR REPLACE INTO proposals (id, mission_id, proposal) VALUES (?, ?, ?)",
            )
            .bind(&proposal.id)
            .bind(&proposal.mission_id)
            .bind(text("a proposal", proposal)?)
            .execute(&mut *self.0)
            .await?;
        }
        for row in &writes.texts {
            sqlx::query(
                "INSERT OR REPLACE INTO texts (app_id, table_name, record_id, field, lineage) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(&row.key.app)
            .bind(&row.key.table)
            .bind(&row.key.id)
            .bind(&row.field)
            .bind(text("a text's past", row)?)
            .execute(&mut *self.0)
            .await?;
        }
        for one in &writes.conflicts {
            sqlx::query(
                "INSERT OR IGNORE INTO conflicts
                 (conflict_id, app_id, table_name, record_id, noticed_at, ended, conflict)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&one.conflict_id)
            .bind(&one.key.app)
            .bind(&one.key.table)
            .bind(&one.key.id)
            .bind(one.noticed_at.0)
            .bind(one.ended)
            .bind(text("a conflict", one)?)
            .execute(&mut *self.0)
            .await?;
        }
        if !writes.ended.is_empty() {
            sqlx::query("UPDATE conflicts SET ended = 1 WHERE conflict_id IN (SELECT value FROM json_each(?))")
                .bind(json!(writes.ended).to_string())
                .execute(&mut *self.0)
                .await?;
        }
        if !writes.conflicts.is_empty() {
            sqlx::query(
                "DELETE FROM conflicts WHERE conflict_id NOT IN
                 (SELECT conflict_id FROM conflicts ORDER BY ended, noticed_at DESC LIMIT ?)",
            )
            .bind(i64::try_from(CONFLICTS_KEPT).unwrap_or(i64::MAX))
            .execute(&mut *self.0)
            .await?;
        }
        self.0.commit().await?;
        Ok(())
    }
}

/// The columns of a record: app, table, id, and its state as JSON.
type StateColumns = (String, String, String, String);

fn records_of(rows: Vec<StateColumns>) -> Result<Records, StorageError> {
    let records = rows.into_iter().map(|(app, table, id, state)| {
        Ok((RecordKey::new(app, table, id), read("a record", &state)?))
    });
    records.collect()
}

fn keys_json(keys: &BTreeSet<RecordKey>) -> String {
    let keys: Value = keys
        .iter()
        .map(|key| json!([key.app, key.table, key.id]))
        .collect();
    keys.to_string()
}

fn text(what: &'static str, value: &impl Serialize) -> Result<String, StorageError> {
    serde_json::to_string(value).map_err(|source| StorageError::Corrupt { what, source })
}

fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StorageError> {
    serde_json::from_str(text).map_err(|source| StorageError::Corrupt { what, source })
}
