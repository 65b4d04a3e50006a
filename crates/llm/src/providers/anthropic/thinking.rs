//! How much a model thinks, in the words that its version takes.

use serde_json::{Map, Value, json};

use super::model::Version;

/// The longest answer where nobody said; the protocol wants a number.
const MAX_TOKENS: u64 = 8192;
/// The smallest budget of thinking that the protocol takes.
const LEAST_THINKING: u64 = 1024;
/// A model that thinks takes a `top_p` from here on.
const LEAST_TOP_P: f64 = 0.95;

/// Puts how much to think into Anthropic's words, and returns the longest answer. Anthropic counts thoughts into the
/// answer and wants room beside them: they are cut to what the answer may take, never the other way round. Where the
/// model can't think, as it is forced to call a tool or its thoughts are missing, it doesn't.
pub(super) fn think(
    extra: &mut Map<String, Value>,
    longest: Option<u64>,
    version: Version,
    may_think: bool,
) -> u64 {
    let wanted = thinking_budget(extra);
    let effort = effort(extra, wanted);
    let most = match version.writes_little() {
        true => MAX_TOKENS / 2,
        false => MAX_TOKENS,
    };
    if version.decides_on_thinking() {
        for field in ["temperature", "top_p", "top_k"] {
            extra.remove(field);
        }
    }
    if !version.knows_effort() {
        extra.remove("output_config");
    }
    let Some(wanted) = wanted else {
        return longest.unwrap_or(most);
    };
    let longest = longest.unwrap_or_else(|| MAX_TOKENS.max(wanted.saturating_add(LEAST_THINKING)));
    if version.decides_on_thinking() {
        let config = extra.entry("output_config").or_insert_with(|| json!({}));
        if let Some(config) = config.as_object_mut() {
            config.entry("effort").or_insert(effort.into());
        }
    }
    // Half of a short answer is left for what is said.
    let room = LEAST_THINKING.min(longest / 2);
    let budget = wanted.min(longest - room);
    let decides = version.decides_on_thinking();
    if !may_think || (!decides && budget < LEAST_THINKING) {
        extra.remove("thinking");
        return longest;
    }
    let given = extra.remove("thinking");
    let mut thinking = match given {
        Some(Value::Object(thinking)) => thinking,
        _ => Map::new(),
    };
    match decides {
        true => {
            thinking.remove("budget_tokens");
            thinking.insert("type".to_owned(), "adaptive".into());
        }
        false
            if version.knows_effort()
                && thinking.get("type").is_some_and(|kind| kind == "adaptive") => {}
        false => {
            thinking.insert("type".to_owned(), "enabled".into());
            thinking.insert("budget_tokens".to_owned(), budget.into());
        }
    }
    extra.insert("thinking".to_owned(), thinking.into());
    for field in ["temperature", "top_k"] {
        extra.remove(field);
    }
    let top_p = extra.get("top_p").and_then(Value::as_f64);
    if top_p.is_some_and(|top_p| top_p < LEAST_TOP_P) {
        extra.remove("top_p");
    }
    longest
}

/// Whether a request lets the model think.
pub(super) fn thinks(extra: &Map<String, Value>) -> bool {
    let thinking = extra.get("thinking");
    thinking.is_some_and(|thinking| thinking["type"] == "enabled" || thinking["type"] == "adaptive")
}

/// How many tokens may be thought: by the request's `thinking` in Anthropic's words, else by its effort in OpenAI's or
/// its `reasoning` in OpenRouter's.
fn thinking_budget(extra: &Map<String, Value>) -> Option<u64> {
    if let Some(thinking) = extra.get("thinking").filter(|thinking| !thinking.is_null()) {
        let budget = match &thinking["budget_tokens"] {
            Value::String(text) => text.trim().parse().ok(),
            budget => budget.as_f64(),
        };
        // The cast saturates at both ends.
        let budget = budget.map_or(MAX_TOKENS / 2, |budget| budget.ceil() as u64);
        return thinks(extra).then_some(budget);
    }
    let told = |field: &str| extra.get("reasoning").and_then(|told| told.get(field));
    if told("enabled") == Some(&Value::Bool(false)) {
        return None;
    }
    if let Some(most) = told("max_tokens").and_then(Value::as_f64) {
        return (most > 0.0).then_some(most.ceil() as u64);
    }
    match effort_said(extra)? {
        "low" => Some(LEAST_THINKING),
        "medium" => Some(4096),
        "high" | "xhigh" | "max" => Some(16_384),
        _ => None,
    }
}

/// The effort that a request names.
fn effort_said(extra: &Map<String, Value>) -> Option<&str> {
    let nested = extra.get("reasoning").and_then(|told| told.get("effort"));
    extra.get("reasoning_effort").or(nested)?.as_str()
}

/// The effort of a model that decides itself.
fn effort(extra: &Map<String, Value>, wanted: Option<u64>) -> &'static str {
    match effort_said(extra) {
        Some("low") => return "low",
        Some("medium") => return "medium",
        Some("high") => return "high",
        Some("xhigh") => return "xhigh",
        Some("max") => return "max",
        _ => {}
    }
    match wanted {
        Some(..=2048) => "low",
        Some(..=8192) => "medium",
        _ => "high",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thought(model: &str, extra: Value) -> (u64, Map<String, Value>) {
        let mut extra = extra.as_object().unwrap().clone();
        let longest = extra.remove("max_tokens").and_then(|most| most.as_u64());
        let longest = think(&mut extra, longest, Version::of(model), true);
        (longest, extra)
    }

    #[test]
    fn how_much_to_think_is_read_in_openrouters_words_too() {
        for (reasoning, budget) in [
            (json!({"effort": "low"}), json!(1024)),
            (json!({"effort": "high"}), json!(16_384)),
            (json!({"effort": "none"}), Value::Null),
            (json!({"max_tokens": 2000}), json!(2000)),
            (json!({"max_tokens": 0}), Value::Null),
            (json!({"effort": "high", "enabled": false}), Value::Null),
            (json!({"exclude": true}), Value::Null),
            (json!("high"), Value::Null),
        ] {
            let asked = json!({"max_tokens": 20_000, "reasoning": reasoning});
            let (_, extra) = thought("claude-sonnet-4-5", asked);
            let said = extra
                .get("thinking")
                .map(|thinking| thinking["budget_tokens"].clone());
            assert_eq!(said.unwrap_or_default(), budget, "{reasoning}");
        }
        let (_, extra) = thought("claude-opus-4-7", json!({"reasoning": {"effort": "max"}}));
        assert_eq!(extra["output_config"], json!({"effort": "max"}));
    }

    #[test]
    fn an_answer_that_nobody_bounds_fits_an_early_model() {
        for (model, most) in [
            ("claude-3-haiku-20240307", 4096),
            ("claude-3-5-haiku-20241022", 8192),
        ] {
            assert_eq!(thought(model, json!({})).0, most, "{model}");
        }
    }
}
