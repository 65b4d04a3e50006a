//! The cost of an answer: by the provider's own word where there is one, else by its tokens, of which some kinds cost
//! another part of the list price than the whole.

use serde_json::Value;

use crate::models::Price;
use crate::providers::model_names::rates_by_name;
use crate::wire::{Usage, count_of};

/// The most that a provider is believed to have taken for one answer, in US dollars.
const BELIEVED_USD: f64 = 100.0;
/// An answer that Anthropic makes faster costs so many times the price.
const FAST: f64 = 6.0;

/// The millionths of a US dollar that Anthropic takes for a search of the web.
pub(crate) const SEARCH_MICROS_USD: u64 = 10_000;
/// Where Anthropic counts searches.
const SEARCHES: &str = "/server_tool_use/web_search_requests";

/// The fields in which providers say what they took, and how many of it make a US dollar.
const COSTS: [(&str, f64); 5] = [
    ("cost", 1.0),
    ("total_cost", 1.0),
    ("cost_usd", 1.0),
    ("estimated_cost", 1.0),
    ("cost_in_usd_ticks", 1e10),
];
/// Where tokens are counted that were read from the provider's cache.
const CACHED: [&str; 7] = [
    "/prompt_tokens_details/cached_tokens",
    "/input_tokens_details/cached_tokens",
    "/cache_read_input_tokens",
    "/cached_tokens",
    "/cached_prompt_text_tokens",
    "/prompt_cache_hit_tokens",
    "/num_cached_tokens",
];
/// Where tokens are counted that were written to it.
const WRITTEN: [&str; 4] = [
    "/prompt_tokens_details/cache_write_tokens",
    "/prompt_tokens_details/cache_creation_tokens",
    "/prompt_tokens_details/cached_creation_tokens",
    "/cache_creation_input_tokens",
];
/// Where those of them are counted that are kept for an hour.
const WRITTEN_FOR_AN_HOUR: &str = "/cache_creation/ephemeral_1h_input_tokens";

/// An amount of money, as a number or as text.
fn amount(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The cost of an answer in millionths of a US dollar; none where it is not known. The tokens are those that are
/// believed.
pub(crate) fn micros_usd(
    model: &str,
    price: Option<Price>,
    usage: &Usage,
    prompt_tokens: u64,
    completion_tokens: u64,
) -> Option<u64> {
    let by_tokens =
        price.map(|price| by_tokens(model, price, usage, prompt_tokens, completion_tokens));
    let by_tokens = by_tokens.map(|micros| micros.saturating_add(of_searches(usage)));
    match told(usage) {
        // A zero says nothing where tokens cost something: an owner pays some providers elsewhere.
        Some(told) if told > 0 || by_tokens.unwrap_or(0) == 0 => Some(told),
        _ => by_tokens,
    }
}

/// The cost of searches, which comes on top of the tokens.
fn of_searches(usage: &Usage) -> u64 {
    let said = Value::Object(usage.extra.clone());
    let micros = count_of(said.pointer(SEARCHES)).saturating_mul(SEARCH_MICROS_USD);
    let is_believed = micros as f64 <= BELIEVED_USD * 1e6;
    if is_believed { micros } else { 0 }
}

/// The amount that the provider says it took.
fn told(usage: &Usage) -> Option<u64> {
    let (cost, unit) = COSTS.iter().find_map(|(field, unit)| {
        let said = usage.extra.get(*field)?;
        let said = said.get("total_cost").unwrap_or(said);
        Some((amount(Some(said))?, unit))
    })?;
    // A provider that was paid with the owner's own key at another one.
    let elsewhere = match usage.extra.get("is_byok") {
        Some(Value::Bool(true)) => {
            let details = usage.extra.get("cost_details");
            amount(details.and_then(|details| details.get("upstream_inference_cost")))
                .unwrap_or(0.0)
        }
        _ => 0.0,
    };
    let usd = cost / unit + elsewhere;
    let is_believed = (0.0..=BELIEVED_USD).contains(&usd) && elsewhere >= 0.0;
    is_believed.then(|| (usd * 1e6).ceil() as u64)
}

/// The tokens of a request that have to do with the provider's cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheTokens {
    /// Read from it.
    pub read: u64,
    /// Written to it.
    pub written: u64,
    /// The part of the written ones that is kept for an hour.
    pub for_an_hour: u64,
}

/// The tokens of a request that have to do with the provider's cache, of all that it has.
pub(crate) fn of_cache(usage: &Usage, prompt_tokens: u64) -> CacheTokens {
    let said = Value::Object(usage.extra.clone());
    let most = |fields: &[&str]| {
        let counts = fields.iter().map(|field| count_of(said.pointer(field)));
        counts.max().unwrap_or(0)
    };
    let read = most(&CACHED).min(prompt_tokens);
    let written = most(&WRITTEN).min(prompt_tokens - read);
    let for_an_hour = most(&[WRITTEN_FOR_AN_HOUR]).min(written);
    CacheTokens {
        read,
        written,
        for_an_hour,
    }
}

fn by_tokens(
    model: &str,
    price: Price,
    usage: &Usage,
    prompt_tokens: u64,
    completion_tokens: u64,
) -> u64 {
    let rates = rates_by_name(model);
    let cache = of_cache(usage, prompt_tokens);
    let plain = prompt_tokens - cache.read - cache.written;
    let weighed = plain as f64
        + cache.read as f64 * rates.cached
        + (cache.written - cache.for_an_hour) as f64 * rates.written
        + cache.for_an_hour as f64 * rates.written_for_an_hour;
    let is_long = rates.long.filter(|long| prompt_tokens > long.above);
    let (input, output) = is_long.map_or((1.0, 1.0), |long| (long.input, long.output));
    let said = |field: &str| usage.extra.get(field).and_then(Value::as_str);
    let tier = match (said("service_tier"), said("speed")) {
        (_, Some("fast")) => FAST,
        (Some("priority"), _) => rates.priority,
        _ => 1.0,
    };
    let usd = weighed * price.input * input + completion_tokens as f64 * price.output * output;
    // Dollars per million tokens are millionths of a dollar per token; a float's own error is no millionth.
    (usd * tier - 1e-6).ceil().max(0.0) as u64
}

/// The price of a token of a prompt that a model's provider keeps, in parts of the list price.
pub(crate) fn rate_of_keeping(model: &str) -> f64 {
    rates_by_name(model).written.max(1.0)
}

/// The most that a call to a model costs in millionths of a US dollar, in its usual tier and without a cache.
pub(crate) fn most_micros_usd(
    model: &str,
    price: Price,
    prompt_tokens: u64,
    completion_tokens: u64,
) -> u64 {
    by_tokens(
        model,
        price,
        &Usage::default(),
        prompt_tokens,
        completion_tokens,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::providers::model_names::price_by_name;

    fn cost(model: &str, extra: Value, prompt: u64, completion: u64) -> Option<u64> {
        let usage: Usage = serde_json::from_value(extra).unwrap();
        micros_usd(model, price_by_name(model), &usage, prompt, completion)
    }

    #[test]
    fn tokens_of_every_kind_cost_what_they_cost() {
        const MILLION: u64 = 1_000_000;
        for (model, usage, prompt, completion, expected) in [
            ("openai/gpt-5", json!({}), MILLION, 0, 1_250_000),
            (
                "openai/gpt-5",
                json!({"prompt_tokens_details": {"cached_tokens": MILLION}}),
                MILLION,
                0,
                125_000,
            ),
            (
                "openai/gpt-5",
                json!({"prompt_tokens_details": {"cached_tokens": 1e30}}),
                MILLION,
                0,
                125_000,
            ),
            (
                "openai/gpt-5",
                json!({"prompt_tokens_details": []}),
                MILLION,
                0,
                1_250_000,
            ),
            (
                "openai/gpt-5-pro",
                json!({"prompt_tokens_details": {"cached_tokens": 10}}),
                10,
                0,
                150,
            ),
            (
                "anthropic/claude-sonnet-4-6",
                json!({"cache_read_input_tokens": MILLION}),
                MILLION,
                0,
                300_000,
            ),
            (
                "anthropic/claude-sonnet-4-6",
                json!({"cache_creation_input_tokens": MILLION}),
                MILLION,
                0,
                3_750_000,
            ),
            (
                "anthropic/claude-sonnet-4-6",
                json!({"cache_creation_input_tokens": MILLION,
                    "cache_creation": {"ephemeral_1h_input_tokens": MILLION}}),
                MILLION,
                0,
                6_000_000,
            ),
            (
                "openrouter/anthropic/claude-opus-4.5",
                json!({"cached_tokens": "100"}),
                100,
                0,
                50,
            ),
            ("openai/gpt-5.4", json!({}), 272_000, 10, 680_150),
            ("openai/gpt-5.4", json!({}), 272_001, 10, 1_360_230),
            (
                "gemini/models/gemini-2.5-pro",
                json!({}),
                300_000,
                0,
                750_000,
            ),
            (
                "openai/gpt-5",
                json!({"service_tier": "priority"}),
                100,
                10,
                450,
            ),
            (
                "anthropic/claude-opus-4-6",
                json!({"server_tool_use": {"web_search_requests": 3}}),
                100,
                10,
                30_750,
            ),
            (
                "anthropic/claude-opus-4-6",
                json!({"server_tool_use": {"web_search_requests": 1e15}}),
                100,
                10,
                750,
            ),
            (
                "anthropic/claude-opus-4-6",
                json!({"speed": "fast"}),
                100,
                10,
                4_500,
            ),
        ] {
            assert_eq!(
                cost(model, usage.clone(), prompt, completion),
                Some(expected),
                "{model} {usage}"
            );
        }
        assert_eq!(cost("nobody/knows", json!({}), 1, 1), None);
    }

    #[test]
    fn a_providers_own_cost_counts_where_it_can_be_true() {
        let by_tokens = Some(1_020);
        for (usage, expected) in [
            (json!({"cost": 0.42}), Some(420_000)),
            (json!({"cost": "0.42"}), Some(420_000)),
            (json!({"cost": {"total_cost": 0.006}}), Some(6_000)),
            (
                json!({"cost_in_usd_ticks": 4_200_000_000_u64}),
                Some(420_000),
            ),
            (json!({"estimated_cost": 0.0001}), Some(100)),
            (
                json!({"cost": 0, "is_byok": true, "cost_details": {"upstream_inference_cost": 0.3}}),
                Some(300_000),
            ),
            (json!({"cost": 0}), by_tokens),
            (json!({"cost": -5}), by_tokens),
            (json!({"cost": 1e9}), by_tokens),
            (json!({"cost": "free"}), by_tokens),
            (json!({"cost": null}), by_tokens),
        ] {
            assert_eq!(
                cost("openai/gpt-5", usage.clone(), 800, 2),
                expected,
                "{usage}"
            );
        }
        assert_eq!(
            cost("openrouter/x:free", json!({"cost": 0}), 800, 2),
            Some(0)
        );
    }
}
