//! When runs begin and end: by due time, by request, by tick, and when the server stops.

use std::sync::Arc;
use std::time::Duration;

use mana_core::Micros;
use mana_core::manifest::Registry;
use mana_store::{Accounts, Claim, Ledger, Store};
use mana_sync::Sync;
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::RunnerConfig;
use crate::llm::Llm;
use crate::places::AgentPlaces;
use crate::report::{Outcome, TickReport};
use crate::run;

/// The shortest sleep between two looks at the schedule that found nothing to claim.
const SHORTEST_SLEEP: Duration = Duration::from_millis(250);

/// How many claims are looked at to find the requests among them, while nothing runs by itself.
const REQUESTS_LOOKED_FOR: usize = 1_000;

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
    pub agents: AgentPlaces,
    pub config: RunnerConfig,
    pub clock: Clock,
    places: Arc<Semaphore>,
    freed: Notify,
    /// Runs under way give their slots back.
    abandon: CancellationToken,
}

/// Plans missions.
pub struct Runner {
    inner: Arc<Inner>,
    /// Held during a tick.
    ticking: Mutex<()>,
    /// Held while claims are taken, so that one look at the schedule doesn't hide a claim from another.
    claiming: Mutex<()>,
    closing: CancellationToken,
}

/// Which claims are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    All,
    RequestsOnly,
}

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
        let inner = Inner {
            store,
            sync,
            llm,
            registry,
            accounts,
            ledger,
            agents: AgentPlaces::default(),
            config,
            clock,
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
        let now = (self.inner.clock)();
        let Ok(_ticking) = self.ticking.try_lock() else {
            return TickReport::overlapping(now);
        };
        let mut report = TickReport {
            scanned_at: now,
            ..TickReport::default()
        };
        let mut runs: Vec<JoinHandle<Outcome>> = Vec::new();
        while !self.closing.is_cancelled() {
            let Ok(first) = self.inner.places.clone().acquire_owned().await else {
                break;
            };
            let mut places = vec![first];
            while let Ok(more) = self.inner.places.clone().try_acquire_owned() {
                places.push(more);
            }
            let claims = match self.claim(now, places.len(), Take::All).await {
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
                break;
            }
            report.due_mission_count += claims.len();
            runs.extend(
                claims
                    .into_iter()
                    .zip(places)
                    .map(|(claim, place)| self.begin(claim, place)),
            );
        }
        for run in runs {
            match run.await {
                Ok(outcome) => report.add(outcome),
                Err(error) => {
                    tracing::error!("a run ended in a panic: {error}");
                    report
                        .errors
                        .push("panic: a run ended unexpectedly".to_owned());
                }
            }
        }
        report
    }

    /// Runs what is due and what is asked for until told to stop; then lets runs end for a while and
    /// gives the others' slots back.
    pub async fn run_until(self: Arc<Self>, shutdown: CancellationToken) {
        let config = &self.inner.config;
        let take = if config.enabled {
            Take::All
        } else {
            Take::RequestsOnly
        };
        while !shutdown.is_cancelled() {
            if let Err(error) = self.begin_due(take).await {
                tracing::error!("the schedule can't be read: {error}");
            }
            let wait = self.until_next(take).await;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.inner.sync.schedule_changed().notified() => {}
                () = self.inner.freed.notified() => {}
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
    async fn begin_due(&self, take: Take) -> mana_store::Result<()> {
        let mut places = Vec::new();
        while let Ok(place) = self.inner.places.clone().try_acquire_owned() {
            places.push(place);
        }
        if places.is_empty() {
            return Ok(());
        }
        let now = (self.inner.clock)();
        for (claim, place) in self
            .claim(now, places.len(), take)
            .await?
            .into_iter()
            .zip(places)
        {
            drop(self.begin(claim, place));
        }
        Ok(())
    }

    /// How long there is nothing to do.
    async fn until_next(&self, take: Take) -> Duration {
        let longest = self.inner.config.tick_interval;
        if self.inner.places.available_permits() == 0 {
            return longest;
        }
        let now = (self.inner.clock)();
        match self.inner.store.next_wake().await {
            // What is due already runs only when somebody asks.
            Ok(Some(at)) if take == Take::RequestsOnly && at <= now => longest,
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

    async fn claim(&self, now: Micros, most: usize, take: Take) -> mana_store::Result<Vec<Claim>> {
        let _claiming = self.claiming.lock().await;
        let Inner { store, config, .. } = self.inner.as_ref();
        let until = self.inner.lease_until();
        if take == Take::All {
            return store.claim_due(&config.worker, now, until, most).await;
        }
        let mut kept = Vec::new();
        for claim in store
            .claim_due(&config.worker, now, until, REQUESTS_LOOKED_FOR)
            .await?
        {
            if claim.requested && kept.len() < most {
                kept.push(claim);
            } else {
                store.release(&claim).await?;
            }
        }
        Ok(kept)
    }

    /// Begins a run in a task of its own, so that nobody who goes away takes it along.
    fn begin(&self, claim: Claim, place: OwnedSemaphorePermit) -> JoinHandle<Outcome> {
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let outcome = inner.hold(&claim).await;
            drop(place);
            inner.freed.notify_one();
            outcome
        })
    }

    fn places(&self) -> usize {
        self.inner.config.parallel.max(1)
    }
}

impl Inner {
    /// A run for as long as its claim is held.
    async fn hold(&self, claim: &Claim) -> Outcome {
        tokio::select! {
            outcome = run::run(self, claim) => outcome,
            () = self.keep(claim) => Outcome::Unwritten {
                code: "lease-lost".to_owned(),
                mission_id: claim.mission_id.clone(),
                planned: false,
            },
            () = self.abandon.cancelled() => {
                if let Err(error) = self.store.release(claim).await {
                    tracing::warn!(
                        mission = claim.mission_id,
                        "the run of mission {} could not be given back: {error}", claim.mission_id
                    );
                }
                Outcome::Released
            }
        }
    }

    /// Renews the lease until it is lost.
    async fn keep(&self, claim: &Claim) {
        loop {
            sleep(self.config.lease / 3).await;
            match self.store.renew(claim, self.lease_until()).await {
                Ok(true) => {}
                Ok(false) => return,
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
