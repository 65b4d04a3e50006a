//! Requests in Anthropic's shape.

use serde_json::{Map, Value, json};

use super::schema_tool::ANSWER;
use crate::error::{GatewayError, Result};
use crate::wire::{ChatRequest, Content, ContentPart, Message};

/// The longest answer where nobody said; the protocol wants a number.
const MAX_TOKENS: u64 = 8192;

/// Fields of OpenAI's that Anthropic has no word for and would refuse. Other
/// unknown fields pass on.
const OPENAI_ONLY: [&str; 17] = [
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "store",
    "stream_options",
    "top_logprobs",
    "verbosity",
];

/// The body of `POST /v1/messages`.
pub(super) fn body(mut request: ChatRequest, stream: bool) -> Result<Value> {
    let mut extra = std::mem::take(&mut request.extra);
    if extra.get("n").and_then(Value::as_u64).unwrap_or(1) > 1 {
        return Err(GatewayError::invalid(
            Some("n"),
            "Anthropic gives one answer to a request; leave `n` out",
        ));
    }
    let mut max_tokens = ["max_completion_tokens", "max_tokens"]
        .iter()
        .find_map(|field| extra.get(*field)?.as_u64())
        .or(request.bound)
        .unwrap_or(MAX_TOKENS);
    if let Some(budget) = thinking_budget(&extra) {
        extra.insert(
            "thinking".to_owned(),
            json!({"type": "enabled", "budget_tokens": budget}),
        );
        // Anthropic counts the thinking into the answer and wants room beside it.
        max_tokens = max_tokens.max(budget + 1024);
        extra.remove("temperature");
    }
    let thinks = extra
        .get("thinking")
        .is_some_and(|thinking| thinking["type"] == "enabled");
    let (mut system, messages) = conversation(request.messages)?;
    let mut tools = tools(extra.remove("tools"));
    let mut choice = tool_choice(&extra);
    match extra
        .get("response_format")
        .map(|format| (format["type"].as_str(), format))
    {
        Some((Some("json_schema"), format)) => {
            tools.push(answer_tool(&format["json_schema"]));
            if choice.is_none() {
                // One that thinks may not be forced.
                choice = Some(match (thinks, tools.len()) {
                    (true, _) => json!({"type": "auto"}),
                    (false, 1) => json!({"type": "tool", "name": ANSWER}),
                    (false, _) => json!({"type": "any"}),
                });
            }
        }
        Some((Some("json_object"), _)) => system.push(json!({
            "type": "text", "text": "Answer with one JSON object and nothing else."})),
        _ => {}
    }
    if extra.get("parallel_tool_calls") == Some(&Value::Bool(false)) && !tools.is_empty() {
        let choice = choice.get_or_insert_with(|| json!({"type": "auto"}));
        choice["disable_parallel_tool_use"] = true.into();
    }

    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.into());
    body.insert("max_tokens".to_owned(), max_tokens.into());
    if !system.is_empty() {
        body.insert("system".to_owned(), system.into());
    }
    body.insert("messages".to_owned(), messages.into());
    if !tools.is_empty() {
        body.insert("tools".to_owned(), tools.into());
        if let Some(choice) = choice {
            body.insert("tool_choice".to_owned(), choice);
        }
    }
    if stream {
        body.insert("stream".to_owned(), true.into());
    }
    for field in OPENAI_ONLY {
        extra.remove(field);
    }
    extra.remove("tool_choice");
    extra.remove("max_tokens");
    match extra.remove("stop") {
        Some(Value::String(stop)) => drop(extra.insert("stop_sequences".to_owned(), json!([stop]))),
        Some(Value::Array(stops)) => drop(extra.insert("stop_sequences".to_owned(), stops.into())),
        _ => {}
    }
    if let Some(Value::String(user)) = extra.remove("user") {
        let metadata = extra.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.entry("user_id").or_insert(user.into());
        }
    }
    if let Some(temperature) = extra.get("temperature").and_then(Value::as_f64) {
        // OpenAI's goes up to 2.
        extra.insert("temperature".to_owned(), temperature.min(1.0).into());
    }
    body.extend(extra.into_iter().filter(|(_, value)| !value.is_null()));
    Ok(body.into())
}

/// How many tokens an effort in OpenAI's words may think, unless the request
/// says it in Anthropic's.
fn thinking_budget(extra: &Map<String, Value>) -> Option<u64> {
    if extra.contains_key("thinking") {
        return None;
    }
    match extra.get("reasoning_effort")?.as_str()? {
        "low" => Some(1024),
        "medium" => Some(4096),
        "high" | "xhigh" => Some(16_384),
        _ => None,
    }
}

fn answer_tool(schema: &Value) -> Value {
    let description = schema["description"]
        .as_str()
        .unwrap_or("Give the answer with this.");
    let schema = match &schema["schema"] {
        Value::Null => json!({"type": "object"}),
        schema => schema.clone(),
    };
    json!({"name": ANSWER, "description": description, "input_schema": schema})
}

fn tools(tools: Option<Value>) -> Vec<Value> {
    let Some(Value::Array(tools)) = tools else {
        return Vec::new();
    };
    tools.into_iter().map(tool).collect()
}

/// A function as Anthropic describes it; a tool of Anthropic's own stays as it is.
fn tool(mut tool: Value) -> Value {
    if tool["type"] != "function" {
        return tool;
    }
    let Some(Value::Object(mut function)) = tool.get_mut("function").map(Value::take) else {
        return tool;
    };
    let schema = function
        .remove("parameters")
        .filter(|schema| !schema.is_null());
    function.insert(
        "input_schema".to_owned(),
        schema.unwrap_or_else(|| json!({"type": "object", "properties": {}})),
    );
    // It has no meaning here.
    function.remove("strict");
    if let Some(cached) = tool.get("cache_control") {
        function.insert("cache_control".to_owned(), cached.clone());
    }
    function.into()
}

fn tool_choice(extra: &Map<String, Value>) -> Option<Value> {
    match extra.get("tool_choice")? {
        Value::String(choice) => match choice.as_str() {
            "auto" => Some(json!({"type": "auto"})),
            "required" => Some(json!({"type": "any"})),
            "none" => Some(json!({"type": "none"})),
            _ => None,
        },
        choice if choice["type"] == "function" => {
            Some(json!({"type": "tool", "name": choice["function"]["name"]}))
        }
        Value::Object(choice) => Some(choice.clone().into()),
        _ => None,
    }
}

/// The system blocks, and the conversation with its turns in turn: Anthropic
/// wants what tools answered as the next thing that the user says.
fn conversation(messages: Vec<Message>) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut system = Vec::new();
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
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
            Some((last, turn)) if *last == role => turn.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    let turns = turns.into_iter().filter(|(_, blocks)| !blocks.is_empty());
    let messages = turns.map(|(role, content)| json!({"role": role, "content": content}));
    Ok((system, messages.collect()))
}

fn assistant(mut message: Message) -> Result<Vec<Value>> {
    // What it thought before it called a tool has to come back with the call.
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
        let arguments = function["arguments"].as_str().unwrap_or_default();
        let input = match arguments.trim() {
            "" => json!({}),
            text => serde_json::from_str(text).map_err(|_| {
                GatewayError::invalid(
                    Some("messages"),
                    format!("The arguments of the call {} are no JSON", function["name"]),
                )
            })?,
        };
        said.push(
            json!({"type": "tool_use", "id": call["id"], "name": function["name"], "input": input}),
        );
    }
    Ok(said)
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
    match content {
        // An empty text block is refused.
        Some(Content::Text(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Content::Text(text)) => Ok(vec![json!({"type": "text", "text": text})]),
        Some(Content::Parts(parts)) => parts.into_iter().map(block).collect(),
        _ => Ok(Vec::new()),
    }
}

fn block(mut part: ContentPart) -> Result<Value> {
    if part.kind != "image_url" {
        part.extra.insert("type".to_owned(), part.kind.into());
        return Ok(part.extra.into());
    }
    let image = part.extra.remove("image_url").unwrap_or_default();
    let url = image.as_str().or(image["url"].as_str()).unwrap_or_default();
    let source = match url.strip_prefix("data:") {
        None => json!({"type": "url", "url": url}),
        Some(data) => {
            let (kind, data) = data.split_once(";base64,").ok_or_else(|| {
                GatewayError::invalid(
                    Some("messages"),
                    "A picture's data: address has to be base64, such as data:image/png;base64,…",
                )
            })?;
            json!({"type": "base64", "media_type": kind, "data": data})
        }
    };
    part.extra.remove("detail");
    part.extra.insert("type".to_owned(), "image".into());
    part.extra.insert("source".to_owned(), source);
    Ok(part.extra.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request: Value) -> Value {
        let request: ChatRequest = serde_json::from_value(request).unwrap();
        body(request, false).unwrap()
    }

    #[test]
    fn a_conversation_with_tools_and_pictures_is_put_into_blocks() {
        let body = asked(json!({
            "model": "claude-x", "max_tokens": 100, "temperature": 1.7, "stop": "END", "user": "u",
            "seed": 1, "top_k": 5,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": [
                    {"type": "text", "text": "And kind.", "cache_control": {"type": "ephemeral"}}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}],
                    "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
                {"role": "tool", "tool_call_id": "c1", "content": "one"},
                {"role": "tool", "tool_call_id": "c2", "content": "two"},
                {"role": "user", "content": "Go on"},
            ],
            "tools": [{"type": "function", "function": {
                "name": "f", "description": "F", "parameters": {"type": "object"}, "strict": true}},
                {"type": "web_search_20250305", "name": "web_search"}],
            "tool_choice": "required", "parallel_tool_calls": false,
        }));
        let expected = json!({
            "model": "claude-x", "max_tokens": 100, "temperature": 1.0, "top_k": 5,
            "stop_sequences": ["END"], "metadata": {"user_id": "u"},
            "system": [
                {"type": "text", "text": "Be brief."},
                {"type": "text", "text": "And kind.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                    {"type": "tool_use", "id": "c2", "name": "g", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "one"}]},
                    {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "two"}]},
                    {"type": "text", "text": "Go on"}]}],
            "tools": [
                {"name": "f", "description": "F", "input_schema": {"type": "object"}},
                {"type": "web_search_20250305", "name": "web_search"}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_schema_becomes_the_tool_that_answers() {
        let ask = |extra: Value| {
            let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
                "response_format": {"type": "json_schema", "json_schema": {
                    "name": "n", "schema": {"type": "object"}, "strict": true}}});
            let fields = extra.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(fields);
            asked(request)
        };
        let alone = ask(json!({}));
        assert_eq!(alone["tools"][0]["name"], ANSWER);
        assert_eq!(
            alone["tool_choice"],
            json!({"type": "tool", "name": ANSWER})
        );
        assert_eq!(alone.get("response_format"), None);
        let beside = ask(json!({"tools": [{"type": "function", "function": {"name": "f"}}]}));
        assert_eq!(beside["tool_choice"], json!({"type": "any"}));
        let thinking = ask(json!({"reasoning_effort": "low", "temperature": 0.5}));
        assert_eq!(thinking["tool_choice"], json!({"type": "auto"}));
        assert_eq!(
            thinking["thinking"],
            json!({"type": "enabled", "budget_tokens": 1024})
        );
        assert_eq!(thinking.get("temperature"), None);
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let refused = |request: Value| {
            let request: ChatRequest = serde_json::from_value(request).unwrap();
            body(request, false).unwrap_err().message
        };
        assert!(refused(json!({"messages": [], "n": 2})).contains("`n`"));
        let picture = json!([{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]);
        let messages = json!([{"role": "user", "content": picture}]);
        assert!(refused(json!({"messages": messages})).contains("base64"));
    }
}
