//! A model with canned answers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mana_ai::{ChatAnswer, ChatRequest, Llm, LlmError, ModelFacts};
use mana_core::planner::calls::ToolCall;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// An answer of the model, made from the request.
pub type Said = Result<String, LlmError>;

/// A plan of one task.
pub fn task(title: &str) -> Said {
    steps(json!([step(title)]))
}

pub fn step(title: &str) -> Value {
    json!({"summary": title, "toolName": "create_task", "params": {"title": title},
        "rationale": format!("Because of {title}.")})
}

pub fn steps(steps: Value) -> Said {
    Ok(format!(
        "```json\n{}\n```",
        json!({"summary": "A plan", "steps": steps})
    ))
}

pub fn say(text: &str) -> Said {
    Ok(text.to_owned())
}

/// An answer that is made from the request.
type Obey = Box<dyn Fn(&ChatRequest) -> ChatAnswer + Send>;

/// A model that answers by the mission's title, in the order that it is told to.
pub struct TestLlm {
    answers: Mutex<HashMap<String, VecDeque<Result<ChatAnswer, LlmError>>>>,
    obeys: Mutex<Option<Obey>>,
    facts: Mutex<ModelFacts>,
    /// The failure of every call.
    away: Mutex<Option<LlmError>>,
    /// Tokens that a call takes.
    takes: AtomicU64,
    pub requests: Mutex<Vec<ChatRequest>>,
    asked: Semaphore,
    gate: Semaphore,
}

impl TestLlm {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::default(),
            obeys: Mutex::default(),
            facts: Mutex::default(),
            away: Mutex::default(),
            takes: AtomicU64::new(100),
            requests: Mutex::default(),
            asked: Semaphore::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS >> 1),
        })
    }

    pub fn will_say(&self, title: &str, said: Said) {
        self.will_answer(title, said.map(|text| self.answer(text, Vec::new())));
    }

    /// Tool calls, by name and arguments.
    pub fn will_call(&self, title: &str, calls: &[(&str, Value)]) {
        let call = |(place, (name, arguments)): (usize, &(&str, Value))| ToolCall {
            id: format!("call-{place}"),
            name: (*name).to_owned(),
            arguments: arguments.to_string(),
        };
        let calls = calls.iter().enumerate().map(call).collect();
        self.will_answer(title, Ok(self.answer(String::new(), calls)));
    }

    /// From now on the model answers by its request.
    pub fn obeys(&self, obey: impl Fn(&ChatRequest) -> ChatAnswer + Send + 'static) {
        *self.obeys.lock().expect("unpoisoned") = Some(Box::new(obey));
    }

    /// From now on every call fails so; with none, the model is back.
    pub fn is_away(&self, error: Option<LlmError>) {
        *self.away.lock().expect("unpoisoned") = error;
    }

    /// Sets the facts about the model.
    pub fn is(&self, facts: ModelFacts) {
        *self.facts.lock().expect("unpoisoned") = facts;
    }

    /// How many tokens a call takes from now on.
    pub fn takes(&self, tokens: u64) {
        self.takes.store(tokens, Ordering::SeqCst);
    }

    fn answer(&self, text: String, calls: Vec<ToolCall>) -> ChatAnswer {
        ChatAnswer {
            text,
            calls,
            model: "test/model".to_owned(),
            tokens: Some(self.takes.load(Ordering::SeqCst)),
            ..ChatAnswer::default()
        }
    }

    pub fn will_answer(&self, title: &str, answer: Result<ChatAnswer, LlmError>) {
        self.answers
            .lock()
            .expect("unpoisoned")
            .entry(title.to_owned())
            .or_default()
            .push_back(answer);
    }

    /// From now on every call waits.
    pub fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn open(&self) {
        self.gate.add_permits(1_000);
    }

    /// Waits for one more call.
    pub async fn called(&self) {
        self.asked
            .acquire()
            .await
            .expect("the model stays")
            .forget();
    }

    pub fn calls(&self) -> usize {
        self.requests.lock().expect("unpoisoned").len()
    }

    /// The text of the last request.
    pub fn last_prompt(&self) -> String {
        let requests = self.requests.lock().expect("unpoisoned");
        let messages = &requests.last().expect("a request").messages;
        messages
            .iter()
            .map(|message| message.content.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[async_trait]
impl Llm for TestLlm {
    async fn chat(&self, request: ChatRequest) -> Result<ChatAnswer, LlmError> {
        let text: String = request
            .messages
            .iter()
            .map(|message| message.content.as_str())
            .collect();
        let away = self.away.lock().expect("unpoisoned").clone();
        if let Some(error) = away {
            self.requests.lock().expect("unpoisoned").push(request);
            return Err(error);
        }
        let obeyed = {
            let obeys = self.obeys.lock().expect("unpoisoned");
            obeys.as_ref().map(|obey| obey(&request))
        };
        self.requests.lock().expect("unpoisoned").push(request);
        if let Some(obeyed) = obeyed {
            return Ok(obeyed);
        }
        self.asked.add_permits(1);
        let _open = self.gate.acquire().await.expect("the gate stays");
        let title = text
            .lines()
            .find_map(|line| line.strip_prefix("Title: "))
            .expect("a title")
            .to_owned();
        let said = self
            .answers
            .lock()
            .expect("unpoisoned")
            .get_mut(&title)
            .and_then(VecDeque::pop_front);
        said.unwrap_or_else(|| task("Default").map(|text| self.answer(text, Vec::new())))
    }

    async fn facts(&self, _: &str) -> ModelFacts {
        *self.facts.lock().expect("unpoisoned")
    }
}
