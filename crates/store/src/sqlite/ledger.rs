//! Usage: reservations, accounts and sums. The one writer makes what each verb does atomic.

use async_trait::async_trait;
use mana_core::Micros;
use serde_json::Value;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::SqliteStore;
use crate::{
    Amount, Ledger, Reservation, Reserved, Result, Settlement, StoreError, UsageQuery, UsageSum,
    VirtualKey,
    accounts::hash,
    ledger::{
        Entry, KeyRow, ReservationRow, accounts, amount, column, forgotten, json, over, quarter,
    },
};

async fn used(tx: &mut SqliteConnection, account: &str, since: Micros) -> Result<(i64, i64)> {
    let sums = "SELECT coalesce(sum(tokens), 0), coalesce(sum(micros_usd), 0)
                FROM ledger_accounts WHERE account = ? AND quarter >= ?";
    Ok(sqlx::query_as(sums)
        .bind(account)
        .bind(quarter(since))
        .fetch_one(tx)
        .await?)
}

/// Adds to each of these accounts, given as JSON.
async fn add(
    tx: &mut SqliteConnection,
    accounts: &str,
    quarter: i64,
    tokens: i64,
    micros_usd: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO ledger_accounts (account, quarter, tokens, micros_usd)
         SELECT value, ?, ?, ? FROM json_each(?) WHERE true
         ON CONFLICT (account, quarter) DO UPDATE
         SET tokens = tokens + excluded.tokens, micros_usd = micros_usd + excluded.micros_usd",
    )
    .bind(quarter)
    .bind(tokens)
    .bind(micros_usd)
    .bind(accounts)
    .execute(tx)
    .await?;
    Ok(())
}

async fn book(tx: &mut SqliteConnection, entry: Entry) -> Result<()> {
    sqlx::query(
        "INSERT INTO usage (quarter, user_id, mission_id, agent_id, key_id, model,
                            calls, failed, cancelled, prompt_tokens, completion_tokens, micros_usd)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, failed = failed + excluded.failed,
            cancelled = cancelled + excluded.cancelled,
            prompt_tokens = prompt_tokens + excluded.prompt_tokens,
            completion_tokens = completion_tokens + excluded.completion_tokens,
            micros_usd = micros_usd + excluded.micros_usd",
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

async fn settle_expired(tx: &mut SqliteConnection, now: Micros) -> Result<u64> {
    let expired: Vec<ReservationRow> =
        sqlx::query_as("DELETE FROM ledger_reservations WHERE expires_at <= ? RETURNING *")
            .bind(now.0)
            .fetch_all(&mut *tx)
            .await?;
    for row in &expired {
        book(tx, row.entry_in_full()?).await?;
    }
    Ok(expired.len() as u64)
}

#[async_trait]
impl Ledger for SqliteStore {
    async fn reserve(&self, now: Micros, reservation: Reservation) -> Result<Reserved> {
        let accounts = json(&accounts(&reservation.lines));
        let mut tx = self.write_soon().await?;
        let (tokens, micros_usd) = (amount(reservation.tokens), amount(reservation.micros_usd));
        let made = sqlx::query(
            "INSERT INTO ledger_reservations (id, reserved_at, expires_at, tokens, micros_usd, accounts, tags)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&reservation.id)
        .bind(now.0)
        .bind(reservation.expires_at.0)
        .bind(tokens)
        .bind(micros_usd)
        .bind(&accounts)
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
        let mut tx = self.write_soon().await?;
        let whole = kept == Amount::default();
        let row: Option<ReservationRow> = sqlx::query_as(match whole {
            true => "DELETE FROM ledger_reservations WHERE id = ? RETURNING *",
            false => "SELECT * FROM ledger_reservations WHERE id = ?",
        })
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(false);
        };
        if !whole {
            sqlx::query("UPDATE ledger_reservations SET tokens = ?, micros_usd = ? WHERE id = ?")
                .bind(amount(kept.tokens))
                .bind(amount(kept.micros_usd))
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        let (entries, (tokens, micros_usd)) = row.entries(used, kept)?;
        add(&mut tx, &row.accounts, row.quarter(), tokens, micros_usd).await?;
        for entry in entries {
            book(&mut tx, entry).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageSum>> {
        let mut tx = self.write().await?;
        settle_expired(&mut tx, query.now).await?;
        tx.commit().await?;
        let sums = format!(
            "SELECT ? AS period, {} AS of, sum(calls) AS calls, sum(failed) AS failed,
                    sum(cancelled) AS cancelled, sum(prompt_tokens) AS prompt_tokens,
                    sum(completion_tokens) AS completion_tokens, sum(micros_usd) AS micros_usd
             FROM usage WHERE quarter >= ? AND quarter < ? AND (?4 IS NULL OR user_id = ?4)
             GROUP BY 2 ORDER BY 2",
            column(query.by)
        );
        let mut all = Vec::new();
        let mut tx = self.readers.begin().await?;
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
        Ok(all)
    }

    async fn used(&self, account: &str, since: Micros) -> Result<(u64, u64)> {
        let (tokens, micros_usd) =
            used(&mut *self.readers.acquire().await?, account, since).await?;
        Ok((
            tokens.try_into().unwrap_or(0),
            micros_usd.try_into().unwrap_or(0),
        ))
    }

    async fn create_key(&self, key: VirtualKey, secret: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let made = sqlx::query(
            "INSERT INTO virtual_keys (secret_hash, id, user_id, settings, created_at)
             SELECT ?, ?, id, ?, ? FROM users WHERE id = ?",
        )
        .bind(hash(secret))
        .bind(&key.id)
        .bind(json(&key.settings))
        .bind(key.created_at.0)
        .bind(key.user.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::NoSuchUser);
        }
        Ok(())
    }

    async fn update_key(&self, id: &str, settings: Value) -> Result<bool> {
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE virtual_keys SET settings = ? WHERE id = ?")
            .bind(json(&settings))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn delete_key(&self, id: &str) -> Result<bool> {
        let mut tx = self.write().await?;
        let done = sqlx::query("DELETE FROM virtual_keys WHERE id = ?")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn keys(&self) -> Result<Vec<(Vec<u8>, VirtualKey)>> {
        let rows: Vec<KeyRow> =
            sqlx::query_as("SELECT * FROM virtual_keys ORDER BY created_at, id")
                .fetch_all(&self.readers)
                .await?;
        rows.into_iter().map(KeyRow::key).collect()
    }

    async fn settle_expired(&self, now: Micros) -> Result<u64> {
        let mut tx = self.write().await?;
        let expired = settle_expired(&mut tx, now).await?;
        for table in ["ledger_accounts", "usage"] {
            sqlx::query(AssertSqlSafe(format!(
                "DELETE FROM {table} WHERE quarter < ?"
            )))
            .bind(forgotten(now))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(expired)
    }
}
