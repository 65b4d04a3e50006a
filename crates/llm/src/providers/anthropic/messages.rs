//! The conversation in Anthropic's shape.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD;
use serde_json::{Map, Value, json};

use crate::error::{GatewayError, Result};
use crate::wire::{Content, ContentPart, Message};

/// The longest text that is taken for a media type.
const MEDIA_TYPE_CHARS: usize = 100;

/// A conversation: the system blocks, and the turns of user and assistant.
pub(super) struct Conversation {
    pub system: Vec<Value>,
    pub turns: Vec<Turn>,
}

/// A turn, with its blocks.
pub(super) struct Turn {
    pub role: &'static str,
    pub blocks: Vec<Value>,
}

impl Turn {
    fn has(&self, kind: &str) -> bool {
        self.blocks.iter().any(|block| block["type"] == kind)
    }
}

/// The conversation with its turns in turn: Anthropic wants what tools answered as the first thing that the user says
/// next, for every call, and for nothing else.
pub(super) fn conversation(messages: Vec<Message>) -> Result<Conversation> {
    let mut system = Vec::new();
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages {
        let (role, blocks) = match message.role.as_str() {
            "system" | "developer" => {
                system.extend(blocks(message.content)?);
                continue;
            }
            "assistant" => ("assistant", assistant(message)?),
            "tool" | "function" => ("user", vec![tool_result(message)?]),
            _ => ("user", blocks(message.content)?),
        };
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => turns.push(Turn { role, blocks }),
        }
    }
    answer_calls(&mut turns);
    if turns.is_empty() {
        // Anthropic wants something that the user says.
        let blocks = std::mem::take(&mut system);
        if blocks.is_empty() {
            return Err(GatewayError::invalid(
                Some("messages"),
                "`messages` hold no text; write at least one word",
            ));
        }
        turns.push(Turn {
            role: "user",
            blocks,
        });
    }
    Ok(Conversation { system, turns })
}

impl Conversation {
    /// Whether a model that thinks can go on from here: the last turn of the assistant, if it called tools, has to hold
    /// what was thought before. Clients of OpenAI's don't send that back.
    pub fn lets_think(&self) -> bool {
        let last = self.turns.iter().rfind(|turn| turn.role == "assistant");
        last.is_none_or(|turn| {
            let first = turn.blocks.first().map(|block| &block["type"]);
            let thinks =
                first.is_some_and(|kind| *kind == "thinking" || *kind == "redacted_thinking");
            thinks || !turn.has("tool_use")
        })
    }

    /// Marks where the next request may begin to differ: after the instructions, with the tools before them, and once
    /// the conversation has gone on, at its end too. The end of a first request is not marked, as most plans need no
    /// second one and keeping costs a quarter more than reading.
    pub fn mark_for_cache(&mut self) {
        let has_gone_on = self.turns.iter().any(|turn| turn.role == "assistant");
        let last = self.turns.last_mut().filter(|_| has_gone_on);
        let ends = [
            self.system.last_mut(),
            last.and_then(|turn| turn.blocks.last_mut()),
        ];
        for block in ends.into_iter().flatten() {
            block["cache_control"] = json!({"type": "ephemeral"});
        }
    }

    /// The names of the tools that were called.
    pub fn called(&self) -> Vec<Value> {
        let blocks = self.turns.iter().flat_map(|turn| &turn.blocks);
        let calls = blocks.filter(|block| block["type"] == "tool_use");
        let mut names: Vec<Value> = Vec::new();
        for call in calls {
            if !names.contains(&call["name"]) {
                names.push(call["name"].clone());
            }
        }
        names
    }

    /// Takes the white space from the end of words that the answer is to go on with, which Anthropic refuses there.
    pub fn trim_end(&mut self) {
        let last = self
            .turns
            .last_mut()
            .filter(|turn| turn.role == "assistant");
        let block = last.and_then(|turn| turn.blocks.last_mut());
        if let Some(block) = block.filter(|block| block["type"] == "text") {
            let text = block["text"].as_str().unwrap_or_default().trim_end();
            block["text"] = text.into();
        }
    }

    /// Whether the answer is to go on with words of the assistant's.
    pub fn is_prefilled(&self) -> bool {
        self.turns
            .last()
            .is_some_and(|turn| turn.role == "assistant")
    }
}

/// Gives every call the result right after it that Anthropic wants, and makes text of a result without a call.
fn answer_calls(turns: &mut Vec<Turn>) {
    let mut place = 0;
    let mut open: Vec<Value> = Vec::new();
    while place < turns.len() {
        let turn = &mut turns[place];
        if turn.role == "assistant" {
            let calls = turn
                .blocks
                .iter()
                .filter(|block| block["type"] == "tool_use");
            open = calls.map(|call| call["id"].clone()).collect();
            let is_last = place + 1 == turns.len();
            if is_last && !open.is_empty() {
                turns.push(Turn {
                    role: "user",
                    blocks: Vec::new(),
                });
            }
            place += 1;
            continue;
        }
        let mut results: Vec<Value> = Vec::new();
        let mut rest = Vec::new();
        let mut answered = HashSet::new();
        for block in std::mem::take(&mut turn.blocks) {
            let id = block["tool_use_id"].clone();
            match block["type"] == "tool_result" {
                true if open.contains(&id) && answered.insert(id.to_string()) => {
                    results.push(block)
                }
                true => rest.extend(block["content"].as_array().into_iter().flatten().cloned()),
                false => rest.push(block),
            }
        }
        let unanswered = open
            .drain(..)
            .filter(|id| !answered.contains(&id.to_string()));
        results.extend(unanswered.map(|id| {
            json!({"type": "tool_result", "tool_use_id": id, "is_error": true,
                "content": [{"type": "text", "text": "There is no result."}]})
        }));
        results.extend(rest);
        turn.blocks = results;
        place += 1;
    }
    turns.retain(|turn| !turn.blocks.is_empty());
}

fn assistant(mut message: Message) -> Result<Vec<Value>> {
    // The thoughts before a call have to come back with it.
    let mut said = match message.extra.remove("thinking_blocks") {
        Some(Value::Array(thoughts)) => thoughts,
        _ => Vec::new(),
    };
    said.extend(blocks(message.content)?);
    let Some(Value::Array(calls)) = message.extra.remove("tool_calls") else {
        return Ok(said);
    };
    for call in calls {
        let function = &call["function"];
        let input = input(&function["arguments"]);
        said.push(
            json!({"type": "tool_use", "id": call["id"], "name": function["name"], "input": input}),
        );
    }
    Ok(said)
}

/// The input of a call: always an object. Arguments that a model was cut in are told as they are, so that a history
/// with them can go on.
fn input(arguments: &Value) -> Value {
    let text = match arguments {
        Value::Object(_) => return arguments.clone(),
        Value::String(text) => text.trim(),
        _ => "",
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(input)) => input.into(),
        Ok(Value::Null) => json!({}),
        Ok(Value::Array(items)) if items.is_empty() => json!({}),
        _ if text.is_empty() => json!({}),
        Ok(other) => json!({ "value": other }),
        Err(_) => json!({ "arguments": text }),
    }
}

fn tool_result(mut message: Message) -> Result<Value> {
    let mut result = Map::new();
    result.insert("type".to_owned(), "tool_result".into());
    let id = message.extra.remove("tool_call_id").unwrap_or_default();
    result.insert("tool_use_id".to_owned(), id);
    result.insert("content".to_owned(), blocks(message.content)?.into());
    for field in ["is_error", "cache_control"] {
        if let Some(value) = message.extra.remove(field) {
            result.insert(field.to_owned(), value);
        }
    }
    Ok(result.into())
}

fn blocks(content: Option<Content>) -> Result<Vec<Value>> {
    let blocks: Vec<Value> = match content {
        Some(Content::Text(text)) => vec![json!({"type": "text", "text": text})],
        Some(Content::Parts(parts)) => parts.into_iter().map(block).collect::<Result<_>>()?,
        _ => Vec::new(),
    };
    // A block without a word is refused.
    let is_blank = |block: &Value| {
        let text = block["text"].as_str().unwrap_or_default();
        block["type"] == "text" && text.trim().is_empty()
    };
    Ok(blocks
        .into_iter()
        .filter(|block| !is_blank(block))
        .collect())
}

fn block(mut part: ContentPart) -> Result<Value> {
    let kind = part.kind.as_str();
    let block = match kind {
        "image_url" | "input_image" => {
            let image = part.extra.remove("image_url").unwrap_or_default();
            let url = image.as_str().or(image["url"].as_str()).unwrap_or_default();
            part.extra.remove("detail");
            file_block(&data_source(url, "picture")?)
        }
        "file" | "input_file" => {
            let file = part.extra.remove("file").unwrap_or_default();
            let said = |name: &str| {
                let text = file.get(name).or(part.extra.get(name))?.as_str();
                text.map(str::to_owned)
            };
            let block = file_of(&said)?;
            for name in ["file_data", "file_id", "file_url", "filename"] {
                part.extra.remove(name);
            }
            block
        }
        "input_text" | "output_text" => json!({"type": "text"}),
        "refusal" => {
            let text = part.extra.remove("refusal").unwrap_or_default();
            json!({"type": "text", "text": text})
        }
        "input_audio" | "audio_url" | "video_url" | "input_video" => {
            return Err(GatewayError::invalid(
                Some("messages"),
                format!(
                    "Anthropic takes no content of the type {kind}; send it as text, or ask another model"
                ),
            ));
        }
        kind => json!({ "type": kind }),
    };
    if let Value::Object(fields) = block {
        part.extra.extend(fields);
    }
    Ok(part.extra.into())
}

/// A file, by the fields that say where it is.
fn file_of(said: &dyn Fn(&str) -> Option<String>) -> Result<Value> {
    if let Some(id) = said("file_id") {
        return Ok(json!({"type": "document", "source": {"type": "file", "file_id": id}}));
    }
    if let Some(url) = said("file_url") {
        return Ok(json!({"type": "document", "source": {"type": "url", "url": url}}));
    }
    let data = said("file_data").ok_or_else(|| {
        GatewayError::invalid(
            Some("messages"),
            "A file needs `file_data`, as data:application/pdf;base64,…",
        )
    })?;
    let source = match data.starts_with("data:") || data.starts_with("http") {
        true => data_source(&data, "file")?,
        // Bytes alone: the most usual kind of a file.
        false => json!({"type": "base64", "media_type": "application/pdf", "data": data}),
    };
    let mut block = file_block(&source);
    if let Some(name) = said("filename").filter(|_| block["type"] == "document") {
        block["title"] = name.into();
    }
    Ok(block)
}

/// The block of a source, by its media type.
fn file_block(source: &Value) -> Value {
    let media_type = source["media_type"].as_str().unwrap_or_default();
    match media_type {
        "application/pdf" | "text/plain" => json!({"type": "document", "source": source}),
        _ => json!({"type": "image", "source": source}),
    }
}

/// The source at an address, or in it.
fn data_source(url: &str, what: &str) -> Result<Value> {
    let Some(data) = url.strip_prefix("data:") else {
        return Ok(json!({"type": "url", "url": url}));
    };
    let (kind, data) = data.split_once(";base64,").ok_or_else(|| {
        GatewayError::invalid(
            Some("messages"),
            format!("A {what}'s data: address has to be base64, such as data:image/png;base64,…"),
        )
    })?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let media_type = match kind.to_ascii_lowercase().as_str() {
        "image/jpg" | "image/pjpeg" => "image/jpeg".to_owned(),
        "image/x-png" => "image/png".to_owned(),
        "application/x-pdf" => "application/pdf".to_owned(),
        other => other.chars().take(MEDIA_TYPE_CHARS).collect(),
    };
    let is_text = media_type.starts_with("text/") || media_type == "application/json";
    if !is_text {
        return Ok(json!({"type": "base64", "media_type": media_type, "data": data}));
    }
    let text = decoded(data).ok_or_else(|| {
        let message = format!("The base64 of a {what} can't be read");
        GatewayError::invalid(Some("messages"), message)
    })?;
    Ok(json!({"type": "text", "media_type": "text/plain", "data": text}))
}

/// The text in base64, of either alphabet.
fn decoded(base64: &str) -> Option<String> {
    let letters = base64
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '=');
    let letters = letters.map(|letter| match letter {
        '-' => '+',
        '_' => '/',
        letter => letter,
    });
    let bytes = STANDARD_NO_PAD.decode(letters.collect::<String>()).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(messages: Value) -> Value {
        let messages: Vec<Message> = serde_json::from_value(messages).unwrap();
        let turns = conversation(messages).unwrap().turns;
        turns
            .into_iter()
            .map(|turn| json!([turn.role, turn.blocks]))
            .collect()
    }

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    #[test]
    fn every_call_is_followed_by_its_result_and_nothing_comes_before_it() {
        let call = |id: &str, arguments: Value| json!({"id": id, "function": {"name": "f", "arguments": arguments}});
        let use_of = |id: &str, input: Value| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
        let result = |id: &str, said: &str| json!({"type": "tool_result", "tool_use_id": id, "content": [text(said)]});
        let missing = |id: &str| {
            json!({"type": "tool_result", "tool_use_id": id, "is_error": true,
            "content": [text("There is no result.")]})
        };
        let called =
            |calls: Value| json!({"role": "assistant", "content": null, "tool_calls": calls});
        let user = json!({"role": "user", "content": "hm"});
        let tool = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "one"});
        for (messages, expected) in [
            (
                json!([
                    user,
                    called(json!([call("a", json!("{}"))])),
                    user,
                    tool("a")
                ]),
                json!([
                    ["user", [text("hm")]],
                    ["assistant", [use_of("a", json!({}))]],
                    ["user", [result("a", "one"), text("hm")]]
                ]),
            ),
            (
                json!([
                    user,
                    called(json!([call("a", json!("{}")), call("b", json!("{}"))])),
                    tool("b"),
                    user
                ]),
                json!([
                    ["user", [text("hm")]],
                    [
                        "assistant",
                        [use_of("a", json!({})), use_of("b", json!({}))]
                    ],
                    ["user", [result("b", "one"), missing("a"), text("hm")]]
                ]),
            ),
            (
                json!([user, called(json!([call("a", json!("{}"))]))]),
                json!([
                    ["user", [text("hm")]],
                    ["assistant", [use_of("a", json!({}))]],
                    ["user", [missing("a")]]
                ]),
            ),
            (
                json!([user, tool("gone")]),
                json!([["user", [text("hm"), text("one")]]]),
            ),
            (
                json!([{"role": "system", "content": "Only this."}]),
                json!([["user", [text("Only this.")]]]),
            ),
            (
                json!([user, {"role": "assistant", "content": [{"type": "text", "text": " "}]}, user]),
                json!([["user", [text("hm"), text("hm")]]]),
            ),
        ] {
            assert_eq!(turns(messages.clone()), expected, "{messages}");
        }
    }

    #[test]
    fn the_input_of_a_call_is_always_an_object() {
        for (arguments, expected) in [
            (json!(""), json!({})),
            (json!("null"), json!({})),
            (json!("[]"), json!({})),
            (json!(null), json!({})),
            (json!({"a": 1}), json!({"a": 1})),
            (json!(" {\"a\": 1} "), json!({"a": 1})),
            (json!("[1]"), json!({"value": [1]})),
            (
                json!("{\"a\": \"cut o"),
                json!({"arguments": "{\"a\": \"cut o"}),
            ),
        ] {
            assert_eq!(input(&arguments), expected, "{arguments}");
        }
    }

    #[test]
    fn files_and_pictures_of_every_kind_find_their_block() {
        let file =
            |data: &str| json!({"type": "file", "file": {"filename": "a", "file_data": data}});
        let document = |source: Value| json!({"type": "document", "source": source, "title": "a"});
        let base64 = |kind: &str| json!({"type": "base64", "media_type": kind, "data": "QQ=="});
        let image = |source: Value| json!({"type": "image", "source": source});
        let pictured =
            |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
        for (part, expected) in [
            (
                file("data:application/pdf;base64,QQ=="),
                document(base64("application/pdf")),
            ),
            (file("QQ=="), document(base64("application/pdf"))),
            (
                file("data:text/csv;charset=utf-8;base64,YSxiCg=="),
                document(json!({"type": "text", "media_type": "text/plain", "data": "a,b\n"})),
            ),
            (
                file("data:image/png;base64,QQ=="),
                image(base64("image/png")),
            ),
            (
                json!({"type": "file", "file": {"file_id": "f1"}}),
                json!({"type": "document", "source": {"type": "file", "file_id": "f1"}}),
            ),
            (
                pictured("data:image/jpg;base64,QQ=="),
                image(base64("image/jpeg")),
            ),
            (
                pictured("data:IMAGE/PNG;base64,QQ=="),
                image(base64("image/png")),
            ),
            (
                json!({"type": "input_image", "image_url": "https://x/y.png"}),
                image(json!({"type": "url", "url": "https://x/y.png"})),
            ),
            (json!({"type": "input_text", "text": "x"}), text("x")),
            (json!({"type": "refusal", "refusal": "no"}), text("no")),
            (
                json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
                json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
            ),
        ] {
            let part: ContentPart = serde_json::from_value(part).unwrap();
            assert_eq!(block(part).unwrap(), expected);
        }
        let sound = json!({"type": "input_audio", "input_audio": {"data": "QQ=="}});
        let refused = block(serde_json::from_value(sound).unwrap()).unwrap_err();
        assert!(refused.message.contains("input_audio"), "{refused}");
    }
}
