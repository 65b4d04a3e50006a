//! The model, as the runner sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mana_core::manifest::Schema;
use mana_core::planner::calls::{Function, ToolCall, apart};
use mana_core::planner::{Message, ModelAnswer, OutlineInput, PlanFormat};
use mana_store::UserId;
use serde_json::Value;

/// A request to a model.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model's name, or an alias; the gateway knows what it stands for.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Functions that the model may call.
    pub functions: Vec<Function>,
    /// The JSON Schema that the answer is bound to, if it is.
    pub schema: Option<Schema>,
    /// How freely the model varies its words.
    pub temperature: f64,
    /// The longest answer, thoughts included, in tokens.
    pub max_tokens: usize,
    /// The window that the prompt was made for, in tokens, for a server that is told with each request.
    pub window: Option<usize>,
    /// The data for a planner that is no model, and reads no messages.
    pub outline: Arc<OutlineInput>,
    /// The person of the run.
    pub user: UserId,
    /// The mission of the run.
    pub mission_id: String,
    /// How long the whole call may take, not counting the wait for a free place at the provider.
    pub timeout: Duration,
    /// The largest answer that is read.
    pub max_bytes: usize,
}

/// An answer of a model.
#[derive(Debug, Clone, Default)]
pub struct ChatAnswer {
    /// The text.
    pub text: String,
    /// The thoughts that came in a field of their own.
    pub reasoning: String,
    /// The calls of the answer.
    pub calls: Vec<ToolCall>,
    /// Whether the answer ended at the limit of its length.
    pub cut: bool,
    /// The model that answered: `ollama/qwen3`, `builtin/outline`.
    pub model: String,
    /// Tokens of prompt and answer together, if the model counts them.
    pub tokens: Option<u64>,
    /// Tokens of the prompt alone.
    pub prompt_tokens: Option<u64>,
    /// How many models had read the prompt before they failed, so that it is paid for once more each.
    pub prompts_lost: u64,
    /// The cost of the answer in millionths of a US dollar, where the provider's own count says it better than the list
    /// price: tokens of its cache cost another part of it.
    pub micros_usd: Option<u64>,
}

impl ChatAnswer {
    /// The answer in a choice of OpenAI's shape, `{message, finish_reason}`, as servers give it: with text, parts or
    /// the words of a refusal, with thoughts in one of several fields, with calls or with the one call of before there
    /// were calls.
    pub fn of_choice(choice: &Value) -> ChatAnswer {
        let message = &choice["message"];
        let thoughts = ["reasoning_content", "reasoning", "thinking", "thoughts"].iter();
        let made = message["tool_calls"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let legacy = message.get("function_call").filter(|call| call.is_object());
        let calls = made
            .iter()
            .map(|call| (call, call.get("function").unwrap_or(call)));
        let legacy = legacy.filter(|_| made.is_empty()).map(|call| (call, call));
        let parts = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        let parts = parts.iter().filter(|part| {
            let is_call = matches!(part["type"].as_str(), Some("tool_use" | "tool_call"));
            is_call && made.is_empty()
        });
        let parts = parts.map(|part| (part, part));
        ChatAnswer {
            text: [&message["content"], &message["refusal"], &choice["text"]]
                .into_iter()
                .map(text)
                .find(|text| !text.is_empty())
                .unwrap_or_default(),
            reasoning: thoughts
                .map(|field| text(&message[*field]))
                .find(|text| !text.is_empty())
                .unwrap_or_default(),
            calls: apart(
                calls
                    .chain(legacy)
                    .chain(parts)
                    .enumerate()
                    .map(call)
                    .collect(),
            ),
            cut: matches!(
                choice["finish_reason"].as_str(),
                Some("length" | "max_tokens" | "MAX_TOKENS")
            ),
            ..ChatAnswer::default()
        }
    }

    /// The answer as the planner reads it.
    pub(crate) fn model_answer(&self) -> ModelAnswer<'_> {
        ModelAnswer {
            content: &self.text,
            reasoning: &self.reasoning,
            calls: &self.calls,
            cut: self.cut,
        }
    }
}

/// The text of a content, its text parts joined.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts
                .iter()
                .filter(|part| part["type"] != "thinking" && part["type"] != "reasoning");
            texts
                .filter_map(|part| part.get("text").unwrap_or(part).as_str())
                .collect()
        }
        Value::Object(part) => match part.get("text").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            // A server that has read the JSON of the answer already.
            None => content.to_string(),
        },
        _ => String::new(),
    }
}

/// A call as the model made it. Some servers give it no id, or its arguments as JSON instead of text.
fn call((index, (call, function)): (usize, (&Value, &Value))) -> ToolCall {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let id = text(&call["id"]);
    let given = ["arguments", "parameters", "input"]
        .iter()
        .find_map(|name| function.get(*name));
    ToolCall {
        id: match id.is_empty() {
            true => format!("call_{index}"),
            false => id,
        },
        name: text(&function["name"]),
        arguments: given.map(text).unwrap_or_default(),
    }
}

/// Facts about a model.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ModelFacts {
    /// Whether the model calls tools.
    pub tools: bool,
    /// Whether an answer can be bound to a JSON Schema.
    pub json_schema: bool,
    /// Tokens of prompt and answer together that the model takes.
    pub context_tokens: Option<usize>,
    /// US dollars for a million tokens of prompt and of answer.
    pub price: Option<(f64, f64)>,
    /// Whether the model would answer without anybody knowing the price.
    pub unpriced: bool,
}

impl ModelFacts {
    /// The most reliable plan format of this model.
    pub(crate) fn plan_format(&self) -> PlanFormat {
        match (self.tools, self.json_schema) {
            (true, _) => PlanFormat::ToolCalls,
            (false, true) => PlanFormat::JsonSchema,
            (false, false) => PlanFormat::FencedJson,
        }
    }

    /// The cost of tokens of prompt and answer, in millionths of a US dollar. None where there is no price.
    pub(crate) fn micros_usd(&self, prompt: u64, answer: u64) -> Option<u64> {
        let (input, output) = self.price?;
        // Dollars for a million tokens are millionths of a dollar for a token.
        Some((prompt as f64 * input + answer as f64 * output).ceil() as u64)
    }
}

/// Why a model did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct LlmError {
    /// The code for programs: `provider_timeout`, `answer_too_large`, `rate_limit_exceeded` …
    pub code: String,
    /// The message for people, without a secret.
    pub message: String,
    /// Whether the provider refused the request itself, for example because the model has no tools.
    pub refused: bool,
    /// How many models had read the prompt before they failed. Each of them is paid for.
    pub prompts_read: u64,
    /// The prompt was too long: the window that the server named, 0 where it named none.
    pub limit: Option<usize>,
    /// How long the provider asks to wait before it is asked again.
    pub retry_after: Option<Duration>,
    /// The provider failed at the form of the answer, calls or a schema. Another form may succeed.
    pub is_about_form: bool,
}

impl LlmError {
    /// An error of a call that no model has read.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            refused: false,
            prompts_read: 0,
            limit: None,
            retry_after: None,
            is_about_form: false,
        }
    }
}

/// A model. Implementations keep the request's time limit and largest answer.
#[async_trait]
pub trait Llm: Send + Sync {
    /// Answers a request. Dropping the future ends the call.
    async fn chat(&self, request: ChatRequest) -> Result<ChatAnswer, LlmError>;

    /// The facts about the model behind a name. By default nothing is known.
    async fn facts(&self, model: &str) -> ModelFacts {
        let _ = model;
        ModelFacts::default()
    }
}
