//! Ollama's own protocol: `/api/chat`, in which a request names its window, and what `/api/show` and `/api/ps` say of a
//! model. Over `/v1` Ollama cuts every prompt to the window of its configuration without a word.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::models::Facts;
use crate::wire::{
    ChatCompletion, ChatRequest, Choice, Content, ContentPart, Extra, Message, RawJson, Usage,
    arguments_text,
};

/// The window that is asked for where neither the owner nor the model's own file names one. Larger ones take memory
/// that a computer at home may not have.
const USUAL_WINDOW: u64 = 8_192;

/// Whether a request can be asked in these words: `/api/chat` gives one answer, and takes pictures as bytes and nothing
/// else beside text.
pub(crate) fn can_ask(request: &ChatRequest) -> bool {
    let is_taken = |part: &ContentPart| part.kind == "text" || picture(part).is_some();
    request.choices() == 1
        && request
            .messages
            .iter()
            .all(|message| match &message.content {
                Some(Content::Parts(parts)) => parts.iter().all(is_taken),
                _ => true,
            })
}

/// The base64 of a picture.
fn picture(part: &ContentPart) -> Option<&str> {
    let image = part.extra.get("image_url")?;
    let url = image.as_str().or_else(|| image["url"].as_str())?;
    Some(url.split_once(";base64,")?.1)
}

/// The body of `/api/chat`.
#[derive(Serialize)]
pub(crate) struct Body {
    model: String,
    messages: Vec<Value>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<RawJson>,
    /// A schema, or `"json"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<RawJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<Value>,
    options: Map<String, Value>,
}

/// Fields of OpenAI's that are options of Ollama's by the same name.
const OPTIONS: [&str; 6] = [
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
];

/// A request with its window.
pub(crate) fn body(request: ChatRequest, window: u64) -> Body {
    let mut options = Map::new();
    options.insert("num_ctx".to_owned(), window.into());
    let longest = request.max_tokens().or(request.bound);
    options.extend(longest.map(|most| ("num_predict".to_owned(), most.into())));
    let said = request.extra.get("temperature");
    let usual = request.usual_temperature.filter(|_| said.is_none());
    options.extend(usual.map(|usual| ("temperature".to_owned(), usual.into())));
    for name in OPTIONS {
        let value = request.extra.get(name).filter(|value| !value.is_null());
        options.extend(value.map(|value| (name.to_owned(), value.clone())));
    }
    match request.extra.get("stop") {
        Some(Value::String(stop)) => drop(options.insert("stop".to_owned(), json!([stop]))),
        Some(Value::Array(stops)) => drop(options.insert("stop".to_owned(), json!(stops))),
        _ => {}
    }
    // OpenAI's word for no thoughts is an effort like the others.
    let think = request.extra.get("think").cloned().or_else(|| {
        let effort = request.extra.get("reasoning_effort")?;
        Some(if effort == "none" {
            false.into()
        } else {
            effort.clone()
        })
    });
    Body {
        model: request.model,
        messages: request.messages.into_iter().map(message).collect(),
        stream: false,
        tools: request.tools,
        format: request.response_format.as_ref().and_then(format),
        think,
        keep_alive: request.extra.get("keep_alive").cloned(),
        options,
    }
}

#[derive(serde::Deserialize)]
struct GivenFormat {
    #[serde(rename = "type")]
    kind: String,
    json_schema: Option<GivenSchema>,
}

#[derive(serde::Deserialize)]
struct GivenSchema {
    schema: Option<RawJson>,
}

fn format(given: &RawJson) -> Option<RawJson> {
    let format: GivenFormat = given.read()?;
    match format.kind.as_str() {
        "json_schema" => format.json_schema?.schema,
        "json_object" => RawJson::of(&"json"),
        _ => None,
    }
}

/// A message: calls with their arguments as JSON, pictures beside the text.
fn message(message: Message) -> Value {
    let mut said = json!({ "role": message.role, "content": message.plain() });
    if let Some(Content::Parts(parts)) = &message.content {
        let pictures: Vec<&str> = parts.iter().filter_map(picture).collect();
        if !pictures.is_empty() {
            said["images"] = json!(pictures);
        }
    }
    let calls = message.extra.get("tool_calls").and_then(Value::as_array);
    if let Some(calls) = calls {
        let calls = calls.iter().map(|call| {
            let function = &call["function"];
            let arguments = match &function["arguments"] {
                Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
                arguments => arguments.clone(),
            };
            let arguments = Some(arguments).filter(Value::is_object);
            let arguments = arguments.unwrap_or_else(|| json!({}));
            json!({ "function": { "name": function["name"], "arguments": arguments } })
        });
        said["tool_calls"] = calls.collect();
    }
    for field in ["thinking", "tool_call_id", "tool_name"] {
        if let Some(value) = message.extra.get(field) {
            said[field] = value.clone();
        }
    }
    said
}

/// An answer of `/api/chat` in OpenAI's shape; none where it is no such answer.
pub(crate) fn completion(said: &Value) -> Option<ChatCompletion> {
    let message = said.get("message")?.as_object()?;
    let text = |name: &str| {
        message
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let calls: Vec<Value> = calls
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(place, call)| {
            let function = &call["function"];
            let id = call["id"].as_str().filter(|id| !id.is_empty());
            let id = id.map_or_else(|| format!("call_{place}"), str::to_owned);
            json!({ "id": id, "type": "function", "function": {
                "name": function["name"], "arguments": arguments_text(&function["arguments"]) } })
        })
        .collect();
    let mut extra = Extra::new();
    if !text("thinking").is_empty() {
        extra.insert("reasoning".to_owned(), text("thinking").into());
    }
    let finish = match said["done_reason"].as_str() {
        Some("length") => "length",
        _ if !calls.is_empty() => "tool_calls",
        _ => "stop",
    };
    if !calls.is_empty() {
        extra.insert("tool_calls".to_owned(), calls.into());
    }
    let count = |name: &str| said[name].as_u64().unwrap_or(0);
    let (prompt, answer) = (count("prompt_eval_count"), count("eval_count"));
    let model = said["model"].as_str().unwrap_or_default();
    let mut completion = ChatCompletion::of_text(model, 0, String::new());
    completion.choices = vec![Choice {
        index: 0,
        message: Message {
            role: "assistant".to_owned(),
            content: Some(Content::Text(text("content").to_owned())),
            extra,
        },
        finish_reason: Some(finish.to_owned()),
        extra: Extra::new(),
    }];
    completion.usage = (prompt + answer > 0).then(|| Usage {
        prompt_tokens: prompt,
        completion_tokens: answer,
        total_tokens: prompt + answer,
        ..Usage::default()
    });
    Some(completion)
}

/// The facts that `/api/show` and `/api/ps` tell of a model. The window is the one that the model's file names, else
/// the one with which it is loaded or the usual one, whichever is larger, and never beyond the model itself.
pub(crate) fn facts(model: &str, shown: &Value, loaded: &Value) -> Facts {
    let can = |name: &str| {
        let all = shown["capabilities"].as_array()?;
        Some(all.iter().any(|ability| ability == name))
    };
    let info = shown["model_info"].as_object();
    let most = info
        .into_iter()
        .flatten()
        .find(|(name, _)| name.ends_with(".context_length"))
        .and_then(|(_, tokens)| tokens.as_u64());
    let parameters = shown["parameters"].as_str().unwrap_or_default();
    let own = parameters.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("num_ctx")?;
        rest.trim().parse::<u64>().ok()
    });
    let same = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        name == model || name.strip_suffix(":latest") == Some(model)
    };
    let running = loaded["models"].as_array().into_iter().flatten();
    let running = running
        .filter(|running| same(&running["name"]) || same(&running["model"]))
        .find_map(|running| running["context_length"].as_u64());
    let window = own.unwrap_or(USUAL_WINDOW.max(running.unwrap_or(0)));
    Facts {
        tools: can("tools"),
        vision: can("vision"),
        embeddings: can("embedding"),
        json_schema: None,
        context_tokens: Some(window.min(most.unwrap_or(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_asked_with_its_window_and_its_schema_in_order() {
        let request: ChatRequest = serde_json::from_str(
            r#"{"model": "qwen3", "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "one"}],
            "tools": [{"type":"function","function":{"name":"f","parameters":{"z":1,"a":2}}}],
            "response_format": {"type":"json_schema","json_schema":{"schema":{"z":1,"a":2}}},
            "max_tokens": 100, "temperature": 0.2, "stop": "END", "user": "u"}"#,
        )
        .unwrap();
        let sent = serde_json::to_string(&body(request, 8_192)).unwrap();
        assert!(sent.contains(r#""format":{"z":1,"a":2}"#), "{sent}");
        assert!(sent.contains(r#""parameters":{"z":1,"a":2}"#), "{sent}");
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(
            sent["options"],
            json!({"num_ctx": 8192, "num_predict": 100, "temperature": 0.2, "stop": ["END"]})
        );
        assert_eq!(
            sent["messages"],
            json!([
                {"role": "user", "content": "Look", "images": ["AAAA"]},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"function": {"name": "f", "arguments": {"a": 1}}}]},
                {"role": "tool", "content": "one", "tool_call_id": "c1"},
            ])
        );
        assert_eq!(sent["stream"], false);
    }

    #[test]
    fn what_ollama_has_no_words_for_is_not_asked_in_its_own() {
        let ask = |fields: Value| {
            let content = json!([{"type": "text", "text": "Look"}, fields["part"]]);
            let mut request =
                json!({"model": "m", "messages": [{"role": "user", "content": content}]});
            request["n"] = fields["n"].clone();
            can_ask(&serde_json::from_value(request).unwrap())
        };
        let picture = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let bytes = picture("data:image/png;base64,AAAA");
        assert!(ask(json!({ "part": bytes })));
        assert!(!ask(json!({ "part": bytes, "n": 2 })));
        for part in [
            picture("https://x/y.png"),
            json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}),
            json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        ] {
            assert!(!ask(json!({ "part": part })), "{part}");
        }
    }

    #[test]
    fn arguments_are_objects_there_and_texts_here() {
        for (given, sent) in [
            (json!("{\"a\":1}"), json!({"a": 1})),
            (json!({"a": 1}), json!({"a": 1})),
            (json!("null"), json!({})),
            (json!("{cut o"), json!({})),
        ] {
            let call = json!({"id": "c", "function": {"name": "f", "arguments": given}});
            let said = json!({"role": "assistant", "content": null, "tool_calls": [call]});
            let asked = message(serde_json::from_value(said).unwrap());
            assert_eq!(asked["tool_calls"][0]["function"]["arguments"], sent);
        }
        for (given, told) in [
            (json!({"a": 1}), "{\"a\":1}"),
            (json!("{\"a\":1}"), "{\"a\":1}"),
            (json!(" "), "{}"),
            (json!(null), "{}"),
        ] {
            let call = json!({"function": {"name": "f", "arguments": given}});
            let answer = completion(&json!({"message": {"tool_calls": [call]}})).unwrap();
            let calls = &answer.choices[0].message.extra["tool_calls"];
            assert_eq!(calls[0]["function"]["arguments"], told);
        }
    }

    #[test]
    fn an_answer_has_openais_shape() {
        let answer = completion(&json!({"model": "qwen3", "done_reason": "stop",
            "message": {"role": "assistant", "content": "Hi", "thinking": "hm",
                "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
            "prompt_eval_count": 7, "eval_count": 3}))
        .unwrap();
        let choice = json!(answer.choices[0]);
        assert_eq!(choice["finish_reason"], "tool_calls");
        assert_eq!(choice["message"]["content"], "Hi");
        assert_eq!(choice["message"]["reasoning"], "hm");
        assert_eq!(
            choice["message"]["tool_calls"][0]["function"]["arguments"],
            "{\"a\":1}"
        );
        assert_eq!(answer.usage.unwrap().prompt_tokens, 7);
        let cut =
            completion(&json!({"message": {"content": "x"}, "done_reason": "length"})).unwrap();
        assert_eq!(cut.choices[0].finish_reason.as_deref(), Some("length"));
        assert!(completion(&json!({"error": "no"})).is_none());
    }

    #[test]
    fn the_window_is_the_files_else_the_loaded_or_usual_one_within_the_models_own() {
        let shown = |parameters: &str, most: u64| {
            json!({"parameters": parameters, "capabilities": ["completion", "tools"],
                "model_info": {"general.architecture": "qwen3", "qwen3.context_length": most}})
        };
        let running =
            |tokens: u64| json!({"models": [{"name": "qwen3:latest", "context_length": tokens}]});
        let window = |shown: &Value, loaded: &Value| facts("qwen3", shown, loaded).context_tokens;
        assert_eq!(
            window(&shown("num_ctx    4096\nstop x", 40_960), &running(32_768)),
            Some(4_096)
        );
        assert_eq!(window(&shown("", 40_960), &running(32_768)), Some(32_768));
        assert_eq!(window(&shown("", 40_960), &running(4_096)), Some(8_192));
        assert_eq!(window(&shown("", 2_048), &Value::Null), Some(2_048));
        let facts = facts("qwen3", &shown("", 2_048), &Value::Null);
        assert_eq!((facts.tools, facts.vision), (Some(true), Some(false)));
    }
}
