//! Claiming due runs, and holding a claim: its lease is renewed until the run ends, is cancelled, or is given back.

use std::time::Instant;

use mana_core::Micros;
use mana_store::{Claim, Lease, Take};
use tokio::time::sleep;

use crate::metrics;
use crate::parts::RunnerParts;
use crate::progress::ProgressTracker;

/// Claims runs that are due or, with `requested_only`, those that somebody asked for.
pub(crate) async fn take(
    parts: &RunnerParts,
    now: Micros,
    limit: usize,
    requested_only: bool,
) -> mana_store::Result<Vec<Claim>> {
    let take = Take {
        worker: parts.config.worker.clone(),
        now,
        lease_until: lease_until(parts),
        limit,
        per_user: parts.config.per_user.max(1),
        requested_only,
    };
    let began = Instant::now();
    // `next_wake` is a few index look-ups. Claiming takes the writer's turn on SQLite, and on Postgres longer to plan
    // than to execute, so it is left out while nothing is due.
    let claims = match next_wake(parts, requested_only).await? {
        Some(at) if at <= now => parts.store.claim_due(&take).await?,
        _ => Vec::new(),
    };
    metrics::schedule_read(claims.len(), began.elapsed());
    Ok(claims)
}

/// Returns when the next run can be claimed.
pub(crate) async fn next_wake(
    parts: &RunnerParts,
    requested_only: bool,
) -> mana_store::Result<Option<Micros>> {
    if requested_only {
        // A mission that is due runs only by request, and must not hide a request that lies ahead.
        parts.store.next_requested_wake().await
    } else {
        parts.store.next_wake().await
    }
}

/// Renews the lease of a claim and returns when it is lost. A renewal also brings a cancellation that this process
/// has not heard of.
pub(crate) async fn renew_until_lost(
    parts: &RunnerParts,
    claim: &Claim,
    tracker: &ProgressTracker,
) {
    let mission = &claim.mission_id;
    loop {
        sleep(parts.config.lease / 3).await;
        match parts.store.renew(claim, lease_until(parts)).await {
            Ok(Lease::Held) => {}
            Ok(Lease::Cancelled) => tracker.cancelled.cancel(),
            Ok(Lease::Lost) => return,
            Err(error) => tracing::warn!(
                mission, user = %claim.user, %error,
                "the lease of mission {mission} could not be renewed: {error}"
            ),
        }
    }
}

/// Gives the occurrence of a claim back, so that it is run again.
pub(crate) async fn give_back(parts: &RunnerParts, claim: &Claim) {
    let mission = &claim.mission_id;
    if let Err(error) = parts.store.release(claim).await {
        tracing::warn!(
            mission, user = %claim.user, %error,
            "the run of mission {mission} could not be given back: {error}"
        );
    }
}

fn lease_until(parts: &RunnerParts) -> Micros {
    let lease = i64::try_from(parts.config.lease.as_micros()).unwrap_or(i64::MAX);
    parts.now().plus(lease)
}
