//! OpenAI's Responses, over every provider.

use crate::anthropic::gateway as to_anthropic;
use crate::*;

async fn ask(base: &str, body: &Value) -> reqwest::Response {
    post(format!("{base}/v1/responses"), body).await
}

/// The events of a stream, each with its name, whose numbers have no gap.
async fn events(response: reqwest::Response) -> Vec<(String, Value)> {
    let text = soon(response.text()).await.unwrap();
    assert!(!text.contains("[DONE]"), "{text}");
    let events = text.split("\n\n").filter(|event| event.contains("data: "));
    let events: Vec<(String, Value)> = events
        .map(|event| {
            let (name, data) = event.trim_start_matches(":\n").split_once('\n').unwrap();
            let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            (name.strip_prefix("event: ").unwrap().to_owned(), data)
        })
        .collect();
    for (place, (name, data)) in events.iter().enumerate() {
        assert_eq!(
            (&data["type"], &data["sequence_number"]),
            (&json!(name), &json!(place))
        );
    }
    events
}

/// A request as Codex 0.171 makes it.
fn codex() -> Value {
    json!({"model": "up/m", "stream": true, "store": false, "tool_choice": "auto", "parallel_tool_calls": true,
        "reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k",
        "client_metadata": {"thread_id": "t"},
        "input": [
            {"type": "message", "id": "m1", "role": "developer", "content": [{"type": "input_text",
                "text": "You code."}]},
            {"type": "message", "id": "m2", "role": "developer", "content": [{"type": "input_text",
                "text": "Mind skills."}]},
            {"type": "message", "id": "m3", "role": "user", "content": [{"type": "input_text", "text": "Say hello"}]}],
        "tools": [
            {"type": "function", "name": "exec_command", "strict": false, "parameters": {"type": "object",
                "properties": {"z": {}, "a": {}}}},
            {"type": "custom", "name": "apply_patch", "description": "Patches.",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "namespace", "name": "agents", "description": "", "tools": [{"type": "function", "name": "close",
                "parameters": {}}]},
            {"type": "web_search", "external_web_access": false}]})
}

#[tokio::test]
async fn codex_works_against_any_chat_server() {
    const CALL: &str = r#"{"id":"c","model":"m","choices":[{"index":0,
        "delta":{"tool_calls":[{"index":0,"id":"a","type":"function",
        "function":{"name":"apply_patch","arguments":"{\"input\":\"*** Begin\"}"}}]},"finish_reason":null}]}"#;
    const END: &str =
        r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
    let thought = r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"reasoning":"hm"},"finish_reason":null}]}"#;
    let call = CALL.replace('\n', "");
    let usage =
        r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;
    let pieces = [thought, &call, END, usage, "[DONE]"];
    let stream: String = pieces
        .iter()
        .map(|piece| format!("data: {piece}\n\n"))
        .collect();
    let template = ResponseTemplate::new(200).set_body_raw(stream, "text/event-stream");
    let (server, asked) = upstream("/v1/chat/completions", template).await;
    let base = serve(gateway_to(&server.uri())).await;
    let response = ask(&base, &codex()).await;
    assert_eq!(response.headers()["x-mana-llm-left-out"], "web_search");
    let events = events(response).await;
    let (last, response) = events.last().unwrap();
    assert_eq!(last, "response.completed");
    let output = &response["response"]["output"];
    assert_eq!(output[0]["summary"][0]["text"], "hm");
    assert_eq!(
        (
            &output[1]["type"],
            &output[1]["name"],
            &output[1]["call_id"],
            &output[1]["input"]
        ),
        (
            &json!("custom_tool_call"),
            &json!("apply_patch"),
            &json!("a"),
            &json!("*** Begin")
        )
    );
    assert_eq!(response["response"]["usage"]["total_tokens"], 7);
    let sent = asked.lock().unwrap()[0].clone();
    let fields: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "messages",
            "model",
            "stream",
            "stream_options",
            "tool_choice",
            "tools"
        ]
    );
    assert_eq!(
        sent["messages"],
        json!([{"role": "system", "content": "You code.\n\nMind skills."}, {"role": "user", "content": "Say hello"}])
    );
    let names: Vec<&Value> = sent["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["function"]["name"])
        .collect();
    assert_eq!(names, ["exec_command", "apply_patch", "agents__close"]);

    // The next turn brings the call and its output back.
    let mut next = codex();
    let items = next["input"].as_array_mut().unwrap();
    items.extend(output.as_array().unwrap().clone());
    items.push(json!({"type": "custom_tool_call_output", "call_id": "a", "output": "done"}));
    ask(&base, &next).await;
    let sent = &asked.lock().unwrap()[1]["messages"];
    assert_eq!(sent[2]["reasoning_content"], "hm");
    assert_eq!(
        sent[2]["tool_calls"][0]["function"],
        json!({"name": "apply_patch", "arguments": "{\"input\":\"*** Begin\"}"})
    );
    assert_eq!(
        sent[3],
        json!({"role": "tool", "tool_call_id": "a", "content": "done"})
    );
}

#[tokio::test]
async fn thoughts_that_anthropic_signed_come_back_to_it() {
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let call = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [thought, {"type": "text", "text": "I look."}, call],
        "stop_reason": "tool_use", "usage": {"input_tokens": 3, "cache_read_input_tokens": 9, "output_tokens": 4}});
    let (server, asked) = upstream(
        "/v1/messages",
        ResponseTemplate::new(200).set_body_json(&answer),
    )
    .await;
    let base = serve(to_anthropic(&server.uri())).await;
    let mut request = json!({"model": "anthropic/claude-x", "input": [{"role": "user", "content": "Hi"}],
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium"}, "max_output_tokens": 9000,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]});
    let response = body(ask(&base, &request).await).await;
    assert_eq!(response["status"], "completed");
    assert_eq!(
        response["usage"]["input_tokens_details"]["cached_tokens"],
        9
    );
    assert_eq!(response["usage"]["input_tokens"], 12);
    let items = request["input"].as_array_mut().unwrap();
    items.extend(response["output"].as_array().unwrap().clone());
    items.push(json!({"type": "function_call_output", "call_id": "t1", "output": "sunny"}));
    ask(&base, &request).await;
    let asked = asked.lock().unwrap();
    assert_eq!(
        asked[1]["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1",
                "content": [{"type": "text", "text": "sunny"}]}]}])
    );
    assert_eq!(asked[1]["thinking"]["type"], "enabled");
}

#[tokio::test]
async fn a_stream_that_breaks_off_has_failed() {
    let base = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&raw::chunk("He")).await;
    })
    .await;
    let base = serve(gateway_to(&base)).await;
    let request = json!({"model": "up/m", "input": "Hi", "stream": true});
    let events = events(ask(&base, &request).await).await;
    let (name, last) = events.last().unwrap();
    assert_eq!(name, "response.failed");
    assert_eq!(last["response"]["error"]["code"], "answer_cut_off");
    assert!(events.iter().all(|(name, _)| name != "response.completed"));
}

#[tokio::test]
async fn what_a_gateway_without_memory_can_not_do_is_refused_by_name() {
    let base = serve(gateway_to(&raw::nobody())).await;
    for (more, param) in [
        (
            json!({"previous_response_id": "resp_1"}),
            "previous_response_id",
        ),
        (json!({"store": true}), "store"),
        (json!({"conversation": "c"}), "conversation"),
        (json!({"background": true}), "background"),
        (json!({"tools": [{"type": "file_search"}]}), "tools"),
        (
            json!({"input": [{"type": "item_reference", "id": "x"}]}),
            "input",
        ),
        (json!({"input": []}), "messages"),
    ] {
        let mut request = json!({"model": "up/m", "input": "Hi"});
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let response = ask(&base, &request).await;
        assert_eq!(response.status(), 400, "{more}");
        let error = body(response).await;
        assert_eq!(error["error"]["param"], param, "{error}");
        assert_eq!(error["error"]["type"], "invalid_request_error");
    }
    let (status, error) = get(format!("{base}/v1/responses/resp_1")).await;
    assert_eq!(status, 404);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not stored"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_is_kept_in_the_cache_for_every_protocol() {
    let (server, asked) = upstream(
        "/v1/chat/completions",
        ResponseTemplate::new(200).set_body_json(completion("Hi")),
    )
    .await;
    let mut config = config(vec![provider("up", &server.uri())]);
    config.cache = Some(mana_llm::CacheSettings {
        megabytes: 1,
        seconds: 60,
    });
    let base = serve(Gateway::from_config(config)).await;
    let request = json!({"model": "up/m", "input": "Hi", "temperature": 0});
    let first = ask(&base, &request).await;
    assert!(first.headers().get("x-mana-llm-cache").is_none());
    let second = ask(&base, &request).await;
    assert_eq!(second.headers()["x-mana-llm-cache"], "hit");
    let (first, second) = (body(first).await, body(second).await);
    assert_eq!(
        first["output"][0]["content"],
        second["output"][0]["content"]
    );
    assert_eq!(asked.lock().unwrap().len(), 1);
}
