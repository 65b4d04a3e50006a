//! A model's server, speaking OpenAI's protocol over real HTTP.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::{Home, PATIENCE};

/// A model's server, with the requests that it gets.
pub struct Upstream {
    server: MockServer,
    tell: UnboundedSender<Value>,
    asked: UnboundedReceiver<Value>,
}

impl Upstream {
    pub async fn new() -> Upstream {
        let (tell, asked) = unbounded_channel();
        Upstream {
            server: MockServer::start().await,
            tell,
            asked,
        }
    }

    /// Returns settings of a server that asks this model.
    pub fn home(&self, env: &[(&str, &str)]) -> Home {
        let url = format!("{}/v1", self.server.uri());
        let mut settings = vec![
            ("MANA_LLM_URL", url.as_str()),
            ("MANA_LLM_MODEL", "test-model"),
            ("MANA_LLM_KEY", "sk-hunter2"),
        ];
        settings.extend(env);
        Home::new(&settings)
    }

    /// Removes all answers.
    pub async fn reset(&self) {
        self.server.reset().await;
    }

    /// Sets the answer to requests that contain the word.
    pub async fn answers(&self, word: &str, template: ResponseTemplate) {
        let answering = Answering {
            tell: self.tell.clone(),
            template,
        };
        Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .and(body_string_contains(word))
            .respond_with(answering)
            .mount(&self.server)
            .await;
    }

    /// Returns the paths of the requests so far.
    pub async fn paths(&self) -> BTreeSet<String> {
        let requests = self.server.received_requests().await.unwrap();
        let paths = requests.iter().map(|request| request.url.path().to_owned());
        paths.collect()
    }

    /// Returns the `traceparent` of each request that has one.
    pub async fn trace_parents(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        let parents = requests
            .iter()
            .filter_map(|request| request.headers.get("traceparent"));
        parents
            .map(|parent| parent.to_str().unwrap().to_owned())
            .collect()
    }

    /// Waits for the next request, which is then in flight. Returns its body.
    pub async fn asked(&mut self) -> Value {
        timeout(PATIENCE, self.asked.recv())
            .await
            .expect("the model is asked")
            .unwrap()
    }

    /// Returns the number of requests that no test has looked at.
    pub fn asked_unseen(&mut self) -> usize {
        let mut times = 0;
        while self.asked.try_recv().is_ok() {
            times += 1;
        }
        times
    }
}

struct Answering {
    tell: UnboundedSender<Value>,
    template: ResponseTemplate,
}

impl Respond for Answering {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let _ = self
            .tell
            .send(serde_json::from_slice(&request.body).unwrap());
        self.template.clone()
    }
}

/// Returns a completion with this text.
pub fn says(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "id": "1", "object": "chat.completion", "created": 0, "model": "test-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
    }))
}

/// Returns a completion with a plan of these steps.
pub fn plans(steps: Value) -> ResponseTemplate {
    says(&fenced(
        &json!({ "summary": "A plan.", "steps": steps }).to_string(),
    ))
}

/// Returns a completion that calls these functions; each call's id is `c-` and its name.
pub fn calls(calls: &[(&str, Value)]) -> ResponseTemplate {
    let calls: Value = calls
        .iter()
        .map(|(name, arguments)| {
            json!({ "id": format!("c-{name}"), "type": "function",
                "function": { "name": name, "arguments": arguments.to_string() } })
        })
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({
        "id": "1", "object": "chat.completion", "created": 0, "model": "test-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": null, "tool_calls": calls },
            "finish_reason": "tool_calls" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
    }))
}

pub fn fenced(json: &str) -> String {
    format!("Here is the plan.\n\n```json\n{json}\n```\n")
}

/// Returns a valid step.
pub fn step(title: &str, why: &str) -> Value {
    json!({ "summary": title, "toolName": "create_task", "params": { "title": title }, "rationale": why })
}

/// Returns an answer that takes longer than any test.
pub fn never() -> ResponseTemplate {
    plans(json!([step("Too late", "Nobody waits for this.")])).set_delay(Duration::from_secs(600))
}
