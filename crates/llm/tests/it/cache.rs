//! The answer cache over HTTP.

use mana_llm::CacheSettings;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::*;

fn caching(base: &str) -> Arc<Gateway> {
    let cache = CacheSettings {
        megabytes: 1,
        seconds: 60,
    };
    Gateway::from_config(LlmConfig {
        cache: Some(cache),
        ..config(vec![provider("up", base)])
    })
}

#[tokio::test]
async fn an_instance_answers_a_repeated_question_from_its_cache_and_shares_it_with_no_other() {
    let upstream = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(completion("Hi")))
        .expect(3)
        .mount(&upstream)
        .await;
    let ask = async |base: &str, text: &str| {
        let question = json!({"model": "up/m", "temperature": 0, "messages": [{"role": "user", "content": text}]});
        let response = post(format!("{base}/v1/chat/completions"), &question).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-mana-llm-resolved"], "up/m");
        let hit = response.headers().get("x-mana-llm-cache").is_some();
        (hit, body(response).await)
    };
    let instance = serve(caching(&upstream.uri())).await;
    let other = serve(caching(&upstream.uri())).await;
    let (hit, answer) = ask(&instance, "Hello").await;
    assert!(!hit);
    assert_eq!(ask(&instance, "Hello").await, (true, answer));
    assert!(!ask(&instance, "Good day").await.0, "another question");
    assert!(!ask(&other, "Hello").await.0, "another instance");
}
