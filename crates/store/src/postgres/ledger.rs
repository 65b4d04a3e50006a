//! Usage: reservations, accounts and sums.
//!
//! Who reserves holds a lock on each of the accounts until the end of the transaction, so that what others reserve
//! at the same time is seen. Rows of accounts and sums are written in one order everywhere, so that nobody waits in
//! a circle.

use async_trait::async_trait;
use mana_core::Micros;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

use super::PostgresStore;
use crate::{
    Amount, Ledger, Reservation, Reserved, Result, Settlement, StoreError, UsageQuery, UsageSum,
    VirtualKey,
    accounts::hash,
    ledger::{
        Entry, KeyRow, ReservationRow, accounts, amount, column, forgotten, json, over, quarter,
    },
};

async fn used(tx: &mut PgConnection, account: &str, since: Micros) -> Result<(i64, i64)> {
    let sums = "SELECT coalesce(sum(tokens), 0)::bigint, coalesce(sum(micros_usd), 0)::bigint
                FROM ledger_accounts WHERE account = $1 AND quarter >= $2";
    Ok(sqlx::query_as(sums)
        .bind(account)
        .bind(quarter(since))
        .fetch_one(tx)
        .await?)
}

/// Of each account once, in the order of their names.
async fn add(
    tx: &mut PgConnection,
    accounts: &[impl AsRef<str>],
    quarter: i64,
    tokens: i64,
    micros_usd: i64,
) -> Result<()> {
    let accounts: Vec<&str> = accounts.iter().map(AsRef::as_ref).collect();
    sqlx::query(
        "INSERT INTO ledger_accounts AS a (account, quarter, tokens, micros_usd)
         SELECT account, $2, $3, $4 FROM unnest($1::text[]) WITH ORDINALITY AS o (account, place) ORDER BY place
         ON CONFLICT (account, quarter) DO UPDATE
         SET tokens = a.tokens + excluded.tokens, micros_usd = a.micros_usd + excluded.micros_usd",
    )
    .bind(accounts)
    .bind(quarter)
    .bind(tokens)
    .bind(micros_usd)
    .execute(tx)
    .await?;
    Ok(())
}

async fn book(tx: &mut PgConnection, entry: Entry) -> Result<()> {
    sqlx::query(
        "INSERT INTO usage AS u (quarter, user_id, mission_id, agent_id, key_id, model,
                            calls, failed, cancelled, prompt_tokens, completion_tokens, micros_usd)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (quarter, user_id, mission_id, agent_id, key_id, model) DO UPDATE
         SET calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
             cancelled = u.cancelled + excluded.cancelled,
             prompt_tokens = u.prompt_tokens + excluded.prompt_tokens,
             completion_tokens = u.completion_tokens + excluded.completion_tokens,
             micros_usd = u.micros_usd + excluded.micros_usd",
    )
    .bind(entry.quarter)
    .bind(entry.tags.user.as_str())
    .bind(entry.tags.mission.as_deref().unwrap_or_default())
    .bind(entry.tags.agent.as_deref().unwrap_or_default())
    .bind(entry.tags.key.as_deref().unwrap_or_default())
    .bind(&entry.tags.model)
    .bind(entry.calls)
    .bind(entry.failed)
    .bind(entry.cancelled)
    .bind(entry.prompt_tokens)
    .bind(entry.completion_tokens)
    .bind(entry.micros_usd)
    .execute(tx)
    .await?;
    Ok(())
}

async fn settle_expired(tx: &mut PgConnection, now: Micros) -> Result<u64> {
    let expired: Vec<ReservationRow> = sqlx::query_as(
        "DELETE FROM ledger_reservations WHERE id IN (
             SELECT id FROM ledger_reservations WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)
         RETURNING *",
    )
    .bind(now.0)
    .fetch_all(&mut *tx)
    .await?;
    let mut entries = expired
        .iter()
        .map(ReservationRow::entry_in_full)
        .collect::<Result<Vec<_>>>()?;
    entries.sort_by(|a, b| (a.quarter, &a.tags).cmp(&(b.quarter, &b.tags)));
    for entry in entries {
        book(tx, entry).await?;
    }
    Ok(expired.len() as u64)
}

#[async_trait]
impl Ledger for PostgresStore {
    async fn reserve(&self, now: Micros, reservation: Reservation) -> Result<Reserved> {
        let accounts = accounts(&reservation.lines);
        let mut tx = self.db.pool.begin().await?;
        sqlx::query(
            "SELECT pg_advisory_xact_lock(lock) FROM (
                 SELECT DISTINCT hashtextextended('ledger ' || account, 0) AS lock
                 FROM unnest($1::text[]) AS account ORDER BY lock) AS locks",
        )
        .bind(&accounts)
        .execute(&mut *tx)
        .await?;
        let (tokens, micros_usd) = (amount(reservation.tokens), amount(reservation.micros_usd));
        let made = sqlx::query(
            "INSERT INTO ledger_reservations (id, reserved_at, expires_at, tokens, micros_usd, accounts, tags)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&reservation.id)
        .bind(now.0)
        .bind(reservation.expires_at.0)
        .bind(tokens)
        .bind(micros_usd)
        .bind(json(&accounts))
        .bind(json(&reservation.tags))
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Ok(Reserved::Ok);
        }
        for line in reservation.lines.iter().filter(|line| line.is_limited()) {
            let used = used(&mut tx, &line.account, line.since).await?;
            if let Some(over) = over(line, used, &reservation) {
                return Ok(Reserved::Over(over));
            }
        }
        add(&mut tx, &accounts, quarter(now), tokens, micros_usd).await?;
        tx.commit().await?;
        Ok(Reserved::Ok)
    }

    async fn settle_part(&self, id: &str, used: Vec<Settlement>, kept: Amount) -> Result<bool> {
        let mut tx = self.db.pool.begin().await?;
        let whole = kept == Amount::default();
        let row: Option<ReservationRow> = sqlx::query_as(match whole {
            true => "DELETE FROM ledger_reservations WHERE id = $1 RETURNING *",
            false => "SELECT * FROM ledger_reservations WHERE id = $1 FOR UPDATE",
        })
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(false);
        };
        if !whole {
            sqlx::query(
                "UPDATE ledger_reservations SET tokens = $1, micros_usd = $2 WHERE id = $3",
            )
            .bind(amount(kept.tokens))
            .bind(amount(kept.micros_usd))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        }
        let (entries, (tokens, micros_usd)) = row.entries(used, kept)?;
        add(&mut tx, &row.accounts()?, row.quarter(), tokens, micros_usd).await?;
        for entry in entries {
            book(&mut tx, entry).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageSum>> {
        let mut tx = self.db.pool.begin().await?;
        settle_expired(&mut tx, query.now).await?;
        let sums = format!(
            "SELECT $1 AS period, {} AS of, sum(calls)::bigint AS calls, sum(failed)::bigint AS failed,
                    sum(cancelled)::bigint AS cancelled, sum(prompt_tokens)::bigint AS prompt_tokens,
                    sum(completion_tokens)::bigint AS completion_tokens, sum(micros_usd)::bigint AS micros_usd
             FROM usage WHERE quarter >= $2 AND quarter < $3 AND ($4::text IS NULL OR user_id = $4)
             GROUP BY 2 ORDER BY 2",
            column(query.by)
        );
        let mut all = Vec::new();
        for (period, bounds) in query.bounds.windows(2).enumerate() {
            let sums: Vec<UsageSum> = sqlx::query_as(AssertSqlSafe(sums.clone()))
                .bind(period as i64)
                .bind(quarter(bounds[0]))
                .bind(quarter(bounds[1]))
                .bind(query.user.as_ref().map(|user| user.as_str()))
                .fetch_all(&mut *tx)
                .await?;
            all.extend(sums);
        }
        tx.commit().await?;
        Ok(all)
    }

    async fn used(&self, account: &str, since: Micros) -> Result<(u64, u64)> {
        let (tokens, micros_usd) =
            used(&mut *self.db.pool.acquire().await?, account, since).await?;
        Ok((
            tokens.try_into().unwrap_or(0),
            micros_usd.try_into().unwrap_or(0),
        ))
    }

    async fn create_key(&self, key: VirtualKey, secret: &str) -> Result<()> {
        let made = sqlx::query(
            "INSERT INTO virtual_keys (secret_hash, id, user_id, settings, created_at)
             SELECT $1, $2, id, $3, $4 FROM users WHERE id = $5",
        )
        .bind(hash(secret))
        .bind(&key.id)
        .bind(json(&key.settings))
        .bind(key.created_at.0)
        .bind(key.user.as_str())
        .execute(&self.db.pool)
        .await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::NoSuchUser);
        }
        Ok(())
    }

    async fn update_key(&self, id: &str, settings: Value) -> Result<bool> {
        let done = sqlx::query("UPDATE virtual_keys SET settings = $1 WHERE id = $2")
            .bind(json(&settings))
            .bind(id)
            .execute(&self.db.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn delete_key(&self, id: &str) -> Result<bool> {
        let done = sqlx::query("DELETE FROM virtual_keys WHERE id = $1")
            .bind(id)
            .execute(&self.db.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn keys(&self) -> Result<Vec<(Vec<u8>, VirtualKey)>> {
        let rows: Vec<KeyRow> =
            sqlx::query_as("SELECT * FROM virtual_keys ORDER BY created_at, id")
                .fetch_all(&self.db.pool)
                .await?;
        rows.into_iter().map(KeyRow::key).collect()
    }

    async fn settle_expired(&self, now: Micros) -> Result<u64> {
        let mut tx = self.db.pool.begin().await?;
        let expired = settle_expired(&mut tx, now).await?;
        for table in ["ledger_accounts", "usage"] {
            sqlx::query(AssertSqlSafe(format!(
                "DELETE FROM {table} WHERE quarter < $1"
            )))
            .bind(forgotten(now))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(expired)
    }
}
