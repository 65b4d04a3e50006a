//! The routes: what a caller sees.

use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::*;

#[tokio::test]
async fn a_chat_passes_both_ways_with_what_nobody_knows() {
    let upstream = MockServer::start().await;
    let mut answer = completion("Hi");
    answer["service_tier"] = json!("fast");
    answer["choices"][0]["logprobs"] = json!({"content": []});
    answer["choices"][0]["message"]["reasoning"] = json!("hm");
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .and(body_json(json!({
            "model": "org/m", "temperature": 0.5, "made_up": {"a": [1]},
            "messages": [{"role": "user", "content": "Hello", "name": "Ada"}],
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(&answer))
        .expect(1)
        .mount(&upstream)
        .await;
    let base = serve(gateway_to(&upstream.uri())).await;

    let response = post(
        format!("{base}/v1/chat/completions"),
        &json!({
            "model": "up/org/m", "temperature": 0.5, "made_up": {"a": [1]},
            "messages": [{"role": "user", "content": "Hello", "name": "Ada"}],
        }),
    )
    .await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-mana-llm-resolved"], "up/org/m");
    assert_eq!(body(response).await, answer);
}

#[tokio::test]
async fn nobody_without_a_valid_bearer_is_let_in() {
    let base = serve(gateway_to(&raw::nobody())).await;
    for page in ["chat/completions", "embeddings"] {
        let response = soon(client().post(format!("{base}/v1/{page}")).body("{}").send())
            .await
            .unwrap();
        assert_eq!(response.status(), 401, "{page}");
    }
    for page in ["models", "models/builtin/outline", "aliases", "health"] {
        let request = client().get(format!("{base}/v1/{page}")).bearer_auth("bad");
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), 401, "{page}");
        let error = &body(response).await["error"];
        assert_eq!(error["code"], "unauthorized");
        assert_eq!(error["type"], "authentication_error");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("Authorization: Bearer")
        );
    }
}

#[tokio::test]
async fn every_refusal_has_the_shape_that_the_callers_client_reads() {
    let base = serve(gateway_to(&raw::nobody())).await;
    let asking = r#"{"model":"up/m","messages":[{"role":"user","content":"x"}],"input":"x"}"#;
    let unknown = asking.replace("up/m", "mana/nope");
    let calls = [
        ("POST", "chat/completions"),
        ("POST", "responses"),
        ("POST", "embeddings"),
        ("GET", "models"),
        ("GET", "models/up/m"),
        ("GET", "aliases"),
        ("GET", "health"),
        ("POST", "nothing"),
        ("DELETE", "models"),
    ];
    for (header, value, is_anthropics) in [
        ("x-api-key", "bad", true),
        ("anthropic-version", "2023-06-01", true),
        ("x-stainless-lang", "js", false),
    ] {
        for (method, way) in calls {
            for (bearer, body) in [
                ("bad", asking),
                ("good", "{"),
                ("good", &unknown),
                ("good", asking),
            ] {
                let request = client()
                    .request(method.parse().unwrap(), format!("{base}/v1/{way}"))
                    .header(header, value)
                    .bearer_auth(bearer);
                let request = match method {
                    "GET" => request,
                    _ => request.body(body.to_owned()),
                };
                let response = soon(request.send()).await.unwrap();
                let status = response.status().as_u16();
                if status == 200 {
                    continue;
                }
                let told = crate::body(response).await;
                let named = format!("{header} {method} {way} {bearer} {body}: {told}");
                assert_eq!(told["type"] == "error", is_anthropics, "{named}");
                assert!(told["error"]["message"].is_string(), "{named}");
                assert!(told["error"]["type"].is_string(), "{named}");
                assert_eq!(
                    told["error"].get("code").is_some(),
                    !is_anthropics,
                    "{named}"
                );
                if bearer == "bad" && !["nothing"].contains(&way) && method != "DELETE" {
                    assert_eq!(status, 401, "{named}");
                    assert_eq!(told["error"]["type"], "authentication_error", "{named}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_request_is_refused_with_what_to_do() {
    let base = serve(gateway_to(&raw::nobody())).await;
    let url = format!("{base}/v1/chat/completions");
    for (sent, status, told) in [
        ("{", 400, "line 1"),
        ("{}", 400, "messages"),
        (r#"{"messages": []}"#, 400, "at least one message"),
        (
            r#"{"messages": [{"role": "user", "content": "\u0000"}]}"#,
            400,
            "NUL",
        ),
        (
            r#"{"model": "mana/nope", "messages": [{"role": "user"}]}"#,
            404,
            "mana/reasoning",
        ),
        (
            r#"{"model": "builtin/nope", "messages": [{"role": "user"}]}"#,
            404,
            "builtin/outline",
        ),
    ] {
        let request = client().post(&url).bearer_auth("good").body(sent);
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), status, "{sent}");
        let error = &body(response).await["error"];
        assert_eq!(error["type"], "invalid_request_error", "{sent}");
        assert!(
            error["message"].as_str().unwrap().contains(told),
            "{sent}: {error}"
        );
    }
    let large = vec![b' '; 33 << 20];
    let response = soon(client().post(&url).bearer_auth("good").body(large).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert!(
        body(response).await["error"]["message"]
            .as_str()
            .unwrap()
            .contains("32 MB")
    );
}

#[tokio::test]
async fn the_outline_is_always_listed_and_a_provider_that_is_down_is_left_out() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "object": "list", "data": [{"id": "org/m", "object": "model", "owned_by": "org", "context": 9}],
        })))
        .mount(&upstream)
        .await;
    let providers = vec![
        provider("up", &upstream.uri()),
        provider("down", &raw::nobody()),
    ];
    let base = serve(Gateway::from_config(config(providers))).await;

    let (status, list) = get(format!("{base}/v1/models")).await;
    assert_eq!((status, &list["object"]), (200, &json!("list")));
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids[..2], ["up/org/m", "builtin/outline"]);
    assert!(ids.contains(&"mana/reasoning"));
    assert_eq!(list["data"][0]["context"], 9);

    let (status, model) = get(format!("{base}/v1/models/up/org/m")).await;
    assert_eq!((status, &model["owned_by"]), (200, &json!("org")));
    let (status, error) = get(format!("{base}/v1/models/up/other")).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (404, &json!("model_not_found"))
    );

    let (_, health) = get(format!("{base}/v1/health")).await;
    let states: Vec<&Value> = health["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["state"])
        .collect();
    assert_eq!(
        (&health["ok"], states),
        (&json!(true), vec![&json!("up"), &json!("down")])
    );
}

#[tokio::test]
async fn aliases_say_what_they_stand_for() {
    let upstream = MockServer::start().await;
    let models = listing(&["nomic-embed-text", "llama3.2:3b", "llava:7b"]);
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(models))
        .mount(&upstream)
        .await;
    let mut settings = config(vec![provider("up", &upstream.uri())]);
    settings.aliases.insert(
        "mana/fast-text".into(),
        vec!["up/tiny".into(), "gone/x".into()],
    );
    let base = serve(Gateway::from_config(settings)).await;

    let (_, list) = get(format!("{base}/v1/aliases")).await;
    let of = |id: &str| {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|alias| alias["id"] == id)
            .unwrap()
            .clone()
    };
    assert_eq!(
        of("mana/fast-text"),
        json!({"id": "mana/fast-text", "chain": ["up/tiny", "gone/x"], "resolved": "up/tiny"})
    );
    assert_eq!(of("mana/reasoning")["resolved"], "up/llama3.2:3b");
    assert_eq!(of("mana/vision")["resolved"], "up/llava:7b");
}

#[tokio::test]
async fn embeddings_pass_through_and_the_outline_has_none() {
    let upstream = MockServer::start().await;
    let answer =
        json!({"object": "list", "model": "e", "x": 1, "data": [{"embedding": [0.5], "index": 0}]});
    Mock::given(path("/v1/embeddings"))
        .and(body_json(
            json!({"model": "e", "input": ["a"], "dimensions": 1}),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(&answer))
        .mount(&upstream)
        .await;
    let base = serve(gateway_to(&upstream.uri())).await;
    let url = format!("{base}/v1/embeddings");

    let response = post(
        url.clone(),
        &json!({"model": "up/e", "input": ["a"], "dimensions": 1}),
    )
    .await;
    assert_eq!(response.headers()["x-mana-llm-resolved"], "up/e");
    assert_eq!(body(response).await, answer);
    let response = post(url, &json!({"model": "builtin/outline", "input": "a"})).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn retry_after_and_the_upstreams_reason_reach_the_caller() {
    let upstream = MockServer::start().await;
    let error = json!({"error": {"message": "Slow down", "type": "tokens", "code": "rate_limit", "param": null}});
    Mock::given(path("/v1/chat/completions"))
        .respond_with(
            ResponseTemplate::new(429)
                .insert_header("retry-after", "7")
                .set_body_json(error),
        )
        .mount(&upstream)
        .await;
    let base = serve(gateway_to(&upstream.uri())).await;
    let request = serde_json::to_value(hello("up/m")).unwrap();

    let response = post(format!("{base}/v1/chat/completions"), &request).await;

    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (429, &"7".parse().unwrap())
    );
    let error = &body(response).await["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("tokens"), &json!("rate_limit"))
    );
    assert!(error["message"].as_str().unwrap().contains("Slow down"));
}

#[tokio::test]
async fn a_slash_too_many_keeps_nobody_from_a_route() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(listing(&["org/m"])))
        .mount(&upstream)
        .await;
    let base = serve(gateway_to(&upstream.uri())).await;
    let asked = serde_json::to_value(hello("up/org/m")).unwrap();
    for path in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/chat//completions//",
        "/v1/chat/completions/?x=1",
        "//v1/chat/completions",
        "//v1//chat/completions/",
    ] {
        let response = post(format!("{base}{path}"), &asked).await;
        assert_eq!(response.status(), 200, "{path}");
    }
    for path in [
        "/v1/models/",
        "/v1//models",
        "/v1/models/up/org/m/",
        "/v1//models/up//org/m",
        "//v1/models",
    ] {
        assert_eq!(get(format!("{base}{path}")).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_callers_words() {
    let base = serve(gateway_to(&raw::nobody())).await;
    for (method, path, status, code) in [
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/", 404, "not_found"),
        ("POST", "/v1/completions", 404, "not_found"),
        ("POST", "/v1//nothing/", 404, "not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("GET", "/v1//chat/completions/", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/models", 405, "method_not_allowed"),
    ] {
        let ask = || client().request(method.parse().unwrap(), format!("{base}{path}"));
        let response = soon(ask().send()).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        let error = body(response).await["error"].clone();
        assert_eq!(error["code"], code, "{method} {path}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["param"].is_null() && error["message"].as_str().unwrap().ends_with('.'));
        let response = soon(ask().header("anthropic-version", "2023-06-01").send())
            .await
            .unwrap();
        let error = body(response).await;
        assert_eq!(error["type"], "error", "{method} {path}");
        let kind = ["not_found_error", "invalid_request_error"][usize::from(status == 405)];
        assert_eq!(error["error"]["type"], kind);
    }
}

#[test]
fn a_program_whose_base_url_lacks_its_v1_is_told_so() {
    use axum::http::{HeaderMap, HeaderValue, header::ACCEPT};
    use mana_llm::http::without_v1;

    let mut browser = HeaderMap::new();
    browser.insert(ACCEPT, HeaderValue::from_static("text/html,*/*"));
    let program = HeaderMap::new();
    for path in [
        "/models",
        "/chat/completions",
        "/models/",
        "//embeddings",
        "/responses",
        "/messages",
    ] {
        assert_eq!(without_v1(path, &program).unwrap().status(), 404, "{path}");
        assert!(without_v1(path, &browser).is_none(), "{path}");
    }
    for path in ["/", "/todo", "/models/x", "/chat"] {
        assert!(without_v1(path, &program).is_none(), "{path}");
    }
}
