//! Committing: one push for everything that a run has to say, fenced by its claim.

use mana_core::Micros;
use mana_core::planner::build::RunAttempt;
use mana_store::RunPhase;
use mana_sync::{AcceptPush, Origin};

use crate::error::RunError;
use crate::load::Run;
use crate::report::RunOutcome;
use crate::stage::{Conclusion, stage};

/// The client id of the runner's pushes.
pub(crate) const CLIENT: &str = "mana-runner";

/// Stages a conclusion and pushes it. Fails with [`RunError::is_moved`] where the mission was written after the run had
/// loaded it. `planned_at` is the mission's due time when the run began.
pub(crate) async fn commit(
    run: &Run<'_>,
    conclusion: Conclusion,
    attempt: Option<RunAttempt>,
    planned_at: Option<Micros>,
) -> Result<RunOutcome, RunError> {
    let parts = run.parts();
    let now = attempt
        .as_ref()
        .map_or_else(|| parts.now(), |attempt| attempt.finished_at);
    let (changes, outcome) = stage(run, conclusion, attempt.as_ref(), planned_at, now).await?;
    let push = AcceptPush {
        since: now.to_string(),
        fence: Some(run.claim.fence().having_seen(&run.loaded.state)),
        ..AcceptPush::new(Origin::Runner, CLIENT, changes)
    };
    parts.sync.accept(&run.scope, push, parts.now()).await?;
    match outcome {
        RunOutcome::Failed { .. } => run.tracker.publish(RunPhase::Failed).await,
        _ if run.cancelled => {}
        _ => run.tracker.publish(RunPhase::Finished).await,
    }
    Ok(outcome)
}
