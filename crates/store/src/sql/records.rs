//! Merged records, and what else hangs on a log.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mana_core::{Micros, RecordKey, RecordState};

use super::{Backend, Connection, Dialect, composed, sql};
use crate::{
    ChangesPage, ChangesQuery, Cursor, HistoryQuery, Log, LogSize, Push, Pushed, Result, Scope,
    SnapshotPage, SnapshotQuery, UserId, ledger::json, row,
};

#[async_trait]
impl<B: Backend> Log for B {
    async fn push(&self, scope: &Scope, push: Push) -> Result<Pushed> {
        self.append(scope, push).await
    }

    async fn changes(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage> {
        self.log_page(scope, query).await
    }

    async fn history(&self, scope: &Scope, query: HistoryQuery) -> Result<ChangesPage> {
        self.record_rows(scope, query).await
    }

    async fn snapshot(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage> {
        self.snapshot_page(scope, query).await
    }

    async fn record(&self, scope: &Scope, key: &RecordKey) -> Result<Option<RecordState>> {
        let select = sql(
            "SELECT state FROM records WHERE user_id = $1 AND app_id = $2 AND table_name = $3 AND record_id = $4",
        );
        let select = select
            .bind(scope.owner())
            .bind(&key.app)
            .bind(&key.table)
            .bind(&key.id);
        let mut connection = self.read_log(scope.owner()).await?;
        let found: Option<(String,)> = connection.fetch_optional(select).await?;
        found.map(|(state,)| row::state(&state)).transpose()
    }

    /// Looks into the index once for each key, whatever the planner believes of the table's size.
    async fn records_by_key(
        &self,
        scope: &Scope,
        keys: &[RecordKey],
    ) -> Result<Vec<(RecordKey, RecordState)>> {
        let select = composed(format!(
            "SELECT value ->> 0, value ->> 1, value ->> 2, (
                 SELECT state FROM records WHERE user_id = $2 AND app_id = value ->> 0
                 AND table_name = value ->> 1 AND record_id = value ->> 2)
             FROM {}",
            B::Db::EACH_JSON
        ));
        let keys: Vec<(&str, &str, &str)> = keys
            .iter()
            .map(|key| (&*key.app, &*key.table, &*key.id))
            .collect();
        let mut connection = self.read_log(scope.owner()).await?;
        let select = select.bind(json(&keys)).bind(scope.owner());
        let rows: Vec<(String, String, String, Option<String>)> =
            connection.fetch_all(select).await?;
        rows.into_iter()
            .filter_map(|(app, table, id, state)| Some((RecordKey::new(app, table, id), state?)))
            .map(|(key, state)| Ok((key, row::state(&state)?)))
            .collect()
    }

    async fn records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>> {
        let select = sql("SELECT record_id, state FROM records
             WHERE user_id = $1 AND app_id = $2 AND table_name = $3 ORDER BY record_id");
        let select = select.bind(scope.owner()).bind(app).bind(table);
        let rows = self
            .read_log(scope.owner())
            .await?
            .fetch_all(select)
            .await?;
        row::states(rows)
    }

    async fn size(&self, scope: &Scope) -> Result<LogSize> {
        let select = sql("SELECT
             (SELECT CAST(coalesce(sum(coalesce(octet_length(CAST(data AS TEXT)), 0)
                  + octet_length(CAST(field_timestamps AS TEXT)) + octet_length(CAST(actor AS TEXT))), 0) AS BIGINT)
              FROM sync_changes WHERE user_id = $1),
             (SELECT count(*) FROM records WHERE user_id = $1)");
        let mut connection = self.read_log(scope.owner()).await?;
        let found: Option<(i64, i64)> = connection
            .fetch_optional(select.bind(scope.owner()))
            .await?;
        let (bytes, records) = found.unwrap_or_default();
        Ok(LogSize {
            bytes: bytes.unsigned_abs(),
            records: records.unsigned_abs(),
        })
    }
}

/// Deletes records that no row of the log makes.
pub(crate) async fn delete_records(
    tx: &mut impl Connection,
    user: &UserId,
    keys: &[RecordKey],
) -> Result<()> {
    for key in keys {
        let delete = sql(
            "DELETE FROM records WHERE user_id = $1 AND app_id = $2 AND table_name = $3 AND record_id = $4",
        );
        tx.execute(
            delete
                .bind(user)
                .bind(&key.app)
                .bind(&key.table)
                .bind(&key.id),
        )
        .await?;
    }
    Ok(())
}

/// The due time and slot of each mission that has one.
pub(crate) async fn due_times(
    tx: &mut impl Connection,
    user: &UserId,
) -> Result<BTreeMap<String, (i64, String)>> {
    let select =
        sql("SELECT mission_id, next_run_at, slot FROM mission_schedule WHERE user_id = $1");
    let rows: Vec<(String, i64, String)> = tx.fetch_all(select.bind(user)).await?;
    Ok(rows
        .into_iter()
        .map(|(id, at, slot)| (id, (at, slot)))
        .collect())
}

/// The time zone of a log's owner.
pub(crate) async fn timezone(tx: &mut impl Connection, user: &UserId) -> Result<Option<String>> {
    let select = sql("SELECT timezone FROM users WHERE id = $1").bind(user);
    let found: Option<(String,)> = tx.fetch_optional(select).await?;
    Ok(found.map(|(timezone,)| timezone))
}

/// The place of the newest row that was ever dropped from a log; the beginning if none was.
pub(crate) async fn floor(tx: &mut impl Connection, user: &UserId) -> Result<Cursor> {
    let select = sql("SELECT floor FROM log_floors WHERE user_id = $1").bind(user);
    let found: Option<(i64,)> = tx.fetch_optional(select).await?;
    Ok(found.map_or(Cursor::BEGINNING, |(at,)| Cursor(Micros(at))))
}

/// Moves the floor up to this place, never down.
pub(crate) async fn raise_floor<D: Dialect>(
    tx: &mut impl Connection,
    user: &UserId,
    floor: Cursor,
) -> Result<()> {
    let raise = composed(format!(
        "INSERT INTO log_floors (user_id, floor) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET floor = {}(log_floors.floor, excluded.floor)",
        D::GREATEST
    ));
    tx.execute(raise.bind(user).bind(floor.0)).await?;
    Ok(())
}
