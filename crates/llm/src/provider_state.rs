//! The state of a provider at run time: its free places, its list of models, its breaker and its
//! last condition.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::breaker::{Breaker, Outcome};
use crate::clients::is_loopback;
use crate::config::LlmConfig;
use crate::error::{ErrorKind, GatewayError, Result};
use crate::models::Facts;
use crate::provider_config::ProviderConfig;
use crate::providers::builtin::BUILTIN;
use crate::providers::known;
use crate::providers::model_names::by_name;
use crate::providers::model_pick::pick;
use crate::providers::{Limits, Provider};
use crate::secret::Scrubber;
use crate::upstream::human;
use crate::wire::Model;

/// How long a list of models is used before the provider is asked again.
const LISTING_LASTS: Duration = Duration::from_secs(60);
/// How long a provider that was too slow to list its models is not asked again.
const SLOWNESS_LASTS: Duration = Duration::from_secs(15);
/// How long an empty list or a failure of a configured provider stands. A provider that is only looked for is asked
/// again at once: it may have been started by now.
const NOTHING_LASTS: Duration = Duration::from_secs(1);
const LISTING_TIMEOUT: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The condition of a provider, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nobody asked yet.
    Unknown,
    /// The last call was answered.
    Up,
    /// The last call failed because of the provider.
    Down(String),
}

pub(crate) struct ProviderState {
    pub provider: Box<dyn Provider>,
    config: ProviderConfig,
    limits: StateLimits,
    places: Arc<Semaphore>,
    /// `false` until a provider that nobody configured has answered once.
    present: AtomicBool,
    listing: Mutex<Listing>,
    /// Held while the provider is asked for its models, so that it is asked once.
    listing_turn: tokio::sync::Mutex<()>,
    condition: Mutex<Condition>,
    breaker: Breaker,
    scrub: Arc<Scrubber>,
}

/// The part of the gateway's configuration that applies to a provider.
#[derive(Clone, Copy, PartialEq)]
struct StateLimits {
    timeout: Duration,
    queue: Duration,
    max_answer_bytes: usize,
}

impl StateLimits {
    fn of(config: &ProviderConfig, gateway: &LlmConfig) -> Self {
        Self {
            timeout: config.timeout.unwrap_or(gateway.timeout),
            queue: gateway.queue,
            max_answer_bytes: gateway.max_answer_bytes,
        }
    }
}

/// The models that a provider listed.
#[derive(Default)]
struct Listing {
    last: Option<Listed>,
    /// The last list, whatever came after it: facts about models stay known while the provider is asked again.
    known: Option<Arc<[Model]>>,
}

/// An answer to a listing.
struct Listed {
    at: Instant,
    /// Until when the answer stands for callers to come.
    until: Instant,
    models: Result<Arc<[Model]>>,
}

/// A call that was admitted to a provider: a place among its concurrent calls, and the breaker's expectation to learn
/// how the call ended. A call that is dropped before its end gives both back.
pub(crate) struct CallPermit {
    state: Arc<ProviderState>,
    _place: OwnedSemaphorePermit,
    is_probe: bool,
    ended: bool,
}

impl CallPermit {
    /// The first piece of a stream has arrived. Later failures still count, so nothing is decided yet.
    pub fn begun(&self) {
        if self.is_probe {
            self.state.breaker.release();
        }
        self.state.note(None);
    }

    /// Records how the call ended.
    pub fn end(mut self, failure: Option<&GatewayError>) {
        self.ended = true;
        self.state.note_call(failure, self.is_probe);
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        if self.is_probe && !self.ended {
            self.state.breaker.release();
        }
    }
}

impl ProviderState {
    pub fn new(
        provider: Box<dyn Provider>,
        config: &ProviderConfig,
        gateway: &LlmConfig,
        scrub: Arc<Scrubber>,
        present: bool,
    ) -> Self {
        Self {
            provider,
            config: config.clone(),
            limits: StateLimits::of(config, gateway),
            places: Arc::new(Semaphore::new(config.concurrency)),
            present: AtomicBool::new(present),
            listing: Mutex::default(),
            listing_turn: tokio::sync::Mutex::new(()),
            condition: Mutex::new(Condition::Unknown),
            breaker: Breaker::default(),
            scrub,
        }
    }

    /// As it was configured.
    pub fn config(&self) -> &ProviderConfig {
        &self.config
    }

    /// Whether it is what this configuration would make anew.
    pub fn is_as(&self, config: &ProviderConfig, gateway: &LlmConfig) -> bool {
        self.config == *config && self.limits == StateLimits::of(config, gateway)
    }

    pub fn name(&self) -> &str {
        self.provider.name()
    }

    /// For one whole call.
    pub fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// Whether the owner named this model as one of its own.
    pub fn has_named(&self, model: &str) -> bool {
        self.config.models.iter().any(|named| named == model)
    }

    /// Whether the provider counts: it is configured, or was found once.
    pub fn is_present(&self) -> bool {
        self.present.load(Ordering::Relaxed)
    }

    /// The same, looking for it if it was not there yet. A provider that takes
    /// the connection and is slow to say more is there: a busy model is no reason
    /// to go on without it.
    pub async fn is_here(&self) -> bool {
        self.is_present()
            || match self.models().await {
                Ok(_) => true,
                Err(error) => error.kind == ErrorKind::Timeout,
            }
    }

    /// Admits a call if a place is free, or refuses it if the breaker is open. `None` where every place is taken.
    pub fn try_permit(self: &Arc<Self>) -> Option<Result<CallPermit>> {
        match self.places.clone().try_acquire_owned() {
            Ok(place) => Some(self.admit(place)),
            Err(_) => {
                let wait = self.breaker.refusal(Instant::now())?;
                Some(Err(self.paused(wait)))
            }
        }
    }

    /// Admits a call once a place is free. Callers of other providers are not held up.
    pub async fn permit(self: &Arc<Self>, until: Instant) -> Result<CallPermit> {
        match timeout_at(until, self.places.clone().acquire_owned()).await {
            Ok(place) => self.admit(place.expect("the semaphore is never closed")),
            Err(_) => Err(GatewayError::new(
                ErrorKind::Timeout,
                format!(
                    "{} was busy with other calls for {}; try again later",
                    known::label(self.name()),
                    human(self.limits.queue)
                ),
            )
            .from_provider(self.name())),
        }
    }

    fn admit(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Result<CallPermit> {
        let is_probe = self
            .breaker
            .admit(Instant::now())
            .map_err(|wait| self.paused(wait))?;
        Ok(CallPermit {
            state: self.clone(),
            _place: place,
            is_probe,
            ended: false,
        })
    }

    fn paused(&self, wait: Duration) -> GatewayError {
        GatewayError::new(
            ErrorKind::Paused { retry_after: wait },
            format!(
                "{} failed too often or asked to be left alone; it is asked again in {}",
                known::label(self.name()),
                human(Duration::from_secs(wait.as_secs() + 1))
            ),
        )
        .from_provider(self.name())
    }

    /// The longest wait for a place.
    pub fn queue(&self) -> Duration {
        self.limits.queue
    }

    #[cfg(test)]
    pub fn free_places(&self) -> usize {
        self.places.available_permits()
    }

    /// The provider's models: what the owner named, else what it lists.
    pub async fn models(&self) -> Result<Arc<[Model]>> {
        if !self.config.models.is_empty() {
            return Ok(self
                .config
                .models
                .iter()
                .map(|id| Model::named(id, self.name()))
                .collect());
        }
        let begun = Instant::now();
        let turn = match self.listing_turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                // Another caller asks the provider now. An older list will do meanwhile; without one there is no
                // answer yet.
                let known = self.listing().known.clone();
                if let Some(known) = known {
                    return Ok(known);
                }
                self.listing_turn.lock().await
            }
        };
        if let Some(models) = self.listed(begun) {
            return models;
        }
        let timeout = if self.is_present() {
            LISTING_TIMEOUT
        } else {
            PROBE_TIMEOUT
        };
        let limits = Limits {
            deadline: Instant::now() + timeout,
            timeout,
            idle: timeout,
            max_bytes: self.limits.max_answer_bytes,
        };
        let models: Result<Arc<[Model]>> = self.provider.models(limits).await.map(Arc::from);
        let models = models.map_err(|error| error.scrubbed(&self.scrub));
        let lasts = match &models {
            Ok(models) if !models.is_empty() => LISTING_LASTS,
            Err(error) if error.kind == ErrorKind::Timeout => SLOWNESS_LASTS,
            _ if self.is_present() => NOTHING_LASTS,
            _ => Duration::ZERO,
        };
        if models.is_ok() {
            self.present.store(true, Ordering::Relaxed);
            self.breaker.half_open(Instant::now());
        }
        self.note(models.as_ref().err());
        let mut listing = self.listing();
        if let Ok(models) = &models {
            listing.known = Some(models.clone());
        }
        let at = Instant::now();
        listing.last = Some(Listed {
            at,
            until: at + lasts,
            models: models.clone(),
        });
        drop((listing, turn));
        models
    }

    /// The last answer to a listing, while it stands, or where it came since the caller began to wait for it.
    fn listed(&self, waits_since: Instant) -> Option<Result<Arc<[Model]>>> {
        let listing = self.listing();
        let last = listing.last.as_ref()?;
        let stands = last.until > Instant::now() || last.at > waits_since;
        stands.then(|| last.models.clone())
    }

    fn listing(&self) -> MutexGuard<'_, Listing> {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model to take where nobody chose one.
    pub async fn pick(&self, hints: &[&str]) -> Result<String> {
        if let Some(first) = self.config.models.first() {
            return Ok(first.clone());
        }
        let (name, label) = (self.name(), known::label(self.name()));
        let models = self.models().await.map_err(|mut error| {
            if matches!(error.kind, ErrorKind::Http(404 | 405) | ErrorKind::BadJson) {
                error.message = format!(
                    "{label} does not list its models; name one, for example in MANA_LLM_MODEL"
                );
            }
            error
        })?;
        let ids: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
        let pick = pick(name, hints, &ids).map(str::to_owned);
        pick.ok_or_else(|| {
            let advice = known::find(name).map_or("", |known| known.without_models);
            GatewayError::new(
                ErrorKind::UnknownModel,
                format!("{label} has no model that can chat{advice}"),
            )
            .from_provider(name)
        })
    }

    /// Whether its answers cost nothing: it runs on this machine.
    pub fn is_free(&self) -> bool {
        self.name() == BUILTIN
            || known::find(self.name()).is_some_and(|known| known.is_local)
            || is_loopback(&self.config.base_url)
    }

    /// The facts about a model: from the provider's list, where it was read
    /// lately, else from what it and the model are called.
    pub fn facts(&self, model: &str) -> Facts {
        let known = self.listing().known.clone();
        let listed = known.and_then(|models| {
            let listed = models.iter().find(|listed| listed.id == model)?;
            Some(Facts::listed(listed))
        });
        listed
            .unwrap_or_default()
            .or(self.provider.facts())
            .or(by_name(model))
    }

    /// Whether something keeps it from being asked, or did the last time.
    pub fn is_troubled(&self) -> bool {
        !self.breaker.is_closed(Instant::now()) || matches!(self.condition(), Condition::Down(_))
    }

    /// Records how a call ended: in the breaker, in the metrics and in the condition.
    fn note_call(&self, failure: Option<&GatewayError>, is_probe: bool) {
        let outcome = match failure {
            None => Outcome::Good,
            Some(error) => match error.kind {
                ErrorKind::RateLimited {
                    retry_after: Some(wait),
                } => Outcome::Pause(wait),
                ErrorKind::RateLimited { retry_after: None } => Outcome::Neutral,
                _ if error.falls_back() && error.provider.is_some() => Outcome::Bad,
                _ => Outcome::Neutral,
            },
        };
        self.breaker.note(outcome, is_probe, Instant::now());
        let code = failure.map_or("ok", GatewayError::code);
        let labels = [
            ("provider", self.name().to_owned()),
            ("outcome", code.to_owned()),
        ];
        counter!("mana_llm_calls_total", &labels).increment(1);
        self.note(failure);
    }

    /// Records the provider's condition, as far as the outcome of a call or a listing says something about it.
    fn note(&self, failure: Option<&GatewayError>) {
        let condition = match failure {
            None => Condition::Up,
            Some(error)
                if error.falls_back() || matches!(error.kind, ErrorKind::Http(401 | 403)) =>
            {
                Condition::Down(error.message.clone())
            }
            Some(_) => return,
        };
        *self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = condition;
    }

    pub fn condition(&self) -> Condition {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::dummy::Dummy;

    fn state(dummy: Dummy) -> Arc<ProviderState> {
        let settings = ProviderConfig::new(dummy.name, "http://dummy.invalid", "test").unwrap();
        let config = LlmConfig::default();
        let state = ProviderState::new(Box::new(dummy), &settings, &config, Arc::default(), true);
        Arc::new(state)
    }

    #[tokio::test]
    async fn while_the_provider_is_asked_for_its_models_the_known_ones_stay_known() {
        let gate = Arc::new(Semaphore::new(1));
        let mut dummy = Dummy::new("a", Ok("x"));
        dummy.listing_gate = Some(gate.clone());
        let state = state(dummy);
        assert_eq!(state.models().await.unwrap().len(), 1);
        state.listing().last = None;
        let asking = tokio::spawn({
            let state = state.clone();
            async move { state.models().await }
        });
        while state.listing_turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(state.facts("m").context_tokens, Some(9));
        let waited = tokio::time::timeout(Duration::from_secs(1), state.models()).await;
        assert_eq!(
            waited.expect("nobody waits for the network").unwrap().len(),
            1
        );
        gate.add_permits(1);
        assert_eq!(asking.await.unwrap().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_probe_that_is_answered_or_given_up_lets_the_next_call_go() {
        let refused = |kind| Some(GatewayError::new(kind, "no").from_provider("a"));
        let ends: [Option<Option<GatewayError>>; 5] = [
            None,
            Some(refused(ErrorKind::Http(400))),
            Some(refused(ErrorKind::Http(401))),
            Some(refused(ErrorKind::RateLimited { retry_after: None })),
            Some(refused(ErrorKind::TooLarge)),
        ];
        for end in ends {
            let state = state(Dummy::new("a", Ok("x")));
            let down = GatewayError::new(ErrorKind::Http(500), "down").from_provider("a");
            for _ in 0..5 {
                state.try_permit().unwrap().ok().unwrap().end(Some(&down));
            }
            assert!(state.try_permit().unwrap().is_err());
            state.breaker.half_open(Instant::now());
            let probe = state.try_permit().unwrap().ok().unwrap();
            assert!(state.try_permit().unwrap().is_err(), "one probe at a time");
            match &end {
                Some(failure) => probe.end(failure.as_ref()),
                None => drop(probe),
            }
            assert!(state.try_permit().unwrap().is_ok(), "{end:?}");
        }
    }
}
