//! A log on its way out of this database, or into it.

use std::collections::HashSet;

use futures_util::{TryStreamExt, stream::BoxStream};
use mana_core::Change;
use sqlx::{FromRow, Row, Sqlite, SqliteConnection};

use super::{append, db::SqliteStore, log};
use crate::{
    Cursor, Imported, LogPage, LogRow, Result, User, UserId, apply_push, json,
    row::{self, ChangeRow, PAGE_BYTES},
    sql::{accounts, records, schedule},
};

pub(super) async fn export(
    store: &SqliteStore,
    user: &UserId,
    after: Cursor,
    limit: usize,
) -> Result<LogPage> {
    let mut reader = store.readers.acquire().await?;
    let floor = records::floor(&mut *reader, user).await?;
    let epoch = records::identity(&mut *reader, user).await?.epoch;
    let mut rows = sqlx::query(
        "SELECT created_at, event_id, app_id, table_name, record_id, op, data, field_timestamps, actor, client_id,
             schema_version, at, extra, adjusted
         FROM sync_changes WHERE user_id = ? AND created_at > ? ORDER BY created_at",
    )
    .bind(user.as_str())
    .bind(after.0.0)
    .fetch(&mut *reader);
    let mut page = LogPage {
        rows: Vec::new(),
        has_more: false,
        floor,
        epoch,
    };
    let mut bytes = 0;
    while let Some(stored) = rows.try_next().await? {
        if page.rows.len() >= limit || bytes > PAGE_BYTES {
            page.has_more = true;
            break;
        }
        let row = ChangeRow::from_row(&stored)?;
        bytes += row.size();
        let adjusted: Option<&str> = stored.try_get(13)?;
        page.rows.push(LogRow {
            adjusted: adjusted.map_or(Ok(Vec::new()), row::adjusted)?,
            logged: row.into_logged()?,
        });
    }
    Ok(page)
}

/// Rows that an import stores at once.
const BATCH: usize = 500;

pub(super) async fn import(
    store: &SqliteStore,
    account: User,
    floor: Cursor,
    epoch: Option<String>,
    mut rows: BoxStream<'_, Result<LogRow>>,
) -> Result<Imported> {
    let user = account.id.clone();
    let mut tx = store.write().await?;
    let mut imported = accounts::import(&mut *tx, account).await?;
    let mut end = log::head(&mut tx, &user).await?;
    if let Some(epoch) = epoch.filter(|_| end == Cursor::BEGINNING) {
        records::adopt_epoch(&mut *tx, &user, &epoch).await?;
    }
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(next) = rows.try_next().await? {
        let row = ChangeRow::new(
            &next.logged.change,
            &next.logged.client_id,
            next.logged.cursor.0,
        )?;
        bytes += row.size();
        batch.push((next, row));
        if batch.len() >= BATCH || bytes > PAGE_BYTES {
            end = take(
                store,
                &mut tx,
                &user,
                std::mem::take(&mut batch),
                end,
                &mut imported,
            )
            .await?;
            bytes = 0;
        }
    }
    take(store, &mut tx, &user, batch, end, &mut imported).await?;
    if floor > Cursor::BEGINNING {
        records::raise_floor::<Sqlite>(&mut *tx, &user, floor).await?;
    }
    tx.commit().await?;
    Ok(imported)
}

/// Stores the rows that are not there yet and answers the log's new end.
async fn take(
    store: &SqliteStore,
    tx: &mut SqliteConnection,
    user: &UserId,
    batch: Vec<(LogRow, ChangeRow)>,
    end: Cursor,
    imported: &mut Imported,
) -> Result<Cursor> {
    let sent = batch.len();
    let events = batch.iter().map(|(_, row)| row.event_id.as_str());
    let stored = append::stored(tx, user, events).await?;
    let (mut changes, mut rows) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut at = end.0;
    for (next, mut row) in batch {
        if stored.contains_key(&row.event_id) || !seen.insert(row.event_id.clone()) {
            continue;
        }
        at = next.logged.cursor.0.max(at.plus(1));
        row.created_at = at.0;
        let adjusted = (!next.adjusted.is_empty())
            .then(|| json::json("a change", &next.adjusted))
            .transpose()?;
        rows.push((row, adjusted));
        changes.push(next.logged.change);
    }
    let end = Cursor(at);
    append::insert_rows(tx, user, rows).await?;
    let keys = changes.iter().flat_map(Change::keys).collect();
    let states = append::states(tx, user, &keys).await?;
    let folded = apply_push::replay(&store.registry, &states, &changes);
    append::write_records(tx, user, end, &folded.records).await?;
    schedule::write_due::<Sqlite>(tx, user, &folded.schedule).await?;
    imported.stored += changes.len() as u64;
    imported.present += (sent - changes.len()) as u64;
    Ok(end)
}
