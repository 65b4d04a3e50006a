//! Signatures of thoughts: what a provider signed comes back to it through every protocol, and to no other.

use wiremock::{Mock, MockServer, Request};

use crate::*;

/// A caller: its protocol, whether it reads thoughts, and whether it streams.
#[derive(Clone, Copy, Debug)]
struct By {
    way: &'static str,
    thinks: bool,
    stream: bool,
}

const CALLERS: [By; 8] = {
    const fn by(way: &'static str, thinks: bool, stream: bool) -> By {
        By {
            way,
            thinks,
            stream,
        }
    }
    [
        by("messages", false, false),
        by("messages", false, true),
        by("messages", true, false),
        by("messages", true, true),
        by("responses", false, false),
        by("responses", false, true),
        by("responses", true, false),
        by("responses", true, true),
    ]
};

/// An upstream that gives these deltas, whole or in pieces, and what it was asked.
async fn answering(deltas: Vec<Value>) -> (MockServer, Arc<Mutex<Vec<Value>>>) {
    let server = MockServer::start().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    Mock::given(path("/v1/chat/completions"))
        .respond_with(move |request: &Request| {
            let request: Value = serde_json::from_slice(&request.body).unwrap();
            let streams = request["stream"] == true;
            kept.lock().unwrap().push(request);
            if !streams {
                let mut answer = completion("");
                answer["choices"][0]["message"] = joined(&deltas);
                answer["choices"][0]["finish_reason"] = json!("tool_calls");
                return ResponseTemplate::new(200).set_body_json(answer);
            }
            let end =
                json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
            let chunks = deltas
                .iter()
                .map(|delta| json!({"id": "c", "choices": [{"index": 0, "delta": delta}]}));
            let events = chunks
                .chain([end])
                .map(|chunk| format!("data: {chunk}\n\n"));
            let events = events.collect::<String>() + "data: [DONE]\n\n";
            ResponseTemplate::new(200).set_body_raw(events, "text/event-stream")
        })
        .mount(&server)
        .await;
    (server, asked)
}

/// The message of deltas, each of whose fields comes once.
fn joined(deltas: &[Value]) -> Value {
    let mut message = json!({"role": "assistant", "content": null});
    let fields = deltas.iter().flat_map(|delta| delta.as_object().unwrap());
    for (field, value) in fields {
        let before = message[field].as_array().cloned().unwrap_or_default();
        message[field] = match value {
            Value::Array(more) => before.iter().chain(more).cloned().collect(),
            value => value.clone(),
        };
    }
    message
}

/// The items of an answer, put together from events where it is streamed.
async fn items(by: By, response: reqwest::Response) -> Vec<Value> {
    assert_eq!(response.status(), 200, "{by:?}");
    let text = soon(response.text()).await.unwrap();
    if !by.stream {
        let answer: Value = serde_json::from_str(&text).unwrap();
        let items = [&answer["content"], &answer["output"]];
        return items.into_iter().find_map(Value::as_array).unwrap().clone();
    }
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    if by.way == "responses" {
        let last = &events.last().unwrap()["response"]["output"];
        return last.as_array().unwrap().clone();
    }
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for event in events {
        let place = event["index"].as_u64().unwrap_or(0) as usize;
        let delta = &event["delta"];
        if event["type"] == "content_block_start" {
            blocks.push(event["content_block"].clone());
            inputs.push(String::new());
        }
        for field in ["thinking", "signature", "text"] {
            if let Some(more) = delta[field].as_str() {
                let said = blocks[place][field].as_str().unwrap_or_default();
                blocks[place][field] = format!("{said}{more}").into();
            }
        }
        inputs
            .get_mut(place)
            .into_iter()
            .for_each(|input| *input += delta["partial_json"].as_str().unwrap_or_default());
        if event["type"] == "content_block_stop" && blocks[place]["type"] == "tool_use" {
            blocks[place]["input"] = serde_json::from_str(&inputs[place]).unwrap();
        }
    }
    blocks
}

/// A request with a history: the items of an answer, and a result for each of its calls.
fn request(by: By, model: &str, answer: Option<&[Value]>) -> Value {
    let result = |call: &Value| match by.way {
        "messages" => json!({"type": "tool_result", "tool_use_id": call["id"], "content": "14"}),
        _ => json!({"type": "function_call_output", "call_id": call["call_id"], "output": "14"}),
    };
    let is_call = |item: &&Value| item["type"] == "tool_use" || item["type"] == "function_call";
    let answer = answer.unwrap_or_default();
    let results: Vec<Value> = answer.iter().filter(is_call).map(result).collect();
    match by.way {
        "messages" => {
            let mut messages = vec![json!({"role": "user", "content": "Weather?"})];
            if !answer.is_empty() {
                messages.push(json!({"role": "assistant", "content": answer}));
                messages.push(json!({"role": "user", "content": results}));
            }
            let thinking = if by.thinks { "adaptive" } else { "disabled" };
            json!({"model": model, "max_tokens": 99, "stream": by.stream, "messages": messages,
                "thinking": {"type": thinking},
                "tools": [{"name": "f", "input_schema": {"type": "object"}}]})
        }
        _ => {
            let mut input = vec![json!({"role": "user", "content": "Weather?"})];
            input.extend(answer.iter().cloned());
            input.extend(results);
            let include: &[&str] = match by.thinks {
                true => &["reasoning.encrypted_content"],
                false => &[],
            };
            json!({"model": model, "stream": by.stream, "input": input, "include": include,
                "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]})
        }
    }
}

/// Asks, hands the answer back with the results of its calls, and returns the answer and the messages that went up
/// then.
async fn two_turns(
    by: By,
    providers: [ProviderConfig; 2],
    models: [&str; 2],
    asked: &Mutex<Vec<Value>>,
) -> (Vec<Value>, Vec<Value>) {
    let base = serve(Gateway::from_config(config(providers.into()))).await;
    let url = format!("{base}/v1/{}", by.way);
    let first = post(url.clone(), &request(by, models[0], None)).await;
    let answer = items(by, first).await;
    let second = post(url, &request(by, models[1], Some(&answer))).await;
    assert_eq!(second.status(), 200, "{by:?}");
    drop(soon(second.bytes()).await);
    let sent = asked.lock().unwrap().pop().unwrap();
    (answer, sent["messages"].as_array().unwrap().clone())
}

fn call(id: &str, signature: Option<&str>) -> Value {
    let mut call =
        json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}});
    if let Some(signature) = signature {
        call["extra_content"] = json!({"google": {"thought_signature": signature}});
    }
    call
}

fn at(place: u64, mut call: Value) -> Value {
    call["index"] = place.into();
    json!({ "tool_calls": [call] })
}

#[tokio::test]
async fn what_gemini_signed_comes_back_with_its_call() {
    for by in CALLERS {
        // Of two calls at once the first is signed.
        let deltas = vec![at(0, call("a", Some("s+/=="))), at(1, call("b", None))];
        let (server, asked) = answering(deltas).await;
        let providers = [
            provider("gemini", &server.uri()),
            provider("up", &server.uri()),
        ];
        let models = ["gemini/gemini-3-pro"; 2];
        let (_, messages) = two_turns(by, providers, models, &asked).await;
        let calls = messages[1]["tool_calls"].clone();
        assert_eq!(
            calls,
            json!([call("a", Some("s+/==")), call("b", None)]),
            "{by:?}"
        );
        let results: Vec<&Value> = messages[2..]
            .iter()
            .map(|told| &told["tool_call_id"])
            .collect();
        assert_eq!(results, ["a", "b"], "{by:?}");
    }
}

#[tokio::test]
async fn what_openrouter_signed_comes_back_with_its_message() {
    let format = "anthropic-claude-v1";
    let text =
        |text: &str| json!({"type": "reasoning.text", "text": text, "format": format, "index": 0});
    let signed = json!({"type": "reasoning.text", "signature": "s", "index": 0});
    let mut whole = text("hm so");
    whole["signature"] = "s".into();
    let sealed = json!({"type": "reasoning.encrypted", "data": "x", "id": "a", "format": "google-gemini-v1",
        "index": 1});
    for by in CALLERS {
        let thoughts = match by.stream {
            true => vec![
                json!({"reasoning": "hm ", "reasoning_details": [text("hm ")]}),
                json!({"reasoning": "so", "reasoning_details": [text("so")]}),
                json!({"reasoning_details": [signed]}),
            ],
            false => vec![json!({"reasoning": "hm so", "reasoning_details": [whole]})],
        };
        let rest = [
            json!({"reasoning_details": [sealed]}),
            at(0, call("a", None)),
        ];
        let deltas = thoughts.into_iter().chain(rest).collect();
        let (server, asked) = answering(deltas).await;
        let providers = [
            provider("openrouter", &server.uri()),
            provider("up", &server.uri()),
        ];
        let (answer, messages) = two_turns(by, providers, ["openrouter/m"; 2], &asked).await;
        let told = &messages[1];
        assert_eq!(told["reasoning_details"], json!([whole, sealed]), "{by:?}");
        assert_eq!(told.get("reasoning_content"), None, "{by:?}");
        assert_eq!(told["tool_calls"], json!([call("a", None)]), "{by:?}");
        if by.way == "messages" {
            let thought = by.thinks.then(|| json!("hm so"));
            assert_eq!(answer[0].get("thinking"), thought.as_ref(), "{by:?}");
        }
    }
}

#[tokio::test]
async fn what_comes_after_the_call_is_carried_by_thoughts_of_its_own() {
    let sealed = json!({"type": "reasoning.encrypted", "data": "x", "id": "a", "index": 0});
    for by in CALLERS.into_iter().filter(|by| by.thinks) {
        let deltas = vec![
            at(0, call("a", None)),
            json!({"reasoning_details": [sealed]}),
        ];
        let (server, asked) = answering(deltas).await;
        let providers = [
            provider("openrouter", &server.uri()),
            provider("up", &server.uri()),
        ];
        let (_, messages) = two_turns(by, providers, ["openrouter/m"; 2], &asked).await;
        assert_eq!(messages[1]["reasoning_details"], json!([sealed]), "{by:?}");
    }
}

#[tokio::test]
async fn no_other_provider_gets_what_one_has_signed() {
    for by in CALLERS {
        let deltas = vec![
            json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "index": 0}]}),
            at(0, call("a", Some("s"))),
        ];
        let (server, asked) = answering(deltas).await;
        for name in ["up", "gemini"] {
            let providers = [
                provider("openrouter", &server.uri()),
                provider(name, &server.uri()),
            ];
            let model = format!("{name}/gemini-3-pro");
            let models = ["openrouter/m", &model];
            let (_, messages) = two_turns(by, providers, models, &asked).await;
            let told = &messages[1];
            let skipped = (name == "gemini").then_some("skip_thought_signature_validator");
            assert_eq!(
                told["tool_calls"],
                json!([call("a", skipped)]),
                "{by:?} {name}"
            );
            assert_eq!(told.get("reasoning_details"), None, "{by:?} {name}");
            assert!(
                !json!(messages).to_string().contains("mana"),
                "{messages:?}"
            );
        }
    }
}
