//! Staging: the changes that a run's conclusion comes to, for one push.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::calendar::LocalTime;
use mana_core::manifest::Operation;
use mana_core::mission::{
    AiRun, Intent, Iteration, Overlap, RunStatus, Step, StepDecision, StepStatus, lessons,
};
use mana_core::planner::build::RunAttempt;
use mana_core::planner::{self, RecentCall};
use mana_core::policy::{self, Call, Policy};
use mana_core::staging::ReplacedValues;
use mana_core::{Actor, Map, Micros, Op, RecordState, ids, just_after, staging};
use serde_json::{Value, json};

use crate::batch::ChangeBatch;
use crate::error::RunError;
use crate::failure::FailureSide;
use crate::load::Run;
use crate::messages::{self, NextRun, Reason};
use crate::report::RunOutcome;
use crate::retry::AfterFailure;
use crate::run_rows::{RunRows, occurrence_record};
use crate::unseen_edits::UnseenEdits;

/// The conclusion of a run.
pub(crate) enum Conclusion {
    /// A plan, and its steps that repeat waiting proposals.
    Planned(Iteration, Vec<RecentCall>),
    Failed(Iteration, AfterFailure),
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
    let made_up = matches!(conclusion, Conclusion::Planned(..) | Conclusion::Failed(..));
    let mut own = None;
    if moves && run.mission().is_active() {
        let next = run.occurrence.next(run.mission(), &run.loaded.zone, now);
        set.insert("nextRunAt".into(), json!(next));
        set.insert("retrySlot".into(), json!(null));
    }
    let outcome = match conclusion {
        Conclusion::Planned(mut iteration, repeats) => {
            automatic_steps(run, &mut batch, &mut iteration).await?;
            expiries(run, &mut iteration);
            let mut iterations = vec![iteration.to_value()];
            iterations.extend(replaced_steps(run, &iteration.id, &repeats, now));
            set.insert("iterations".into(), json!(iterations));
            if run.mission().failures > 0 || run.mission().failed_on.is_some() {
                set.insert("failures".into(), json!(0));
                set.insert("failedOn".into(), json!(null));
            }
            if let Some(attempt) = attempt {
                batch
                    .run(&attempt.run(RunStatus::Ran, None), true, None)
                    .await?;
            }
            RunOutcome::Planned
        }
        Conclusion::Failed(iteration, after) => {
            let error = iteration.error.clone().unwrap_or_default();
            if !repeats_failure(run, &iteration) {
                set.insert("iterations".into(), json!([iteration.to_value()]));
            }
            set.extend(after.set);
            if let NextRun::Paused(failures) = after.next {
                let reason = messages::paused(failures, &error.message);
                set.insert("pausedReason".into(), json!(reason));
            }
            if let Some(attempt) = attempt {
                let reason = Reason {
                    code: error.code.clone(),
                    text: error.message,
                    details: error.details,
                };
                let record = attempt.run(RunStatus::Failed, None);
                batch.run(&reason.on(record), true, None).await?;
            }
            RunOutcome::Failed {
                code: error.code,
                mission_id: run.claim.mission_id.clone(),
                answered: false,
            }
        }
        Conclusion::Skipped(status, reason) => {
            own = Some(NotRun::of(run, &mut batch, status, reason, attempt, now).await?);
            RunOutcome::Skipped
        }
        Conclusion::AlreadyPlanned => RunOutcome::Nothing,
    };
    let learnt = lessons::unstored(run.mission());
    if !learnt.is_empty() && !matches!(outcome, RunOutcome::Nothing) {
        set.insert("lessons".into(), json!(learnt));
    }
    not_run(run, &mut batch, own, now, moves, made_up).await?;
    let mission_id = &run.claim.mission_id;
    batch.mission(mission_id, set).await?;
    batch.drop_bodies(mission_id).await?;
    batch.forget_old_runs(mission_id).await?;
    Ok((batch.into_values(), outcome))
}

/// Whether an iteration says what the mission's newest one says already: that the model can't be asked. The record of
/// the occurrence tells of it; a week without the model must not push the plans out of the list.
fn repeats_failure(run: &Run<'_>, iteration: &Iteration) -> bool {
    let at_model = |iteration: &Iteration| {
        let details = iteration
            .error
            .as_ref()
            .and_then(|error| error.details.as_ref());
        details.and_then(|details| details.get("side")?.as_str()) == Some(FailureSide::Model.word())
    };
    let mission = run.mission();
    mission.iteration(&iteration.id).is_none()
        && at_model(iteration)
        && mission.iterations.last().is_some_and(at_model)
}

/// Says of each step when it loses its sense.
fn expiries(run: &Run<'_>, iteration: &mut Iteration) {
    for step in &mut iteration.plan {
        let Intent::ToolCall { tool_name, params } = &step.intent else {
            continue;
        };
        let tool = run.parts().registry.tool(tool_name);
        step.expires_at = tool.and_then(|tool| planner::expires_at(tool, params, &run.loaded.zone));
    }
}

/// The open steps of the mission's earlier plans that expire because this plan takes their place, as iterations.
fn replaced_steps(run: &Run<'_>, id: &str, repeats: &[RecentCall], now: Micros) -> Vec<Value> {
    let mission = run.mission();
    if mission.overlap != Overlap::Replace {
        return Vec::new();
    }
    let stays = |step: &Step| match &step.intent {
        Intent::ToolCall { tool_name, params } => {
            repeats.iter().any(|call| call.is(tool_name, params))
        }
        _ => false,
    };
    let earlier = mission
        .iterations
        .iter()
        .filter(|iteration| iteration.id != id && iteration.source == "server");
    let replaced: BTreeSet<&str> = earlier
        .flat_map(|iteration| &iteration.plan)
        .filter(|step| step.status.is_open() && !stays(step))
        .map(|step| step.id.as_str())
        .collect();
    staging::replace_steps(&run.loaded.state, |step| replaced.contains(step), now)
}

/// The ids of the changes derive from this: the same run under the same claim makes the same ids. A run that is
/// cancelled makes others, because the changes that it was about to push may be stored already.
fn seed(run: &Run<'_>) -> String {
    let cancelled = if run.cancelled { ":cancelled" } else { "" };
    let token = format!("{}{cancelled}", run.claim.token);
    ids::derive(&run.iteration_id(), &token)
}

/// Adds the records of what did not run: occurrences that passed before this run, `own` where this one did not run
/// either, and occurrences that passed during it.
async fn not_run(
    run: &Run<'_>,
    batch: &mut ChangeBatch<'_>,
    own: Option<NotRun>,
    now: Micros,
    moves: bool,
    made_up: bool,
) -> Result<(), RunError> {
    if own.is_none() && !run.scheduled {
        return Ok(());
    }
    let mut rows = RunRows::after_newest(run, now).await?;
    if run.scheduled {
        for (index, at) in run.occurrence.missed.iter().enumerate() {
            let since = (index == 0 && run.occurrence.earlier).then_some(run.claim.due_at);
            if run.occurrence.is_lost(*at) {
                rows.add_lost(batch, messages::restored(), *at, since)
                    .await?;
                continue;
            }
            let missed = messages::missed(made_up);
            rows.add(batch, RunStatus::Missed, missed, *at, since)
                .await?;
        }
    }
    match own {
        Some(NotRun::InRow(status, reason, at)) => {
            rows.add(batch, status, reason, at, None).await?;
        }
        Some(NotRun::Lost(reason, at)) => rows.add_lost(batch, reason, at, None).await?,
        Some(NotRun::Alone(record)) => rows.add_alone(batch, *record).await?,
        None => {}
    }
    if run.scheduled && moves {
        let passed = run
            .occurrence
            .overlapped(run.mission(), &run.loaded.zone, now);
        for at in passed {
            let reason = messages::overlapped();
            rows.add(batch, RunStatus::Skipped, reason, at, None)
                .await?;
        }
    }
    rows.end(batch).await
}

/// An occurrence that did not run, as it is told.
enum NotRun {
    /// With others that did not run for the same reason.
    InRow(RunStatus, Reason, Micros),
    /// By its own record, because the record of a run may have been lost with a restore.
    Lost(Reason, Micros),
    /// By its own record: it was asked for, it used something, or it has a record already.
    Alone(Box<AiRun>),
}

impl NotRun {
    async fn of(
        run: &Run<'_>,
        batch: &mut ChangeBatch<'_>,
        status: RunStatus,
        reason: Reason,
        attempt: Option<&RunAttempt>,
        now: Micros,
    ) -> Result<NotRun, RunError> {
        let slot = &run.occurrence.slot;
        let used = attempt.is_some_and(|attempt| attempt.tokens.is_some_and(|used| used > 0));
        let has_record = batch.has_run(&run.claim.mission_id, slot).await?;
        let is_lost = |at: Micros| status == RunStatus::Missed && run.occurrence.is_lost(at);
        Ok(match run.occurrence.due {
            Some(at) if attempt.is_none() && is_lost(at) => NotRun::Lost(reason, at),
            Some(at) if run.scheduled && !used && !has_record => NotRun::InRow(status, reason, at),
            due => {
                let record = match attempt {
                    Some(attempt) => attempt.run(status, None),
                    None => occurrence_record(run, slot, status, due.unwrap_or(now), now),
                };
                NotRun::Alone(Box::new(reason.on(record)))
            }
        })
    }
}

/// The decider of automatic steps.
const POLICY: &str = "policy";

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
                let mut values = ReplacedValues::default();
                for operation in operations {
                    values.add(tool, &operation, target.as_ref());
                    let key = operation.key();
                    carry_out(
                        batch,
                        &unseen,
                        operation,
                        target.as_ref(),
                        actor.clone(),
                        iteration.finished_at,
                    )
                    .await?;
                    let today = LocalTime::at(&run.loaded.account_zone, batch.now()).day;
                    batch.put_successor(&key, target.as_ref(), today).await?;
                }
                step.status = StepStatus::Approved;
                step.replaced = values.replaced;
                if !values.appended.is_empty() {
                    let decision = StepDecision {
                        id: ids::derive(&step.id, "policy/approved"),
                        status: StepStatus::Approved,
                        decided_at: iteration.finished_at,
                        decided_by: Some(POLICY.to_owned()),
                        client_id: Some(POLICY.to_owned()),
                        appended: values.appended,
                        ..StepDecision::default()
                    };
                    step.decisions.push(decision);
                }
            }
            Err(reason) => {
                step.status = StepStatus::Failed;
                step.extra.insert("error".to_owned(), Value::from(reason));
            }
        }
        step.decided_at = iteration.finished_at;
        step.decided_by = Some(POLICY.to_owned());
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
        Op::Delete | Op::Forget => {
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
