//! From a name to the models that may answer under it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{ALIAS, BUILTIN, DEFAULT, PURPOSES};
use crate::config::LlmConfig;
use crate::error::{ErrorKind, GatewayError, Result};
use crate::models::{Facts, ModelSettings, Price, price_by_name};
use crate::providers::outline;
use crate::secret::Scrubber;
use crate::slot::Slot;

/// The alias of a call that names no model.
const NAMELESS: &str = "mana/reasoning";

/// One model of one provider.
#[derive(Clone)]
pub(crate) struct Target {
    pub slot: Arc<Slot>,
    pub model: String,
}

impl Target {
    /// `provider/model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.slot.name(), self.model)
    }
}

/// Where calls may go, as one configuration says. A call keeps the one that it
/// began with.
pub(crate) struct Routes {
    pub slots: Vec<Arc<Slot>>,
    pub aliases: BTreeMap<String, Vec<String>>,
    pub model: Option<String>,
    pub models: BTreeMap<String, ModelSettings>,
    pub timeout: Duration,
    pub idle: Duration,
    pub max_answer_bytes: usize,
    pub retries: u32,
    pub scrub: Arc<Scrubber>,
}

impl Routes {
    /// These slots, by this configuration.
    pub fn new(slots: Vec<Arc<Slot>>, config: &LlmConfig, scrub: Arc<Scrubber>) -> Self {
        Self {
            slots,
            aliases: config.aliases.clone(),
            model: config.model.clone(),
            models: config.models.clone(),
            timeout: config.timeout,
            idle: config.idle,
            max_answer_bytes: config.max_answer_bytes,
            retries: config.retries,
            scrub,
        }
    }

    /// What is known of a model.
    pub fn facts(&self, target: &Target) -> Facts {
        let told = self.models.get(&target.name()).map(Facts::told);
        told.unwrap_or_default()
            .or(target.slot.facts(&target.model))
    }

    /// What a model costs, if anybody knows. One on this machine costs nothing,
    /// unless the owner says so.
    pub fn price(&self, name: &str) -> Option<Price> {
        if let Some(price) = self.models.get(name).and_then(ModelSettings::price) {
            return Some(price);
        }
        let (provider, model) = name.split_once('/')?;
        let slot = self.slots.iter().find(|slot| slot.name() == provider)?;
        if slot.is_free() {
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
            return match failure {
                Some(error) if chain.is_empty() => Err(error),
                _ => Ok(chain),
            };
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
        for slot in self.providers() {
            if slot.is_here().await {
                let model = slot.pick(purpose.hints).await?;
                return Ok(vec![Target {
                    slot: slot.clone(),
                    model,
                }]);
            }
        }
        Ok(vec![Target {
            slot: self.builtin().clone(),
            model: outline::MODEL.to_owned(),
        }])
    }

    /// The one model of this name.
    async fn target(&self, name: &str) -> Result<Target> {
        let target = |slot: &Arc<Slot>, model: &str| Target {
            slot: slot.clone(),
            model: model.to_owned(),
        };
        if let Some(slot) = self.providers().find(|slot| slot.has_named(name)) {
            return Ok(target(slot, name));
        }
        if let Some((provider, model)) = name.split_once('/')
            && let Some(slot) = self.slots.iter().find(|slot| slot.name() == provider)
        {
            if model.is_empty() {
                return Err(unknown(format!(
                    "{name} names no model; write {provider}/model"
                )));
            }
            if !slot.is_here().await {
                // Its own words say what to do: start it.
                return Err(slot
                    .models()
                    .await
                    .err()
                    .unwrap_or_else(|| unknown(format!("{provider} is not there"))));
            }
            return Ok(target(slot, model));
        }
        let mut present = Vec::new();
        for slot in self.providers() {
            if slot.is_here().await {
                present.push(slot);
            }
        }
        if let Some(slot) = present.iter().find(|slot| slot.name() == DEFAULT) {
            return Ok(target(slot, name));
        }
        if let [only] = present[..] {
            return Ok(target(only, name));
        }
        for slot in &present {
            let models = slot.models().await.unwrap_or_default();
            if models.iter().any(|model| model.id == name) {
                return Ok(target(slot, name));
            }
        }
        let names: Vec<&str> = present.iter().map(|slot| slot.name()).collect();
        Err(unknown(match names[..] {
            [] => format!(
                "No provider has a model {name}: there is no provider; start Ollama on this machine or set a key such as OPENAI_API_KEY"
            ),
            _ => format!(
                "No provider has a model {name}; write provider/model, the providers are {}",
                names.join(", ")
            ),
        }))
    }

    /// The providers in the order in which they are asked, without the built-in one.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.slots.iter().filter(|slot| slot.name() != BUILTIN)
    }

    fn builtin(&self) -> &Arc<Slot> {
        let slot = self.slots.iter().find(|slot| slot.name() == BUILTIN);
        slot.expect("every gateway is made with the built-in provider")
    }
}

fn is_alias(name: &str) -> bool {
    name.strip_prefix(ALIAS)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn unknown(message: String) -> GatewayError {
    GatewayError::new(ErrorKind::UnknownModel, message)
}
