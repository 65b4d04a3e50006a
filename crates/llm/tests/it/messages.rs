//! Anthropic's Messages, over every provider.

use crate::anthropic::{EVENTS, gateway as to_anthropic, streaming};
use crate::*;

/// A request as Anthropic's clients make it.
async fn ask(base: &str, body: &Value) -> reqwest::Response {
    let request = client()
        .post(format!("{base}/v1/messages"))
        .header("x-api-key", "good")
        .header("anthropic-version", "2023-06-01")
        .body(body.to_string());
    soon(request.send()).await.unwrap()
}

fn asking(model: &str, more: Value) -> Value {
    let mut body =
        json!({"model": model, "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

/// The events of a stream: each name with its data as it was sent.
async fn events(response: reqwest::Response) -> Vec<(String, String)> {
    let text = soon(response.text()).await.unwrap();
    let events = text.split("\n\n").filter(|event| event.contains("data: "));
    events
        .map(|event| {
            let event = event.trim_start_matches(":\n");
            let (name, data) = event.split_once('\n').unwrap();
            (
                name.strip_prefix("event: ").unwrap().to_owned(),
                data.strip_prefix("data: ").unwrap().to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn any_chat_server_answers_a_program_of_anthropics() {
    let mut answer = completion("Hi");
    answer["choices"][0]["message"]["tool_calls"] = json!([{"id": "t1", "type": "function",
        "function": {"name": "f", "arguments": "{\"z\":1}"}}]);
    answer["choices"][0]["finish_reason"] = json!("tool_calls");
    let (server, asked) = upstream(
        "/v1/chat/completions",
        ResponseTemplate::new(200).set_body_json(&answer),
    )
    .await;
    let base = serve(gateway_to(&server.uri())).await;
    let tool = json!({"name": "f", "description": "d", "input_schema": {"type": "object"},
        "cache_control": {"type": "ephemeral"}});
    let response = ask(&base, &asking("up/m", json!({
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}], "tools": [tool],
        "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "context_management": {"edits": []},
        "metadata": {"user_id": "device"}, "tool_choice": {"type": "auto"}})))
    .await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-mana-llm-resolved"], "up/m");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        body(response).await,
        json!({"id": "msg_c1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
            "stop_sequence": null, "content": [{"type": "text", "text": "Hi"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"z": 1}}],
            "usage": {"input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                "output_tokens": 2}})
    );
    assert_eq!(
        asked.lock().unwrap()[0],
        json!({"model": "m", "max_tokens": 99, "tool_choice": "auto",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d",
                "parameters": {"type": "object"}}}]})
    );
}

#[tokio::test]
async fn a_chat_servers_stream_becomes_anthropics_events() {
    let base = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&raw::chunk("He")).await;
        caller.event(&raw::chunk("llo")).await;
        caller.event(raw::STOP).await;
        caller.event(r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#).await;
        caller.event("[DONE]").await;
    })
    .await;
    let base = serve(gateway_to(&base)).await;
    let response = ask(&base, &asking("up/m", json!({"stream": true}))).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = events(response).await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let end: Value = serde_json::from_str(&events[5].1).unwrap();
    assert_eq!(
        end["delta"],
        json!({"stop_reason": "end_turn", "stop_sequence": null})
    );
    assert_eq!(
        (
            &end["usage"]["input_tokens"],
            &end["usage"]["output_tokens"]
        ),
        (&json!(5), &json!(2))
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_and_without_an_end() {
    for cut_before_the_first_word in [false, true] {
        let base = raw::serve(move |mut caller| async move {
            caller.begin_events().await;
            if !cut_before_the_first_word {
                caller.event(&raw::chunk("He")).await;
            }
        })
        .await;
        let base = serve(gateway_to(&base)).await;
        let response = ask(&base, &asking("up/m", json!({"stream": true}))).await;
        if cut_before_the_first_word {
            assert_eq!(response.status(), 502);
            let error = body(response).await;
            assert_eq!(
                (&error["type"], &error["error"]["type"]),
                (&json!("error"), &json!("api_error"))
            );
            continue;
        }
        let events = events(response).await;
        assert_eq!(events.last().unwrap().0, "error");
        assert!(
            events
                .iter()
                .all(|(name, _)| name != "message_stop" && name != "message_delta")
        );
    }
}

#[tokio::test]
async fn anthropics_own_answer_passes_unchanged() {
    let text = r#"{"id":"msg_1","type":"message", "role":"assistant","model":"claude-x","content":[
        {"type":"server_tool_use","id":"s1","name":"web_search","input":{"z":1,"a":2}},
        {"type":"web_search_tool_result","tool_use_id":"s1","content":[
            {"type":"web_search_result","url":"u","encrypted_content":"e"}]},
        {"type":"text","text":"So.","citations":[{"type":"web_search_result_location"}]}],
        "stop_reason":"pause_turn","stop_sequence":null,
        "usage":{"input_tokens":3,"output_tokens":4,"server_tool_use":{"web_search_requests":1}}}"#;
    let template = ResponseTemplate::new(200).set_body_raw(text, "application/json");
    let (server, asked) = upstream("/v1/messages", template).await;
    let base = serve(to_anthropic(&server.uri())).await;
    let search = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 3});
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}});
    let pdf = json!({"type": "document", "title": "a", "citations": {"enabled": true},
        "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
            "cache_control": {"type": "ephemeral", "ttl": "1h"}});
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let call = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
    let messages = json!([
        {"role": "user", "content": [image, pdf]},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "I look."}, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [image]},
            {"type": "text", "text": "And?"}]}]);
    let response = ask(
        &base,
        &asking(
            "anthropic/claude-x",
            json!({"messages": messages, "max_tokens": 4096, "tools": [search],
        "thinking": {"type": "enabled", "budget_tokens": 1024}, "system": "Be brief."}),
        ),
    )
    .await;
    assert_eq!(response.status(), 200);
    assert_eq!(soon(response.text()).await.unwrap(), text);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0]["messages"], messages);
    assert_eq!(asked[0]["tools"], json!([search]));
    assert_eq!(
        asked[0]["thinking"],
        json!({"type": "enabled", "budget_tokens": 1024})
    );
    assert_eq!(
        (&asked[0]["max_tokens"], &asked[0]["model"]),
        (&json!(4096), &json!("claude-x"))
    );
}

#[tokio::test]
async fn anthropics_own_events_pass_unchanged() {
    let base = serve(to_anthropic(&streaming(EVENTS.to_vec()).await)).await;
    let response = ask(
        &base,
        &asking("anthropic/claude-x", json!({"stream": true})),
    )
    .await;
    let events = events(response).await;
    let data: Vec<&str> = events.iter().map(|(_, data)| data.as_str()).collect();
    let expected: Vec<&str> = EVENTS
        .into_iter()
        .filter(|event| !event.contains("ping"))
        .collect();
    assert_eq!(data, expected);
    for (name, data) in &events {
        assert!(
            data.contains(&format!(r#""type":"{name}""#)),
            "{name}: {data}"
        );
    }
}

#[tokio::test]
async fn an_answer_by_schema_is_text_over_anthropic_too() {
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [{"type": "tool_use", "id": "t", "name": "answer", "input": {"a": 1}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4}});
    let (server, _) = upstream(
        "/v1/messages",
        ResponseTemplate::new(200).set_body_json(&answer),
    )
    .await;
    let base = serve(to_anthropic(&server.uri())).await;
    let format = json!({"format": {"type": "json_schema", "schema": {"type": "object"}}});
    let response = ask(
        &base,
        &asking("anthropic/claude-x", json!({ "output_config": format })),
    )
    .await;
    let message = body(response).await;
    assert_eq!(
        message["content"],
        json!([{"type": "text", "text": "{\"a\":1}"}])
    );
    assert_eq!(message["stop_reason"], "end_turn");
}

#[tokio::test]
async fn the_chain_goes_on_to_a_provider_of_another_protocol() {
    let (chat, asked) = upstream(
        "/v1/chat/completions",
        ResponseTemplate::new(200).set_body_json(completion("Hi")),
    )
    .await;
    let mut anthropic = provider("anthropic", &raw::nobody());
    anthropic.models = vec!["claude-x".to_owned()];
    let mut config = config(vec![anthropic, provider("up", &chat.uri())]);
    let chain = vec!["anthropic/claude-x".to_owned(), "up/m".to_owned()];
    config.aliases.insert("mana/reasoning".to_owned(), chain);
    let base = serve(Gateway::from_config(config)).await;
    let response = ask(&base, &asking("mana/reasoning", json!({}))).await;
    assert_eq!(response.headers()["x-mana-llm-resolved"], "up/m");
    assert_eq!(body(response).await["content"][0]["text"], "Hi");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn every_refusal_has_anthropics_shape() {
    let base = serve(gateway_to(&raw::nobody())).await;
    let url = format!("{base}/v1/messages");
    let good = |body: &str| {
        client()
            .post(&url)
            .header("x-api-key", "good")
            .body(body.to_owned())
    };
    for (request, status, kind) in [
        (client().post(&url).body("{}"), 401, "authentication_error"),
        (
            client().post(&url).header("x-api-key", "bad").body("{}"),
            401,
            "authentication_error",
        ),
        (good("{"), 400, "invalid_request_error"),
        (good(r#"{"messages":[]}"#), 400, "invalid_request_error"),
        (
            good(r#"{"model":"mana/nope","messages":[{"role":"user","content":"Hi"}]}"#),
            404,
            "not_found_error",
        ),
        (
            good(r#"{"model":"up/m","messages":[{"role":"user","content":"Hi"}]}"#),
            502,
            "api_error",
        ),
        (
            client().get(&url).header("x-api-key", "good"),
            405,
            "invalid_request_error",
        ),
        (
            client().post(format!("{url}/batches")),
            404,
            "not_found_error",
        ),
        (
            client()
                .post(format!("{base}/v1/v1/messages"))
                .header("anthropic-version", "2023-06-01"),
            404,
            "not_found_error",
        ),
    ] {
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), status);
        let error = body(response).await;
        assert_eq!(error["type"], "error", "{error}");
        assert_eq!(error["error"]["type"], kind, "{error}");
        assert!(
            error["error"]["message"]
                .as_str()
                .is_some_and(|message| message.len() > 20),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_bearer_opens_it_too_and_the_key_opens_nothing_else() {
    let (server, _) = upstream(
        "/v1/chat/completions",
        ResponseTemplate::new(200).set_body_json(completion("Hi")),
    )
    .await;
    let base = serve(gateway_to(&server.uri())).await;
    let body = asking("up/m", json!({}));
    assert_eq!(
        post(format!("{base}/v1/messages"), &body).await.status(),
        200
    );
    for (way, status) in [
        ("chat/completions", 401),
        ("responses", 401),
        ("embeddings", 401),
        ("messages?beta=true", 200),
    ] {
        let request = client()
            .post(format!("{base}/v1/{way}"))
            .header("x-api-key", "good");
        let response = soon(request.body(body.to_string()).send()).await.unwrap();
        assert_eq!(response.status(), status, "{way}");
    }
}

#[tokio::test]
async fn tokens_are_counted_without_asking_anybody() {
    let base = serve(gateway_to(&raw::nobody())).await;
    let count = |content: Value| {
        let body = json!({"model": "up/m", "messages": [{"role": "user", "content": content}]});
        let request = client()
            .post(format!("{base}/v1/messages/count_tokens"))
            .header("x-api-key", "good");
        async move {
            let response = soon(request.body(body.to_string()).send()).await.unwrap();
            assert_eq!(response.status(), 200);
            crate::body(response).await["input_tokens"]
                .as_u64()
                .unwrap()
        }
    };
    let short = count(json!("Hi")).await;
    let long = count(json!("word ".repeat(3000))).await;
    assert!(short < 20 && (5000..5100).contains(&long), "{short} {long}");
    let picture = json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png",
        "data": "QUJD".repeat(9000)}}]);
    assert!((1500..1600).contains(&count(picture).await));
}

#[tokio::test]
async fn models_are_listed_in_the_callers_words() {
    let base = serve(gateway_to(&raw::nobody())).await;
    let get = |way: &str, version: bool| {
        let request = client()
            .get(format!("{base}/v1/{way}"))
            .header("x-api-key", "good");
        let request = if version {
            request.header("anthropic-version", "2023-06-01")
        } else {
            request
        };
        async move { soon(request.send()).await.unwrap() }
    };
    let list = body(get("models", true).await).await;
    let outline = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["id"] == "builtin/outline")
        .unwrap();
    assert_eq!(
        (&outline["type"], &list["has_more"]),
        (&json!("model"), &json!(false))
    );
    assert_eq!(body(get("models", false).await).await["object"], "list");
    assert_eq!(
        body(get("models/builtin/outline", true).await).await["display_name"],
        "builtin/outline"
    );
    let unknown = get("models/nope", true).await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(body(unknown).await["error"]["type"], "not_found_error");
}

#[tokio::test]
async fn features_by_name_go_up_where_they_are_known_and_are_named_where_not() {
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"});
    let server = wiremock::MockServer::start().await;
    for (way, answer) in [
        ("/v1/messages", answer),
        ("/v1/chat/completions", completion("Hi")),
    ] {
        wiremock::Mock::given(wiremock::matchers::path(way))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&server)
            .await;
    }
    let mut anthropic = provider("anthropic", &server.uri());
    anthropic.models = vec!["claude-x".to_owned()];
    let settings: mana_llm::LlmSettings = serde_json::from_value(json!({
        "find_ollama": false,
        "providers": {
            "anthropic": {"base_url": format!("{}/v1", server.uri()), "key": KEY},
            "owners": {"base_url": format!("{}/v1", server.uri()), "key": KEY, "api": "anthropic"},
            "up": {"base_url": format!("{}/v1", server.uri())},
        },
        "extra": {"owners": {"headers": {"anthropic-beta": "context-1m-2025-08-07,of-the-owner"}}},
    }))
    .unwrap();
    let gateway = Gateway::from_config(LlmConfig::load(settings, |_| None).unwrap());
    let base = serve(gateway).await;
    let known =
        "interleaved-thinking-2025-05-14,context-management-2025-06-27,context-1m-2025-08-07";
    for (model, went_up) in [
        ("anthropic/claude-x", Some(known.to_owned())),
        (
            "owners/claude-x",
            Some("context-1m-2025-08-07,of-the-owner,interleaved-thinking-2025-05-14,context-management-2025-06-27"
                .to_owned()),
        ),
        ("up/m", None),
    ] {
        let mut body = asking(model, json!({"context_management": {"edits": []}}));
        body["betas"] = json!(["made-up-2099-01-01"]);
        let request = client()
            .post(format!("{base}/v1/messages?beta=true"))
            .header("x-api-key", "good")
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", format!("{known}, oauth-2025-04-20"))
            .header("anthropic-beta", "files-api-2025-04-14")
            .body(body.to_string());
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), 200, "{model}");
        assert_eq!(
            response.headers()["x-mana-llm-left-out"],
            "anthropic-beta: files-api-2025-04-14, anthropic-beta: made-up-2099-01-01",
            "{model}"
        );
        let sent = server.received_requests().await.unwrap().pop().unwrap();
        let told = sent.headers.get("anthropic-beta");
        assert_eq!(told.map(|told| told.to_str().unwrap().to_owned()), went_up, "{model}");
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        let managed = sent.get("context_management").is_some();
        assert_eq!(managed, model != "up/m", "{model}");
        assert_eq!(sent.get("betas"), None, "{model}");
    }
    // Without the feature Anthropic refuses the field, so it does not go up.
    let body = asking(
        "anthropic/claude-x",
        json!({"context_management": {"edits": []}}),
    );
    assert_eq!(ask(&base, &body).await.status(), 200);
    let sent = server.received_requests().await.unwrap().pop().unwrap();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent.get("context_management"), None);
}

#[tokio::test]
async fn servers_of_tools_that_anthropic_calls_are_refused_elsewhere_by_name() {
    let base = serve(gateway_to(&raw::nobody())).await;
    let servers = json!([{"type": "url", "url": "https://x/mcp", "name": "x"}]);
    let response = ask(&base, &asking("up/m", json!({ "mcp_servers": servers }))).await;
    assert_eq!(response.status(), 400);
    let error = body(response).await;
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("mcp_servers"), "{error}");
}

#[tokio::test]
async fn a_tool_that_runs_at_anthropic_is_refused_elsewhere_by_name() {
    let base = serve(gateway_to(&raw::nobody())).await;
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let response = ask(&base, &asking("up/m", json!({"tools": [search]}))).await;
    assert_eq!(response.status(), 400);
    let error = body(response).await;
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("web_search_20250305"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_fits_the_window_of_a_small_model() {
    let answer = ResponseTemplate::new(200).set_body_json(completion("Hi"));
    let (server, asked) = upstream("/v1/chat/completions", answer).await;
    let mut config = config(vec![provider("up", &server.uri())]);
    let small = mana_llm::ModelSettings {
        context_tokens: Some(8192),
        ..Default::default()
    };
    config.models.insert("up/m".to_owned(), small);
    let base = serve(Gateway::from_config(config)).await;
    for (wanted, words, expected) in [
        (32_000, 3000, 3000..3300),
        (99, 3000, 99..100),
        (32_000, 6000, 32_000..32_001),
    ] {
        let content = "word ".repeat(words);
        let messages = json!([{"role": "user", "content": content}]);
        ask(
            &base,
            &asking("up/m", json!({"max_tokens": wanted, "messages": messages})),
        )
        .await;
        let sent = asked.lock().unwrap().pop().unwrap();
        let sent = sent["max_tokens"].as_u64().unwrap();
        assert!(expected.contains(&sent), "{sent} of {wanted}");
    }
}
