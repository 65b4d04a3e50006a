//! Faults, and who answers in spite of them: the next of the chain, the same one a moment later, or nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use mana_llm::wire::RawJson;
use mana_llm::{ErrorKind, StreamEvent};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::raw::{STOP, chunk};
use crate::*;

/// Answers like the first of these, then the second, and so on; the last one stays.
pub struct Then(Vec<ResponseTemplate>, Arc<AtomicUsize>);

impl Respond for Then {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let asked = self.1.fetch_add(1, Ordering::SeqCst);
        self.0[asked.min(self.0.len() - 1)].clone()
    }
}

pub async fn upstream(answers: Vec<ResponseTemplate>) -> (MockServer, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let server = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(Then(answers, asked.clone()))
        .mount(&server)
        .await;
    (server, asked)
}

pub fn good(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(completion(text))
}

fn bad(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": {"message": format!("no, {KEY}")}}))
}

pub fn chained(providers: Vec<ProviderConfig>) -> LlmConfig {
    let chain = providers
        .iter()
        .map(|provider| format!("{}/m", provider.name));
    let mut config = config(providers.clone());
    config.aliases = [("mana/reasoning".to_owned(), chain.collect())].into();
    config
}

pub fn again() -> ChatRequest {
    let mut request = hello("mana/reasoning");
    request.retry = true;
    request
}

/// A provider that is not waited for long.
fn hasty(name: &str, base: &str) -> ProviderConfig {
    let mut hasty = provider(name, base);
    hasty.timeout = Some(Duration::from_secs(1));
    hasty
}

/// A server that does this to everybody who asks.
async fn faulty(fault: &'static str) -> String {
    raw::serve(move |mut caller| async move {
        match fault {
            "hangs" => caller.hung_up().await,
            "hangs up" => {}
            "stops halfway" => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"cho";
                caller.send(head).await;
            }
            "drips" => {
                caller.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await;
                let mut drop = tokio::time::interval(Duration::from_millis(100));
                while caller.send(" ").await {
                    drop.tick().await;
                }
            }
            "speaks no HTTP" => drop(caller.send("220 smtp.example.org ESMTP\r\n").await),
            "sends nonsense" => {
                caller.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
            }
            _ => unreachable!(),
        }
    })
    .await
}

#[tokio::test]
async fn whatever_fault_the_first_has_the_second_answers_in_time() {
    let (second, _) = upstream(vec![good("from the second")]).await;
    for fault in [
        "hangs",
        "hangs up",
        "stops halfway",
        "drips",
        "speaks no HTTP",
        "sends nonsense",
    ] {
        let first = faulty(fault).await;
        let gateway = Gateway::from_config(chained(vec![
            hasty("first", &first),
            provider("second", &second.uri()),
        ]));
        let answer = soon(gateway.chat(hello("mana/reasoning"))).await;
        let answer = answer.unwrap_or_else(|error| panic!("{fault}: {error}"));
        assert_eq!(
            (answer.text().as_str(), answer.resolved.as_str()),
            ("from the second", "second/m"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn where_all_fail_each_ones_reason_is_told_and_no_key() {
    let (first, _) = upstream(vec![bad(500)]).await;
    let hanging = faulty("hangs").await;
    let gateway = Gateway::from_config(chained(vec![
        provider("first", &first.uri()),
        hasty("second", &hanging),
    ]));
    let base = serve(gateway.clone()).await;
    let response = post(
        format!("{base}/v1/chat/completions"),
        &json!({"model": "mana/reasoning", "messages": [{"role": "user", "content": "x"}]}),
    )
    .await;
    assert_eq!(response.status(), 504);
    let error = body(response).await;
    let attempts = error["error"]["details"]["attempts"].as_array().unwrap();
    let tried: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            (
                attempt["model"].as_str().unwrap(),
                attempt["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        tried,
        [
            ("first/m", "provider_error"),
            ("second/m", "provider_timeout")
        ]
    );
    assert!(!error.to_string().contains(KEY), "{error}");
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again_if_the_caller_wants() {
    let (server, asked) = upstream(vec![bad(503), bad(503), good("at last")]).await;
    let mut config = chained(vec![provider("up", &server.uri())]);
    config.retries = 2;
    let gateway = Gateway::from_config(config);
    let once = soon(gateway.chat(hello("mana/reasoning")))
        .await
        .unwrap_err();
    assert_eq!(
        (once.kind, asked.load(Ordering::SeqCst)),
        (ErrorKind::Http(503), 1)
    );
    let answer = soon(gateway.chat(again())).await.unwrap();
    assert_eq!(
        (answer.text().as_str(), asked.load(Ordering::SeqCst)),
        ("at last", 3)
    );
}

#[tokio::test]
async fn who_asks_to_wait_a_moment_is_waited_for() {
    let storm = bad(429).insert_header("retry-after", "1");
    let (server, asked) = upstream(vec![storm, good("rested")]).await;
    let mut config = chained(vec![provider("up", &server.uri())]);
    config.retries = 1;
    let begun = std::time::Instant::now();
    let answer = soon(Gateway::from_config(config).chat(again()))
        .await
        .unwrap();
    assert_eq!(
        (answer.text().as_str(), asked.load(Ordering::SeqCst)),
        ("rested", 2)
    );
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is_asked_by_nobody() {
    let storm = bad(429).insert_header("retry-after", "60");
    let (server, asked) = upstream(vec![storm]).await;
    let mut config = chained(vec![provider("up", &server.uri())]);
    config.retries = 2;
    let gateway = Gateway::from_config(config);
    let refused = soon(gateway.chat(again())).await.unwrap_err();
    assert_eq!(
        refused.retry_after(),
        Some(Duration::from_secs(60)),
        "not waited for: {refused}"
    );
    let paused = soon(gateway.chat(hello("up/m"))).await.unwrap_err();
    assert!(matches!(paused.kind, ErrorKind::Paused { .. }), "{paused}");
    assert!(paused.retry_after().unwrap() <= Duration::from_secs(60));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_fails_again_and_again_is_left_alone_and_the_next_one_answers() {
    let (first, asked) = upstream(vec![bad(500)]).await;
    let (second, _) = upstream(vec![good("from the second")]).await;
    let gateway = Gateway::from_config(chained(vec![
        provider("first", &first.uri()),
        provider("second", &second.uri()),
    ]));
    for _ in 0..8 {
        let answer = soon(gateway.chat(hello("mana/reasoning"))).await.unwrap();
        assert_eq!(answer.resolved, "second/m");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 5, "then the breaker is open");
    let refused = soon(gateway.chat(hello("first/m"))).await.unwrap_err();
    assert!(
        matches!(refused.kind, ErrorKind::Paused { .. }),
        "{refused}"
    );
    assert_eq!(refused.status(), 503);
}

#[tokio::test]
async fn a_request_that_is_wrong_is_wrong_everywhere() {
    let (first, _) = upstream(vec![bad(400)]).await;
    let (second, asked) = upstream(vec![good("never")]).await;
    let gateway = Gateway::from_config(chained(vec![
        provider("first", &first.uri()),
        provider("second", &second.uri()),
    ]));
    let refused = soon(gateway.chat(hello("mana/reasoning")))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind, asked.load(Ordering::SeqCst)),
        (ErrorKind::Http(400), 0)
    );
}

#[tokio::test]
async fn a_stream_goes_to_the_next_before_its_first_piece_and_never_after() {
    let cut_at_once = raw::serve(|mut caller| async move {
        caller.begin_events().await;
    })
    .await;
    let cut_later = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        caller.event(&chunk("from the first")).await;
    })
    .await;
    let whole = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        for piece in [&chunk("from the second"), STOP, "[DONE]"] {
            caller.event(piece).await;
        }
    })
    .await;
    for (first, spliced) in [(cut_at_once, false), (cut_later, true)] {
        let gateway = Gateway::from_config(chained(vec![
            provider("first", &first),
            provider("second", &whole),
        ]));
        let mut stream = soon(gateway.chat_stream(hello("mana/reasoning")))
            .await
            .unwrap();
        let resolved = stream.resolved.clone();
        let (mut text, mut error) = (String::new(), None);
        while let Some(event) = soon(stream.next()).await {
            match event {
                Ok(StreamEvent::Data(data)) => text += std::str::from_utf8(&data).unwrap(),
                Ok(_) => {}
                Err(failure) => error = Some(failure.kind),
            }
        }
        if spliced {
            assert_eq!(
                (resolved.as_str(), error),
                ("first/m", Some(ErrorKind::CutOff))
            );
            assert!(text.contains("the first") && !text.contains("the second"));
        } else {
            assert_eq!((resolved.as_str(), error), ("second/m", None));
            assert!(text.contains("the second"));
        }
    }
}

#[tokio::test]
async fn a_model_that_is_known_not_to_can_is_passed_over() {
    let (first, asked) = upstream(vec![good("never")]).await;
    let (second, _) = upstream(vec![good("with tools")]).await;
    let mut config = chained(vec![
        provider("first", &first.uri()),
        provider("second", &second.uri()),
    ]);
    let without = mana_llm::ModelSettings {
        tools: Some(false),
        ..Default::default()
    };
    config.models = [("first/m".to_owned(), without)].into();
    let gateway = Gateway::from_config(config);
    let mut request = hello("mana/reasoning");
    request.tools = RawJson::of(&json!([{"type": "function"}]));
    let answer = soon(gateway.chat(request)).await.unwrap();
    assert_eq!(
        (answer.text().as_str(), asked.load(Ordering::SeqCst)),
        ("with tools", 0)
    );
    let able = soon(gateway.capabilities("mana/reasoning")).await.unwrap();
    assert!(!able.tools);
}

#[tokio::test]
async fn another_configuration_counts_from_the_next_call_on() {
    let (before, _) = upstream(vec![good("before")]).await;
    let (after, _) = upstream(vec![good("after")]).await;
    let gateway = Gateway::from_config(chained(vec![provider("up", &before.uri())]));
    assert_eq!(
        soon(gateway.chat(hello("up/m"))).await.unwrap().text(),
        "before"
    );
    let price = mana_llm::ModelSettings {
        input: Some(1.0),
        output: Some(2.0),
        ..Default::default()
    };
    let mut config = chained(vec![provider("up", &after.uri())]);
    config.models = [("up/m".to_owned(), price)].into();
    assert_eq!(
        gateway.price("up/m"),
        Some(mana_llm::Price::default()),
        "it is on this machine"
    );
    gateway.reload(&config);
    assert_eq!(
        soon(gateway.chat(hello("up/m"))).await.unwrap().text(),
        "after"
    );
    assert_eq!(gateway.price("up/m").unwrap().micros_usd(1, 1), 3);
}

#[tokio::test]
async fn streams_that_break_midway_open_the_breaker() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let breaks = raw::serve(move |mut caller| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            caller.begin_events().await;
            caller.event(&chunk("and then")).await;
        }
    })
    .await;
    let gateway = Gateway::from_config(chained(vec![provider("up", &breaks)]));
    for _ in 0..5 {
        let stream = soon(gateway.chat_stream(hello("up/m"))).await.unwrap();
        let pieces: Vec<_> = soon(stream.collect()).await;
        assert_eq!(
            pieces.last().unwrap().as_ref().err().unwrap().kind,
            ErrorKind::CutOff
        );
    }
    let refused = soon(gateway.chat(hello("up/m"))).await.unwrap_err();
    assert!(
        matches!(refused.kind, ErrorKind::Paused { .. }),
        "{refused}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}
