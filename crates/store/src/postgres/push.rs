//! Appending to the log and folding into the projections, in one transaction.

use std::collections::{BTreeSet, HashMap};

use mana_core::{Adjusted, RecordKey, RecordState};
use std::sync::Arc;

use super::{
    Db,
    lock::{self, Tx},
    log,
    notices::Message,
    runs,
};
use crate::{
    Cursor, Push, Pushed, Result, Scope, StoreError, UserId,
    fold::{self, Folded, LogRow, Plan},
    row,
};
use sqlx::PgConnection;

pub(super) async fn push(db: &Arc<Db>, scope: &Scope, push: Push) -> Result<Pushed> {
    let user = scope.owner();
    if push.changes.is_empty() && push.fence.is_none() {
        let mut tx = db.read(user).await?;
        let cursor = lock::folded_head(&mut tx, user).await?;
        tx.commit().await?;
        return Ok(Pushed {
            before: cursor,
            cursor,
            ..Pushed::default()
        });
    }

    let mut log = db.write(user).await?;
    let tx = &mut log.tx;
    let sent = push.changes.len();
    let events: Vec<&str> = push
        .changes
        .iter()
        .filter_map(|change| change.event_id.as_deref())
        .collect();
    let stored = stored(tx, user, &events).await?;
    let now = push.received_at.max(log.head.0.plus(1));
    let plan = Plan::new(&db.registry, push.changes, stored, now)?;
    if let Some(fence) = &push.fence {
        let held = runs::end(tx, user, fence).await?;
        // A run whose answer got lost after the commit comes again with nothing new: that is no late writer.
        let replay = sent > 0 && plan.fresh.is_empty();
        if !held && !replay {
            return Err(StoreError::LeaseLost);
        }
        if !replay && !fence.saw(&states(tx, user, &fence.keys()).await?) {
            return Err(StoreError::Moved);
        }
    }
    let mut pushed = Pushed {
        adjusted: plan.adjusted(),
        before: log.head,
        cursor: log.head,
        ..Pushed::default()
    };
    if !plan.fresh.is_empty() {
        let folded = fold_plan(db, tx, user, &plan, push.received_at).await?;
        let (rows, end) =
            fold::log_rows(&plan, &folded, &push.client_id, push.received_at, log.head)?;
        append(tx, user, &rows).await?;
        project(tx, user, end, &folded).await?;
        pushed.cursor = end;
        pushed.tables = plan.tables();
        pushed.added = !folded.follow_ups.is_empty();
        pushed.schedule_changed = !folded.schedule.is_empty();
        Message::committed(user, &pushed.tables, Some(&push.client_id))
            .schedule(pushed.schedule_changed)
            .send(tx, &db.instance)
            .await?;
    }
    log.tx.commit().await?;
    Ok(pushed)
}

/// What the new changes make of the projections as they are.
pub(super) async fn fold_plan(
    db: &Db,
    tx: &mut Tx,
    user: &UserId,
    plan: &Plan,
    now: mana_core::Micros,
) -> Result<Folded> {
    let states = states(tx, user, &plan.keys()).await?;
    let timezone = if plan.touches_missions() {
        timezone(tx, user).await?
    } else {
        None
    };
    fold::fold(&db.registry, states, &plan.fresh, timezone.as_deref(), now)
}

/// What the log has of these changes already, by event id, with the stamps that were set back.
pub(super) async fn stored(
    tx: &mut Tx,
    user: &UserId,
    events: &[&str],
) -> Result<HashMap<String, Vec<Adjusted>>> {
    // One look into the index for each, whatever the planner believes of a log that has just grown: `= ANY` and a
    // join both end in reading all of it.
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT c.event_id, c.adjusted
         FROM unnest($2::text[]) AS k (id) CROSS JOIN LATERAL (
             SELECT event_id, adjusted FROM sync_changes WHERE user_id = $1 AND event_id = k.id LIMIT 1) AS c",
    )
    .bind(user.as_str())
    .bind(events)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|(id, adjusted)| {
            Ok((
                id,
                adjusted.as_deref().map_or(Ok(Vec::new()), row::adjusted)?,
            ))
        })
        .collect()
}

pub(super) async fn states(
    tx: &mut Tx,
    user: &UserId,
    keys: &BTreeSet<RecordKey>,
) -> Result<HashMap<RecordKey, RecordState>> {
    let [mut apps, mut tables, mut ids] = [const { Vec::<&str>::new() }; 3];
    for key in keys {
        apps.push(&key.app);
        tables.push(&key.table);
        ids.push(&key.id);
    }
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT k.app, k.tbl, k.id, r.state
         FROM unnest($2::text[], $3::text[], $4::text[]) AS k (app, tbl, id) CROSS JOIN LATERAL (
             SELECT state FROM records
             WHERE user_id = $1 AND app_id = k.app AND table_name = k.tbl AND record_id = k.id LIMIT 1) AS r",
    )
    .bind(user.as_str())
    .bind(&apps)
    .bind(&tables)
    .bind(&ids)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|(app, table, id, state)| Ok((RecordKey::new(app, table, id), row::state(&state)?)))
        .collect()
}

async fn timezone(tx: &mut Tx, user: &UserId) -> Result<Option<String>> {
    Ok(
        sqlx::query_scalar("SELECT timezone FROM users WHERE id = $1")
            .bind(user.as_str())
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Appends rows whose place is given, all in one statement.
pub(super) async fn append(tx: &mut Tx, user: &UserId, rows: &[LogRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = log::Columns::of(rows);
    sqlx::query(
        "INSERT INTO sync_changes (user_id, created_at, event_id, app_id, table_name, record_id, op, data, \
         field_timestamps, actor, client_id, schema_version, at, extra, adjusted, folded)
         SELECT $1, mana_at(r.created_at), r.event_id, r.app_id, r.table_name, r.record_id, r.op, r.data::jsonb, \
         r.field_timestamps::jsonb, r.actor::jsonb, r.client_id, r.schema_version, mana_at(r.at), r.extra, r.adjusted, true
         FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], \
         $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[])
         AS r (created_at, event_id, app_id, table_name, record_id, op, data, field_timestamps, actor, client_id, \
         schema_version, at, extra, adjusted)",
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
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes what changed in the projections.
pub(super) async fn project(
    tx: &mut Tx,
    user: &UserId,
    cursor: Cursor,
    folded: &Folded,
) -> Result<()> {
    write_records(tx, user, cursor, &folded.records).await?;
    write_schedule(tx, user, folded).await
}

pub(super) async fn write_records(
    tx: &mut PgConnection,
    user: &UserId,
    cursor: Cursor,
    records: &[(RecordKey, RecordState)],
) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let [mut apps, mut tables, mut ids] = [const { Vec::<&str>::new() }; 3];
    let mut states = Vec::with_capacity(records.len());
    for (key, state) in records {
        apps.push(&key.app);
        tables.push(&key.table);
        ids.push(&key.id);
        states.push(row::json("a record", state)?);
    }
    sqlx::query(
        "INSERT INTO records (user_id, app_id, table_name, record_id, state, updated_at)
         SELECT $1, r.app, r.tbl, r.id, r.state, $2
         FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS r (app, tbl, id, state)
         ON CONFLICT (user_id, app_id, table_name, record_id)
         DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
    )
    .bind(user.as_str())
    .bind(cursor.0.0)
    .bind(&apps)
    .bind(&tables)
    .bind(&ids)
    .bind(&states)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn write_schedule(
    tx: &mut PgConnection,
    user: &UserId,
    folded: &Folded,
) -> Result<()> {
    let gone: Vec<&str> = folded
        .schedule
        .iter()
        .filter(|(_, row)| row.is_none())
        .map(|(id, _)| id.as_str())
        .collect();
    if !gone.is_empty() {
        for delete in [
            "DELETE FROM mission_schedule WHERE user_id = $1 AND mission_id = ANY ($2)",
            // What is left of a claim that nobody holds is the count of attempts at a slot that won't come.
            "DELETE FROM mission_claims WHERE user_id = $1 AND mission_id = ANY ($2) AND worker IS NULL",
        ] {
            sqlx::query(delete)
                .bind(user.as_str())
                .bind(&gone)
                .execute(&mut *tx)
                .await?;
        }
    }
    let [mut ids, mut slots] = [const { Vec::<String>::new() }; 2];
    let mut times = Vec::new();
    for row in folded.schedule.iter().filter_map(|(_, row)| row.as_ref()) {
        ids.push(row.mission_id.clone());
        times.push(row.next_run_at.0);
        slots.push(row.slot.clone());
    }
    if !ids.is_empty() {
        sqlx::query(
            "INSERT INTO mission_schedule (user_id, mission_id, next_run_at, slot)
             SELECT $1, r.mission_id, r.next_run_at, r.slot
             FROM unnest($2::text[], $3::bigint[], $4::text[]) AS r (mission_id, next_run_at, slot)
             ON CONFLICT (user_id, mission_id)
             DO UPDATE SET next_run_at = excluded.next_run_at, slot = excluded.slot",
        )
        .bind(user.as_str())
        .bind(&ids)
        .bind(&times)
        .bind(&slots)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
