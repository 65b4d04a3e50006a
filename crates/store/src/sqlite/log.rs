//! Reading the log and the records.

use futures_util::TryStreamExt;
use mana_core::{Micros, RecordKey};
use sqlx::{FromRow, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::db::SqliteStore;
use crate::{
    ChangesPage, ChangesQuery, Cursor, CursorCheck, HistoryQuery, LoggedChange, Result, Scope,
    SnapshotPage, SnapshotQuery, UserId,
    identity::Standing,
    json,
    row::{ChangeRow, HistoryPage, PAGE_BYTES},
    sql::records,
};

const SELECT: &str = "SELECT created_at, event_id, app_id, table_name, record_id, op, data, field_timestamps, \
    actor, client_id, schema_version, at, extra FROM sync_changes ";
// The same columns in the same order are read, as a [`ChangeRow`], by `retention` and `moving`.

/// The last stamp of the log; the beginning if it is empty.
pub(super) async fn head(connection: &mut SqliteConnection, user: &UserId) -> Result<Cursor> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(created_at) FROM sync_changes WHERE user_id = ?")
            .bind(user.as_str())
            .fetch_one(connection)
            .await?;
    Ok(last.map_or(Cursor::BEGINNING, |at| Cursor(Micros(at))))
}

pub(super) async fn changes(
    store: &SqliteStore,
    scope: &Scope,
    mut query: ChangesQuery,
) -> Result<ChangesPage> {
    let user = scope.owner().as_str();
    let mut reader = store.readers.acquire().await?;
    let standing = standing(&mut reader, scope.owner(), query.since, &query.check).await?;
    query.since = standing.begin(query.since, &query.check)?;
    let log = standing.log;
    // How far the page scans. Rows up to there are final: stamps are given under the writer's lock, and grow.
    let (end, more): (Option<i64>, bool) = sqlx::query_as(
        "WITH page AS (SELECT max(created_at) AS last FROM (
             SELECT created_at FROM sync_changes WHERE user_id = ?1 AND created_at > ?2 ORDER BY created_at LIMIT ?3))
         SELECT last, EXISTS (SELECT 1 FROM sync_changes WHERE user_id = ?1 AND created_at > last) FROM page",
    )
    .bind(user)
    .bind(query.since.0.0)
    .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
    .fetch_one(&mut *reader)
    .await?;
    let Some(end) = end else {
        return Ok(ChangesPage {
            changes: Vec::new(),
            cursor: query.since,
            has_more: false,
            log,
        });
    };

    let mut select = wanted(user, &query, end);
    let mut rows = select.build().fetch(&mut *reader);
    let mut changes = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        if bytes > PAGE_BYTES {
            let cursor = changes
                .last()
                .map_or(query.since, |last: &LoggedChange| last.cursor);
            return Ok(ChangesPage {
                changes,
                cursor,
                has_more: true,
                log,
            });
        }
        let row = ChangeRow::from_row(&row)?;
        bytes += row.size();
        changes.push(row.into_logged()?);
    }
    Ok(ChangesPage {
        changes,
        cursor: Cursor(Micros(end)),
        has_more: more,
        log,
    })
}

/// The facts that decide where a read of the log begins.
async fn standing(
    reader: &mut SqliteConnection,
    user: &UserId,
    since: Cursor,
    check: &CursorCheck,
) -> Result<Standing> {
    let log = records::identity(reader, user).await?;
    let floor = match since > Cursor::BEGINNING || *check != CursorCheck::Floor {
        true => records::floor(reader, user).await?,
        false => Cursor::BEGINNING,
    };
    let (mut names_row, mut end_names_row) = (false, false);
    if *check != CursorCheck::Floor {
        names_row = holds_row(reader, user, since).await?;
    }
    if let CursorCheck::Exact(known) = check {
        end_names_row = holds_row(reader, user, known.end).await?;
    }
    Ok(Standing {
        log,
        floor,
        names_row,
        end_names_row,
    })
}

/// Whether a row of the log stands at this place.
async fn holds_row(reader: &mut SqliteConnection, user: &UserId, place: Cursor) -> Result<bool> {
    let holds = "SELECT EXISTS (SELECT 1 FROM sync_changes WHERE user_id = ? AND created_at = ?)";
    Ok(sqlx::query_scalar(holds)
        .bind(user.as_str())
        .bind(place.0.0)
        .fetch_one(reader)
        .await?)
}

pub(super) async fn history(
    store: &SqliteStore,
    scope: &Scope,
    query: HistoryQuery,
) -> Result<ChangesPage> {
    let mut reader = store.readers.acquire().await?;
    let mut select = QueryBuilder::<Sqlite>::new(SELECT);
    select
        .push("WHERE user_id = ")
        .push_bind(scope.owner().as_str())
        .push(" AND created_at > ")
        .push_bind(query.after.0.0)
        .push(" AND created_at < ")
        .push_bind(query.before.map_or(i64::MAX, |before| before.0.0));
    if !query.keys.is_empty() {
        select
            .push(
                " AND (app_id, table_name, record_id) IN (
                     SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(",
            )
            .push_bind(query.keys_json())
            .push("))");
    }
    if let Some(app) = &query.not_app {
        select.push(" AND app_id <> ").push_bind(app);
    }
    select.push(" ORDER BY created_at DESC");
    let mut rows = select.build().fetch(&mut *reader);
    let mut page = HistoryPage::new(&query);
    while let Some(row) = rows.try_next().await? {
        if page.is_full() {
            return Ok(page.with_more());
        }
        page.add(ChangeRow::from_row(&row)?)?;
    }
    Ok(page.complete())
}

fn wanted<'a>(user: &'a str, query: &'a ChangesQuery, end: i64) -> QueryBuilder<Sqlite> {
    let mut select = QueryBuilder::new(SELECT);
    select.push("WHERE user_id = ").push_bind(user.to_owned());
    select
        .push(" AND created_at > ")
        .push_bind(query.since.0.0)
        .push(" AND created_at <= ")
        .push_bind(end);
    if let Some(app) = &query.app {
        select.push(" AND app_id = ").push_bind(app.clone());
    }
    if !query.tables.is_empty() {
        let names = serde_json::Value::from(query.tables.clone()).to_string();
        select
            .push(" AND table_name IN (SELECT value FROM json_each(")
            .push_bind(names)
            .push("))");
    }
    if let Some(client) = &query.not_from {
        select.push(" AND client_id <> ").push_bind(client.clone());
    }
    select.push(" ORDER BY created_at");
    select
}

pub(super) async fn snapshot(
    store: &SqliteStore,
    scope: &Scope,
    query: SnapshotQuery,
) -> Result<SnapshotPage> {
    let mut reader = store.readers.acquire().await?;
    // Before the records: what is committed in between is in them and after the cursor, which is harmless.
    let cursor = head(&mut reader, scope.owner()).await?;
    let standing = standing(&mut reader, scope.owner(), Cursor::BEGINNING, &query.check).await?;
    standing.begin(Cursor::BEGINNING, &query.check)?;
    let log = standing.log;
    let mut select = QueryBuilder::<Sqlite>::new(
        "SELECT app_id, table_name, record_id, state FROM records WHERE user_id = ",
    );
    select.push_bind(scope.owner().as_str());
    if let Some(app) = &query.app {
        select.push(" AND app_id = ").push_bind(app);
    }
    if let Some(after) = &query.after {
        select
            .push(" AND (app_id, table_name, record_id) > (")
            .push_bind(&after.app)
            .push(", ")
            .push_bind(&after.table)
            .push(", ")
            .push_bind(&after.id)
            .push(")");
    }
    select.push(" ORDER BY app_id, table_name, record_id");
    let mut rows = select.build().fetch(&mut *reader);
    let mut page = Vec::new();
    let mut has_more = false;
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        if page.len() >= query.limit || bytes > PAGE_BYTES {
            has_more = true;
            break;
        }
        let key = RecordKey::new(
            row.try_get::<String, _>(0)?,
            row.try_get::<String, _>(1)?,
            row.try_get::<String, _>(2)?,
        );
        let state: &str = row.try_get(3)?;
        bytes += state.len();
        page.push((key, json::read("a record", state)?));
    }
    drop(rows);
    Ok(SnapshotPage {
        records: page,
        has_more,
        cursor,
        end: head(&mut reader, scope.owner()).await?,
        log,
    })
}
