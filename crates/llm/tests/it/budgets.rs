//! Budgets against a ledger: whatever callers send, no more is spent than a key may spend, by the upstream's own count.

use std::sync::atomic::{AtomicU64, Ordering};

use mana_core::Micros;
use mana_core::manifest::Registry;
use mana_llm::http::{Auth, CallEstimate, Caller, MeterGuard, router};
use mana_llm::metering::Metering;
use mana_llm::metering::keys::KeySettings;
use mana_llm::{Gateway, GatewayError};
use mana_store::{Accounts, NewUser, SqliteStore, UserId, VirtualKey};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::*;

struct Metered {
    gateway: Arc<Gateway>,
    metering: Metering,
}

#[async_trait]
impl Auth for Metered {
    async fn caller(&self, bearer: &str) -> Option<Caller> {
        let key = self.metering.key_shown(bearer)?;
        Some(Caller::Key {
            id: key.id.clone(),
            user: key.user.0.clone(),
        })
    }

    async fn reserve(
        &self,
        caller: &Caller,
        ask: CallEstimate,
    ) -> Result<Option<MeterGuard>, GatewayError> {
        self.metering.reserve(&self.gateway, caller, ask).await
    }
}

/// A gateway with keys, in front of an upstream that spends all that it may.
struct World {
    base: String,
    metered: Arc<Metered>,
    user: UserId,
    spent: Arc<AtomicU64>,
    _upstream: MockServer,
}

fn now() -> Micros {
    Micros(1_767_225_600_000_000)
}

/// The largest number by one of these names, in whatever object it stands.
fn most(asked: &Value, names: &[&str]) -> u64 {
    let Some(fields) = asked.as_object() else {
        return 0;
    };
    let inner = fields.iter().map(|(name, value)| {
        let number = match value {
            Value::String(text) => text.parse().unwrap_or(0.0),
            value => value.as_f64().unwrap_or(0.0),
        };
        match names.contains(&&*name.to_lowercase()) {
            true => (number as u64).max(most(value, names)),
            false => most(value, names),
        }
    });
    inner.max().unwrap_or(0)
}

/// An upstream that makes every answer as long as it is told that it may be, by whichever name some server reads.
fn spend_all(request: &Request, spent: &AtomicU64) -> ResponseTemplate {
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    let longest = most(
        &asked,
        &[
            "max_tokens",
            "max_completion_tokens",
            "max_new_tokens",
            "min_tokens",
            "n_predict",
            "num_predict",
            "max_output_tokens",
            "maxoutputtokens",
            "thinking_budget",
        ],
    );
    let longest = match longest {
        0 => 1_000_000,
        longest => longest,
    };
    let made = longest * most(&asked, &["n", "best_of"]).max(1);
    spent.fetch_add(10 + made, Ordering::SeqCst);
    if request.url.path().ends_with("/messages") {
        return ResponseTemplate::new(200).set_body_json(
            json!({"type": "message", "id": "1", "model": "m",
            "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 10, "output_tokens": made}}),
        );
    }
    let mut answer = completion("Hi");
    // Hidden reasoning is in the total alone.
    answer["usage"] =
        json!({"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 10 + made});
    if asked["stream"] != true {
        return ResponseTemplate::new(200).set_body_json(answer);
    }
    let mut events = format!("data: {}\n\ndata: {}\n\n", raw::chunk("Hi"), raw::STOP);
    if asked["stream_options"]["include_usage"] == true {
        events += &format!(
            "data: {}\n\n",
            json!({"choices": [], "usage": answer["usage"]})
        );
    }
    events += "data: [DONE]\n\n";
    ResponseTemplate::new(200).set_body_raw(events, "text/event-stream")
}

async fn world() -> World {
    let spent = Arc::new(AtomicU64::new(0));
    let upstream = MockServer::start().await;
    for way in ["/v1/chat/completions", "/v1/messages"] {
        let spent = spent.clone();
        Mock::given(path(way))
            .respond_with(move |request: &Request| spend_all(request, &spent))
            .mount(&upstream)
            .await;
    }
    let mut anthropic = provider("anthropic", &upstream.uri());
    anthropic.models = vec!["m".to_owned()];
    let gateway = Gateway::from_config(config(vec![provider("up", &upstream.uri()), anthropic]));
    let store = SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let owner = NewUser {
        email: "owner@example.org".to_owned(),
        name: String::new(),
        password_hash: String::new(),
        timezone: "UTC".to_owned(),
        locale: "en".to_owned(),
    };
    let user = store.create_user(owner, now()).await.unwrap().id;
    let metered = Arc::new(Metered {
        gateway: gateway.clone(),
        metering: Metering::new(store.clone(), store, Default::default(), now),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = router(gateway, metered.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    World {
        base,
        metered,
        user,
        spent,
        _upstream: upstream,
    }
}

impl World {
    /// The secret of a new key with so many tokens a day.
    async fn key(&self, tokens: u64) -> String {
        let settings = KeySettings {
            tokens: Some(tokens),
            ..KeySettings::default()
        };
        static KEYS: AtomicU64 = AtomicU64::new(0);
        let id = format!("key-{}", KEYS.fetch_add(1, Ordering::SeqCst));
        let secret = format!("mana-{id}");
        let stored = VirtualKey {
            id,
            user: self.user.clone(),
            settings: serde_json::to_value(&settings).unwrap(),
            created_at: now(),
        };
        let keys = &self.metered.metering.keys;
        let made = keys.create(stored, settings, secret.clone()).await;
        made.unwrap();
        secret
    }

    async fn ask(&self, key: &str, fields: &Value) -> reqwest::Response {
        let mut body = json!({"model": "up/m", "messages": [{"role": "user", "content": "Hello"}]});
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let way = match body.as_object_mut().unwrap().remove("way") {
            Some(Value::String(way)) => way,
            _ => "chat/completions".to_owned(),
        };
        let request = client().post(format!("{}/v1/{way}", self.base));
        soon(request.bearer_auth(key).body(body.to_string()).send())
            .await
            .unwrap()
    }
}

fn requests() -> Vec<Value> {
    vec![
        json!({"n": 50, "max_tokens": 100}),
        json!({"n": "50", "max_tokens": "100"}),
        json!({"best_of": 50, "max_tokens": 100}),
        json!({"N": 50, "max_tokens": 100}),
        json!({"max_completion_tokens": 10, "max_tokens": 50_000}),
        json!({"max_completion_tokens": 50_000.0}),
        json!({"max_tokens": 10, "n_predict": 50_000}),
        json!({"max_tokens": 10, "MAX_TOKENS": 50_000}),
        json!({"max_tokens": 10, "options": {"num_predict": 50_000}}),
        json!({"max_output_tokens": 50_000}),
        json!({"max_completion_tokens": "900"}),
        json!({"max_completion_tokens": "5e4"}),
        json!({"max_completion_tokens": 899.5}),
        json!({"max_completion_tokens": -900}),
        json!({"max_completion_tokens": 1e30}),
        json!({"n": 1e9, "max_tokens": 10}),
        json!({"n": "1e3", "best_of": 2000, "max_tokens": 10}),
        json!({"n": 3, "best_of": 20, "max_tokens": 40, "stream": true}),
        json!({"max_new_tokens": 50_000, "max_tokens": 10}),
        json!({"min_tokens": 50_000, "max_tokens": 100}),
        json!({"thinking_budget": 50_000, "max_tokens": 100}),
        json!({"reasoning": {"effort": "high", "max_tokens": 50_000}, "max_tokens": 100}),
        json!({"extra_body": {"max_tokens": 50_000, "n": 50}, "max_tokens": 100}),
        json!({"generation_config": {"maxOutputTokens": 50_000}}),
        json!({"service_tier": "priority", "max_tokens": 900}),
        json!({"prediction": {"type": "content", "content": "word ".repeat(100)}, "max_tokens": 900}),
        json!({"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav"}, "max_tokens": 900}),
        json!({"web_search_options": {"search_context_size": "high"}, "max_tokens": 900}),
        json!({"messages": [{"role": "user", "content": [
            {"type": "file", "file": {"file_data": "https://example.org/a.pdf"}}]}], "max_tokens": 900}),
        json!({"model": "anthropic/m", "reasoning": {"effort": "high"}, "max_tokens": 100}),
        json!({"model": "anthropic/m", "reasoning": {"max_tokens": 50_000}, "max_tokens": 1200}),
        json!({"max_tokens": -1}),
        json!({"max_tokens": null, "max_completion_tokens": null}),
        json!({}),
        json!({"stream": true, "stream_options": null, "max_tokens": 900}),
        json!({"stream": true, "stream_options": {"include_usage": false}, "max_tokens": 900}),
        json!({"model": "anthropic/m", "reasoning_effort": "high", "max_tokens": 100}),
        json!({"model": "anthropic/m", "reasoning_effort": "high"}),
        json!({"model": "anthropic/m", "max_tokens": 1200,
            "thinking": {"type": "enabled", "budget_tokens": 50_000}}),
        json!({"max_tokens": 300}),
        json!({"max_tokens": 7}),
        json!({"way": "messages", "max_tokens": 900}),
        json!({"way": "messages", "max_tokens": 10, "n": 50, "max_completion_tokens": 50_000}),
        json!({"way": "messages", "stream": true, "max_tokens": 900}),
        json!({"way": "messages", "model": "anthropic/m", "max_tokens": 1200,
            "thinking": {"type": "enabled", "budget_tokens": 50_000}}),
        json!({"way": "messages", "model": "anthropic/m", "max_tokens": "700.0", "MAX_TOKENS": 50_000}),
        json!({"way": "messages", "model": "anthropic/m"}),
        json!({"way": "responses", "input": "Hello", "max_output_tokens": 900}),
        json!({"way": "responses", "input": "Hello", "max_output_tokens": 10, "max_tokens": 50_000, "n": 50}),
        json!({"way": "responses", "input": "Hello", "stream": true, "reasoning": {"effort": "high"}}),
        json!({"way": "responses", "model": "anthropic/m", "input": "Hello", "reasoning": {"effort": "high"},
            "max_output_tokens": 100}),
    ]
}

#[tokio::test]
async fn no_field_gets_past_a_budget() {
    let world = world().await;
    for request in requests() {
        let key = world.key(2000).await;
        let before = world.spent.load(Ordering::SeqCst);
        for _ in 0..10 {
            let response = world.ask(&key, &request).await;
            let status = response.status().as_u16();
            let text = soon(response.text()).await.unwrap();
            assert!([200, 429].contains(&status), "{request}: {text}");
            if status == 429 {
                assert!(
                    text.contains("it was taken for") && text.contains("are left"),
                    "{text}"
                );
            }
        }
        let spent = world.spent.load(Ordering::SeqCst) - before;
        assert!(spent <= 2000, "{request}: {spent} of 2000");
    }
}

#[tokio::test]
async fn many_callers_at_once_spend_no_more_than_the_budget() {
    let world = Arc::new(world().await);
    let key = world.key(20_000).await;
    let requests = requests();
    let calls = (0..256).map(|call| {
        let (world, key) = (world.clone(), key.clone());
        let request = requests[call % requests.len()].clone();
        tokio::spawn(async move {
            let response = world.ask(&key, &request).await;
            let _ = soon(response.bytes()).await;
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    // The upstream's drop waits for a lock outside the runtime. Where the joins have used up what a task may do in one
    // turn, that lock is handed out in the next turn alone, which then never comes.
    tokio::task::yield_now().await;
    let spent = world.spent.load(Ordering::SeqCst);
    assert!((1000..=20_000).contains(&spent), "{spent} of 20000");
}
