//! The items of an answer.

use serde_json::{Value, json};

use super::tools::KnownTool;
use crate::cost::of_cache;
use crate::protocols::thoughts::Thoughts;
use crate::wire::{Usage, count_of, new_id};

/// An item of an answer.
pub(super) struct Item {
    /// The item's id.
    pub id: String,
    pub kind: ItemKind,
}

/// The content of an item.
pub(super) enum ItemKind {
    /// The model's thoughts.
    Reasoning(Thoughts),
    /// The model's words.
    Message(String),
    /// A call.
    Call(Call),
}

/// A call of a tool.
pub(super) struct Call {
    /// The place among the calls of the answer, as the upstream counts them.
    pub place: u64,
    pub call_id: String,
    pub tool: KnownTool,
    pub arguments: String,
}

impl Item {
    pub fn new(kind: ItemKind) -> Self {
        let prefix = match &kind {
            ItemKind::Reasoning(_) => "rs_",
            ItemKind::Message(_) => "msg_",
            ItemKind::Call(call) => call.tool.kind.id,
        };
        Self {
            id: new_id(prefix),
            kind,
        }
    }

    /// The item as it begins.
    pub fn begun(&self) -> Value {
        let mut item = self.json("in_progress", false);
        match &self.kind {
            ItemKind::Reasoning(_) => item["summary"] = json!([]),
            ItemKind::Message(_) => item["content"] = json!([]),
            ItemKind::Call(call) if call.tool.kind.fixed.is_none() => {
                item[call.tool.kind.field] = "".into()
            }
            ItemKind::Call(_) => {}
        }
        item
    }

    /// The item as JSON, with sealed thoughts where the caller wants to hand them back.
    pub fn json(&self, status: &str, seals: bool) -> Value {
        match &self.kind {
            ItemKind::Reasoning(thoughts) => {
                let summary = match thoughts.text.is_empty() {
                    true => json!([]),
                    false => json!([summary_part(&thoughts.text)]),
                };
                let mut item = json!({"type": "reasoning", "id": self.id, "summary": summary});
                if seals {
                    item["encrypted_content"] = thoughts.sealed().into();
                }
                item
            }
            ItemKind::Message(text) => json!({
                "type": "message", "id": self.id, "status": status, "role": "assistant",
                "content": [text_part(text)],
            }),
            ItemKind::Call(call) => {
                let kind = call.tool.kind;
                let mut item = json!({
                    "type": kind.call, "id": self.id, "call_id": call.call_id,
                    kind.field: kind.of_arguments(&call.arguments),
                });
                if kind.has_status() {
                    item["status"] = status.into();
                }
                if kind.fixed.is_none() {
                    item["name"] = call.tool.name.as_str().into();
                }
                if kind.kind == "tool_search" {
                    item["execution"] = "client".into();
                }
                if let Some(namespace) = &call.tool.namespace {
                    item["namespace"] = namespace.as_str().into();
                }
                item
            }
        }
    }
}

/// The one part of a message.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// The one part of what a model thought.
pub(super) fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// The tokens of an answer.
pub(super) fn usage(usage: &Usage) -> Value {
    let cache = of_cache(usage, usage.prompt_tokens);
    let details = usage.extra.get("completion_tokens_details");
    let thought = count_of(details.and_then(|details| details.get("reasoning_tokens")));
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": cache.read, "cache_write_tokens": cache.written},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": usage.total_tokens.max(usage.prompt_tokens.saturating_add(usage.completion_tokens)),
    })
}
