//! Rows that came by SQL: they have their place, and wait to be folded into the projections. Until then nobody
//! is given them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use mana_core::{Actor, Change, Defaults, Micros, manifest::Registry, record::MAX_RECORD_BYTES};
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Postgres};

use super::{
    append::{self, FoldInput, Written},
    db::Db,
    lock::{self, LogTx, Tx, Wanted},
    log::{self, COLUMNS},
    notify::notify,
};
use crate::{
    Result, StoreError, UserId,
    apply_push::{self, LogRow, Plan},
    message::Message,
    row::ChangeRow,
    sql::schedule,
};

/// Rows folded at once.
const BATCH: i64 = 1000;

/// Folds what waits in this log.
pub(super) async fn fold(db: &Arc<Db>, user: &UserId) -> Result<()> {
    let (mut log, _) = db.lock(user, &Wanted::default()).await?;
    fold_in(db, &mut log, user).await?;
    Ok(log.tx.commit().await?)
}

/// Whose logs have rows that wait.
pub(super) async fn users(db: &Db) -> Result<Vec<UserId>> {
    let users: Vec<String> = sqlx::query_scalar("SELECT user_id FROM pending_folds")
        .fetch_all(&db.pool)
        .await?;
    Ok(users.into_iter().map(UserId).collect())
}

/// Folds what waits, within the transaction that holds the log's lock.
pub(super) async fn fold_in(db: &Db, log: &mut LogTx, user: &UserId) -> Result<()> {
    if !std::mem::take(&mut log.pending) {
        return Ok(());
    }
    sqlx::query("DELETE FROM pending_folds WHERE user_id = $1")
        .bind(user.as_str())
        .execute(&mut *log.tx)
        .await?;
    let mut done = Done::default();
    let mut alone = 0;
    loop {
        let limit = if alone > 0 { 1 } else { BATCH };
        let rows = unfolded(&mut log.tx, user, limit).await?;
        if rows.is_empty() {
            break;
        }
        let count = rows.len();
        alone = usize::saturating_sub(alone, 1);
        match fold_rows(db, log, user, rows, &mut done).await? {
            Ok(()) => {}
            Err((place, reason)) if count == 1 => {
                refuse(&mut log.tx, user, place, &reason).await?;
            }
            // One of them is at fault: each goes alone.
            Err(_) => alone = count,
        }
    }
    if !done.tables.is_empty() {
        let client = done.client.flatten();
        // From nobody: this process has not told its own devices either.
        let message = Message::committed(user, &done.tables, client.as_deref())
            .schedule(done.schedule_changed);
        notify(&mut log.tx, "", message).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Done {
    tables: BTreeSet<(String, String)>,
    /// The client that wrote; none within: several.
    client: Option<Option<String>>,
    schedule_changed: bool,
}

async fn unfolded(tx: &mut Tx, user: &UserId, limit: i64) -> Result<Vec<ChangeRow>> {
    let select = format!(
        "SELECT {COLUMNS} FROM sync_changes WHERE user_id = $1 AND NOT folded ORDER BY created_at LIMIT $2"
    );
    let rows: Vec<ChangeRow> = sqlx::query_as(AssertSqlSafe(select))
        .bind(user.as_str())
        .bind(limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

/// Why a row can't be folded, and its place.
type AtFault = (i64, String);

async fn fold_rows(
    db: &Db,
    log: &mut LogTx,
    user: &UserId,
    rows: Vec<ChangeRow>,
    done: &mut Done,
) -> Result<Result<(), AtFault>> {
    let mut changes = Vec::with_capacity(rows.len());
    let mut places = HashMap::with_capacity(rows.len());
    let mut first = 0;
    let mut newest = Micros::EPOCH;
    for row in rows {
        let place = row.created_at;
        if changes.is_empty() {
            first = place;
        }
        match change(&db.registry, &row) {
            Ok(change) => {
                newest = Micros(place);
                places.insert(row.event_id, (place, row.client_id));
                changes.push(change);
            }
            Err(reason) => refuse(&mut log.tx, user, place, &reason).await?,
        }
    }
    if changes.is_empty() {
        return Ok(Ok(()));
    }
    // No clock: the last row's place is when they came.
    let plan = Plan::new(&db.registry, changes, HashMap::new(), newest)?;
    let wanted = Wanted {
        keys: plan.keys(),
        ..Wanted::default()
    };
    let states = lock::found(&mut log.tx, user, &wanted).await?.states;
    let fold = FoldInput {
        states,
        now: newest,
        largest: MAX_RECORD_BYTES,
    };
    let folded = match append::fold_plan(db, &mut log.tx, user, &plan, fold).await {
        Err(StoreError::Invalid(reason)) => return Ok(Err((first, reason))),
        Err(
            refused @ (StoreError::Forgotten { .. }
            | StoreError::RecordTooLarge { .. }
            | StoreError::Stands),
        ) => {
            return Ok(Err((first, refused.to_string())));
        }
        folded => folded?,
    };
    // The server's additions come after every row there is, folded or not.
    let (added, end) = {
        let none = Plan::new(&db.registry, Vec::new(), HashMap::new(), newest)?;
        apply_push::log_rows(
            &none,
            &folded,
            apply_push::SERVER,
            &BTreeSet::new(),
            newest,
            log.head,
        )?
    };
    let rows = plan
        .fresh
        .iter()
        .map(|change| {
            let id = change.event_id.as_deref().unwrap_or_default();
            let (place, client) = places.get(id).cloned().unwrap_or_default();
            Ok((
                ChangeRow::new(change, &client, Micros(place))?,
                plan.adjusted_of(change)?,
            ))
        })
        .collect::<Result<Vec<LogRow>>>()?;
    complete(&mut log.tx, user, &rows).await?;
    log.head = log.head.max(end);
    let written = Written {
        rows: &added,
        cursor: log.head,
        records: &folded.records,
        notice: None,
        numbered: None,
    };
    append::write(&mut log.tx, user, written).await?;
    schedule::write_due::<Postgres>(&mut *log.tx, user, &folded.schedule).await?;
    done.tables.extend(plan.tables());
    done.schedule_changed |= !folded.schedule.is_empty();
    for (row, _) in rows {
        match &done.client {
            None => done.client = Some(Some(row.client_id)),
            Some(Some(client)) if *client != row.client_id => done.client = Some(None),
            _ => {}
        }
    }
    Ok(Ok(()))
}

/// The normalised change of a row as somebody wrote it.
fn change(registry: &Registry, row: &ChangeRow) -> Result<Change, String> {
    let object = |column: &str, text: &str| match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(format!("`{column}` is no JSON object")),
        Err(error) => Err(format!("`{column}` can't be read: {error}")),
    };
    let data = row
        .data
        .as_deref()
        .map(|text| object("data", text))
        .transpose()?;
    let mut stamps = object("field_timestamps", &row.field_timestamps)?;
    let mut change = row
        .extra
        .as_deref()
        .map_or(Ok(Map::new()), |text| object("extra", text))?;
    let mut put = |field: &str, value: Value| change.insert(field.to_owned(), value);
    put("eventId", json!(row.event_id));
    put("appId", json!(row.app_id));
    put("table", json!(row.table_name));
    put("id", json!(row.record_id));
    put("op", json!(row.op));
    put("schemaVersion", json!(row.schema_version));
    put("actor", Value::Object(object("actor", &row.actor)?));
    if let Some(at) = row.at {
        put("at", json!(Micros(at)));
    }
    match row.op.as_str() {
        "delete" => {
            let mut data = data.unwrap_or_default();
            let at = stamps
                .remove("deletedAt")
                .or_else(|| data.remove("deletedAt"));
            put("deletedAt", at.unwrap_or_default());
        }
        op => {
            let data = data.ok_or("`data` is missing; give the values by field")?;
            let mut fields = Map::new();
            for (field, value) in &data {
                let mut write = Map::new();
                if op == "update" {
                    write.insert("value".to_owned(), value.clone());
                }
                if let Some(at) = stamps.remove(field) {
                    write.insert("updatedAt".to_owned(), at);
                }
                if !write.is_empty() {
                    fields.insert(field.clone(), Value::Object(write));
                }
            }
            put("fields", Value::Object(fields));
            if op == "insert" {
                put("data", Value::Object(data));
            }
        }
    }
    let change = Change::parse(Value::Object(change)).map_err(|error| error.reason)?;
    change
        .check_lists(registry.schema(&row.app_id, &row.table_name))
        .map_err(|error| error.reason)?;
    Ok(change.normalize(Defaults {
        event_id: row.event_id.clone(),
        at: Micros(row.created_at),
        actor: Actor::user(),
        app_id: row.app_id.clone(),
    }))
}

/// Writes the rows as they count, with every stamp explicit, and marks them folded.
async fn complete(tx: &mut Tx, user: &UserId, rows: &[LogRow]) -> Result<()> {
    let columns = log::Columns::of(rows);
    sqlx::query(
        "UPDATE sync_changes c SET data = r.data::jsonb, field_timestamps = r.field_timestamps::jsonb, \
         actor = r.actor::jsonb, at = mana_at(r.at), adjusted = r.adjusted, folded = true,
         field_meta = CASE WHEN c.app_id = 'ai' THEN r.field_timestamps::jsonb ELSE c.field_meta END
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
         AS r (event_id, data, field_timestamps, actor, at, adjusted)
         WHERE c.user_id = $1 AND c.event_id = r.event_id",
    )
    .bind(user.as_str())
    .bind(&columns.event_id)
    .bind(&columns.data)
    .bind(&columns.field_timestamps)
    .bind(&columns.actor)
    .bind(&columns.at)
    .bind(&columns.adjusted)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes a row that is no change out of the log, and keeps it with the reason.
async fn refuse(tx: &mut Tx, user: &UserId, place: i64, reason: &str) -> Result<()> {
    sqlx::query(
        "WITH gone AS (DELETE FROM sync_changes WHERE user_id = $1 AND created_at = mana_at($2) RETURNING *)
         INSERT INTO sync_refused (user_id, reason, change) SELECT $1, $3, to_jsonb(gone) FROM gone",
    )
    .bind(user.as_str())
    .bind(place)
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
