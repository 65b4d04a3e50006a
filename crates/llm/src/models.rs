//! Facts about a model before it is asked: its abilities and its price. The owner's word counts first, then the
//! provider's own list, then what Mana knows of models by their names.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::wire::{ChatRequest, Model};

/// The abilities of a model, as far as Mana knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Whether it calls tools.
    pub tools: bool,
    /// Whether it keeps to a JSON schema (`response_format`).
    pub json_schema: bool,
    /// Whether it looks at pictures.
    pub vision: bool,
    /// How many tokens a request and its answer may have together, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
}

/// The price of a model, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Of the request.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
}

impl Price {
    /// The price of so many tokens, in millionths of a US dollar, rounded up.
    pub fn micros_usd(&self, prompt_tokens: u64, completion_tokens: u64) -> u64 {
        // Dollars per million tokens are millionths of a dollar per token.
        (prompt_tokens as f64 * self.input + completion_tokens as f64 * self.output).ceil() as u64
    }
}

/// The owner's facts about a model. A fact that is left out stays as Mana knows it.
// Saved and sent in camel case; `[llm.models."provider/model"]` of `mana.toml` has snake case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ModelFacts)]
pub struct ModelSettings {
    /// US dollars per million tokens of the request; only together with `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<f64>,
    /// US dollars per million tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<f64>,
    /// Whether the model calls tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<bool>,
    /// Whether the model keeps to a JSON schema.
    #[serde(skip_serializing_if = "Option::is_none", alias = "json_schema")]
    pub json_schema: Option<bool>,
    /// Whether the model looks at pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vision: Option<bool>,
    /// Tokens that a request and its answer may have together.
    #[serde(skip_serializing_if = "Option::is_none", alias = "context_tokens")]
    pub context_tokens: Option<u64>,
}

impl ModelSettings {
    /// The price, where both halves are given.
    pub fn price(&self) -> Option<Price> {
        Some(Price {
            input: self.input?,
            output: self.output?,
        })
    }
}

/// Facts about a model; `None` where nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it keeps to a JSON schema.
    pub json_schema: Option<bool>,
    /// Whether it looks at pictures.
    pub vision: Option<bool>,
    /// Whether it embeds.
    pub embeddings: Option<bool>,
    /// How many tokens a request and its answer may have together.
    pub context_tokens: Option<u64>,
}

impl Facts {
    /// Facts by the owner's word.
    pub fn told(settings: &ModelSettings) -> Self {
        Self {
            tools: settings.tools,
            json_schema: settings.json_schema,
            vision: settings.vision,
            embeddings: None,
            context_tokens: settings.context_tokens,
        }
    }

    /// Facts by a provider's list of models: OpenRouter, Groq and vLLM
    /// each say some of it, in their own words.
    pub fn listed(model: &Model) -> Self {
        let says = |field: &str, name: &str| {
            let list = model.extra.get(field)?.as_array()?;
            Some(list.iter().any(|item| item == name))
        };
        let modalities = model.extra.get("architecture").and_then(|architecture| {
            let inputs = architecture.get("input_modalities")?.as_array()?;
            Some(inputs.iter().any(|input| input == "image"))
        });
        Self {
            tools: says("supported_parameters", "tools"),
            json_schema: says("supported_parameters", "structured_outputs"),
            vision: modalities,
            embeddings: None,
            context_tokens: ["context_length", "context_window", "max_model_len"]
                .iter()
                .find_map(|field| model.extra.get(*field).and_then(Value::as_u64)),
        }
    }

    /// Returns these facts, and the others where these are silent.
    pub fn or(self, other: Self) -> Self {
        Self {
            tools: self.tools.or(other.tools),
            json_schema: self.json_schema.or(other.json_schema),
            vision: self.vision.or(other.vision),
            embeddings: self.embeddings.or(other.embeddings),
            context_tokens: self.context_tokens.or(other.context_tokens),
        }
    }

    /// The abilities that can be relied on.
    pub fn capabilities(self) -> Capabilities {
        Capabilities {
            tools: self.tools == Some(true),
            json_schema: self.json_schema == Some(true),
            vision: self.vision == Some(true),
            context_tokens: self.context_tokens,
        }
    }

    /// The part of a request that is known to be beyond the model.
    pub fn lacks(&self, request: &ChatRequest) -> Option<&'static str> {
        let lacking = ABILITIES
            .iter()
            .find(|(asks, can, _)| can(self) == Some(false) && asks(request));
        lacking.map(|(.., what)| *what)
    }
}

/// An ability that not every model has: whether a request asks for it, whether a model
/// can, and the words for one that can't.
type Ability = (
    fn(&ChatRequest) -> bool,
    fn(&Facts) -> Option<bool>,
    &'static str,
);

const ABILITIES: [Ability; 3] = [
    (
        ChatRequest::has_images,
        |facts| facts.vision,
        "look at pictures",
    ),
    (ChatRequest::has_tools, |facts| facts.tools, "call tools"),
    (
        ChatRequest::wants_schema,
        |facts| facts.json_schema,
        "keep to a JSON schema",
    ),
];

/// Whether a request asks for nothing but text, as any model gives it.
pub(crate) fn is_plain(request: &ChatRequest) -> bool {
    ABILITIES.iter().all(|(asks, ..)| !asks(request))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prices_are_per_million_and_rounded_up() {
        let price = Price {
            input: 0.25,
            output: 2.0,
        };
        assert_eq!(price.micros_usd(1_000_000, 1_000_000), 2_250_000);
        assert_eq!(price.micros_usd(1, 0), 1);
        assert_eq!(price.micros_usd(0, 0), 0);
    }

    #[test]
    fn only_what_is_known_to_be_missing_is_lacking() {
        let request: ChatRequest = serde_json::from_value(json!({
            "messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}))
        .unwrap();
        assert_eq!(Facts::default().lacks(&request), None);
        let without = Facts {
            tools: Some(false),
            ..Facts::default()
        };
        assert_eq!(without.lacks(&request), Some("call tools"));
    }
}
