//! Settings of models, virtual keys and the cost of calls, on a running server.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Account, Answer, Home, PATIENCE, Server, assert_kept_nowhere, send};

/// A key that no answer may show.
const HUSH: &str = "sk-hush-0123456789";

/// Calls an address of the settings.
pub async fn call(
    server: &Server,
    method: Method,
    path: &str,
    who: &Account,
    body: Value,
) -> Answer {
    let request = server.request(method, path).bearer_auth(&who.token);
    send(match body {
        Value::Null => request,
        body => request.json(&body),
    })
    .await
}

/// Asks a model over `/v1`.
pub async fn chat(server: &Server, bearer: &str, model: &str, extra: Value) -> Answer {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]});
    let fields = extra.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    let request = server.request(Method::POST, "/v1/chat/completions");
    send(request.bearer_auth(bearer).json(&body)).await
}

/// A model's server that counts 10 tokens for a request and 20 for an answer, for callers with the key.
pub async fn upstream() -> MockServer {
    let upstream = MockServer::start().await;
    let answer = json!({"id": "1", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}});
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", format!("Bearer {HUSH}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&upstream)
        .await;
    upstream
}

/// Starts a server whose owner has saved that model, at a dollar for a million tokens.
pub async fn with_model(upstream: &MockServer) -> (Home, Server, Account) {
    with_model_and(upstream, &[]).await
}

/// The same with more settings of the environment.
pub async fn with_model_and(
    upstream: &MockServer,
    more: &[(&str, &str)],
) -> (Home, Server, Account) {
    let home = Home::new(&[&[("MANA_SIGNUP", "open")], more].concat());
    let (server, owner) = Server::with_owner(&home).await;
    let provider =
        json!({"baseUrl": format!("{}/v1", upstream.uri()), "key": HUSH, "models": ["m"]});
    let (status, said) = call(&server, Method::PUT, "/llm/providers/box", &owner, provider).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let prices = json!({"box/m": {"input": 1.0, "output": 1.0}});
    let (status, said) = call(&server, Method::PUT, "/llm/models", &owner, prices).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    (home, server, owner)
}

/// Returns today's sums, once so many calls have settled.
async fn usage(server: &Server, who: &Account, by: &str, calls: i64) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let (status, usage) = call(
            server,
            Method::GET,
            &format!("/llm/usage?by={by}"),
            who,
            Value::Null,
        )
        .await;
        assert_eq!(status, StatusCode::OK, "{usage}");
        let sums = usage["sums"].as_array().unwrap();
        let settled: i64 = sums.iter().map(|sum| sum["calls"].as_i64().unwrap()).sum();
        if settled == calls {
            return usage;
        }
        assert!(std::time::Instant::now() < until, "{usage}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_providers_key_is_used_after_a_restart_and_seen_nowhere() {
    let upstream = upstream().await;
    let (home, server, owner) = with_model(&upstream).await;
    let (_, said) = call(&server, Method::GET, "/llm/settings", &owner, Value::Null).await;
    let provider = &said["providers"][0];
    assert_eq!(
        (&provider["name"], &provider["hasKey"]),
        (&json!("box"), &json!(true))
    );
    assert_eq!(provider["source"], "settings");
    assert!(!said.to_string().contains(HUSH), "{said}");
    // Saved again without a key, it keeps the one that it has.
    let again = json!({"baseUrl": format!("{}/v1", upstream.uri()), "models": ["m"]});
    call(&server, Method::PUT, "/llm/providers/box", &owner, again).await;
    server.stop().await;

    let server = home.start().await;
    let owner = server
        .sign_in("owner@example.org", crate::support::PASSWORD)
        .await
        .unwrap();
    let (status, answer) = chat(&server, &owner.token, "box/m", json!({})).await;
    assert_eq!(
        (status, &answer["choices"][0]["message"]["content"]),
        (StatusCode::OK, &json!("Hi"))
    );
    let (status, _) = call(
        &server,
        Method::DELETE,
        "/llm/providers/box",
        &owner,
        Value::Null,
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = chat(&server, &owner.token, "box/m", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    server.stop().await;

    assert_kept_nowhere(&home, HUSH);
}

#[tokio::test]
async fn a_saved_key_follows_its_provider_to_no_other_address() {
    let upstream = upstream().await;
    let (_home, server, owner) = with_model(&upstream).await;
    let elsewhere = MockServer::start().await;
    let save = async |base: String| {
        let body = json!({"baseUrl": base, "models": ["m"]});
        let said = call(&server, Method::PUT, "/llm/providers/box", &owner, body).await;
        assert_eq!(said.0, StatusCode::OK, "{}", said.1);
        said.1["providers"][0]["hasKey"].as_bool().unwrap()
    };
    // Another path of the same server keeps the key; another port, scheme or host does not.
    assert!(save(format!("{}/v2", upstream.uri())).await);
    let port = upstream.address().port();
    for other in [
        format!("{}/v1", elsewhere.uri()),
        format!("https://127.0.0.1:{port}/v1"),
        format!("http://localhost:{port}/v1"),
    ] {
        let again =
            json!({"baseUrl": format!("{}/v1", upstream.uri()), "key": HUSH, "models": ["m"]});
        call(&server, Method::PUT, "/llm/providers/box", &owner, again).await;
        assert!(!save(other.clone()).await, "{other}");
        assert!(
            !save(format!("{}/v1", upstream.uri())).await,
            "the way back brings it no more"
        );
    }
    assert!(!save(format!("{}/v1", elsewhere.uri())).await);
    chat(&server, &owner.token, "box/m", json!({})).await;
    let asked = elsewhere.received_requests().await.unwrap();
    assert!(!asked.is_empty());
    let told = asked
        .iter()
        .any(|request| format!("{:?}", request.headers).contains(HUSH));
    assert!(!told);
}

#[tokio::test]
async fn settings_are_the_owners_and_wrong_ones_change_nothing() {
    let upstream = upstream().await;
    let (_home, server, owner) = with_model(&upstream).await;
    let bob = server.sign_up("bob@example.org", None).await;
    for (verb, path, body) in [
        (Method::GET, "/llm/settings", Value::Null),
        (Method::PUT, "/llm/providers/x", json!({})),
        (Method::DELETE, "/llm/providers/box", Value::Null),
        (Method::PUT, "/llm/aliases", json!({})),
        (Method::PUT, "/llm/models", json!({})),
        (Method::GET, "/llm/keys", Value::Null),
        (Method::POST, "/llm/keys", json!({"name": "x"})),
        (Method::PUT, "/llm/keys/x", json!({"name": "x"})),
        (Method::DELETE, "/llm/keys/x", Value::Null),
    ] {
        let (status, said) = call(&server, verb, path, &bob, body).await;
        assert_eq!(
            (status, &said["error"]["code"]),
            (StatusCode::FORBIDDEN, &json!("owner_only")),
            "{path}"
        );
    }
    let address = "http://127.0.0.1:1/v1";
    for (path, body, field, code) in [
        (
            "/llm/providers/box",
            json!({"baseUrl": "nonsense"}),
            json!("baseUrl"),
            "invalid_url",
        ),
        (
            "/llm/providers/other",
            json!({}),
            json!("baseUrl"),
            "required",
        ),
        (
            "/llm/providers/box",
            json!({"baseUrl": "http://me:pw@127.0.0.1:1/v1"}),
            json!("baseUrl"),
            "url_with_password",
        ),
        (
            "/llm/providers/mana",
            json!({"baseUrl": address}),
            json!("name"),
            "invalid_name",
        ),
        (
            "/llm/providers/box",
            json!({"concurrency": 0, "baseUrl": address}),
            json!("concurrency"),
            "range",
        ),
        (
            "/llm/providers/box",
            json!({"api": "smoke", "baseUrl": address}),
            json!("api"),
            "unknown",
        ),
        (
            "/llm/aliases",
            json!({"mana/reasoning": []}),
            Value::Null,
            "invalid_alias",
        ),
        (
            "/llm/models",
            json!({"box/m": {"input": 1.0}}),
            Value::Null,
            "invalid_model",
        ),
        (
            "/llm/models",
            json!({"box/m": {"input": -1.0, "output": 1.0}}),
            Value::Null,
            "invalid_model",
        ),
    ] {
        let (status, said) = call(&server, Method::PUT, path, &owner, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}: {said}");
        let details = &said["error"]["details"];
        assert_eq!(
            (&details["field"], &details["code"]),
            (&field, &json!(code)),
            "{said}"
        );
        let problem = details["problem"].as_str().unwrap();
        assert!(!problem.contains("llm."), "{problem}");
    }
    let (_, settings) = call(&server, Method::GET, "/llm/settings", &owner, Value::Null).await;
    let catalogue = &settings["catalogue"];
    let named = |name: &str| {
        let providers = catalogue["providers"].as_array().unwrap();
        providers
            .iter()
            .find(|known| known["name"] == name)
            .cloned()
    };
    assert_eq!(named("ollama").unwrap()["needsKey"], false);
    assert_eq!(named("anthropic").unwrap()["api"], "anthropic");
    assert_eq!(catalogue["protocols"][0]["name"], "openai");
    let (status, _) = chat(&server, &owner.token, "box/m", json!({})).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_virtual_key_is_held_to_its_models_its_rate_and_its_budget() {
    let upstream = upstream().await;
    let (home, server, owner) = with_model(&upstream).await;
    let make = async |settings: Value| {
        let (status, made) = call(&server, Method::POST, "/llm/keys", &owner, settings).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let secret = made["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("mana-"));
        (made["key"]["id"].as_str().unwrap().to_owned(), secret)
    };
    let (id, secret) = make(json!({"name": "a program", "models": ["box/*"], "tokens": 250})).await;
    let (status, said) = chat(&server, &secret, "builtin/outline", json!({})).await;
    assert_eq!(
        (status, &said["error"]["code"]),
        (StatusCode::FORBIDDEN, &json!("model_not_allowed"))
    );
    let (status, _) = send(server.request(Method::GET, "/auth/me").bearer_auth(&secret)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "it opens /v1 alone");

    // 100 are reserved and 30 are used, each time: 5 times fit into 250, and then no 100 are left.
    let mut made = 0;
    let refused = loop {
        let (status, said) = chat(&server, &secret, "box/m", json!({"max_tokens": 90})).await;
        if status != StatusCode::OK {
            break said;
        }
        made += 1;
        usage(&server, &owner, "key", made).await;
    };
    assert_eq!(refused["error"]["code"], "insufficient_quota", "{refused}");
    assert!((5..=6).contains(&made), "{made}");
    let (_, keys) = call(&server, Method::GET, "/llm/keys", &owner, Value::Null).await;
    assert_eq!(keys["keys"][0]["usedTokens"], 30 * made);
    assert!(!keys.to_string().contains(&secret));

    let changed = json!({"name": "a program", "requestsPerMinute": 1});
    let (status, _) = call(
        &server,
        Method::PUT,
        &format!("/llm/keys/{id}"),
        &owner,
        changed,
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        chat(&server, &secret, "box/m", json!({})).await.0,
        StatusCode::OK
    );
    let (status, said) = chat(&server, &secret, "box/m", json!({})).await;
    assert_eq!(
        (status, &said["error"]["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("rate_limit_exceeded"))
    );

    let (_, ended) = make(json!({"name": "old", "expiresAt": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(
        chat(&server, &ended, "box/m", json!({})).await.0,
        StatusCode::UNAUTHORIZED
    );
    let (_, poor) = make(json!({"name": "poor", "money": 0.0})).await;
    assert_eq!(
        chat(&server, &poor, "box/m", json!({})).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );

    let (status, _) = call(
        &server,
        Method::DELETE,
        &format!("/llm/keys/{id}"),
        &owner,
        Value::Null,
    )
    .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(
        chat(&server, &secret, "box/m", json!({})).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert!(!home.log().contains(&secret));
}

#[tokio::test]
async fn a_key_pays_for_messages_and_responses_as_for_chats() {
    let upstream = upstream().await;
    let (home, server, owner) = with_model(&upstream).await;
    let settings = json!({"name": "agents", "models": ["box/*"], "tokens": 250});
    let (status, made) = call(&server, Method::POST, "/llm/keys", &owner, settings).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let messages = async |model: &str| {
        let body = json!({"model": model, "max_tokens": 90, "messages": [{"role": "user", "content": "Hello"}]});
        let request = server.request(Method::POST, "/v1/messages");
        send(request.header("x-api-key", secret).json(&body)).await
    };
    let responses = async || {
        let body = json!({"model": "box/m", "max_output_tokens": 90, "input": "Hello"});
        let request = server.request(Method::POST, "/v1/responses");
        send(request.bearer_auth(secret).json(&body)).await
    };
    let (status, said) = messages("builtin/outline").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(said["error"]["type"], "permission_error", "{said}");

    let (status, said) = messages("box/m").await;
    assert_eq!(
        (status, &said["content"][0]["text"]),
        (StatusCode::OK, &json!("Hi"))
    );
    let (status, said) = responses().await;
    assert_eq!(
        (status, &said["usage"]["total_tokens"]),
        (StatusCode::OK, &json!(30))
    );
    usage(&server, &owner, "key", 2).await;
    let (_, keys) = call(&server, Method::GET, "/llm/keys", &owner, Value::Null).await;
    assert_eq!(keys["keys"][0]["usedTokens"], 60);
    let mut made = 2;
    loop {
        let (status, said) = messages("box/m").await;
        if status != StatusCode::OK {
            assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(said["error"]["type"], "rate_limit_error", "{said}");
            break;
        }
        made += 1;
        usage(&server, &owner, "key", made).await;
    }
    assert!((5..=6).contains(&made), "{made}");
    assert_eq!(responses().await.0, StatusCode::TOO_MANY_REQUESTS);
    assert!(!home.log().contains(secret));
}

#[tokio::test]
async fn a_member_is_held_to_the_owners_limits_of_a_day_and_the_owner_is_not() {
    let upstream = upstream().await;
    let limits = [
        ("MANA_MEMBER_CALLS_PER_DAY", "2"),
        ("MANA_MEMBER_MONEY_PER_DAY", "1.5"),
    ];
    let (_home, server, owner) = with_model_and(&upstream, &limits).await;
    let member = server.sign_up("member@example.org", None).await;
    for _ in 0..2 {
        let (status, said) = chat(&server, &member.token, "box/m", json!({})).await;
        assert_eq!(status, StatusCode::OK, "{said}");
    }
    let (status, said) = chat(&server, &member.token, "box/m", json!({})).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{said}");
    let message = said["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("allows each member 2 calls a day"),
        "{message}"
    );
    for _ in 0..3 {
        let (status, said) = chat(&server, &owner.token, "box/m", json!({})).await;
        assert_eq!(status, StatusCode::OK, "{said}");
    }
}

#[tokio::test]
async fn members_programs_ask_for_models_by_the_owners_leave_alone() {
    let upstream = upstream().await;
    for (settings, may) in [
        (&[][..], false),
        (&[("MANA_SIGNUP", "open")], false),
        (&[("MANA_MEMBER_API", "on")], true),
        (
            &[
                ("MANA_MEMBER_API", "off"),
                ("MANA_MEMBER_CALLS_PER_DAY", "9"),
            ],
            false,
        ),
    ] {
        let (_home, server, owner) = with_model_and(&upstream, settings).await;
        let member = server.sign_up("member@example.org", None).await;
        let (status, said) = chat(&server, &member.token, "box/m", json!({})).await;
        if may {
            assert_eq!(status, StatusCode::OK, "{said}");
        } else {
            assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
            let message = said["error"]["message"].as_str().unwrap();
            assert!(message.contains("MANA_MEMBER_API=on"), "{message}");
        }
        let (status, _) = member.get("/v1/models").await;
        assert_eq!(status, StatusCode::OK, "the lists cost nothing");
        let (_, made) = call(
            &server,
            Method::POST,
            "/llm/keys",
            &owner,
            json!({"name": "p"}),
        )
        .await;
        for token in [&owner.token, made["secret"].as_str().unwrap()] {
            let (status, said) = chat(&server, token, "box/m", json!({})).await;
            assert_eq!(status, StatusCode::OK, "{said}");
        }
    }
}

#[tokio::test]
async fn many_calls_at_once_spend_no_more_than_the_budget() {
    let upstream = upstream().await;
    let (_home, server, owner) = with_model(&upstream).await;
    // Each reserves its 20 of an answer and less than 80 for its request, and uses 30.
    let settings = json!({"name": "a program", "tokens": 1000});
    let (_, made) = call(&server, Method::POST, "/llm/keys", &owner, settings).await;
    let secret = made["secret"].as_str().unwrap();
    let calls = (0..64).map(|_| chat(&server, secret, "box/m", json!({"max_tokens": 20})));
    let answers = futures_util::future::join_all(calls).await;
    let good = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::OK)
        .count();
    let refused = answers
        .iter()
        .filter(|(_, said)| said["error"]["code"] == "insufficient_quota")
        .count();
    assert_eq!(good + refused, 64);
    assert!(
        (10..=33).contains(&good),
        "{good} calls of 30 tokens for 1000"
    );
    let usage = usage(&server, &owner, "key", good as i64).await;
    assert!(30 * good <= 1000, "{usage}");
}

#[tokio::test]
async fn what_was_used_is_told_by_day_to_the_owner_and_to_each_their_own() {
    let upstream = upstream().await;
    let (_home, server, owner) = with_model_and(&upstream, &[("MANA_MEMBER_API", "on")]).await;
    let bob = server.sign_up("bob@example.org", None).await;
    for who in [&owner, &bob, &bob] {
        assert_eq!(
            chat(&server, &who.token, "box/m", json!({})).await.0,
            StatusCode::OK
        );
    }
    let all = usage(&server, &owner, "model", 3).await;
    assert_eq!(all["days"].as_array().unwrap().len(), 30);
    let sum = &all["sums"][0];
    assert_eq!(
        (&sum["of"], &sum["promptTokens"], &sum["completionTokens"]),
        (&json!("box/m"), &json!(30), &json!(60))
    );
    assert!(
        (sum["money"].as_f64().unwrap() - 0.00009).abs() < 1e-9,
        "{sum}"
    );
    let people = usage(&server, &owner, "user", 3).await;
    assert_eq!(people["sums"].as_array().unwrap().len(), 2);
    assert_eq!(people["people"][&bob.user_id], "bob@example.org");
    let keys = usage(&server, &owner, "key", 3).await;
    assert_eq!(keys["people"], json!({}), "nobody is in it");
    let own = usage(&server, &bob, "user", 2).await;
    assert_eq!(own["people"], json!({ &bob.user_id: "bob@example.org" }));
    assert_eq!(own["sums"].as_array().unwrap().len(), 1);
    assert_eq!(own["sums"][0]["of"], bob.user_id.as_str());
}

#[tokio::test]
async fn a_hangup_reads_the_file_again_and_a_broken_one_changes_nothing() {
    let upstream = upstream().await;
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let file = home.data().join("mana.toml");
    let base = format!("{}/v1", upstream.uri());
    let good = format!(
        "[llm]\nfind_ollama = false\n[llm.providers.filed]\nbase_url = \"{base}\"\nkey = \"{HUSH}\"\nmodels = [\"m\"]\n"
    );
    std::fs::write(&file, good).unwrap();
    server.signal("-HUP");
    let until = std::time::Instant::now() + PATIENCE;
    while chat(&server, &owner.token, "filed/m", json!({})).await.0 != StatusCode::OK {
        assert!(std::time::Instant::now() < until, "{}", home.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    std::fs::write(&file, "[llm]\nunknown = 1\n").unwrap();
    server.signal("-HUP");
    loop {
        let (_, said) = call(&server, Method::GET, "/llm/settings", &owner, Value::Null).await;
        if let Some(problem) = said["problem"].as_str() {
            assert!(problem.contains("unknown"), "{problem}");
            break;
        }
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(
        chat(&server, &owner.token, "filed/m", json!({})).await.0,
        StatusCode::OK
    );
}
