//! When runs begin and end: at their due time, by request, by a tick, and when the server stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mana_core::Micros;
use mana_store::{Claim, User, UserId};
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::concurrency::AgentPermits;
use crate::error::RunError;
use crate::model_tokens::ModelTokens;
use crate::parts::{RunContext, RunnerParts};
use crate::progress::RunsUnderWay;
use crate::report::{RunOutcome, TickReport};
use crate::{claim, metrics, run, schedule_check};

/// The shortest sleep between two readings of the schedule that found nothing to claim.
const SHORTEST_SLEEP: Duration = Duration::from_millis(250);

/// A clock that goes back by less than this was set right, in microseconds.
const CLOCK_GOES_BACK: i64 = 60_000_000;

/// How long runs may take to give their slots back.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);

/// Plans missions.
pub struct Runner {
    shared: Arc<Shared>,
    /// Held during a tick.
    ticking: Mutex<()>,
    /// Held while claims are taken, so that two readings of the schedule don't hide a claim from each other.
    claiming: Mutex<()>,
    closing: CancellationToken,
    /// The time when the schedule was looked at last. A clock that is behind it was wrong, then or now.
    looked_at: AtomicI64,
}

/// The part of a runner that its runs' tasks share.
struct Shared {
    context: RunContext,
    under_way: Arc<RunsUnderWay>,
    /// A permit for each run that may be under way.
    permits: Arc<Semaphore>,
    /// Notified when a run has ended.
    run_ended: Notify,
    /// Cancelled when runs under way must give their slots back.
    abandon: CancellationToken,
}

/// How a run's task ended.
type Ended = Result<RunOutcome, JoinError>;

impl Runner {
    /// A runner over these parts. Nothing runs before [`run_until`](Self::run_until) or
    /// [`tick`](Self::tick).
    pub fn new(parts: RunnerParts) -> Self {
        let permits = Arc::new(Semaphore::new(parts.config.parallel.max(1)));
        let shared = Shared {
            context: RunContext {
                parts,
                agent_permits: AgentPermits::default(),
                model_tokens: ModelTokens::default(),
            },
            under_way: Arc::default(),
            permits,
            run_ended: Notify::new(),
            abandon: CancellationToken::new(),
        };
        Self {
            shared: Arc::new(shared),
            ticking: Mutex::new(()),
            claiming: Mutex::new(()),
            closing: CancellationToken::new(),
            looked_at: AtomicI64::new(i64::MAX),
        }
    }

    fn parts(&self) -> &RunnerParts {
        &self.shared.context.parts
    }

    /// Whether a tick or a run is under way.
    pub fn is_running(&self) -> bool {
        self.ticking.try_lock().is_err()
            || self.shared.permits.available_permits() < self.parallel()
    }

    /// Runs everything that is due and returns when those runs have ended. During another tick it returns at once with
    /// `overlap-skipped`. Runs go on where the caller drops the future.
    pub async fn tick(&self) -> TickReport {
        metrics::ticked();
        let now = self.parts().now();
        let Ok(_ticking) = self.ticking.try_lock() else {
            return TickReport::overlapping(now);
        };
        self.heal_schedule().await;
        let mut report = TickReport {
            scanned_at: now,
            ..TickReport::default()
        };
        // Runs beyond a person's limit are claimed when earlier runs of that person have ended.
        let (done, mut ended) = mpsc::unbounded_channel();
        let mut under_way = 0_usize;
        while !self.closing.is_cancelled() {
            let Ok(first) = self.shared.permits.clone().acquire_owned().await else {
                break;
            };
            let mut permits = vec![first];
            permits.extend(self.free_permits());
            let claims = match self.claim(now, permits.len(), false).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::error!(%error, "the schedule can't be read: {error}");
                    report
                        .errors
                        .push("store: the schedule can't be read".to_owned());
                    break;
                }
            };
            if claims.is_empty() {
                drop(permits);
                if under_way == 0 {
                    break;
                }
                report.extend(ended.recv().await);
                under_way -= 1;
                continue;
            }
            report.due_mission_count += claims.len();
            under_way += claims.len();
            for (claim, permit) in claims.into_iter().zip(permits) {
                self.begin(claim, permit, Some(done.clone()));
            }
        }
        drop(done);
        while let Some(run) = ended.recv().await {
            report.extend([run]);
        }
        report
    }

    /// Cancels the run of a mission, if it is under way here.
    pub fn cancel(&self, user: &UserId, mission_id: &str) {
        self.shared.under_way.cancel(user, mission_id);
    }

    /// Runs due and requested missions until told to stop. Then runs under way may end within the grace time, and the
    /// slots of those that don't are given back.
    pub async fn run_until(self: Arc<Self>, shutdown: CancellationToken) {
        let requested_only = !self.parts().config.enabled;
        let mut cancelled = self.parts().sync.cancelled();
        while !shutdown.is_cancelled() {
            if !requested_only {
                self.heal_schedule().await;
            }
            if let Err(error) = self.begin_due(requested_only).await {
                tracing::error!(%error, "the schedule can't be read: {error}");
            }
            let wait = self.until_next(requested_only).await;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.parts().sync.schedule_changed().notified() => {}
                () = self.shared.run_ended.notified() => {}
                // A cancellation that this instance misses is seen at the next lease renewal.
                Ok((user, mission_id)) = cancelled.recv() => self.cancel(&user, &mission_id),
                () = sleep(wait) => {}
            }
        }
        self.stop().await;
    }

    /// Looks for due times that a wrong clock has written, at the start and whenever the clock has gone back.
    async fn heal_schedule(&self) {
        let now = self.parts().now();
        let before = self.looked_at.swap(now.0, Ordering::Relaxed);
        if now.0 > before.saturating_sub(CLOCK_GOES_BACK) {
            return;
        }
        if let Err(error) = schedule_check::heal(self.parts(), now).await {
            tracing::error!(%error, "due times in the far future could not be checked: {error}");
        }
    }

    /// Lets a person's missions without a time zone of their own follow the account's, which has changed.
    ///
    /// # Errors
    ///
    /// The log can't be read or written; missions before that have followed.
    pub async fn follow_time_zone(&self, person: &User) -> Result<(), RunError> {
        let parts = self.parts();
        schedule_check::follow_time_zone(parts, person, parts.now()).await
    }

    async fn stop(&self) {
        self.closing.cancel();
        let permits = &self.shared.permits;
        let all = u32::try_from(self.parallel()).unwrap_or(u32::MAX);
        let ended = timeout(self.parts().config.stop_grace, permits.acquire_many(all)).await;
        if ended.is_ok() {
            return;
        }
        let under_way = self.parallel() - permits.available_permits();
        tracing::info!(
            under_way,
            "{under_way} runs are given back; they begin again after the next start"
        );
        self.shared.abandon.cancel();
        if timeout(RELEASE_WITHIN, permits.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!(
                "some runs could not be given back in time; they begin again when their leases end"
            );
        }
    }

    /// Begins as many runs as there are free permits.
    async fn begin_due(&self, requested_only: bool) -> mana_store::Result<()> {
        let permits = self.free_permits();
        if permits.is_empty() {
            return Ok(());
        }
        let claims = self
            .claim(self.parts().now(), permits.len(), requested_only)
            .await?;
        for (claim, permit) in claims.into_iter().zip(permits) {
            self.begin(claim, permit, None);
        }
        Ok(())
    }

    fn free_permits(&self) -> Vec<OwnedSemaphorePermit> {
        std::iter::from_fn(|| self.shared.permits.clone().try_acquire_owned().ok()).collect()
    }

    /// How long there is nothing to do.
    async fn until_next(&self, requested_only: bool) -> Duration {
        let longest = self.parts().config.tick_interval;
        if self.shared.permits.available_permits() == 0 {
            return longest;
        }
        let now = self.parts().now();
        let began = Instant::now();
        let wake = claim::next_wake(self.parts(), requested_only).await;
        metrics::next_wake_read(began.elapsed());
        match wake {
            Ok(Some(at)) => {
                let ahead = Duration::from_micros(at.0.saturating_sub(now.0).max(0).unsigned_abs());
                ahead.max(SHORTEST_SLEEP).min(longest)
            }
            Ok(None) => longest,
            Err(error) => {
                tracing::error!(%error, "the schedule can't be read: {error}");
                longest
            }
        }
    }

    async fn claim(
        &self,
        now: Micros,
        limit: usize,
        requested_only: bool,
    ) -> mana_store::Result<Vec<Claim>> {
        let _claiming = self.claiming.lock().await;
        claim::take(self.parts(), now, limit, requested_only).await
    }

    /// Begins a run in a task of its own, which outlives the caller.
    #[expect(
        clippy::disallowed_methods,
        reason = "each task holds a permit, and stop waits for all permits"
    )]
    fn begin(
        &self,
        claim: Claim,
        permit: OwnedSemaphorePermit,
        done: Option<mpsc::UnboundedSender<Ended>>,
    ) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let run_shared = shared.clone();
            let span = tracing::info_span!(
                target: "trace", "run", mission = claim.mission_id, slot = claim.slot, attempts = claim.attempts
            );
            let run = async move { run_shared.run(&claim).await };
            let ended = tokio::spawn(run.instrument(span)).await;
            drop(permit);
            shared.run_ended.notify_one();
            if let Err(error) = &ended {
                tracing::error!(%error, "a run ended in a panic: {error}");
            }
            // Only a tick waits for its runs.
            done.map(|done| done.send(ended));
        });
    }

    fn parallel(&self) -> usize {
        self.parts().config.parallel.max(1)
    }
}

impl Shared {
    async fn run(&self, claim: &Claim) -> RunOutcome {
        let parts = &self.context.parts;
        let now = parts.now();
        let began = Instant::now();
        let entry = self.under_way.add(&parts.sync, claim, now);
        metrics::run_began(claim, now);
        metrics::runs_under_way(self.under_way.len());
        let outcome = run::while_held(&self.context, claim, &entry.tracker, &self.abandon).await;
        drop(entry);
        metrics::runs_under_way(self.under_way.len());
        metrics::run_ended(&outcome, began.elapsed());
        outcome
    }
}
