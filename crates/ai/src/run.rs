//! A claimed run through its stages: load the mission, plan, stage the plan, commit it.

use mana_core::mission::{Iteration, MissionState, Overlap, RunStatus, ScheduleRow};
use mana_core::planner::build::RunAttempt;
use mana_core::{Micros, RecordKey, mission, staging};
use mana_store::{Claim, RunPhase, Scope};
use tokio_util::sync::CancellationToken;

use crate::batch::MISSION_BYTES;
use crate::claim::{give_back, renew_until_lost};
use crate::commit::commit;
use crate::error::RunError;
use crate::failure::Failure;
use crate::load::Run;
use crate::messages::{self, Reason};
use crate::parts::RunContext;
use crate::planning::{self, PlanOutcome};
use crate::progress::ProgressTracker;
use crate::report::RunOutcome;
use crate::retry;
use crate::stage::Conclusion;

/// Interrupted attempts after which the run counts as failed.
const MAX_INTERRUPTED: u32 = 3;

/// How often a result is staged again because the mission was written meanwhile.
const MAX_STAGINGS: usize = 8;

/// Runs a claim while its lease is held, and keeps the run's debug record.
pub(crate) async fn while_held(
    context: &RunContext,
    claim: &Claim,
    tracker: &ProgressTracker,
    abandon: &CancellationToken,
) -> RunOutcome {
    let parts = &context.parts;
    if claim.cancelled {
        tracker.cancelled.cancel();
    }
    let outcome = tokio::select! {
        biased;
        () = tracker.cancelled.cancelled() => cancel(context, claim, tracker).await,
        () = abandon.cancelled() => {
            give_back(parts, claim).await;
            RunOutcome::Released
        }
        outcome = execute(context, claim, tracker, false) => outcome,
        () = renew_until_lost(parts, claim, tracker) => RunOutcome::Unwritten {
            code: "lease-lost".to_owned(),
            mission_id: claim.mission_id.clone(),
            planned: false,
        },
    };
    if let Some(record) = tracker.debug_record(parts.now()) {
        let scope = Scope::own(&claim.user);
        if let Err(error) = parts.store.keep_debug(&scope, record).await {
            let mission = &claim.mission_id;
            tracing::warn!(
                mission, user = %claim.user, %error,
                "the debug record of mission {mission} was not kept: {error}"
            );
        }
    }
    outcome
}

/// Ends a cancelled run: its occurrence gets a record that says so.
async fn cancel(context: &RunContext, claim: &Claim, tracker: &ProgressTracker) -> RunOutcome {
    match execute(context, claim, tracker, true).await {
        RunOutcome::Skipped => {
            tracker.publish(RunPhase::Cancelled).await;
            RunOutcome::Cancelled
        }
        // The run had finished before the cancellation arrived.
        outcome => {
            tracker.publish(RunPhase::Finished).await;
            outcome
        }
    }
}

/// Executes a claimed run, again from the beginning where the mission was written meanwhile.
async fn execute(
    context: &RunContext,
    claim: &Claim,
    tracker: &ProgressTracker,
    cancelled: bool,
) -> RunOutcome {
    let mut attempts = 1;
    loop {
        match attempt(context, claim, tracker, cancelled).await {
            Ok(outcome) => return outcome,
            Err(error) if error.is_moved() && attempts < MAX_STAGINGS => attempts += 1,
            Err(error) => return unwritten(claim, &error, false),
        }
    }
}

/// The outcome of a run that left nothing in the log. Its claim stays until the lease ends, which is the pause before
/// the next attempt.
fn unwritten(claim: &Claim, error: &RunError, planned: bool) -> RunOutcome {
    let (code, mission) = (error.code(), &claim.mission_id);
    tracing::warn!(
        mission, user = %claim.user, code, %error,
        "the run of mission {mission} was not written and is tried again: {error}"
    );
    RunOutcome::Unwritten {
        code: code.to_owned(),
        mission_id: claim.mission_id.clone(),
        planned,
    }
}

async fn attempt(
    context: &RunContext,
    claim: &Claim,
    tracker: &ProgressTracker,
    cancelled: bool,
) -> Result<RunOutcome, RunError> {
    let Some(run) = Run::load(context, claim, tracker, cancelled).await? else {
        end_without_run(context, claim, None).await?;
        return Ok(RunOutcome::Nothing);
    };
    tracker.set_occurrence(&run.occurrence.slot, run.iteration_id());
    let planned_at = run.mission().next_run_at;
    match decide(&run) {
        Decision::Nothing => drop_claim(&run).await,
        Decision::AlreadyPlanned => {
            commit(&run, Conclusion::AlreadyPlanned, None, planned_at).await
        }
        Decision::Skip(status, reason) => {
            let conclusion = Conclusion::Skipped(status, reason);
            commit(&run, conclusion, None, planned_at).await
        }
        Decision::Plan => {
            let outcome = plan(&run).await?;
            commit_plan(run, outcome, planned_at).await
        }
    }
}

/// The work that a run has to do.
enum Decision {
    Plan,
    /// A record alone says why nothing is planned.
    Skip(RunStatus, Reason),
    /// The slot is planned already. Only the schedule moves on.
    AlreadyPlanned,
    Nothing,
}

fn decide(run: &Run<'_>) -> Decision {
    let mission = run.mission();
    let before = mission.iteration(&run.iteration_id());
    let failed_before = before.is_some_and(|iteration| iteration.error.is_some());
    let wanted = match run.occurrence.due {
        None => mission.state != MissionState::Archived,
        Some(_) => run.scheduled || failed_before,
    };
    if !wanted {
        return Decision::Nothing;
    }
    if before.is_some() && !failed_before {
        return match run.scheduled {
            true => Decision::AlreadyPlanned,
            false => Decision::Nothing,
        };
    }
    if run.cancelled {
        return Decision::Skip(RunStatus::Skipped, messages::cancelled());
    }
    if run.occurrence.too_late {
        let lost = run
            .occurrence
            .due
            .is_some_and(|due| run.occurrence.is_lost(due));
        let reason = match lost {
            true => messages::restored(),
            false => messages::too_late(),
        };
        return Decision::Skip(RunStatus::Missed, reason);
    }
    let waiting = staging::open_steps(&run.parts().registry, mission, run.began).count();
    match mission.overlap {
        Overlap::Replace => return Decision::Plan,
        Overlap::Skip if waiting > 0 && run.occurrence.due.is_some() => {
            return Decision::Skip(RunStatus::Skipped, messages::waiting(waiting));
        }
        Overlap::Skip | Overlap::Allow => {}
    }
    let most = run.agent().settings.max_open_proposals;
    if waiting >= most as usize {
        return Decision::Skip(RunStatus::Skipped, messages::too_many_open(waiting, most));
    }
    Decision::Plan
}

/// Drops the claim of a run that has nothing to do.
async fn drop_claim(run: &Run<'_>) -> Result<RunOutcome, RunError> {
    let due = mission::schedule_row(&run.claim.mission_id, &run.loaded.state);
    end_without_run(run.context, run.claim, due).await?;
    run.tracker.publish(RunPhase::Finished).await;
    Ok(RunOutcome::Nothing)
}

/// Ends a claim without a run. Where the schedule made the claim and the mission does not call for it (the mission or
/// its person is gone, or the row is an old one), the schedule is put right: the row would be claimed again and again.
async fn end_without_run(
    context: &RunContext,
    claim: &Claim,
    due: Option<ScheduleRow>,
) -> Result<(), RunError> {
    let store = &context.parts.store;
    if claim.requested {
        return Ok(store.drop_run(claim).await?);
    }
    let mission = &claim.mission_id;
    tracing::warn!(
        mission, user = %claim.user, slot = claim.slot,
        "the schedule had a run of mission {mission} that the mission does not call for; the schedule was put right"
    );
    Ok(store.correct_schedule(claim, due.as_ref()).await?)
}

async fn plan(run: &Run<'_>) -> Result<PlanOutcome, RunError> {
    run.tracker.publish(RunPhase::Reading).await;
    if run.agent().settings.debug {
        run.tracker.keep_calls();
    }
    match run.claim.attempts.checked_sub(1) {
        Some(interrupted) if interrupted >= MAX_INTERRUPTED => {
            let failure = Failure::from(messages::interrupted(interrupted));
            Ok(PlanOutcome::without_call(failure))
        }
        _ => match too_large(run) {
            Some(failure) => Ok(PlanOutcome::without_call(failure)),
            None => Ok(planning::plan(run).await?),
        },
    }
}

/// The failure of a mission whose record has no room for another plan, also without the bodies of its old iterations.
fn too_large(run: &Run<'_>) -> Option<Failure> {
    let bytes = mission::drop_bodies(&run.loaded.state, MISSION_BYTES, run.began).bytes;
    (bytes > MISSION_BYTES).then(|| Failure {
        answered: true,
        ..Failure::new("mission_too_large", messages::mission_too_large(bytes))
    })
}

/// Commits the outcome of planning. The mission is loaded anew each time, because its person may have written to it
/// while the model worked. The model is never asked a second time for that.
async fn commit_plan(
    mut run: Run<'_>,
    outcome: PlanOutcome,
    planned_at: Option<Micros>,
) -> Result<RunOutcome, RunError> {
    run.tracker.publish(RunPhase::Writing).await;
    let mut stagings = 1;
    loop {
        if !run.reload().await? {
            return drop_claim(&run).await;
        }
        match submit(&run, &outcome, planned_at).await {
            Err(error) if error.is_moved() && stagings < MAX_STAGINGS => stagings += 1,
            Err(error) if error.is_moved() => {
                return Ok(unwritten(run.claim, &error, outcome.result.is_ok()));
            }
            result => return result,
        }
    }
}

async fn submit(
    run: &Run<'_>,
    outcome: &PlanOutcome,
    planned_at: Option<Micros>,
) -> Result<RunOutcome, RunError> {
    let attempt = counted_attempt(run, outcome).await?;
    let failure = match &outcome.result {
        Err(failure) if failure.is_over_budget() => {
            let reason = failure.clone().into_reason();
            let conclusion = Conclusion::Skipped(RunStatus::Skipped, reason);
            return commit(run, conclusion, Some(attempt), planned_at).await;
        }
        Err(failure) => failure.clone(),
        Ok(plan) => {
            let conclusion =
                Conclusion::Planned(attempt.planned(plan.clone()), plan.repeats.clone());
            let committed = commit(run, conclusion, Some(attempt.clone()), planned_at).await;
            match committed {
                Err(error) if !error.is_moved() => match error.refused_change() {
                    Some(reason) => Failure::unwritable(reason),
                    None => return Ok(unwritten(run.claim, &error, true)),
                },
                committed => return committed,
            }
        }
    };
    commit_failure(run, attempt, failure, planned_at).await
}

async fn commit_failure(
    run: &Run<'_>,
    attempt: RunAttempt,
    failure: Failure,
    planned_at: Option<Micros>,
) -> Result<RunOutcome, RunError> {
    let after = retry::after_failure(run, &failure, planned_at, attempt.finished_at);
    let mission = &run.claim.mission_id;
    tracing::info!(
        mission, user = %run.claim.user, code = failure.code, attempts = attempt.attempts,
        "the run of mission {mission} failed: {}", failure.code
    );
    if let Some(until) = after.postponed {
        run.parts().store.postpone(run.claim, until).await?;
        run.tracker.publish(RunPhase::Failed).await;
        return Ok(RunOutcome::Postponed {
            code: failure.code,
            mission_id: mission.clone(),
        });
    }
    let (next, zone) = (after.next, &run.loaded.zone);
    let message = messages::failure(&failure.message, attempt.attempts, next, zone);
    let mut iteration = attempt.failed(&failure.code, message, &failure.refused);
    if let Some(error) = &mut iteration.error {
        let details = failure.details.clone();
        error.details = Some(messages::with_next(details, failure.side(), next));
    }
    let outcome = commit(
        run,
        Conclusion::Failed(iteration, after),
        Some(attempt),
        planned_at,
    )
    .await?;
    Ok(match outcome {
        RunOutcome::Failed {
            code, mission_id, ..
        } => RunOutcome::Failed {
            code,
            mission_id,
            answered: failure.answered,
        },
        other => other,
    })
}

/// This attempt, with its number counted on from the attempts that the occurrence's record names.
async fn counted_attempt(run: &Run<'_>, outcome: &PlanOutcome) -> Result<RunAttempt, RunError> {
    let id = run.iteration_id();
    let key = RecordKey::new(mission::APP, mission::RUNS, &id);
    let earlier = run.parts().store.record(&run.scope, &key).await?;
    let attempts = earlier
        .as_ref()
        .and_then(|state| state.data.get("attempts")?.as_u64())
        .unwrap_or(0);
    let failed_since = earlier
        .as_ref()
        .filter(|state| {
            state
                .data
                .get("status")
                .is_some_and(|status| status == "failed")
        })
        .and_then(|state| Micros::parse(state.data.get("startedAt")?.as_str()?).ok());
    let agent = &run.agent().agent;
    let before = run.mission().iteration(&id);
    let after_it = before
        .and_then(|iteration| iteration.updated_at)
        .map(|at| at.plus(1));
    Ok(RunAttempt {
        mission_id: run.claim.mission_id.clone(),
        slot: run.occurrence.slot.clone(),
        started_at: match before {
            Some(iteration) => beginning(iteration, run.began),
            None => failed_since.unwrap_or(run.began),
        },
        finished_at: run.parts().now().max(after_it.unwrap_or(run.began)),
        attempts: u32::try_from(attempts)
            .unwrap_or(u32::MAX)
            .saturating_add(run.earlier_tries())
            .saturating_add(run.claim.attempts),
        model: outcome.model.clone(),
        tokens: outcome.tokens,
        cost: outcome.cost,
        agent: Some((agent.id.clone(), agent.name.clone())),
    })
}

/// When an iteration began that the log has already. A retry keeps the beginning (I4). An iteration of that id that a
/// device wrote ahead of the run is replaced altogether, steps included, by the later beginning (SYNC L7): otherwise
/// the device's steps would stand in the server's plan.
fn beginning(stored: &Iteration, began: Micros) -> Micros {
    match (stored.source.as_str(), stored.started_at) {
        ("server", started_at) => started_at.unwrap_or(began),
        (_, Some(started_at)) => began.max(started_at.plus(1)),
        (_, None) => began,
    }
}
