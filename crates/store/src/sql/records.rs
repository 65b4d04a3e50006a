//! Merged records, and what else hangs on a log.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use mana_core::{Micros, RecordKey, RecordState};

use super::{Backend, Connection, Dialect, composed, forgotten_state, sql};
use crate::{
    ChangesPage, ChangesQuery, Cursor, HistoryQuery, Log, LogIdentity, LogSize, Push, Pushed,
    RestoredEpoch, Result, Scope, SnapshotPage, SnapshotQuery, UserId,
    identity::{GIVE_BACK, IdentityRow, Standing},
    json as text,
    ledger::json,
    row,
};

/// Accounts whose epochs begin together.
const EPOCHS_A_PAGE: i64 = 200;

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
        let state = found.map(|(state,)| row::state(&state)).transpose()?;
        Ok(state.filter(|state| !state.is_forgotten()))
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
        let select = sql(concat!(
            "SELECT record_id, state FROM records
             WHERE user_id = $1 AND app_id = $2 AND table_name = $3 AND state <> ",
            forgotten_state!(),
            " ORDER BY record_id"
        ));
        let select = select.bind(scope.owner()).bind(app).bind(table);
        let rows = self
            .read_log(scope.owner())
            .await?
            .fetch_all(select)
            .await?;
        row::states(rows)
    }

    async fn identity(&self, scope: &Scope) -> Result<LogIdentity> {
        identity(&mut *self.reader().await?, scope.owner()).await
    }

    async fn open_give_back(&self, scope: &Scope, now: Micros, anew: bool) -> Result<()> {
        let open = sql(
            "INSERT INTO log_epochs (user_id, epoch, give_back_until, discards_newer) VALUES ($1, $1, $2, $4)
             ON CONFLICT (user_id) DO UPDATE SET give_back_until = excluded.give_back_until, discards_newer = $4
             WHERE NOT log_epochs.discards_newer OR $3",
        );
        let open = open.bind(scope.owner()).bind(now.plus(GIVE_BACK));
        let open = open.bind(anew).bind(false);
        self.writer().await?.execute(open).await?;
        Ok(())
    }

    async fn schema_version(&self, scope: &Scope) -> Result<u64> {
        let select = sql(
            "SELECT max(schema_version) FROM sync_changes WHERE user_id = $1 AND schema_version > 1",
        );
        let mut connection = self.read_log(scope.owner()).await?;
        let found: Option<(Option<i64>,)> = connection
            .fetch_optional(select.bind(scope.owner()))
            .await?;
        let newest = found.and_then(|(newest,)| newest).unwrap_or(1);
        Ok(newest.unsigned_abs())
    }

    async fn size(&self, scope: &Scope) -> Result<LogSize> {
        let select = sql(concat!(
            "SELECT
             (SELECT CAST(coalesce(sum(coalesce(octet_length(CAST(data AS TEXT)), 0)
                  + octet_length(CAST(field_timestamps AS TEXT)) + octet_length(CAST(actor AS TEXT))), 0) AS BIGINT)
              FROM sync_changes WHERE user_id = $1),
             (SELECT count(*) FROM records WHERE user_id = $1 AND state <> ",
            forgotten_state!(),
            ")"
        ));
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

/// Forgotten records of a log of which the id is kept. A device that was away for longer keeps what it has.
const FORGOTTEN_KEPT: i64 = 50_000;

/// Drops the ids of the records that were forgotten first, beyond those that are kept.
pub(crate) async fn prune_forgotten(tx: &mut impl Connection, user: &UserId) -> Result<()> {
    let prune = sql(concat!(
        "DELETE FROM records WHERE user_id = $1 AND state = ",
        forgotten_state!(),
        " AND updated_at <= (SELECT updated_at FROM records WHERE user_id = $1 AND state = ",
        forgotten_state!(),
        " ORDER BY updated_at DESC LIMIT 1 OFFSET $2)"
    ));
    tx.execute(prune.bind(user).bind(FORGOTTEN_KEPT)).await?;
    Ok(())
}

/// The records that the rows of a log say are forgotten.
pub(crate) async fn forgotten(
    tx: &mut impl Connection,
    user: &UserId,
) -> Result<BTreeSet<RecordKey>> {
    let select = sql(
        "SELECT app_id, table_name, CAST(data AS TEXT) FROM sync_changes
         WHERE user_id = $1 AND schema_version > 1 AND op = 'forget'",
    );
    let rows: Vec<(String, String, String)> = tx.fetch_all(select.bind(user)).await?;
    let mut keys = BTreeSet::new();
    for (app, table, data) in rows {
        let mut data: BTreeMap<String, Vec<String>> = text::read("a change", &data)?;
        let ids = data.remove(row::IDS).unwrap_or_default();
        keys.extend(ids.into_iter().map(|id| RecordKey::new(&app, &table, id)));
    }
    Ok(keys)
}

/// The records that were removed before this time and not written since.
pub(crate) async fn expired_removals<D: Dialect>(
    tx: &mut impl Connection,
    user: &UserId,
    before: Micros,
    limit: usize,
) -> Result<Vec<RecordKey>> {
    let select = composed(format!(
        "SELECT app_id, table_name, record_id FROM records
         WHERE user_id = $1 AND updated_at < $2 AND app_id <> 'ai'
         AND {state} -> 'data' ->> 'deletedAt' IS NOT NULL AND {state} -> 'meta' -> 'deletedAt' ->> 'at' < $3
         ORDER BY app_id, table_name, record_id LIMIT $4",
        state = D::STATE
    ));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let select = select.bind(user).bind(before.0).bind(before.to_string());
    let rows: Vec<(String, String, String)> = tx.fetch_all(select.bind(limit)).await?;
    let keys = rows.into_iter();
    Ok(keys
        .map(|(app, table, id)| RecordKey::new(app, table, id))
        .collect())
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

/// The identity of a log.
pub(crate) async fn identity(tx: &mut impl Connection, user: &UserId) -> Result<LogIdentity> {
    let select = sql(
        "SELECT epoch, restored_at, give_back_until, discards_newer FROM log_epochs WHERE user_id = $1",
    );
    let found: Option<IdentityRow> = tx.fetch_optional(select.bind(user)).await?;
    Ok(Standing::identity(user, found.unwrap_or_default()))
}

/// Has a log whose epoch is another one take over this one.
pub(crate) async fn adopt_epoch(
    tx: &mut impl Connection,
    user: &UserId,
    epoch: &str,
) -> Result<()> {
    if identity(tx, user).await?.epoch == epoch {
        return Ok(());
    }
    let adopt = sql("INSERT INTO log_epochs (user_id, epoch) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET epoch = excluded.epoch");
    tx.execute(adopt.bind(user).bind(epoch)).await?;
    Ok(())
}

/// Begins another epoch after a restore.
pub(crate) async fn begin_epoch(
    tx: &mut impl Connection,
    user: &UserId,
    now: Micros,
    discard_newer: bool,
) -> Result<()> {
    let begin = sql(
        "INSERT INTO log_epochs (user_id, epoch, restored_at, give_back_until, discards_newer)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id) DO UPDATE SET epoch = excluded.epoch, restored_at = excluded.restored_at,
             give_back_until = excluded.give_back_until, discards_newer = excluded.discards_newer",
    );
    let epoch = uuid::Uuid::now_v7().to_string();
    let until = (!discard_newer).then(|| now.plus(GIVE_BACK));
    let begin = begin.bind(user).bind(epoch).bind(now).bind(until);
    tx.execute(begin.bind(discard_newer)).await?;
    Ok(())
}

/// Begins another epoch of every account's log, and returns the number of accounts.
pub(crate) async fn begin_epochs(
    tx: &mut impl Connection,
    epoch: Option<RestoredEpoch>,
) -> Result<u64> {
    let (mut last, mut users) = (String::new(), 0);
    loop {
        let page = sql("SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2");
        let page: Vec<(String,)> = tx.fetch_all(page.bind(&last).bind(EPOCHS_A_PAGE)).await?;
        let Some((end,)) = page.last().cloned() else {
            return Ok(users);
        };
        last = end;
        for (id,) in page {
            users += 1;
            if let Some(epoch) = epoch {
                begin_epoch(tx, &UserId(id), epoch.now, epoch.discard_newer).await?;
            }
        }
    }
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
