//! Usage: reservations, accounts and sums.
//!
//! A transaction that reserves holds a lock on each of its accounts to its end, so that it sees what others reserve at
//! the same time. Rows of accounts and sums are written in one order everywhere, so that transactions never wait for
//! each other in a circle.

use async_trait::async_trait;
use mana_core::Micros;
use serde_json::Value;

use super::{Backend, Connection, Dialect, composed, deleted, sql};
use crate::{
    Amount, Ledger, Line, Reservation, Reserved, Result, Settlement, StoreError, UsageQuery,
    UsageSum, VirtualKey,
    accounts::hash,
    ledger::{
        AccountChange, Entry, KeyRow, MAX_CELL, MAX_SUM, ReservationRow, accounts, column,
        forgotten, json, over, quarter,
    },
};

/// An expression held between 0 and what a cell may hold. A cell from before that bound may hold more.
fn clamped<D: Dialect>(expression: &str) -> String {
    format!("{}(0, {}({expression}, {MAX_CELL}))", D::GREATEST, D::LEAST)
}

/// The sum of a column: 0 for no rows, [`MAX_SUM`] at most.
fn sum<D: Dialect>(column: &str) -> String {
    let cell = clamped::<D>(column);
    format!(
        "CAST({}(coalesce({}({cell}), 0), {MAX_SUM}) AS bigint)",
        D::LEAST,
        D::TOTAL
    )
}

/// The amount that an account has used or reserved.
async fn used<D: Dialect>(
    tx: &mut impl Connection,
    account: &str,
    since: Micros,
) -> Result<Amount> {
    let sums = composed(format!(
        "SELECT {}, {}, {} FROM ledger_accounts WHERE account = $1 AND quarter >= $2",
        sum::<D>("calls"),
        sum::<D>("tokens"),
        sum::<D>("micros_usd")
    ));
    let (calls, tokens, micros_usd): (i64, i64, i64) = tx
        .fetch_one(sums.bind(account).bind(quarter(since)))
        .await?;
    Ok(Amount {
        calls: calls.unsigned_abs(),
        tokens: tokens.unsigned_abs(),
        micros_usd: micros_usd.unsigned_abs(),
    })
}

/// Adds to each of these accounts, given as JSON in the order of their names.
async fn add<D: Dialect>(
    tx: &mut impl Connection,
    accounts: &str,
    quarter: i64,
    more: AccountChange,
) -> Result<()> {
    let add = composed(format!(
        "INSERT INTO ledger_accounts (account, quarter, calls, tokens, micros_usd)
         SELECT value, $2, $3, $4, $5 FROM {} WHERE true
         ON CONFLICT (account, quarter) DO UPDATE SET calls = {}, tokens = {}, micros_usd = {}",
        D::EACH_TEXT,
        clamped::<D>("ledger_accounts.calls + excluded.calls"),
        clamped::<D>("ledger_accounts.tokens + excluded.tokens"),
        clamped::<D>("ledger_accounts.micros_usd + excluded.micros_usd"),
    ));
    let add = add
        .bind(accounts)
        .bind(quarter)
        .bind(more.calls)
        .bind(more.tokens)
        .bind(more.micros_usd);
    tx.execute(add).await?;
    Ok(())
}

/// Adds an entry to the sums.
async fn book<D: Dialect>(tx: &mut impl Connection, entry: &Entry) -> Result<()> {
    let columns = [
        "calls",
        "failed",
        "cancelled",
        "prompt_tokens",
        "completion_tokens",
        "micros_usd",
    ];
    let sums = columns.map(|column| {
        let sum = clamped::<D>(&format!("usage.{column} + excluded.{column}"));
        format!("{column} = {sum}")
    });
    let book = composed(format!(
        "INSERT INTO usage (quarter, user_id, mission_id, agent_id, key_id, model,
                            calls, failed, cancelled, prompt_tokens, completion_tokens, micros_usd)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (quarter, user_id, mission_id, agent_id, key_id, model) DO UPDATE SET {}",
        sums.join(", ")
    ));
    let book = book
        .bind(entry.quarter)
        .bind(&entry.tags.user)
        .bind(entry.tags.mission.as_deref().unwrap_or_default())
        .bind(entry.tags.agent.as_deref().unwrap_or_default())
        .bind(entry.tags.key.as_deref().unwrap_or_default())
        .bind(&entry.tags.model)
        .bind(entry.calls)
        .bind(entry.failed)
        .bind(entry.cancelled)
        .bind(entry.prompt_tokens)
        .bind(entry.completion_tokens)
        .bind(entry.micros_usd);
    tx.execute(book).await?;
    Ok(())
}

/// Settles what has expired by `now` at its full amount, and returns how many reservations that were.
async fn settle_expired<D: Dialect>(tx: &mut impl Connection, now: Micros) -> Result<u64> {
    let expired: Vec<ReservationRow> = tx
        .fetch_all(
            composed(format!(
                "DELETE FROM ledger_reservations WHERE id IN (
                     SELECT id FROM ledger_reservations WHERE expires_at <= $1{})
                 RETURNING *",
                D::SKIP_LOCKED
            ))
            .bind(now),
        )
        .await?;
    let mut entries = Vec::with_capacity(expired.len());
    for row in &expired {
        match row.entry_in_full() {
            Ok(entry) => entries.push(entry),
            // Its amount stays counted in its accounts; refusing would keep every other one from being settled.
            Err(error) => {
                tracing::warn!(
                    reservation = row.id,
                    %error,
                    "An expired reservation can't be read and is left out of the sums",
                );
            }
        }
    }
    entries.sort_by(|a, b| (a.quarter, &a.tags).cmp(&(b.quarter, &b.tags)));
    for entry in &entries {
        book::<D>(tx, entry).await?;
    }
    Ok(expired.len() as u64)
}

#[async_trait]
impl<B: Backend> Ledger for B {
    async fn reserve(&self, now: Micros, reservation: Reservation) -> Result<Reserved> {
        let accounts = json(&accounts(&reservation.lines));
        let mut tx = self.begin_relaxed().await?;
        deleted::refuse(&mut *tx, &reservation.tags.user).await?;
        if let Some(lock) = B::Db::LOCK_ACCOUNTS {
            tx.execute(sql(lock).bind(&accounts)).await?;
        }
        let reserved = AccountChange::from(reservation.amount);
        let made = tx
            .execute(
                sql("INSERT INTO ledger_reservations
                         (id, reserved_at, expires_at, calls, tokens, micros_usd, accounts, tags)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING")
                .bind(&reservation.id)
                .bind(now)
                .bind(reservation.expires_at)
                .bind(reserved.calls)
                .bind(reserved.tokens)
                .bind(reserved.micros_usd)
                .bind(&accounts)
                .bind(json(&reservation.tags)),
            )
            .await?;
        if made == 0 {
            return Ok(Reserved::Ok);
        }
        let limited = |line: &&Line| !line.limits.is_unlimited();
        for line in reservation.lines.iter().filter(limited) {
            let used = used::<B::Db>(&mut *tx, &line.account, line.since).await?;
            if let Some(over) = over(line, used, reservation.amount) {
                return Ok(Reserved::Over(over));
            }
        }
        add::<B::Db>(&mut *tx, &accounts, quarter(now), reserved).await?;
        tx.commit().await?;
        Ok(Reserved::Ok)
    }

    async fn renew_reservation(&self, id: &str, expires_at: Micros) -> Result<bool> {
        let mut tx = self.begin_relaxed().await?;
        let renew = sql("UPDATE ledger_reservations SET expires_at = $1 WHERE id = $2");
        let renewed = tx.execute(renew.bind(expires_at).bind(id)).await?;
        tx.commit().await?;
        Ok(renewed == 1)
    }

    async fn settle_part(&self, id: &str, used: Vec<Settlement>, kept: Amount) -> Result<bool> {
        let mut tx = self.begin_relaxed().await?;
        let find = if kept == Amount::default() {
            sql("DELETE FROM ledger_reservations WHERE id = $1 RETURNING *")
        } else {
            composed(format!(
                "SELECT * FROM ledger_reservations WHERE id = $1{}",
                B::Db::FOR_UPDATE
            ))
        };
        let row: Option<ReservationRow> = tx.fetch_optional(find.bind(id)).await?;
        let Some(row) = row else {
            return Ok(false);
        };
        if kept != Amount::default() {
            let keep = sql(
                "UPDATE ledger_reservations SET calls = $1, tokens = $2, micros_usd = $3 WHERE id = $4",
            );
            let stays = AccountChange::from(kept);
            let keep = keep
                .bind(stays.calls)
                .bind(stays.tokens)
                .bind(stays.micros_usd)
                .bind(id);
            tx.execute(keep).await?;
        }
        let (entries, more) = row.entries(used, kept)?;
        add::<B::Db>(&mut *tx, &row.accounts, row.quarter(), more).await?;
        for entry in &entries {
            book::<B::Db>(&mut *tx, entry).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageSum>> {
        let mut tx = self.begin().await?;
        settle_expired::<B::Db>(&mut *tx, query.now).await?;
        tx.commit().await?;
        let bounds = query.bounds.windows(2);
        let periods: Vec<(i64, i64)> = bounds
            .map(|bounds| (quarter(bounds[0]), quarter(bounds[1])))
            .collect();
        let columns = [
            "calls",
            "failed",
            "cancelled",
            "prompt_tokens",
            "completion_tokens",
            "micros_usd",
        ];
        let sums = columns.map(|column| format!("{} AS {column}", sum::<B::Db>(column)));
        let select = composed(format!(
            "SELECT period, {} AS of, {}
             FROM {} CROSS JOIN usage
             WHERE quarter >= first AND quarter < last AND (CAST($2 AS text) IS NULL OR user_id = $2)
             GROUP BY 1, 2 ORDER BY 1, 2",
            column(query.by),
            sums.join(", "),
            B::Db::PERIODS,
        ));
        let select = select
            .bind(json(&periods))
            .bind(query.user.as_ref().map(|user| user.as_str()));
        self.reader().await?.fetch_all(select).await
    }

    async fn used(&self, account: &str, since: Micros) -> Result<Amount> {
        let mut reader = self.reader().await?;
        used::<B::Db>(&mut *reader, account, since).await
    }

    async fn create_key(&self, key: VirtualKey, secret: &str) -> Result<()> {
        let create = sql(
            "INSERT INTO virtual_keys (secret_hash, id, user_id, settings, created_at)
             SELECT $1, $2, id, $3, $4 FROM users WHERE id = $5",
        );
        let create = create
            .bind(hash(secret))
            .bind(&key.id)
            .bind(json(&key.settings))
            .bind(key.created_at)
            .bind(&key.user);
        match self.writer().await?.execute(create).await? {
            0 => Err(StoreError::NoSuchUser),
            _ => Ok(()),
        }
    }

    async fn update_key(&self, id: &str, settings: Value) -> Result<bool> {
        let update = sql("UPDATE virtual_keys SET settings = $1 WHERE id = $2");
        let update = update.bind(json(&settings)).bind(id);
        Ok(self.writer().await?.execute(update).await? == 1)
    }

    async fn delete_key(&self, id: &str) -> Result<bool> {
        let delete = sql("DELETE FROM virtual_keys WHERE id = $1").bind(id);
        Ok(self.writer().await?.execute(delete).await? == 1)
    }

    async fn keys(&self) -> Result<Vec<(Vec<u8>, VirtualKey)>> {
        let select = sql(
            "SELECT * FROM virtual_keys WHERE user_id IN (SELECT id FROM users WHERE locked_at IS NULL)
             ORDER BY created_at, id",
        );
        let rows: Vec<KeyRow> = self.reader().await?.fetch_all(select).await?;
        rows.into_iter().map(KeyRow::key).collect()
    }

    async fn settle_expired(&self, now: Micros) -> Result<u64> {
        let mut tx = self.begin().await?;
        let expired = settle_expired::<B::Db>(&mut *tx, now).await?;
        for delete in [
            "DELETE FROM ledger_accounts WHERE quarter < $1",
            "DELETE FROM usage WHERE quarter < $1",
        ] {
            tx.execute(sql(delete).bind(forgotten(now))).await?;
        }
        tx.commit().await?;
        Ok(expired)
    }
}
