//! Facts and prices of a model by its name, from the folders of the providers.

use super::PROVIDERS;
use super::known_provider::Rates;
use crate::models::{Facts, Price};

/// Facts about a model by its name, wherever it runs: the longest start of a name that fits counts.
pub(crate) fn by_name(model: &str) -> Facts {
    let name = short(model);
    let families = PROVIDERS.iter().flat_map(|known| known.models);
    let known = families
        .filter(|family| name.starts_with(family.start))
        .max_by_key(|family| family.start.len());
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
    // OpenRouter writes dots where the makers of models have dashes.
    let same = |(known, found): (u8, u8)| known == found || (known, found) == (b'-', b'.');
    let mut prices = PROVIDERS.iter().flat_map(|known| known.prices);
    let known = prices.find(|known| {
        let rest = name.get(known.model.len()..);
        let mut letters = known.model.bytes().zip(name.bytes());
        rest.is_some_and(is_date) && letters.all(same)
    })?;
    Some(known.price)
}

/// The rates of a model by its name, wherever it runs: the longest start of a name that fits counts.
pub(crate) fn rates_by_name(model: &str) -> Rates {
    let name = short(model);
    let same = |(known, found): (u8, u8)| known == found || (known, found) == (b'-', b'.');
    let fits = |start: &str| {
        let mut letters = start.bytes().zip(name.bytes());
        name.len() >= start.len() && letters.all(same)
    };
    let rates = PROVIDERS.iter().flat_map(|known| known.rates);
    let known = rates
        .filter(|rates| fits(rates.start))
        .max_by_key(|rates| rates.start.len());
    known.copied().unwrap_or(Rates::USUAL)
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
    use crate::models::{Capabilities, ModelSettings};
    use crate::wire::Model;

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
}
