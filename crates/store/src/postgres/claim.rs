//! Claiming due slots, beside other processes that do the same.

use mana_core::Micros;
use sqlx::{Row, postgres::PgRow};

use super::db::Db;
use crate::{Claim, Result, Take, UserId};

/// Claims the slot of each mission that nobody holds: what somebody asked for, else what is due longest. Each
/// person's next one has the turn after those that are under way. Locked accounts have none.
///
/// The row that makes a slot due is locked first, so that a run which ends meanwhile takes its slot along, and rows
/// that others lock are left to them. The claim's own row decides between two that both got so far.
const CLAIM: &str = "
    WITH slots AS (
        SELECT user_id, mission_id, slot, min(due_at) AS due_at, bool_or(requested) AS requested FROM (
            SELECT user_id, mission_id, slot, next_run_at AS due_at, false AS requested
            FROM mission_schedule s WHERE next_run_at <= $1 AND NOT $6 AND NOT EXISTS (
                SELECT 1 FROM mission_claims c WHERE c.user_id = s.user_id AND c.mission_id = s.mission_id
                    AND c.slot = s.slot AND c.worker IS NULL AND c.not_before > $1)
                AND NOT EXISTS (SELECT FROM users u WHERE u.id = s.user_id AND u.locked_at IS NOT NULL)
            UNION ALL
            SELECT user_id, mission_id, slot, not_before, true FROM run_requests r WHERE not_before <= $1
                AND NOT EXISTS (SELECT FROM users u WHERE u.id = r.user_id AND u.locked_at IS NOT NULL)
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
            tries = CASE WHEN held.slot = excluded.slot THEN held.tries ELSE 0 END, not_before = 0,
            cancelled = held.cancelled AND held.slot = excluded.slot,
            run_slot = NULL, iteration_id = NULL, phase = NULL, started_at = NULL
        WHERE held.worker IS NULL OR held.lease_until <= $1
        RETURNING user_id, mission_id, token, attempts, tries, cancelled
    )
    SELECT user_id, mission_id, slot, token, attempts, due_at, requested, cancelled, tries
    FROM taken JOIN candidates USING (user_id, mission_id) ORDER BY turn, due_at, user_id, mission_id";

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
        tries: u32::try_from(row.try_get::<i64, _>(8)?).unwrap_or(u32::MAX),
    })
}
