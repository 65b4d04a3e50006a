//! Appending to a log whose lock is held, and writing the records that the new rows make.

use std::collections::HashMap;

use mana_core::{RecordKey, RecordState};
use sqlx::PgConnection;

use super::{db::Db, lock::Tx, log};
use crate::{
    Cursor, Result, UserId,
    apply_push::{self, Folded, LogRow, Plan},
    json,
    message::CHANNEL,
    push_number::NumberedPush,
    sql::records,
};

/// The records that new changes touch, and what bounds them.
pub(super) struct FoldInput {
    /// The records that exist.
    pub states: HashMap<RecordKey, RecordState>,
    /// The server's time.
    pub now: mana_core::Micros,
    /// The size to which a record may grow, in bytes.
    pub largest: usize,
}

/// The projections after the new changes.
pub(super) async fn fold_plan(
    db: &Db,
    tx: &mut Tx,
    user: &UserId,
    plan: &Plan,
    input: FoldInput,
) -> Result<Folded> {
    let timezone = if plan.touches_missions() {
        records::timezone(&mut **tx, user).await?
    } else {
        None
    };
    apply_push::fold(
        &db.registry,
        input.states,
        &plan.fresh,
        timezone.as_deref(),
        input.now,
        input.largest,
    )
}

/// The writes of a transaction that appends.
pub(super) struct Written<'w> {
    /// Rows whose place is given.
    pub rows: &'w [LogRow],
    /// The log's end with them.
    pub cursor: Cursor,
    /// The records that they make.
    pub records: &'w [(RecordKey, RecordState)],
    /// The message to the other processes, which they get when the transaction commits.
    pub notice: Option<&'w str>,
    /// The push, as its client's last.
    pub numbered: Option<&'w NumberedPush>,
}

/// Writes in one statement, because each is a way there and back under the log's lock.
pub(super) async fn write(
    tx: &mut PgConnection,
    user: &UserId,
    written: Written<'_>,
) -> Result<()> {
    let Written {
        rows,
        cursor,
        records,
        notice,
        numbered,
    } = written;
    if rows.is_empty() && records.is_empty() && notice.is_none() {
        return Ok(());
    }
    let last_push = numbered.map(NumberedPush::kept);
    let columns = log::Columns::of(rows);
    let [mut apps, mut tables, mut ids] = [const { Vec::<&str>::new() }; 3];
    let mut states = Vec::with_capacity(records.len());
    for (key, state) in records {
        apps.push(&key.app);
        tables.push(&key.table);
        ids.push(&key.id);
        states.push(json::json("a record", state)?);
    }
    sqlx::query(
        "WITH appended AS (
             INSERT INTO sync_changes (user_id, created_at, event_id, app_id, table_name, record_id, op, data, \
             field_timestamps, actor, client_id, schema_version, at, extra, adjusted, unchanged, field_meta, folded)
             SELECT $1, mana_at(r.created_at), r.event_id, r.app_id, r.table_name, r.record_id, r.op, r.data::jsonb, \
             r.field_timestamps::jsonb, r.actor::jsonb, r.client_id, r.schema_version, mana_at(r.at), r.extra, \
             r.adjusted, r.unchanged, CASE WHEN r.app_id = 'ai' THEN r.field_timestamps::jsonb END, true
             FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
             $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[], $23::bool[])
             AS r (created_at, event_id, app_id, table_name, record_id, op, data, field_timestamps, actor, client_id, \
             schema_version, at, extra, adjusted, unchanged)),
         recorded AS (
             INSERT INTO records (user_id, app_id, table_name, record_id, state, updated_at)
             SELECT $1, r.app, r.tbl, r.id, r.state, $16
             FROM unnest($17::text[], $18::text[], $19::text[], $20::text[]) AS r (app, tbl, id, state)
             ON CONFLICT (user_id, app_id, table_name, record_id)
             DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at),
         numbered AS (
             INSERT INTO client_pushes (user_id, client_id, number, changes, digest, pushed_at)
             SELECT $1, $24::text, $25::bigint, $26::bigint, $27::text, $16 WHERE $24 IS NOT NULL
             ON CONFLICT (user_id, client_id) DO UPDATE SET number = excluded.number, changes = excluded.changes,
             digest = excluded.digest, pushed_at = excluded.pushed_at)
         SELECT pg_notify($21, $22) WHERE $22 IS NOT NULL",
    )
    .bind(user.as_str())
    .bind(&columns.created_at)
    .bind(&columns.event_id)
    .bind(&columns.app_id)
    .bind(&columns.table_name)
    .bind(&columns.record_id)
    .bind(&columns.op)
    .bind(&columns.data)
    .bind(&columns.field_timestamps)
    .bind(&columns.actor)
    .bind(&columns.client_id)
    .bind(&columns.schema_version)
    .bind(&columns.at)
    .bind(&columns.extra)
    .bind(&columns.adjusted)
    .bind(cursor.0.0)
    .bind(&apps)
    .bind(&tables)
    .bind(&ids)
    .bind(&states)
    .bind(CHANNEL)
    .bind(notice)
    .bind(&columns.unchanged)
    .bind(numbered.map(NumberedPush::client_id))
    .bind(last_push.as_ref().map(|last| last.number))
    .bind(last_push.as_ref().map(|last| last.changes))
    .bind(last_push.as_ref().map(|last| last.digest.as_str()))
    .execute(&mut *tx)
    .await?;
    Ok(())
}
