//! Chat completions: what is asked and what is answered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mana_core::planner::OutlineInput;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::lenient::{lenient_usage, null_as_default};
use super::{CallerProtocol, Extra, Field, Object, RawJson, Usage, json_text, rewritten, texts};
use crate::error::Attempt;

/// The body of `POST /v1/chat/completions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// An alias (`mana/reasoning`) or `provider/model`; empty means the default.
    #[serde(default)]
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Whether the answer is wanted piece by piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// The longest answer in tokens, where the gateway bounds one that the
    /// caller left unbounded; each provider has its own name for it.
    #[serde(skip)]
    pub bound: Option<u64>,
    /// How freely the model varies its words, where the caller does not say and the model can be told.
    #[serde(skip)]
    pub usual_temperature: Option<f64>,
    /// The window that an owner or the runner wants, in tokens, for servers that are told it with each request. Without
    /// it a request passes as it is.
    #[serde(skip)]
    pub window: Option<u64>,
    /// More requests follow that begin as this one does: a provider that keeps prompts only where it is told to is
    /// told.
    #[serde(skip)]
    pub keeps_prompt: bool,
    /// The tools, with their schemas as they were written: models write parameters in that order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<RawJson>,
    /// The form of the answer, for the same reason as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<RawJson>,
    /// Whether the chain is asked again where its failures may pass. A caller
    /// that comes back by itself, as the runner does, leaves it off.
    #[serde(skip)]
    pub retry: bool,
    /// A name that no other caller has: a failure that a caller's own request may have caused keeps no other from the
    /// model. Empty for Mana itself.
    #[serde(skip)]
    pub caller: String,
    /// The data that `builtin/outline` plans from, set by the runner alone; no other provider sees it.
    #[serde(skip)]
    pub outline: Option<Arc<OutlineInput>>,
    /// The protocol in which the caller asked. A request that was put into these words from another protocol's may
    /// hold parts that no server of Chat Completions knows.
    #[serde(skip)]
    pub protocol: CallerProtocol,
    /// The parts of the request that were left out before any provider was asked.
    #[serde(skip)]
    pub left_out: Vec<Cow<'static, str>>,
    /// The features of Anthropic's that the request asks for by name.
    #[serde(skip)]
    pub betas: Vec<String>,
    /// The body as the caller wrote it, of which no message has changed.
    #[serde(skip)]
    pub(crate) written: Option<Bytes>,
    /// Everything else: temperature, tool_choice, …
    #[serde(flatten)]
    pub extra: Extra,
}

impl ChatRequest {
    /// A request with nothing but a model and messages.
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self {
            model: model.into(),
            messages,
            ..Self::default()
        }
    }

    /// The body of the request: in the caller's order and words, where it came from one.
    pub(crate) fn body(&self) -> Vec<u8> {
        let json =
            || serde_json::to_vec(self).expect("a request is made of strings and JSON values");
        let Some(written) = &self.written else {
            return json();
        };
        let mut now: BTreeMap<&str, Field<'_>> = self
            .extra
            .iter()
            .map(|(name, value)| (name.as_str(), Field::Value(value)))
            .collect();
        now.insert("model", Field::Text(&self.model));
        now.insert("messages", Field::AsWritten);
        now.extend(self.stream.map(|stream| ("stream", Field::Flag(stream))));
        let given = [
            ("tools", &self.tools),
            ("response_format", &self.response_format),
        ];
        let given = given.into_iter().filter(|(_, given)| given.is_some());
        now.extend(given.map(|(name, _)| (name, Field::AsWritten)));
        rewritten(written, &now).unwrap_or_else(json)
    }

    /// Gives another role to the messages of one.
    pub(crate) fn rename_role(&mut self, from: &str, to: &str) {
        let mut renamed = false;
        for message in &mut self.messages {
            if message.role == from {
                to.clone_into(&mut message.role);
                renamed = true;
            }
        }
        if renamed && let Some(written) = &self.written {
            // Without the caller's words the request goes up in Mana's own order.
            self.written = with_role(written, from, to);
        }
    }

    /// Whether the model is given tools.
    pub fn has_tools(&self) -> bool {
        let tools = self.tools.as_ref().map(RawJson::value);
        tools.is_some_and(|tools| tools.as_array().is_some_and(|tools| !tools.is_empty()))
    }

    /// Whether the answer has to keep to a JSON schema.
    pub fn wants_schema(&self) -> bool {
        let format = self.response_format.as_ref().map(RawJson::value);
        format.is_some_and(|format| format["type"] == "json_schema")
    }

    /// Whether a stream shall say in its last chunk what it took.
    pub fn wants_usage(&self) -> bool {
        self.extra
            .get("stream_options")
            .is_some_and(|options| options["include_usage"] == true)
    }

    /// Whether a message carries a picture.
    pub fn has_images(&self) -> bool {
        self.messages.iter().any(|message| {
            matches!(&message.content, Some(Content::Parts(parts))
                if parts.iter().any(|part| part.kind.contains("image")))
        })
    }
}

/// A body with another role in the messages of one, in its own order.
fn with_role(written: &[u8], from: &str, to: &str) -> Option<Bytes> {
    let mut object = Object::of_bytes(written)?;
    let messages = object.items("messages")?;
    let messages = messages.iter().map(|message| {
        let mut message = Object::read(message.get())?;
        if message.value::<String>("role")? == from {
            message.set("role", json_text(to));
        }
        Some(message.text())
    });
    let messages: Vec<String> = messages.collect::<Option<_>>()?;
    object.set("messages", format!("[{}]", messages.join(",")));
    Some(object.text().into())
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool`, …
    pub role: String,
    /// The content. A `null` that was sent is kept apart from an absent field.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub content: Option<Content>,
    /// Everything else: tool_calls, tool_call_id, name, reasoning_content, …
    #[serde(flatten)]
    pub extra: Extra,
}

impl Message {
    /// A message of plain text.
    pub fn text(role: &str, text: impl Into<String>) -> Self {
        Self {
            role: role.to_owned(),
            content: Some(Content::Text(text.into())),
            extra: Extra::new(),
        }
    }

    /// Instructions to the model.
    pub fn system(text: impl Into<String>) -> Self {
        Self::text("system", text)
    }

    /// A message of the person, or of the planner for them.
    pub fn user(text: impl Into<String>) -> Self {
        Self::text("user", text)
    }

    /// The text of the message, its text parts joined.
    pub fn plain(&self) -> String {
        match &self.content {
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts
                .iter()
                .filter_map(|part| part.extra.get("text")?.as_str())
                .collect(),
            _ => String::new(),
        }
    }
}

/// A message's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Text, pictures, sound, files.
    Parts(Vec<ContentPart>),
    /// `null`, or a shape that Mana does not know and passes on.
    Other(Value),
}

/// A part of a content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentPart {
    /// `text`, `image_url`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The part itself.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The answer to a chat request that was not streamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatCompletion {
    /// The upstream's id of the answer.
    #[serde(default, deserialize_with = "null_as_default")]
    pub id: String,
    /// Always `chat.completion`.
    #[serde(default = "chat_completion", deserialize_with = "null_as_default")]
    pub object: String,
    /// Seconds since the epoch.
    #[serde(default)]
    pub created: Value,
    /// The model as the upstream calls it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub model: String,
    /// The answers; nearly always one.
    pub choices: Vec<Choice>,
    /// The tokens that it took, if the upstream counts them.
    #[serde(
        default,
        deserialize_with = "lenient_usage",
        skip_serializing_if = "Option::is_none"
    )]
    pub usage: Option<Usage>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
    /// `provider/model` that answered; not on the wire, see the header.
    #[serde(skip)]
    pub resolved: String,
    /// The entries of the chain that failed before; not on the wire.
    #[serde(skip)]
    pub failed: Vec<Attempt>,
    /// The fields of the request that the provider has no word for; not on the wire, see the header.
    #[serde(skip)]
    pub left_out: Vec<Cow<'static, str>>,
    /// The answer as it is passed on: the upstream's own text where nothing in it had to change.
    #[serde(skip)]
    pub text: Option<Bytes>,
    /// The answer in Anthropic's shape as Anthropic gave it, where the caller speaks that protocol too.
    #[serde(skip)]
    pub native: Option<Bytes>,
}

impl ChatCompletion {
    /// An answer of plain text, as a provider without an upstream gives it.
    pub fn of_text(model: &str, created_s: u64, text: String) -> Self {
        Self {
            id: format!("chatcmpl-{model}-{created_s}"),
            object: chat_completion(),
            created: json!(created_s),
            model: model.to_owned(),
            choices: vec![Choice {
                index: 0,
                message: Message::text("assistant", text),
                finish_reason: Some("stop".to_owned()),
                extra: Extra::new(),
            }],
            usage: Some(Usage::default()),
            extra: Extra::new(),
            resolved: String::new(),
            failed: Vec::new(),
            left_out: Vec::new(),
            text: None,
            native: None,
        }
    }

    /// The text of the first choice.
    pub fn text(&self) -> String {
        self.choices
            .first()
            .map(|choice| choice.message.plain())
            .unwrap_or_default()
    }

    /// The length of all that the model wrote, its thoughts and calls among it.
    pub(crate) fn text_bytes(&self) -> usize {
        let messages = self.choices.iter().map(|choice| &choice.message);
        let written = messages.map(|message| {
            let extra = message.extra.values().flat_map(texts).map(str::len);
            message.plain().len() + extra.sum::<usize>()
        });
        written.sum()
    }

    /// The same answer as the one chunk of a stream.
    pub fn into_chunk(self) -> Value {
        let choices: Vec<Value> = self
            .choices
            .into_iter()
            .map(|mut choice| {
                number_calls(&mut choice.message.extra);
                let mut chunk = json!({
                    "index": choice.index,
                    "delta": choice.message,
                    "finish_reason": choice.finish_reason,
                });
                merge(&mut chunk, choice.extra);
                chunk
            })
            .collect();
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": self.usage,
        });
        merge(&mut chunk, self.extra);
        chunk
    }
}

/// An alternative answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Its place.
    #[serde(default, deserialize_with = "null_as_default")]
    pub index: u32,
    /// The message of the model.
    pub message: Message,
    /// Why it stopped: `stop`, `length`, `tool_calls`, …
    #[serde(default)]
    pub finish_reason: Option<String>,
    /// Everything else: logprobs, …
    #[serde(flatten)]
    pub extra: Extra,
}

/// Gives each call of a message its place: clients that put a stream together need it.
fn number_calls(message: &mut Extra) {
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for (place, call) in calls.into_iter().flatten().enumerate() {
        if let Some(call) = call.as_object_mut() {
            call.entry("index").or_insert(place.into());
        }
    }
}

fn chat_completion() -> String {
    "chat.completion".to_owned()
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Content>, D::Error> {
    Content::deserialize(deserializer).map(Some)
}

fn merge(into: &mut Value, extra: Extra) {
    if let Value::Object(map) = into {
        map.extend(extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Serialize + for<'de> Deserialize<'de>>(value: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(value.clone()).unwrap()).unwrap()
    }

    #[test]
    fn a_request_keeps_what_mana_does_not_know() {
        let request = json!({
            "model": "openai/x", "stream": true, "stream_options": {"include_usage": true},
            "tools": [{"type": "function", "function": {"name": "f", "strict": true}}],
            "messages": [
                {"role": "user", "name": "Ada", "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "data:…", "detail": "low"}}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]},
                {"role": "assistant", "reasoning_content": "hm"},
            ],
        });
        assert_eq!(round_trip::<ChatRequest>(&request), request);
    }

    #[test]
    fn the_order_of_schemas_is_kept() {
        let tools = r#"[{"type":"function","function":{"name":"f","parameters":{"properties":{"z":{},"a":{}}}}}]"#;
        let format =
            r#"{"type":"json_schema","json_schema":{"schema":{"properties":{"z":{},"a":{}}}}}"#;
        let text = format!(r#"{{"messages":[],"tools":{tools},"response_format":{format}}}"#);
        let request: ChatRequest = serde_json::from_str(&text).unwrap();
        assert!(request.has_tools() && request.wants_schema());
        let sent = serde_json::to_string(&request).unwrap();
        assert!(sent.contains(tools) && sent.contains(format), "{sent}");
    }

    #[test]
    fn an_answer_keeps_what_mana_does_not_know() {
        let answer = json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m", "service_tier": "x",
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
                "message": {"role": "assistant", "content": "Hi", "reasoning": "…"}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 1}},
        });
        assert_eq!(round_trip::<ChatCompletion>(&answer), answer);
    }

    #[test]
    fn an_answer_is_read_whatever_its_bookkeeping_looks_like() {
        let read = |usage: Value| {
            let answer = json!({"id": null, "object": null, "model": null, "usage": usage,
                "choices": [{"index": null, "message": {"role": "assistant", "content": "Hi"}}]});
            let answer: ChatCompletion = serde_json::from_value(answer).unwrap();
            assert_eq!(answer.text(), "Hi");
            answer.usage.map(|usage| {
                (
                    usage.prompt_tokens,
                    usage.completion_tokens,
                    usage.total_tokens,
                )
            })
        };
        let counts = |prompt: Value, completion: Value| {
            json!({
                "prompt_tokens": prompt, "completion_tokens": completion
            })
        };
        for (usage, expected) in [
            (counts(12.into(), 5.into()), Some((12, 5, 0))),
            (counts(json!(12.0), json!("5")), Some((12, 5, 0))),
            (counts(Value::Null, json!(5.6)), Some((0, 6, 0))),
            (counts(json!(-1), json!(-1.5)), Some((0, 0, 0))),
            (counts(json!("many"), json!({"of": 1})), Some((0, 0, 0))),
            (counts(json!(1e300), json!([1])), Some((u64::MAX, 0, 0))),
            (json!({"total_tokens": "7"}), Some((0, 0, 7))),
            (json!([]), None),
            (json!("12"), None),
            (json!(12), None),
            (json!(false), None),
            (Value::Null, None),
        ] {
            assert_eq!(read(usage.clone()), expected, "{usage}");
        }
    }

    #[test]
    fn images_are_seen_and_text_parts_are_joined() {
        let message: Message = serde_json::from_value(json!({"role": "user", "content": [
            {"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]}))
        .unwrap();
        assert_eq!(message.plain(), "ab");
        assert!(ChatRequest::new("", vec![message]).has_images());
        assert!(!ChatRequest::new("", vec![Message::user("image")]).has_images());
    }
}
