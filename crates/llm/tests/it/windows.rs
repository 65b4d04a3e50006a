//! The windows of models: where they are read, and how a server is told of one.

use mana_llm::ModelSettings;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::*;

async fn says(upstream: &MockServer, at: &str, body: Value) {
    Mock::given(path(at))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(upstream)
        .await;
}

/// A gateway to one provider of this name, of which the owner named a model.
fn gateway_named(name: &str, base: &str, told: Option<u64>) -> Arc<Gateway> {
    let mut named = provider(name, base);
    named.models = vec!["m".to_owned()];
    let settings = ModelSettings {
        context_tokens: told,
        ..ModelSettings::default()
    };
    let mut config = config(vec![named]);
    config.models = [(format!("{name}/m"), settings)].into();
    Gateway::from_config(config)
}

#[tokio::test]
async fn the_limit_of_a_named_model_is_read_from_the_servers_list_once() {
    let upstream = MockServer::start().await;
    let list = json!({"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 4096,
        "supported_parameters": ["structured_outputs"]}]});
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list))
        .expect(1)
        .mount(&upstream)
        .await;
    let gateway = gateway_named("up", &upstream.uri(), None);
    for _ in 0..3 {
        let can = soon(gateway.capabilities("up/m")).await.unwrap();
        assert_eq!((can.context_tokens, can.json_schema), (Some(4096), true));
    }
    let told = gateway_named("up", &upstream.uri(), Some(2048));
    upstream.reset().await;
    let can = soon(told.capabilities("up/m")).await.unwrap();
    assert_eq!(
        can.context_tokens,
        Some(2048),
        "the owner's word counts first"
    );
}

#[tokio::test]
async fn llama_cpp_names_its_window_in_its_props() {
    let upstream = MockServer::start().await;
    let list = json!({"object": "list", "data": [{"id": "m", "owned_by": "llamacpp",
        "meta": {"n_ctx_train": 131072}}]});
    says(&upstream, "/v1/models", list).await;
    says(
        &upstream,
        "/props",
        json!({"default_generation_settings": {"n_ctx": 8192}}),
    )
    .await;
    let gateway = gateway_named("up", &upstream.uri(), None);
    let can = soon(gateway.capabilities("up/m")).await.unwrap();
    assert_eq!((can.context_tokens, can.json_schema), (Some(8192), true));
}

#[tokio::test]
async fn ollama_is_asked_in_its_own_protocol_for_a_window_and_only_then() {
    for name in ["ollama", "up"] {
        let upstream = MockServer::start().await;
        let list = json!({"object": "list", "data": [{"id": "m", "owned_by": "library"}]});
        says(&upstream, "/v1/models", list).await;
        let shown = json!({"capabilities": ["completion", "tools"], "parameters": "",
            "model_info": {"qwen3.context_length": 40960}});
        says(&upstream, "/api/show", shown).await;
        says(&upstream, "/api/ps", json!({"models": []})).await;
        says(
            &upstream,
            "/v1/chat/completions",
            completion("as it passes"),
        )
        .await;
        let own = json!({"model": "m", "message": {"role": "assistant", "content": "in its window"},
            "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2});
        Mock::given(method("POST"))
            .and(path("/api/chat"))
            .and(body_partial_json(
                json!({"options": {"num_ctx": 8192}, "stream": false}),
            ))
            .respond_with(ResponseTemplate::new(200).set_body_json(own))
            .mount(&upstream)
            .await;
        let gateway = gateway_named(name, &upstream.uri(), None);
        let model = format!("{name}/m");
        let can = soon(gateway.capabilities(&model)).await.unwrap();
        assert_eq!(
            (can.context_tokens, can.tools),
            (Some(8192), true),
            "{name}"
        );
        let plain = soon(gateway.chat(hello(&model))).await.unwrap();
        assert_eq!(plain.text(), "as it passes");
        let mut runners = hello(&model);
        runners.window = can.context_tokens;
        let answer = soon(gateway.chat(runners)).await.unwrap();
        assert_eq!(answer.text(), "in its window");
        assert_eq!(answer.usage.map(|usage| usage.total_tokens), Some(7));
    }
}

#[tokio::test]
async fn a_window_that_the_owner_set_holds_for_callers_too() {
    let upstream = MockServer::start().await;
    let own = json!({"model": "m", "message": {"role": "assistant", "content": "in the owner's"}});
    Mock::given(path("/api/chat"))
        .and(body_partial_json(json!({"options": {"num_ctx": 16384}})))
        .respond_with(ResponseTemplate::new(200).set_body_json(own))
        .mount(&upstream)
        .await;
    let gateway = gateway_named("ollama", &upstream.uri(), Some(16_384));
    let answer = soon(gateway.chat(hello("ollama/m"))).await.unwrap();
    assert_eq!(answer.text(), "in the owner's");
}
