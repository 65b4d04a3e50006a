//! The schedule's claims, requests and fences.

use mana_core::Micros;
use serde_json::Value;
use sqlx::{QueryBuilder, Row, SqliteConnection, sqlite::SqliteRow};

use super::SqliteStore;
use crate::{
    Claim, Fence, Lease, MOST_WAITING, Result, RunRequest, Scope, StoreError, Take, UserId,
};

/// The slot of each mission that nobody holds: what somebody asked for, else what is due longest. With the
/// attempts already made at it. Each person's next one has the turn after those that are under way.
const CLAIMABLE: &str = "
    WITH slots AS (
        SELECT user_id, mission_id, slot, min(due_at) AS due_at, max(requested) AS requested FROM (
            SELECT user_id, mission_id, slot, next_run_at AS due_at, 0 AS requested
            FROM mission_schedule WHERE next_run_at <= ?1 AND NOT ?4
            UNION ALL
            SELECT user_id, mission_id, slot, not_before, 1 FROM run_requests WHERE not_before <= ?1
        ) GROUP BY user_id, mission_id, slot
    ), ranked AS (
        SELECT s.user_id, s.mission_id, s.slot, s.due_at, s.requested,
               CASE WHEN c.slot = s.slot THEN c.attempts ELSE 0 END AS attempts,
               CASE WHEN c.slot = s.slot THEN c.cancelled ELSE 0 END AS cancelled,
               row_number() OVER (PARTITION BY s.user_id, s.mission_id
                                  ORDER BY s.requested DESC, s.due_at, s.slot) AS rank
        FROM slots s LEFT JOIN mission_claims c ON c.user_id = s.user_id AND c.mission_id = s.mission_id
        WHERE c.worker IS NULL OR c.lease_until <= ?1
    ), held AS (
        SELECT user_id, count(*) AS runs FROM mission_claims
        WHERE worker IS NOT NULL AND lease_until > ?1 GROUP BY user_id
    ), turns AS (
        SELECT r.*, coalesce(h.runs, 0) + row_number() OVER (
            PARTITION BY r.user_id ORDER BY r.requested DESC, r.due_at, r.mission_id) AS turn
        FROM ranked r LEFT JOIN held h ON h.user_id = r.user_id WHERE r.rank = 1
    )
    SELECT user_id, mission_id, slot, due_at, requested, attempts, cancelled FROM turns
    WHERE turn <= ?3 ORDER BY turn, due_at, user_id, mission_id LIMIT ?2";

/// Due times and requests of missions that nobody holds, and the ends of the leases of those that somebody does.
const NEXT_WAKE: &str = "
    SELECT min(at) FROM (
        SELECT (SELECT next_run_at FROM mission_schedule s WHERE NOT EXISTS (
            SELECT 1 FROM mission_claims c
            WHERE c.user_id = s.user_id AND c.mission_id = s.mission_id AND c.worker IS NOT NULL)
            ORDER BY next_run_at LIMIT 1) AS at
        UNION ALL
        SELECT (SELECT not_before FROM run_requests r WHERE NOT EXISTS (
            SELECT 1 FROM mission_claims c
            WHERE c.user_id = r.user_id AND c.mission_id = r.mission_id AND c.worker IS NOT NULL)
            ORDER BY not_before LIMIT 1)
        UNION ALL
        SELECT min(lease_until) FROM mission_claims WHERE worker IS NOT NULL
    )";

pub(super) async fn next_wake(store: &SqliteStore) -> Result<Option<Micros>> {
    let at: Option<i64> = sqlx::query_scalar(NEXT_WAKE)
        .fetch_one(&store.readers)
        .await?;
    Ok(at.map(Micros))
}

pub(super) async fn claim_due(store: &SqliteStore, take: &Take) -> Result<Vec<Claim>> {
    let mut tx = store.write().await?;
    let rows = sqlx::query(CLAIMABLE)
        .bind(take.now.0)
        .bind(i64::try_from(take.limit).unwrap_or(i64::MAX))
        .bind(i64::try_from(take.per_user).unwrap_or(i64::MAX))
        .bind(take.requested_only)
        .fetch_all(&mut *tx)
        .await?;
    let mut claims = rows.iter().map(claimable).collect::<Result<Vec<_>>>()?;
    // Few enough binds for one statement, however many are due.
    for claims in claims.chunks_mut(500) {
        hold(&mut tx, take, claims).await?;
    }
    tx.commit().await?;
    Ok(claims)
}

fn claimable(row: &SqliteRow) -> Result<Claim> {
    Ok(Claim {
        user: UserId(row.try_get("user_id")?),
        mission_id: row.try_get("mission_id")?,
        slot: row.try_get("slot")?,
        token: 0,
        attempts: row.try_get::<u32, _>("attempts")? + 1,
        due_at: Micros(row.try_get("due_at")?),
        requested: row.try_get("requested")?,
        cancelled: row.try_get("cancelled")?,
    })
}

/// Writes the claims, in place of those that they take over, and gives each its token.
async fn hold(tx: &mut SqliteConnection, take: &Take, claims: &mut [Claim]) -> Result<()> {
    let mut insert = QueryBuilder::new(
        "INSERT OR REPLACE INTO mission_claims (user_id, mission_id, slot, worker, lease_until, attempts, cancelled) ",
    );
    insert.push_values(claims.iter(), |mut row, claim| {
        row.push_bind(&claim.user.0)
            .push_bind(&claim.mission_id)
            .push_bind(&claim.slot)
            .push_bind(&take.worker)
            .push_bind(take.lease_until.0)
            .push_bind(claim.attempts)
            .push_bind(claim.cancelled);
    });
    insert.push(" RETURNING user_id, mission_id, token");
    let mut tokens = std::collections::HashMap::new();
    for row in insert.build().persistent(false).fetch_all(&mut *tx).await? {
        let key: (String, String) = (row.try_get(0)?, row.try_get(1)?);
        tokens.insert(key, row.try_get::<i64, _>(2)?);
    }
    for claim in claims {
        let key = (claim.user.0.clone(), claim.mission_id.clone());
        claim.token = tokens.get(&key).copied().ok_or(StoreError::LeaseLost)?;
    }
    Ok(())
}

pub(super) async fn renew(
    store: &SqliteStore,
    claim: &Claim,
    lease_until: Micros,
) -> Result<Lease> {
    let cancelled: Option<bool> = sqlx::query_scalar(
        "UPDATE mission_claims SET lease_until = ?1 WHERE token = ?2 AND worker IS NOT NULL RETURNING cancelled",
    )
    .bind(lease_until.0)
    .bind(claim.token)
    .fetch_optional(&store.writer)
    .await?;
    Ok(Lease::of(cancelled))
}

pub(super) async fn release(store: &SqliteStore, claim: &Claim) -> Result<()> {
    sqlx::query(
        "UPDATE mission_claims SET worker = NULL, lease_until = 0, attempts = attempts - 1
         WHERE token = ? AND worker IS NOT NULL",
    )
    .bind(claim.token)
    .execute(&store.writer)
    .await?;
    Ok(())
}

pub(super) async fn release_all(store: &SqliteStore) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE mission_claims SET worker = NULL, lease_until = 0 WHERE worker IS NOT NULL",
    )
    .execute(&store.writer)
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn enqueue(store: &SqliteStore, scope: &Scope, request: RunRequest) -> Result<()> {
    let mut tx = store.write().await?;
    let others: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM run_requests WHERE user_id = ? AND (mission_id, slot) <> (?, ?)",
    )
    .bind(scope.owner().as_str())
    .bind(&request.mission_id)
    .bind(&request.slot)
    .fetch_one(&mut *tx)
    .await?;
    if usize::try_from(others).unwrap_or(0) >= MOST_WAITING {
        return Err(StoreError::TooManyRuns(MOST_WAITING));
    }
    sqlx::query(
        "INSERT INTO run_requests (user_id, mission_id, slot, iteration_id, not_before) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET not_before = min(not_before, excluded.not_before)",
    )
    .bind(scope.owner().as_str())
    .bind(&request.mission_id)
    .bind(&request.slot)
    .bind(&request.iteration_id)
    .bind(request.not_before.0)
    .execute(&mut *tx)
    .await?;
    if let Some(inputs) = &request.inputs {
        sqlx::query("INSERT INTO run_inputs (user_id, mission_id, slot, inputs) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(scope.owner().as_str())
            .bind(&request.mission_id)
            .bind(&request.slot)
            .bind(inputs.to_string())
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}

pub(super) async fn inputs(
    store: &SqliteStore,
    scope: &Scope,
    mission_id: &str,
    slot: &str,
) -> Result<Option<Value>> {
    let inputs: Option<String> = sqlx::query_scalar(
        "SELECT inputs FROM run_inputs WHERE user_id = ? AND mission_id = ? AND slot = ?",
    )
    .bind(scope.owner().as_str())
    .bind(mission_id)
    .bind(slot)
    .fetch_optional(&store.readers)
    .await?;
    inputs
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|source| StoreError::Corrupt {
            what: "the inputs of a run",
            source,
        })
}

pub(super) async fn drop_run(store: &SqliteStore, claim: &Claim) -> Result<()> {
    let mut tx = store.write().await?;
    if end(&mut tx, &claim.user, &claim.fence()).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Ends the claim and the request that it answers. False if it isn't held.
pub(super) async fn end(tx: &mut SqliteConnection, user: &UserId, fence: &Fence) -> Result<bool> {
    let held = sqlx::query(
        "DELETE FROM mission_claims
         WHERE token = ? AND user_id = ? AND mission_id = ? AND slot = ? AND worker IS NOT NULL",
    )
    .bind(fence.token)
    .bind(user.as_str())
    .bind(&fence.mission_id)
    .bind(&fence.slot)
    .execute(&mut *tx)
    .await?;
    if held.rows_affected() == 0 {
        return Ok(false);
    }
    for table in [
        "DELETE FROM run_requests WHERE user_id = ? AND mission_id = ? AND slot = ?",
        "DELETE FROM run_inputs WHERE user_id = ? AND mission_id = ? AND slot = ?",
    ] {
        sqlx::query(table)
            .bind(user.as_str())
            .bind(&fence.mission_id)
            .bind(&fence.slot)
            .execute(&mut *tx)
            .await?;
    }
    Ok(true)
}
