//! The conversation in Anthropic's shape.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::blocks::blocks;
use super::call_ids::CallIds;
use crate::error::{GatewayError, Result};
use crate::wire::Message;

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
    let mut ids = CallIds::default();
    for message in messages {
        let (role, blocks) = match message.role.as_str() {
            "system" | "developer" => {
                system.extend(blocks(message.content)?);
                continue;
            }
            "assistant" => {
                if turns.last().is_none_or(|turn| turn.role != "assistant") {
                    ids.next_turn();
                }
                ("assistant", assistant(message, &mut ids)?)
            }
            "tool" | "function" => ("user", vec![tool_result(message, &mut ids)?]),
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

fn assistant(mut message: Message, ids: &mut CallIds) -> Result<Vec<Value>> {
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
        let id = ids.of_call(call["id"].as_str().unwrap_or_default());
        said.push(json!({"type": "tool_use", "id": id, "name": function["name"], "input": input}));
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

fn tool_result(mut message: Message, ids: &mut CallIds) -> Result<Value> {
    let mut result = Map::new();
    result.insert("type".to_owned(), "tool_result".into());
    let id = message.extra.remove("tool_call_id").unwrap_or_default();
    let id = ids.of_result(id.as_str().unwrap_or_default());
    result.insert("tool_use_id".to_owned(), id.into());
    result.insert("content".to_owned(), blocks(message.content)?.into());
    for field in ["is_error", "cache_control"] {
        if let Some(value) = message.extra.remove(field) {
            result.insert(field.to_owned(), value);
        }
    }
    Ok(result.into())
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
    fn the_ids_of_calls_are_such_as_anthropic_takes_and_no_two_the_same() {
        let calls = |ids: [&str; 2]| {
            let calls =
                ids.map(|id| json!({"id": id, "function": {"name": "f", "arguments": "{}"}}));
            json!({"role": "assistant", "tool_calls": calls})
        };
        let result =
            |id: &str, said: &str| json!({"role": "tool", "tool_call_id": id, "content": said});
        for (given, sent) in [
            (["a", "b"], ["a", "b"]),
            (
                ["functions.f:0", "functions.f:1"],
                ["functions_f_0", "functions_f_1"],
            ),
            (["f:0", "f.0"], ["f_0", "f_0_2"]),
            (["a", "a"], ["a", "a_2"]),
            (["", ""], ["call", "call_2"]),
        ] {
            let messages = json!([calls(given), result(given[0], "1"), result(given[1], "2")]);
            let turns = turns(messages);
            for place in [0, 1] {
                assert_eq!(turns[0][1][place]["id"], sent[place], "{turns}");
                let result = &turns[1][1][place];
                assert_eq!(result["tool_use_id"], sent[place], "{turns}");
                assert_eq!(
                    result["content"][0]["text"],
                    (place + 1).to_string(),
                    "{turns}"
                );
            }
        }
        let unanswered = json!([calls(["f:0", "f:1"]), {"role": "user", "content": "x"}, calls(["f:0", "f:1"]),
            result("f:0", "1"), result("f:1", "2")]);
        assert_eq!(turns(unanswered)[3][1][0]["content"][0]["text"], "1");
        // Some give the same ids in every answer.
        let twice = json!([
            calls(["f:0", "f:1"]),
            result("f:0", "1"),
            result("f:1", "2"),
            calls(["f:0", "f:1"]),
            result("f:1", "4"),
            result("f:0", "3")
        ]);
        let turns = turns(twice);
        assert_eq!(turns[2][1][0]["id"], "f_0_2");
        let said: Vec<&Value> = [0, 1]
            .map(|place| &turns[3][1][place]["tool_use_id"])
            .into();
        assert_eq!(said, ["f_1_2", "f_0_2"]);
        assert_eq!(turns[3][1][0]["content"][0]["text"], "4");
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
}
