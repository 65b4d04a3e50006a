//! The gateway against real HTTP upstreams.

mod anthropic;
mod blame;
mod boundaries;
mod budgets;
mod cache;
mod failures;
mod fallback;
mod held;
mod http;
mod lenient;
mod lenient_streams;
mod messages;
mod metering;
mod providers_needs;
mod quiet_logs;
mod raw;
mod responses;
mod routing;
mod signed;
mod stream;
mod vendor_requests;
mod vendor_streams;
mod windows;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mana_llm::http::{Auth, Caller, router};
use mana_llm::{ChatRequest, Gateway, LlmConfig, Message, ProviderConfig, Secret};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// The key that every upstream of these tests is called with.
pub const KEY: &str = "hush-0123456789-hush";

/// The longest that a test waits for something that has to happen.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, work)
        .await
        .expect("it never happened")
}

fn provider(name: &str, base: &str) -> ProviderConfig {
    let mut provider = ProviderConfig::new(name, &format!("{base}/v1"), "test").unwrap();
    provider.key = Some(Secret::new(KEY));
    provider
}

fn config(providers: Vec<ProviderConfig>) -> LlmConfig {
    LlmConfig {
        providers,
        ..LlmConfig::default()
    }
}

/// A gateway to one provider, `up`.
fn gateway_to(base: &str) -> Arc<Gateway> {
    Gateway::from_config(config(vec![provider("up", base)]))
}

fn hello(model: &str) -> ChatRequest {
    ChatRequest::new(model, vec![Message::user("Hello")])
}

fn completion(text: &str) -> Value {
    json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    })
}

fn listing(models: &[&str]) -> Value {
    let data: Vec<Value> = models
        .iter()
        .map(|id| json!({"id": id, "object": "model"}))
        .collect();
    json!({"object": "list", "data": data})
}

/// The gateway's routes on a port of their own; `good` is the one valid bearer.
async fn serve(gateway: Arc<Gateway>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = router(gateway, Arc::new(OneGoodBearer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

struct OneGoodBearer;

#[async_trait]
impl Auth for OneGoodBearer {
    async fn caller(&self, bearer: &str) -> Option<Caller> {
        (bearer == "good").then(|| Caller::User("ada".to_owned()))
    }
}

/// A client as a person's program has one.
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap()
}

/// An upstream that answers with a template, and what it was asked.
async fn upstream(way: &str, answer: ResponseTemplate) -> (MockServer, Arc<Mutex<Vec<Value>>>) {
    let server = MockServer::start().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    Mock::given(path(way))
        .respond_with(move |request: &Request| {
            kept.lock()
                .unwrap()
                .push(serde_json::from_slice(&request.body).unwrap());
            answer.clone()
        })
        .mount(&server)
        .await;
    (server, asked)
}

async fn post(url: String, body: &Value) -> reqwest::Response {
    let request = client()
        .post(url)
        .bearer_auth("good")
        .body(body.to_string());
    soon(request.send()).await.unwrap()
}

async fn get(url: String) -> (u16, Value) {
    let response = soon(client().get(url).bearer_auth("good").send())
        .await
        .unwrap();
    (response.status().as_u16(), body(response).await)
}

async fn body(response: reqwest::Response) -> Value {
    serde_json::from_slice(&soon(response.bytes()).await.unwrap()).unwrap()
}
