//! The gateway on dummy providers.

use tokio::sync::Semaphore;

use super::*;
use crate::error::ErrorKind;
use crate::models::ModelSettings;
use crate::providers::dummy::Dummy;
use crate::wire::{Message, Usage};

fn gateway(dummies: Vec<Dummy>, config: &LlmConfig) -> Arc<Gateway> {
    let states = dummies.into_iter().map(|dummy| {
        let mut settings = ProviderConfig::new(dummy.name, "http://dummy.invalid", "test").unwrap();
        settings.concurrency = 1;
        let state = ProviderState::new(Box::new(dummy), &settings, config, Arc::default(), true);
        Arc::new(state)
    });
    let states = states.chain([builtin(config)]).collect();
    let routes = Routes::new(states, config, Arc::default());
    Arc::new(Gateway::of(routes, Arc::default(), config))
}

fn chained(chain: &[&str]) -> LlmConfig {
    let chain = chain.iter().map(|model| (*model).to_owned()).collect();
    LlmConfig {
        aliases: [("mana/structured".to_owned(), chain)].into(),
        ..LlmConfig::default()
    }
}

fn ask(model: &str) -> ChatRequest {
    ChatRequest::new(model, vec![Message::user("Hello")])
}

fn down() -> GatewayError {
    GatewayError::new(ErrorKind::Connect, "nobody there")
}

#[tokio::test]
async fn a_failure_tells_what_the_whole_chain_said() {
    let dummies = vec![Dummy::new("a", Err(down())), Dummy::new("b", Err(down()))];
    let gateway = gateway(dummies, &chained(&["a/m", "gone/m", "b/n"]));
    let error = gateway.chat(ask("mana/structured")).await.unwrap_err();
    let tried: Vec<_> = (error.attempts.iter())
        .map(|attempt| (attempt.model.as_str(), attempt.code))
        .collect();
    let unreachable = "provider_unreachable";
    assert_eq!(tried, [("a/m", unreachable), ("b/n", unreachable)]);
    let states: Vec<_> = gateway
        .health()
        .providers
        .into_iter()
        .map(|p| p.state)
        .collect();
    assert_eq!(states, ["down", "down"]);
}

#[tokio::test]
async fn an_entry_that_cannot_do_it_is_passed_over() {
    let dummies = vec![Dummy::new("a", Ok("never asked"))];
    let gateway = gateway(dummies, &chained(&["a/m", "builtin/outline"]));
    let error = gateway
        .embeddings(EmbeddingsRequest::new("mana/structured", "x".into()))
        .await
        .unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::InvalidRequest {
            param: Some("model")
        }
    );
}

#[tokio::test]
async fn waiting_for_a_place_ends_and_a_place_is_given_back() {
    let gate = Arc::new(Semaphore::new(0));
    let mut slow = Dummy::new("slow", Ok("done"));
    slow.gate = Some(gate.clone());
    let config = LlmConfig {
        queue: Duration::from_millis(50),
        ..LlmConfig::default()
    };
    let gateway = gateway(vec![slow], &config);
    let first = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.chat(ask("slow/m")).await }
    });
    while gateway.routes().states[0].free_places() > 0 {
        tokio::task::yield_now().await;
    }
    let error = gateway.chat(ask("slow/m")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("busy"), "{error}");

    gate.add_permits(2);
    assert_eq!(first.await.unwrap().unwrap().text(), "done");
    assert_eq!(gateway.chat(ask("slow/m")).await.unwrap().text(), "done");
}

#[tokio::test]
async fn closing_ends_what_runs_and_what_waits() {
    let mut slow = Dummy::new("slow", Ok("never"));
    slow.gate = Some(Arc::new(Semaphore::new(0)));
    let gateway = gateway(vec![slow], &LlmConfig::default());
    let calls: Vec<_> = (0..2)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.chat(ask("slow/m")).await })
        })
        .collect();
    while gateway.routes().states[0].free_places() > 0 {
        tokio::task::yield_now().await;
    }
    gateway.close();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().kind, ErrorKind::Cancelled);
    }
}

#[tokio::test]
async fn a_chain_goes_on_past_an_entry_that_is_only_busy() {
    let gate = Arc::new(Semaphore::new(0));
    let mut slow = Dummy::new("slow", Ok("late"));
    slow.gate = Some(gate.clone());
    let dummies = vec![slow, Dummy::new("free", Ok("at once"))];
    let gateway = gateway(dummies, &chained(&["slow/m", "free/m"]));
    let first = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.chat(ask("slow/m")).await }
    });
    while gateway.routes().states[0].free_places() > 0 {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    let answer = gateway.chat(ask("mana/structured")).await.unwrap();
    assert_eq!(answer.resolved, "free/m");
    assert!(
        begun.elapsed() <= Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    gate.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().text(), "late");
}

#[tokio::test]
async fn where_the_others_fail_the_busy_entry_is_waited_for() {
    let gate = Arc::new(Semaphore::new(0));
    let mut slow = Dummy::new("slow", Ok("late"));
    slow.gate = Some(gate.clone());
    let dummies = vec![slow, Dummy::new("broken", Err(down()))];
    let gateway = gateway(dummies, &chained(&["slow/m", "broken/m"]));
    let calls: Vec<_> = ["slow/m", "mana/structured"]
        .map(|model| {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.chat(ask(model)).await })
        })
        .into();
    tokio::time::sleep(Duration::from_millis(6500)).await;
    gate.add_permits(2);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().resolved, "slow/m");
    }
}

#[tokio::test]
async fn a_chain_without_an_entry_is_an_error_and_no_panic() {
    let gateway = gateway(Vec::new(), &chained(&[]));
    for error in [
        gateway.chat(ask("mana/structured")).await.unwrap_err(),
        gateway.resolve("mana/structured").await.unwrap_err(),
        gateway.capabilities("mana/structured").await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::UnknownModel);
    }
    let routes = gateway.routes();
    let asking = Asking {
        caller: "",
        deadline: Instant::now(),
        retries: 1,
    };
    let ask = |_| async { Ok(()) };
    let asked = first_answer(&gateway.closing, &routes, Vec::new(), asking, ask);
    assert_eq!(asked.await.err().unwrap().kind, ErrorKind::UnknownModel);
}

#[tokio::test]
async fn a_count_that_cannot_be_true_is_not_believed() {
    let mut config = LlmConfig::default();
    let known = ModelSettings {
        context_tokens: Some(20_000),
        ..ModelSettings::default()
    };
    config.models = [("a/known".to_owned(), known)].into();
    let gateway = gateway(vec![Dummy::new("a", Ok("x"))], &config);
    let believed = |model, prompt_tokens, completion_tokens, sent, choices| {
        let usage = Usage {
            prompt_tokens,
            completion_tokens,
            ..Usage::default()
        };
        gateway.believed(model, &usage, sent, choices).is_some()
    };
    for (model, prompt, completion, sent, choices, expected) in [
        ("a/known", 8_000, 8_000, 10, 1, true),
        ("a/known", 20_000, 20_000, 10, 1, true),
        ("a/known", 20_001, 1, 10, 1, false),
        ("a/known", 20_001, 1, 30_000, 1, true),
        ("a/known", 1, 40_000, 10, 1, false),
        ("a/known", 1, 40_000, 10, 2, true),
        ("a/unknown", 2_000_000, 1, 10, 1, true),
        ("a/unknown", u64::MAX, 1, 10, 1, false),
        ("gone/x", i64::MAX as u64, 1, 10, 1, false),
    ] {
        let told = believed(model, prompt, completion, sent, choices);
        assert_eq!(
            told, expected,
            "{model} {prompt} {completion} {sent} {choices}"
        );
    }
}

#[tokio::test]
async fn tokens_are_counted_wherever_a_provider_counts_them() {
    let gateway = gateway(vec![Dummy::new("a", Ok("x"))], &LlmConfig::default());
    for (usage, expected) in [
        (
            r#"{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 5015}"#,
            (10, 5_005),
        ),
        (
            r#"{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
                "completion_tokens_details": {"reasoning_tokens": 9000}}"#,
            (10, 9_005),
        ),
        (
            r#"{"prompt_tokens": 10, "completion_tokens": 9000, "total_tokens": 9010,
                "completion_tokens_details": {"reasoning_tokens": 8995}}"#,
            (10, 9_000),
        ),
        (
            r#"{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 1e15}"#,
            (10, 5),
        ),
        (
            r#"{"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": "1e15"}"#,
            (10, 5),
        ),
        (r#"{"input_tokens": 10, "output_tokens": 5}"#, (10, 5)),
        (
            r#"{"prompt_tokens": 10, "completion_tokens": 5, "cache_read_input_tokens": 1000}"#,
            (1_010, 5),
        ),
        (
            r#"{"prompt_tokens": 1010, "completion_tokens": 5, "cache_read_input_tokens": 1000}"#,
            (1_010, 5),
        ),
    ] {
        let usage_read: Usage = serde_json::from_str(usage).unwrap();
        let believed = gateway.believed("a/m", &usage_read, 100, 1);
        assert_eq!(believed, Some(expected), "{usage}");
    }
}

#[tokio::test]
async fn a_server_that_fails_at_calls_is_not_left_alone_for_it() {
    let broken = GatewayError::new(ErrorKind::Http(500), "error parsing tool call");
    let gateway = gateway(
        vec![Dummy::new("a", Err(broken.from_provider("a")))],
        &chained(&["a/m"]),
    );
    let plain = ask("a/m");
    let mut called = plain.clone();
    let tools = serde_json::json!([{"type": "function", "function": {"name": "f"}}]);
    called.tools = crate::wire::RawJson::of(&tools);
    let routes = gateway.routes();
    for _ in 0..8 {
        let error = gateway.chat(called.clone()).await.unwrap_err();
        assert!(matches!(
            error.kind,
            ErrorKind::Http(500) | ErrorKind::InvalidRequest { .. }
        ));
    }
    let state = &routes.states[0];
    assert!(
        state
            .try_permit("m", "")
            .is_some_and(|permit| permit.is_ok()),
        "it is asked on"
    );
    for _ in 0..5 {
        gateway.chat(plain.clone()).await.unwrap_err();
    }
    assert!(
        state
            .try_permit("m", "")
            .is_some_and(|permit| permit.is_err()),
        "it fails at everything"
    );
}
