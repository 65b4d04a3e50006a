//! A log on its way out of this database, or into it.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::{TryStreamExt, stream::BoxStream};
use mana_core::sync::record_key;
use sqlx::{AssertSqlSafe, FromRow, Postgres, Row};

use super::{
    append::{self, Written},
    db::Db,
    lock::{self, Found, LogTx, Wanted},
    log::COLUMNS,
    notify::notify,
};
use crate::{
    Cursor, Imported, LogPage, LogRow, Result, User, UserId, apply_push, json,
    message::Message,
    row::{self, ChangeRow, PAGE_BYTES},
    sql::{accounts, records, schedule},
};

/// Rows stored at once.
const CHUNK: usize = 500;

pub(super) async fn export(
    db: &Arc<Db>,
    user: &UserId,
    after: Cursor,
    limit: usize,
) -> Result<LogPage> {
    let mut tx = db.read(user).await?;
    let mut page = LogPage {
        rows: Vec::new(),
        has_more: false,
        floor: records::floor(&mut *tx, user).await?,
        epoch: records::identity(&mut *tx, user).await?.epoch,
    };
    let select = format!(
        "SELECT {COLUMNS} FROM sync_changes WHERE user_id = $1 AND folded AND created_at > mana_at($2)
         ORDER BY created_at LIMIT $3"
    );
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = sqlx::query(AssertSqlSafe(select))
        .bind(user.as_str())
        .bind(after.0.0)
        .bind(more)
        .fetch(&mut *tx);
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
    drop(rows);
    tx.commit().await?;
    Ok(page)
}

pub(super) async fn import(
    db: &Arc<Db>,
    account: User,
    floor: Cursor,
    epoch: Option<String>,
    mut rows: BoxStream<'_, Result<LogRow>>,
) -> Result<Imported> {
    let user = account.id.clone();
    let (mut log, _) = db.write(&user, &Wanted::default()).await?;
    let mut imported = accounts::import(&mut *log.tx, account).await?;
    if let Some(epoch) = epoch.filter(|_| log.head == Cursor::BEGINNING) {
        records::adopt_epoch(&mut *log.tx, &user, &epoch).await?;
    }
    let mut news = News::default();
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
        if batch.len() >= CHUNK || bytes > PAGE_BYTES {
            let full = std::mem::take(&mut batch);
            take(db, &mut log, &user, full, &mut imported, &mut news).await?;
            bytes = 0;
        }
    }
    take(db, &mut log, &user, batch, &mut imported, &mut news).await?;
    if floor > Cursor::BEGINNING {
        records::raise_floor::<Postgres>(&mut *log.tx, &user, floor).await?;
    }
    if !news.tables.is_empty() {
        // Servers on this database have devices that wait for it.
        let message = Message::committed(&user, &news.tables, None).schedule(news.schedule);
        notify(&mut log.tx, &db.instance, message).await?;
    }
    log.tx.commit().await?;
    Ok(imported)
}

/// The news of an import for the other servers.
#[derive(Default)]
struct News {
    tables: BTreeSet<(String, String)>,
    schedule: bool,
}

/// Stores the rows that are not there yet, and moves the log's end.
async fn take(
    db: &Db,
    log: &mut LogTx,
    user: &UserId,
    batch: Vec<(LogRow, ChangeRow)>,
    imported: &mut Imported,
    news: &mut News,
) -> Result<()> {
    let sent = batch.len();
    let events = batch.iter().map(|(_, row)| row.event_id.as_str());
    let keys = batch.iter().flat_map(|(next, _)| next.logged.change.keys());
    let wanted = Wanted {
        events: events.collect(),
        keys: keys.collect(),
        client: None,
    };
    let Found { stored, states, .. } = lock::found(&mut log.tx, user, &wanted).await?;
    let (mut changes, mut rows) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut at = log.head.0;
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
    log.head = Cursor(at);
    let folded = apply_push::replay(&db.registry, &states, &changes);
    let written = Written {
        rows: &rows,
        cursor: log.head,
        records: &folded.records,
        notice: None,
        numbered: None,
    };
    append::write(&mut log.tx, user, written).await?;
    schedule::write_due::<Postgres>(&mut *log.tx, user, &folded.schedule).await?;
    let tables = changes.iter().map(record_key);
    news.tables.extend(tables.map(|key| (key.app, key.table)));
    news.schedule |= !folded.schedule.is_empty();
    imported.stored += rows.len() as u64;
    imported.present += (sent - rows.len()) as u64;
    Ok(())
}
