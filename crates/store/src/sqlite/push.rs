//! Appending to the log and folding into the projections, in one transaction.

use std::collections::{BTreeSet, HashMap};

use mana_core::{Adjusted, Micros, RecordKey, RecordState};
use serde_json::{Value, json};
use sqlx::{QueryBuilder, SqliteConnection};

use super::{SqliteStore, log, runs};
use crate::{
    Cursor, Push, Pushed, Result, Scope, StoreError, UserId,
    fold::{self, Folded, Plan},
    row,
};

/// How many of so many rows the next statement takes: a power of two, so that a few statements that are prepared once
/// do for any number. To prepare one of a hundred rows takes as long as to write thirty.
fn share(rows: usize) -> usize {
    1 << rows.clamp(1, 64).ilog2()
}

pub(super) async fn push(store: &SqliteStore, scope: &Scope, push: Push) -> Result<Pushed> {
    let user = scope.owner();
    if push.changes.is_empty() && push.fence.is_none() {
        let cursor = log::head(&mut *store.readers.acquire().await?, user).await?;
        return Ok(Pushed {
            before: cursor,
            cursor,
            ..Pushed::default()
        });
    }

    let mut tx = store.write().await?;
    let sent = push.changes.len();
    let events = push
        .changes
        .iter()
        .filter_map(|change| change.event_id.as_deref());
    let stored = stored(&mut tx, user, events).await?;
    let mut cursor = log::head(&mut tx, user).await?;
    let now = push.received_at.max(cursor.0.plus(1));
    let plan = Plan::new(&store.registry, push.changes, stored, now)?;
    if let Some(fence) = &push.fence {
        let held = runs::end(&mut tx, user, fence).await?;
        // A run whose answer got lost after the commit comes again with nothing new: that is no late writer.
        let replay = sent > 0 && plan.fresh.is_empty();
        if !held && !replay {
            return Err(StoreError::LeaseLost);
        }
        if !replay && !fence.saw(&states(&mut tx, user, &fence.keys()).await?) {
            return Err(StoreError::Moved);
        }
    }
    let mut pushed = Pushed {
        adjusted: plan.adjusted(),
        before: cursor,
        ..Pushed::default()
    };
    if !plan.fresh.is_empty() {
        let states = states(&mut tx, user, &plan.keys()).await?;
        let timezone = if plan.touches_missions() {
            timezone(&mut tx, user).await?
        } else {
            None
        };
        let folded = fold::fold(
            &store.registry,
            states,
            &plan.fresh,
            timezone.as_deref(),
            push.received_at,
        )?;
        cursor = append(
            &mut tx,
            user,
            &push.client_id,
            push.received_at,
            cursor,
            &plan,
            &folded,
        )
        .await?;
        write_records(&mut tx, user, cursor, &folded.records).await?;
        write_schedule(&mut tx, user, &folded).await?;
        pushed.tables = plan.tables();
        pushed.added = !folded.follow_ups.is_empty();
        pushed.schedule_changed = !folded.schedule.is_empty();
    }
    tx.commit().await?;
    pushed.cursor = cursor;
    Ok(pushed)
}

/// What the log has of these changes already, with the stamps that were set back.
pub(super) async fn stored(
    tx: &mut SqliteConnection,
    user: &UserId,
    events: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Vec<Adjusted>>> {
    let ids: Vec<&str> = events.collect();
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT event_id, adjusted FROM sync_changes
         WHERE user_id = ? AND event_id IN (SELECT value FROM json_each(?))",
    )
    .bind(user.as_str())
    .bind(json!(ids).to_string())
    .fetch_all(tx)
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
         ON r.user_id = ?1 AND r.app_id = k.value ->> 0 AND r.table_name = k.value ->> 1 AND r.record_id = k.value ->> 2",
    )
    .bind(user.as_str())
    .bind(keys.to_string())
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|(app, table, id, state)| Ok((RecordKey::new(app, table, id), row::state(&state)?)))
        .collect()
}

async fn timezone(tx: &mut SqliteConnection, user: &UserId) -> Result<Option<String>> {
    Ok(
        sqlx::query_scalar("SELECT timezone FROM users WHERE id = ?")
            .bind(user.as_str())
            .fetch_optional(tx)
            .await?,
    )
}

/// Appends the push's changes and then the server's own, and answers the log's new end.
async fn append(
    tx: &mut SqliteConnection,
    user: &UserId,
    client: &str,
    now: Micros,
    end: Cursor,
    plan: &Plan,
    folded: &Folded,
) -> Result<Cursor> {
    let (rows, end) = fold::log_rows(plan, folded, client, now, end)?;
    insert_rows(tx, user, rows).await?;
    Ok(end)
}

pub(super) async fn insert_rows(
    tx: &mut SqliteConnection,
    user: &UserId,
    rows: Vec<fold::LogRow>,
) -> Result<()> {
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let some = share(rows.len());
        let mut insert = QueryBuilder::new(
            "INSERT INTO sync_changes (user_id, created_at, event_id, app_id, table_name, record_id, op, data, \
             field_timestamps, actor, client_id, schema_version, at, extra, adjusted) ",
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
                .push_bind(adjusted);
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
            .map(|(key, state)| Ok((key, row::json("a record", state)?)))
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

pub(super) async fn write_schedule(
    tx: &mut SqliteConnection,
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
        let gone = json!(gone).to_string();
        for delete in [
            "DELETE FROM mission_schedule
             WHERE user_id = ? AND mission_id IN (SELECT value FROM json_each(?))",
            // What is left of a claim that nobody holds is the count of attempts at a slot that won't come.
            "DELETE FROM mission_claims
             WHERE user_id = ? AND mission_id IN (SELECT value FROM json_each(?)) AND worker IS NULL",
        ] {
            sqlx::query(delete).bind(user.as_str()).bind(&gone).execute(&mut *tx).await?;
        }
    }
    let due: Vec<_> = folded
        .schedule
        .iter()
        .filter_map(|(_, row)| row.as_ref())
        .collect();
    let mut due = due.into_iter();
    while due.len() > 0 {
        let some = share(due.len());
        let mut insert = QueryBuilder::new(
            "INSERT INTO mission_schedule (user_id, mission_id, next_run_at, slot) ",
        );
        insert.push_values(due.by_ref().take(some), |mut values, row| {
            values
                .push_bind(user.as_str())
                .push_bind(&row.mission_id)
                .push_bind(row.next_run_at.0)
                .push_bind(&row.slot);
        });
        insert.push(
            " ON CONFLICT (user_id, mission_id)
             DO UPDATE SET next_run_at = excluded.next_run_at, slot = excluded.slot",
        );
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}
