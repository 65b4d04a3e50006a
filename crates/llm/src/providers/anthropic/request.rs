//! Requests in Anthropic's shape.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::messages::{Turn, conversation};
use super::model::Version;
use super::schema::schema_or;
use super::schema_tool::ANSWER;
use super::thinking::{think, thinks};
use crate::error::{GatewayError, Result};
use crate::wire::{CallerProtocol, ChatRequest, RawJson};

/// Fields of OpenAI's, and of servers that speak its protocol, that Anthropic has no word for and would refuse. Other
/// unknown fields pass on.
const NOT_ANTHROPICS: [&str; 52] = [
    "audio",
    "background",
    "best_of",
    "chat_template_kwargs",
    "documents",
    "extra_body",
    "frequency_penalty",
    "function_call",
    "functions",
    "guided_json",
    "ignore_eos",
    "include",
    "include_reasoning",
    "input",
    "instructions",
    "keep_alive",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "max_tool_calls",
    "min_p",
    "min_tokens",
    "modalities",
    "n",
    "options",
    "parallel_tool_calls",
    "plugins",
    "prediction",
    "presence_penalty",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "provider",
    "reasoning",
    "reasoning_effort",
    "repetition_penalty",
    "safety_identifier",
    "seed",
    "store",
    "stream_options",
    "text",
    "think",
    "tool_choice",
    "top_logprobs",
    "transforms",
    "truncation",
    "usage",
    "user",
    "verbosity",
    "web_search_options",
];
/// The dropped fields without which the answer is another one.
const MISSED: [&str; 18] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "guided_json",
    "logit_bias",
    "logprobs",
    "max_tool_calls",
    "min_p",
    "min_tokens",
    "modalities",
    "prediction",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "top_logprobs",
    "verbosity",
    "web_search_options",
];

/// The fields of a request that are left out, and missed.
pub(super) fn left_out(request: &ChatRequest) -> Vec<&'static str> {
    let says = |field: &str| {
        let value = request.extra.get(field).unwrap_or(&Value::Null);
        !value.is_null() && *value != false && value.as_f64() != Some(0.0)
    };
    MISSED.into_iter().filter(|field| says(field)).collect()
}

/// The longest name of a user that the protocol takes.
const USER_CHARS: usize = 256;

/// The body of `POST /v1/messages`.
pub(super) fn body(mut request: ChatRequest, stream: bool) -> Result<Body> {
    let longest = request.max_tokens().or(request.bound);
    let choices = request.choices();
    let mut extra = std::mem::take(&mut request.extra);
    if choices > 1 {
        return Err(GatewayError::invalid(
            Some("n"),
            "Anthropic gives one answer to a request; leave `n` out",
        ));
    }
    let version = Version::of(&request.model);
    let mut conversation = conversation(request.messages)?;
    if request.keeps_prompt {
        conversation.mark_for_cache();
    }
    conversation.trim_end();
    let mut tools = tools(request.tools.as_ref());
    let mut choice = tool_choice(&extra);
    if tools.is_empty() && request.protocol != CallerProtocol::Messages {
        // Anthropic wants the tools of a history described, also where none may be called any more.
        tools.extend(conversation.called().into_iter().map(called_tool));
        choice = (!tools.is_empty()).then(|| json!({"type": "none"}));
    }
    let is_forced = choice
        .as_ref()
        .is_some_and(|choice| choice["type"] == "any" || choice["type"] == "tool");
    let may_think = (!is_forced || tools.is_empty()) && conversation.lets_think();
    let max_tokens = think(&mut extra, longest, version, may_think);
    let thinks = thinks(&extra);
    let format = request.response_format.as_ref();
    let format = format.and_then(RawJson::read::<Format>).unwrap_or_default();
    let mut answer = None;
    match format.kind.as_str() {
        "json_schema" => {
            let name = free_name(&tools);
            tools.push(answer_tool(&name, format.json_schema.unwrap_or_default()));
            if !is_forced {
                // One that thinks may not be forced.
                choice = Some(match (thinks, tools.len(), choice.as_ref()) {
                    (true, ..) => json!({"type": "auto"}),
                    (false, 1, _) => json!({"type": "tool", "name": name}),
                    (false, _, Some(none)) if none["type"] == "none" => {
                        json!({"type": "tool", "name": name})
                    }
                    (false, ..) => json!({"type": "any"}),
                });
            }
            answer = Some(name);
        }
        "json_object" => conversation.system.push(json!({
            "type": "text", "text": "Answer with one JSON object and nothing else."})),
        _ => {}
    }
    // Nor may one with tools go on with words that were put into its mouth.
    let may_go_on = !thinks && tools.is_empty() && !version.refuses_prefill();
    if conversation.is_prefilled() && !may_go_on {
        let go_on = json!({"type": "text", "text": "Go on."});
        conversation.turns.push(Turn {
            role: "user",
            blocks: vec![go_on],
        });
    }
    if extra.get("parallel_tool_calls") == Some(&Value::Bool(false)) && !tools.is_empty() {
        let choice = choice.get_or_insert_with(|| json!({"type": "auto"}));
        choice["disable_parallel_tool_use"] = true.into();
    }

    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.into());
    body.insert("max_tokens".to_owned(), max_tokens.into());
    if !conversation.system.is_empty() {
        body.insert("system".to_owned(), conversation.system.into());
    }
    let turns = conversation.turns.into_iter();
    let messages = turns.map(|turn| json!({"role": turn.role, "content": turn.blocks}));
    body.insert("messages".to_owned(), messages.collect());
    if let Some(choice) = choice.filter(|_| !tools.is_empty()) {
        body.insert("tool_choice".to_owned(), choice);
    }
    if stream {
        body.insert("stream".to_owned(), true.into());
    }
    let user = extra.remove("user");
    for field in NOT_ANTHROPICS {
        extra.remove(field);
    }
    match extra.remove("stop") {
        Some(Value::String(stop)) => drop(extra.insert("stop_sequences".to_owned(), json!([stop]))),
        Some(Value::Array(stops)) => drop(extra.insert("stop_sequences".to_owned(), stops.into())),
        _ => {}
    }
    if let Some(Value::Array(stops)) = extra.get_mut("stop_sequences") {
        // Anthropic refuses one of white space alone.
        stops.retain(|stop| stop.as_str().is_some_and(|stop| !stop.trim().is_empty()));
    }
    // Of the metadata Anthropic takes the user's name and nothing else.
    let metadata = extra.remove("metadata").unwrap_or_default();
    let named = metadata["user_id"].as_str();
    if let Some(user) = named.or(user.as_ref().and_then(Value::as_str)) {
        let user: String = user.chars().take(USER_CHARS).collect();
        extra.insert("metadata".to_owned(), json!({ "user_id": user }));
    }
    // Tiers of OpenAI's have other names.
    let tiers = ["auto", "standard_only"];
    let tier = extra.get("service_tier").and_then(Value::as_str);
    if !tier.is_some_and(|tier| tiers.contains(&tier)) {
        extra.remove("service_tier");
    }
    if let Some(temperature) = extra.get("temperature").and_then(Value::as_f64) {
        // OpenAI's goes up to 2.
        extra.insert("temperature".to_owned(), temperature.clamp(0.0, 1.0).into());
        if version.takes_one_of_temperature_and_top_p() {
            extra.remove("top_p");
        }
    }
    body.extend(extra.into_iter().filter(|(_, value)| !value.is_null()));
    Ok(Body {
        tools,
        fields: body,
        answer,
    })
}

/// The body of a request. Schemas keep the order in which they were written.
#[derive(Serialize)]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool>,
    #[serde(flatten)]
    fields: Map<String, Value>,
    /// The name of the tool through which an answer by schema comes.
    #[serde(skip)]
    pub answer: Option<String>,
}

/// A tool of the request.
#[derive(Serialize)]
#[serde(untagged)]
enum Tool {
    /// A function as Anthropic describes it.
    Function {
        name: Value,
        #[serde(skip_serializing_if = "Value::is_null")]
        description: Value,
        input_schema: RawJson,
        #[serde(flatten)]
        more: Map<String, Value>,
    },
    /// A tool of Anthropic's own.
    Own(RawJson),
}

/// `response_format`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
    json_schema: Option<AnswerSchema>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AnswerSchema {
    description: Option<String>,
    schema: Option<RawJson>,
}

/// A name for the tool that answers which no tool of the caller's has.
fn free_name(tools: &[Tool]) -> String {
    let names: Vec<String> = tools.iter().map(Tool::name).collect();
    let mut name = ANSWER.to_owned();
    for number in 2.. {
        if !names.contains(&name) {
            break;
        }
        name = format!("{ANSWER}_{number}");
    }
    name
}

impl Tool {
    fn name(&self) -> String {
        let name = match self {
            Self::Function { name, .. } => name.clone(),
            Self::Own(tool) => tool.value()["name"].clone(),
        };
        name.as_str().unwrap_or_default().to_owned()
    }
}

/// A tool of which only its name is known.
fn called_tool(name: Value) -> Tool {
    Tool::Function {
        name,
        description: Value::Null,
        input_schema: schema_or(None, json!({"type": "object"})),
        more: Map::new(),
    }
}

fn answer_tool(name: &str, answer: AnswerSchema) -> Tool {
    let said = answer.description;
    let description = said.unwrap_or_else(|| "Give the answer with this.".to_owned());
    Tool::Function {
        name: name.into(),
        description: description.into(),
        input_schema: schema_or(answer.schema, json!({"type": "object"})),
        more: Map::new(),
    }
}

fn tools(tools: Option<&RawJson>) -> Vec<Tool> {
    let tools: Vec<RawJson> = tools.and_then(RawJson::read).unwrap_or_default();
    tools.into_iter().map(tool).collect()
}

/// A function of OpenAI's.
#[derive(Deserialize)]
struct GivenFunction {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    description: Value,
    #[serde(default)]
    parameters: Option<RawJson>,
    /// The field has no meaning for this provider.
    #[serde(default, rename = "strict")]
    _strict: Value,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Deserialize)]
struct GivenTool {
    #[serde(rename = "type")]
    kind: String,
    function: GivenFunction,
    #[serde(default)]
    cache_control: Option<Value>,
}

/// A function as Anthropic describes it; a tool of Anthropic's own stays as it is.
fn tool(tool: RawJson) -> Tool {
    let Some(given) = tool
        .read::<GivenTool>()
        .filter(|given| given.kind == "function")
    else {
        return Tool::Own(tool);
    };
    let GivenFunction {
        name,
        description,
        parameters,
        mut more,
        ..
    } = given.function;
    if let Some(cached) = given.cache_control {
        more.insert("cache_control".to_owned(), cached);
    }
    Tool::Function {
        name,
        description,
        input_schema: schema_or(parameters, json!({"type": "object", "properties": {}})),
        more,
    }
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
        // Some of the tools may be called; Anthropic can't leave the others out.
        choice if choice["type"] == "allowed_tools" => {
            match choice["mode"] == "required" || choice["allowed_tools"]["mode"] == "required" {
                true => Some(json!({"type": "any"})),
                false => Some(json!({"type": "auto"})),
            }
        }
        Value::Object(choice) => Some(choice.clone().into()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
