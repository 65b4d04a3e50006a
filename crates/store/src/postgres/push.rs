//! Appending to the log and folding into the projections, in one transaction.

use std::{collections::HashMap, sync::Arc};

use mana_core::{RecordKey, RecordState};

use super::{
    Db,
    lock::{self, Found, Tx, Wanted},
    log, runs,
};
use crate::{
    Cursor, Fence, Push, Pushed, Result, Scope, StoreError, UserId,
    fold::{self, Folded, LogRow, Plan},
    message::{CHANNEL, Message},
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

    let sent = push.changes.len();
    let events = push.changes.iter().filter_map(|c| c.event_id.as_deref());
    let mut wanted = Wanted {
        events: events.collect(),
        keys: push.changes.iter().map(fold::key_of).collect(),
    };
    wanted.keys.extend(push.fence.iter().flat_map(Fence::keys));
    let (mut log, Found { stored, states }) = db.write(user, &wanted).await?;
    let tx = &mut log.tx;
    let now = push.received_at.max(log.head.0.plus(1));
    let plan = Plan::new(&db.registry, push.changes, stored, now)?;
    if let Some(fence) = &push.fence {
        let held = runs::end(tx, user, fence).await?;
        // A run whose answer got lost after the commit comes again with nothing new: that is no late writer.
        let replay = sent > 0 && plan.fresh.is_empty();
        if !held && !replay {
            return Err(StoreError::LeaseLost);
        }
        if !replay && !fence.saw(&states) {
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
        let folded = fold_plan(db, tx, user, &plan, states, push.received_at).await?;
        let (rows, end) =
            fold::log_rows(&plan, &folded, &push.client_id, push.received_at, log.head)?;
        pushed.cursor = end;
        pushed.tables = plan.tables();
        pushed.added = !folded.follow_ups.is_empty();
        pushed.schedule_changed = !folded.schedule.is_empty();
        let notice = Message::committed(user, &pushed.tables, Some(&push.client_id))
            .schedule(pushed.schedule_changed)
            .text(&db.instance)?;
        write(tx, user, &rows, end, &folded.records, Some(&notice)).await?;
        write_schedule(tx, user, &folded).await?;
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
    states: HashMap<RecordKey, RecordState>,
    now: mana_core::Micros,
) -> Result<Folded> {
    let timezone = if plan.touches_missions() {
        timezone(tx, user).await?
    } else {
        None
    };
    fold::fold(&db.registry, states, &plan.fresh, timezone.as_deref(), now)
}

async fn timezone(tx: &mut Tx, user: &UserId) -> Result<Option<String>> {
    Ok(
        sqlx::query_scalar("SELECT timezone FROM users WHERE id = $1")
            .bind(user.as_str())
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Appends rows whose place is given, writes the records that they make, as of `cursor`, and tells the other
/// processes when the transaction commits: one statement, because each is a way there and back under the log's lock.
pub(super) async fn write(
    tx: &mut PgConnection,
    user: &UserId,
    rows: &[LogRow],
    cursor: Cursor,
    records: &[(RecordKey, RecordState)],
    notice: Option<&str>,
) -> Result<()> {
    if rows.is_empty() && records.is_empty() && notice.is_none() {
        return Ok(());
    }
    let columns = log::Columns::of(rows);
    let [mut apps, mut tables, mut ids] = [const { Vec::<&str>::new() }; 3];
    let mut states = Vec::with_capacity(records.len());
    for (key, state) in records {
        apps.push(&key.app);
        tables.push(&key.table);
        ids.push(&key.id);
        states.push(row::json("a record", state)?);
    }
    sqlx::query(
        "WITH appended AS (
             INSERT INTO sync_changes (user_id, created_at, event_id, app_id, table_name, record_id, op, data, \
             field_timestamps, actor, client_id, schema_version, at, extra, adjusted, folded)
             SELECT $1, mana_at(r.created_at), r.event_id, r.app_id, r.table_name, r.record_id, r.op, r.data::jsonb, \
             r.field_timestamps::jsonb, r.actor::jsonb, r.client_id, r.schema_version, mana_at(r.at), r.extra, \
             r.adjusted, true
             FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
             $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[])
             AS r (created_at, event_id, app_id, table_name, record_id, op, data, field_timestamps, actor, client_id, \
             schema_version, at, extra, adjusted)),
         recorded AS (
             INSERT INTO records (user_id, app_id, table_name, record_id, state, updated_at)
             SELECT $1, r.app, r.tbl, r.id, r.state, $16
             FROM unnest($17::text[], $18::text[], $19::text[], $20::text[]) AS r (app, tbl, id, state)
             ON CONFLICT (user_id, app_id, table_name, record_id)
             DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at)
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
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Writes the missions whose due time changed.
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
