//! Looking for changes that a log has already, and writing rows and records in statements of few sizes.

use std::collections::{BTreeSet, HashMap};

use mana_core::{Micros, RecordKey, RecordState};
use serde_json::{Value, json};
use sqlx::{QueryBuilder, Row as _, SqliteConnection};

use crate::{
    Cursor, LogIdentity, Result, UserId,
    accounts::hash,
    apply_push::LogRow,
    identity::Standing,
    json,
    push_number::LastPush,
    row,
    stored_change::{StoredChange, StoredColumns},
};

/// How many of so many rows the next statement takes: a power of two, so that a few statements that are prepared once
/// do for any number. To prepare one of a hundred rows takes as long as to write thirty.
fn share(rows: usize) -> usize {
    1 << rows.clamp(1, 64).ilog2()
}

/// The facts about a log that a push needs before anything else.
pub(super) struct LogStanding {
    /// The log's end.
    pub head: Cursor,
    /// The account was deleted.
    pub deleted: bool,
    pub identity: LogIdentity,
    /// The last numbered push of the client.
    pub last_push: Option<LastPush>,
}

/// Reads all of it in one statement: each statement of a push costs about as much as writing a row.
pub(super) async fn standing(
    tx: &mut SqliteConnection,
    user: &UserId,
    client_id: &str,
) -> Result<LogStanding> {
    let row = sqlx::query(
        "SELECT (SELECT max(created_at) FROM sync_changes WHERE user_id = ?1),
             EXISTS (SELECT 1 FROM deleted_accounts WHERE id_hash = ?2),
             e.epoch, e.restored_at, e.give_back_until, e.discards_newer, p.number, p.changes, p.digest
         FROM (SELECT 1) LEFT JOIN log_epochs e ON e.user_id = ?1
         LEFT JOIN client_pushes p ON p.user_id = ?1 AND p.client_id = ?3",
    )
    .bind(user.as_str())
    .bind(hash(user.as_str()))
    .bind(client_id)
    .fetch_one(tx)
    .await?;
    let head: Option<i64> = row.try_get(0)?;
    let identity = (
        row.try_get(2)?,
        row.try_get(3)?,
        row.try_get(4)?,
        row.try_get(5)?,
    );
    let number: Option<i64> = row.try_get(6)?;
    let last_push = match number {
        Some(number) => Some(LastPush {
            number,
            changes: row.try_get(7)?,
            digest: row.try_get(8)?,
        }),
        None => None,
    };
    Ok(LogStanding {
        head: head.map_or(Cursor::BEGINNING, |at| Cursor(Micros(at))),
        deleted: row.try_get(1)?,
        identity: Standing::identity(user, identity),
        last_push,
    })
}

/// The changes that the log has already, by event id.
pub(super) async fn stored(
    tx: &mut SqliteConnection,
    user: &UserId,
    events: impl Iterator<Item = &str>,
) -> Result<HashMap<String, StoredChange>> {
    let ids: Vec<&str> = events.collect();
    let rows = sqlx::query(
        "SELECT event_id, adjusted, unchanged, app_id, table_name, record_id, op, data FROM sync_changes
         WHERE user_id = ? AND event_id IN (SELECT value FROM json_each(?))",
    )
    .bind(user.as_str())
    .bind(json!(ids).to_string())
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let columns = StoredColumns {
                adjusted: row.try_get(1)?,
                unchanged: row.try_get(2)?,
                app_id: row.try_get(3)?,
                table_name: row.try_get(4)?,
                record_id: row.try_get(5)?,
                op: row.try_get(6)?,
                data: row.try_get(7)?,
            };
            Ok((row.try_get(0)?, StoredChange::new(columns)?))
        })
        .collect()
}

pub(super) async fn states(
    tx: &mut SqliteConnection,
    user: &UserId,
    keys: &BTreeSet<RecordKey>,
) -> Result<HashMap<RecordKey, RecordState>> {
    let keys: Value = keys
        .iter()
        .map(|key| json!([key.app, key.table, key.id]))
        .collect();
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT r.app_id, r.table_name, r.record_id, r.state
         FROM json_each(?2) k CROSS JOIN records r
         ON r.user_id = ?1 AND r.app_id = k.value ->> 0 AND r.table_name = k.value ->> 1
         AND r.record_id = k.value ->> 2",
    )
    .bind(user.as_str())
    .bind(keys.to_string())
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|(app, table, id, state)| Ok((RecordKey::new(app, table, id), row::state(&state)?)))
        .collect()
}

pub(super) async fn insert_rows(
    tx: &mut SqliteConnection,
    user: &UserId,
    rows: Vec<LogRow>,
) -> Result<()> {
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let some = share(rows.len());
        let mut insert = QueryBuilder::new(
            "INSERT INTO sync_changes (user_id, created_at, event_id, app_id, table_name, record_id, op, data, \
             field_timestamps, actor, client_id, schema_version, at, extra, adjusted, unchanged) ",
        );
        insert.push_values(rows.by_ref().take(some), |mut values, (row, adjusted)| {
            values
                .push_bind(user.as_str())
                .push_bind(row.created_at)
                .push_bind(row.event_id)
                .push_bind(row.app_id)
                .push_bind(row.table_name)
                .push_bind(row.record_id)
                .push_bind(row.op)
                .push_bind(row.data)
                .push_bind(row.field_timestamps)
                .push_bind(row.actor)
                .push_bind(row.client_id)
                .push_bind(row.schema_version)
                .push_bind(row.at)
                .push_bind(row.extra)
                .push_bind(adjusted)
                .push_bind(row.unchanged);
        });
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}

pub(super) async fn write_records(
    tx: &mut SqliteConnection,
    user: &UserId,
    cursor: Cursor,
    records: &[(RecordKey, RecordState)],
) -> Result<()> {
    let mut records = records;
    while !records.is_empty() {
        let some;
        (some, records) = records.split_at(share(records.len()));
        let states = some
            .iter()
            .map(|(key, state)| Ok((key, json::json("a record", state)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut insert = QueryBuilder::new(
            "INSERT INTO records (user_id, app_id, table_name, record_id, state, updated_at) ",
        );
        insert.push_values(states, |mut values, (key, state)| {
            values
                .push_bind(user.as_str())
                .push_bind(&key.app)
                .push_bind(&key.table)
                .push_bind(&key.id)
                .push_bind(state)
                .push_bind(cursor.0.0);
        });
        insert.push(
            " ON CONFLICT (user_id, app_id, table_name, record_id)
             DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        );
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}
