//! The gateway: one address for every model. It finds the models of a name,
//! waits for a place, sets the limits and gives the first answer of the chain.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::ChatStream;
use crate::catalog::{ALIAS, BUILTIN};
use crate::clients::Clients;
use crate::config::{LlmConfig, ProviderConfig};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::providers::openai::OpenAi;
use crate::providers::outline::Outline;
use crate::providers::{Limits, Provider, StreamEvent};
use crate::route::Target;
use crate::secret::Scrubber;
use crate::slot::{Condition, Slot};
use crate::upstream::Upstream;
use crate::wire::{
    ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model, ModelList,
};

/// A chat request and what it may take, where that differs from the configuration.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked.
    pub request: ChatRequest,
    /// For one whole call to a provider, the wait for a place not counted.
    pub timeout: Option<Duration>,
    /// The largest answer that is read.
    pub max_bytes: Option<usize>,
}

impl From<ChatRequest> for Call {
    fn from(request: ChatRequest) -> Self {
        Self {
            request,
            timeout: None,
            max_bytes: None,
        }
    }
}

/// What an alias stands for now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alias {
    /// The alias.
    pub id: String,
    /// The models that the owner configured for it; empty where Mana picks.
    pub chain: Vec<String>,
    /// `provider/model` that would answer now.
    pub resolved: Option<String>,
    /// Why nothing would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How the gateway and its providers do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// The gateway itself answers.
    pub ok: bool,
    /// `mana-llm`.
    pub service: &'static str,
    /// Mana's version.
    pub version: &'static str,
    /// The providers, in the order in which they are asked.
    pub providers: Vec<ProviderHealth>,
}

/// How a provider did last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProviderHealth {
    /// Its name.
    pub name: String,
    /// `up`, `down`, `unknown` (not asked yet) or `absent` (looked for, not found).
    pub state: &'static str,
    /// Why it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One address for every model.
pub struct Gateway {
    pub(crate) slots: Vec<Arc<Slot>>,
    pub(crate) aliases: BTreeMap<String, Vec<String>>,
    pub(crate) model: Option<String>,
    pub(crate) idle: Duration,
    max_answer_bytes: usize,
    pub(crate) scrub: Arc<Scrubber>,
    pub(crate) closing: watch::Sender<bool>,
}

impl Gateway {
    /// A gateway to these providers. Inside a tokio runtime it starts to look
    /// for Ollama at once, in the background.
    pub fn from_config(config: LlmConfig) -> Arc<Self> {
        let all = || config.providers.iter().chain(&config.probe);
        let scrub = Arc::new(Scrubber::new(
            all().filter_map(|provider| provider.key.as_ref()),
        ));
        let clients = Arc::new(Clients::default());
        let slots = all()
            .map(|settings| {
                let upstream = Upstream::new(settings, clients.clone(), scrub.clone());
                let present = config
                    .providers
                    .iter()
                    .any(|provider| provider.name == settings.name);
                (
                    Box::new(OpenAi::new(settings, upstream)) as Box<dyn Provider>,
                    settings.clone(),
                    present,
                )
            })
            .collect();
        let gateway = Arc::new(Self::with_providers(slots, &config, scrub));
        if config.probe.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let looking = gateway.clone();
            runtime.spawn(async move { looking.look_around().await });
        }
        gateway
    }

    fn with_providers(
        providers: Vec<(Box<dyn Provider>, ProviderConfig, bool)>,
        config: &LlmConfig,
        scrub: Arc<Scrubber>,
    ) -> Self {
        let builtin = ProviderConfig::new(BUILTIN, "http://builtin.invalid", BUILTIN)
            .expect("the address is a constant");
        let builtin = (Box::new(Outline) as Box<dyn Provider>, builtin, true);
        let slots = providers
            .into_iter()
            .chain([builtin])
            .map(|(provider, settings, present)| {
                Arc::new(Slot::new(
                    provider,
                    &settings,
                    config,
                    scrub.clone(),
                    present,
                ))
            })
            .collect();
        Self {
            slots,
            aliases: config.aliases.clone(),
            model: config.model.clone(),
            idle: config.idle,
            max_answer_bytes: config.max_answer_bytes,
            scrub,
            closing: watch::Sender::new(false),
        }
    }

    async fn look_around(&self) {
        for slot in self.providers().filter(|slot| !slot.is_present()) {
            if slot.is_here().await {
                tracing::info!(
                    provider = slot.name(),
                    "found {} on this machine",
                    slot.name()
                );
            }
        }
    }

    /// Answers in one piece.
    pub async fn chat(&self, call: impl Into<Call> + Send) -> Result<ChatCompletion> {
        let call = call.into();
        let chain = self.chain_for(&call.request).await?;
        self.first_answer(chain, |target| {
            let mut request = call.request.clone();
            async move {
                let _place = target.slot.place().await?;
                let limits = self.limits(&target, call.timeout, call.max_bytes);
                request.model.clone_from(&target.model);
                let mut answer = target.slot.provider.chat(request, limits).await?;
                answer.resolved = target.name();
                Ok(answer)
            }
        })
        .await
    }

    /// Answers piece by piece. The chain is followed until the first piece; from
    /// then on the answer is one model's. Dropping the stream cancels the call.
    pub async fn chat_stream(&self, call: impl Into<Call> + Send) -> Result<ChatStream> {
        let call = call.into();
        let chain = self.chain_for(&call.request).await?;
        self.first_answer(chain, |target| {
            let mut request = call.request.clone();
            async move {
                let place = target.slot.place().await?;
                let limits = self.limits(&target, call.timeout, call.max_bytes);
                request.model.clone_from(&target.model);
                let mut events = target.slot.provider.chat_stream(request, limits).await?;
                let first = loop {
                    match events.next().await.transpose()? {
                        Some(StreamEvent::KeepAlive) => {}
                        first => break first,
                    }
                };
                Ok(self.pump(target, place, first, events))
            }
        })
        .await
    }

    /// Embeds.
    pub async fn embeddings(&self, request: EmbeddingsRequest) -> Result<EmbeddingsResponse> {
        let chain = self.chain(&request.model).await?;
        let chain = capable(chain, "embed", |target| {
            target.slot.provider.capabilities().embeddings
        })?;
        self.first_answer(chain, |target| {
            let mut request = request.clone();
            async move {
                let _place = target.slot.place().await?;
                let limits = self.limits(&target, None, None);
                request.model.clone_from(&target.model);
                let mut answer = target.slot.provider.embeddings(request, limits).await?;
                answer.resolved = target.name();
                Ok(answer)
            }
        })
        .await
    }

    /// Every model that can be asked for now, as `provider/model`, the aliases,
    /// and always `builtin/outline`. A provider that is down is left out.
    pub async fn models(&self) -> ModelList {
        let listed = join_all(self.slots.iter().map(|slot| async move {
            let models = slot.models().await.unwrap_or_default();
            let named = |model: &Model| Model {
                id: format!("{}/{}", slot.name(), model.id),
                ..model.clone()
            };
            models.iter().map(named).collect::<Vec<_>>()
        }))
        .await;
        let aliases = self
            .alias_names()
            .into_iter()
            .map(|alias| Model::named(alias, ALIAS));
        ModelList::of(listed.into_iter().flatten().chain(aliases).collect())
    }

    /// What every alias stands for now.
    pub async fn aliases(&self) -> Vec<Alias> {
        join_all(self.alias_names().into_iter().map(|name| async move {
            let resolved = self.resolve(name).await;
            Alias {
                id: name.to_owned(),
                chain: self.aliases.get(name).cloned().unwrap_or_default(),
                reason: resolved.as_ref().err().map(|error| error.message.clone()),
                resolved: resolved.ok(),
            }
        }))
        .await
    }

    /// `provider/model` that a call under this name would go to first.
    pub async fn resolve(&self, name: &str) -> Result<String> {
        let chain = self
            .chain(name)
            .await
            .map_err(|error| error.scrubbed(&self.scrub))?;
        Ok(chain[0].name())
    }

    /// How the providers did last; asks nobody.
    pub fn health(&self) -> Health {
        let providers = self.providers().map(|slot| {
            let (state, reason) = match slot.condition() {
                _ if !slot.is_present() => ("absent", None),
                Condition::Unknown => ("unknown", None),
                Condition::Up => ("up", None),
                Condition::Down(reason) => ("down", Some(reason)),
            };
            ProviderHealth {
                name: slot.name().to_owned(),
                state,
                reason,
            }
        });
        Health {
            ok: true,
            service: "mana-llm",
            version: env!("CARGO_PKG_VERSION"),
            providers: providers.collect(),
        }
    }

    /// Ends every call with [`ErrorKind::Cancelled`], and every later one.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    async fn chain_for(&self, request: &ChatRequest) -> Result<Vec<Target>> {
        if request.messages.is_empty() {
            return Err(GatewayError::invalid(
                Some("messages"),
                "`messages` is empty; send at least one message",
            ));
        }
        let chain = self
            .chain(&request.model)
            .await
            .map_err(|error| error.scrubbed(&self.scrub))?;
        let images = request.has_images();
        capable(chain, "look at pictures", |target| {
            !images || target.slot.provider.capabilities().vision
        })
    }

    fn limits(
        &self,
        target: &Target,
        timeout: Option<Duration>,
        max_bytes: Option<usize>,
    ) -> Limits {
        let timeout = timeout.unwrap_or(target.slot.timeout());
        Limits {
            deadline: Instant::now() + timeout,
            timeout,
            idle: self.idle,
            max_bytes: max_bytes.unwrap_or(self.max_answer_bytes),
        }
    }

    /// Asks one entry of the chain after the other, as long as they fail for
    /// reasons of their own.
    async fn first_answer<T, F>(&self, chain: Vec<Target>, ask: impl Fn(Target) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut attempts = Vec::new();
        let last = chain.len() - 1;
        for (index, target) in chain.into_iter().enumerate() {
            let slot = target.slot.clone();
            let model = target.name();
            let answer = self.unless_closing(ask(target)).await;
            slot.note(answer.as_ref().err());
            let mut error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error.scrubbed(&self.scrub),
            };
            tracing::warn!(code = error.code(), %model, "call to {model} failed: {error}");
            if index == last || !error.falls_back() {
                error.attempts = attempts;
                return Err(error);
            }
            attempts.push(format!("{model}: {error}"));
        }
        unreachable!("a chain is never empty, and its last entry returns")
    }

    async fn unless_closing<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => Err(closed()),
            done = work => done,
        }
    }
}

/// The entries that can do what is asked.
fn capable(chain: Vec<Target>, what: &str, can: impl Fn(&Target) -> bool) -> Result<Vec<Target>> {
    let first = chain[0].name();
    let chain: Vec<Target> = chain.into_iter().filter(can).collect();
    if chain.is_empty() {
        return Err(GatewayError::invalid(
            Some("model"),
            format!("{first} can't {what}; name a model that can"),
        ));
    }
    Ok(chain)
}

pub(crate) fn closed() -> GatewayError {
    GatewayError::new(
        ErrorKind::Cancelled,
        "The call was cancelled because Mana is shutting down",
    )
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::providers::dummy::Dummy;
    use crate::wire::Message;

    fn gateway(dummies: Vec<Dummy>, config: &LlmConfig) -> Arc<Gateway> {
        let providers = dummies.into_iter().map(|dummy| {
            let mut settings =
                ProviderConfig::new(dummy.name, "http://dummy.invalid", "test").unwrap();
            settings.concurrency = 1;
            (Box::new(dummy) as Box<dyn Provider>, settings, true)
        });
        Arc::new(Gateway::with_providers(
            providers.collect(),
            config,
            Arc::default(),
        ))
    }

    fn chained(chain: &[&str]) -> LlmConfig {
        let chain = chain.iter().map(|model| (*model).to_owned()).collect();
        LlmConfig {
            aliases: [("mana/structured".to_owned(), chain)].into(),
            ..LlmConfig::default()
        }
    }

    fn ask(model: &str) -> ChatRequest {
        ChatRequest::new(model, vec![Message::user("Hello")])
    }

    fn down() -> GatewayError {
        GatewayError::new(ErrorKind::Connect, "nobody there")
    }

    #[tokio::test]
    async fn a_failure_tells_what_the_whole_chain_said() {
        let dummies = vec![Dummy::new("a", Err(down())), Dummy::new("b", Err(down()))];
        let gateway = gateway(dummies, &chained(&["a/m", "gone/m", "b/n"]));
        let error = gateway.chat(ask("mana/structured")).await.unwrap_err();
        assert_eq!(error.attempts, ["a/m: nobody there"]);
        let states: Vec<_> = gateway
            .health()
            .providers
            .into_iter()
            .map(|p| p.state)
            .collect();
        assert_eq!(states, ["down", "down"]);
    }

    #[tokio::test]
    async fn an_entry_that_cannot_do_it_is_passed_over() {
        let dummies = vec![Dummy::new("a", Ok("never asked"))];
        let gateway = gateway(dummies, &chained(&["a/m", "builtin/outline"]));
        let error = gateway
            .embeddings(EmbeddingsRequest {
                model: "mana/structured".to_owned(),
                input: "x".into(),
                extra: Default::default(),
            })
            .await
            .unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::InvalidRequest {
                param: Some("model")
            }
        );
    }

    #[tokio::test]
    async fn waiting_for_a_place_ends_and_a_place_is_given_back() {
        let gate = Arc::new(Semaphore::new(0));
        let mut slow = Dummy::new("slow", Ok("done"));
        slow.gate = Some(gate.clone());
        let config = LlmConfig {
            queue: Duration::from_millis(50),
            ..LlmConfig::default()
        };
        let gateway = gateway(vec![slow], &config);
        let first = tokio::spawn({
            let gateway = gateway.clone();
            async move { gateway.chat(ask("slow/m")).await }
        });
        while gateway.slots[0].free_places() > 0 {
            tokio::task::yield_now().await;
        }
        let error = gateway.chat(ask("slow/m")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(error.message.contains("busy"), "{error}");

        gate.add_permits(2);
        assert_eq!(first.await.unwrap().unwrap().text(), "done");
        assert_eq!(gateway.chat(ask("slow/m")).await.unwrap().text(), "done");
    }

    #[tokio::test]
    async fn closing_ends_what_runs_and_what_waits() {
        let mut slow = Dummy::new("slow", Ok("never"));
        slow.gate = Some(Arc::new(Semaphore::new(0)));
        let gateway = gateway(vec![slow], &LlmConfig::default());
        let calls: Vec<_> = (0..2)
            .map(|_| {
                let gateway = gateway.clone();
                tokio::spawn(async move { gateway.chat(ask("slow/m")).await })
            })
            .collect();
        while gateway.slots[0].free_places() > 0 {
            tokio::task::yield_now().await;
        }
        gateway.close();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap_err().kind, ErrorKind::Cancelled);
        }
    }
}
