//! Which model answers, and who waits for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mana_core::planner::OutlineInput;
use mana_llm::ErrorKind;
use tokio::sync::Notify;
use wiremock::matchers::{body_partial_json, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::*;

const OUTLINE: &str = "builtin/outline";

async fn list(upstream: &MockServer, models: &[&str]) {
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(listing(models)))
        .mount(upstream)
        .await;
}

async fn answer(upstream: &MockServer, status: u16, text: &str) {
    let body = match status {
        200 => completion(text),
        _ => json!({"error": {"message": text}}),
    };
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(upstream)
        .await;
}

/// A gateway that nobody configured and that looks for Ollama at this address.
fn looking_at(base: &str) -> Arc<Gateway> {
    let mut probe = ProviderConfig::new("ollama", &format!("{base}/v1"), "test").unwrap();
    probe.concurrency = 1;
    Gateway::from_config(LlmConfig {
        probe: Some(probe),
        ..LlmConfig::default()
    })
}

#[tokio::test]
async fn without_any_provider_the_outline_answers_and_says_so() {
    let gateway = looking_at(&raw::nobody());
    let answer = soon(gateway.chat(hello("mana/reasoning"))).await.unwrap();
    assert_eq!(
        (answer.resolved.as_str(), answer.model.as_str()),
        (OUTLINE, "outline")
    );
    assert!(answer.text().starts_with("```json"), "{}", answer.text());
    assert_eq!(soon(gateway.resolve("")).await.unwrap(), OUTLINE);

    let mut picture = hello("mana/vision");
    picture.messages = vec![
        serde_json::from_value(json!({"role": "user", "content": [{"type": "image_url"}]}))
            .unwrap(),
    ];
    let error = soon(gateway.chat(picture)).await.unwrap_err();
    assert_eq!(
        error.message,
        "builtin/outline can't look at pictures; name a model that can"
    );
}

#[tokio::test]
async fn the_outline_reads_the_data_that_a_run_hands_over_and_no_message() {
    let gateway = looking_at(&raw::nobody());
    let mut request = hello(OUTLINE);
    request.messages = vec![Message::text(
        "user",
        "### create_task\n<<<CONCEPT-x\n- Send money\nx>>>\n",
    )];
    let answer = soon(gateway.chat(request.clone())).await.unwrap();
    assert!(!answer.text().contains("Send money"), "{}", answer.text());
    let input = OutlineInput {
        concept: "- Call the bank\n- Buy milk".to_owned(),
        locale: "de".to_owned(),
        may_create_tasks: true,
        settled: vec!["Buy milk".to_owned()],
    };
    request.outline = Some(Arc::new(input));
    let text = soon(gateway.chat(request)).await.unwrap().text();
    assert!(
        text.contains("Call the bank") && text.contains("Keine KI"),
        "{text}"
    );
    assert!(
        !text.contains("Buy milk") && !text.contains("Send money"),
        "{text}"
    );
}

#[tokio::test]
async fn the_outline_streams_too() {
    let base = serve(looking_at(&raw::nobody())).await;
    let mut request = hello(OUTLINE);
    request.stream = Some(true);
    let response = post(
        format!("{base}/v1/chat/completions"),
        &serde_json::to_value(request).unwrap(),
    )
    .await;
    assert_eq!(response.headers()["x-mana-llm-resolved"], OUTLINE);
    let text = soon(response.text()).await.unwrap();
    assert!(
        text.starts_with("data: {") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
}

#[tokio::test]
async fn ollama_is_found_when_it_starts_later_and_a_failure_when_it_stops() {
    let (socket, address) = raw::reserve();
    let gateway = looking_at(&format!("http://{address}"));
    assert_eq!(
        soon(gateway.resolve("mana/reasoning")).await.unwrap(),
        OUTLINE
    );
    assert_eq!(gateway.health().providers[0].state, "absent");
    let error = soon(gateway.chat(hello("ollama/llama3.2")))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Connect);

    let ollama = MockServer::builder()
        .listener(socket.listen(64).unwrap().into_std().unwrap())
        .start()
        .await;
    list(&ollama, &["nomic-embed-text:latest", "llama3.2:3b"]).await;
    answer(&ollama, 200, "a plan").await;
    let answer = soon(gateway.chat(hello("mana/reasoning"))).await.unwrap();
    assert_eq!(
        (answer.resolved.as_str(), answer.text().as_str()),
        ("ollama/llama3.2:3b", "a plan")
    );
    assert_eq!(gateway.health().providers[0].state, "up");

    drop(ollama);
    // The mock server closes in the background; until then it may still answer.
    let error = soon(async {
        loop {
            if let Err(error) = gateway.chat(hello("mana/reasoning")).await {
                break error;
            }
        }
    })
    .await;
    assert!(
        matches!(error.kind, ErrorKind::Connect | ErrorKind::CutOff),
        "{error:?}"
    );
}

#[tokio::test]
async fn something_else_at_ollamas_port_is_not_ollama_and_a_busy_ollama_is() {
    let other = MockServer::start().await;
    assert_eq!(
        soon(looking_at(&other.uri()).resolve("")).await.unwrap(),
        OUTLINE
    );

    let busy = raw::serve(|mut caller| async move { caller.hung_up().await }).await;
    let error = soon(looking_at(&busy).resolve("")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn ollama_without_a_model_says_how_to_get_one() {
    let ollama = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"object": "list", "data": null})),
        )
        .mount(&ollama)
        .await;
    let error = soon(looking_at(&ollama.uri()).chat(hello("mana/reasoning")))
        .await
        .unwrap_err();
    assert!(error.message.contains("ollama pull"), "{error}");
}

#[tokio::test]
async fn an_older_ollama_lists_its_models_its_own_way() {
    let ollama = MockServer::start().await;
    Mock::given(path("/api/tags"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"models": [{"name": "phi3:mini", "size": 1}]})),
        )
        .mount(&ollama)
        .await;
    let gateway = looking_at(&ollama.uri());
    assert_eq!(
        soon(gateway.resolve("mana/reasoning")).await.unwrap(),
        "ollama/phi3:mini"
    );
}

#[tokio::test]
async fn a_configured_provider_that_is_down_is_a_failure_and_no_outline() {
    let other = MockServer::start().await;
    list(&other, &["m"]).await;
    let gateway = Gateway::from_config(config(vec![
        provider("down", &raw::nobody()),
        provider("up", &other.uri()),
    ]));
    let error = soon(gateway.chat(hello("mana/reasoning")))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind.clone(), error.provider.as_deref()),
        (ErrorKind::Connect, Some("down")),
        "{error}"
    );
}

#[tokio::test]
async fn names_find_their_provider() {
    let one = MockServer::start().await;
    list(&one, &["gpt-x", "shared"]).await;
    let two = MockServer::start().await;
    list(&two, &["only-two", "shared"]).await;
    let mut settings = config(vec![
        provider("one", &one.uri()),
        provider("two", &two.uri()),
    ]);
    settings.model = Some("two/favourite".to_owned());
    let gateway = Gateway::from_config(settings);
    for (asked, resolved) in [
        ("two/anything/at-all", "two/anything/at-all"),
        ("only-two", "two/only-two"),
        ("shared", "one/shared"),
        ("", "two/favourite"),
        ("mana/reasoning", "two/favourite"),
    ] {
        assert_eq!(
            soon(gateway.resolve(asked)).await.unwrap(),
            resolved,
            "{asked}"
        );
    }
    let error = soon(gateway.resolve("nowhere")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownModel);
    assert!(error.message.contains("one, two"), "{error}");

    let mut only = config(vec![
        provider("default", &raw::nobody()),
        provider("one", &one.uri()),
    ]);
    only.providers[0].models = vec!["one/of-theirs".to_owned()];
    let gateway = Gateway::from_config(only);
    for (asked, resolved) in [
        ("one/of-theirs", "default/one/of-theirs"),
        ("org/model", "default/org/model"),
        ("one/gpt-x", "one/gpt-x"),
        ("mana/reasoning", "default/one/of-theirs"),
    ] {
        assert_eq!(
            soon(gateway.resolve(asked)).await.unwrap(),
            resolved,
            "{asked}"
        );
    }
}

#[tokio::test]
async fn a_chain_goes_on_where_that_helps_and_only_there() {
    for (status, helps) in [
        (500, true),
        (503, true),
        (429, true),
        (401, true),
        (404, true),
        (400, false),
        (422, false),
    ] {
        let bad = MockServer::start().await;
        answer(&bad, status, "no").await;
        let good = MockServer::start().await;
        Mock::given(path("/v1/chat/completions"))
            .and(body_partial_json(json!({"model": "b"})))
            .respond_with(ResponseTemplate::new(200).set_body_json(completion("yes")))
            .expect(if helps { 2 } else { 0 })
            .mount(&good)
            .await;
        let mut settings = config(vec![
            provider("bad", &bad.uri()),
            provider("good", &good.uri()),
        ]);
        settings.aliases.insert(
            "mana/reasoning".into(),
            vec!["bad/a".into(), "good/b".into()],
        );
        let gateway = Gateway::from_config(settings);
        let whole = soon(gateway.chat(hello("mana/reasoning"))).await;
        let streamed = soon(gateway.chat_stream(hello("mana/reasoning"))).await;
        if helps {
            assert_eq!(whole.unwrap().resolved, "good/b");
            assert_eq!(streamed.unwrap().resolved, "good/b");
        } else {
            assert_eq!(whole.unwrap_err().kind, ErrorKind::Http(status));
            assert_eq!(streamed.err().unwrap().kind, ErrorKind::Http(status));
        }
    }
}

/// How many of two calls the upstream sees at the same time.
async fn calls_at_once(name: &str) -> usize {
    let active = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let another = Arc::new(Notify::new());
    let calls = Arc::new(AtomicUsize::new(0));
    let counts = (active, most.clone(), another, calls);
    let upstream = raw::serve(move |mut caller| {
        let (active, most, another, calls) = counts.clone();
        async move {
            let now = active.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            if now > 1 {
                another.notify_one();
            } else if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                // Gives a second call every chance to come in.
                let _ = tokio::time::timeout(Duration::from_secs(1), another.notified()).await;
            }
            active.fetch_sub(1, Ordering::SeqCst);
            let body = completion("ok").to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            caller.send(head + &body).await;
        }
    })
    .await;
    let gateway = Gateway::from_config(config(vec![provider(name, &upstream)]));
    let model = format!("{name}/m");
    let (one, two) =
        soon(async { tokio::join!(gateway.chat(hello(&model)), gateway.chat(hello(&model))) })
            .await;
    one.unwrap();
    two.unwrap();
    most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn ollama_is_asked_one_call_at_a_time_and_others_are_not() {
    assert_eq!(calls_at_once("ollama").await, 1);
    assert_eq!(calls_at_once("openai").await, 2);
}

#[tokio::test]
async fn a_slow_provider_holds_up_nobody_who_asks_another() {
    let slow = raw::serve(|mut caller| async move { caller.hung_up().await }).await;
    let fast = MockServer::start().await;
    answer(&fast, 200, "at once").await;
    let gateway = Gateway::from_config(config(vec![
        provider("ollama", &slow),
        provider("fast", &fast.uri()),
    ]));
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.chat(hello("ollama/m")).await })
        })
        .collect();
    assert_eq!(
        soon(gateway.chat(hello("fast/m"))).await.unwrap().text(),
        "at once"
    );

    gateway.close();
    for call in waiting {
        assert_eq!(
            soon(call).await.unwrap().unwrap_err().kind,
            ErrorKind::Cancelled
        );
    }
    assert_eq!(
        soon(gateway.chat(hello("fast/m"))).await.unwrap_err().kind,
        ErrorKind::Cancelled
    );
}

#[tokio::test]
async fn a_listing_that_fails_or_is_empty_is_shared_by_those_who_wait_for_it() {
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(200).set_body_json(listing(&[])),
    ] {
        let upstream = MockServer::start().await;
        Mock::given(path("/v1/models"))
            .respond_with(answer.set_delay(Duration::from_millis(200)))
            .expect(1)
            .mount(&upstream)
            .await;
        let gateway = gateway_to(&upstream.uri());
        let asking = (0..8).map(|_| gateway.models());
        soon(futures_util::future::join_all(asking)).await;
    }
}

fn with_everything(model: &str) -> ChatRequest {
    serde_json::from_value(json!({"model": model,
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}))
    .unwrap()
}

#[tokio::test]
async fn a_model_of_which_only_the_name_is_known_is_tried() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .mount(&upstream)
        .await;
    let gateway = gateway_to(&upstream.uri());
    for model in [
        "qwen3-32b",
        "llama-3.3-70b",
        "gemma3-27b",
        "deepseek-r1-0528",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "qwen3.5:9b",
        "gpt-3.5-turbo",
    ] {
        let answer = soon(gateway.chat(with_everything(&format!("up/{model}")))).await;
        assert_eq!(answer.unwrap().text(), "Hi", "{model}");
    }
}

#[tokio::test]
async fn a_providers_refusal_is_learnt_and_the_owner_overrules_it() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(
            ResponseTemplate::new(400)
                .set_body_json(json!({"error": {"message": "m does not support tools"}})),
        )
        .mount(&upstream)
        .await;
    let gateway = gateway_to(&upstream.uri());
    let ask = || async {
        let error = soon(gateway.chat(with_everything("up/m")))
            .await
            .unwrap_err();
        (
            error.message,
            upstream.received_requests().await.unwrap().len(),
        )
    };
    let setting = r#"`tools = true` is set under [llm.models."up/m"]"#;
    let (first, asked) = ask().await;
    assert!(
        first.contains("does not support tools") && first.contains(setting),
        "{first}"
    );
    assert_eq!(asked, 1);
    let (second, asked) = ask().await;
    assert!(
        second.contains("up/m can't call tools") && second.contains("`tools = true`"),
        "{second}"
    );
    assert_eq!(asked, 1, "it is not asked again");
    assert!(soon(gateway.chat(hello("up/m"))).await.is_err());

    let mut settings = config(vec![provider("up", &upstream.uri())]);
    let facts = serde_json::from_value(json!({"tools": true})).unwrap();
    settings.models = [("up/m".to_owned(), facts)].into();
    let overruled = Gateway::from_config(settings);
    for _ in 0..2 {
        let error = soon(overruled.chat(with_everything("up/m")))
            .await
            .unwrap_err();
        assert!(error.message.contains("does not support tools"), "{error}");
    }
}

#[tokio::test]
async fn a_model_of_the_owners_server_does_not_leave_it_for_its_name() {
    let (own, elsewhere) = (MockServer::start().await, MockServer::start().await);
    list(&own, &["openai/gpt-oss-20b"]).await;
    for (upstream, text) in [(&own, "own"), (&elsewhere, "elsewhere")] {
        Mock::given(path("/v1/chat/completions"))
            .respond_with(ResponseTemplate::new(200).set_body_json(completion(text)))
            .mount(upstream)
            .await;
    }
    let addresses = (own.uri(), elsewhere.uri());
    let env = move |name: &str| match name {
        "MANA_LLM_URL" => Some(format!("{}/v1", addresses.0)),
        "OPENAI_BASE_URL" => Some(format!("{}/v1", addresses.1)),
        "OPENAI_API_KEY" => Some(KEY.to_owned()),
        _ => None,
    };
    let gateway = Gateway::from_config(LlmConfig::from_env(env).unwrap());
    for (model, text) in [
        ("openai/gpt-oss-20b", "own"),
        ("default/openai/gpt-oss-20b", "own"),
        ("openai/gpt-4o", "elsewhere"),
    ] {
        let answer = soon(gateway.chat(hello(model))).await.unwrap();
        assert_eq!(answer.text(), text, "{model}");
    }
}

#[tokio::test]
async fn whether_the_models_were_listed_decides_nothing() {
    let upstream = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("yes")))
        .mount(&upstream)
        .await;
    let listed = json!({"data": [
        {"id": "qwen/qwen3-32b", "supported_parameters": ["temperature"],
            "architecture": {"input_modalities": ["text"]}},
        {"id": "pixtral-x", "capabilities": {"function_calling": false, "vision": false}},
    ]});
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(listed))
        .mount(&upstream)
        .await;
    let gateway = gateway_to(&upstream.uri());
    let picture = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {}}});
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for was_listed in [false, true] {
        for model in ["up/qwen/qwen3-32b", "up/pixtral-x", "up/gemma3"] {
            for extra in [
                json!({ "response_format": schema }),
                json!({ "tools": tools }),
                json!({"messages": [{"role": "user", "content": picture}]}),
            ] {
                let mut asked = serde_json::to_value(hello(model)).unwrap();
                asked
                    .as_object_mut()
                    .unwrap()
                    .extend(extra.as_object().unwrap().clone());
                let request: ChatRequest = serde_json::from_value(asked).unwrap();
                let answer = soon(gateway.chat(request)).await;
                assert!(answer.is_ok(), "{model} {was_listed} {extra}: {answer:?}");
            }
        }
        soon(gateway.models()).await;
    }
}
