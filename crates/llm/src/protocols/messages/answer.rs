//! The parts of an answer in Anthropic's shape.

use serde_json::{Value, json};

use crate::cost::of_cache;
use crate::wire::{Object, Usage, json_text};

/// A block of an answer.
#[derive(Debug)]
pub(super) enum Block {
    /// The model's thoughts, with the signature under them.
    Thinking { text: String, signature: String },
    /// Thoughts that only their provider can read.
    Redacted(Value),
    /// The model's words.
    Text(String),
    /// A call of a tool.
    Call(Call),
}

/// A call, gathered from its parts.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The place among the calls of the answer, as the upstream counts them.
    pub place: u64,
    pub id: String,
    pub name: String,
    pub arguments: String,
}

impl Call {
    /// The arguments as the object that Anthropic's clients expect, in the model's own order. Arguments that a model
    /// was cut in are told as they are.
    pub fn input(&self) -> String {
        let text = self.arguments.trim();
        if text.is_empty() || text == "null" {
            return "{}".to_owned();
        }
        match Object::read(text) {
            Some(_) => text.to_owned(),
            None => json!({ "arguments": text }).to_string(),
        }
    }
}

impl Block {
    /// The block as JSON, without what its deltas bring.
    pub fn begun(&self) -> Value {
        match self {
            Self::Thinking { .. } => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Self::Redacted(block) => block.clone(),
            Self::Text(_) => json!({"type": "text", "text": ""}),
            Self::Call(call) => {
                json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
            }
        }
    }

    /// The block as JSON.
    pub fn whole(&self) -> String {
        let said = |field: &str, text: &str| {
            let mut block = self.begun();
            block[field] = text.into();
            block
        };
        match self {
            Self::Thinking { text, signature } => {
                let mut block = said("thinking", text);
                block["signature"] = signature.as_str().into();
                block.to_string()
            }
            Self::Redacted(_) => self.begun().to_string(),
            Self::Text(text) => said("text", text).to_string(),
            Self::Call(call) => format!(
                r#"{{"type":"tool_use","id":{},"name":{},"input":{}}}"#,
                json_text(&call.id),
                json_text(&call.name),
                call.input()
            ),
        }
    }
}

/// Why an answer stopped, with the text at which it did.
pub(super) fn stop_reason(
    reason: Option<&str>,
    called: bool,
    stopped_at: Option<&str>,
) -> (&'static str, Value) {
    let reason = match reason {
        Some("length") => "max_tokens",
        Some("content_filter") => "refusal",
        // Some servers say `stop` of an answer that calls.
        _ if called => "tool_use",
        _ if stopped_at.is_some() => "stop_sequence",
        _ => "end_turn",
    };
    let stopped_at = stopped_at.filter(|_| reason == "stop_sequence");
    (reason, stopped_at.into())
}

/// The tokens of an answer. Anthropic counts those of its cache apart from the rest.
pub(super) fn usage(usage: Option<&Usage>) -> Value {
    let nothing = Usage::default();
    let usage = usage.unwrap_or(&nothing);
    let cache = of_cache(usage, usage.prompt_tokens);
    let mut told = json!({
        "input_tokens": usage.prompt_tokens - cache.read - cache.written,
        "cache_creation_input_tokens": cache.written,
        "cache_read_input_tokens": cache.read,
        "output_tokens": usage.completion_tokens,
    });
    for field in ["cache_creation", "service_tier"] {
        let value = usage.extra.get(field).filter(|value| !value.is_null());
        if let Some(value) = value {
            told[field] = value.clone();
        }
    }
    told
}
