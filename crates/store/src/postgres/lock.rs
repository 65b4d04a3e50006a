//! Transactions in a user's name, and the lock under which a log is written.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use mana_core::{RecordKey, RecordState};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row as _, SqlSafeStr as _, Transaction};
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, timeout_at},
};

use super::db::Db;
use crate::{
    Cursor, LogIdentity, Result, StoreError, UserId,
    identity::Standing,
    json,
    push_number::LastPush,
    row,
    stored_change::{StoredChange, StoredColumns},
};

pub(super) type Tx = Transaction<'static, Postgres>;

/// A transaction that holds its log's lock until it ends.
pub(super) struct LogTx {
    pub tx: Tx,
    /// The log's end.
    pub head: Cursor,
    /// Rows up to there may have come by SQL and are not in the projections yet.
    pub pending: bool,
    pub identity: LogIdentity,
    _turn: OwnedMutexGuard<()>,
}

/// The changes and records looked for in a log that is about to be written.
#[derive(Default)]
pub(super) struct Wanted<'w> {
    /// Changes, by event id.
    pub events: Vec<&'w str>,
    /// Records.
    pub keys: BTreeSet<RecordKey>,
    /// The client whose last numbered push is wanted.
    pub client: Option<&'w str>,
}

/// The changes and records that were found.
#[derive(Default)]
pub(super) struct Found {
    /// The changes that the log has, by event id.
    pub stored: HashMap<String, StoredChange>,
    /// The records as they are.
    pub states: HashMap<RecordKey, RecordState>,
    /// The last numbered push of the client.
    pub last_push: Option<LastPush>,
}

impl Db {
    /// A transaction that begins with one of the two statements that every connection has prepared.
    async fn begin(&self, user: &UserId, prepared: &str) -> Result<Tx> {
        // An empty setting is what a transaction has that never set it.
        if user.0.is_empty() || user.0.contains('\0') {
            return Err(StoreError::NoSuchUser);
        }
        // A connection that was just in use is handed out unasked, and may be gone: nothing is lost with a BEGIN, so
        // the next one is tried, until none of the old ones is left.
        let mut old = self.pool.size();
        // Hexadecimal: whatever an id is made of, it is a value, and no SQL. Together with BEGIN, because it is a way
        // there and back less in every transaction.
        let hex = json::hex(user.as_str().as_bytes());
        let begin = format!("BEGIN; EXECUTE {prepared}('\\x{hex}')");
        let begin = AssertSqlSafe(begin).into_sql_str();
        loop {
            match self
                .pool
                .begin_with(begin.clone())
                .await
                .map_err(StoreError::from)
            {
                Err(StoreError::Unavailable(_) | StoreError::NoAccess { .. }) if old > 0 => {
                    old -= 1
                }
                begun => return begun,
            }
        }
    }

    /// To reach what is this user's beside the log.
    pub async fn beside(&self, user: &UserId) -> Result<Tx> {
        self.begin(user, "mana_as").await
    }

    /// To take away a log with everything beside it, alone.
    pub async fn alone(&self, user: &UserId) -> Result<Tx> {
        self.wait_for(user, Instant::now() + self.wait).await
    }

    /// To write a log, alone; and what is there of it without the rows that came by SQL.
    pub async fn lock(&self, user: &UserId, wanted: &Wanted<'_>) -> Result<(LogTx, Found)> {
        let until = Instant::now() + self.wait;
        let turn = self.gate.turn(user).lock_owned();
        let turn = timeout_at(until, turn)
            .await
            .map_err(|_| StoreError::Busy)?;
        let mut tx = self.begin(user, "mana_as_writer").await?;
        let (mut end, mut found) = look(&mut tx, user, wanted).await?;
        if !end.locked {
            tx.rollback().await?;
            tx = self.wait_for(user, until).await?;
            (end, found) = look(&mut tx, user, wanted).await?;
        }
        if end.deleted {
            return Err(StoreError::NoSuchUser);
        }
        let log = LogTx {
            tx,
            head: cursor(end.head),
            pending: end.pending,
            identity: end.identity,
            _turn: turn,
        };
        Ok((log, found))
    }

    async fn wait_for(&self, user: &UserId, until: Instant) -> Result<Tx> {
        let _waiting = timeout_at(until, self.gate.waiting.acquire())
            .await
            .map_err(|_| StoreError::Busy)?;
        let mut tx = self.beside(user).await?;
        let left = until.saturating_duration_since(Instant::now());
        // Zero would be: without end.
        let left = left.max(Duration::from_millis(1)).as_millis();
        sqlx::query("SELECT set_config('lock_timeout', $1, true)")
            .bind(left.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query("SELECT pg_advisory_xact_lock(mana_log_key($1))")
            .bind(user.as_str())
            .execute(&mut *tx)
            .await?;
        Ok(tx)
    }
}

/// How a transaction begins, prepared: planned each time it would be most of what a small read costs.
///
/// `mana_as` reaches a user's rows and nobody else's. `mana_as_writer` takes the log's lock as well, if it is free, and
/// keeps in a setting of the transaction whether it was: the next statement reads it, and nobody waits for an answer in
/// between.
pub(super) const PREPARE: &str = "
    PREPARE mana_as (bytea) AS
        SELECT set_config('app.current_user_id', convert_from($1, 'UTF8'), true);
    PREPARE mana_as_writer (bytea) AS
        SELECT set_config('app.current_user_id', convert_from($1, 'UTF8'), true),
               set_config('app.log_locked',
                          pg_try_advisory_xact_lock(mana_log_key(convert_from($1, 'UTF8')))::text, true)";

/// How a log ends.
#[derive(Default)]
struct End {
    /// The last stamp.
    head: Option<i64>,
    /// There are rows that came by SQL and are not folded yet.
    pending: bool,
    /// `mana_as_writer` got the lock.
    locked: bool,
    /// The account was deleted.
    deleted: bool,
    identity: LogIdentity,
}

/// How a log ends, and what it has of what is wanted. A statement after the one that took the lock: it sees what was
/// committed before the lock was free. And one, because each is a way there and back while others wait.
async fn look(
    connection: &mut PgConnection,
    user: &UserId,
    wanted: &Wanted<'_>,
) -> Result<(End, Found)> {
    let [mut apps, mut tables, mut ids] = [const { Vec::<&str>::new() }; 3];
    for key in &wanted.keys {
        apps.push(&key.app);
        tables.push(&key.table);
        ids.push(&key.id);
    }
    // One look into the index for each, whatever the planner believes of a log that has just grown: `= ANY` and a
    // join both end in reading all of it.
    let rows = sqlx::query(
        "SELECT (SELECT mana_micros(created_at) FROM sync_changes WHERE user_id = $1
                 ORDER BY created_at DESC LIMIT 1),
                EXISTS (SELECT FROM pending_folds WHERE user_id = $1),
                coalesce(current_setting('app.log_locked', true), '') = 'true',
                NULL,
                (SELECT json_build_object('number', number, 'changes', changes, 'digest', digest)::text
                 FROM client_pushes WHERE user_id = $1 AND client_id = $6),
                NULL, NULL, NULL, NULL, NULL, NULL,
                e.epoch, e.restored_at, e.give_back_until, e.discards_newer,
                EXISTS (SELECT FROM deleted_accounts WHERE id_hash = sha256(convert_to($1, 'UTF8')))
         FROM (SELECT) AS log LEFT JOIN log_epochs e ON e.user_id = $1
         UNION ALL
         SELECT NULL, NULL, NULL, c.event_id, c.adjusted, c.app_id, c.table_name, c.record_id, c.data, c.op,
                c.unchanged, NULL, NULL, NULL, NULL, NULL
         FROM unnest($2::text[]) AS k (id) CROSS JOIN LATERAL (
             SELECT event_id, adjusted, app_id, table_name, record_id, data::text, op, unchanged
             FROM sync_changes WHERE user_id = $1 AND event_id = k.id LIMIT 1) AS c
         UNION ALL
         SELECT NULL, NULL, NULL, NULL, NULL, k.app, k.tbl, k.id, r.state, NULL, NULL, NULL, NULL, NULL, NULL,
                NULL
         FROM unnest($3::text[], $4::text[], $5::text[]) AS k (app, tbl, id) CROSS JOIN LATERAL (
             SELECT state FROM records
             WHERE user_id = $1 AND app_id = k.app AND table_name = k.tbl AND record_id = k.id LIMIT 1) AS r",
    )
    .bind(user.as_str())
    .bind(&wanted.events)
    .bind(&apps)
    .bind(&tables)
    .bind(&ids)
    .bind(wanted.client)
    .fetch_all(connection)
    .await?;
    let (mut end, mut found) = (End::default(), Found::default());
    for row in rows {
        if let Some(locked) = row.try_get(2)? {
            end = End {
                head: row.try_get(0)?,
                pending: row.try_get(1)?,
                locked,
                deleted: row.try_get(15)?,
                identity: Standing::identity(
                    user,
                    (
                        row.try_get(11)?,
                        row.try_get(12)?,
                        row.try_get(13)?,
                        row.try_get(14)?,
                    ),
                ),
            };
            let last_push: Option<&str> = row.try_get(4)?;
            found.last_push = last_push
                .map(|text| json::read("a client's last push", text))
                .transpose()?;
        } else if let Some(event) = row.try_get(3)? {
            let stored = StoredChange::new(StoredColumns {
                adjusted: row.try_get(4)?,
                app_id: row.try_get(5)?,
                table_name: row.try_get(6)?,
                record_id: row.try_get(7)?,
                data: row.try_get(8)?,
                op: row.try_get(9)?,
                unchanged: row.try_get(10)?,
            })?;
            found.stored.insert(event, stored);
        } else {
            let key = RecordKey::new(
                row.try_get::<String, _>(5)?,
                row.try_get::<String, _>(6)?,
                row.try_get::<String, _>(7)?,
            );
            found.states.insert(key, row::state(row.try_get(8)?)?);
        }
    }
    Ok((end, found))
}

/// Looks for changes and records in a log.
pub(super) async fn found(
    connection: &mut PgConnection,
    user: &UserId,
    wanted: &Wanted<'_>,
) -> Result<Found> {
    Ok(look(connection, user, wanted).await?.1)
}

/// The last stamp of the log, of those rows that are handed out; the beginning if there is none.
///
/// By the order and not by `max`: a log that has grown since the table's statistics were made counts as one row, and
/// then every one of them is read through whichever index comes first.
pub(super) async fn folded_head(connection: &mut PgConnection, user: &UserId) -> Result<Cursor> {
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT mana_micros(created_at) FROM sync_changes WHERE user_id = $1 AND folded
         ORDER BY created_at DESC LIMIT 1",
    )
    .bind(user.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(cursor(last))
}

/// Whether a row of the log stands at this place.
pub(super) async fn holds_row(
    connection: &mut PgConnection,
    user: &UserId,
    place: Cursor,
) -> Result<bool> {
    let holds =
        "SELECT EXISTS (SELECT FROM sync_changes WHERE user_id = $1 AND created_at = mana_at($2))";
    Ok(sqlx::query_scalar(holds)
        .bind(user.as_str())
        .bind(place.0.0)
        .fetch_one(connection)
        .await?)
}

fn cursor(at: Option<i64>) -> Cursor {
    at.map_or(Cursor::BEGINNING, |at| Cursor(mana_core::Micros(at)))
}
