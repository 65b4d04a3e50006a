//! The state of a provider at run time: its free places, its list of models, its breaker and its
//! last condition.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::breakers::{Admitted, Breakers};
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
/// How long what a provider says of a model is used before it is asked again.
const FACTS_LAST: Duration = Duration::from_secs(300);
/// How long a provider's refusal stands: it may have been set up anew since.
const REFUSALS_LAST: Duration = Duration::from_secs(600);
/// The most models of a provider that are remembered.
const LEARNED_MODELS: usize = 200;
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
    /// The facts that the provider itself tells of its models, and until when they stand.
    learned: Mutex<HashMap<String, (Instant, Facts)>>,
    /// The abilities that the provider refused for its models, and until when that stands.
    refusals: Mutex<HashMap<String, (Instant, Facts)>>,
    /// Held while the provider is asked for its models, so that it is asked once.
    listing_turn: tokio::sync::Mutex<()>,
    condition: Mutex<Condition>,
    breakers: Breakers,
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
    admitted: Admitted,
    ended: bool,
}

impl CallPermit {
    /// The first piece of a stream has arrived. Later failures still count, so nothing is decided yet.
    pub fn begun(&self) {
        self.state.breakers.release(&self.admitted);
        self.state.note(Condition::Up);
    }

    /// Records how the call ended.
    pub fn end(mut self, failure: Option<&GatewayError>) {
        self.ended = true;
        self.state.note_call(failure, &self.admitted);
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        if !self.ended {
            self.state.breakers.release(&self.admitted);
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
            learned: Mutex::default(),
            refusals: Mutex::default(),
            listing_turn: tokio::sync::Mutex::new(()),
            condition: Mutex::new(Condition::Unknown),
            breakers: Breakers::default(),
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

    /// Admits a call if a place is free, or refuses it if a breaker is open. `None` where every place is taken.
    pub fn try_permit(self: &Arc<Self>, model: &str, caller: &str) -> Option<Result<CallPermit>> {
        match self.places.clone().try_acquire_owned() {
            Ok(place) => Some(self.admit(place, model, caller)),
            Err(_) => {
                let wait = self.breakers.refusal(model, caller, Instant::now())?;
                Some(Err(self.paused(wait)))
            }
        }
    }

    /// Admits a call once a place is free. Callers of other providers are not held up.
    pub async fn permit(
        self: &Arc<Self>,
        model: &str,
        caller: &str,
        until: Instant,
    ) -> Result<CallPermit> {
        match timeout_at(until, self.places.clone().acquire_owned()).await {
            Ok(place) => {
                let place = place.expect("the semaphore is never closed");
                self.admit(place, model, caller)
            }
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

    fn admit(
        self: &Arc<Self>,
        place: OwnedSemaphorePermit,
        model: &str,
        caller: &str,
    ) -> Result<CallPermit> {
        let admitted = self
            .breakers
            .admit(model, caller, Instant::now())
            .map_err(|wait| self.paused(wait))?;
        Ok(CallPermit {
            state: self.clone(),
            _place: place,
            admitted,
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
            self.breakers.half_open(Instant::now());
        }
        // A list holds nobody's words.
        match &models {
            Ok(_) => self.note(Condition::Up),
            Err(error) if is_trouble(error) => self.note(Condition::Down(error.message.clone())),
            Err(_) => {}
        }
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

    /// Asks the provider what it knows of a model, its list among it, unless it was asked a moment ago. A provider that
    /// does not answer leaves the facts as they are.
    pub async fn learn(&self, model: &str) {
        if self.learned_until(model) > Some(Instant::now()) || self.name() == BUILTIN {
            return;
        }
        let limits = Limits {
            deadline: Instant::now() + LISTING_TIMEOUT,
            timeout: LISTING_TIMEOUT,
            idle: LISTING_TIMEOUT,
            max_bytes: self.limits.max_answer_bytes,
        };
        // The owner's own list keeps the provider's from being read otherwise.
        if self.listing().known.is_none()
            && let Ok(models) = self.provider.models(limits).await
        {
            self.listing().known = Some(Arc::from(models));
        }
        let facts = self.provider.model_facts(model, limits).await;
        let lasts = match &facts {
            Ok(_) => FACTS_LAST,
            Err(_) => SLOWNESS_LASTS,
        };
        let until = Instant::now() + lasts;
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.len() >= LEARNED_MODELS && !learned.contains_key(model) {
            learned.clear();
        }
        let before = learned
            .get(model)
            .map_or(Facts::default(), |(_, facts)| *facts);
        learned.insert(model.to_owned(), (until, facts.unwrap_or(before)));
    }

    fn learned_until(&self, model: &str) -> Option<Instant> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).map(|(until, _)| *until)
    }

    /// Whether the provider lists a model by this name, as far as it ever said. Only a provider that never said is
    /// asked and waited for: a slow one must not hold up calls to others.
    pub async fn lists(&self, model: &str) -> bool {
        let known = self.listing().known.clone();
        let models = match known {
            Some(known) => known,
            None => self.models().await.unwrap_or_default(),
        };
        models.iter().any(|listed| listed.id == model)
    }

    /// Remembers that the provider refused something for a model.
    pub fn note_refusal(&self, model: &str, refused: Facts) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        refusals.retain(|_, (until, _)| *until > now);
        if refusals.len() >= LEARNED_MODELS {
            refusals.clear();
        }
        let before = refusals.get(model).map(|(_, facts)| *facts);
        let facts = refused.or(before.unwrap_or_default());
        refusals.insert(model.to_owned(), (now + REFUSALS_LAST, facts));
    }

    /// Returns what the provider refused of late for a model, and what it says where it was asked: of the model itself
    /// first, then in its list.
    fn refused_and_said(&self, model: &str) -> (Facts, Facts) {
        let known = self.listing().known.clone();
        let listed = known.and_then(|models| {
            let listed = models.iter().find(|listed| listed.id == model)?;
            Some(Facts::listed(listed))
        });
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let learned = learned.get(model).map(|(_, facts)| *facts);
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = refusals
            .get(model)
            .filter(|(until, _)| *until > Instant::now());
        let refused = refused.map(|(_, facts)| *facts);
        let said = learned.unwrap_or_default().or(listed.unwrap_or_default());
        (refused.unwrap_or_default(), said)
    }

    /// The facts about a model for which a request may be refused here. A list that leaves something out states
    /// nothing: whether it was read must not decide what is answered.
    pub fn stated(&self, model: &str) -> Facts {
        let (refused, said) = self.refused_and_said(model);
        refused.or(said.affirmed()).or(self.provider.facts())
    }

    /// The facts about a model: what the provider says of it, then its list, where these were read, else what it and
    /// the model are called. The window of a model on this machine depends on how it is run, and not on its name.
    pub fn facts(&self, model: &str) -> Facts {
        let mut named = by_name(model);
        if self.is_free() {
            named.context_tokens = None;
        }
        let (refused, said) = self.refused_and_said(model);
        refused.or(said).or(self.provider.facts()).or(named)
    }

    /// Whether something keeps it from being asked, or did the last time.
    pub fn is_troubled(&self) -> bool {
        !self.breakers.are_closed(Instant::now()) || matches!(self.condition(), Condition::Down(_))
    }

    /// Records how a call ended: in the breakers, in the metrics and in the condition.
    fn note_call(&self, failure: Option<&GatewayError>, admitted: &Admitted) {
        self.breakers.note(admitted, failure, Instant::now());
        let code = failure.map_or("ok", GatewayError::code);
        let labels = [
            ("provider", self.name().to_owned()),
            ("outcome", code.to_owned()),
        ];
        counter!("mana_llm_calls_total", &labels).increment(1);
        match failure {
            None => self.note(Condition::Up),
            // The condition is shown to everybody.
            Some(error) if is_trouble(error) => {
                let label = known::label(self.name());
                self.note(Condition::Down(error.without_content(label).into_owned()));
            }
            Some(_) => {}
        }
    }

    fn note(&self, condition: Condition) {
        let known = self.condition.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = condition;
    }

    pub fn condition(&self) -> Condition {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Whether a failure says that the provider can't serve anybody for now.
fn is_trouble(error: &GatewayError) -> bool {
    match error.kind {
        ErrorKind::Connect
        | ErrorKind::Timeout
        | ErrorKind::RateLimited { .. }
        | ErrorKind::Paused { .. }
        | ErrorKind::BadJson
        | ErrorKind::CutOff => true,
        ErrorKind::Http(status) => status >= 500 || matches!(status, 401..=403),
        _ => false,
    }
}

#[cfg(test)]
#[path = "provider_state_tests.rs"]
mod tests;
