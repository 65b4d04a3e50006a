//! One claimed run, from the claim to the push.

use mana_core::mission::{AiRun, Iteration, MissionState, RunStatus, slot};
use mana_core::planner::build::Attempt;
use mana_core::staging;
use mana_core::{Map, Micros, RecordKey, ids, mission};
use mana_store::{Claim, RunPhase, Scope, StoreError, User};
use mana_sync::{AcceptPush, Origin, SyncError};
use serde_json::json;

use crate::commit::{Batch, BatchError};
use crate::load::{self, Loaded};
use crate::messages::{self, After, Reason};
use crate::occurrence::Occurrence;
use crate::planning::{Failure, PlanOutcome, think};
use crate::progress::ProgressTracker;
use crate::report::Outcome;
use crate::runner::Inner;

/// Failures in a row after which a mission is paused.
const PAUSE_AFTER: u32 = 5;

/// The first wait after a failure; it doubles each time.
const FIRST_RETRY_MICROS: i64 = 60_000_000;

/// Attempts that ended in the middle, after which the run counts as failed.
const MOST_INTERRUPTED: u32 = 3;

/// How often a result is made anew because its person wrote to the mission meanwhile.
const MOST_LOOKS: usize = 8;

/// The client id of the runner's pushes.
const CLIENT: &str = "mana-runner";

/// Why a run could not be brought to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error("{0}")]
    Change(String),
}

impl From<BatchError> for RunError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Store(error) => Self::Store(error),
            BatchError::Change(reason) => Self::Change(reason),
        }
    }
}

impl RunError {
    /// Why what was to be written can't be, however often it is tried.
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Change(reason) | Self::Sync(SyncError::InvalidChange { reason, .. }) => {
                Some(reason)
            }
            _ => None,
        }
    }

    /// The mission was written between the look at it and the push: another look makes it good.
    fn is_moved(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Moved) | Self::Sync(SyncError::Store(StoreError::Moved))
        )
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(StoreError::LeaseLost)
            | Self::Sync(SyncError::Store(StoreError::LeaseLost)) => "lease-lost",
            Self::Store(_) => "store",
            Self::Sync(error) => error.code(),
            Self::Change(_) => "invalid-change",
        }
    }
}

/// A claim with everything that its run goes by.
struct Run<'a> {
    inner: &'a Inner,
    claim: &'a Claim,
    watch: &'a ProgressTracker,
    /// Its person doesn't want it any more.
    cancelled: bool,
    scope: Scope,
    user: User,
    loaded: Loaded,
    occurrence: Occurrence,
    /// The claim is the schedule's own, so its end moves the schedule.
    scheduled: bool,
    began: Micros,
}

/// What a run comes to, besides its plan.
enum Verdict {
    Planned(Iteration),
    Failed(Iteration),
    /// No iteration: a record alone says why.
    Skipped(RunStatus, Reason),
    /// The slot is planned already: only the schedule moves on.
    Settled,
}

/// Brings a claimed run to its end.
pub(crate) async fn run(inner: &Inner, claim: &Claim, watch: &ProgressTracker) -> Outcome {
    bring(inner, claim, watch, false).await
}

/// Ends a claimed run that its person doesn't want any more: its occurrence gets a record that says so.
pub(crate) async fn cancelled(inner: &Inner, claim: &Claim, watch: &ProgressTracker) -> Outcome {
    let outcome = bring(inner, claim, watch, true).await;
    match outcome {
        Outcome::Skipped => {
            watch.tell(RunPhase::Cancelled).await;
            Outcome::Cancelled
        }
        // It had ended, by a hair.
        outcome => {
            watch.tell(RunPhase::Finished).await;
            outcome
        }
    }
}

async fn bring(inner: &Inner, claim: &Claim, watch: &ProgressTracker, cancelled: bool) -> Outcome {
    let mut looks = 1;
    loop {
        match start(inner, claim, watch, cancelled).await {
            Ok(outcome) => return outcome,
            Err(error) if error.is_moved() && looks < MOST_LOOKS => looks += 1,
            Err(error) => return unwritten(claim, &error, false),
        }
    }
}

/// A run that left nothing in the log. Its claim stays until the lease ends, which is the pause before
/// the next attempt.
fn unwritten(claim: &Claim, error: &RunError, planned: bool) -> Outcome {
    let code = error.code();
    tracing::warn!(
        mission = claim.mission_id, user = %claim.user, code,
        "run of mission {} was not written and is tried again: {error}", claim.mission_id
    );
    Outcome::Unwritten {
        code: code.to_owned(),
        mission_id: claim.mission_id.clone(),
        planned,
    }
}

async fn start(
    inner: &Inner,
    claim: &Claim,
    watch: &ProgressTracker,
    cancelled: bool,
) -> Result<Outcome, RunError> {
    let scope = Scope::own(&claim.user);
    let began = (inner.clock)();
    let Some(user) = inner.accounts.user(&claim.user).await? else {
        return drop_run(inner, claim).await;
    };
    let Some(loaded) = load::mission(
        inner.store.as_ref(),
        &scope,
        &claim.mission_id,
        &user.timezone,
    )
    .await?
    else {
        return drop_run(inner, claim).await;
    };
    let occurrence = Occurrence::of(claim, &loaded.mission, &loaded.zone, began);
    let scheduled = mission::schedule_row(&claim.mission_id, &loaded.state)
        .is_some_and(|row| row.slot == claim.slot);
    let run = Run {
        inner,
        claim,
        watch,
        cancelled,
        scope,
        user,
        loaded,
        occurrence,
        scheduled,
        began,
    };
    watch.occurrence(&run.occurrence.slot, run.iteration_id());
    run.go().await
}

async fn drop_run(inner: &Inner, claim: &Claim) -> Result<Outcome, RunError> {
    inner.store.drop_run(claim).await?;
    Ok(Outcome::Nothing)
}

impl Run<'_> {
    async fn go(self) -> Result<Outcome, RunError> {
        let mission = &self.loaded.mission;
        let id = self.iteration_id();
        let before = mission.iteration(&id);
        let failed_before = before.is_some_and(|iteration| iteration.error.is_some());
        let wanted = match self.occurrence.due {
            None => mission.state != MissionState::Archived,
            Some(_) => self.scheduled || failed_before,
        };
        if !wanted {
            return self.settled().await;
        }
        if before.is_some() && !failed_before {
            return match self.scheduled {
                true => self.write(Verdict::Settled, None).await,
                false => self.settled().await,
            };
        }
        if self.cancelled {
            let verdict = Verdict::Skipped(RunStatus::Skipped, messages::cancelled());
            return self.write(verdict, None).await;
        }
        if self.occurrence.too_late {
            let verdict = Verdict::Skipped(RunStatus::Missed, messages::too_late());
            return self.write(verdict, None).await;
        }
        let waiting = staging::open_steps(&self.inner.registry, mission, self.began).count();
        if waiting > 0 && self.occurrence.due.is_some() && !mission.overlap_allowed {
            let verdict = Verdict::Skipped(RunStatus::Skipped, messages::waiting(waiting));
            return self.write(verdict, None).await;
        }
        let most = self.loaded.terms.settings.max_open_proposals;
        if waiting >= most as usize {
            let verdict =
                Verdict::Skipped(RunStatus::Skipped, messages::too_many_open(waiting, most));
            return self.write(verdict, None).await;
        }

        self.watch.tell(RunPhase::Reading).await;
        if self.loaded.terms.settings.debug {
            self.watch.keep_rounds();
        }
        let thought = match self.claim.attempts.checked_sub(1) {
            Some(interrupted) if interrupted >= MOST_INTERRUPTED => PlanOutcome {
                model: None,
                tokens: None,
                cost: None,
                result: Err(Failure::of(messages::interrupted(interrupted))),
            },
            _ => {
                let locale = &self.user.locale;
                think(
                    self.inner,
                    self.claim,
                    &self.scope,
                    &self.loaded,
                    &id,
                    locale,
                    self.began,
                )
                .await?
            }
        };
        self.conclude(thought).await
    }

    /// Ends a run that has nothing to do.
    async fn settled(&self) -> Result<Outcome, RunError> {
        let outcome = drop_run(self.inner, self.claim).await?;
        self.watch.tell(RunPhase::Finished).await;
        Ok(outcome)
    }

    /// Makes an iteration of a thought, and writes it.
    async fn conclude(mut self, thought: PlanOutcome) -> Result<Outcome, RunError> {
        self.watch.tell(RunPhase::Writing).await;
        let planned_at = self.loaded.mission.next_run_at;
        let mut looks = 1;
        loop {
            let reload = load::mission(
                self.inner.store.as_ref(),
                &self.scope,
                &self.claim.mission_id,
                &self.user.timezone,
            );
            let Some(now) = reload.await? else {
                return self.settled().await;
            };
            self.loaded = now;
            match self.hand_in(&thought, planned_at).await {
                Err(error) if error.is_moved() && looks < MOST_LOOKS => looks += 1,
                // Not once more from the beginning: the model has been asked.
                Err(error) if error.is_moved() => {
                    return Ok(unwritten(self.claim, &error, thought.result.is_ok()));
                }
                result => return result,
            }
        }
    }

    async fn hand_in(
        &self,
        thought: &PlanOutcome,
        planned_at: Option<Micros>,
    ) -> Result<Outcome, RunError> {
        let attempt = self.attempt(thought).await?;
        let failure = match &thought.result {
            Err(failure) if failure.is_over_budget() => {
                let verdict = Verdict::Skipped(RunStatus::Skipped, failure.clone().reason());
                return self.write_as(verdict, Some(attempt), planned_at).await;
            }
            Err(failure) => failure.clone(),
            Ok(plan) => {
                let verdict = Verdict::Planned(attempt.planned(plan.clone()));
                let written = self
                    .write_as(verdict, Some(attempt.clone()), planned_at)
                    .await;
                match written {
                    Err(error) if !error.is_moved() => match error.reason() {
                        Some(reason) => Failure::unwritable(reason),
                        None => return Ok(unwritten(self.claim, &error, true)),
                    },
                    written => return written,
                }
            }
        };
        self.failed(attempt, failure, planned_at).await
    }

    /// Writes the iteration of a failure.
    async fn failed(
        &self,
        attempt: Attempt,
        failure: Failure,
        planned_at: Option<Micros>,
    ) -> Result<Outcome, RunError> {
        let (after, _) = self.after_failure(planned_at, attempt.finished_at);
        let message = messages::failure(&failure.message, after, &self.loaded.zone);
        let mut iteration = attempt.failed(&failure.code, message, &failure.refused);
        if let Some(error) = &mut iteration.error {
            error.details = Some(messages::after(failure.details.clone(), after));
        }
        tracing::info!(
            mission = self.claim.mission_id,
            code = failure.code,
            "run of mission {} failed: {}",
            self.claim.mission_id,
            failure.code
        );
        let outcome = self
            .write_as(Verdict::Failed(iteration), Some(attempt), planned_at)
            .await?;
        Ok(match outcome {
            Outcome::Failed {
                code, mission_id, ..
            } => Outcome::Failed {
                code,
                mission_id,
                answered: failure.answered,
            },
            other => other,
        })
    }

    /// This attempt, counted on from those before it.
    async fn attempt(&self, thought: &PlanOutcome) -> Result<Attempt, RunError> {
        let id = self.iteration_id();
        let key = RecordKey::new(mission::APP, mission::RUNS, &id);
        let earlier = self.inner.store.record(&self.scope, &key).await?;
        let attempts = earlier
            .as_ref()
            .and_then(|state| state.data.get("attempts")?.as_u64())
            .unwrap_or(0);
        let agent = &self.loaded.terms.agent;
        let before = self.loaded.mission.iteration(&id);
        let after_it = before
            .and_then(|iteration| iteration.updated_at)
            .map(|at| at.plus(1));
        Ok(Attempt {
            mission_id: self.claim.mission_id.clone(),
            slot: self.occurrence.slot.clone(),
            started_at: before
                .and_then(|iteration| iteration.started_at)
                .unwrap_or(self.began),
            finished_at: (self.inner.clock)().max(after_it.unwrap_or(self.began)),
            attempts: u32::try_from(attempts)
                .unwrap_or(u32::MAX)
                .saturating_add(self.claim.attempts),
            model: thought.model.clone(),
            tokens: thought.tokens,
            cost: thought.cost,
            agent: Some((agent.id.clone(), agent.name.clone())),
        })
    }

    async fn write(self, verdict: Verdict, attempt: Option<Attempt>) -> Result<Outcome, RunError> {
        let planned_at = self.loaded.mission.next_run_at;
        self.write_as(verdict, attempt, planned_at).await
    }

    /// Pushes everything in one: the iteration, the records of every occurrence, and the next due time.
    async fn write_as(
        &self,
        verdict: Verdict,
        attempt: Option<Attempt>,
        planned_at: Option<Micros>,
    ) -> Result<Outcome, RunError> {
        let now = attempt
            .as_ref()
            .map_or_else(|| (self.inner.clock)(), |attempt| attempt.finished_at);
        // What a cancelled run was about to write may be stored by now: this is something else, not a replay.
        let token = format!(
            "{}{}",
            self.claim.token,
            if self.cancelled { ":cancelled" } else { "" }
        );
        let seed = ids::derive(&self.iteration_id(), &token);
        let mut batch = Batch::new(
            self.inner.store.as_ref(),
            &self.inner.registry,
            &self.scope,
            now,
            seed,
        );
        let mut set = Map::new();
        let moves = self.scheduled && self.loaded.mission.next_run_at == planned_at;
        let made_up = matches!(verdict, Verdict::Planned(_) | Verdict::Failed(_));
        if moves && self.loaded.mission.is_active() {
            let next = self
                .occurrence
                .next(&self.loaded.mission, &self.loaded.zone, now);
            set.insert("nextRunAt".into(), json!(next));
            set.insert("retrySlot".into(), json!(null));
        }

        let outcome = match verdict {
            Verdict::Planned(mut iteration) => {
                batch
                    .automatic_steps(
                        &mut iteration,
                        &self.claim.mission_id,
                        self.loaded.terms.overrides(),
                    )
                    .await?;
                set.insert("iterations".into(), json!([iteration.to_value()]));
                if self.loaded.mission.failures > 0 {
                    set.insert("failures".into(), json!(0));
                }
                if let Some(attempt) = &attempt {
                    batch.run(&attempt.run(RunStatus::Ran, None), true).await?;
                }
                Outcome::Planned
            }
            Verdict::Failed(iteration) => {
                let error = iteration.error.clone().unwrap_or_default();
                set.insert("iterations".into(), json!([iteration.to_value()]));
                set.extend(self.after_failure(planned_at, now).1);
                if set.get("state").is_some() {
                    let reason = messages::paused(self.loaded.mission.failures + 1, &error.message);
                    set.insert("pausedReason".into(), json!(reason));
                }
                if let Some(attempt) = &attempt {
                    let reason = Reason {
                        code: error.code.clone(),
                        text: error.message,
                        details: error.details,
                    };
                    let record = attempt.run(RunStatus::Failed, None);
                    batch.run(&reason.on(record), true).await?;
                }
                Outcome::Failed {
                    code: error.code,
                    mission_id: self.claim.mission_id.clone(),
                    answered: false,
                }
            }
            Verdict::Skipped(status, reason) => {
                let record = match &attempt {
                    Some(attempt) => reason.on(attempt.run(status, None)),
                    None => {
                        let at = self.occurrence.due.unwrap_or(now);
                        self.record(&self.occurrence.slot, status, reason, at, now)
                    }
                };
                batch.run(&record, true).await?;
                Outcome::Skipped
            }
            Verdict::Settled => Outcome::Nothing,
        };
        if self.scheduled {
            self.others(&mut batch, now, moves, made_up).await?;
        }
        batch.mission(&self.claim.mission_id, set).await?;

        let push = AcceptPush {
            client_id: CLIENT.to_owned(),
            app: None,
            changes: batch.into_values(),
            since: now.to_string(),
            schema_version: None,
            fence: Some(self.claim.fence().having_seen(&self.loaded.state)),
            origin: Origin::Runner,
        };
        self.inner
            .sync
            .accept(&self.scope, push, (self.inner.clock)())
            .await?;
        match outcome {
            Outcome::Failed { .. } => self.watch.tell(RunPhase::Failed).await,
            _ if self.cancelled => {}
            _ => self.watch.tell(RunPhase::Finished).await,
        }
        Ok(outcome)
    }

    /// The records of occurrences that passed before and during this run.
    async fn others(
        &self,
        batch: &mut Batch<'_>,
        now: Micros,
        moves: bool,
        made_up: bool,
    ) -> Result<(), RunError> {
        let missed = messages::missed(made_up);
        for (index, at) in self.occurrence.missed.iter().enumerate() {
            let reason = match index == 0 && self.occurrence.earlier {
                true => messages::and_earlier(&missed, self.claim.due_at, &self.loaded.zone),
                false => missed.clone(),
            };
            let record = self.record(&slot::due(*at), RunStatus::Missed, reason, *at, now);
            batch.run(&record, false).await?;
        }
        if moves {
            for at in self
                .occurrence
                .overlapped(&self.loaded.mission, &self.loaded.zone, now)
            {
                let reason = messages::overlapped();
                let record = self.record(&slot::due(at), RunStatus::Skipped, reason, at, now);
                batch.run(&record, false).await?;
            }
        }
        Ok(())
    }

    fn record(
        &self,
        slot: &str,
        status: RunStatus,
        reason: Reason,
        at: Micros,
        now: Micros,
    ) -> AiRun {
        reason.on(AiRun {
            mission_id: self.claim.mission_id.clone(),
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

    /// What happens after a failure now, and what is written for it.
    fn after_failure(&self, planned_at: Option<Micros>, now: Micros) -> (After, Map) {
        let mut set = Map::new();
        if !self.scheduled {
            return (After::Asked, set);
        }
        let mission = &self.loaded.mission;
        let failures = mission.failures.saturating_add(1);
        set.insert("failures".into(), json!(failures));
        if !mission.is_active() {
            return (After::Nothing, set);
        }
        if failures >= PAUSE_AFTER {
            set.insert("state".into(), json!("paused"));
            set.insert("nextRunAt".into(), json!(null));
            set.insert("retrySlot".into(), json!(null));
            return (After::Paused(failures), set);
        }
        if mission.next_run_at != planned_at {
            // Somebody moved the next run meanwhile.
            return (mission.next_run_at.map_or(After::Nothing, After::Next), set);
        }
        let retry = now.plus(FIRST_RETRY_MICROS << (failures - 1));
        let next = self.occurrence.next(mission, &self.loaded.zone, now);
        match next {
            Some(next) if next <= retry => {
                set.insert("nextRunAt".into(), json!(next));
                set.insert("retrySlot".into(), json!(null));
                (After::Next(next), set)
            }
            _ => {
                set.insert("nextRunAt".into(), json!(retry));
                set.insert("retrySlot".into(), json!(self.occurrence.slot));
                (After::Retry(retry), set)
            }
        }
    }

    fn iteration_id(&self) -> String {
        ids::iteration_id(&self.claim.mission_id, &self.occurrence.slot)
    }
}
