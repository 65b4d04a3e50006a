//! When runs begin and end: by due time, by request, by tick, and when the server stops.

use std::sync::Arc;
use std::time::Duration;

use mana_core::Micros;
use mana_core::manifest::Registry;
use mana_store::{Accounts, Claim, Lease, Ledger, Scope, Store, Take, UserId};
use mana_sync::Sync;
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::concurrency::AgentPermits;
use crate::config::RunnerConfig;
use crate::llm::Llm;
use crate::metrics;
use crate::progress::{ProgressTracker, ProgressTrackers, TrackedLlm};
use crate::report::{Outcome, TickReport};
use crate::run;

/// The shortest sleep between two looks at the schedule that found nothing to claim.
const SHORTEST_SLEEP: Duration = Duration::from_millis(250);

/// How long runs may take to give their slots back.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);

/// The time, passed in.
pub type Clock = Arc<dyn Fn() -> Micros + Send + std::marker::Sync>;

/// What every run needs.
pub(crate) struct Inner {
    pub store: Arc<dyn Store>,
    pub sync: Sync,
    pub llm: Arc<dyn Llm>,
    pub registry: Arc<Registry>,
    pub accounts: Arc<dyn Accounts>,
    pub ledger: Arc<dyn Ledger>,
    /// Runs of agents that limit themselves.
    pub agents: AgentPermits,
    pub config: RunnerConfig,
    pub clock: Clock,
    watches: Arc<ProgressTrackers>,
    places: Arc<Semaphore>,
    freed: Notify,
    /// Runs under way give their slots back.
    abandon: CancellationToken,
}

/// Plans missions.
pub struct Runner {
    inner: Arc<Inner>,
    /// CallReservation during a tick.
    ticking: Mutex<()>,
    /// CallReservation while claims are taken, so that one look at the schedule doesn't hide a claim from another.
    claiming: Mutex<()>,
    closing: CancellationToken,
}

/// How a run's task ended.
type Ended = Result<Outcome, JoinError>;

impl Runner {
    /// A runner over these parts. Nothing runs before [`run_until`](Self::run_until) or
    /// [`tick`](Self::tick).
    #[expect(clippy::too_many_arguments, reason = "each part once, by its type")]
    pub fn new(
        store: Arc<dyn Store>,
        sync: Sync,
        llm: Arc<dyn Llm>,
        registry: Arc<Registry>,
        accounts: Arc<dyn Accounts>,
        ledger: Arc<dyn Ledger>,
        config: RunnerConfig,
        clock: Clock,
    ) -> Self {
        let places = Arc::new(Semaphore::new(config.parallel.max(1)));
        let watches = Arc::new(ProgressTrackers::default());
        let llm = Arc::new(TrackedLlm {
            llm,
            watches: watches.clone(),
        });
        let inner = Inner {
            store,
            sync,
            llm,
            registry,
            accounts,
            ledger,
            agents: AgentPermits::default(),
            config,
            clock,
            watches,
            places,
            freed: Notify::new(),
            abandon: CancellationToken::new(),
        };
        Self {
            inner: Arc::new(inner),
            ticking: Mutex::new(()),
            claiming: Mutex::new(()),
            closing: CancellationToken::new(),
        }
    }

    /// Whether a tick or a run is under way.
    pub fn is_running(&self) -> bool {
        self.ticking.try_lock().is_err() || self.inner.places.available_permits() < self.places()
    }

    /// Runs everything that is due and answers when that has ended. During another tick it answers at
    /// once with `overlap-skipped`. A caller that goes away leaves the runs going on.
    pub async fn tick(&self) -> TickReport {
        metrics::ticked();
        let now = (self.inner.clock)();
        let Ok(_ticking) = self.ticking.try_lock() else {
            return TickReport::overlapping(now);
        };
        let mut report = TickReport {
            scanned_at: now,
            ..TickReport::default()
        };
        // A person's further runs wait for those that are under way.
        let (done, mut ended) = mpsc::unbounded_channel();
        let mut under_way = 0_usize;
        while !self.closing.is_cancelled() {
            let Ok(first) = self.inner.places.clone().acquire_owned().await else {
                break;
            };
            let mut places = vec![first];
            while let Ok(more) = self.inner.places.clone().try_acquire_owned() {
                places.push(more);
            }
            let claims = match self.claim(now, places.len(), false).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::error!("the schedule can't be read: {error}");
                    report
                        .errors
                        .push("store: the schedule can't be read".to_owned());
                    break;
                }
            };
            if claims.is_empty() {
                drop(places);
                if under_way == 0 {
                    break;
                }
                report.extend(ended.recv().await);
                under_way -= 1;
                continue;
            }
            report.due_mission_count += claims.len();
            under_way += claims.len();
            for (claim, place) in claims.into_iter().zip(places) {
                self.begin(claim, place, Some(done.clone()));
            }
        }
        drop(done);
        while let Some(run) = ended.recv().await {
            report.extend([run]);
        }
        report
    }

    /// Ends the run of a mission, if it is under way here.
    pub fn cancel(&self, user: &UserId, mission_id: &str) {
        if let Some(watch) = self.inner.watches.of(user, mission_id) {
            watch.cancelled.cancel();
        }
    }

    /// Runs what is due and what is asked for until told to stop; then lets runs end for a while and
    /// gives the others' slots back.
    pub async fn run_until(self: Arc<Self>, shutdown: CancellationToken) {
        let requested_only = !self.inner.config.enabled;
        let mut cancelled = self.inner.sync.cancelled();
        while !shutdown.is_cancelled() {
            if let Err(error) = self.begin_due(requested_only).await {
                tracing::error!("the schedule can't be read: {error}");
            }
            let wait = self.until_next(requested_only).await;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.inner.sync.schedule_changed().notified() => {}
                () = self.inner.freed.notified() => {}
                // One that is missed is heard of when the lease is prolonged.
                Ok((user, mission_id)) = cancelled.recv() => self.cancel(&user, &mission_id),
                () = sleep(wait) => {}
            }
        }
        self.stop().await;
    }

    async fn stop(&self) {
        self.closing.cancel();
        let all = u32::try_from(self.places()).unwrap_or(u32::MAX);
        let ended = timeout(
            self.inner.config.stop_grace,
            self.inner.places.acquire_many(all),
        )
        .await;
        if ended.is_ok() {
            return;
        }
        let under_way = self.places() - self.inner.places.available_permits();
        tracing::info!(
            under_way,
            "{under_way} runs are given back; they begin again after the next start"
        );
        self.inner.abandon.cancel();
        if timeout(RELEASE_WITHIN, self.inner.places.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!(
                "some runs could not be given back in time; they begin again when their leases end"
            );
        }
    }

    /// Begins as many runs as there is room for.
    async fn begin_due(&self, requested_only: bool) -> mana_store::Result<()> {
        let mut places = Vec::new();
        while let Ok(place) = self.inner.places.clone().try_acquire_owned() {
            places.push(place);
        }
        if places.is_empty() {
            return Ok(());
        }
        let now = (self.inner.clock)();
        for (claim, place) in self
            .claim(now, places.len(), requested_only)
            .await?
            .into_iter()
            .zip(places)
        {
            self.begin(claim, place, None);
        }
        Ok(())
    }

    /// How long there is nothing to do.
    async fn until_next(&self, requested_only: bool) -> Duration {
        let longest = self.inner.config.tick_interval;
        if self.inner.places.available_permits() == 0 {
            return longest;
        }
        let now = (self.inner.clock)();
        let began = Instant::now();
        let wake = self.inner.store.next_wake().await;
        metrics::looked_ahead(began.elapsed());
        match wake {
            // What is due already runs only when somebody asks.
            Ok(Some(at)) if requested_only && at <= now => longest,
            Ok(Some(at)) => {
                let ahead = Duration::from_micros(at.0.saturating_sub(now.0).max(0).unsigned_abs());
                ahead.max(SHORTEST_SLEEP).min(longest)
            }
            Ok(None) => longest,
            Err(error) => {
                tracing::error!("the schedule can't be read: {error}");
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
        let Inner { store, config, .. } = self.inner.as_ref();
        let take = Take {
            worker: config.worker.clone(),
            now,
            lease_until: self.inner.lease_until(),
            limit,
            per_user: config.per_user.max(1),
            requested_only,
        };
        let began = Instant::now();
        // With nothing due it is a few looks into indexes: claiming takes a writer's turn on SQLite, and on Postgres
        // more time to plan than to do.
        let claims = match store.next_wake().await? {
            Some(at) if at <= now => store.claim_due(&take).await?,
            _ => Vec::new(),
        };
        metrics::passed(claims.len(), began.elapsed());
        Ok(claims)
    }

    /// Begins a run in a task of its own, so that nobody who goes away takes it along.
    fn begin(
        &self,
        claim: Claim,
        place: OwnedSemaphorePermit,
        done: Option<mpsc::UnboundedSender<Ended>>,
    ) {
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let held = inner.clone();
            let span = tracing::info_span!(
                target: "trace", "run", mission = claim.mission_id, slot = claim.slot, attempts = claim.attempts
            );
            let run = async move { held.hold(&claim).await };
            let ended = tokio::spawn(run.instrument(span)).await;
            drop(place);
            inner.freed.notify_one();
            if let Err(error) = &ended {
                tracing::error!("a run ended in a panic: {error}");
            }
            // Nobody waits where no tick began it.
            done.map(|done| done.send(ended));
        });
    }

    fn places(&self) -> usize {
        self.inner.config.parallel.max(1)
    }
}

impl Inner {
    /// A run for as long as its claim is held.
    async fn hold(&self, claim: &Claim) -> Outcome {
        let now = (self.clock)();
        let began = Instant::now();
        let watched = self.watches.begin(&self.sync, claim, now);
        let watch = watched.watch.as_ref();
        metrics::begun(claim, now);
        metrics::under_way(self.watches.len());
        if claim.cancelled {
            watch.cancelled.cancel();
        }
        let outcome = tokio::select! {
            biased;
            () = watch.cancelled.cancelled() => run::cancelled(self, claim, watch).await,
            () = self.abandon.cancelled() => self.give_back(claim).await,
            outcome = run::run(self, claim, watch) => outcome,
            () = self.keep(claim, watch) => Outcome::Unwritten {
                code: "lease-lost".to_owned(),
                mission_id: claim.mission_id.clone(),
                planned: false,
            },
        };
        if let Some(record) = watch.debug_record((self.clock)()) {
            let scope = Scope::own(&claim.user);
            if let Err(error) = self.store.keep_debug(&scope, record).await {
                tracing::warn!(
                    mission = claim.mission_id,
                    "the debug record of mission {} was not kept: {error}",
                    claim.mission_id
                );
            }
        }
        drop(watched);
        metrics::under_way(self.watches.len());
        metrics::ended(&outcome, began.elapsed());
        outcome
    }

    async fn give_back(&self, claim: &Claim) -> Outcome {
        if let Err(error) = self.store.release(claim).await {
            tracing::warn!(
                mission = claim.mission_id,
                "the run of mission {} could not be given back: {error}",
                claim.mission_id
            );
        }
        Outcome::Released
    }

    /// Renews the lease until it is lost.
    async fn keep(&self, claim: &Claim, watch: &ProgressTracker) {
        loop {
            sleep(self.config.lease / 3).await;
            match self.store.renew(claim, self.lease_until()).await {
                Ok(Lease::Held) => {}
                Ok(Lease::Cancelled) => watch.cancelled.cancel(),
                Ok(Lease::Lost) => return,
                Err(error) => tracing::warn!(
                    mission = claim.mission_id,
                    "the lease of mission {} could not be renewed: {error}",
                    claim.mission_id
                ),
            }
        }
    }

    fn lease_until(&self) -> Micros {
        let lease = i64::try_from(self.config.lease.as_micros()).unwrap_or(i64::MAX);
        (self.clock)().plus(lease)
    }
}
