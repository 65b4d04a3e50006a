//! A request that came in another protocol, brought into the form that every server of Chat Completions takes: fields
//! and parts that only the other protocol knows are put into plain ones or left out.

use serde_json::{Value, json};

use super::dialect::Dialect;
use crate::error::{GatewayError, Result};
use crate::wire::{ChatRequest, Content, ContentPart, Extra, Message, RawJson, json_text};

/// Fields that every server takes.
const USUAL: [&str; 9] = [
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "stop",
    "stream_options",
    "temperature",
    "tool_choice",
    "top_p",
    "user",
];
/// Fields that OpenAI's own models take.
const OF_OPENAI: [&str; 5] = [
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "verbosity",
];
/// The dropped fields without which the answer is another one.
const MISSED: [&str; 4] = ["top_k", "top_logprobs", "verbosity", "container"];
/// Instructions in which Anthropic's programs tell Anthropic whom to bill. Some change with every request, so that a
/// server could never keep the prompt that follows.
const BILLING: &str = "x-anthropic-billing-header:";
/// Efforts of Anthropic's and OpenAI's newest models, and the most that others know.
const HIGHEST: [&str; 2] = ["max", "xhigh"];

/// The fields of a request that are left out, and missed.
pub(super) fn left_out(request: &ChatRequest, dialect: &Dialect) -> Vec<&'static str> {
    let missed = |field: &&str| {
        let value = request.extra.get(*field).unwrap_or(&Value::Null);
        !value.is_null() && !is_taken(field, dialect)
    };
    MISSED.into_iter().filter(missed).collect()
}

fn is_taken(field: &str, dialect: &Dialect) -> bool {
    USUAL.contains(&field) || (dialect.is_openais && OF_OPENAI.contains(&field))
}

/// Brings a request into the plain form.
pub(super) fn plain(request: &mut ChatRequest, dialect: &Dialect) -> Result<()> {
    let servers = request.extra.get("mcp_servers").and_then(Value::as_array);
    if servers.is_some_and(|servers| !servers.is_empty()) {
        return Err(GatewayError::invalid(
            Some("mcp_servers"),
            "`mcp_servers` are called by Anthropic alone; leave them out, or name a model of Anthropic's",
        ));
    }
    let effort = effort(&request.extra);
    request.extra.retain(|field, _| is_taken(field, dialect));
    let effort = effort.filter(|_| (dialect.takes_effort)(&request.model));
    if let Some(effort) = effort {
        request
            .extra
            .insert("reasoning_effort".to_owned(), effort.into());
    }
    if !(dialect.takes_temperature)(&request.model) {
        request.extra.remove("temperature");
        request.extra.remove("top_p");
    }
    // The usual value; some servers refuse the field.
    if request.extra.get("parallel_tool_calls") == Some(&Value::Bool(true)) {
        request.extra.remove("parallel_tool_calls");
    }
    request.tools = request
        .tools
        .take()
        .map(|tools| plain_tools(&tools))
        .transpose()?
        .flatten();
    if request.tools.is_none() {
        request.extra.remove("tool_choice");
        request.extra.remove("parallel_tool_calls");
    }
    let given = std::mem::take(&mut request.messages);
    request.messages = messages(given, dialect)?;
    if (dialect.signs_calls)(&request.model) {
        request.messages.iter_mut().for_each(sign_calls);
    }
    Ok(())
}

/// How much a model shall think, in OpenAI's words.
fn effort(extra: &Extra) -> Option<String> {
    let said = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    if let Some(effort) = said(extra.get("reasoning_effort")) {
        return Some(effort);
    }
    let thinking = extra.get("thinking").filter(|thinking| !thinking.is_null());
    let budget = match thinking.map(|thinking| (thinking, thinking["type"].as_str())) {
        Some((_, Some("disabled"))) => return None,
        Some((thinking, _)) => thinking["budget_tokens"].as_u64(),
        None => None,
    };
    let effort = said(
        extra
            .get("output_config")
            .and_then(|config| config.get("effort")),
    );
    let effort = effort.or(budget.map(|budget| {
        let effort = match budget {
            ..=2048 => "low",
            2049..=8192 => "medium",
            _ => "high",
        };
        effort.to_owned()
    }))?;
    Some(match HIGHEST.contains(&&*effort) {
        true => "high".to_owned(),
        false => effort,
    })
}

#[derive(serde::Deserialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    function: Option<Function>,
}

#[derive(serde::Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<RawJson>,
    #[serde(default)]
    strict: Option<bool>,
}

fn plain_tools(tools: &RawJson) -> Result<Option<RawJson>> {
    let tools: Vec<Tool> = tools.read().unwrap_or_default();
    let tools = tools.into_iter().map(plain_tool);
    let tools = tools.collect::<Result<Vec<String>>>()?;
    let has_some = !tools.is_empty();
    let json = format!("[{}]", tools.join(","));
    Ok(RawJson::of_text(&json).filter(|_| has_some))
}

fn plain_tool(tool: Tool) -> Result<String> {
    let Some(function) = tool.function else {
        let name = tool.name.unwrap_or_default();
        return Err(GatewayError::invalid(
            Some("tools"),
            format!(
                "The tool {name} of the type {} runs at Anthropic alone; leave it out, or name a model of Anthropic's",
                tool.kind
            ),
        ));
    };
    let mut json = format!(r#"{{"name":{}"#, json_text(&function.name));
    if let Some(description) = function.description {
        json += &format!(r#","description":{}"#, json_text(&description));
    }
    if let Some(parameters) = function.parameters {
        json += &format!(r#","parameters":{}"#, parameters.text());
    }
    if let Some(strict) = function.strict {
        json += &format!(r#","strict":{strict}"#);
    }
    Ok(format!(r#"{{"type":"function","function":{json}}}}}"#))
}

/// The messages: instructions first and as one, what tools gave as text.
fn messages(given: Vec<Message>, dialect: &Dialect) -> Result<Vec<Message>> {
    let mut instructions = Vec::new();
    let mut messages: Vec<Message> = Vec::with_capacity(given.len());
    // Pictures that tools gave, which their messages have no place for.
    let mut pictures = Vec::new();
    for mut message in given {
        let is_instruction = matches!(message.role.as_str(), "system" | "developer");
        if message.role != "tool" {
            tell_pictures(&mut pictures, &mut messages);
        }
        message.content = match message.content.take() {
            Some(Content::Parts(parts)) => content(parts, &message.role, dialect, &mut pictures)?,
            other => other,
        };
        message.extra.retain(|field, _| match field.as_str() {
            "name" | "tool_calls" | "tool_call_id" | "refusal" => true,
            // Only what this provider gave itself.
            "reasoning_details" | "extra_content" => true,
            "reasoning_content" => dialect.takes_thoughts,
            _ => false,
        });
        if message.extra.contains_key("reasoning_details") {
            // These say the same, with their signatures.
            message.extra.remove("reasoning_content");
        }
        match (is_instruction, messages.is_empty()) {
            (true, true) => instructions.push(message),
            // Most servers take instructions only at the beginning.
            (true, false) if !dialect.is_openais => {
                "user".clone_into(&mut message.role);
                messages.push(message);
            }
            _ => messages.push(message),
        }
    }
    tell_pictures(&mut pictures, &mut messages);
    if instructions.len() == 1 {
        messages.insert(0, instructions.remove(0));
    } else if !instructions.is_empty() {
        let texts: Vec<String> = instructions.iter().map(Message::plain).collect();
        messages.insert(0, Message::system(texts.join("\n\n")));
    }
    Ok(messages)
}

/// Gives Google's word for "not signed" to the calls of a message, unless one is signed: of several at once the first
/// is signed for all.
fn sign_calls(message: &mut Message) {
    let calls = message.extra.get_mut("tool_calls");
    let Some(calls) = calls.and_then(Value::as_array_mut) else {
        return;
    };
    if calls.iter().any(|call| call["extra_content"].is_object()) {
        return;
    }
    for call in calls.iter_mut().filter_map(Value::as_object_mut) {
        let unsigned = json!({"google": {"thought_signature": "skip_thought_signature_validator"}});
        call.entry("extra_content").or_insert(unsigned);
    }
}

fn tell_pictures(pictures: &mut Vec<ContentPart>, messages: &mut Vec<Message>) {
    if pictures.is_empty() {
        return;
    }
    let mut parts = vec![part("text", json!({"text": "What the tools showed:"}))];
    parts.append(pictures);
    messages.push(Message {
        role: "user".to_owned(),
        content: Some(Content::Parts(parts)),
        extra: Extra::new(),
    });
}

/// The content of parts: a text where they are nothing else.
fn content(
    parts: Vec<ContentPart>,
    role: &str,
    dialect: &Dialect,
    pictures: &mut Vec<ContentPart>,
) -> Result<Option<Content>> {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(part) = plain_part(part, role, dialect)? else {
            continue;
        };
        match role == "tool" && part.kind != "text" {
            true => pictures.push(part),
            false => kept.push(part),
        }
    }
    let text = |part: &ContentPart| {
        let text = part.extra.get("text").and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let has_marks = kept
        .iter()
        .any(|part| part.extra.contains_key("cache_control"));
    if kept.iter().any(|part| part.kind != "text") || has_marks {
        return Ok(Some(Content::Parts(kept)));
    }
    let texts: Vec<String> = kept.iter().map(text).collect();
    Ok(match texts.is_empty() && role == "assistant" {
        true => None,
        false => Some(Content::Text(texts.join("\n\n"))),
    })
}

fn part(kind: &str, extra: Value) -> ContentPart {
    let extra = match extra {
        Value::Object(extra) => extra,
        _ => Extra::new(),
    };
    ContentPart {
        kind: kind.to_owned(),
        extra,
    }
}

/// A part in OpenAI's words; none for what the model need not read.
fn plain_part(
    mut given: ContentPart,
    role: &str,
    dialect: &Dialect,
) -> Result<Option<ContentPart>> {
    let marked = given
        .extra
        .remove("cache_control")
        .filter(|_| dialect.keeps_cache_marks);
    let mut plain = match given.kind.as_str() {
        "text" => {
            let text = given.extra.remove("text").unwrap_or_default();
            if text.as_str().is_some_and(|text| text.starts_with(BILLING)) {
                return Ok(None);
            }
            part("text", json!({ "text": text }))
        }
        "image_url" | "file" | "input_audio" => given,
        "image" => picture(given.extra.get("source").unwrap_or(&Value::Null))?,
        "document" => document(given.extra)?,
        "search_result" => {
            let content = given.extra.get("content").unwrap_or(&Value::Null);
            part("text", json!({ "text": words(content) }))
        }
        // The record of a call that Anthropic made itself; the words after it speak of it.
        _ if role == "assistant" => return Ok(None),
        kind => {
            return Err(GatewayError::invalid(
                Some("messages"),
                format!(
                    "A content of the type {kind} can be sent to Anthropic's models alone; send it as text"
                ),
            ));
        }
    };
    plain
        .extra
        .extend(marked.map(|marked| ("cache_control".to_owned(), marked)));
    Ok(Some(plain))
}

/// The address of a source: where it is, or with its bytes in it.
fn address(source: &Value, what: &str) -> Result<String> {
    let said = |field: &str| source[field].as_str().unwrap_or_default();
    match said("type") {
        "base64" => Ok(format!(
            "data:{};base64,{}",
            said("media_type"),
            said("data")
        )),
        "url" => Ok(said("url").to_owned()),
        kind => Err(GatewayError::invalid(
            Some("messages"),
            format!(
                "A {what} of the source {kind} can't be sent to this model; send its bytes as base64"
            ),
        )),
    }
}

/// The words of a text or of blocks.
fn words(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let blocks = content.as_array().into_iter().flatten();
    let texts: Vec<&str> = blocks.filter_map(|block| block["text"].as_str()).collect();
    texts.join("\n")
}

fn picture(source: &Value) -> Result<ContentPart> {
    let url = address(source, "picture")?;
    Ok(part("image_url", json!({"image_url": {"url": url}})))
}

fn document(extra: Extra) -> Result<ContentPart> {
    let source = extra.get("source").unwrap_or(&Value::Null);
    let title = extra.get("title").and_then(Value::as_str);
    match source["type"].as_str() {
        Some("text") => {
            let text = source["data"].as_str().unwrap_or_default();
            let titled =
                title.map_or_else(|| text.to_owned(), |title| format!("{title}\n\n{text}"));
            Ok(part("text", json!({ "text": titled })))
        }
        Some("content") => Ok(part("text", json!({ "text": words(&source["content"]) }))),
        _ => {
            let data = address(source, "document")?;
            let name = title.unwrap_or("document.pdf");
            Ok(part(
                "file",
                json!({"file": {"filename": name, "file_data": data}}),
            ))
        }
    }
}

#[cfg(test)]
#[path = "chat_form_tests.rs"]
mod tests;
