//! Reading the log and the records.

use std::sync::Arc;

use futures_util::TryStreamExt;
use mana_core::{Micros, RecordKey};
use sqlx::{AssertSqlSafe, FromRow, Row, postgres::PgRow};

use super::{db::Db, lock};
use crate::{
    ChangesPage, ChangesQuery, Cursor, CursorCheck, HistoryQuery, LogIdentity, LoggedChange,
    Result, Scope, SnapshotPage, SnapshotQuery, UserId,
    apply_push::LogRow,
    identity::Standing,
    json,
    row::{ChangeRow, HistoryPage, PAGE_BYTES},
    sql::records,
};

/// The columns of a row as it is read, in the order of [`ChangeRow`].
pub(super) const COLUMNS: &str = "mana_micros(created_at), event_id, app_id, table_name, record_id, op, data::text, \
    field_timestamps::text, actor::text, client_id, schema_version, mana_micros(at), extra, adjusted";

/// How many columns those are.
const END: usize = 14;

pub(super) async fn changes(
    db: &Arc<Db>,
    scope: &Scope,
    mut query: ChangesQuery,
) -> Result<ChangesPage> {
    let (page, pending) = page(db, scope, &mut query).await?;
    if !pending {
        return Ok(page);
    }
    db.fold_if_free(scope.owner()).await?;
    Ok(self::page(db, scope, &mut query).await?.0)
}

/// A page, and whether rows that came by SQL wait to be folded: asked in the same statement, because every page would
/// wait for the answer to another one. Where the read begins at the start of the log, the query's cursor moves there.
async fn page(
    db: &Arc<Db>,
    scope: &Scope,
    query: &mut ChangesQuery,
) -> Result<(ChangesPage, bool)> {
    let (standing, page, pending) = read_page(db, scope, query).await?;
    let begin = standing.begin(query.since, &query.check)?;
    if begin == query.since {
        return Ok((page, pending));
    }
    query.since = begin;
    let (_, page, pending) = read_page(db, scope, query).await?;
    Ok((page, pending))
}

/// The page after the query's cursor, with the facts that say whether the cursor is good.
async fn read_page(
    db: &Arc<Db>,
    scope: &Scope,
    query: &ChangesQuery,
) -> Result<(Standing, ChangesPage, bool)> {
    let user = scope.owner();
    let mut tx = db.beside(user).await?;
    // How far the page scans, and what of it is wanted. Rows up to there are final: stamps are given under the log's
    // lock, and grow; those that are not folded yet come after all that are. Each part says that it reads in order, and
    // few: else the planner, whose statistics may be older than this log, reads all of it through another index.
    let select = format!(
        "WITH scanned AS (SELECT max(created_at) AS last FROM (
             SELECT created_at FROM sync_changes WHERE user_id = $1 AND folded AND created_at > mana_at($2)
             ORDER BY created_at LIMIT (SELECT $3::bigint)) AS first),
         page AS MATERIALIZED (SELECT last,
             (SELECT created_at FROM sync_changes WHERE user_id = $1 AND folded AND created_at > last
              ORDER BY created_at LIMIT 1) IS NOT NULL AS more FROM scanned)
         SELECT {COLUMNS}, mana_micros(page.last), page.more,
                (SELECT floor FROM log_floors WHERE user_id = $1),
                EXISTS (SELECT FROM pending_folds WHERE user_id = $1),
                EXISTS (SELECT FROM sync_changes WHERE user_id = $1 AND created_at = mana_at($2)),
                EXISTS (SELECT FROM sync_changes WHERE user_id = $1 AND created_at = mana_at($7)),
                e.epoch, e.restored_at, e.give_back_until, e.discards_newer
         FROM page LEFT JOIN log_epochs e ON e.user_id = $1 LEFT JOIN LATERAL (
             SELECT * FROM sync_changes WHERE user_id = $1 AND folded
             AND created_at > mana_at($2) AND created_at <= page.last
             AND ($4::text IS NULL OR app_id = $4) AND (cardinality($5::text[]) = 0 OR table_name = ANY ($5))
             AND ($6::text IS NULL OR client_id <> $6) ORDER BY created_at LIMIT (SELECT $3::bigint)) AS wanted ON true
         ORDER BY created_at"
    );
    let mut rows = sqlx::query(AssertSqlSafe(select))
        .bind(user.as_str())
        .bind(query.since.0.0)
        .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
        .bind(&query.app)
        .bind(&query.tables)
        .bind(&query.not_from)
        .bind(match &query.check {
            CursorCheck::Exact(known) => known.end.0.0,
            CursorCheck::Floor | CursorCheck::Lenient => 0,
        })
        .fetch(&mut *tx);
    let mut page = ChangesPage {
        changes: Vec::new(),
        cursor: query.since,
        has_more: false,
        log: LogIdentity::default(),
    };
    let mut standing: Option<Standing> = None;
    let (mut bytes, mut pending) = (0, false);
    while let Some(row) = rows.try_next().await? {
        // Every row repeats what is said of the log.
        if standing.is_none() {
            pending = row.try_get(END + 3)?;
            let known = self::standing(user, &row)?;
            page.log = known.log.clone();
            standing = Some(known);
        }
        if bytes > PAGE_BYTES {
            page.cursor =
                (page.changes.last()).map_or(query.since, |last: &LoggedChange| last.cursor);
            page.has_more = true;
            break;
        }
        let end: Option<i64> = row.try_get(END)?;
        page.cursor = end.map_or(query.since, |end| Cursor(Micros(end)));
        page.has_more = row.try_get(END + 1)?;
        // The page's one row where nothing of it is wanted.
        if row.try_get::<Option<i64>, _>(0)?.is_none() {
            break;
        }
        let row = ChangeRow::from_row(&row)?;
        bytes += row.size();
        page.changes.push(row.into_logged()?);
    }
    drop(rows);
    // Nothing was written: it is rolled back when the connection is taken back, and nobody waits for that.
    drop(tx);
    Ok((standing.unwrap_or_default(), page, pending))
}

fn standing(user: &UserId, row: &PgRow) -> Result<Standing> {
    let floor: Option<i64> = row.try_get(END + 2)?;
    let at = |n: usize| END + 6 + n;
    let identity = (
        row.try_get(at(0))?,
        row.try_get(at(1))?,
        row.try_get(at(2))?,
        row.try_get(at(3))?,
    );
    Ok(Standing {
        log: Standing::identity(user, identity),
        floor: Cursor(Micros(floor.unwrap_or_default())),
        names_row: row.try_get(END + 4)?,
        end_names_row: row.try_get(END + 5)?,
    })
}

/// The rows of a record, newest first.
pub(super) async fn history(
    db: &Arc<Db>,
    scope: &Scope,
    query: HistoryQuery,
) -> Result<ChangesPage> {
    let user = scope.owner();
    db.fold_if_free(user).await?;
    let mut tx = db.beside(user).await?;
    let select = format!(
        "SELECT {COLUMNS} FROM sync_changes WHERE user_id = $1 AND folded
         AND created_at > mana_at($3) AND ($2::bigint IS NULL OR created_at < mana_at($2))
         AND ($4::text IS NULL OR app_id <> $4)
         AND ($5::jsonb IS NULL OR (app_id, table_name, record_id) IN (
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_array_elements($5::jsonb) AS each (value)))
         ORDER BY created_at DESC LIMIT $6"
    );
    let limit = query.limit.max(1).saturating_add(1);
    let mut rows = sqlx::query(AssertSqlSafe(select))
        .bind(user.as_str())
        .bind(query.before.map(|before| before.0.0))
        .bind(query.after.0.0)
        .bind(query.not_app.as_deref())
        .bind((!query.keys.is_empty()).then(|| query.keys_json()))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch(&mut *tx);
    let mut page = HistoryPage::new(&query);
    let mut more = false;
    while let Some(row) = rows.try_next().await? {
        if page.is_full() {
            more = true;
            break;
        }
        page.add(ChangeRow::from_row(&row)?)?;
    }
    drop(rows);
    drop(tx);
    Ok(match more {
        true => page.with_more(),
        false => page.complete(),
    })
}

/// Rows column by column, as arrays to bind.
#[derive(Default)]
pub(super) struct Columns<'r> {
    pub created_at: Vec<i64>,
    pub event_id: Vec<&'r str>,
    pub app_id: Vec<&'r str>,
    pub table_name: Vec<&'r str>,
    pub record_id: Vec<&'r str>,
    pub op: Vec<&'r str>,
    pub data: Vec<Option<&'r str>>,
    pub field_timestamps: Vec<&'r str>,
    pub actor: Vec<&'r str>,
    pub client_id: Vec<&'r str>,
    pub schema_version: Vec<i64>,
    pub at: Vec<Option<i64>>,
    pub extra: Vec<Option<&'r str>>,
    pub adjusted: Vec<Option<&'r str>>,
    pub unchanged: Vec<bool>,
}

impl<'r> Columns<'r> {
    pub fn of(rows: &'r [LogRow]) -> Self {
        let mut columns = Self::default();
        for (row, adjusted) in rows {
            columns.created_at.push(row.created_at);
            columns.event_id.push(&row.event_id);
            columns.app_id.push(&row.app_id);
            columns.table_name.push(&row.table_name);
            columns.record_id.push(&row.record_id);
            columns.op.push(&row.op);
            columns.data.push(row.data.as_deref());
            columns.field_timestamps.push(&row.field_timestamps);
            columns.actor.push(&row.actor);
            columns.client_id.push(&row.client_id);
            columns.schema_version.push(row.schema_version);
            columns.at.push(row.at);
            columns.extra.push(row.extra.as_deref());
            columns.adjusted.push(adjusted.as_deref());
            columns.unchanged.push(row.unchanged);
        }
        columns
    }
}

pub(super) async fn snapshot(
    db: &Arc<Db>,
    scope: &Scope,
    query: SnapshotQuery,
) -> Result<SnapshotPage> {
    let user = scope.owner();
    let mut tx = db.read(user).await?;
    // Read first: the records have at least everything up to there.
    let cursor = lock::folded_head(&mut tx, user).await?;
    let log = records::identity(&mut *tx, user).await?;
    if let CursorCheck::Exact(known) = &query.check {
        let standing = Standing {
            floor: records::floor(&mut *tx, user).await?,
            names_row: false,
            end_names_row: lock::holds_row(&mut tx, user, known.end).await?,
            log: log.clone(),
        };
        standing.begin(Cursor::BEGINNING, &query.check)?;
    }
    let after = query.after.unwrap_or_else(|| RecordKey::new("", "", ""));
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    // The planner takes a limit that it can't see for a small one, and reads in order. One that it sees and that is
    // more than its statistics have of this user makes it sort all that is left, for every page.
    let mut rows = sqlx::query(
        "SELECT app_id, table_name, record_id, state FROM records
         WHERE user_id = $1 AND (app_id, table_name, record_id) > ($2, $3, $4) AND ($5::text IS NULL OR app_id = $5)
         ORDER BY app_id, table_name, record_id LIMIT (SELECT $6::bigint)",
    )
    .bind(user.as_str())
    .bind(&after.app)
    .bind(&after.table)
    .bind(&after.id)
    .bind(&query.app)
    .bind(limit.saturating_add(1))
    .fetch(&mut *tx);
    let mut page = SnapshotPage {
        records: Vec::new(),
        has_more: false,
        cursor,
        end: cursor,
        log,
    };
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        if page.records.len() >= query.limit || bytes > PAGE_BYTES {
            page.has_more = true;
            break;
        }
        let state: &str = row.try_get(3)?;
        bytes += state.len();
        let key = RecordKey::new(
            row.try_get::<String, _>(0)?,
            row.try_get::<String, _>(1)?,
            row.try_get::<String, _>(2)?,
        );
        page.records.push((key, json::read("a record", state)?));
    }
    drop(rows);
    page.end = lock::folded_head(&mut tx, user).await?;
    tx.commit().await?;
    Ok(page)
}
