//! A chunk of a chat completion, as far as other protocols have words for it.

use serde_json::Value;

use super::signed::{signed_fields, words_of_details};
use crate::wire::Extra;

/// The fields in which servers stream what a model thinks.
const THOUGHTS: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

/// The new part of an answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Chunk {
    /// The upstream's id of the answer.
    pub id: String,
    /// The model as the upstream calls it.
    pub model: String,
    /// The model's thoughts.
    pub thoughts: String,
    /// Whole blocks of thoughts in Anthropic's shape, with their signatures.
    pub thinking_blocks: Vec<Value>,
    /// The fields that the provider wants back with the message.
    pub signed: Extra,
    /// The model's words.
    pub text: String,
    /// The model's reason not to answer.
    pub refusal: String,
    /// Parts of calls.
    pub calls: Vec<CallPart>,
    /// Why it stopped.
    pub finish_reason: Option<String>,
    /// The text at which it stopped, where the server tells.
    pub stop_sequence: Option<String>,
}

/// A part of a call.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CallPart {
    /// The place among the calls of the answer.
    pub place: u64,
    /// The call's id, in its first part.
    pub id: String,
    /// The tool's name, in its first part.
    pub name: String,
    /// More of the arguments.
    pub arguments: String,
    /// The fields that the provider wants back with the call.
    pub signed: Extra,
}

impl Chunk {
    /// Reads the first choice of a chunk. Everything that is missing or of another type is empty.
    pub fn read(chunk: &[u8]) -> Self {
        let chunk: Value = serde_json::from_slice(chunk).unwrap_or_default();
        Self::of(&chunk)
    }

    /// The same of a chunk that is read already.
    pub fn of(chunk: &Value) -> Self {
        let choices = chunk["choices"].as_array().into_iter().flatten();
        let mut choices = choices.filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
        let nothing = Value::Null;
        let choice = choices.next().unwrap_or(&nothing);
        let delta = &choice["delta"];
        let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let thoughts = THOUGHTS.iter().map(|field| said(&delta[field]));
        let signed = signed_fields(delta);
        let mut read = Self {
            id: said(&chunk["id"]),
            model: said(&chunk["model"]),
            thoughts: thoughts
                .into_iter()
                .find(|thoughts| !thoughts.is_empty())
                .unwrap_or_else(|| words_of_details(&signed)),
            thinking_blocks: delta["thinking_blocks"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            signed,
            refusal: said(&delta["refusal"]),
            finish_reason: choice["finish_reason"].as_str().map(str::to_owned),
            stop_sequence: choice["stop_reason"].as_str().map(str::to_owned),
            text: said(&delta["content"]),
            ..Self::default()
        };
        let calls = delta["tool_calls"].as_array().into_iter().flatten();
        read.calls = calls.enumerate().map(call_part).collect();
        read
    }
}

fn call_part((place, call): (usize, &Value)) -> CallPart {
    let function = &call["function"];
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    CallPart {
        place: call["index"].as_u64().unwrap_or(place as u64),
        id: said(&call["id"]),
        name: said(&function["name"]),
        arguments: match &function["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        },
        signed: signed_fields(call),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chunk_is_read_in_every_servers_words() {
        let read = |delta: Value| {
            let chunk = json!({"id": "c", "model": "m", "choices": [{"delta": delta}]});
            Chunk::read(chunk.to_string().as_bytes())
        };
        assert_eq!(read(json!({"content": "a"})).text, "a");
        assert_eq!(read(json!({"reasoning": "b"})).thoughts, "b");
        assert_eq!(
            read(json!({"reasoning_content": "", "reasoning": "b"})).thoughts,
            "b"
        );
        let calls = json!({"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}},
            {"index": 4, "function": {"arguments": "x"}}]});
        let calls = read(calls).calls;
        assert_eq!((calls[0].place, &*calls[0].arguments), (0, r#"{"a":1}"#));
        assert_eq!((calls[1].place, &*calls[1].arguments), (4, "x"));
        for odd in [
            "",
            "7",
            "[]",
            r#"{"choices":{}}"#,
            r#"{"choices":[{"delta":[]}]}"#,
        ] {
            assert_eq!(Chunk::read(odd.as_bytes()), Chunk::default(), "{odd}");
        }
        let second = json!({"choices": [{"index": 1, "delta": {"content": "b"}}]});
        assert_eq!(Chunk::of(&second).text, "");
    }
}
