//! Faults of upstreams: each is an error in plain words, in time, within
//! bounds and without a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mana_llm::{Call, ErrorKind, GatewayError};
use tokio::sync::mpsc;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::*;

async fn failure_of(gateway: &Gateway) -> GatewayError {
    soon(gateway.chat(hello("up/m"))).await.unwrap_err()
}

async fn failure_with(answer: ResponseTemplate) -> GatewayError {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(answer)
        .mount(&upstream)
        .await;
    failure_of(&gateway_to(&upstream.uri())).await
}

#[tokio::test]
async fn half_an_emoji_loses_no_answer() {
    let upstream = MockServer::start().await;
    let body = r#"{"choices":[{"message":{"role":"assistant","content":"A party \ud83c of \ud83c\udf89"},
        "finish_reason":"stop"}]}"#;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_string(body))
        .mount(&upstream)
        .await;
    let gateway = gateway_to(&upstream.uri());
    let answer = soon(gateway.chat(hello("up/m"))).await.unwrap();
    assert_eq!(answer.text(), "A party \u{fffd} of \u{1f389}");
}

#[tokio::test]
async fn a_bad_answer_is_named_for_what_it_is() {
    use ErrorKind::{BadJson, Http, RateLimited};
    let ok = || ResponseTemplate::new(200);
    let error = |status: u16| ResponseTemplate::new(status);
    for (answer, kind, told) in [
        (
            ok().set_body_string("Sure! Here is your plan."),
            BadJson,
            "sent text: Sure! Here",
        ),
        (
            ok().set_body_string(r#"{"choices": [{"mess"#),
            BadJson,
            "JSON that is broken",
        ),
        (
            ok().set_body_json(json!({"hello": 1})),
            BadJson,
            r#"other JSON: {"hello":1}"#,
        ),
        (ok().set_body_string(""), BadJson, "sent nothing"),
        (
            ok().set_body_string("<html></html>"),
            BadJson,
            "an HTML page",
        ),
        (
            ok().set_body_json(json!({"error": {"message": "overloaded", "code": 503}})),
            Http(503),
            "overloaded",
        ),
        (
            ok().set_body_json(json!({"error": {"message": "wait", "code": 429}})),
            RateLimited { retry_after: None },
            "wait",
        ),
        (
            ok().set_body_json(json!({"error": {"message": "wait", "code": "429"}})),
            RateLimited { retry_after: None },
            "wait",
        ),
        (
            ok().set_body_json(
                json!({"error": {"message": "full", "code": "overloaded", "status": 503}}),
            ),
            Http(503),
            "full",
        ),
        (
            error(500).set_body_json(json!({"error": {"message": "out of memory"}})),
            Http(500),
            "out of memory",
        ),
        (
            error(500).set_body_string("it broke"),
            Http(500),
            "500 Internal Server Error: it broke",
        ),
        (
            error(502).set_body_string("<html>nginx</html>"),
            Http(502),
            "502 Bad Gateway",
        ),
        (
            error(404).set_body_json(json!({"error": "model 'm' not found"})),
            Http(404),
            "model 'm' not found",
        ),
        (
            error(401).set_body_json(json!({"error": {"message": "no"}})),
            Http(401),
            "check the key of up",
        ),
        (
            error(429).insert_header("retry-after", "2"),
            RateLimited {
                retry_after: Some(Duration::from_secs(2)),
            },
            "wait 2 s",
        ),
    ] {
        let failure = failure_with(answer).await;
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(
            failure.message.contains(told),
            "{failure} should say {told}"
        );
        assert_eq!(failure.provider.as_deref(), Some("up"));
    }
}

#[tokio::test]
async fn a_provider_without_a_name_of_its_own_is_the_models_server() {
    let env = |upstream: String| {
        move |name: &str| (name == "MANA_LLM_URL").then(|| format!("{upstream}/v1"))
    };
    let failure = |upstream: String| async {
        let config = LlmConfig::from_env(env(upstream)).unwrap();
        let gateway = Gateway::from_config(config);
        soon(gateway.chat(hello("m"))).await.unwrap_err().message
    };
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&upstream)
        .await;
    assert_eq!(
        failure(upstream.uri()).await,
        "The model’s server answered 401 Unauthorized; check the key of the model’s server"
    );
    let silent = failure(raw::nobody()).await;
    assert!(
        silent.starts_with("Can't reach the model’s server at 127.0.0.1:"),
        "{silent}"
    );
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let nobody = raw::nobody();
    let failure = failure_of(&gateway_to(&nobody)).await;
    assert_eq!(failure.kind, ErrorKind::Connect);
    let address = nobody.trim_start_matches("http://");
    assert_eq!(
        failure.message,
        format!(
            "Can't reach up at {address} (connection refused); check that it is running and that the address is right"
        )
    );
}

#[tokio::test]
async fn tls_is_spoken_and_its_failure_is_no_panic() {
    let plain = MockServer::start().await;
    let base = plain.uri().replace("http://", "https://");
    let failure = failure_of(&gateway_to(&base)).await;
    assert_eq!(failure.kind, ErrorKind::Connect, "{failure}");
    assert_eq!(plain.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_silent_upstream_is_given_up_in_time() {
    let upstream = raw::serve(|mut caller| async move { caller.hung_up().await }).await;
    let mut settings = config(vec![provider("up", &upstream)]);
    settings.timeout = Duration::from_millis(150);
    let failure = failure_of(&Gateway::from_config(settings)).await;
    assert_eq!(failure.kind, ErrorKind::Timeout);
    assert!(failure.message.contains("within 150 ms"), "{failure}");

    let call = Call {
        timeout: Some(Duration::from_millis(100)),
        ..hello("up/m").into()
    };
    let failure = soon(gateway_to(&upstream).chat(call)).await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn a_dripping_answer_is_given_up_in_time() {
    let upstream = raw::serve(|mut caller| async move {
        caller
            .send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            .await;
        while caller.send(" ").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut settings = config(vec![provider("up", &upstream)]);
    settings.timeout = Duration::from_millis(200);
    let failure = failure_of(&Gateway::from_config(settings)).await;
    assert_eq!(failure.kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn a_broken_off_answer_is_no_answer() {
    let upstream = raw::serve(|mut caller| async move {
        caller
            .send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choices\": [")
            .await;
    })
    .await;
    let failure = failure_of(&gateway_to(&upstream)).await;
    assert_eq!(failure.kind, ErrorKind::CutOff);
    assert!(failure.message.contains("broke off"), "{failure}");
}

#[tokio::test]
async fn an_answer_of_100_mb_is_refused_and_not_swallowed() {
    const MB: usize = 1 << 20;
    for head in ["content-length: 104857600", "connection: close"] {
        let sent = Arc::new(AtomicUsize::new(0));
        let (done, mut over) = mpsc::channel(1);
        let counter = sent.clone();
        let upstream = raw::serve(move |mut caller| {
            let (sent, done) = (counter.clone(), done.clone());
            async move {
                caller
                    .send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n"))
                    .await;
                while sent.load(Ordering::SeqCst) < 100 * MB && caller.send(vec![b' '; MB]).await {
                    sent.fetch_add(MB, Ordering::SeqCst);
                }
                done.send(()).await.unwrap();
            }
        })
        .await;

        let failure = failure_of(&gateway_to(&upstream)).await;
        assert_eq!(failure.kind, ErrorKind::TooLarge);
        assert!(failure.message.contains("larger than 8 MB"), "{failure}");
        soon(over.recv()).await.unwrap();
        // What the gateway read, and what lay in the sockets' buffers.
        assert!(sent.load(Ordering::SeqCst) < 40 * MB, "{head}");
    }
}

#[tokio::test]
async fn an_answer_that_announces_too_much_is_not_waited_for() {
    let upstream = raw::serve(|mut caller| async move {
        caller
            .send("HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n")
            .await;
        caller.hung_up().await;
    })
    .await;
    let failure = failure_of(&gateway_to(&upstream)).await;
    assert_eq!(failure.kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_call_may_allow_less() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion(&"x".repeat(2000))))
        .mount(&upstream)
        .await;
    let call = Call {
        max_bytes: Some(1024),
        ..hello("up/m").into()
    };
    let failure = soon(gateway_to(&upstream.uri()).chat(call))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, ErrorKind::TooLarge);
    assert!(failure.message.contains("1 kB"), "{failure}");
}

#[tokio::test]
async fn a_redirect_takes_neither_request_nor_key_elsewhere() {
    let elsewhere = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("gotcha")))
        .expect(0)
        .mount(&elsewhere)
        .await;
    let location = format!("{}/v1/chat/completions", elsewhere.uri());
    let failure =
        failure_with(ResponseTemplate::new(307).insert_header("location", location)).await;
    assert_eq!(failure.kind, ErrorKind::Http(307));
    assert!(failure.message.contains("base URL"), "{failure}");
}

#[tokio::test]
async fn a_key_that_the_upstream_echoes_is_hidden() {
    for status in [200, 400, 401, 500] {
        for body in [
            json!({"error": {
                "message": format!("Bad key {KEY}"), "code": KEY, "got": format!("Bearer {KEY}")}})
            .to_string(),
            format!("You sent {KEY} and Bearer abcdef0123456789 and sk-proj-abcdefghijkl"),
        ] {
            let upstream = MockServer::start().await;
            Mock::given(path("/v1/chat/completions"))
                .respond_with(ResponseTemplate::new(status).set_body_string(body))
                .mount(&upstream)
                .await;
            let base = serve(gateway_to(&upstream.uri())).await;
            let request = serde_json::to_value(hello("up/m")).unwrap();
            let response = post(format!("{base}/v1/chat/completions"), &request).await;
            let headers = format!("{:?}", response.headers());
            let told = headers + &body_text(response).await;
            for secret in [KEY, "abcdef0123456789", "sk-proj-abcdefghijkl"] {
                assert!(!told.contains(secret), "{status}: {told}");
            }
            assert!(told.contains("[hidden]"), "{status}: {told}");
        }
    }
}

#[tokio::test]
async fn a_key_in_a_good_answer_is_hidden_too() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(completion(&format!("It is {KEY}."))),
        )
        .mount(&upstream)
        .await;
    let answer = soon(gateway_to(&upstream.uri()).chat(hello("up/m")))
        .await
        .unwrap();
    assert_eq!(answer.text(), "It is [hidden].");
    assert_eq!(answer.resolved, "up/m");
}

async fn body_text(response: reqwest::Response) -> String {
    String::from_utf8(soon(response.bytes()).await.unwrap().to_vec()).unwrap()
}
