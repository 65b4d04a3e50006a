//! Blame where it belongs: a failure keeps away those whom it concerns, and is not multiplied.

use std::sync::atomic::Ordering;

use axum::http::HeaderMap;
use mana_llm::{ErrorKind, FallbackSettings};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::fallback::{again, chained, good, upstream};
use crate::*;

fn refusal(status: u16, error: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": error }))
}

#[tokio::test]
async fn what_is_wrong_at_one_provider_is_asked_of_the_next_unless_the_owner_says_otherwise() {
    let without = |change: fn(&mut FallbackSettings)| {
        let mut rules = FallbackSettings::default();
        change(&mut rules);
        Some(rules)
    };
    let key = without(|rules| rules.refused_key = false);
    let account = without(|rules| rules.empty_account = false);
    let model = without(|rules| rules.unknown_model = false);
    let window = without(|rules| rules.small_window = false);
    for (off, status, error) in [
        (key, 401, json!({"message": "expired"})),
        (key, 403, json!({"message": "not yours"})),
        (account, 402, json!({"message": "pay"})),
        (
            account,
            429,
            json!({"message": "spent", "code": "insufficient_quota"}),
        ),
        (model, 404, json!({"message": "no such model"})),
        (
            window,
            400,
            json!({"message": "long", "code": "context_length_exceeded"}),
        ),
        (None, 408, json!({"message": "too slow"})),
    ] {
        let (first, asked_first) = upstream(vec![refusal(status, error)]).await;
        let (second, asked) = upstream(vec![good("from the second")]).await;
        let mut config = chained(vec![
            provider("first", &first.uri()),
            provider("second", &second.uri()),
        ]);
        config.retries = 2;
        let answer = soon(Gateway::from_config(config.clone()).chat(again())).await;
        let answer = answer.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_eq!(
            (answer.resolved.as_str(), answer.failed.len()),
            ("second/m", 1)
        );
        let Some(off) = off else { continue };
        config.fallback = off;
        let refused = soon(Gateway::from_config(config).chat(again())).await;
        assert_eq!(
            refused.unwrap_err().provider.as_deref(),
            Some("first"),
            "{status}"
        );
        let counts = (
            asked_first.load(Ordering::SeqCst),
            asked.load(Ordering::SeqCst),
        );
        assert_eq!(counts, (2, 1), "{status}: asked once each time");
    }
}

/// An upstream that answers each request as it deserves.
async fn judging(judge: impl Fn(&str) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::method("POST"))
        .respond_with(move |request: &Request| judge(std::str::from_utf8(&request.body).unwrap()))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn the_limit_of_a_model_is_no_other_models() {
    for status in [429, 503] {
        let server = judging(move |body| match body.contains("free") {
            true => ResponseTemplate::new(status).insert_header("retry-after", "120"),
            false => good("paid"),
        })
        .await;
        let gateway = gateway_to(&server.uri());
        soon(gateway.chat(hello("up/free"))).await.unwrap_err();
        let paused = soon(gateway.chat(hello("up/free"))).await.unwrap_err();
        assert!(matches!(paused.kind, ErrorKind::Paused { .. }), "{paused}");
        let answer = soon(gateway.chat(hello("up/paid"))).await.unwrap();
        assert_eq!(answer.text(), "paid");
    }
}

struct ByBearer;

#[async_trait]
impl Auth for ByBearer {
    async fn caller(&self, bearer: &str) -> Option<Caller> {
        Some(match bearer.strip_prefix("key-") {
            Some(id) => Caller::Key {
                id: id.to_owned(),
                user: "ada".to_owned(),
            },
            None => Caller::User(bearer.to_owned()),
        })
    }
}

async fn serve_everybody(gateway: Arc<Gateway>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = router(gateway, Arc::new(ByBearer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/v1")
}

async fn ask(base: &str, bearer: &str, path: &str, body: Value) -> (u16, HeaderMap) {
    let request = client().post(format!("{base}/{path}")).bearer_auth(bearer);
    let response = soon(request.body(body.to_string()).send()).await.unwrap();
    let head = (response.status().as_u16(), response.headers().clone());
    drop(soon(response.bytes()).await);
    head
}

#[tokio::test]
async fn the_failures_of_one_callers_requests_keep_no_other_from_the_model() {
    let server = judging(|body| match body.contains("poison") {
        true => refusal(500, json!({"message": "image: unknown format"})),
        false if body.contains("input") => {
            ResponseTemplate::new(200).set_body_json(json!({"data": []}))
        }
        false => good("fine"),
    })
    .await;
    let base = serve_everybody(gateway_to(&server.uri())).await;
    let chat =
        |text: &str| json!({"model": "up/m", "messages": [{"role": "user", "content": text}]});
    let embed = |text: &str| json!({"model": "up/m", "input": text});
    for _ in 0..12 {
        for bearer in ["eve", "key-k"] {
            ask(&base, bearer, "chat/completions", chat("poison")).await;
            ask(&base, bearer, "embeddings", embed("poison")).await;
        }
    }
    let (status, _) = ask(&base, "eve", "chat/completions", chat("poison")).await;
    assert_eq!(status, 503, "who fails again and again waits");
    assert_eq!(
        ask(&base, "ada", "chat/completions", chat("hello")).await.0,
        200
    );
    assert_eq!(ask(&base, "ada", "embeddings", embed("hello")).await.0, 200);
    assert_eq!(
        ask(&base, "key-other", "chat/completions", chat("hello"))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn what_a_request_itself_is_refused_for_keeps_not_even_its_caller_away() {
    let image = json!([{"type": "image_url", "image_url": {"url": "data:image/x;base64,AA"}}]);
    let asked = |extra: Value| {
        let mut body = json!({"model": "up/m", "messages": [{"role": "user", "content": "hello"}]});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        body
    };
    for (bad, status, message) in [
        (
            json!({"messages": [{"role": "user", "content": image}]}),
            500,
            "image: unknown format",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            500,
            "no template",
        ),
        (json!({"temperature": 9}), 400, "out of range"),
        (json!({"temperature": 9}), 422, "out of range"),
        (json!({"temperature": 9}), 413, "too large"),
        (
            json!({"temperature": 9}),
            500,
            "the input length exceeds the context length",
        ),
    ] {
        let server = judging(move |body| {
            let is_bad = ["image_url", "tools", "temperature"]
                .iter()
                .any(|word| body.contains(word));
            match is_bad {
                true => refusal(status, json!({ "message": message })),
                false => good("fine"),
            }
        })
        .await;
        let base = serve_everybody(gateway_to(&server.uri())).await;
        for _ in 0..12 {
            let (answered, _) = ask(&base, "ada", "chat/completions", asked(bad.clone())).await;
            assert!(
                answered == status || answered == 400,
                "{answered}: {message}"
            );
        }
        let (answered, _) = ask(&base, "ada", "chat/completions", asked(json!({}))).await;
        assert_eq!(answered, 200, "{message}");
    }
}

#[tokio::test]
async fn attempts_are_not_multiplied() {
    let never = |answer: ResponseTemplate| answer.insert_header("x-should-retry", "false");
    let spent = || {
        refusal(
            429,
            json!({"message": "spent", "code": "insufficient_quota"}),
        )
    };
    for (answer, calls, header) in [
        (spent(), 1, Some("false")),
        (refusal(500, json!({"message": "broken"})), 3, Some("false")),
        (
            never(refusal(500, json!({"message": "broken"}))),
            1,
            Some("false"),
        ),
        (refusal(401, json!({"message": "key"})), 1, Some("false")),
        (
            refusal(429, json!({"message": "slow"})).insert_header("retry-after-ms", "20"),
            3,
            Some("false"),
        ),
        // Not waited for here, so the caller may.
        (
            refusal(429, json!({"message": "slow"})).insert_header("retry-after", "60"),
            1,
            None,
        ),
        (
            refusal(409, json!({"message": "locked"})).insert_header("x-should-retry", "true"),
            3,
            Some("false"),
        ),
    ] {
        for stream in [false, true] {
            let (server, asked) = upstream(vec![answer.clone()]).await;
            let mut config = config(vec![provider("up", &server.uri())]);
            config.retries = 2;
            let base = serve_everybody(Gateway::from_config(config)).await;
            let mut body = serde_json::to_value(hello("up/m")).unwrap();
            body["stream"] = stream.into();
            let (status, headers) = ask(&base, "ada", "chat/completions", body).await;
            assert!(status >= 400);
            let told = headers.get("x-should-retry");
            let told = told.map(|told| told.to_str().unwrap());
            assert_eq!(
                (told, asked.load(Ordering::SeqCst)),
                (header, calls),
                "{status}"
            );
        }
    }
}

#[tokio::test]
async fn milliseconds_that_a_provider_asks_for_are_waited_for() {
    let slow_down = refusal(429, json!({"message": "slow"}))
        .insert_header("retry-after-ms", "300")
        .insert_header("retry-after", "60");
    let (server, asked) = upstream(vec![slow_down, good("rested")]).await;
    let mut config = chained(vec![provider("up", &server.uri())]);
    config.retries = 1;
    let answer = soon(Gateway::from_config(config).chat(again()))
        .await
        .unwrap();
    assert_eq!(
        (answer.text().as_str(), asked.load(Ordering::SeqCst)),
        ("rested", 2)
    );
}

#[tokio::test]
async fn a_busy_entry_is_slow_and_the_next_one_answers() {
    let hanging = raw::serve(|mut caller| async move { caller.hung_up().await }).await;
    let (second, _) = upstream(vec![good("from the second")]).await;
    let mut busy = provider("first", &hanging);
    busy.concurrency = 1;
    let mut config = chained(vec![busy, provider("second", &second.uri())]);
    config.queue = Duration::from_millis(50);
    let gateway = Gateway::from_config(config);
    let holding = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.chat(hello("first/m")).await.map(drop) }
    });
    let routes_busy = async {
        loop {
            let answer = gateway.chat(hello("mana/reasoning")).await.unwrap();
            if answer.resolved == "second/m" {
                break;
            }
        }
    };
    // The one place is taken by then, or the first call of these takes it and times out by itself.
    tokio::time::sleep(Duration::from_millis(50)).await;
    soon(routes_busy).await;
    holding.abort();
}
