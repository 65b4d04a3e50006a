//! The charge of a call over HTTP: set aside before, settled after, however it ends.

use std::sync::Arc;

use mana_llm::http::{Auth, CallEstimate, Caller, Ending, MeterGuard, Used, router};
use mana_llm::{ErrorKind, GatewayError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wiremock::matchers::{body_partial_json, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::raw::{STOP, chunk};
use crate::*;

struct Books {
    asked: UnboundedSender<CallEstimate>,
    settled: UnboundedSender<Used>,
    bounds: bool,
    full: bool,
}

#[async_trait]
impl Auth for Books {
    async fn caller(&self, bearer: &str) -> Option<Caller> {
        (bearer == "good").then(|| Caller::Key {
            id: "k".to_owned(),
            user: "ada".to_owned(),
        })
    }

    fn may_see(&self, _: &Caller, model: &str) -> bool {
        model == "up/m"
    }

    async fn reserve(
        &self,
        _: &Caller,
        ask: CallEstimate,
    ) -> Result<Option<MeterGuard>, GatewayError> {
        if self.full {
            return Err(GatewayError::new(
                ErrorKind::OverBudget,
                "The budget is used up",
            ));
        }
        let completion_tokens = ask.completion_tokens.unwrap_or(100);
        self.asked.send(ask).unwrap();
        let settled = self.settled.clone();
        Ok(Some(MeterGuard {
            completion_tokens,
            bounds: self.bounds,
            settle: Box::new(move |used| settled.send(used).unwrap()),
        }))
    }
}

struct World {
    base: String,
    asked: UnboundedReceiver<CallEstimate>,
    settled: UnboundedReceiver<Used>,
}

async fn world(upstream: &str, bounds: bool, full: bool) -> World {
    world_of(gateway_to(upstream), bounds, full).await
}

async fn world_of(gateway: Arc<Gateway>, bounds: bool, full: bool) -> World {
    let ((ask, asked), (settle, settled)) = (unbounded_channel(), unbounded_channel());
    let books = Books {
        asked: ask,
        settled: settle,
        bounds,
        full,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = router(gateway, Arc::new(books));
    tokio::spawn(async move { axum::serve(listener, app).await });
    World {
        base: format!("http://{address}"),
        asked,
        settled,
    }
}

impl World {
    async fn ask(&self, extra: Value) -> reqwest::Response {
        let mut body = json!({"model": "up/m", "messages": [{"role": "user", "content": "Hello"}]});
        let fields = extra.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        post(format!("{}/v1/chat/completions", self.base), &body).await
    }

    async fn used(&mut self) -> Used {
        soon(self.settled.recv()).await.unwrap()
    }
}

fn used(prompt_tokens: u64, completion_tokens: u64, ending: Ending) -> Used {
    Used {
        model: "up/m".to_owned(),
        prompt_tokens,
        completion_tokens,
        // A model on this machine costs nothing.
        micros_usd: (ending == Ending::Answered).then_some(0),
        ending,
        also_read: Vec::new(),
    }
}

#[tokio::test]
async fn an_answer_is_charged_what_the_provider_says() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .and(body_partial_json(json!({"max_tokens": 7})))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    let mut world = world(&upstream.uri(), true, false).await;
    assert_eq!(world.ask(json!({"max_tokens": 7})).await.status(), 200);
    let ask = world.asked.recv().await.unwrap();
    assert_eq!(
        (ask.model.as_str(), ask.completion_tokens),
        ("up/m", Some(7))
    );
    assert_eq!(ask.chain, ["up/m"]);
    assert_eq!(world.used().await, used(1, 2, Ending::Answered));
}

#[tokio::test]
async fn what_is_reserved_is_what_the_upstream_may_spend() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    let mut world = world(&upstream.uri(), true, false).await;
    for (asked, answers, tokens) in [
        (json!({"n": 50, "max_tokens": 100}), 50, Some(100)),
        (
            json!({"n": "50", "best_of": 60.0, "max_tokens": 100}),
            60,
            Some(100),
        ),
        (
            json!({"max_completion_tokens": 10, "max_tokens": 50_000}),
            1,
            Some(50_000),
        ),
        (json!({"max_completion_tokens": 50_000.0}), 1, Some(50_000)),
        (json!({"max_completion_tokens": 10}), 1, Some(10)),
        (json!({"max_tokens": "700"}), 1, Some(700)),
        (
            json!({"max_tokens": 10, "n_predict": 50_000, "MAX_TOKENS": 50_000}),
            1,
            Some(10),
        ),
        (json!({"max_output_tokens": 50_000}), 1, Some(50_000)),
        (json!({"options": {"num_predict": 50_000}}), 1, Some(50_000)),
        (json!({"max_tokens": -1}), 1, None),
        (
            json!({"max_tokens": null, "max_completion_tokens": null}),
            1,
            None,
        ),
    ] {
        assert_eq!(world.ask(asked.clone()).await.status(), 200, "{asked}");
        let ask = world.asked.recv().await.unwrap();
        assert_eq!(
            (ask.choices, ask.completion_tokens),
            (answers, tokens),
            "{asked}"
        );
        let sent = upstream.received_requests().await.unwrap();
        let sent: Value = serde_json::from_slice(&sent.last().unwrap().body).unwrap();
        // The books of this test bound an open answer to 100 tokens.
        assert_eq!(sent["max_tokens"], tokens.unwrap_or(100), "{asked}");
        for other in [
            "max_completion_tokens",
            "n_predict",
            "MAX_TOKENS",
            "max_output_tokens",
        ] {
            assert_eq!(sent.get(other), None, "{asked}");
        }
        let told = [&sent["n"], &sent["best_of"]].map(|told| told.as_u64().unwrap_or(1));
        assert_eq!(told.into_iter().max(), Some(answers), "{asked}");
        world.used().await;
    }
    let refused = world.ask(json!({"max_tokens": "many"})).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(body(refused).await["error"]["param"], "max_tokens");
}

#[tokio::test]
async fn a_bound_goes_up_by_the_name_that_the_server_reads() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    for (name, model, asked, field) in [
        ("openai", "gpt-4o", "max_tokens", "max_completion_tokens"),
        ("up", "openai/gpt-5", "max_tokens", "max_completion_tokens"),
        ("up", "o3", "max_tokens", "max_completion_tokens"),
        ("up", "qwen3", "max_completion_tokens", "max_tokens"),
        (
            "groq",
            "llama-3.3-70b",
            "max_completion_tokens",
            "max_tokens",
        ),
    ] {
        let mut request = hello(&format!("{name}/{model}"));
        request.extra.insert(asked.to_owned(), 7.into());
        let mut at_own_address = provider(name, &upstream.uri());
        at_own_address.models = vec!["m".to_owned()];
        let gateway = Gateway::from_config(config(vec![at_own_address]));
        soon(gateway.chat(request)).await.unwrap();
        let sent = upstream.received_requests().await.unwrap();
        let sent: Value = serde_json::from_slice(&sent.last().unwrap().body).unwrap();
        // OpenAI's dialect is known by its address alone.
        let field = if name == "openai" {
            "max_tokens"
        } else {
            field
        };
        assert_eq!(sent[field], 7, "{name} {model}: {sent}");
        assert_eq!(sent.as_object().unwrap().len(), 3, "{sent}");
    }
}

#[tokio::test]
async fn a_streams_usage_is_asked_for_whatever_the_caller_says() {
    let upstream = MockServer::start().await;
    let events = format!("data: {}\n\ndata: [DONE]\n\n", STOP);
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(events, "text/event-stream"))
        .mount(&upstream)
        .await;
    let world = world(&upstream.uri(), true, false).await;
    for (options, sent) in [
        (json!(null), json!({"include_usage": true})),
        (json!(false), json!({"include_usage": true})),
        (json!([]), json!({"include_usage": true})),
        (
            json!({"include_usage": false}),
            json!({"include_usage": true}),
        ),
        (
            json!({"include_usage": null, "x": 1}),
            json!({"include_usage": true, "x": 1}),
        ),
    ] {
        let answer = world
            .ask(json!({"stream": true, "stream_options": options}))
            .await;
        soon(answer.bytes()).await.unwrap();
        let requests = upstream.received_requests().await.unwrap();
        let last: Value = serde_json::from_slice(&requests.last().unwrap().body).unwrap();
        assert_eq!(last["stream_options"], sent, "{options}");
    }
}

#[tokio::test]
async fn a_usage_before_the_end_is_not_the_last_word() {
    let early =
        r#"{"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#;
    let upstream = raw::serve(move |mut caller| async move {
        caller.begin_events().await;
        for piece in [
            early,
            &chunk("twelve bytes"),
            &chunk("twelve bytes"),
            STOP,
            "[DONE]",
        ] {
            caller.event(piece).await;
        }
    })
    .await;
    let mut world = world(&upstream, false, false).await;
    let answer = world.ask(json!({"stream": true})).await;
    soon(answer.bytes()).await.unwrap();
    assert_eq!(world.used().await, used(5, 8, Ending::Answered));
}

#[tokio::test]
async fn without_a_usage_every_answer_is_counted() {
    let upstream = MockServer::start().await;
    let message = json!({"role": "assistant", "content": "twelve bytes", "reasoning_content": "x".repeat(300)});
    let answer =
        json!({"choices": [{"index": 0, "message": message}, {"index": 1, "message": message}]});
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&upstream)
        .await;
    let mut world = world(&upstream.uri(), false, false).await;
    world.ask(json!({"n": 2})).await;
    assert_eq!(world.used().await.completion_tokens, 2 * 312 / 3);
}

#[tokio::test]
async fn a_providers_own_cost_is_charged() {
    let upstream = MockServer::start().await;
    let mut answer = completion("Hi");
    answer["usage"]["cost"] = json!(0.42);
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&upstream)
        .await;
    let mut world = world(&upstream.uri(), false, false).await;
    world.ask(json!({})).await;
    assert_eq!(world.used().await.micros_usd, Some(420_000));
}

#[tokio::test]
async fn an_answer_that_nobody_bounded_is_bounded_where_there_is_a_budget() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .and(body_partial_json(json!({"max_tokens": 100})))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    let bound = world(&upstream.uri(), true, false).await;
    assert_eq!(bound.ask(json!({})).await.status(), 200);
    let free = world(&upstream.uri(), false, false).await;
    assert_eq!(free.ask(json!({})).await.status(), 404, "it is not bounded");
}

#[tokio::test]
async fn over_budget_nobody_is_asked_and_no_client_tries_again() {
    let world = world(&raw::nobody(), true, true).await;
    let response = world.ask(json!({})).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["x-should-retry"], "false");
    let error = body(response).await;
    assert_eq!(error["error"]["code"], "insufficient_quota");
    assert_eq!(error["error"]["type"], "insufficient_quota");
}

#[tokio::test]
async fn a_call_that_fails_is_charged_nothing() {
    let mut world = world(&raw::nobody(), false, false).await;
    assert_eq!(world.ask(json!({})).await.status(), 502);
    assert_eq!(world.used().await, used(0, 0, Ending::Failed));
}

#[tokio::test]
async fn a_count_that_cannot_be_true_is_replaced_by_an_estimate() {
    for (prompt, made) in [
        (json!(u64::MAX), json!(1)),
        (json!(i64::MAX), json!(i64::MAX)),
        (json!(1e30), json!(1)),
        (json!(1), json!(u64::MAX)),
        (json!(null), json!(null)),
    ] {
        let upstream = MockServer::start().await;
        let mut answer = completion("twelve bytes");
        answer["usage"] = json!({"prompt_tokens": prompt, "completion_tokens": made});
        Mock::given(path("/v1/chat/completions"))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&upstream)
            .await;
        let mut world = world(&upstream.uri(), false, false).await;
        assert_eq!(world.ask(json!({})).await.status(), 200);
        let charged = world.used().await;
        assert!((1..50).contains(&charged.prompt_tokens), "{charged:?}");
        assert_eq!(charged.completion_tokens, 4, "{charged:?}");

        let usage =
            json!({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": made}});
        let usage = usage.to_string();
        let upstream = raw::serve(move |mut caller| {
            let usage = usage.clone();
            async move {
                caller.begin_events().await;
                for piece in [&chunk("twelve bytes"), STOP, &usage, "[DONE]"] {
                    caller.event(piece).await;
                }
            }
        })
        .await;
        let mut world = self::world(&upstream, false, false).await;
        let answer = world.ask(json!({"stream": true})).await;
        soon(answer.bytes()).await.unwrap();
        let charged = world.used().await;
        assert!((1..50).contains(&charged.prompt_tokens), "{charged:?}");
        assert_eq!(charged.completion_tokens, 4, "{charged:?}");
    }
}

#[tokio::test]
async fn a_prompt_is_charged_wherever_it_was_read_and_nowhere_else() {
    let hangs = raw::serve(|mut caller| async move { caller.hung_up().await }).await;
    let refuses = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&refuses)
        .await;
    let answers = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&answers)
        .await;
    for (chain, ending, prompt_is_read, also_read) in [
        (&["refuses/m"][..], Ending::Failed, false, &[][..]),
        (&["hangs/m"], Ending::Failed, true, &[]),
        (&["hangs/m", "refuses/m"], Ending::Failed, true, &[]),
        (&["hangs/m", "hangs/n"], Ending::Failed, true, &["hangs/m"]),
        (&["refuses/m", "answers/m"], Ending::Answered, true, &[]),
        (
            &["hangs/m", "answers/m"],
            Ending::Answered,
            true,
            &["hangs/m"],
        ),
    ] {
        let mut hanging = provider("hangs", &hangs);
        hanging.timeout = Some(Duration::from_millis(300));
        let mut config = config(vec![
            hanging,
            provider("refuses", &refuses.uri()),
            provider("answers", &answers.uri()),
        ]);
        let entries = chain.iter().map(|model| (*model).to_owned()).collect();
        config.aliases = [("mana/reasoning".to_owned(), entries)].into();
        let mut world = world_of(Gateway::from_config(config), false, false).await;
        world.ask(json!({"model": "mana/reasoning"})).await;
        let charged = world.used().await;
        assert_eq!(charged.ending, ending, "{chain:?}");
        assert_eq!(charged.prompt_tokens > 0, prompt_is_read, "{chain:?}");
        assert_eq!(charged.also_read, also_read, "{chain:?}");
    }
}

#[tokio::test]
async fn a_streams_usage_is_asked_for_and_told_to_whoever_wants_it() {
    const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}"#;
    let upstream = raw::serve(|mut caller| async move {
        caller.begin_events().await;
        for piece in [&chunk("Hi"), STOP, USAGE, "[DONE]"] {
            caller.event(piece).await;
        }
    })
    .await;
    let mut world = world(&upstream, false, false).await;
    for (options, told) in [(json!({}), false), (json!({"include_usage": true}), true)] {
        let asked = json!({"stream": true, "stream_options": options});
        let text = soon(world.ask(asked).await.text()).await.unwrap();
        assert_eq!(text.contains(USAGE), told, "{text}");
        assert!(text.ends_with("data: [DONE]\n\n"));
        assert_eq!(world.used().await, used(5, 6, Ending::Answered));
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_on_is_charged_for_what_came() {
    let (gone, mut hung_up) = unbounded_channel();
    let upstream = raw::serve(move |mut caller| {
        let gone = gone.clone();
        async move {
            caller.begin_events().await;
            for _ in 0..3 {
                caller.event(&chunk("twelve bytes")).await;
            }
            caller.hung_up().await;
            gone.send(()).unwrap();
        }
    })
    .await;
    let mut world = world(&upstream, false, false).await;
    let mut response = world.ask(json!({"stream": true})).await;
    let mut read = String::new();
    while read.matches("twelve").count() < 3 {
        read += std::str::from_utf8(&soon(response.chunk()).await.unwrap().unwrap()).unwrap();
    }
    drop(response);
    soon(hung_up.recv()).await.expect("the upstream is told");
    let charged = world.used().await;
    assert_eq!(charged.ending, Ending::Cancelled);
    assert_eq!(charged.completion_tokens, 12, "36 bytes of text");
    assert!((1..50).contains(&charged.prompt_tokens), "{charged:?}");
}

#[tokio::test]
async fn a_caller_is_told_of_its_models_alone() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(listing(&["m", "secret"])))
        .mount(&upstream)
        .await;
    let world = world(&upstream.uri(), false, false).await;
    let (_, list) = get(format!("{}/v1/models", world.base)).await;
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(ids, ["up/m"]);
    let (status, _) = get(format!("{}/v1/models/up/secret", world.base)).await;
    assert_eq!(status, 404);
}
