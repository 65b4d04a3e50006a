//! A request in Anthropic's shape, put into the gateway's words.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::betas::{BETA, Betas};
use super::input::{cache_control, messages, system};
use super::writer::MessagesWriter;
use crate::error::{GatewayError, Result};
use crate::wire::{CallerProtocol, ChatRequest, Extra, Object, RawJson, json_text};

/// The body of `POST /v1/messages`.
#[derive(Deserialize)]
pub(crate) struct MessagesRequest {
    #[serde(default)]
    model: String,
    messages: Vec<RawJson>,
    #[serde(default)]
    system: Option<RawJson>,
    #[serde(default)]
    tools: Option<Vec<RawJson>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    output_config: Option<RawJson>,
    #[serde(default)]
    stop_sequences: Option<Value>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(flatten)]
    extra: Extra,
}

/// `output_config`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputConfig {
    effort: Option<Value>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    schema: Option<RawJson>,
}

impl MessagesRequest {
    /// The request in the gateway's words, with the features that its headers name.
    pub fn into_chat(self, mut betas: Betas) -> Result<ChatRequest> {
        let mut messages = messages(&self.messages)?;
        if let Some(system) = self.system.as_ref().map(system).transpose()? {
            messages.splice(0..0, system);
        }
        let mut extra = self.extra;
        // Some clients name the features in the body.
        if let Some(Value::Array(named)) = extra.remove("betas") {
            let named = named.iter().filter_map(Value::as_str);
            named.for_each(|name| betas.add(name));
        }
        if !betas.manage_context() {
            extra.remove("context_management");
        }
        let left_out = betas.unknown.into_iter();
        let left_out = left_out.map(|name| Cow::Owned(format!("{BETA}: {name}")));
        if let Some(stops) = self.stop_sequences.filter(|stops| !stops.is_null()) {
            extra.insert("stop".to_owned(), stops);
        }
        if let Some(choice) = &self.tool_choice {
            choose(choice, &mut extra)?;
        }
        let config = self.output_config.as_ref();
        let config: OutputConfig = config.and_then(RawJson::read).unwrap_or_default();
        if let Some(effort) = config.effort.filter(Value::is_string) {
            extra.insert("output_config".to_owned(), json!({ "effort": effort }));
        }
        Ok(ChatRequest {
            model: self.model,
            messages,
            stream: self.stream,
            tools: tools(self.tools.unwrap_or_default())?,
            response_format: config.format.and_then(response_format),
            protocol: CallerProtocol::Messages,
            betas: betas.known,
            left_out: left_out.collect(),
            extra,
            ..ChatRequest::default()
        })
    }
}

impl MessagesWriter {
    /// A writer of the answer to a request that is estimated at so many tokens.
    pub fn to(request: &ChatRequest, prompt_tokens: u64) -> Self {
        let thinking = request.extra.get("thinking").unwrap_or(&Value::Null);
        let thinks = matches!(thinking["type"].as_str(), Some("enabled" | "adaptive"));
        let stops = request.extra.get("stop").and_then(Value::as_array);
        let stops = stops.into_iter().flatten().filter_map(Value::as_str);
        Self::new(thinks, stops.map(str::to_owned).collect(), prompt_tokens)
    }
}

fn choose(choice: &Value, extra: &mut Extra) -> Result<()> {
    let chosen = match choice["type"].as_str() {
        Some("auto") => json!("auto"),
        Some("any") => json!("required"),
        Some("none") => json!("none"),
        Some("tool") => json!({"type": "function", "function": {"name": choice["name"]}}),
        None if choice.is_null() => return Ok(()),
        _ => {
            return Err(GatewayError::invalid(
                Some("tool_choice"),
                "`tool_choice.type` has to be auto, any, tool or none",
            ));
        }
    };
    extra.insert("tool_choice".to_owned(), chosen);
    if choice["disable_parallel_tool_use"] == true {
        extra.insert("parallel_tool_calls".to_owned(), false.into());
    }
    Ok(())
}

fn response_format(format: Format) -> Option<RawJson> {
    let schema = format.schema.filter(|_| format.kind == "json_schema")?;
    let json = format!(
        r#"{{"type":"json_schema","json_schema":{{"name":"answer","schema":{}}}}}"#,
        schema.text()
    );
    RawJson::of_text(&json)
}

fn tools(given: Vec<RawJson>) -> Result<Option<RawJson>> {
    if given.is_empty() {
        return Ok(None);
    }
    let tools = given.iter().map(tool).collect::<Result<Vec<String>>>()?;
    Ok(RawJson::of_text(&format!("[{}]", tools.join(","))))
}

/// A tool as a function. A tool of Anthropic's own, which has a type, stays as it is.
fn tool(given: &RawJson) -> Result<String> {
    let wrong = || {
        let message = "Each of `tools` needs a `name` and an `input_schema`";
        GatewayError::invalid(Some("tools"), message)
    };
    let mut function = Object::read(given.text()).ok_or_else(wrong)?;
    let kind: Option<Option<String>> = function.value("type");
    if kind.flatten().is_some_and(|kind| kind != "custom") {
        return Ok(given.text().to_owned());
    }
    function.value::<String>("name").ok_or_else(wrong)?;
    let cached: Option<Value> = function.value("cache_control");
    let schema = function.get("input_schema").map(str::to_owned);
    for field in ["type", "cache_control", "input_schema"] {
        function.remove(field);
    }
    function.set("parameters", schema.ok_or_else(wrong)?);
    let cached = cached.and_then(cache_control);
    let cached = cached.map_or_else(String::new, |cached| {
        format!(",{}:{cached}", json_text("cache_control"))
    });
    Ok(format!(
        r#"{{"type":"function","function":{}{cached}}}"#,
        function.text()
    ))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
