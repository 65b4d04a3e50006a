//! A request in the shape of Responses, put into the gateway's words.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::echo::Echo;
use super::input::Conversation;
use super::tools::Tools;
use super::writer::ResponsesWriter;
use crate::error::{GatewayError, Result};
use crate::wire::{CallerProtocol, ChatRequest, Extra, Object, RawJson, json_text};

/// The body of `POST /v1/responses`.
#[derive(Deserialize)]
pub(crate) struct ResponsesRequest {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    input: Option<RawJson>,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    tools: Option<RawJson>,
    #[serde(default)]
    text: Option<RawJson>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(flatten)]
    extra: Extra,
}

/// Fields of the request that Chat Completions has by the same name.
const SAME: [&str; 8] = [
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "temperature",
    "top_p",
    "user",
];

/// Fields that ask for something which is kept at OpenAI, and what to do instead.
const KEPT_AT_OPENAI: [(&str, &str); 4] = [
    (
        "previous_response_id",
        "send the whole conversation as `input` instead",
    ),
    (
        "conversation",
        "send the whole conversation as `input` instead",
    ),
    ("prompt", "send its text as `instructions` instead"),
    (
        "background",
        "leave it out and read the answer, or stream it",
    ),
];
/// Fields that are passed over, and without which the answer is another one.
const MISSED: [&str; 3] = ["max_tool_calls", "top_logprobs", "truncation"];

impl ResponsesRequest {
    /// The request in the gateway's words, and the writer of its answer.
    pub fn into_chat(self) -> Result<(ChatRequest, ResponsesWriter)> {
        let says = |field: &str| {
            let value = self.extra.get(field).unwrap_or(&Value::Null);
            !value.is_null() && *value != false && *value != "disabled" && *value != 0
        };
        for (field, instead) in KEPT_AT_OPENAI {
            if says(field) {
                return Err(GatewayError::invalid(
                    Some(field),
                    format!(
                        "`{field}` needs what is kept at OpenAI, and nothing is stored here; {instead}"
                    ),
                ));
            }
        }
        if self.extra.get("store") == Some(&Value::Bool(true)) {
            return Err(GatewayError::invalid(
                Some("store"),
                "`store` can't be true: responses are not stored here; send `store: false` and the whole conversation \
                 as `input`",
            ));
        }
        let mut tools = Tools::default();
        let given: Vec<RawJson> = self
            .tools
            .as_ref()
            .and_then(RawJson::read)
            .unwrap_or_default();
        given.iter().try_for_each(|tool| tools.add(tool, None))?;
        let mut conversation = Conversation::new(self.instructions.clone(), &mut tools);
        if let Some(input) = &self.input {
            conversation.add(input)?;
        }
        let messages = conversation.messages;
        let mut extra = Extra::new();
        if let Some(choice) = self
            .extra
            .get("tool_choice")
            .filter(|choice| !choice.is_null())
        {
            extra.insert("tool_choice".to_owned(), tools.choose(choice)?);
        }
        let same = SAME
            .iter()
            .filter_map(|field| Some((*field, self.extra.get(*field)?)));
        let same = same.filter(|(_, value)| !value.is_null());
        extra.extend(same.map(|(field, value)| (field.to_owned(), value.clone())));
        if let Some(longest) = self
            .extra
            .get("max_output_tokens")
            .filter(|most| !most.is_null())
        {
            extra.insert("max_tokens".to_owned(), longest.clone());
        }
        let reasoning = self.extra.get("reasoning").unwrap_or(&Value::Null);
        if let Some(effort) = reasoning["effort"].as_str() {
            extra.insert("reasoning_effort".to_owned(), effort.into());
        }
        let text = self.text.as_ref().map(RawJson::value).unwrap_or_default();
        if let Some(verbosity) = text["verbosity"].as_str() {
            extra.insert("verbosity".to_owned(), verbosity.into());
        }
        let mut left_out = std::mem::take(&mut tools.left_out);
        left_out.extend(MISSED.into_iter().filter(|field| says(field)));
        let left_out = left_out.into_iter().map(Cow::Borrowed).collect();
        let includes = self.extra.get("include").and_then(Value::as_array);
        let seals = includes
            .is_some_and(|includes| includes.contains(&json!("reasoning.encrypted_content")));
        let request = ChatRequest {
            model: self.model.clone().unwrap_or_default(),
            messages,
            stream: self.stream,
            tools: tools.json(),
            response_format: self.text.as_ref().and_then(response_format).transpose()?,
            protocol: CallerProtocol::Responses,
            left_out,
            extra,
            ..ChatRequest::default()
        };
        let echo = Echo::of(
            &self.extra,
            self.instructions.as_deref(),
            self.tools.as_ref(),
            self.text.as_ref(),
        );
        Ok((request, ResponsesWriter::new(echo, tools, seals)))
    }
}

/// The form of the answer; its schema stays in its own order.
fn response_format(text: &RawJson) -> Option<Result<RawJson>> {
    let text = Object::read(text.text())?;
    let format = Object::read(text.get("format")?)?;
    let kind: String = format.value("type")?;
    match kind.as_str() {
        "text" => None,
        "json_object" => RawJson::of_text(r#"{"type":"json_object"}"#).map(Ok),
        "json_schema" => {
            let mut schema: Vec<String> = Vec::new();
            for field in ["name", "description", "schema", "strict"] {
                let given = format.get(field).filter(|given| *given != "null");
                schema.extend(given.map(|given| format!("{}:{given}", json_text(field))));
            }
            let json = format!(
                r#"{{"type":"json_schema","json_schema":{{{}}}}}"#,
                schema.join(",")
            );
            RawJson::of_text(&json).map(Ok)
        }
        other => Some(Err(GatewayError::invalid(
            Some("text"),
            format!("`text.format.type` is {other}; it has to be text, json_object or json_schema"),
        ))),
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
