//! The model, as the runner sees it.

use std::time::Duration;

use async_trait::async_trait;
use mana_core::planner::calls::{Function, ToolCall};
use mana_core::planner::{Manner, Message};
use mana_store::UserId;
use serde_json::Value;

/// What is asked of a model.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model's name, or an alias; the gateway knows what it stands for.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// What the model can call; empty where it calls nothing.
    pub functions: Vec<Function>,
    /// The JSON Schema that the answer is bound to, if it is.
    pub schema: Option<Value>,
    /// For whom.
    pub user: UserId,
    /// For which mission.
    pub mission_id: String,
    /// How long the whole call may take, waiting for a place not counted.
    pub timeout: Duration,
    /// The largest answer that is read.
    pub max_bytes: usize,
}

/// What a model answered.
#[derive(Debug, Clone, Default)]
pub struct ChatAnswer {
    /// The text.
    pub text: String,
    /// What it calls.
    pub calls: Vec<ToolCall>,
    /// Who answered: `ollama/qwen3`, `builtin/outline`.
    pub model: String,
    /// Tokens of prompt and answer together, if the model counts them.
    pub tokens: Option<u64>,
    /// Those of the prompt among them.
    pub prompt_tokens: Option<u64>,
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ModelFacts {
    /// It calls tools.
    pub tools: bool,
    /// Its answer can be bound to a JSON Schema.
    pub json_schema: bool,
    /// Tokens that it takes in all.
    pub context_tokens: Option<usize>,
    /// US dollars for a million tokens of prompt and of answer.
    pub price: Option<(f64, f64)>,
    /// It would answer, and nobody knows what it costs.
    pub unpriced: bool,
}

impl ModelFacts {
    /// The surest way to a plan from this model.
    pub(crate) fn manner(&self) -> Manner {
        match (self.tools, self.json_schema) {
            (true, _) => Manner::Calls,
            (false, true) => Manner::Schema,
            (false, false) => Manner::Fenced,
        }
    }

    /// What tokens of prompt and answer cost, in millionths of a US dollar; none where there is no price.
    pub(crate) fn micros_usd(&self, prompt: u64, answer: u64) -> Option<u64> {
        let (input, output) = self.price?;
        // A price for a million tokens in dollars is one for a token in millionths of one.
        Some((prompt as f64 * input + answer as f64 * output).ceil() as u64)
    }
}

/// Why a model did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct LlmError {
    /// A word for programs: `provider_timeout`, `answer_too_large`, `rate_limit_exceeded` …
    pub code: String,
    /// What happened, in plain words and without a secret.
    pub message: String,
    /// The request itself was refused, as by a model that can't do what is asked of it.
    pub refused: bool,
}

impl LlmError {
    /// An error.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            refused: false,
        }
    }
}

/// Something that answers. It keeps the timeout and the size of the request by itself.
#[async_trait]
pub trait Llm: Send + Sync {
    /// One answer, whole. Dropping the future ends the call.
    async fn chat(&self, request: ChatRequest) -> Result<ChatAnswer, LlmError>;

    /// What is known of the model behind a name. Nothing, where nothing is said.
    async fn facts(&self, model: &str) -> ModelFacts {
        let _ = model;
        ModelFacts::default()
    }
}
