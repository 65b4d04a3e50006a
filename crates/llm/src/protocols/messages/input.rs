//! The conversation of a request: turns of blocks become messages. Blocks that the gateway has no words of its own for
//! (`image`, `document`, results of Anthropic's own tools) stay parts as they are.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{GatewayError, Result};
use crate::protocols::signed::{plain_id, unseal_id};
use crate::protocols::thoughts::Thoughts;
use crate::wire::{Content, ContentPart, Extra, Message, RawJson};

#[derive(Deserialize)]
struct GivenMessage {
    role: String,
    content: RawJson,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct ToolUse {
    id: String,
    name: String,
    #[serde(default)]
    input: Option<RawJson>,
}

#[derive(Deserialize)]
struct ToolResult {
    tool_use_id: String,
    #[serde(default)]
    content: Option<RawJson>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(default)]
    cache_control: Option<Value>,
}

/// The blocks of a content, where a text alone is one block.
enum Blocks {
    Text(String),
    Blocks(Vec<RawJson>),
}

fn wrong(message: String) -> GatewayError {
    GatewayError::invalid(Some("messages"), message)
}

fn blocks(content: &RawJson, place: &str) -> Result<Blocks> {
    if let Some(text) = content.read() {
        return Ok(Blocks::Text(text));
    }
    let blocks = content.read().map(Blocks::Blocks);
    blocks.ok_or_else(|| {
        wrong(format!(
            "`{place}.content` has to be a text or a list of blocks"
        ))
    })
}

/// The messages of a conversation.
pub(super) fn messages(given: &[RawJson]) -> Result<Vec<Message>> {
    let mut messages = Vec::with_capacity(given.len());
    for (place, message) in given.iter().enumerate() {
        let place = format!("messages.{place}");
        let message: GivenMessage = message
            .read()
            .ok_or_else(|| wrong(format!("`{place}` needs a `role` and a `content`")))?;
        let content = blocks(&message.content, &place)?;
        match message.role.as_str() {
            "assistant" => messages.extend(assistant(content, &place)?),
            "user" => user(content, &place, &mut messages)?,
            "system" => messages.extend(reminder(content, &place)?),
            other => {
                return Err(wrong(format!(
                    "`{place}.role` is {other}; it has to be user or assistant"
                )));
            }
        }
    }
    Ok(messages)
}

/// The instructions before a conversation.
pub(super) fn system(given: &RawJson) -> Result<Option<Message>> {
    let message = |content| Message {
        role: "system".to_owned(),
        content: Some(content),
        extra: Extra::new(),
    };
    Ok(match blocks(given, "system")? {
        Blocks::Text(text) if text.is_empty() => None,
        Blocks::Text(text) => Some(message(Content::Text(text))),
        Blocks::Blocks(blocks) => {
            let parts = blocks.iter().map(|block| part(block, "system"));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            (!parts.is_empty()).then(|| message(Content::Parts(parts)))
        }
    })
}

/// Instructions in the middle of a conversation. Models elsewhere take them only before it, so they become what the
/// user's program says, in the words that such programs use.
fn reminder(content: Blocks, place: &str) -> Result<Option<Message>> {
    let text = match content {
        Blocks::Text(text) => text,
        Blocks::Blocks(blocks) => {
            let parts = blocks.iter().map(|block| part(block, place));
            let message = Message {
                role: String::new(),
                content: Some(Content::Parts(parts.collect::<Result<_>>()?)),
                extra: Extra::new(),
            };
            message.plain()
        }
    };
    let said = format!("<system-reminder>\n{text}\n</system-reminder>");
    Ok((!text.is_empty()).then(|| Message::user(said)))
}

fn user(content: Blocks, place: &str, messages: &mut Vec<Message>) -> Result<()> {
    let blocks = match content {
        Blocks::Text(text) => {
            messages.push(Message::user(text));
            return Ok(());
        }
        Blocks::Blocks(blocks) => blocks,
    };
    let mut parts = Vec::new();
    for block in &blocks {
        if kind(block, place)? == "tool_result" {
            messages.push(tool_result(block, place)?);
        } else {
            parts.push(part(block, place)?);
        }
    }
    if !parts.is_empty() {
        messages.push(Message {
            role: "user".to_owned(),
            content: Some(Content::Parts(parts)),
            extra: Extra::new(),
        });
    }
    Ok(())
}

fn tool_result(block: &RawJson, place: &str) -> Result<Message> {
    let result: ToolResult = block
        .read()
        .ok_or_else(|| wrong(format!("a tool_result of `{place}` needs a `tool_use_id`")))?;
    let content = match &result.content {
        Some(content) if content.text() != "null" => match blocks(content, place)? {
            Blocks::Text(text) => Content::Text(text),
            Blocks::Blocks(blocks) => {
                let parts = blocks.iter().map(|block| part(block, place));
                Content::Parts(parts.collect::<Result<_>>()?)
            }
        },
        _ => Content::Text(String::new()),
    };
    let mut extra = Extra::new();
    extra.insert(
        "tool_call_id".to_owned(),
        plain_id(&result.tool_use_id).into(),
    );
    if result.is_error == Some(true) {
        extra.insert("is_error".to_owned(), true.into());
    }
    let cached = result.cache_control.and_then(cache_control);
    extra.extend(cached.map(|cached| ("cache_control".to_owned(), cached)));
    Ok(Message {
        role: "tool".to_owned(),
        content: Some(content),
        extra,
    })
}

fn assistant(content: Blocks, place: &str) -> Result<Option<Message>> {
    let mut message = Message {
        role: "assistant".to_owned(),
        content: None,
        extra: Extra::new(),
    };
    let blocks = match content {
        Blocks::Text(text) => {
            message.content = Some(Content::Text(text));
            return Ok(Some(message));
        }
        Blocks::Blocks(blocks) => blocks,
    };
    let mut thoughts = Thoughts::default();
    let (mut parts, mut calls) = (Vec::new(), Vec::new());
    for block in &blocks {
        match kind(block, place)?.as_str() {
            "thinking" | "redacted_thinking" => thoughts.take_block(block.value()),
            "tool_use" => {
                let call: ToolUse = block.read().ok_or_else(|| {
                    wrong(format!(
                        "a tool_use of `{place}` needs an `id` and a `name`"
                    ))
                })?;
                let input = call.input.as_ref().map_or("{}", RawJson::text);
                let mut told = json!({"id": plain_id(&call.id), "type": "function",
                    "function": {"name": call.name, "arguments": input}});
                unseal_id(&call.id, &mut told, &mut message.extra);
                calls.push(told);
            }
            _ => parts.push(part(block, place)?),
        }
    }
    if parts.is_empty() && calls.is_empty() {
        return Ok(None);
    }
    thoughts.put_into(&mut message);
    message.content = (!parts.is_empty()).then_some(Content::Parts(parts));
    if !calls.is_empty() {
        message.extra.insert("tool_calls".to_owned(), calls.into());
    }
    Ok(Some(message))
}

/// The type of a block.
fn kind(block: &RawJson, place: &str) -> Result<String> {
    let kind: Option<Kind> = block.read();
    let kind = kind.ok_or_else(|| wrong(format!("a block of `{place}` needs a `type`")))?;
    Ok(kind.kind)
}

/// A block as a part of a content.
fn part(block: &RawJson, place: &str) -> Result<ContentPart> {
    let part: Option<ContentPart> = block.read();
    let mut part = part.ok_or_else(|| wrong(format!("a block of `{place}` needs a `type`")))?;
    if let Some(cached) = part.extra.remove("cache_control").and_then(cache_control) {
        part.extra.insert("cache_control".to_owned(), cached);
    }
    Ok(part)
}

/// A mark for the provider's cache with what Anthropic takes in it without a beta header.
pub(super) fn cache_control(mark: Value) -> Option<Value> {
    let Value::Object(mut mark) = mark else {
        return None;
    };
    mark.retain(|name, _| name == "type" || name == "ttl");
    Some(mark.into())
}
