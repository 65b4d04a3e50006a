//! Answers in OpenAI's shape.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::wire::{
    ChatCompletion, Choice, Content, Extra, Message, Usage, arguments_text, count_of, new_id,
};

/// A message as a chat completion; `None` where it is none.
/// `by_schema` is the name of the tool through which an answer by schema comes.
pub(super) fn completion(message: &Value, by_schema: Option<&str>) -> Option<ChatCompletion> {
    let said = &message["content"];
    let is_message = message["type"] == "message" || message["role"] == "assistant";
    let plain = said
        .as_str()
        .map(|text| json!([{"type": "text", "text": text}]));
    let nothing = json!([]);
    let blocks = match said {
        Value::Null if is_message => nothing.as_array(),
        said => plain.as_ref().unwrap_or(said).as_array(),
    }?;
    let mut text = String::new();
    let mut reasoning = String::new();
    let (mut calls, mut thoughts) = (Vec::new(), Vec::new());
    let mut answered = false;
    for block in blocks {
        match block["type"].as_str().unwrap_or_default() {
            // Words around an answer by schema are no part of it.
            "text" if answered => {}
            "text" => text.push_str(block["text"].as_str().unwrap_or_default()),
            "thinking" => {
                reasoning.push_str(block["thinking"].as_str().unwrap_or_default());
                thoughts.push(block.clone());
            }
            "redacted_thinking" => thoughts.push(block.clone()),
            "tool_use" if by_schema.is_some_and(|name| block["name"] == name) => {
                answered = true;
                text = block["input"].to_string();
            }
            "tool_use" => {
                let id = block["id"].as_str().filter(|id| !id.is_empty());
                let new = || new_id("toolu_");
                let id = id.map_or_else(new, str::to_owned);
                calls.push(json!({"id": id, "type": "function",
                    "function": {"name": block["name"], "arguments": arguments(&block["input"])}}));
            }
            // Calls of Anthropic's own tools and what they gave: the text speaks of it.
            _ => {}
        }
    }
    let mut extra = Extra::new();
    if !reasoning.is_empty() {
        extra.insert("reasoning_content".to_owned(), reasoning.into());
    }
    if !thoughts.is_empty() {
        extra.insert("thinking_blocks".to_owned(), thoughts.into());
    }
    let called = !calls.is_empty();
    if called {
        extra.insert("tool_calls".to_owned(), calls.into());
    }
    let content = match text.is_empty() && called {
        true => Content::Other(Value::Null),
        false => Content::Text(text),
    };
    let reason = finish_reason(message["stop_reason"].as_str(), answered && !called);
    Some(ChatCompletion {
        id: message["id"].as_str().unwrap_or_default().to_owned(),
        object: "chat.completion".to_owned(),
        created: now_s().into(),
        model: message["model"].as_str().unwrap_or_default().to_owned(),
        choices: vec![Choice {
            index: 0,
            message: Message {
                role: "assistant".to_owned(),
                content: Some(content),
                extra,
            },
            finish_reason: reason.map(str::to_owned),
            extra: Extra::new(),
        }],
        usage: Some(usage(&message["usage"])),
        extra: Extra::new(),
        resolved: String::new(),
        failed: Vec::new(),
        left_out: Vec::new(),
        text: None,
        native: None,
    })
}

/// The arguments of a call as text.
pub(super) fn arguments(input: &Value) -> String {
    match input {
        // Some servers of the protocol give them as text, which may be no JSON.
        Value::String(text)
            if !text.trim().is_empty() && serde_json::from_str::<IgnoredAny>(text).is_err() =>
        {
            input.to_string()
        }
        input => arguments_text(input),
    }
}

/// Whether a message is such as Anthropic itself writes it, so that its clients can read it.
pub(super) fn is_plain(message: &Value) -> bool {
    let counts = ["input_tokens", "output_tokens"];
    let has_usage = counts.iter().all(|count| message["usage"][count].is_u64());
    let is_plain = |block: &Value| {
        block["type"] != "tool_use" || (block["id"].is_string() && block["input"].is_object())
    };
    let content = message["content"].as_array();
    has_usage && content.is_some_and(|blocks| blocks.iter().all(is_plain))
}

/// Why it stopped. An answer that had to come as a tool's input is no call.
pub(super) fn finish_reason(reason: Option<&str>, answered: bool) -> Option<&'static str> {
    Some(match reason? {
        "tool_use" if answered => "stop",
        "tool_use" => "tool_calls",
        "max_tokens" | "model_context_window_exceeded" => "length",
        "refusal" => "content_filter",
        _ => "stop",
    })
}

/// Anthropic counts what it read from its cache apart from the rest.
pub(super) fn usage(said: &Value) -> Usage {
    let count = |field: &str| count_of(said.get(field));
    let cached = count("cache_read_input_tokens");
    let written = count("cache_creation_input_tokens");
    let prompt_tokens = count("input_tokens")
        .saturating_add(written)
        .saturating_add(cached);
    let completion_tokens = count("output_tokens");
    let mut extra = Extra::new();
    if cached > 0 {
        extra.insert(
            "prompt_tokens_details".to_owned(),
            json!({"cached_tokens": cached}),
        );
    }
    if written > 0 {
        extra.insert("cache_creation_input_tokens".to_owned(), written.into());
    }
    // These say how dear the tokens are.
    for field in ["cache_creation", "server_tool_use", "service_tier", "speed"] {
        let value = said.get(field).filter(|value| !value.is_null());
        extra.extend(value.map(|value| (field.to_owned(), value.clone())));
    }
    Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens.saturating_add(completion_tokens),
        extra,
    }
}

pub(super) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::anthropic::schema_tool::ANSWER;

    #[test]
    fn a_message_becomes_a_completion() {
        let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "Let me "}, {"type": "text", "text": "look."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 7}});
        let mut answer = serde_json::to_value(completion(&message, None).unwrap()).unwrap();
        answer["created"] = 0.into();
        let expected = json!({"id": "msg_1", "object": "chat.completion", "created": 0, "model": "claude-x",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
                "role": "assistant", "content": "Let me look.", "reasoning_content": "hm",
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
                "tool_calls": [{"id": "t1", "type": "function",
                    "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}],
            "usage": {"prompt_tokens": 15, "completion_tokens": 7, "total_tokens": 22,
                "prompt_tokens_details": {"cached_tokens": 5}}});
        assert_eq!(answer, expected);
    }

    #[test]
    fn tokens_of_the_cache_are_counted_and_told_apart() {
        let usage = usage(&json!({"input_tokens": 10, "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 100, "output_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 100}}));
        let told = serde_json::to_value(&usage).unwrap();
        assert_eq!(
            told,
            json!({"prompt_tokens": 115, "completion_tokens": 7, "total_tokens": 122,
                "prompt_tokens_details": {"cached_tokens": 5}, "cache_creation_input_tokens": 100,
                "cache_creation": {"ephemeral_5m_input_tokens": 100}})
        );
    }

    #[test]
    fn what_other_servers_of_the_protocol_write_is_read() {
        let read = |content: Value| {
            let message = json!({"type": "message", "content": content, "usage": null});
            assert!(!is_plain(&message));
            completion(&message, None)
                .unwrap()
                .choices
                .remove(0)
                .message
        };
        assert_eq!(read(json!("Hi")).plain(), "Hi");
        assert_eq!(read(Value::Null).plain(), "");
        let call = |input: Value| {
            let block = json!({"type": "tool_use", "id": null, "name": "f", "input": input});
            let calls = read(json!([block])).extra.remove("tool_calls").unwrap();
            assert!(calls[0]["id"].as_str().unwrap().starts_with("toolu_"));
            calls[0]["function"]["arguments"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(call(json!("{\"a\":1}")), "{\"a\":1}");
        assert_eq!(call(json!("")), "{}");
        assert_eq!(call(json!("cut o")), "\"cut o\"");
        let own = json!({"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}],
            "usage": {"input_tokens": 1, "output_tokens": 2}});
        assert!(is_plain(&own));
        assert!(completion(&json!({"content": null}), None).is_none());
    }

    #[test]
    fn an_answer_by_schema_is_its_text() {
        let message = json!({"content": [{"type": "tool_use", "id": "t", "name": ANSWER, "input": {"a": 1}}],
            "stop_reason": "tool_use"});
        let answer = completion(&message, Some(ANSWER)).unwrap();
        assert_eq!(answer.text(), r#"{"a":1}"#);
        assert_eq!(answer.choices[0].finish_reason.as_deref(), Some("stop"));
        assert!(completion(&json!({"hello": 1}), None).is_none());
    }
}
