//! The gateway: one address for every model. A call finds the models of a name,
//! waits for a place, sets the limits and gives the first answer of the chain.

mod accounting;
mod capability;

use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::Instant;

use crate::aliases::ALIAS;
use crate::answer::{Beginning, ChatStream};
use crate::cache::Cache;
use crate::call_usage::CallEstimate;
use crate::chain::{Answered, Asking, first_answer};
use crate::clients::Clients;
use crate::closing::Closing;
use crate::config::LlmConfig;
use crate::error::{GatewayError, Result};
use crate::models::Capabilities;
use crate::protocols::give_back;
use crate::provider_config::ProviderConfig;
use crate::provider_state::{Condition, ProviderState};
use crate::providers::builtin::{BUILTIN, Outline};
use crate::providers::{Limits, Provider, connect};
use crate::route::{Routes, Target};
use crate::secret::Scrubber;
use crate::wire::{
    CallerProtocol, ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model,
    ModelList,
};
use capability::{capable, chain_for, refusal};

pub(crate) use capability::refuse_empty;

/// A chat request and what it may take, where that differs from the configuration.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request.
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

/// The current meaning of an alias.
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

/// A chat request on its way: where it goes, by which configuration, and until when.
struct ChatPlan {
    routes: Arc<Routes>,
    chain: Vec<Target>,
    call: Call,
    deadline: Instant,
    retries: u32,
}

impl ChatPlan {
    /// The request as an entry of the chain gets it, and its limits, which begin now.
    fn ask(&self, target: &Target) -> (ChatRequest, Limits) {
        let mut request = self.call.request.clone();
        request.model.clone_from(&target.model);
        request.window = request.window.or(self.routes.told_window(target));
        if request.protocol != CallerProtocol::Chat
            && let Some(window) = self.routes.facts(target).context_tokens
        {
            fit_answer(&mut request, window);
        }
        if request.protocol != CallerProtocol::Chat {
            let provider = target.state.name();
            let messages = request.messages.iter_mut();
            messages.for_each(|message| give_back(message, provider));
        }
        let limits = limits(&self.routes, target, self.call.timeout, self.call.max_bytes);
        (request, limits)
    }
}

/// The gateway: a single address for every model.
pub struct Gateway {
    routes: RwLock<Arc<Routes>>,
    clients: Arc<Clients>,
    pub(crate) cache: Cache,
    closing: Closing,
}

impl Gateway {
    /// A gateway to these providers. Inside a tokio runtime it looks for Ollama
    /// at once, and after providers in trouble from time to time.
    pub fn from_config(config: LlmConfig) -> Arc<Self> {
        let clients = Arc::new(Clients::default());
        let routes = build(&config, &clients, None);
        let gateway = Arc::new(Self::of(routes, clients, &config));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(look_around(Arc::downgrade(&gateway)));
        }
        gateway
    }

    /// Takes on another configuration. Calls under way go on as they began; a
    /// provider that stays the same keeps its places and what is known of it.
    pub fn reload(&self, config: &LlmConfig) {
        let routes = build(config, &self.clients, Some(&self.routes()));
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
        self.cache.configure(config.cache.as_ref());
    }

    fn of(routes: Routes, clients: Arc<Clients>, config: &LlmConfig) -> Self {
        Self {
            routes: RwLock::new(Arc::new(routes)),
            clients,
            cache: Cache::new(config.cache.as_ref()),
            closing: Closing::default(),
        }
    }

    pub(crate) fn routes(&self) -> Arc<Routes> {
        self.routes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers in one piece.
    pub async fn chat(&self, call: impl Into<Call> + Send) -> Result<ChatCompletion> {
        let plan = self.plan(call.into()).await?;
        let ask = |target: Target| {
            let (request, limits) = plan.ask(&target);
            let asked = &plan.call.request;
            async move {
                let answer = target.state.provider.chat(request, limits).await;
                answer.map_err(|error| refusal(&target, asked, error))
            }
        };
        let answered = self.answer(&plan, ask).await?;
        answered.permit.end(None);
        let mut answer = answered.answer;
        answer.resolved = answered.target.name();
        answer.failed = answered.failed;
        let provider = &answered.target.state.provider;
        answer.left_out = left_out(&**provider, &plan.call.request);
        Ok(answer)
    }

    /// Answers piece by piece. The chain is followed until the first word; from then on the answer is one model's.
    /// Dropping the stream cancels the call.
    pub async fn chat_stream(&self, call: impl Into<Call> + Send) -> Result<ChatStream> {
        let plan = self.plan(call.into()).await?;
        let ask = |target: Target| {
            let (request, limits) = plan.ask(&target);
            let asked = &plan.call.request;
            let state = target.state.clone();
            let begun = async move {
                let events = state.provider.chat_stream(request, limits).await?;
                Beginning::of(events).await
            };
            async move {
                begun
                    .await
                    .map_err(|error: GatewayError| refusal(&target, asked, error))
            }
        };
        let answered = self.answer(&plan, ask).await?;
        let provider = &answered.target.state.provider;
        let left_out = left_out(&**provider, &plan.call.request);
        let mut stream = ChatStream::begin(answered, &plan.routes, self.closing.subscribe());
        stream.left_out = left_out;
        Ok(stream)
    }

    /// Embeds.
    pub async fn embeddings(&self, request: EmbeddingsRequest) -> Result<EmbeddingsResponse> {
        let routes = self.routes();
        let chain = capable(routes.chain(&request.model).await?, |target| {
            (routes.facts(target).embeddings == Some(false)).then(|| ("embed", String::new()))
        })?;
        let asking = Asking {
            caller: &request.caller,
            deadline: Instant::now() + routes.timeout,
            retries: routes.retries,
        };
        let ask = |target: Target| {
            let mut request = request.clone();
            request.model.clone_from(&target.model);
            let limits = limits(&routes, &target, None, Some(routes.max_embeddings_bytes));
            async move { target.state.provider.embeddings(request, limits).await }
        };
        let answered = first_answer(&self.closing, &routes, chain, asking, ask).await?;
        answered.permit.end(None);
        let mut answer = answered.answer;
        answer.resolved = answered.target.name();
        answer.failed = answered.failed;
        Ok(answer)
    }

    async fn plan(&self, call: Call) -> Result<ChatPlan> {
        let routes = self.routes();
        let chain = chain_for(&routes, &call.request).await?;
        Ok(ChatPlan {
            deadline: Instant::now() + call.timeout.unwrap_or(routes.timeout),
            retries: if call.request.retry {
                routes.retries
            } else {
                0
            },
            routes,
            chain,
            call,
        })
    }

    async fn answer<T, F>(&self, plan: &ChatPlan, ask: impl Fn(Target) -> F) -> Result<Answered<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let asking = Asking {
            caller: &plan.call.request.caller,
            deadline: plan.deadline,
            retries: plan.retries,
        };
        let chain = plan.chain.clone();
        first_answer(&self.closing, &plan.routes, chain, asking, ask).await
    }

    /// Every model that can be asked for now, as `provider/model`, the aliases,
    /// and always `builtin/outline`. A provider that is down is left out.
    pub async fn models(&self) -> ModelList {
        let routes = self.routes();
        let listed = join_all(routes.states.iter().map(|state| async move {
            let models = state.models().await.unwrap_or_default();
            let named = |model: &Model| Model {
                id: format!("{}/{}", state.name(), model.id),
                ..model.clone()
            };
            models.iter().map(named).collect::<Vec<_>>()
        }))
        .await;
        let aliases = routes
            .alias_names()
            .into_iter()
            .map(|alias| Model::named(alias, ALIAS));
        ModelList::of(listed.into_iter().flatten().chain(aliases).collect())
    }

    /// The current meaning of every alias.
    pub async fn aliases(&self) -> Vec<Alias> {
        let routes = &self.routes();
        join_all(routes.alias_names().into_iter().map(|name| async move {
            let resolved = first_of(routes, name).await;
            Alias {
                id: name.to_owned(),
                chain: routes.aliases.get(name).cloned().unwrap_or_default(),
                reason: resolved.as_ref().err().map(|error| error.message.clone()),
                resolved: resolved.ok(),
            }
        }))
        .await
    }

    /// `provider/model` that a call under this name would go to first.
    pub async fn resolve(&self, name: &str) -> Result<String> {
        first_of(&self.routes(), name).await
    }

    /// `provider/model` of everything that may answer a call under this name, in
    /// the order in which they are asked.
    pub async fn resolve_all(&self, name: &str) -> Result<Vec<String>> {
        let routes = self.routes();
        let chain = routes.chain(name).await;
        let chain = chain.map_err(|error| error.scrubbed(&routes.scrub))?;
        Ok(chain.iter().map(Target::name).collect())
    }

    /// The capabilities of the model that a call under this name would go to first, as
    /// far as it is known; what isn't known can't be relied on.
    pub async fn capabilities(&self, name: &str) -> Result<Capabilities> {
        let routes = self.routes();
        let chain = routes.chain(name).await;
        let chain = chain.map_err(|error| error.scrubbed(&routes.scrub))?;
        let first = &chain[0];
        first.state.learn(&first.model).await;
        Ok(routes.facts(first).capabilities())
    }

    /// How the providers did last; asks nobody.
    pub fn health(&self) -> Health {
        let routes = self.routes();
        let providers = routes.providers().map(|provider| {
            let (state, reason) = match provider.condition() {
                _ if !provider.is_present() => ("absent", None),
                Condition::Unknown => ("unknown", None),
                Condition::Up => ("up", None),
                Condition::Down(reason) => ("down", Some(reason)),
            };
            ProviderHealth {
                name: provider.name().to_owned(),
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

    /// The providers as they are configured now, in the order in which they are
    /// asked; one that is only looked for is among them.
    pub fn providers(&self) -> Vec<ProviderConfig> {
        let routes = self.routes();
        routes
            .providers()
            .map(|state| state.config().clone())
            .collect()
    }

    /// Ends every call with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), and every later one.
    pub fn close(&self) {
        self.closing.close();
    }
}

/// The routes of a configuration, with what stays the same of those before.
fn build(config: &LlmConfig, clients: &Arc<Clients>, before: Option<&Routes>) -> Routes {
    let all = || config.providers.iter().chain(&config.probe);
    let keys = all().flat_map(|provider| provider.key.iter().chain(provider.extra.secrets()));
    let scrub = Arc::new(Scrubber::new(keys));
    let state = |settings: &ProviderConfig| {
        let kept = before.and_then(|before| {
            let same = |state: &&Arc<ProviderState>| state.is_as(settings, config);
            before.states.iter().find(same)
        });
        if let Some(kept) = kept {
            return kept.clone();
        }
        let provider = connect(settings, clients.clone(), scrub.clone());
        let present = config.providers.contains(settings);
        Arc::new(ProviderState::new(
            provider,
            settings,
            config,
            scrub.clone(),
            present,
        ))
    };
    let states = all().map(state).chain([builtin(config)]).collect();
    Routes::new(states, config, scrub)
}

fn builtin(config: &LlmConfig) -> Arc<ProviderState> {
    let settings = ProviderConfig::new(BUILTIN, "http://builtin.invalid", BUILTIN)
        .expect("the address is a constant");
    let outline = Box::new(Outline);
    Arc::new(ProviderState::new(
        outline,
        &settings,
        config,
        Arc::default(),
        true,
    ))
}

/// How often providers in trouble are looked after.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Looks for a provider that nobody configured, then after those in trouble, for
/// as long as there is the gateway. A list of models costs nothing.
async fn look_around(gateway: Weak<Gateway>) {
    let mut first = true;
    loop {
        let Some(routes) = gateway.upgrade().map(|gateway| gateway.routes()) else {
            return;
        };
        for state in routes.providers() {
            let absent = !state.is_present();
            if (absent && !first) || (!absent && !state.is_troubled()) {
                continue;
            }
            let answered = state.models().await.is_ok();
            if absent && answered {
                let name = state.name();
                tracing::info!(provider = name, "found {name} on this machine");
            }
        }
        drop(routes);
        first = false;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn first_of(routes: &Routes, name: &str) -> Result<String> {
    let chain = routes.chain(name).await;
    let chain = chain.map_err(|error| error.scrubbed(&routes.scrub))?;
    Ok(chain[0].name())
}

/// Room for an answer below which a request is left as it is: its server says better what is wrong.
const LEAST_ROOM: u64 = 256;

/// Bounds an answer to what its prompt leaves of a window. Programs that speak a protocol of large models alone ask for
/// answers that are longer than the window of a small one.
fn fit_answer(request: &mut ChatRequest, window: u64) {
    let Some(longest) = request.max_tokens() else {
        return;
    };
    let prompt = CallEstimate::of_chat(request).prompt_tokens;
    let room = window.saturating_sub(prompt);
    if longest > room && room >= LEAST_ROOM {
        request.extra.insert("max_tokens".to_owned(), room.into());
    }
}

/// The parts of a request that the answer is without.
fn left_out(provider: &dyn Provider, request: &ChatRequest) -> Vec<Cow<'static, str>> {
    let mut parts = request.left_out.clone();
    parts.extend(provider.leaves_out(request).into_iter().map(Cow::Borrowed));
    parts
}

fn limits(
    routes: &Routes,
    target: &Target,
    timeout: Option<Duration>,
    max_bytes: Option<usize>,
) -> Limits {
    let timeout = timeout.unwrap_or(target.state.timeout());
    Limits {
        deadline: Instant::now() + timeout,
        timeout,
        idle: routes.idle,
        max_bytes: max_bytes.unwrap_or(routes.max_answer_bytes),
    }
}

#[cfg(test)]
mod tests;
