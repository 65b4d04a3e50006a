//! Claiming due slots, by the one writer.

use mana_core::Micros;
use sqlx::{QueryBuilder, Row, SqliteConnection, sqlite::SqliteRow};

use super::db::SqliteStore;
use crate::{Claim, Result, StoreError, Take, UserId};

/// The slot of each mission that nobody holds: what somebody asked for, else what is due longest. With the
/// attempts already made at it. Locked accounts have none. Each person's next one has the turn after those that are
/// under way.
const CLAIMABLE: &str = "
    WITH slots AS (
        SELECT user_id, mission_id, slot, min(due_at) AS due_at, max(requested) AS requested FROM (
            SELECT user_id, mission_id, slot, next_run_at AS due_at, 0 AS requested
            FROM mission_schedule s WHERE next_run_at <= ?1 AND NOT ?4 AND NOT EXISTS (
                SELECT 1 FROM mission_claims c WHERE c.user_id = s.user_id AND c.mission_id = s.mission_id
                    AND c.slot = s.slot AND c.worker IS NULL AND c.not_before > ?1)
                AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.locked_at IS NOT NULL)
            UNION ALL
            SELECT user_id, mission_id, slot, not_before, 1 FROM run_requests r WHERE not_before <= ?1
                AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = r.user_id AND u.locked_at IS NOT NULL)
        ) GROUP BY user_id, mission_id, slot
    ), ranked AS (
        SELECT s.user_id, s.mission_id, s.slot, s.due_at, s.requested,
               CASE WHEN c.slot = s.slot THEN c.attempts ELSE 0 END AS attempts,
               CASE WHEN c.slot = s.slot THEN c.tries ELSE 0 END AS tries,
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
    SELECT user_id, mission_id, slot, due_at, requested, attempts, tries, cancelled FROM turns
    WHERE turn <= ?3 ORDER BY turn, due_at, user_id, mission_id LIMIT ?2";

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
        tries: row.try_get("tries")?,
        due_at: Micros(row.try_get("due_at")?),
        requested: row.try_get("requested")?,
        cancelled: row.try_get("cancelled")?,
    })
}

/// Writes the claims, in place of those that they take over, and gives each its token.
async fn hold(tx: &mut SqliteConnection, take: &Take, claims: &mut [Claim]) -> Result<()> {
    let mut insert = QueryBuilder::new(
        "INSERT OR REPLACE INTO mission_claims
         (user_id, mission_id, slot, worker, lease_until, attempts, tries, cancelled) ",
    );
    insert.push_values(claims.iter(), |mut row, claim| {
        row.push_bind(&claim.user.0)
            .push_bind(&claim.mission_id)
            .push_bind(&claim.slot)
            .push_bind(&take.worker)
            .push_bind(take.lease_until.0)
            .push_bind(claim.attempts)
            .push_bind(claim.tries)
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
