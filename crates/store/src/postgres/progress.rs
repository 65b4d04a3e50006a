//! How far runs are, and taking them back.

use mana_core::Micros;

use super::{Db, notify::notify};
use crate::{Cancelled, Claim, Result, RunPhase, RunProgress, Scope, message::Message};

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

pub(super) async fn running(db: &Db, scope: &Scope, mission_id: &str) -> Result<Vec<RunProgress>> {
    let user = scope.owner();
    let under_way: Option<(String, String, String, Option<i64>)> = sqlx::query_as(
        "SELECT run_slot, iteration_id, phase, started_at FROM mission_claims
         WHERE user_id = $1 AND mission_id = $2 AND worker IS NOT NULL AND phase IS NOT NULL",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .fetch_optional(&db.pool)
    .await?;
    let waiting: Vec<(String, String)> = sqlx::query_as(
        "SELECT slot, iteration_id FROM run_requests r WHERE user_id = $1 AND mission_id = $2 AND NOT EXISTS (
            SELECT FROM mission_claims c
            WHERE c.user_id = $1 AND c.mission_id = $2 AND c.slot = r.slot AND c.worker IS NOT NULL)
         ORDER BY not_before, slot",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .fetch_all(&db.pool)
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
    let waiting = waiting
        .into_iter()
        .map(|(slot, iteration_id)| RunProgress::queued(mission_id, slot, iteration_id));
    Ok(under_way.into_iter().chain(waiting).collect())
}

pub(super) async fn cancel(
    db: &Db,
    scope: &Scope,
    mission_id: &str,
    slot: &str,
) -> Result<Cancelled> {
    let user = scope.owner();
    let mut tx = db.beside(user).await?;
    let marked = sqlx::query(
        "UPDATE mission_claims SET cancelled = true
         WHERE user_id = $1 AND mission_id = $2 AND $3 IN (slot, run_slot) AND worker IS NOT NULL",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .bind(slot)
    .execute(&mut *tx)
    .await?;
    if marked.rows_affected() > 0 {
        let message = Message::cancel(user, mission_id);
        notify(&mut tx, &db.instance, message).await?;
        tx.commit().await?;
        return Ok(Cancelled::Running);
    }
    let iteration_id: Option<String> = sqlx::query_scalar(
        "DELETE FROM run_requests WHERE user_id = $1 AND mission_id = $2 AND slot = $3 RETURNING iteration_id",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .bind(slot)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(iteration_id) = iteration_id else {
        return Ok(Cancelled::Nothing);
    };
    sqlx::query("DELETE FROM run_inputs WHERE user_id = $1 AND mission_id = $2 AND slot = $3")
        .bind(user.as_str())
        .bind(mission_id)
        .bind(slot)
        .execute(&mut *tx)
        .await?;
    let cancelled = RunProgress {
        phase: RunPhase::Cancelled,
        ..RunProgress::queued(mission_id, slot, iteration_id)
    };
    let message = Message::run(user, &cancelled);
    notify(&mut tx, &db.instance, message).await?;
    tx.commit().await?;
    Ok(Cancelled::Waiting(cancelled))
}
