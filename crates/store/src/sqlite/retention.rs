//! Dropping what is superseded, and proving the projections by a replay.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::{TryStreamExt, stream::BoxStream};
use mana_core::sync::record_key;
use mana_core::{Micros, RecordKey, RecordState, apply};
use serde_json::json;
use sqlx::{Connection, FromRow, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{append, db::SqliteStore, log, moving, space};
use crate::{
    Compacted, Cursor, FreedSpace, Imported, LogPage, LogRow, Maintenance, Projected, Result,
    Scope, User, UserId, apply_push,
    replay::{Comparison, Mend, Schedule, Sieve},
    row::ChangeRow,
    sql::{forgotten_state, records, schedule},
};

/// Records looked at in one go.
const BATCH: i64 = 100;

#[async_trait]
impl Maintenance for SqliteStore {
    async fn compact(&self, scope: &Scope, before: Micros) -> Result<Compacted> {
        // A record with one row has nothing that could be superseded, unless it is forgotten.
        let rows = concat!(
            "INSERT INTO temp.by_record SELECT app_id, table_name, record_id, created_at FROM sync_changes
             WHERE user_id = ?1 AND created_at <= ?2 AND (app_id, table_name, record_id) IN (
                 SELECT app_id, table_name, record_id FROM sync_changes WHERE user_id = ?1
                 GROUP BY app_id, table_name, record_id HAVING count(*) > 1 AND min(created_at) < ?3
                 UNION ALL SELECT app_id, table_name, record_id FROM records
                 WHERE user_id = ?1 AND state = ",
            forgotten_state!(),
            ") ORDER BY app_id, table_name, record_id, created_at"
        );
        compact_rows(self, scope.owner(), rows, Some(before)).await
    }

    async fn drop_forgotten(&self, scope: &Scope) -> Result<Compacted> {
        let rows = concat!(
            "INSERT INTO temp.by_record SELECT app_id, table_name, record_id, created_at FROM sync_changes
             WHERE user_id = ?1 AND created_at <= ?2 AND created_at < ?3 AND (app_id, table_name, record_id) IN (
                 SELECT app_id, table_name, record_id FROM records
                 WHERE user_id = ?1 AND app_id <> 'ai' AND state = ",
            forgotten_state!(),
            ") ORDER BY app_id, table_name, record_id, created_at"
        );
        compact_rows(self, scope.owner(), rows, None).await
    }

    async fn expired_removals(
        &self,
        scope: &Scope,
        before: Micros,
        limit: usize,
    ) -> Result<Vec<RecordKey>> {
        let mut reader = self.readers.acquire().await?;
        records::expired_removals::<Sqlite>(&mut *reader, scope.owner(), before, limit).await
    }

    async fn free_space(&self) -> Result<FreedSpace> {
        space::free(&self.writer).await
    }

    async fn check(&self, scope: &Scope) -> Result<Projected> {
        let mut connection = self.writer.acquire().await?;
        by_record(&mut connection).await?;
        let mut tx = connection.begin().await?;
        let (projected, _) = replay(self, &mut tx, scope.owner(), None).await?;
        tx.commit().await?;
        forget(&mut connection).await?;
        Ok(projected)
    }

    async fn reproject(&self, scope: &Scope) -> Result<Projected> {
        let user = scope.owner();
        let mut connection = self.writer.acquire().await?;
        by_record(&mut connection).await?;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        let head = log::head(&mut tx, user).await?;
        let (projected, due) = replay(self, &mut tx, user, Some(head)).await?;
        schedule::write_due::<Sqlite>(&mut *tx, user, &due).await?;
        tx.commit().await?;
        forget(&mut connection).await?;
        Ok(projected)
    }

    async fn export(&self, scope: &Scope, after: Cursor, limit: usize) -> Result<LogPage> {
        moving::export(self, scope.owner(), after, limit).await
    }

    async fn import(
        &self,
        account: User,
        floor: Cursor,
        epoch: Option<String>,
        rows: BoxStream<'_, Result<LogRow>>,
    ) -> Result<Imported> {
        moving::import(self, account, floor, epoch, rows).await
    }

    async fn begin_epoch(&self, scope: &Scope, now: Micros, discard_newer: bool) -> Result<()> {
        let mut writer = self.writer.acquire().await?;
        records::begin_epoch(&mut *writer, scope.owner(), now, discard_newer).await
    }
}

/// Drops what is superseded among the rows that a statement puts into `by_record`; its parameters are the account, the
/// log's end and the horizon.
async fn compact_rows(
    store: &SqliteStore,
    user: &UserId,
    rows: &'static str,
    horizon: Option<Micros>,
) -> Result<Compacted> {
    let mut connection = store.writer.acquire().await?;
    let mut seen = log::head(&mut connection, user).await?;
    by_record(&mut connection).await?;
    sqlx::query(rows)
        .bind(user.as_str())
        .bind(seen.0.0)
        .bind(horizon.map_or(i64::MAX, |horizon| horizon.0))
        .execute(&mut *connection)
        .await?;
    let mut compacted = Compacted::default();
    let mut after = None;
    loop {
        let keys = next_keys(&mut connection, after.as_ref()).await?;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        // What others wrote since the last look belongs to the records now.
        let head = log::head(&mut tx, user).await?;
        add_rows(&mut tx, user, seen).await?;
        seen = head;
        let mut going = Vec::new();
        for key in &keys {
            match superseded(store, &mut tx, user, key, horizon, head).await? {
                Some(places) => going.extend(places),
                None => compacted.left.push(key.clone()),
            }
        }
        compacted.dropped += drop_rows(&mut tx, user, &going).await?;
        compacted.floor = records::floor(&mut *tx, user).await?;
        tx.commit().await?;
        match keys.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    forget(&mut connection).await?;
    Ok(compacted)
}

/// An empty place on this connection, outside the database, that sorts a log by record. An index would cost every
/// push what only maintenance needs.
async fn by_record(connection: &mut SqliteConnection) -> Result<()> {
    forget(connection).await?;
    sqlx::query(
        "CREATE TEMP TABLE by_record (
             app_id TEXT, table_name TEXT, record_id TEXT, created_at INTEGER,
             PRIMARY KEY (app_id, table_name, record_id, created_at)) WITHOUT ROWID",
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn forget(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("DROP TABLE IF EXISTS temp.by_record")
        .execute(connection)
        .await?;
    Ok(())
}

async fn add_rows(tx: &mut SqliteConnection, user: &UserId, after: Cursor) -> Result<()> {
    sqlx::query(
        "INSERT INTO temp.by_record SELECT app_id, table_name, record_id, created_at FROM sync_changes
         WHERE user_id = ? AND created_at > ? ORDER BY app_id, table_name, record_id, created_at",
    )
    .bind(user.as_str())
    .bind(after.0.0)
    .execute(tx)
    .await?;
    Ok(())
}

async fn next_keys(
    tx: &mut SqliteConnection,
    after: Option<&RecordKey>,
) -> Result<BTreeSet<RecordKey>> {
    let (app, table, id) = after.map_or(("", "", ""), |key| (&key.app, &key.table, &key.id));
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT DISTINCT app_id, table_name, record_id FROM temp.by_record
         WHERE (app_id, table_name, record_id) > (?, ?, ?) ORDER BY app_id, table_name, record_id LIMIT ?",
    )
    .bind(app)
    .bind(table)
    .bind(id)
    .bind(BATCH)
    .fetch_all(tx)
    .await?;
    let keys = rows.into_iter();
    Ok(keys
        .map(|(app, table, id)| RecordKey::new(app, table, id))
        .collect())
}

/// The places of a record's rows that can go. None if its rows don't make it.
async fn superseded(
    store: &SqliteStore,
    tx: &mut SqliteConnection,
    user: &UserId,
    key: &RecordKey,
    horizon: Option<Micros>,
    head: Cursor,
) -> Result<Option<Vec<i64>>> {
    let keys = BTreeSet::from([key.clone()]);
    let stored = append::states(tx, user, &keys).await?;
    let stored = stored.into_values().next();
    let mut sieve = Sieve::new(store.registry.schema(&key.app, &key.table), stored.as_ref());
    let mut rows = sqlx::query(
        "SELECT c.created_at, event_id, c.app_id, c.table_name, c.record_id, op, data, field_timestamps, actor,
             client_id, schema_version, at, extra, adjusted IS NOT NULL
         FROM temp.by_record k CROSS JOIN sync_changes c ON c.user_id = ? AND c.created_at = k.created_at
         WHERE k.app_id = ? AND k.table_name = ? AND k.record_id = ? ORDER BY k.created_at DESC",
    )
    .bind(user.as_str())
    .bind(&key.app)
    .bind(&key.table)
    .bind(&key.id)
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        let set_back: bool = row.try_get(13)?;
        let logged = ChangeRow::from_row(&row)?.into_logged()?;
        if sieve.stays(&logged, set_back, horizon, head) {
            sieve.keep(&logged.change);
        } else {
            sieve.weigh(&logged.change, logged.cursor.0.0);
        }
    }
    drop(rows);
    Ok(sieve.superseded())
}

async fn drop_rows(tx: &mut SqliteConnection, user: &UserId, places: &[i64]) -> Result<u64> {
    let Some(newest) = places.iter().max() else {
        return Ok(0);
    };
    let done = sqlx::query(
        "DELETE FROM sync_changes WHERE user_id = ? AND created_at IN (SELECT value FROM json_each(?))",
    )
    .bind(user.as_str())
    .bind(json!(places).to_string())
    .execute(&mut *tx)
    .await?;
    records::raise_floor::<Sqlite>(tx, user, Cursor(Micros(*newest))).await?;
    Ok(done.rows_affected())
}

/// Replays a log and compares. Where there is a place to mend at, records that differ are put right; the missions
/// whose due times differ are answered.
async fn replay(
    store: &SqliteStore,
    tx: &mut SqliteConnection,
    user: &UserId,
    mend: Option<Cursor>,
) -> Result<(Projected, Schedule)> {
    let forgotten = records::forgotten(tx, user).await?;
    let mut comparison = Comparison::new(records::due_times(tx, user).await?, forgotten);
    add_rows(tx, user, Cursor::BEGINNING).await?;
    // Records that no row makes are found too. No row of a log stands at 0.
    sqlx::query("INSERT INTO temp.by_record SELECT app_id, table_name, record_id, 0 FROM records WHERE user_id = ?")
        .bind(user.as_str())
        .execute(&mut *tx)
        .await?;
    let mut after = None;
    loop {
        let keys = next_keys(tx, after.as_ref()).await?;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            break;
        };
        let mut made = made(store, tx, user, first, last).await?;
        let mut stored = stored(tx, user, first, last).await?;
        let mut right = Vec::new();
        let mut surplus = Vec::new();
        for key in &keys {
            let stored = stored.remove(key);
            match comparison.record(key, made.remove(key), stored.as_deref())? {
                Mend::Nothing => {}
                Mend::Write(state) => right.push((key.clone(), state)),
                Mend::Delete => surplus.push(key.clone()),
            }
        }
        if let Some(head) = mend {
            append::write_records(tx, user, head, &right).await?;
            records::delete_records(tx, user, &surplus).await?;
        }
        after = Some(last.clone());
    }
    Ok(comparison.finish())
}

/// The records that the log makes, from one key to another.
async fn made(
    store: &SqliteStore,
    tx: &mut SqliteConnection,
    user: &UserId,
    first: &RecordKey,
    last: &RecordKey,
) -> Result<BTreeMap<RecordKey, RecordState>> {
    let mut made: BTreeMap<RecordKey, RecordState> = BTreeMap::new();
    let mut rows = sqlx::query(
        "SELECT c.created_at, event_id, c.app_id, c.table_name, c.record_id, op, data, field_timestamps, actor,
             client_id, schema_version, at, extra
         FROM temp.by_record k CROSS JOIN sync_changes c ON c.user_id = ?1 AND c.created_at = k.created_at
         WHERE (k.app_id, k.table_name, k.record_id) >= (?2, ?3, ?4)
           AND (k.app_id, k.table_name, k.record_id) <= (?5, ?6, ?7)
         ORDER BY k.app_id, k.table_name, k.record_id, k.created_at",
    )
    .bind(user.as_str())
    .bind(&first.app)
    .bind(&first.table)
    .bind(&first.id)
    .bind(&last.app)
    .bind(&last.table)
    .bind(&last.id)
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        let change = ChangeRow::from_row(&row)?.into_logged()?.change;
        let schema = apply_push::schema_of(&store.registry, &change);
        apply(
            schema,
            made.entry(record_key(&change)).or_default(),
            &change,
        );
    }
    // A change that writes nothing makes nothing (M8).
    made.retain(|_, state| !state.meta.is_empty());
    Ok(made)
}

async fn stored(
    tx: &mut SqliteConnection,
    user: &UserId,
    first: &RecordKey,
    last: &RecordKey,
) -> Result<BTreeMap<RecordKey, String>> {
    let rows: Vec<SqliteRow> = sqlx::query(
        "SELECT app_id, table_name, record_id, state FROM records WHERE user_id = ?
           AND (app_id, table_name, record_id) >= (?, ?, ?) AND (app_id, table_name, record_id) <= (?, ?, ?)",
    )
    .bind(user.as_str())
    .bind(&first.app)
    .bind(&first.table)
    .bind(&first.id)
    .bind(&last.app)
    .bind(&last.table)
    .bind(&last.id)
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let text = |column| row.try_get::<String, usize>(column);
            Ok((RecordKey::new(text(0)?, text(1)?, text(2)?), text(3)?))
        })
        .collect()
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
