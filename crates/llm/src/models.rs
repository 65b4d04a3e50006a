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

    /// Facts by a provider's list of models: OpenRouter, Groq, Mistral and vLLM
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
        let capability = |name: &str| model.extra.get("capabilities")?.get(name)?.as_bool();
        Self {
            tools: says("supported_parameters", "tools").or(capability("function_calling")),
            json_schema: says("supported_parameters", "structured_outputs"),
            vision: modalities.or(capability("vision")),
            embeddings: None,
            context_tokens: WINDOWS
                .iter()
                .find_map(|field| model.extra.get(*field).and_then(Value::as_u64)),
        }
    }

    /// The abilities that are there, and nothing of those that are not.
    pub(crate) fn affirmed(self) -> Self {
        let there = |ability: Option<bool>| ability.filter(|there| *there);
        Self {
            tools: there(self.tools),
            json_schema: there(self.json_schema),
            vision: there(self.vision),
            embeddings: there(self.embeddings),
            context_tokens: self.context_tokens,
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

    /// The ability that a request asks for and the model is known not to have.
    pub(crate) fn lacks(&self, request: &ChatRequest) -> Option<&'static Ability> {
        let mut abilities = ABILITIES.iter();
        abilities.find(|ability| (ability.of)(self) == Some(false) && (ability.asks)(request))
    }

    /// The abilities that the model has not, by a refusal in its provider's words, of those that the request asks for.
    pub(crate) fn refused(request: &ChatRequest, reason: &str) -> Option<Self> {
        let reason = reason.to_lowercase();
        let denies = DENIALS.iter().any(|words| reason.contains(words))
            && !OF_THE_REQUEST.iter().any(|words| reason.contains(words));
        let mut abilities = ABILITIES.iter().filter(|ability| (ability.asks)(request));
        let ability = abilities
            .find(|ability| denies && ability.words.iter().any(|words| reason.contains(words)))?;
        let mut facts = Self::default();
        (ability.set)(&mut facts, false);
        Some(facts)
    }
}

/// How lists of models call the window.
const WINDOWS: [&str; 4] = [
    "context_length",
    "context_window",
    "max_model_len",
    "max_context_length",
];

/// An ability that not every model has.
pub(crate) struct Ability {
    /// Whether a request asks for it.
    asks: fn(&ChatRequest) -> bool,
    /// Whether a model has it.
    of: fn(&Facts) -> Option<bool>,
    set: fn(&mut Facts, bool),
    /// The words for a model that has it not: "can't …".
    pub what: &'static str,
    /// The owner's setting for it.
    pub setting: &'static str,
    /// How providers name it where they refuse it.
    words: &'static [&'static str],
}

/// How providers say that something can't be done.
const DENIALS: [&str; 9] = [
    "not support",
    "unsupported",
    "n't support",
    "not available",
    "not allowed",
    "not a multimodal",
    "not capable",
    "no endpoints found",
    "requires --",
];

/// Words of a refusal that is about one caller's request: nothing follows from it for the model's others.
const OF_THE_REQUEST: [&str; 20] = [
    " type",
    " url",
    "[",
    "choice is",
    "formats",
    "image format",
    "invalid",
    "keyword",
    "mime",
    "parallel",
    "parameter",
    "property",
    "reasoning",
    "schema for",
    "stream",
    "thinking",
    "together",
    "tool_choice",
    "uploaded",
    "value",
];

const ABILITIES: [Ability; 3] = [
    Ability {
        asks: ChatRequest::has_images,
        of: |facts| facts.vision,
        set: |facts, can| facts.vision = Some(can),
        what: "look at pictures",
        setting: "vision",
        words: &["image", "vision", "multimodal", "mmproj", "picture"],
    },
    Ability {
        asks: ChatRequest::has_tools,
        of: |facts| facts.tools,
        set: |facts, can| facts.tools = Some(can),
        what: "call tools",
        setting: "tools",
        words: &["tool", "function call"],
    },
    Ability {
        asks: ChatRequest::wants_schema,
        of: |facts| facts.json_schema,
        set: |facts, can| facts.json_schema = Some(can),
        what: "keep to a JSON schema",
        setting: "json_schema",
        words: &[
            "response_format",
            "json_schema",
            "structured output",
            "json schema",
        ],
    },
];

/// Whether a request asks for nothing but text, as any model gives it.
pub(crate) fn is_plain(request: &ChatRequest) -> bool {
    ABILITIES.iter().all(|ability| !(ability.asks)(request))
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
    fn a_list_is_read_in_the_words_of_each_provider() {
        let listed = |model: serde_json::Value| {
            let facts = Facts::listed(&serde_json::from_value(model).unwrap());
            (facts.tools, facts.vision, facts.context_tokens)
        };
        let mistral = |vision: bool| {
            json!({"id": "m", "max_context_length": 131072,
                "capabilities": {"completion_chat": true, "function_calling": true, "vision": vision}})
        };
        assert_eq!(
            listed(mistral(true)),
            (Some(true), Some(true), Some(131_072))
        );
        assert_eq!(listed(mistral(false)).1, Some(false));
        let openrouter = json!({"id": "m", "context_length": 9, "supported_parameters": ["tools"],
            "architecture": {"input_modalities": ["text", "image"]}});
        assert_eq!(listed(openrouter), (Some(true), Some(true), Some(9)));
        let vllm = json!({"id": "m", "max_model_len": 7, "capabilities": ["completion"]});
        assert_eq!(listed(vllm), (None, None, Some(7)));
    }

    #[test]
    fn only_what_is_known_to_be_missing_is_lacking() {
        let request: ChatRequest = serde_json::from_value(json!({
            "messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}))
        .unwrap();
        assert!(Facts::default().lacks(&request).is_none());
        let without = Facts {
            tools: Some(false),
            ..Facts::default()
        };
        assert_eq!(without.lacks(&request).unwrap().what, "call tools");
    }

    #[test]
    fn a_refusal_is_understood_in_every_providers_words() {
        let request = |fields: serde_json::Value| {
            let mut request =
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]});
            request
                .as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            serde_json::from_value::<ChatRequest>(request).unwrap()
        };
        let tools = json!({"tools": [{"type": "function"}]});
        let schema = json!({"response_format": {"type": "json_schema"}});
        let refused =
            |fields: &serde_json::Value, reason| Facts::refused(&request(fields.clone()), reason);
        for (fields, reason, lacks) in [
            (
                &tools,
                "registry.ollama.ai/library/gemma3 does not support tools",
                "tools",
            ),
            (&tools, "No endpoints found that support tool use.", "tools"),
            (
                &tools,
                "\"auto\" tool choice requires --enable-auto-tool-choice",
                "tools",
            ),
            (
                &schema,
                "This model does not support response_format json_schema",
                "schema",
            ),
            (
                &json!({}),
                "image input is not supported - hint: you may need the mmproj",
                "vision",
            ),
            (&json!({}), "m is not a multimodal model", "vision"),
        ] {
            let facts = refused(fields, reason).unwrap();
            let said = [facts.vision, facts.tools, facts.json_schema];
            let place = ["vision", "tools", "schema"]
                .iter()
                .position(|name| *name == lacks)
                .unwrap();
            let mut expected = [None; 3];
            expected[place] = Some(false);
            assert_eq!(said, expected, "{reason}");
        }
        for reason in [
            "tool call f has no id",
            "Invalid image",
            "temperature is not supported",
        ] {
            assert_eq!(refused(&tools, reason), None, "{reason}");
        }
        // Nothing is learnt of what was not asked for.
        assert_eq!(refused(&json!({}), "tools are not supported"), None);
    }
}
