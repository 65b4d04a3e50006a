//! Dropping what is superseded, and proving the projections by a replay.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::{TryStreamExt, stream::BoxStream};
use mana_core::{Micros, RecordKey, RecordState, apply};
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection, Postgres, Row, postgres::PgRow};

use super::{
    append::{self, Written},
    db::Db,
    lock::{self, LogTx, Tx, Wanted, folded_head},
    log::COLUMNS,
    moving,
    store::PostgresStore,
};
use crate::{
    Compacted, Cursor, Imported, LogPage, LogRow, Maintenance, Projected, Result, Scope, User,
    UserId, apply_push,
    replay::{Comparison, Mend, Schedule, Sieve},
    row::ChangeRow,
    sql::{forgotten_state, records, schedule},
};

/// Records looked at in one transaction.
const BATCH: usize = 100;

/// Rows fetched from a cursor at once.
const FETCH: &str = "FETCH FORWARD 1000 FROM walk";

/// A record and the places of its rows, oldest first.
type Places = (RecordKey, Vec<i64>);

#[async_trait]
impl Maintenance for PostgresStore {
    async fn compact(&self, scope: &Scope, before: Micros) -> Result<Compacted> {
        let records = format!(
            "SELECT app_id, table_name, record_id FROM sync_changes WHERE user_id = mana_user()
             GROUP BY app_id, table_name, record_id HAVING count(*) > 1 AND min(created_at) < mana_at({})
             UNION ALL SELECT app_id, table_name, record_id FROM records
             WHERE user_id = mana_user() AND state = {}",
            before.0,
            forgotten_state!()
        );
        compact_records(self, scope.owner(), &records, Some(before)).await
    }

    async fn drop_forgotten(&self, scope: &Scope) -> Result<Compacted> {
        let records = concat!(
            "SELECT app_id, table_name, record_id FROM records
             WHERE user_id = mana_user() AND app_id <> 'ai' AND state = ",
            forgotten_state!()
        );
        compact_records(self, scope.owner(), records, None).await
    }

    async fn expired_removals(
        &self,
        scope: &Scope,
        before: Micros,
        limit: usize,
    ) -> Result<Vec<RecordKey>> {
        let mut tx = self.db.read(scope.owner()).await?;
        let found =
            records::expired_removals::<Postgres>(&mut *tx, scope.owner(), before, limit).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn check(&self, scope: &Scope) -> Result<Projected> {
        let user = scope.owner();
        // Folds what came by SQL.
        self.db.read(user).await?.commit().await?;
        let mut connection = self.db.pool.acquire().await?;
        let mut tx = connection.begin().await?;
        in_one_snapshot(&mut tx, user).await?;
        let (projected, _) = replay(&self.db, &mut tx, user, None).await?;
        tx.commit().await?;
        Ok(projected)
    }

    async fn reproject(&self, scope: &Scope) -> Result<Projected> {
        let user = scope.owner();
        let (mut log, _) = self.db.write(user, &Wanted::default()).await?;
        let head = log.head;
        let (projected, due) = replay(&self.db, &mut log.tx, user, Some(head)).await?;
        schedule::write_due::<Postgres>(&mut *log.tx, user, &due).await?;
        log.tx.commit().await?;
        Ok(projected)
    }

    async fn export(&self, scope: &Scope, after: Cursor, limit: usize) -> Result<LogPage> {
        moving::export(&self.db, scope.owner(), after, limit).await
    }

    async fn import(
        &self,
        account: User,
        floor: Cursor,
        epoch: Option<String>,
        rows: BoxStream<'_, Result<LogRow>>,
    ) -> Result<Imported> {
        moving::import(&self.db, account, floor, epoch, rows).await
    }

    async fn begin_epoch(&self, scope: &Scope, now: Micros, discard_newer: bool) -> Result<()> {
        let user = scope.owner();
        let mut log = self.db.write(user, &Wanted::default()).await?.0;
        records::begin_epoch(&mut *log.tx, user, now, discard_newer).await?;
        Ok(log.tx.commit().await?)
    }
}

async fn in_one_snapshot(tx: &mut PgConnection, user: &UserId) -> Result<()> {
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .execute(&mut *tx)
        .await?;
    sqlx::query("SELECT set_config('app.current_user_id', $1, true)")
        .bind(user.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

async fn fetch(connection: &mut PgConnection) -> Result<Vec<PgRow>> {
    Ok(sqlx::query(FETCH)
        .persistent(false)
        .fetch_all(connection)
        .await?)
}

/// Drops what is superseded among the rows of the records that a query names.
async fn compact_records(
    store: &PostgresStore,
    user: &UserId,
    records: &str,
    horizon: Option<Micros>,
) -> Result<Compacted> {
    let db = &store.db;
    db.read(user).await?.commit().await?;
    let mut connection = db.pool.acquire().await?;
    let seen = walk_places(&mut connection, user, records).await?;
    let mut compacted = Compacted::default();
    let mut waiting: Vec<Places> = Vec::new();
    loop {
        let rows = fetch(&mut connection).await?;
        let done = rows.is_empty();
        for row in &rows {
            let (key, place) = (key_at(row, 0)?, row.try_get(3)?);
            match waiting.last_mut() {
                Some((last, places)) if *last == key => places.push(place),
                _ => waiting.push((key, vec![place])),
            }
        }
        // The last one may go on.
        let whole = waiting.len() - usize::from(!done && !waiting.is_empty());
        let mut ready = waiting.drain(..whole).collect::<Vec<_>>();
        for batch in ready.chunks_mut(BATCH) {
            compact_batch(store, user, horizon, seen, batch, &mut compacted).await?;
        }
        if done {
            break;
        }
    }
    sqlx::query("CLOSE walk").execute(&mut *connection).await?;
    let mut tx = db.beside(user).await?;
    compacted.floor = records::floor(&mut *tx, user).await?;
    tx.commit().await?;
    Ok(compacted)
}

/// Opens a cursor on the places of every row whose record has several, sorted by record: Postgres keeps it on disk
/// across transactions. An index would cost every push what only maintenance needs. Answers the log's end then.
async fn walk_places(
    connection: &mut PgConnection,
    user: &UserId,
    records: &str,
) -> Result<Cursor> {
    sqlx::query("CLOSE ALL").execute(&mut *connection).await?;
    let mut tx = connection.begin().await?;
    in_one_snapshot(&mut tx, user).await?;
    let head = folded_head(&mut tx, user).await?;
    // A statement that declares a cursor takes no bound values.
    let declare = format!(
        "DECLARE walk NO SCROLL CURSOR WITH HOLD FOR
         SELECT app_id, table_name, record_id, mana_micros(created_at) FROM sync_changes
         WHERE user_id = mana_user() AND folded AND (app_id, table_name, record_id) IN ({records})
         ORDER BY app_id, table_name, record_id, created_at"
    );
    sqlx::query(AssertSqlSafe(declare))
        .persistent(false)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(head)
}

async fn compact_batch(
    store: &PostgresStore,
    user: &UserId,
    horizon: Option<Micros>,
    seen: Cursor,
    batch: &mut [Places],
    compacted: &mut Compacted,
) -> Result<()> {
    let (mut log, _) = store.db.write(user, &Wanted::default()).await?;
    if log.head > seen {
        // What others wrote since the walk began belongs to the records now.
        add_newer(&mut log.tx, user, seen, batch).await?;
    }
    let mut going = Vec::new();
    for (key, places) in batch {
        match superseded(&store.db, &mut log, user, key, places, horizon).await? {
            Some(places) => going.extend(places),
            None => compacted.left.push(key.clone()),
        }
    }
    if let Some(newest) = going.iter().max() {
        let done = sqlx::query(
            "DELETE FROM sync_changes WHERE user_id = $1 AND created_at = ANY (
             ARRAY(SELECT mana_at(place) FROM unnest($2::bigint[]) AS place))",
        )
        .bind(user.as_str())
        .bind(&going)
        .execute(&mut *log.tx)
        .await?;
        compacted.dropped += done.rows_affected();
        records::raise_floor::<Postgres>(&mut *log.tx, user, Cursor(Micros(*newest))).await?;
    }
    Ok(log.tx.commit().await?)
}

async fn add_newer(tx: &mut Tx, user: &UserId, seen: Cursor, batch: &mut [Places]) -> Result<()> {
    let rows = sqlx::query(
        "SELECT app_id, table_name, record_id, mana_micros(created_at) FROM sync_changes
         WHERE user_id = $1 AND created_at > mana_at($2) ORDER BY created_at",
    )
    .bind(user.as_str())
    .bind(seen.0.0)
    .fetch_all(&mut **tx)
    .await?;
    let mut newer: BTreeMap<RecordKey, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        newer
            .entry(key_at(row, 0)?)
            .or_default()
            .push(row.try_get(3)?);
    }
    for (key, places) in batch {
        places.extend(newer.remove(key).unwrap_or_default());
    }
    Ok(())
}

/// The places of a record's rows that can go. None if its rows don't make it.
async fn superseded(
    db: &Db,
    log: &mut LogTx,
    user: &UserId,
    key: &RecordKey,
    places: &[i64],
    horizon: Option<Micros>,
) -> Result<Option<Vec<i64>>> {
    let head = log.head;
    let wanted = Wanted {
        keys: BTreeSet::from([key.clone()]),
        ..Wanted::default()
    };
    let found = lock::found(&mut log.tx, user, &wanted).await?;
    let stored = found.states.into_values().next();
    let mut sieve = Sieve::new(db.registry.schema(&key.app, &key.table), stored.as_ref());
    let select = format!(
        "SELECT {COLUMNS} FROM sync_changes WHERE user_id = $1 AND created_at = ANY (
         ARRAY(SELECT mana_at(place) FROM unnest($2::bigint[]) AS place)) ORDER BY created_at DESC"
    );
    let mut rows = sqlx::query(AssertSqlSafe(select))
        .bind(user.as_str())
        .bind(places)
        .fetch(&mut *log.tx);
    while let Some(row) = rows.try_next().await? {
        let set_back = row.try_get::<Option<&str>, _>(13)?.is_some();
        let logged = ChangeRow::from_row(&row)?.into_logged()?;
        if sieve.stays(&logged, set_back, horizon, head) {
            sieve.keep(&logged.change);
        } else {
            sieve.weigh(&logged.change, logged.cursor.0.0);
        }
    }
    drop(rows);
    Ok(sieve.superseded())
}

/// Replays a log and compares, by one cursor that gives each record's stored state and then its rows. Where there is
/// a place to mend at, records that differ are put right; the missions whose due times differ are answered.
async fn replay(
    db: &Db,
    tx: &mut PgConnection,
    user: &UserId,
    mend: Option<Cursor>,
) -> Result<(Projected, Schedule)> {
    let forgotten = records::forgotten(tx, user).await?;
    let mut comparison = Comparison::new(records::due_times(tx, user).await?, forgotten);
    let declare = format!(
        "DECLARE walk NO SCROLL CURSOR FOR
         SELECT {COLUMNS}, NULL::text FROM sync_changes WHERE user_id = mana_user() AND folded
         UNION ALL
         SELECT 0, NULL, app_id, table_name, record_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, state
         FROM records WHERE user_id = mana_user()
         ORDER BY 3, 4, 5, 1"
    );
    sqlx::query(AssertSqlSafe(declare))
        .persistent(false)
        .execute(&mut *tx)
        .await?;
    let mut current: Option<(RecordKey, RecordState, Option<String>)> = None;
    loop {
        let rows = fetch(tx).await?;
        let done = rows.is_empty();
        let (mut right, mut surplus) = (Vec::new(), Vec::new());
        let mut compare = |(key, made, stored): (RecordKey, RecordState, Option<String>)| {
            // A change that writes nothing makes nothing (M8).
            let made = (!made.meta.is_empty()).then_some(made);
            match comparison.record(&key, made, stored.as_deref())? {
                Mend::Nothing => {}
                Mend::Write(state) => right.push((key, state)),
                Mend::Delete => surplus.push(key),
            }
            Ok::<_, crate::StoreError>(())
        };
        for row in &rows {
            let key = key_at(row, 2)?;
            if current.as_ref().is_none_or(|(current, ..)| *current != key) {
                let next = (key.clone(), RecordState::default(), None);
                if let Some(whole) = current.replace(next) {
                    compare(whole)?;
                }
            }
            let Some((_, made, stored)) = &mut current else {
                continue;
            };
            match row.try_get(14)? {
                Some(state) => *stored = Some(state),
                None => {
                    let change = ChangeRow::from_row(row)?.into_logged()?.change;
                    apply(apply_push::schema_of(&db.registry, &change), made, &change);
                }
            }
        }
        if done && let Some(whole) = current.take() {
            compare(whole)?;
        }
        if let Some(head) = mend {
            let written = Written {
                rows: &[],
                cursor: head,
                records: &right,
                notice: None,
                numbered: None,
            };
            append::write(tx, user, written).await?;
            records::delete_records(tx, user, &surplus).await?;
        }
        if done {
            break;
        }
    }
    sqlx::query("CLOSE walk").execute(tx).await?;
    Ok(comparison.finish())
}

fn key_at(row: &PgRow, column: usize) -> Result<RecordKey> {
    let text = |column| row.try_get::<String, usize>(column);
    Ok(RecordKey::new(
        text(column)?,
        text(column + 1)?,
        text(column + 2)?,
    ))
}
