//! The reader of whole answers: strict about nothing that an answer can do without. OpenAI's clients get what they
//! rely on: the answer passes byte for byte where nothing has to change, and in its order where something has.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::lenient::{Told, lenient_usage};
use super::new_id::new_id;
use super::object::{Object, json_text};
use super::plain_content::{PlainContent, plain_content};
use super::{ChatCompletion, Choice, Content, Extra, Message, Usage};

/// A value that was read of a text, and the text that is passed on instead, where that is another one.
pub(crate) struct Read<T> {
    pub value: T,
    pub changed: Option<String>,
}

/// A chat completion. None where the text holds no choices. `model` is the one that was asked.
pub(crate) fn completion(text: &[u8], model: &str) -> Option<Read<ChatCompletion>> {
    let mut object = Object::of_bytes(text)?;
    let choices = object.items("choices")?;
    let read = choices.iter().enumerate();
    let read = read.map(|(place, raw)| choice(raw, place));
    let read: Option<Vec<Read<Choice>>> = read.collect();
    let read = read?;
    let changed = changed_items(&choices, &read);
    if let Some(changed) = changed {
        object.set("choices", changed);
    }
    let created: Value = object.value("created").unwrap_or_default();
    let id = text_or(&mut object, "id", || new_id("chatcmpl-"));
    let kind = text_or(&mut object, "object", || "chat.completion".to_owned());
    let model = text_or(&mut object, "model", || model.to_owned());
    let usage = usage(&mut object);
    let known = ["id", "object", "created", "model", "choices", "usage"];
    let answer = ChatCompletion {
        id,
        object: kind,
        created,
        model,
        choices: read.into_iter().map(|read| read.value).collect(),
        usage,
        extra: object.rest(&known),
        resolved: String::new(),
        failed: Vec::new(),
        left_out: Vec::new(),
        text: None,
        native: None,
    };
    let changed = object.changed_text();
    Some(Read {
        value: answer,
        changed,
    })
}

/// The usage of an answer; a usage that is none is taken out, and odd counts are put right.
pub(crate) fn usage(object: &mut Object<'_>) -> Option<Usage> {
    let text = object.get("usage")?;
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let usage = lenient_usage(&said).ok().flatten();
    let Some(read) = usage else {
        if !said.is_null() {
            object.remove("usage");
        }
        return None;
    };
    let counts = [
        ("prompt_tokens", read.prompt_tokens),
        ("completion_tokens", read.completion_tokens),
        ("total_tokens", read.total_tokens),
    ];
    let text = text.to_owned();
    if let Some(mut inner) = Object::read(&text) {
        for (name, count) in counts {
            let told = said.get(name);
            if told.is_some_and(|told| told.as_u64().is_none()) {
                inner.set(name, count.to_string());
            }
        }
        if let Some(changed) = inner.changed_text() {
            object.set("usage", changed);
        }
    }
    Some(read)
}

/// The items of a list as text, where one of them was changed.
fn changed_items<T>(raws: &[&RawValue], read: &[Read<T>]) -> Option<String> {
    if read.iter().all(|read| read.changed.is_none()) {
        return None;
    }
    let items = raws.iter().zip(read);
    let items = items.map(|(raw, read)| read.changed.as_deref().unwrap_or(raw.get()));
    Some(format!("[{}]", items.collect::<Vec<_>>().join(",")))
}

/// The text of a field, or another that is put in its place.
fn text_or(object: &mut Object<'_>, name: &'static str, other: impl FnOnce() -> String) -> String {
    let said: Option<String> = object.value(name);
    said.filter(|said| !said.is_empty()).unwrap_or_else(|| {
        let other = other();
        object.set(name, json_text(&other));
        other
    })
}

fn choice(raw: &RawValue, place: usize) -> Option<Read<Choice>> {
    let mut object = Object::read(raw.get())?;
    let index = object.value("index").unwrap_or_else(|| {
        object.set("index", place.to_string());
        u32::try_from(place).unwrap_or_default()
    });
    let inner = ["message", "delta"]
        .iter()
        .filter_map(|name| object.get(name))
        .find(|text| text.starts_with('{'));
    let inner = match (inner, object.value::<String>("text")) {
        (Some(text), _) => text.to_owned(),
        (None, Some(text)) => format!(r#"{{"content":{}}}"#, json_text(&text)),
        (None, None) => r#"{"content":null}"#.to_owned(),
    };
    let message = message(&inner)?;
    let passed = message.changed.as_deref().unwrap_or(&inner);
    if object.get("message") != Some(passed) {
        let passed = passed.to_owned();
        object.set("message", passed);
    }
    let said: Value = object.value("finish_reason").unwrap_or_default();
    let finish_reason = said.as_str().map(str::to_owned);
    if !said.is_null() && finish_reason.is_none() {
        object.set("finish_reason", "\"stop\"".to_owned());
    }
    let value = Choice {
        index,
        message: message.value,
        finish_reason: finish_reason.or((!said.is_null()).then(|| "stop".to_owned())),
        extra: object.rest(&["index", "message", "finish_reason"]),
    };
    Some(Read {
        value,
        changed: object.changed_text(),
    })
}

fn message(text: &str) -> Option<Read<Message>> {
    let mut object = Object::read(text)?;
    let role = text_or(&mut object, "role", || "assistant".to_owned());
    let is_text = |content: &&str| content.starts_with('"');
    let odd = object.get("content").filter(|content| !is_text(content));
    let odd: Option<Value> = odd.and_then(|content| serde_json::from_str(content).ok());
    if let Some(plain) = odd.as_ref().and_then(plain_content) {
        put_plain(&mut object, &plain);
    }
    let content = object.get("content").map(content);
    let mut extra: Extra = object.rest(&["role", "content"]);
    if let Some(calls) = calls(&object) {
        object.set("tool_calls", calls.to_string());
        extra.insert("tool_calls".to_owned(), calls);
    }
    let value = Message {
        role,
        content,
        extra,
    };
    Some(Read {
        value,
        changed: object.changed_text(),
    })
}

/// Puts words and thoughts into a message or a change of one, in the place of a content that is no text.
pub(crate) fn put_plain(message: &mut Object<'_>, plain: &PlainContent) {
    message.set("content", json_text(&plain.text));
    if !plain.thoughts.is_empty() {
        message.set("reasoning_content", json_text(&plain.thoughts));
    }
}

fn content(text: &str) -> Content {
    serde_json::from_str(text).unwrap_or(Content::Other(Value::Null))
}

/// The calls of a message, where they have to change: each has an id, and arguments are a text, and never an empty one.
fn calls(object: &Object<'_>) -> Option<Value> {
    #[derive(Deserialize)]
    struct Call {
        #[serde(default)]
        id: Told,
        function: Option<Function>,
    }
    #[derive(Deserialize)]
    struct Function {
        #[serde(default)]
        arguments: Value,
    }
    let text = object.get("tool_calls")?;
    let has_id = |id: Told| matches!(id, Told::Text | Told::Error);
    let is_right = |call: &Call| {
        let function = call.function.as_ref();
        has_id(call.id)
            && function.is_none_or(|function| {
                let arguments = function.arguments.as_str();
                arguments.is_some_and(|text| !text.trim().is_empty())
            })
    };
    let read: Vec<Call> = serde_json::from_str(text).ok()?;
    if read.iter().all(is_right) {
        return None;
    }
    let mut calls: Value = serde_json::from_str(text).ok()?;
    for (call, read) in calls.as_array_mut()?.iter_mut().zip(&read) {
        if let Some(call) = call.as_object_mut().filter(|_| !has_id(read.id)) {
            call.insert("id".to_owned(), new_id("call_").into());
        }
        let Some(function) = call.get_mut("function").and_then(Value::as_object_mut) else {
            continue;
        };
        let arguments = function.get("arguments").cloned().unwrap_or_default();
        function.insert("arguments".to_owned(), arguments_text(&arguments).into());
    }
    Some(calls)
}

/// The arguments of a call as a text, which is never an empty one.
pub(crate) fn arguments_text(arguments: &Value) -> String {
    match arguments {
        Value::Null => "{}".to_owned(),
        Value::String(text) if text.trim().is_empty() => "{}".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(text: &str) -> String {
        let read = completion(text.as_bytes(), "m").unwrap();
        read.changed.unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn an_answer_passes_byte_for_byte_where_nothing_has_to_change() {
        for text in [
            r#"{ "usage" : {"total_tokens":3,"prompt_tokens":1, "cost":0.10} ,"x":{"b":1,"a":2.0},"id":"1","object":"o",
                "model":"m", "choices":[{"finish_reason":null,"message":{"role":"assistant","content":"Hi"},
                "index":0}]}"#,
            r#"{"id":"1","object":"o","model":"m","choices":[]}"#,
            r#"{"id":"1","object":"o","model":"m","usage":null,"choices":[{"index":0,"message":{"content":null,
                "role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{ }"}}]}}]}"#,
        ] {
            assert_eq!(passed(text), text);
        }
    }

    #[test]
    fn what_has_to_change_is_changed_where_it_stands() {
        let around = |inner: &str| {
            format!(r#"{{"z":1,"id":"1","object":"o","model":"m",{inner},"a":2.50}}"#)
        };
        let choices =
            |choice: &str| around(&format!(r#""choices":[{{"index":0,"message":{choice}}}]"#));
        let whole = r#"{"role":"assistant","content":"Hi"}"#;
        for (text, expected) in [
            (
                choices(r#"{"content":"Hi"}"#),
                choices(r#"{"content":"Hi","role":"assistant"}"#),
            ),
            (choices(r#"{"role":null,"content":"Hi"}"#), choices(whole)),
            (
                around(&format!(
                    r#""choices":[{{"message":{whole},"index":null}},{{"message":{whole}}}]"#
                )),
                around(&format!(
                    r#""choices":[{{"message":{whole},"index":0}},{{"message":{whole},"index":1}}]"#
                )),
            ),
            (
                around(
                    r#""usage":{"x":1,"prompt_tokens":5.0,"completion_tokens":null},"choices":[]"#,
                ),
                around(r#""usage":{"x":1,"prompt_tokens":5,"completion_tokens":0},"choices":[]"#),
            ),
            (
                around(r#""usage":[],"choices":[]"#),
                around(r#""choices":[]"#),
            ),
            (
                r#"{"model":null,"object":null,"choices":[],"id":"1"}"#.to_owned(),
                r#"{"model":"m","object":"chat.completion","choices":[],"id":"1"}"#.to_owned(),
            ),
            (
                choices(r#"{"role":"assistant","content":[{"type":"text","text":"Hi"}]}"#),
                choices(whole),
            ),
            (
                choices(
                    r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"text":"Hi"}]}"#,
                ),
                choices(r#"{"role":"assistant","content":"Hi","reasoning_content":"hm"}"#),
            ),
            (
                choices(r#"{"role":"assistant","content":{"text":"Hi"}}"#),
                choices(whole),
            ),
            (
                around(r#""choices":[{"index":0,"text":"Hi"}]"#),
                around(
                    r#""choices":[{"index":0,"text":"Hi","message":{"content":"Hi","role":"assistant"}}]"#,
                ),
            ),
            (
                choices(
                    r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"arguments":{"a":1}}}]}"#,
                ),
                choices(
                    r#"{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"a\":1}"},"id":"c"}]}"#,
                ),
            ),
            (
                choices(
                    r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"arguments":""}}]}"#,
                ),
                choices(
                    r#"{"role":"assistant","tool_calls":[{"function":{"arguments":"{}"},"id":"c"}]}"#,
                ),
            ),
        ] {
            assert_eq!(passed(&text), expected);
        }
        let call = choices(
            r#"{"role":"assistant","tool_calls":[{"id":"","function":{"name":"f","arguments":"{}"}}]}"#,
        );
        let named = completion(call.as_bytes(), "m").unwrap();
        let id = &named.value.choices[0].message.extra["tool_calls"][0]["id"];
        let id = id.as_str().unwrap();
        assert!(id.starts_with("call_") && named.changed.unwrap().contains(id));
        let nameless = completion(br#"{"id":null,"choices":[]}"#, "m").unwrap();
        assert!(nameless.value.id.starts_with("chatcmpl-"));
        assert!(nameless.changed.unwrap().contains(&nameless.value.id));
        for other in [
            "{}",
            "[]",
            r#"{"choices":null}"#,
            r#"{"choices":{}}"#,
            r#"{"choices":["x"]}"#,
        ] {
            assert!(completion(other.as_bytes(), "m").is_none(), "{other}");
        }
    }
}
