//! Needs of single providers: headers and fields of the owner's, roles that they know, an address with its `/v1`.

use mana_llm::LlmSettings;
use mana_llm::wire::EmbeddingsRequest;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::*;

/// Settings as a file has them.
fn loaded(settings: Value) -> Arc<Gateway> {
    let settings: LlmSettings = serde_json::from_value(settings).unwrap();
    Gateway::from_config(LlmConfig::load(settings, |_| None).unwrap())
}

async fn recording() -> MockServer {
    let upstream = MockServer::start().await;
    let embeddings = json!({"data": [{"embedding": [1.0], "index": 0}]});
    Mock::given(path("/v1/embeddings"))
        .respond_with(ResponseTemplate::new(200).set_body_json(embeddings))
        .mount(&upstream)
        .await;
    let message = json!({"type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"});
    Mock::given(path("/v1/messages"))
        .respond_with(ResponseTemplate::new(200).set_body_json(message))
        .mount(&upstream)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("hi")))
        .mount(&upstream)
        .await;
    upstream
}

async fn last(upstream: &MockServer) -> (Request, Value) {
    let request = upstream.received_requests().await.unwrap().pop().unwrap();
    let body = serde_json::from_slice(&request.body).unwrap();
    (request, body)
}

#[tokio::test]
async fn an_owner_adds_headers_and_fields_and_no_caller_does() {
    let upstream = recording().await;
    let base = format!("{}/v1", upstream.uri());
    let gateway = loaded(json!({
        "find_ollama": false,
        "providers": {
            "box": {"base_url": base, "key": KEY},
            "claude": {"base_url": base, "key": KEY, "api": "anthropic"},
        },
        "extra": {
            "box": {"headers": {"CF-Access-Client-Secret": "of-the-provider"},
                "body": {"keep_alive": -1, "chat_template_kwargs": {"enable_thinking": false}}},
            "box/m": {"headers": {"x-model": "of-the-model"}, "body": {"top_k": 3}},
            "claude": {"headers": {"anthropic-beta": "context-1m"}, "body": {"service_tier": "auto"}},
            "gone": {"headers": {"x-gone": "1"}},
        },
    }));
    let address = serve(gateway.clone()).await;
    for stream in [false, true] {
        let body = json!({"model": "box/m", "messages": [{"role": "user", "content": "Hello"}],
            "stream": stream, "chat_template_kwargs": {"a": 1, "enable_thinking": true}});
        let request = client()
            .post(format!("{address}/v1/chat/completions"))
            .bearer_auth("good");
        let request = request
            .header("CF-Access-Client-Secret", "of-the-caller")
            .header("x-model", "of-the-caller")
            .header("anthropic-beta", "of-the-caller")
            .body(body.to_string());
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), 200);
        drop(soon(response.bytes()).await);
        let (request, body) = last(&upstream).await;
        assert_eq!(
            request.headers["cf-access-client-secret"],
            "of-the-provider"
        );
        assert_eq!(request.headers["x-model"], "of-the-model");
        assert!(!request.headers.contains_key("anthropic-beta"));
        assert_eq!(
            (&body["keep_alive"], &body["top_k"]),
            (&json!(-1), &json!(3))
        );
        let kwargs = json!({"a": 1, "enable_thinking": false});
        assert_eq!(body["chat_template_kwargs"], kwargs);
    }
    soon(gateway.chat(hello("box/other"))).await.unwrap();
    let (request, body) = last(&upstream).await;
    assert!(request.headers.contains_key("cf-access-client-secret"));
    assert!(!request.headers.contains_key("x-model") && body.get("top_k").is_none());

    soon(gateway.embeddings(EmbeddingsRequest::new("box/m", json!("a"))))
        .await
        .unwrap();
    let (request, body) = last(&upstream).await;
    assert_eq!(request.headers["x-model"], "of-the-model");
    assert_eq!((&body["top_k"], body.get("keep_alive")), (&json!(3), None));

    soon(gateway.chat(hello("claude/claude-sonnet-4-5")))
        .await
        .unwrap();
    let (request, body) = last(&upstream).await;
    assert_eq!(request.headers["anthropic-beta"], "context-1m");
    assert_eq!(body["service_tier"], "auto");
}

#[tokio::test]
async fn a_header_that_an_upstream_echoes_is_hidden() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(|request: &Request| {
            let secret = request.headers["x-secret"].to_str().unwrap();
            ResponseTemplate::new(400).set_body_json(json!({"error": {"message": secret}}))
        })
        .mount(&upstream)
        .await;
    let gateway = loaded(json!({
        "find_ollama": false,
        "providers": {"box": {"base_url": format!("{}/v1", upstream.uri())}},
        "extra": {"box/m": {"headers": {"x-secret": "hush-hush-hush"}}},
    }));
    let error = soon(gateway.chat(hello("box/m"))).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hush-hush"), "{error}");
    assert!(error.message.contains("[hidden]"), "{error}");
    assert!(!format!("{:?}", gateway.providers()).contains("hush-hush"));
}

#[test]
fn what_can_not_be_added_stops_the_start_with_its_name() {
    for (extra, named) in [
        (json!({"box": {"body": {"max_tokens": 5}}}), "max_tokens"),
        (json!({"box/m": {"headers": {"Host": "x"}}}), "Host"),
    ] {
        let settings: LlmSettings = serde_json::from_value(json!({ "extra": extra })).unwrap();
        let error = LlmConfig::load(settings, |_| None).unwrap_err();
        assert!(
            error.setting.contains(named) && error.problem.contains("remove it"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn instructions_have_the_role_that_the_server_knows() {
    let upstream = recording().await;
    let base = serve(gateway_to(&upstream.uri())).await;
    let written = r#"{"model":"up/m","messages":[{"z":1,"role":"developer","content":"Be brief","a":2.50},
        {"role":"user","content":"Hello"}]}"#;
    let request = client()
        .post(format!("{base}/v1/chat/completions"))
        .bearer_auth("good");
    let response = soon(request.body(written).send()).await.unwrap();
    assert_eq!(response.status(), 200);
    let (request, _) = last(&upstream).await;
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        r#"{"model":"m","messages":[{"z":1,"role":"system","content":"Be brief","a":2.50},"#
            .to_owned()
            + r#"{"role":"user","content":"Hello"}]}"#
    );
    let mut asked = hello("up/m");
    asked.messages[0].role = "developer".to_owned();
    soon(gateway_to(&upstream.uri()).chat(asked)).await.unwrap();
    assert_eq!(last(&upstream).await.1["messages"][0]["role"], "system");
}

#[tokio::test]
async fn a_base_url_without_its_v1_is_found_out_and_said() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(listing(&["m"])))
        .expect(1)
        .mount(&upstream)
        .await;
    let to = |base: String| {
        let mut bare = ProviderConfig::new("up", &base, "test").unwrap();
        bare.key = Some(Secret::new(KEY));
        Gateway::from_config(config(vec![bare]))
    };
    let gateway = to(upstream.uri());
    for _ in 0..2 {
        let error = soon(gateway.chat(hello("up/m"))).await.unwrap_err();
        let hint = format!(
            "there is an API at {}/v1, so set the base URL to that",
            upstream.uri()
        );
        assert!(error.message.contains(&hint), "{error}");
    }
    let nothing_there = soon(to(format!("{}/other", upstream.uri())).chat(hello("up/m"))).await;
    assert!(
        !nothing_there
            .unwrap_err()
            .message
            .contains("there is an API")
    );

    let page = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<html></html>"))
        .mount(&page)
        .await;
    let error = soon(to(page.uri()).chat(hello("up/m"))).await.unwrap_err();
    assert!(
        error.message.contains("does its base URL lack /v1?"),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_provider_has_no_word_for_is_told() {
    let upstream = recording().await;
    let gateway = loaded(json!({
        "find_ollama": false,
        "providers": {
            "box": {"base_url": format!("{}/v1", upstream.uri())},
            "claude": {"base_url": format!("{}/v1", upstream.uri()), "api": "anthropic"},
        },
    }));
    let base = serve(gateway).await;
    for stream in [false, true] {
        for (model, told) in [("claude/m", Some("logprobs, seed")), ("box/m", None)] {
            let body = json!({"model": model, "stream": stream, "logprobs": true, "seed": 7, "logit_bias": null,
                "presence_penalty": 0, "user": "ada", "messages": [{"role": "user", "content": "Hello"}]});
            let response = post(format!("{base}/v1/chat/completions"), &body).await;
            assert_eq!(response.status(), 200, "{model} {stream}");
            let header = response.headers().get("x-mana-llm-left-out");
            assert_eq!(
                header.map(|header| header.to_str().unwrap()),
                told,
                "{model} {stream}"
            );
        }
    }
}
