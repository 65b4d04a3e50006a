//! Facts about a model before it is asked: its abilities and its price. The owner's word counts first, then the
//! provider's own list, then what Mana knows of models by their names.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog;
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

/// The owner's word about a model: `[llm.models."provider/model"]`. A fact
/// that is left out stays as Mana knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct ModelSettings {
    /// US dollars per million tokens of the request; only together with `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<f64>,
    /// US dollars per million tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<f64>,
    /// Whether it calls tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<bool>,
    /// Whether it keeps to a JSON schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<bool>,
    /// Whether it looks at pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vision: Option<bool>,
    /// How many tokens a request and its answer may have together.
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// Facts about a model by its name, wherever it runs.
pub(crate) fn by_name(model: &str) -> Facts {
    let name = short(model);
    let known = catalog::FACTS
        .iter()
        .find(|known| name.starts_with(known.start));
    known.map_or(Facts::default(), |known| Facts {
        tools: Some(known.tools),
        json_schema: Some(known.json_schema),
        vision: Some(known.vision),
        embeddings: None,
        context_tokens: known.context_tokens,
    })
}

/// The price of a model by its name. Behind the name that it knows only a date may
/// stand: another version or kind costs a multiple (`gpt-5.5`, `gpt-5-pro`),
/// and no price is better than one that lets a budget be overspent.
pub(crate) fn price_by_name(model: &str) -> Option<Price> {
    let name = short(model);
    // OpenRouter writes dots where Anthropic has dashes.
    let same = |(known, found): (u8, u8)| known == found || (known, found) == (b'-', b'.');
    let known = catalog::PRICES.iter().find(|(known, ..)| {
        let rest = name.get(known.len()..);
        rest.is_some_and(is_date) && known.bytes().zip(name.bytes()).all(same)
    })?;
    Some(Price {
        input: known.1,
        output: known.2,
    })
}

/// Nothing, or the day of a release: `-20250929`, `-2025-08-07`.
fn is_date(rest: &str) -> bool {
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let dashes = rest.bytes().filter(|byte| *byte == b'-').count();
    rest.is_empty() || digits == 8 && digits + dashes == rest.len()
}

/// Without whose it is: `models/gemini-2.5-flash`, `openai/gpt-oss-120b`.
fn short(model: &str) -> String {
    model
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
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
    fn a_price_is_known_of_a_model_and_its_releases_and_of_no_relative() {
        let input = |model| price_by_name(model).map(|price| price.input);
        assert_eq!(input("openai/gpt-5-mini-2025-08-07"), Some(0.25));
        assert_eq!(input("claude-sonnet-4-20250514"), Some(3.0));
        assert_eq!(input("claude-sonnet-4-5-20250929"), Some(3.0));
        assert_eq!(input("anthropic/claude-opus-4.5"), Some(5.0));
        assert_eq!(input("gpt-5.5"), Some(5.0));
        assert_eq!(input("gpt-4o-2024-05-13"), Some(5.0));
        for relative in [
            "gpt-5.9",
            "gpt-5.5-ultra",
            "gpt-4o-latest",
            "gpt-4o-realtime-preview",
            "claude-opus-4-9",
        ] {
            assert_eq!(input(relative), None, "{relative}");
        }
    }

    #[test]
    fn the_owner_counts_before_the_list_and_the_list_before_the_name() {
        let listed: Model = serde_json::from_value(json!({
            "id": "gpt-4o", "context_length": 9, "supported_parameters": ["temperature"],
            "architecture": {"input_modalities": ["text"]}}))
        .unwrap();
        let told = ModelSettings {
            vision: Some(true),
            ..ModelSettings::default()
        };
        let facts = Facts::told(&told)
            .or(Facts::listed(&listed))
            .or(by_name("openai/gpt-4o"));
        let expected = Capabilities {
            tools: false,
            json_schema: false,
            vision: true,
            context_tokens: Some(9),
        };
        assert_eq!(facts.capabilities(), expected);
        assert!(by_name("gpt-4o").capabilities().tools);
        assert_eq!(
            by_name("nobody-knows").capabilities(),
            Capabilities::default()
        );
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
