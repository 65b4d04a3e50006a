//! A provider's place in the gateway: how many calls it takes at once, which
//! models it has, and how it did last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::breaker::{Breaker, Outcome};
use crate::catalog;
use crate::clients::is_loopback;
use crate::config::{LlmConfig, ProviderConfig};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::models::{Facts, by_name};
use crate::providers::{Limits, Provider};
use crate::secret::Scrubber;
use crate::upstream::human;
use crate::wire::Model;

/// A list of models is asked for again after this.
const LISTING_LASTS: Duration = Duration::from_secs(60);
/// A provider that was too slow to list is not asked again at once.
const SLOWNESS_LASTS: Duration = Duration::from_secs(15);
const LISTING_TIMEOUT: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known of how a provider does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nobody asked yet.
    Unknown,
    /// The last call was answered.
    Up,
    /// The last call failed because of the provider.
    Down(String),
}

pub(crate) struct Slot {
    pub provider: Box<dyn Provider>,
    config: ProviderConfig,
    limits: SlotLimits,
    places: Arc<Semaphore>,
    /// `false` until a provider that nobody configured has answered once.
    present: AtomicBool,
    listing: tokio::sync::Mutex<Option<Listing>>,
    condition: Mutex<Condition>,
    breaker: Breaker,
    scrub: Arc<Scrubber>,
}

/// What of the gateway's configuration a slot goes by.
#[derive(Clone, Copy, PartialEq)]
struct SlotLimits {
    timeout: Duration,
    queue: Duration,
    max_answer_bytes: usize,
}

impl SlotLimits {
    fn of(config: &ProviderConfig, gateway: &LlmConfig) -> Self {
        Self {
            timeout: config.timeout.unwrap_or(gateway.timeout),
            queue: gateway.queue,
            max_answer_bytes: gateway.max_answer_bytes,
        }
    }
}

struct Listing {
    until: Instant,
    models: Result<Arc<[Model]>>,
}

impl Slot {
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
            limits: SlotLimits::of(config, gateway),
            places: Arc::new(Semaphore::new(config.concurrency)),
            present: AtomicBool::new(present),
            listing: tokio::sync::Mutex::new(None),
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
        self.config == *config && self.limits == SlotLimits::of(config, gateway)
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

    /// The same, looking for it if it was not there yet. One that takes the
    /// connection and is slow to say more is there: a busy model is no reason
    /// to go on without it.
    pub async fn is_here(&self) -> bool {
        self.is_present()
            || match self.models().await {
                Ok(_) => true,
                Err(error) => error.kind == ErrorKind::Timeout,
            }
    }

    /// A place in the provider's line. Callers wait without holding up anybody
    /// who asks another provider.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit> {
        match timeout(self.limits.queue, self.places.clone().acquire_owned()).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_) => Err(GatewayError::new(
                ErrorKind::Timeout,
                format!(
                    "{} was busy with other calls for {}; try again later",
                    catalog::label(self.name()),
                    human(self.limits.queue)
                ),
            )
            .from_provider(self.name())),
        }
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
        let mut listing = self.listing.lock().await;
        if let Some(listing) = &*listing
            && listing.until > Instant::now()
        {
            return listing.models.clone();
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
            // None at all: the next one may be on its way.
            Ok(models) if models.is_empty() => Duration::ZERO,
            Ok(_) => LISTING_LASTS,
            Err(error) if error.kind == ErrorKind::Timeout => SLOWNESS_LASTS,
            // It may be there the next moment.
            Err(_) => Duration::ZERO,
        };
        if models.is_ok() {
            self.present.store(true, Ordering::Relaxed);
            self.breaker.half_open(Instant::now());
        }
        self.note(models.as_ref().err());
        *listing = Some(Listing {
            until: Instant::now() + lasts,
            models: models.clone(),
        });
        models
    }

    /// The model to take where nobody chose one.
    pub async fn pick(&self, hints: &[&str]) -> Result<String> {
        if let Some(first) = self.config.models.first() {
            return Ok(first.clone());
        }
        let (name, label) = (self.name(), catalog::label(self.name()));
        let models = self.models().await.map_err(|mut error| {
            if matches!(error.kind, ErrorKind::Http(404 | 405) | ErrorKind::BadJson) {
                error.message = format!(
                    "{label} does not list its models; name one, for example in MANA_LLM_MODEL"
                );
            }
            error
        })?;
        let ids: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
        let pick = catalog::pick(name, hints, &ids).map(str::to_owned);
        pick.ok_or_else(|| {
            let advice = match name {
                catalog::OLLAMA => "; run `ollama pull llama3.2`, or another model that you like",
                _ => "",
            };
            GatewayError::new(
                ErrorKind::UnknownModel,
                format!("{label} has no model that can chat{advice}"),
            )
            .from_provider(name)
        })
    }

    /// Whether its answers cost nothing: it runs on this machine.
    pub fn is_free(&self) -> bool {
        [catalog::BUILTIN, catalog::OLLAMA].contains(&self.name())
            || is_loopback(&self.config.base_url)
    }

    /// What is known of a model: from the provider's list, where it was read
    /// lately, else from what it and the model are called.
    pub fn facts(&self, model: &str) -> Facts {
        let listed = self.listing.try_lock().ok().and_then(|listing| {
            let models = listing.as_ref()?.models.as_ref().ok()?;
            let listed = models.iter().find(|listed| listed.id == model)?;
            Some(Facts::listed(listed))
        });
        listed
            .unwrap_or_default()
            .or(self.provider.facts())
            .or(by_name(model))
    }

    /// Whether the provider may be asked now.
    pub fn admit(&self) -> Result<()> {
        self.breaker.admit(Instant::now()).map_err(|wait| {
            GatewayError::new(
                ErrorKind::Paused { retry_after: wait },
                format!(
                    "{} failed too often or asked to be left alone; it is asked again in {}",
                    catalog::label(self.name()),
                    human(Duration::from_secs(wait.as_secs() + 1))
                ),
            )
            .from_provider(self.name())
        })
    }

    /// Whether something keeps it from being asked, or did the last time.
    pub fn is_troubled(&self) -> bool {
        !self.breaker.is_closed(Instant::now()) || matches!(self.condition(), Condition::Down(_))
    }

    /// Keeps how a call went.
    pub fn note_call(&self, failure: Option<&GatewayError>) {
        let outcome = match failure {
            None => Some(Outcome::Good),
            Some(error) => match error.kind {
                ErrorKind::RateLimited { retry_after } => retry_after.map(Outcome::Pause),
                // Waiting for a place says nothing of the provider.
                _ if error.falls_back() && error.provider.is_some() => Some(Outcome::Bad),
                _ => None,
            },
        };
        if let Some(outcome) = outcome {
            self.breaker.note(outcome, Instant::now());
        }
        let code = failure.map_or("ok", GatewayError::code);
        let labels = [
            ("provider", self.name().to_owned()),
            ("outcome", code.to_owned()),
        ];
        counter!("mana_llm_calls_total", &labels).increment(1);
        self.note(failure);
    }

    /// Keeps how a call went, as far as that says something of the provider.
    pub fn note(&self, failure: Option<&GatewayError>) {
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
