//! An answer that a server streams although nobody asked it to, gathered into one piece.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::reported::reported;
use crate::sse::{Decoder, Frame};
use crate::wire::{mended, plain_content};

/// The answer of a body that is a stream of events or of lines of JSON; none where it is neither, or breaks off. An
/// error in it is given as the body that reports it.
pub(super) fn gathered(body: &[u8]) -> Option<Bytes> {
    let mut decoder = Decoder::new(body.len());
    decoder.push(body);
    decoder.end();
    let mut answer = Map::new();
    let mut choices: Vec<Gathered> = Vec::new();
    let mut is_done = false;
    while let Ok(Some(frame)) = decoder.next() {
        let data = match frame {
            Frame::Comment => continue,
            Frame::Error(data) => {
                let said: Value = serde_json::from_slice(&data)
                    .unwrap_or_else(|_| String::from_utf8_lossy(&data).into_owned().into());
                return Some(json!({ "error": said }).to_string().into());
            }
            Frame::Data(data) => data,
        };
        if data.trim_ascii() == b"[DONE]" {
            is_done = true;
            break;
        }
        let chunk =
            serde_json::from_slice(&data).or_else(|_| serde_json::from_slice(&mended(&data)));
        let Ok(Value::Object(mut chunk)) = chunk else {
            return None;
        };
        if reported(&data).is_some() {
            return Some(data);
        }
        let pieces = chunk.remove("choices");
        for piece in pieces
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let index = piece["index"].as_u64().unwrap_or(0);
            let place = choices.iter().position(|choice| choice.index == index);
            let place = place.unwrap_or_else(|| {
                choices.push(Gathered::new(index));
                choices.len() - 1
            });
            choices[place].add(piece);
        }
        let told = chunk.into_iter().filter(|(_, value)| !value.is_null());
        answer.extend(told);
    }
    let is_whole = is_done || choices.iter().all(Gathered::is_finished);
    if choices.is_empty() || !is_whole {
        return None;
    }
    answer.insert("object".to_owned(), "chat.completion".into());
    let choices: Vec<Value> = choices.into_iter().map(Gathered::into_choice).collect();
    answer.insert("choices".to_owned(), choices.into());
    Some(Value::Object(answer).to_string().into())
}

/// A choice, gathered from its pieces.
struct Gathered {
    index: u64,
    message: Map<String, Value>,
    calls: Vec<Value>,
    finish_reason: Value,
}

impl Gathered {
    fn new(index: u64) -> Self {
        Self {
            index,
            message: Map::from_iter([("role".to_owned(), "assistant".into())]),
            calls: Vec::new(),
            finish_reason: Value::Null,
        }
    }

    fn is_finished(&self) -> bool {
        self.finish_reason
            .as_str()
            .is_some_and(|reason| !reason.is_empty())
    }

    fn add(&mut self, piece: &Value) {
        if !piece["finish_reason"].is_null() {
            self.finish_reason = piece["finish_reason"].clone();
        }
        let delta = piece["delta"].as_object().or(piece["message"].as_object());
        if let Some(text) = piece["text"].as_str().filter(|_| delta.is_none()) {
            append(&mut self.message, "content", text);
        }
        for (name, value) in delta.into_iter().flatten() {
            match (name.as_str(), value) {
                ("role", _) | (_, Value::Null) => {}
                ("tool_calls", Value::Array(calls)) => {
                    calls.iter().for_each(|call| self.call(call))
                }
                (_, Value::String(text)) => append(&mut self.message, name, text),
                (_, value) => match plain_content(value).filter(|_| name == "content") {
                    Some(plain) => {
                        append(&mut self.message, "content", &plain.text);
                        append(&mut self.message, "reasoning_content", &plain.thoughts);
                    }
                    None => drop(self.message.insert(name.clone(), value.clone())),
                },
            }
        }
    }

    fn call(&mut self, piece: &Value) {
        let said = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let same = |call: &Value| match piece["index"].as_u64() {
            Some(index) => call["index"] == index,
            None if said(&piece["id"]) => call["id"] == piece["id"],
            None => !said(&piece["function"]["name"]),
        };
        // Pieces go on with the last call that they fit.
        let Some(place) = self.calls.iter().rposition(same) else {
            let mut call = piece.clone();
            let arguments = match &call["function"]["arguments"] {
                Value::Object(arguments) => Value::Object(arguments.clone()).to_string(),
                arguments => arguments.as_str().unwrap_or_default().to_owned(),
            };
            if call["function"].is_object() {
                call["function"]["arguments"] = arguments.into();
            }
            return self.calls.push(call);
        };
        let Some(function) = self.calls[place]["function"].as_object_mut() else {
            return;
        };
        for name in ["name", "arguments"] {
            if let Some(text) = piece["function"][name].as_str() {
                append(function, name, text);
            }
        }
    }

    fn into_choice(self) -> Value {
        let Self {
            index,
            mut message,
            mut calls,
            finish_reason,
        } = self;
        for call in calls.iter_mut().filter_map(Value::as_object_mut) {
            call.remove("index");
        }
        message.entry("content").or_insert(Value::Null);
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), calls.into());
        }
        json!({"index": index, "message": message, "finish_reason": finish_reason})
    }
}

/// Adds a text to that of a field.
fn append(fields: &mut Map<String, Value>, name: &str, text: &str) {
    match fields.get_mut(name) {
        None if text.is_empty() => {}
        Some(Value::String(said)) => said.push_str(text),
        _ => drop(fields.insert(name.to_owned(), text.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_an_answer() {
        let body = [
            r#"data: {"id":"1","model":"m","usage":null,"choices":[
data: {"index":0,"delta":{"role":"assistant","content":"H"}}]}"#,
            r#"data: {"id":"1","choices":[{"index":0,"delta":{"content":"i","reasoning_content":"h"}}]}"#,
            r#"data: {"choices":[{"index":0,"delta":{"reasoning_content":"m","tool_calls":[
data: {"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}]}"#,
            r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}"#,
            r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"data: {"choices":[],"usage":{"total_tokens":3}}"#,
            "data: [DONE]",
            "",
        ]
        .join("\n\n");
        let answer: Value = serde_json::from_slice(&gathered(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            answer,
            json!({"id": "1", "model": "m", "object": "chat.completion", "usage": {"total_tokens": 3}, "choices": [
                {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "Hi",
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}}]})
        );
    }

    #[test]
    fn odd_pieces_are_gathered_too() {
        let choice = |piece: Value| format!("data: {}\n\n", json!({"choices": [piece]}));
        let call = |call: Value| choice(json!({"delta": {"tool_calls": [call]}}));
        let body = [
            choice(json!({"text": "Hel"})),
            choice(
                json!({"delta": {"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}]}}),
            ),
            choice(json!({"delta": {"content": [{"type": "text", "text": "lo"}]}})),
            call(json!({"function": {"name": "f", "arguments": {"a": 1}}})),
            call(json!({"function": {"name": "g", "arguments": "{"}})),
            call(json!({"function": {"name": "", "arguments": "}"}})),
            choice(json!({"delta": {}, "finish_reason": "tool_calls"})),
        ]
        .concat();
        let answer: Value = serde_json::from_slice(&gathered(body.as_bytes()).unwrap()).unwrap();
        let message = &answer["choices"][0]["message"];
        assert_eq!(
            (&message["content"], &message["reasoning_content"]),
            (&json!("Hello"), &json!("hm"))
        );
        let calls = json!([{"function": {"name": "f", "arguments": "{\"a\":1}"}},
            {"function": {"name": "g", "arguments": "{}"}}]);
        assert_eq!(message["tool_calls"], calls);
    }

    #[test]
    fn half_an_answer_is_none_and_an_error_is_one() {
        let half = "data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\n";
        for body in [
            half,
            "",
            "Sorry",
            "data: nonsense\n\n",
            "data: [DONE]\n\n",
            "{\"hello\":1}",
        ] {
            assert_eq!(gathered(body.as_bytes()), None, "{body}");
        }
        assert!(gathered(format!("{half}data: [DONE]\n\n").as_bytes()).is_some());
        let error = "error: {\"message\":\"no slot\"}\n\n";
        assert!(gathered(error.as_bytes()).is_some_and(|body| body.starts_with(b"{\"error\"")));
    }
}
