//! The schedule's claims, requests and fences.

use mana_core::Micros;
use serde_json::Value;
use sqlx::{Row, postgres::PgRow};

use super::{Db, lock::Tx, notify::notify};
use crate::{
    Claim, Fence, Lease, MOST_WAITING, Result, RunProgress, RunRequest, Scope, StoreError, Take,
    UserId, message::Message,
};

/// Claims the slot of each mission that nobody holds: what somebody asked for, else what is due longest. Each
/// person's next one has the turn after those that are under way.
///
/// What makes a slot due is locked first, so that a run which ends meanwhile takes its slot along, and rows that
/// others lock are left to them. The claim's own row decides between two that both got so far.
const CLAIM: &str = "
    WITH slots AS (
        SELECT user_id, mission_id, slot, min(due_at) AS due_at, bool_or(requested) AS requested FROM (
            SELECT user_id, mission_id, slot, next_run_at AS due_at, false AS requested
            FROM mission_schedule WHERE next_run_at <= $1 AND NOT $6
            UNION ALL
            SELECT user_id, mission_id, slot, not_before, true FROM run_requests WHERE not_before <= $1
        ) AS due GROUP BY user_id, mission_id, slot
    ), ranked AS (
        SELECT s.*, row_number() OVER (PARTITION BY s.user_id, s.mission_id
                                       ORDER BY s.requested DESC, s.due_at, s.slot) AS rank
        FROM slots s LEFT JOIN mission_claims c ON c.user_id = s.user_id AND c.mission_id = s.mission_id
        WHERE c.worker IS NULL OR c.lease_until <= $1
    ), held AS (
        SELECT user_id, count(*) AS runs FROM mission_claims
        WHERE worker IS NOT NULL AND lease_until > $1 GROUP BY user_id
    ), turns AS (
        SELECT r.*, coalesce(h.runs, 0) + row_number() OVER (
            PARTITION BY r.user_id ORDER BY r.requested DESC, r.due_at, r.mission_id) AS turn
        FROM ranked r LEFT JOIN held h USING (user_id) WHERE r.rank = 1
    ), candidates AS (
        SELECT * FROM turns WHERE turn <= $5 ORDER BY turn, due_at, user_id, mission_id LIMIT $2
    ), scheduled AS (
        SELECT s.user_id, s.mission_id FROM mission_schedule s JOIN candidates c USING (user_id, mission_id, slot)
        WHERE s.next_run_at <= $1 AND NOT $6 FOR UPDATE OF s SKIP LOCKED
    ), asked AS (
        SELECT r.user_id, r.mission_id FROM run_requests r JOIN candidates c USING (user_id, mission_id, slot)
        WHERE r.not_before <= $1 FOR UPDATE OF r SKIP LOCKED
    ), taken AS (
        INSERT INTO mission_claims AS held (user_id, mission_id, slot, worker, lease_until, attempts)
        SELECT user_id, mission_id, slot, $3, $4, 1 FROM candidates
        WHERE (user_id, mission_id) IN (SELECT * FROM scheduled UNION ALL SELECT * FROM asked)
        ON CONFLICT (user_id, mission_id) DO UPDATE
        SET token = nextval('mission_claim_tokens'), slot = excluded.slot, worker = excluded.worker,
            lease_until = excluded.lease_until,
            attempts = CASE WHEN held.slot = excluded.slot THEN held.attempts ELSE 0 END + 1,
            cancelled = held.cancelled AND held.slot = excluded.slot,
            run_slot = NULL, iteration_id = NULL, phase = NULL, started_at = NULL
        WHERE held.worker IS NULL OR held.lease_until <= $1
        RETURNING user_id, mission_id, token, attempts, cancelled
    )
    SELECT user_id, mission_id, slot, token, attempts, due_at, requested, cancelled
    FROM taken JOIN candidates USING (user_id, mission_id) ORDER BY turn, due_at, user_id, mission_id";

/// Due times and requests of missions that nobody holds, and the ends of the leases of those that somebody does.
const NEXT_WAKE: &str = "
    SELECT min(at) FROM (
        (SELECT next_run_at AS at FROM mission_schedule s WHERE NOT EXISTS (
            SELECT FROM mission_claims c
            WHERE c.user_id = s.user_id AND c.mission_id = s.mission_id AND c.worker IS NOT NULL)
            ORDER BY next_run_at LIMIT 1)
        UNION ALL
        (SELECT not_before FROM run_requests r WHERE NOT EXISTS (
            SELECT FROM mission_claims c
            WHERE c.user_id = r.user_id AND c.mission_id = r.mission_id AND c.worker IS NOT NULL)
            ORDER BY not_before LIMIT 1)
        UNION ALL
        (SELECT min(lease_until) FROM mission_claims WHERE worker IS NOT NULL)
    ) AS wakes";

pub(super) async fn next_wake(db: &Db) -> Result<Option<Micros>> {
    let at: Option<i64> = sqlx::query_scalar(NEXT_WAKE).fetch_one(&db.pool).await?;
    Ok(at.map(Micros))
}

pub(super) async fn claim_due(db: &Db, take: &Take) -> Result<Vec<Claim>> {
    let rows = sqlx::query(CLAIM)
        .bind(take.now.0)
        .bind(i64::try_from(take.limit).unwrap_or(i64::MAX))
        .bind(&take.worker)
        .bind(take.lease_until.0)
        .bind(i64::try_from(take.per_user).unwrap_or(i64::MAX))
        .bind(take.requested_only)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(claim).collect()
}

fn claim(row: &PgRow) -> Result<Claim> {
    Ok(Claim {
        user: UserId(row.try_get(0)?),
        mission_id: row.try_get(1)?,
        slot: row.try_get(2)?,
        token: row.try_get(3)?,
        attempts: u32::try_from(row.try_get::<i64, _>(4)?).unwrap_or(u32::MAX),
        due_at: Micros(row.try_get(5)?),
        requested: row.try_get(6)?,
        cancelled: row.try_get(7)?,
    })
}

pub(super) async fn renew(db: &Db, claim: &Claim, lease_until: Micros) -> Result<Lease> {
    let cancelled: Option<bool> = sqlx::query_scalar(
        "UPDATE mission_claims SET lease_until = $1 WHERE token = $2 AND worker IS NOT NULL RETURNING cancelled",
    )
    .bind(lease_until.0)
    .bind(claim.token)
    .fetch_optional(&db.pool)
    .await?;
    Ok(Lease::of(cancelled))
}

pub(super) async fn release(db: &Db, claim: &Claim) -> Result<()> {
    let mut tx = db.pool.begin().await?;
    let done = sqlx::query(
        "UPDATE mission_claims SET worker = NULL, lease_until = 0, attempts = attempts - 1
         WHERE token = $1 AND worker IS NOT NULL",
    )
    .bind(claim.token)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 1 {
        // Another process may take it over at once.
        let message = Message::default().schedule(true);
        notify(&mut tx, &db.instance, message).await?;
    }
    Ok(tx.commit().await?)
}

pub(super) async fn release_all(db: &Db) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE mission_claims SET worker = NULL, lease_until = 0 WHERE worker IS NOT NULL",
    )
    .execute(&db.pool)
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn enqueue(db: &Db, scope: &Scope, request: RunRequest) -> Result<()> {
    let user = scope.owner();
    let mut tx = db.beside(user).await?;
    let others: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM run_requests WHERE user_id = $1 AND (mission_id, slot) <> ($2, $3)",
    )
    .bind(user.as_str())
    .bind(&request.mission_id)
    .bind(&request.slot)
    .fetch_one(&mut *tx)
    .await?;
    if usize::try_from(others).unwrap_or(0) >= MOST_WAITING {
        return Err(StoreError::TooManyRuns(MOST_WAITING));
    }
    sqlx::query(
        "INSERT INTO run_requests AS r (user_id, mission_id, slot, iteration_id, not_before)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id, mission_id, slot) DO UPDATE SET not_before = least(r.not_before, excluded.not_before)",
    )
    .bind(user.as_str())
    .bind(&request.mission_id)
    .bind(&request.slot)
    .bind(&request.iteration_id)
    .bind(request.not_before.0)
    .execute(&mut *tx)
    .await?;
    if let Some(inputs) = &request.inputs {
        sqlx::query(
            "INSERT INTO run_inputs (user_id, mission_id, slot, inputs) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(user.as_str())
        .bind(&request.mission_id)
        .bind(&request.slot)
        .bind(inputs.to_string())
        .execute(&mut *tx)
        .await?;
    }
    let progress = RunProgress::queued(&request.mission_id, request.slot, request.iteration_id);
    let message = Message::run(user, &progress).schedule(true);
    notify(&mut tx, &db.instance, message).await?;
    Ok(tx.commit().await?)
}

pub(super) async fn inputs(
    db: &Db,
    scope: &Scope,
    mission_id: &str,
    slot: &str,
) -> Result<Option<Value>> {
    let mut tx = db.beside(scope.owner()).await?;
    let inputs: Option<String> = sqlx::query_scalar(
        "SELECT inputs FROM run_inputs WHERE user_id = $1 AND mission_id = $2 AND slot = $3",
    )
    .bind(scope.owner().as_str())
    .bind(mission_id)
    .bind(slot)
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    inputs
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|source| StoreError::Corrupt {
            what: "the inputs of a run",
            source,
        })
}

pub(super) async fn drop_run(db: &Db, claim: &Claim) -> Result<()> {
    let mut tx = db.beside(&claim.user).await?;
    if end(&mut tx, &claim.user, &claim.fence()).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Ends the claim and the request that it answers. False if it isn't held.
pub(super) async fn end(tx: &mut Tx, user: &UserId, fence: &Fence) -> Result<bool> {
    let held = sqlx::query(
        "DELETE FROM mission_claims
         WHERE token = $1 AND user_id = $2 AND mission_id = $3 AND slot = $4 AND worker IS NOT NULL",
    )
    .bind(fence.token)
    .bind(user.as_str())
    .bind(&fence.mission_id)
    .bind(&fence.slot)
    .execute(&mut **tx)
    .await?;
    if held.rows_affected() == 0 {
        return Ok(false);
    }
    for table in [
        "DELETE FROM run_requests WHERE user_id = $1 AND mission_id = $2 AND slot = $3",
        "DELETE FROM run_inputs WHERE user_id = $1 AND mission_id = $2 AND slot = $3",
    ] {
        sqlx::query(table)
            .bind(user.as_str())
            .bind(&fence.mission_id)
            .bind(&fence.slot)
            .execute(&mut **tx)
            .await?;
    }
    Ok(true)
}
