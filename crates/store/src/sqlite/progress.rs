//! How far runs are, and taking them back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SqliteStore;
use crate::{Cancelled, Claim, Result, RunPhase, RunProgress, Scope, UserId};

/// The run of each mission that is under way, with its claim's token.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<(UserId, String), (i64, RunProgress)>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<(UserId, String), (i64, RunProgress)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, user: &UserId, mission_id: &str) -> Option<(i64, RunProgress)> {
        let key = (user.clone(), mission_id.to_owned());
        self.lock().get(&key).cloned()
    }
}

pub(super) async fn progress(
    store: &SqliteStore,
    claim: &Claim,
    progress: &RunProgress,
) -> Result<()> {
    let key = (claim.user.clone(), claim.mission_id.clone());
    let mut under_way = store.under_way.lock();
    if progress.phase.is_end() {
        under_way.remove(&key);
    } else {
        under_way.insert(key, (claim.token, progress.clone()));
    }
    Ok(())
}

pub(super) async fn running(
    store: &SqliteStore,
    scope: &Scope,
    mission_id: &str,
) -> Result<Vec<RunProgress>> {
    let user = scope.owner();
    let held: Option<i64> = sqlx::query_scalar(
        "SELECT token FROM mission_claims WHERE user_id = ? AND mission_id = ? AND worker IS NOT NULL",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .fetch_optional(&store.readers)
    .await?;
    let under_way = store
        .under_way
        .of(user, mission_id)
        .filter(|(token, _)| held == Some(*token));
    let waiting: Vec<(String, String)> = sqlx::query_as(
        "SELECT slot, iteration_id FROM run_requests r WHERE user_id = ?1 AND mission_id = ?2 AND NOT EXISTS (
            SELECT 1 FROM mission_claims c
            WHERE c.user_id = ?1 AND c.mission_id = ?2 AND c.slot = r.slot AND c.worker IS NOT NULL)
         ORDER BY not_before, slot",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .fetch_all(&store.readers)
    .await?;
    let waiting = waiting
        .into_iter()
        .map(|(slot, iteration_id)| RunProgress::queued(mission_id, slot, iteration_id));
    Ok(under_way
        .into_iter()
        .map(|(_, progress)| progress)
        .chain(waiting)
        .collect())
}

pub(super) async fn cancel(
    store: &SqliteStore,
    scope: &Scope,
    mission_id: &str,
    slot: &str,
) -> Result<Cancelled> {
    let user = scope.owner();
    let under_way = store.under_way.of(user, mission_id);
    let token = under_way
        .filter(|(_, progress)| progress.slot == slot)
        .map(|(token, _)| token);
    let mut tx = store.write().await?;
    let marked = sqlx::query(
        "UPDATE mission_claims SET cancelled = 1
         WHERE user_id = ?1 AND mission_id = ?2 AND (slot = ?3 OR token = ?4) AND worker IS NOT NULL",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .bind(slot)
    .bind(token)
    .execute(&mut *tx)
    .await?;
    if marked.rows_affected() > 0 {
        tx.commit().await?;
        return Ok(Cancelled::Running);
    }
    let iteration_id: Option<String> = sqlx::query_scalar(
        "DELETE FROM run_requests WHERE user_id = ? AND mission_id = ? AND slot = ? RETURNING iteration_id",
    )
    .bind(user.as_str())
    .bind(mission_id)
    .bind(slot)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(iteration_id) = iteration_id else {
        return Ok(Cancelled::Nothing);
    };
    sqlx::query("DELETE FROM run_inputs WHERE user_id = ? AND mission_id = ? AND slot = ?")
        .bind(user.as_str())
        .bind(mission_id)
        .bind(slot)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Cancelled::Waiting(RunProgress {
        phase: RunPhase::Cancelled,
        ..RunProgress::queued(mission_id, slot, iteration_id)
    }))
}
