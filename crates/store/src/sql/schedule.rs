//! Due times, and the leases of claims.

use async_trait::async_trait;
use mana_core::{Micros, mission::ScheduleRow};

use super::{Backend, Connection, Dialect, composed, sql};
use crate::{Claim, Fence, Lease, Result, Schedule, Take, UserId, ledger::json, message::Message};

/// Due times and requests of missions that no worker holds, a postponed one at its own time, and the ends of the leases
/// of those that a worker holds. Locked accounts wake nobody.
const NEXT_WAKE: &str = "
    SELECT min(at) FROM (
        SELECT (SELECT next_run_at FROM mission_schedule s WHERE NOT EXISTS (
            SELECT 1 FROM mission_claims c
            WHERE c.user_id = s.user_id AND c.mission_id = s.mission_id
                AND (c.worker IS NOT NULL OR c.slot = s.slot AND c.not_before > s.next_run_at))
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.locked_at IS NOT NULL)
            ORDER BY next_run_at LIMIT 1) AS at
        UNION ALL
        SELECT min(c.not_before) FROM mission_claims c JOIN mission_schedule s
            ON s.user_id = c.user_id AND s.mission_id = c.mission_id AND s.slot = c.slot
            WHERE c.worker IS NULL AND c.not_before > s.next_run_at
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = c.user_id AND u.locked_at IS NOT NULL)
        UNION ALL
        SELECT (SELECT not_before FROM run_requests r WHERE NOT EXISTS (
            SELECT 1 FROM mission_claims c
            WHERE c.user_id = r.user_id AND c.mission_id = r.mission_id AND c.worker IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = r.user_id AND u.locked_at IS NOT NULL)
            ORDER BY not_before LIMIT 1)
        UNION ALL
        SELECT min(lease_until) FROM mission_claims c WHERE worker IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = c.user_id AND u.locked_at IS NOT NULL)
    ) AS wakes";

/// Requests of missions that no worker holds, and the ends of the leases of those that a worker holds.
const NEXT_REQUESTED_WAKE: &str = "
    SELECT min(CASE WHEN c.worker IS NULL OR c.lease_until < r.not_before THEN r.not_before ELSE c.lease_until END)
    FROM run_requests r LEFT JOIN mission_claims c ON c.user_id = r.user_id AND c.mission_id = r.mission_id
    WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = r.user_id AND u.locked_at IS NOT NULL)";

/// Ends the claim and the request that it answers. False if the claim isn't held.
pub(crate) async fn end(tx: &mut impl Connection, user: &UserId, fence: &Fence) -> Result<bool> {
    let claim = sql(
        "DELETE FROM mission_claims
         WHERE token = $1 AND user_id = $2 AND mission_id = $3 AND slot = $4 AND worker IS NOT NULL",
    );
    let claim = claim
        .bind(fence.token)
        .bind(user)
        .bind(&fence.mission_id)
        .bind(&fence.slot);
    if tx.execute(claim).await? == 0 {
        return Ok(false);
    }
    end_request(tx, user, &fence.mission_id, &fence.slot).await?;
    Ok(true)
}

async fn end_request(
    tx: &mut impl Connection,
    user: &UserId,
    mission_id: &str,
    slot: &str,
) -> Result<()> {
    for delete in [
        "DELETE FROM run_requests WHERE user_id = $1 AND mission_id = $2 AND slot = $3",
        "DELETE FROM run_inputs WHERE user_id = $1 AND mission_id = $2 AND slot = $3",
    ] {
        let delete = sql(delete).bind(user).bind(mission_id).bind(slot);
        tx.execute(delete).await?;
    }
    Ok(())
}

/// Writes the due times that changed; none: the mission is not due any more.
pub(crate) async fn write_due<D: Dialect>(
    tx: &mut impl Connection,
    user: &UserId,
    schedule: &[(String, Option<ScheduleRow>)],
) -> Result<()> {
    let gone: Vec<&str> = schedule
        .iter()
        .filter(|(_, row)| row.is_none())
        .map(|(id, _)| id.as_str())
        .collect();
    if !gone.is_empty() {
        let gone = json(&gone);
        for delete in [
            "DELETE FROM mission_schedule WHERE user_id = $2 AND mission_id IN (SELECT value FROM",
            // What is left of a claim without a worker is the count of attempts at a slot that won't come.
            "DELETE FROM mission_claims WHERE worker IS NULL AND user_id = $2 AND mission_id IN (SELECT value FROM",
        ] {
            let delete = composed(format!("{delete} {})", D::EACH_TEXT));
            tx.execute(delete.bind(&gone).bind(user)).await?;
        }
    }
    let due: Vec<(&str, i64, &str)> = (schedule.iter())
        .filter_map(|(_, row)| row.as_ref())
        .map(|row| {
            (
                row.mission_id.as_str(),
                row.next_run_at.0,
                row.slot.as_str(),
            )
        })
        .collect();
    if !due.is_empty() {
        let insert = composed(format!(
            "INSERT INTO mission_schedule (user_id, mission_id, next_run_at, slot)
             SELECT $2, value ->> 0, CAST(value ->> 1 AS bigint), value ->> 2 FROM {} WHERE true
             ON CONFLICT (user_id, mission_id)
             DO UPDATE SET next_run_at = excluded.next_run_at, slot = excluded.slot",
            D::EACH_JSON
        ));
        tx.execute(insert.bind(json(&due)).bind(user)).await?;
    }
    Ok(())
}

#[async_trait]
impl<B: Backend> Schedule for B {
    async fn next_wake(&self) -> Result<Option<Micros>> {
        let (at,): (Option<i64>,) = self.reader().await?.fetch_one(sql(NEXT_WAKE)).await?;
        Ok(at.map(Micros))
    }

    async fn next_requested_wake(&self) -> Result<Option<Micros>> {
        let mut connection = self.reader().await?;
        let (at,): (Option<i64>,) = connection.fetch_one(sql(NEXT_REQUESTED_WAKE)).await?;
        Ok(at.map(Micros))
    }

    async fn claim_due(&self, take: &Take) -> Result<Vec<Claim>> {
        self.claim(take).await
    }

    async fn scheduled_beyond(
        &self,
        at: Micros,
        after: Option<(UserId, String)>,
        limit: u32,
    ) -> Result<Vec<(UserId, String)>> {
        let (user, mission) = after.unwrap_or((UserId(String::new()), String::new()));
        let select = sql("SELECT user_id, mission_id FROM mission_schedule
             WHERE next_run_at > $1 AND (user_id, mission_id) > ($2, $3)
             ORDER BY user_id, mission_id LIMIT $4");
        let select = select
            .bind(at)
            .bind(&user)
            .bind(&mission)
            .bind(i64::from(limit));
        let found: Vec<(String, String)> = self.reader().await?.fetch_all(select).await?;
        let found = found.into_iter();
        Ok(found
            .map(|(user, mission)| (UserId(user), mission))
            .collect())
    }

    async fn renew(&self, claim: &Claim, lease_until: Micros) -> Result<Lease> {
        let renew = sql(
            "UPDATE mission_claims SET lease_until = $1 WHERE token = $2 AND worker IS NOT NULL RETURNING cancelled",
        );
        let renew = renew.bind(lease_until).bind(claim.token);
        let held: Option<(bool,)> = self.writer().await?.fetch_optional(renew).await?;
        Ok(Lease::of(held.map(|(cancelled,)| cancelled)))
    }

    async fn release(&self, claim: &Claim) -> Result<()> {
        let mut tx = self.begin().await?;
        let release = sql(
            "UPDATE mission_claims SET worker = NULL, lease_until = 0, attempts = attempts - 1
             WHERE token = $1 AND worker IS NOT NULL",
        );
        if tx.execute(release.bind(claim.token)).await? == 1 {
            // Another process may take the slot at once.
            self.tell(&mut tx, Message::default().schedule(true))
                .await?;
        }
        Ok(tx.commit().await?)
    }

    async fn postpone(&self, claim: &Claim, until: Micros) -> Result<()> {
        let mut tx = self.begin_as(&claim.user).await?;
        // A try that ended is not an interrupted attempt.
        let postpone = sql(
            "UPDATE mission_claims SET worker = NULL, lease_until = 0, tries = tries + attempts, attempts = 0,
                not_before = $1
             WHERE token = $2 AND worker IS NOT NULL",
        );
        if tx.execute(postpone.bind(until).bind(claim.token)).await? == 1 {
            end_request(&mut *tx, &claim.user, &claim.mission_id, &claim.slot).await?;
            self.tell(&mut tx, Message::default().schedule(true))
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn release_all(&self) -> Result<u64> {
        let release = sql(
            "UPDATE mission_claims SET worker = NULL, lease_until = 0 WHERE worker IS NOT NULL",
        );
        self.writer().await?.execute(release).await
    }

    async fn drop_run(&self, claim: &Claim) -> Result<()> {
        let mut tx = self.begin_as(&claim.user).await?;
        if end(&mut *tx, &claim.user, &claim.fence()).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    async fn correct_schedule(&self, claim: &Claim, due: Option<&ScheduleRow>) -> Result<()> {
        let mut tx = self.begin_as(&claim.user).await?;
        if !end(&mut *tx, &claim.user, &claim.fence()).await? {
            return Ok(());
        }
        let correct = match due {
            Some(due) => sql("UPDATE mission_schedule SET next_run_at = $5, slot = $6
                 WHERE user_id = $1 AND mission_id = $2 AND slot = $3 AND next_run_at <= $4")
            .bind(&claim.user)
            .bind(&claim.mission_id)
            .bind(&claim.slot)
            .bind(claim.due_at)
            .bind(due.next_run_at)
            .bind(&due.slot),
            None => sql("DELETE FROM mission_schedule
                 WHERE user_id = $1 AND mission_id = $2 AND slot = $3 AND next_run_at <= $4")
            .bind(&claim.user)
            .bind(&claim.mission_id)
            .bind(&claim.slot)
            .bind(claim.due_at),
        };
        tx.execute(correct).await?;
        Ok(tx.commit().await?)
    }
}
