//! From a name to the models that may answer under it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::aliases::{ALIAS, PURPOSES};
use crate::config::LlmConfig;
use crate::error::{ErrorKind, GatewayError, Result};
use crate::fallback::FallbackSettings;
use crate::models::{Facts, ModelSettings, Price};
use crate::provider_config::DEFAULT;
use crate::provider_state::ProviderState;
use crate::providers::builtin::{self, BUILTIN};
use crate::providers::model_names::price_by_name;
use crate::secret::Scrubber;

/// The alias of a call that names no model.
const NAMELESS: &str = "mana/reasoning";

/// A model of a provider.
#[derive(Clone)]
pub(crate) struct Target {
    pub state: Arc<ProviderState>,
    pub model: String,
}

impl Target {
    /// `provider/model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.state.name(), self.model)
    }
}

/// The provider in `provider/model`.
pub(crate) fn provider_of(resolved: &str) -> &str {
    resolved
        .split_once('/')
        .map_or(resolved, |(provider, _)| provider)
}

/// Where calls may go, as one configuration says. A call keeps the one that it
/// began with.
pub(crate) struct Routes {
    pub states: Vec<Arc<ProviderState>>,
    pub aliases: BTreeMap<String, Vec<String>>,
    pub model: Option<String>,
    pub models: BTreeMap<String, ModelSettings>,
    pub timeout: Duration,
    pub idle: Duration,
    pub max_answer_bytes: usize,
    pub max_embeddings_bytes: usize,
    pub retries: u32,
    pub fallback: FallbackSettings,
    pub scrub: Arc<Scrubber>,
}

impl Routes {
    /// Routes to these providers, by this configuration.
    pub fn new(states: Vec<Arc<ProviderState>>, config: &LlmConfig, scrub: Arc<Scrubber>) -> Self {
        Self {
            states,
            aliases: config.aliases.clone(),
            model: config.model.clone(),
            models: config.models.clone(),
            timeout: config.timeout,
            idle: config.idle,
            max_answer_bytes: config.max_answer_bytes,
            max_embeddings_bytes: config.max_embeddings_bytes,
            retries: config.retries,
            fallback: config.fallback,
            scrub,
        }
    }

    /// The facts about a model.
    pub fn facts(&self, target: &Target) -> Facts {
        let told = self.models.get(&target.name()).map(Facts::told);
        told.unwrap_or_default()
            .or(target.state.facts(&target.model))
    }

    /// The facts about a model that the owner or its provider states; what its name suggests is not among them.
    pub fn stated(&self, target: &Target) -> Facts {
        let told = self.models.get(&target.name()).map(Facts::told);
        told.unwrap_or_default()
            .or(target.state.stated(&target.model))
    }

    /// The window that the owner set for a model.
    pub fn told_window(&self, target: &Target) -> Option<u64> {
        self.models.get(&target.name())?.context_tokens
    }

    /// The window of `provider/model`, if anybody knows it.
    pub fn context_tokens(&self, name: &str) -> Option<u64> {
        let (provider, model) = name.split_once('/')?;
        let state = self.states.iter().find(|state| state.name() == provider)?;
        let target = Target {
            state: state.clone(),
            model: model.to_owned(),
        };
        self.facts(&target).context_tokens
    }

    /// The price of a model, if anybody knows it. A model on this machine costs nothing,
    /// unless the owner says so.
    pub fn price(&self, name: &str) -> Option<Price> {
        if let Some(price) = self.models.get(name).and_then(ModelSettings::price) {
            return Some(price);
        }
        let (provider, model) = name.split_once('/')?;
        let state = self.states.iter().find(|state| state.name() == provider)?;
        if state.is_free() {
            return Some(Price::default());
        }
        price_by_name(model)
    }

    /// Every alias that can be asked for.
    pub(crate) fn alias_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = PURPOSES.iter().map(|purpose| purpose.alias).collect();
        for alias in self.aliases.keys() {
            if !names.contains(&alias.as_str()) {
                names.push(alias);
            }
        }
        names
    }

    /// The models that may answer under this name, best first; never empty.
    pub(crate) async fn chain(&self, name: &str) -> Result<Vec<Target>> {
        let name = match (name.trim(), &self.model) {
            ("", Some(model)) => model.as_str(),
            ("", None) => NAMELESS,
            (name, _) => name,
        };
        if !is_alias(name) {
            return Ok(vec![self.target(name).await?]);
        }
        if let Some(entries) = self.aliases.get(name) {
            let mut chain = Vec::new();
            let mut failure = None;
            for entry in entries {
                match self.target(entry).await {
                    Ok(target) => chain.push(target),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            if chain.is_empty() {
                let empty = || unknown(format!("The alias {name} stands for no model"));
                return Err(failure.unwrap_or_else(empty));
            }
            return Ok(chain);
        }
        let Some(purpose) = PURPOSES.iter().find(|purpose| purpose.alias == name) else {
            return Err(unknown(format!(
                "There is no alias {name}; the aliases are {}",
                self.alias_names().join(", ")
            )));
        };
        if let Some(model) = self.model.as_deref().filter(|model| !is_alias(model)) {
            return Ok(vec![self.target(model).await?]);
        }
        // The first provider that there is, and no other: if it is down, the
        // call fails rather than go where nobody sent it.
        for state in self.providers() {
            if state.is_here().await {
                let model = state.pick(purpose.hints).await?;
                return Ok(vec![Target {
                    state: state.clone(),
                    model,
                }]);
            }
        }
        Ok(vec![Target {
            state: self.builtin().clone(),
            model: builtin::MODEL.to_owned(),
        }])
    }

    /// The one model of this name.
    async fn target(&self, name: &str) -> Result<Target> {
        let target = |state: &Arc<ProviderState>, model: &str| Target {
            state: state.clone(),
            model: model.to_owned(),
        };
        if let Some(state) = self.providers().find(|state| state.has_named(name)) {
            return Ok(target(state, name));
        }
        // A model of the server that the owner named may be called like another provider's: it stays there.
        if name.contains('/')
            && let Some(own) = self.states.iter().find(|state| state.name() == DEFAULT)
            && own.lists(name).await
        {
            return Ok(target(own, name));
        }
        if let Some((provider, model)) = name.split_once('/')
            && let Some(state) = self.states.iter().find(|state| state.name() == provider)
        {
            if model.is_empty() {
                return Err(unknown(format!(
                    "{name} names no model; write {provider}/model"
                )));
            }
            if !state.is_here().await {
                // Its own words say what to do: start it.
                return Err(state
                    .models()
                    .await
                    .err()
                    .unwrap_or_else(|| unknown(format!("{provider} is not there"))));
            }
            return Ok(target(state, model));
        }
        let mut present = Vec::new();
        for state in self.providers() {
            if state.is_here().await {
                present.push(state);
            }
        }
        if let Some(state) = present.iter().find(|state| state.name() == DEFAULT) {
            return Ok(target(state, name));
        }
        if let [only] = present[..] {
            return Ok(target(only, name));
        }
        for state in &present {
            let models = state.models().await.unwrap_or_default();
            if models.iter().any(|model| model.id == name) {
                return Ok(target(state, name));
            }
        }
        let names: Vec<&str> = present.iter().map(|state| state.name()).collect();
        Err(unknown(match names[..] {
            [] => format!(
                "No provider has a model {name}: there is no provider; \
                 start Ollama on this machine or set a key such as OPENAI_API_KEY"
            ),
            _ => format!(
                "No provider has a model {name}; write provider/model, the providers are {}",
                names.join(", ")
            ),
        }))
    }

    /// The providers in the order in which they are asked, without the built-in one.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &Arc<ProviderState>> {
        self.states.iter().filter(|state| state.name() != BUILTIN)
    }

    fn builtin(&self) -> &Arc<ProviderState> {
        let state = self.states.iter().find(|state| state.name() == BUILTIN);
        state.expect("every gateway is made with the built-in provider")
    }
}

fn is_alias(name: &str) -> bool {
    name.strip_prefix(ALIAS)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn unknown(message: String) -> GatewayError {
    GatewayError::new(ErrorKind::UnknownModel, message)
}
