//! Staging: the changes that a run's conclusion comes to, for one push.

use std::collections::BTreeMap;

use mana_core::manifest::Operation;
use mana_core::mission::{AiRun, Intent, Iteration, RunStatus, Step, StepStatus, slot};
use mana_core::planner::build::RunAttempt;
use mana_core::policy::{self, Call, Policy};
use mana_core::replaced::replaced;
use mana_core::{Actor, Map, Micros, Op, RecordState, ids, just_after};
use serde_json::{Value, json};

use crate::batch::ChangeBatch;
use crate::error::RunError;
use crate::load::Run;
use crate::messages::{self, Reason};
use crate::report::RunOutcome;
use crate::retry;
use crate::unseen_edits::UnseenEdits;

/// The conclusion of a run.
pub(crate) enum Conclusion {
    Planned(Iteration),
    Failed(Iteration),
    /// No iteration: a record alone says why.
    Skipped(RunStatus, Reason),
    /// The slot is planned already. Only the schedule moves on.
    AlreadyPlanned,
}

/// Stages a conclusion at a time: the iteration, the records of every occurrence, and the next due time. `planned_at`
/// is the mission's due time when the run began.
pub(crate) async fn stage(
    run: &Run<'_>,
    conclusion: Conclusion,
    attempt: Option<&RunAttempt>,
    planned_at: Option<Micros>,
    now: Micros,
) -> Result<(Vec<Value>, RunOutcome), RunError> {
    let mut batch = ChangeBatch::new(run.parts(), &run.scope, now, seed(run));
    let mut set = Map::new();
    let moves = run.scheduled && run.mission().next_run_at == planned_at;
    let made_up = matches!(conclusion, Conclusion::Planned(_) | Conclusion::Failed(_));
    if moves && run.mission().is_active() {
        let next = run.occurrence.next(run.mission(), &run.loaded.zone, now);
        set.insert("nextRunAt".into(), json!(next));
        set.insert("retrySlot".into(), json!(null));
    }
    let outcome = match conclusion {
        Conclusion::Planned(mut iteration) => {
            automatic_steps(run, &mut batch, &mut iteration).await?;
            set.insert("iterations".into(), json!([iteration.to_value()]));
            if run.mission().failures > 0 {
                set.insert("failures".into(), json!(0));
            }
            if let Some(attempt) = attempt {
                batch.run(&attempt.run(RunStatus::Ran, None), true).await?;
            }
            RunOutcome::Planned
        }
        Conclusion::Failed(iteration) => {
            let error = iteration.error.clone().unwrap_or_default();
            set.insert("iterations".into(), json!([iteration.to_value()]));
            set.extend(retry::after_failure(run, planned_at, now).1);
            if set.get("state").is_some() {
                let reason = messages::paused(run.mission().failures + 1, &error.message);
                set.insert("pausedReason".into(), json!(reason));
            }
            if let Some(attempt) = attempt {
                let reason = Reason {
                    code: error.code.clone(),
                    text: error.message,
                    details: error.details,
                };
                let record = attempt.run(RunStatus::Failed, None);
                batch.run(&reason.on(record), true).await?;
            }
            RunOutcome::Failed {
                code: error.code,
                mission_id: run.claim.mission_id.clone(),
                answered: false,
            }
        }
        Conclusion::Skipped(status, reason) => {
            let record = match attempt {
                Some(attempt) => reason.on(attempt.run(status, None)),
                None => {
                    let at = run.occurrence.due.unwrap_or(now);
                    occurrence_record(run, &run.occurrence.slot, status, reason, at, now)
                }
            };
            batch.run(&record, true).await?;
            RunOutcome::Skipped
        }
        Conclusion::AlreadyPlanned => RunOutcome::Nothing,
    };
    if run.scheduled {
        other_occurrences(run, &mut batch, now, moves, made_up).await?;
    }
    batch.mission(&run.claim.mission_id, set).await?;
    Ok((batch.into_values(), outcome))
}

/// The ids of the changes derive from this: the same run under the same claim makes the same ids. A run that is
/// cancelled makes others, because the changes that it was about to push may be stored already.
fn seed(run: &Run<'_>) -> String {
    let cancelled = if run.cancelled { ":cancelled" } else { "" };
    let token = format!("{}{cancelled}", run.claim.token);
    ids::derive(&run.iteration_id(), &token)
}

/// Adds the records of occurrences that passed before and during this run.
async fn other_occurrences(
    run: &Run<'_>,
    batch: &mut ChangeBatch<'_>,
    now: Micros,
    moves: bool,
    made_up: bool,
) -> Result<(), RunError> {
    let missed = messages::missed(made_up);
    for (index, at) in run.occurrence.missed.iter().enumerate() {
        let reason = match index == 0 && run.occurrence.earlier {
            true => messages::and_earlier(&missed, run.claim.due_at, &run.loaded.zone),
            false => missed.clone(),
        };
        let slot = slot::due(*at);
        let record = occurrence_record(run, &slot, RunStatus::Missed, reason, *at, now);
        batch.run(&record, false).await?;
    }
    if moves {
        let overlapped = run
            .occurrence
            .overlapped(run.mission(), &run.loaded.zone, now);
        for at in overlapped {
            let (slot, reason) = (slot::due(at), messages::overlapped());
            let record = occurrence_record(run, &slot, RunStatus::Skipped, reason, at, now);
            batch.run(&record, false).await?;
        }
    }
    Ok(())
}

/// The record of an occurrence that didn't run.
fn occurrence_record(
    run: &Run<'_>,
    slot: &str,
    status: RunStatus,
    reason: Reason,
    at: Micros,
    now: Micros,
) -> AiRun {
    reason.on(AiRun {
        mission_id: run.claim.mission_id.clone(),
        slot: slot.to_owned(),
        status,
        code: None,
        reason: None,
        details: None,
        started_at: at,
        finished_at: now,
        attempts: 0,
        tokens: None,
        cost: None,
        model: None,
        extra: Map::new(),
    })
}

/// Carries out the steps whose policy is `auto`, as the AI, and notes the decision on them.
async fn automatic_steps(
    run: &Run<'_>,
    batch: &mut ChangeBatch<'_>,
    iteration: &mut Iteration,
) -> Result<(), RunError> {
    let registry = &run.parts().registry;
    let overrides = run.agent().overrides();
    let id = iteration.id.clone();
    let unseen = match iteration.plan.iter().any(|step| is_automatic(run, step)) {
        true => UnseenEdits::since(run).await?,
        false => UnseenEdits::default(),
    };
    let (principal, name) = (
        iteration.principal_id.clone(),
        iteration.display_name.clone(),
    );
    for step in &mut iteration.plan {
        let Intent::ToolCall { tool_name, params } = &step.intent else {
            continue;
        };
        let Some(tool) = registry.tool(tool_name).filter(|_| is_automatic(run, step)) else {
            continue;
        };
        let target = match tool.target(params) {
            Some(key) => batch.state(&key).await?,
            None => None,
        };
        let actor = Actor::agent(
            &run.claim.mission_id,
            &id,
            &step.rationale,
            principal.as_deref(),
            name.as_deref(),
        )
        .of_step(&step.id);
        let operations = tool
            .operations(params, &step.id, target.as_ref())
            .map_err(|problem| problem.message);
        let allowed = operations.and_then(|operations| {
            let call = Call {
                tool: tool_name,
                step_id: &step.id,
                operations: &operations,
            };
            policy::authorize(registry, overrides, &actor, Some(&call), None)
                .map_err(|refusal| refusal.message)?;
            Ok(operations)
        });
        match allowed {
            Ok(operations) => {
                for operation in operations {
                    let before = replaced(&operation, target.as_ref());
                    step.replaced.push(before);
                    carry_out(
                        batch,
                        &unseen,
                        operation,
                        target.as_ref(),
                        actor.clone(),
                        iteration.finished_at,
                    )
                    .await?;
                }
                step.status = StepStatus::Approved;
            }
            Err(reason) => {
                step.status = StepStatus::Failed;
                step.extra.insert("error".to_owned(), Value::from(reason));
            }
        }
        step.decided_at = iteration.finished_at;
        step.decided_by = Some("policy".to_owned());
    }
    Ok(())
}

/// Whether a step runs without asking.
fn is_automatic(run: &Run<'_>, step: &Step) -> bool {
    let Intent::ToolCall { tool_name, .. } = &step.intent else {
        return false;
    };
    let tool = run.parts().registry.tool(tool_name);
    let overrides = run.agent().overrides();
    step.status.is_open() && tool.is_some_and(|tool| overrides.effective(tool) == Policy::Auto)
}

/// Writes an operation of an automatic step, by the same stamps as an approval (MODULES S6): a record that the step
/// makes as old as its iteration, an update just after the values that the run saw, a removal as new as the plan.
async fn carry_out(
    batch: &mut ChangeBatch<'_>,
    unseen: &UnseenEdits,
    operation: Operation,
    target: Option<&RecordState>,
    actor: Actor,
    finished_at: Option<Micros>,
) -> Result<(), RunError> {
    let (key, now) = (operation.key(), batch.now());
    let decided_at = finished_at.unwrap_or(now);
    let mut stamps = BTreeMap::new();
    let (at, actor) = match operation.op {
        Op::Insert => (finished_at, actor),
        Op::Update => {
            for field in operation.values(now).keys() {
                let at = match unseen.first(&key, field) {
                    Some(edit) => edit.plus(-1),
                    None => just_after(target, field),
                };
                stamps.insert(field.clone(), at);
            }
            (None, actor.decided(decided_at))
        }
        Op::Delete => {
            let seen = target.into_iter().flat_map(|state| &state.meta);
            let seen = seen
                .filter(|(field, _)| unseen.first(&key, field).is_none())
                .map(|(field, stamp)| (field, stamp.at));
            (None, actor.having_seen(seen))
        }
    };
    let set = operation.values(at.unwrap_or(now));
    batch
        .put_stamped(key, operation.op, set, actor, at, stamps)
        .await
}
