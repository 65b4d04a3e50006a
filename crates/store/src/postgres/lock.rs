//! Transactions in a user's name, and the lock under which a log is written.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use sqlx::{AssertSqlSafe, PgConnection, Postgres, SqlSafeStr as _, Transaction};
use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard, Semaphore},
    time::{Instant, timeout_at},
};

use super::{Db, pending};
use crate::{Cursor, Result, StoreError, UserId, row};

pub(super) type Tx = Transaction<'static, Postgres>;

/// A transaction that holds its log's lock until it ends.
pub(super) struct LogTx {
    pub tx: Tx,
    /// The log's end.
    pub head: Cursor,
    /// Rows up to there may have come by SQL and are not in the projections yet.
    pub pending: bool,
    _turn: OwnedMutexGuard<()>,
}

/// Keeps those who wait for a log from taking up the pool: of each log one waits in the database, and of all
/// together half as many as there are connections. The others wait here, and hold none.
pub(super) struct Gate {
    turns: Mutex<HashMap<UserId, Weak<Turn<()>>>>,
    waiting: Semaphore,
}

impl Gate {
    pub fn new(connections: usize) -> Self {
        Self {
            turns: Mutex::default(),
            waiting: Semaphore::new((connections / 2).max(1)),
        }
    }

    fn turn(&self, user: &UserId) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(user).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= 1024 {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::new(()));
        turns.insert(user.clone(), Arc::downgrade(&turn));
        turn
    }
}

impl Db {
    /// A transaction that reaches this user's rows and nobody else's. `and` is SQL that goes along with the BEGIN.
    async fn begin(&self, user: &UserId, and: &str) -> Result<Tx> {
        // An empty setting is what a transaction has that never set it.
        if user.0.is_empty() || user.0.contains('\0') {
            return Err(StoreError::NoSuchUser);
        }
        // A connection that was just in use is handed out unasked, and may be gone: nothing is lost with a BEGIN, so
        // the next one is tried, until none of the old ones is left.
        let mut old = self.pool.size();
        // Hexadecimal: whatever an id is made of, it is a value, and no SQL. Together with BEGIN, because it is a way
        // there and back less in every transaction.
        let hex = row::hex(user.as_str().as_bytes());
        let begin = AssertSqlSafe(format!(
            "BEGIN; SELECT set_config('app.current_user_id', convert_from(decode('{hex}', 'hex'), 'UTF8'), true){and}"
        ))
        .into_sql_str();
        loop {
            match self
                .pool
                .begin_with(begin.clone())
                .await
                .map_err(StoreError::from)
            {
                Err(StoreError::Unavailable) if old > 0 => old -= 1,
                begun => return begun,
            }
        }
    }

    /// To read a log and its projections. Rows that came by SQL are folded first; where the log's lock is held for
    /// long they are left for later, and what is read is exact up to them.
    pub async fn read(self: &Arc<Self>, user: &UserId) -> Result<Tx> {
        let mut tx = self.beside(user).await?;
        let pending: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pending_folds WHERE user_id = $1)")
                .bind(user.as_str())
                .fetch_one(&mut *tx)
                .await?;
        if !pending {
            return Ok(tx);
        }
        tx.rollback().await?;
        self.fold_if_free(user).await?;
        self.beside(user).await
    }

    /// Folds what came by SQL, unless the log's lock is held for long.
    pub async fn fold_if_free(self: &Arc<Self>, user: &UserId) -> Result<()> {
        match pending::fold(self, user).await {
            Err(StoreError::Busy) => Ok(()),
            folded => folded,
        }
    }

    /// To reach what is this user's beside the log.
    pub async fn beside(&self, user: &UserId) -> Result<Tx> {
        self.begin(user, "").await
    }

    /// To write a log, alone, with everything folded that came by SQL before.
    pub async fn write(self: &Arc<Self>, user: &UserId) -> Result<LogTx> {
        let mut log = self.lock(user).await?;
        pending::fold_in(self, &mut log, user).await?;
        Ok(log)
    }

    /// To write a log, alone.
    pub async fn lock(&self, user: &UserId) -> Result<LogTx> {
        let until = Instant::now() + self.wait;
        let turn = self.gate.turn(user).lock_owned();
        let turn = timeout_at(until, turn)
            .await
            .map_err(|_| StoreError::Busy)?;
        let mut tx = self.begin(user, TRY_LOCK).await?;
        let mut end = end(&mut tx, user).await?;
        if !end.locked {
            tx.rollback().await?;
            tx = self.wait_for(user, until).await?;
            end = self::end(&mut tx, user).await?;
        }
        Ok(LogTx {
            tx,
            head: cursor(end.head),
            pending: end.pending,
            _turn: turn,
        })
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

/// Takes the log's lock if it is free, and keeps in a setting of the transaction whether it was: the next statement
/// reads it, and nobody waits for an answer in between.
const TRY_LOCK: &str = "; SELECT set_config('app.log_locked', \
    pg_try_advisory_xact_lock(mana_log_key(current_setting('app.current_user_id')))::text, true)";

#[derive(sqlx::FromRow)]
struct End {
    /// The last stamp.
    head: Option<i64>,
    /// There are rows that came by SQL and are not folded yet.
    pending: bool,
    /// [`TRY_LOCK`] got the lock.
    locked: bool,
}

/// How a log ends. A statement after the one that took the lock: it sees what was committed before the lock was free.
async fn end(connection: &mut PgConnection, user: &UserId) -> Result<End> {
    Ok(sqlx::query_as(
        "SELECT (SELECT mana_micros(created_at) FROM sync_changes WHERE user_id = $1
                 ORDER BY created_at DESC LIMIT 1) AS head,
                EXISTS (SELECT FROM pending_folds WHERE user_id = $1) AS pending,
                coalesce(current_setting('app.log_locked', true), '') = 'true' AS locked",
    )
    .bind(user.as_str())
    .fetch_one(connection)
    .await?)
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

fn cursor(at: Option<i64>) -> Cursor {
    at.map_or(Cursor::BEGINNING, |at| Cursor(mana_core::Micros(at)))
}
