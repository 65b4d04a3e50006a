//! Second factors, recovery codes and identities of an OpenID provider.

use async_trait::async_trait;
use mana_core::Micros;

use super::{Backend, Connection, Dialect, composed, sql};
use crate::{
    FactorState, Result, SecondFactor, SecondFactors, StoreError, UserId, accounts::hash,
    second_factors::FactorRow,
};

/// The hash that is kept of a recovery code.
fn code_hash(id: &UserId, code: &str) -> Vec<u8> {
    hash(&format!("{id} {code}"))
}

async fn put_codes(tx: &mut impl Connection, id: &UserId, codes: &[String]) -> Result<()> {
    let delete = sql("DELETE FROM recovery_codes WHERE user_id = $1");
    tx.execute(delete.bind(id)).await?;
    for code in codes {
        let hash = code_hash(id, code);
        let insert = sql("INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)");
        tx.execute(insert.bind(id).bind(&hash)).await?;
    }
    Ok(())
}

async fn forget_guesses(tx: &mut impl Connection, id: &UserId) -> Result<()> {
    let forget = sql("UPDATE second_factors SET failures = 0, closed_until = 0 WHERE user_id = $1");
    tx.execute(forget.bind(id)).await?;
    Ok(())
}

#[async_trait]
impl<B: Backend> SecondFactors for B {
    async fn factor_state(&self, id: &UserId) -> Result<Option<FactorState>> {
        let select = sql(
            "SELECT confirmed_at, (SELECT count(*) FROM recovery_codes WHERE user_id = $1)
             FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL",
        );
        let mut reader = self.reader().await?;
        let found: Option<(i64, i64)> = reader.fetch_optional(select.bind(id)).await?;
        Ok(found.map(|(confirmed_at, codes)| FactorState {
            confirmed_at: Micros(confirmed_at),
            codes_left: codes.unsigned_abs(),
        }))
    }

    async fn begin_factor(&self, id: &UserId, secret: &str) -> Result<bool> {
        let put = sql(
            "INSERT INTO second_factors (user_id, secret) SELECT id, $2 FROM users WHERE id = $1
             ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, last_step = 0
             WHERE second_factors.confirmed_at IS NULL",
        );
        let mut writer = self.writer().await?;
        Ok(writer.execute(put.bind(id).bind(secret)).await? == 1)
    }

    async fn take_guess(
        &self,
        id: &UserId,
        now: Micros,
        most: i64,
        closed_for: i64,
    ) -> Result<Option<SecondFactor>> {
        let mut tx = self.begin().await?;
        let select = composed(format!(
            "SELECT secret, confirmed_at, failures, closed_until FROM second_factors WHERE user_id = $1{}",
            B::Db::FOR_UPDATE
        ));
        let row: Option<FactorRow> = tx.fetch_optional(select.bind(id)).await?;
        let Some(row) = row else {
            return Ok(None);
        };
        if row.closed_until > now.0 {
            return Err(StoreError::CodesClosed {
                until: Micros(row.closed_until),
            });
        }
        let (failures, closed_until) = match row.failures + 1 {
            failures if failures >= most => (0, now.plus(closed_for)),
            failures => (failures, Micros(0)),
        };
        let count =
            sql("UPDATE second_factors SET failures = $1, closed_until = $2 WHERE user_id = $3");
        tx.execute(count.bind(failures).bind(closed_until).bind(id))
            .await?;
        tx.commit().await?;
        Ok(Some(SecondFactor {
            secret: row.secret,
            confirmed_at: row.confirmed_at.map(Micros),
        }))
    }

    async fn take_code(&self, id: &UserId, step: i64) -> Result<()> {
        let take = sql(
            "UPDATE second_factors SET last_step = $1, failures = 0, closed_until = 0
             WHERE user_id = $2 AND last_step < $1 AND confirmed_at IS NOT NULL",
        );
        match self
            .writer()
            .await?
            .execute(take.bind(step).bind(id))
            .await?
        {
            0 => Err(StoreError::CodeWrong),
            _ => Ok(()),
        }
    }

    async fn confirm_factor(
        &self,
        id: &UserId,
        step: i64,
        recovery_codes: &[String],
        now: Micros,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let confirm = sql(
            "UPDATE second_factors SET confirmed_at = $1, last_step = $2, failures = 0, closed_until = 0
             WHERE user_id = $3 AND confirmed_at IS NULL",
        );
        if tx.execute(confirm.bind(now).bind(step).bind(id)).await? == 0 {
            return Err(StoreError::CodeWrong);
        }
        put_codes(&mut *tx, id, recovery_codes).await?;
        Ok(tx.commit().await?)
    }

    async fn take_recovery_code(&self, id: &UserId, code: &str) -> Result<()> {
        let hash = code_hash(id, code);
        let mut tx = self.begin().await?;
        let take = sql("DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2");
        if tx.execute(take.bind(id).bind(&hash)).await? == 0 {
            return Err(StoreError::CodeWrong);
        }
        forget_guesses(&mut *tx, id).await?;
        Ok(tx.commit().await?)
    }

    async fn replace_recovery_codes(&self, id: &UserId, codes: &[String]) -> Result<()> {
        let mut tx = self.begin().await?;
        put_codes(&mut *tx, id, codes).await?;
        Ok(tx.commit().await?)
    }

    async fn remove_factor(&self, id: &UserId) -> Result<bool> {
        let mut tx = self.begin().await?;
        put_codes(&mut *tx, id, &[]).await?;
        let delete = sql("DELETE FROM second_factors WHERE user_id = $1");
        let removed = tx.execute(delete.bind(id)).await? == 1;
        tx.commit().await?;
        Ok(removed)
    }

    async fn ask_for_factor(&self, id: &UserId, now: Micros) -> Result<()> {
        let update = sql("UPDATE users SET asked_for_factor_at = $1 WHERE id = $2");
        let mut writer = self.writer().await?;
        match writer.execute(update.bind(now).bind(id)).await? {
            0 => Err(StoreError::NoSuchUser),
            _ => Ok(()),
        }
    }

    async fn asked_for_factor(&self, id: &UserId) -> Result<Option<Micros>> {
        let select = sql(
            "SELECT asked_for_factor_at FROM users WHERE id = $1 AND asked_for_factor_at IS NOT NULL",
        );
        let mut reader = self.reader().await?;
        let found: Option<(i64,)> = reader.fetch_optional(select.bind(id)).await?;
        Ok(found.map(|(at,)| Micros(at)))
    }

    async fn user_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<UserId>> {
        let select =
            sql("SELECT user_id FROM external_identities WHERE issuer = $1 AND subject = $2");
        let mut reader = self.reader().await?;
        let found: Option<(String,)> = reader
            .fetch_optional(select.bind(issuer).bind(subject))
            .await?;
        Ok(found.map(|(id,)| UserId(id)))
    }

    async fn join_identity(
        &self,
        id: &UserId,
        issuer: &str,
        subject: &str,
        now: Micros,
    ) -> Result<bool> {
        let join = sql(
            "INSERT INTO external_identities (issuer, subject, user_id, created_at)
             SELECT $1, $2, id, $3 FROM users WHERE id = $4 ON CONFLICT DO NOTHING",
        );
        let join = join.bind(issuer).bind(subject).bind(now).bind(id);
        self.writer().await?.execute(join).await?;
        let joined = self.user_of_identity(issuer, subject).await?;
        Ok(joined.as_ref() == Some(id))
    }

    async fn has_identity(&self, id: &UserId, issuer: &str) -> Result<bool> {
        let select = sql(
            "SELECT EXISTS (SELECT 1 FROM external_identities WHERE user_id = $1 AND issuer = $2)",
        );
        let mut reader = self.reader().await?;
        let (has,): (bool,) = reader.fetch_one(select.bind(id).bind(issuer)).await?;
        Ok(has)
    }

    async fn remove_identity(&self, id: &UserId, issuer: &str) -> Result<bool> {
        let delete = sql("DELETE FROM external_identities WHERE user_id = $1 AND issuer = $2");
        let mut writer = self.writer().await?;
        Ok(writer.execute(delete.bind(id).bind(issuer)).await? > 0)
    }
}
