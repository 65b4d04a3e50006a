//! The model, as the runner sees it.

use std::time::Duration;

use async_trait::async_trait;
use mana_core::planner::Message;
use mana_store::UserId;

/// What is asked of a model.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model's name, or an alias; the gateway knows what it stands for.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
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
    /// Who answered: `ollama/qwen3`, `builtin/outline`.
    pub model: String,
    /// Tokens of prompt and answer together, if the model counts them.
    pub tokens: Option<u64>,
}

/// Why a model did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct LlmError {
    /// A word for programs: `timeout`, `too_large`, `rate_limited`, `upstream_500` …
    pub code: String,
    /// What happened, in plain words and without a secret.
    pub message: String,
}

impl LlmError {
    /// An error.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// Something that answers. It keeps the timeout and the size of the request by itself.
#[async_trait]
pub trait Llm: Send + Sync {
    /// One answer, whole. Dropping the future ends the call.
    async fn chat(&self, request: ChatRequest) -> Result<ChatAnswer, LlmError>;
}
