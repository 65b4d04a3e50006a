//! How far runs are, in columns of their claims: other processes are asked for it, too.

use mana_core::Micros;
use sqlx::PgConnection;

use super::{db::Db, notify::notify};
use crate::{Claim, Result, RunPhase, RunProgress, UserId, message::Message};

pub(super) async fn progress(db: &Db, claim: &Claim, progress: &RunProgress) -> Result<()> {
    let mut tx = db.pool.begin().await?;
    // Nobody misses a phase that a crash takes along: no wait for the disk.
    sqlx::query("SELECT set_config('synchronous_commit', 'off', true)")
        .execute(&mut *tx)
        .await?;
    if !progress.phase.is_end() {
        sqlx::query(
            "UPDATE mission_claims SET run_slot = $2, iteration_id = $3, phase = $4, started_at = $5
             WHERE token = $1 AND worker IS NOT NULL",
        )
        .bind(claim.token)
        .bind(&progress.slot)
        .bind(&progress.iteration_id)
        .bind(progress.phase.as_str())
        .bind(progress.started_at.map(|at| at.0))
        .execute(&mut *tx)
        .await?;
    }
    let message = Message::run(&claim.user, progress);
    notify(&mut tx, &db.instance, message).await?;
    Ok(tx.commit().await?)
}

pub(super) async fn under_way(
    db: &Db,
    user: &UserId,
    mission_id: &str,
) -> Result<Option<RunProgress>> {
    let under_way: Option<(String, String, String, Option<i64>)> = sqlx::query_as(
        "SELECT run_slot, iteration_id, phase, started_at FROM mission_claims
         WHERE user_id = $1 AND mission_id = $2 AND worker IS NOT NULL AND phase IS NOT NULL",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .fetch_optional(&db.pool)
    .await?;
    let under_way = under_way.map(|(slot, iteration_id, phase, started_at)| RunProgress {
        phase: match phase.as_str() {
            "reading" => RunPhase::Reading,
            "writing" => RunPhase::Writing,
            _ => RunPhase::Thinking,
        },
        started_at: started_at.map(Micros),
        ..RunProgress::queued(mission_id, slot, iteration_id)
    });
    Ok(under_way)
}

/// Marks the held claim of this slot, or of the run that goes by this slot.
pub(super) async fn mark_cancelled(
    tx: &mut PgConnection,
    user: &UserId,
    mission_id: &str,
    slot: &str,
) -> Result<bool> {
    let marked = sqlx::query(
        "UPDATE mission_claims SET cancelled = true
         WHERE user_id = $1 AND mission_id = $2 AND $3 IN (slot, run_slot) AND worker IS NOT NULL",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .bind(slot)
    .execute(tx)
    .await?;
    Ok(marked.rows_affected() > 0)
}
