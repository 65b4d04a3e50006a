//! What a call over HTTP takes: estimated before it, counted while it goes on,
//! told when it ends, however it ends.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::error::{GatewayError, Result};
use crate::gateway::Gateway;
use crate::http::{Auth, Caller};
use crate::wire::{ChatRequest, Content, EmbeddingsRequest, Usage};

/// Bytes of text that make a token, rather too few than too many, so that what
/// is reserved is rather too much: English has about 4, code and other scripts 3.
const BYTES_PER_TOKEN: u64 = 3;
/// What a model reads around each message.
const MESSAGE_BYTES: usize = 30;
/// What a picture is taken for; upstreams count by its size, which isn't known here.
const TOKENS_PER_PICTURE: u64 = 1500;

/// What a call may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The model as it was asked for: an alias or `provider/model`.
    pub model: String,
    /// Everything that may answer, as `provider/model`.
    pub chain: Vec<String>,
    /// Tokens of the request, estimated from its size.
    pub prompt_tokens: u64,
    /// Tokens of the answer at most, as the request says; `None` if it doesn't.
    pub completion_tokens: Option<u64>,
    /// How long the call may take.
    pub timeout: Duration,
}

impl Ask {
    pub(crate) fn of_chat(request: &ChatRequest) -> Self {
        let mut bytes = 0;
        let mut pictures = 0;
        for message in &request.messages {
            bytes += MESSAGE_BYTES;
            match &message.content {
                Some(Content::Text(text)) => bytes += text.len(),
                Some(Content::Parts(parts)) => {
                    for part in parts {
                        match part.kind.contains("image") {
                            true => pictures += 1,
                            false => bytes += size(&part.extra),
                        }
                    }
                }
                _ => {}
            }
            if !message.extra.is_empty() {
                bytes += size(&message.extra);
            }
        }
        for field in ["tools", "response_format"] {
            bytes += request.extra.get(field).map_or(0, size);
        }
        Self {
            model: request.model.clone(),
            chain: Vec::new(),
            prompt_tokens: tokens(bytes) + pictures * TOKENS_PER_PICTURE,
            completion_tokens: request.max_tokens(),
            timeout: Duration::ZERO,
        }
    }

    pub(crate) fn of_embeddings(request: &EmbeddingsRequest) -> Self {
        Self {
            model: request.model.clone(),
            chain: Vec::new(),
            prompt_tokens: tokens(size(&request.input)),
            completion_tokens: Some(0),
            timeout: Duration::ZERO,
        }
    }
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

fn tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

/// What was set aside for a call.
pub struct Ticket {
    /// Tokens of the answer that were set aside. An answer that the request
    /// leaves unbounded is bounded to this where `bounds` says so.
    pub completion_tokens: u64,
    /// Whether the caller has a budget that an unbounded answer could break.
    pub bounds: bool,
    /// Replaces what was set aside by what was used; doesn't wait for anything.
    pub settle: Box<dyn FnOnce(Used) + Send + Sync>,
}

/// What a call has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// Who answered, as `provider/model`; empty where nobody did.
    pub model: String,
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// How it ended.
    pub ending: Ending,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its answer.
    Answered,
    /// With a failure.
    Failed,
    /// The caller went away.
    Cancelled,
}

/// Keeps count of one call. Dropped before its end, it says that the caller went away.
pub(crate) struct Meter {
    ticket: Option<Ticket>,
    used: Used,
    pieces: u64,
    text_bytes: u64,
    /// The last piece, counted when it is on its way to the reader.
    uncounted: Option<Bytes>,
    /// The provider's own count is there, and better than the one made here.
    told: bool,
}

impl Meter {
    pub async fn open(
        gateway: &Gateway,
        auth: &dyn Auth,
        caller: &Caller,
        ask: impl FnOnce() -> Ask,
    ) -> Result<Self> {
        let mut meter = Self {
            ticket: None,
            used: Used {
                model: String::new(),
                prompt_tokens: 0,
                completion_tokens: 0,
                ending: Ending::Cancelled,
            },
            pieces: 0,
            text_bytes: 0,
            uncounted: None,
            told: false,
        };
        if *caller == Caller::Service {
            return Ok(meter);
        }
        let mut ask = ask();
        ask.chain = gateway.resolve_all(&ask.model).await?;
        ask.timeout = gateway.longest_call();
        meter.used.model.clone_from(&ask.model);
        meter.used.prompt_tokens = ask.prompt_tokens;
        meter.ticket = auth.reserve(caller, ask).await?;
        // What a caller who doesn't wait for it would have got is not known.
        let reserved = meter.ticket.as_ref().map(|ticket| ticket.completion_tokens);
        meter.used.completion_tokens = reserved.unwrap_or(0);
        Ok(meter)
    }

    /// The longest answer, where the caller left it open and has a budget.
    pub fn bound(&self) -> Option<u64> {
        let ticket = self.ticket.as_ref()?;
        ticket.bounds.then_some(ticket.completion_tokens)
    }

    /// The whole answer is there.
    pub fn answered(&mut self, model: &str, usage: Option<&Usage>, text_bytes: usize) {
        self.used.completion_tokens = (text_bytes as u64).div_ceil(BYTES_PER_TOKEN);
        self.used.model = model.to_owned();
        if let Some(usage) = usage {
            self.usage(model, usage);
        }
        self.used.ending = Ending::Answered;
    }

    /// Nobody answered, so nothing was used.
    pub fn failed(mut self, error: GatewayError) -> GatewayError {
        self.used.prompt_tokens = 0;
        self.used.completion_tokens = 0;
        self.used.ending = Ending::Failed;
        error
    }

    /// A piece of a streamed answer.
    pub fn piece(&mut self, model: &str, chunk: &Bytes) {
        if self.ticket.is_none() || self.told {
            return;
        }
        self.count();
        if self.pieces == 0 {
            self.used.model = model.to_owned();
        }
        self.pieces += 1;
        self.uncounted = Some(chunk.clone());
    }

    fn count(&mut self) {
        let Some(chunk) = self.uncounted.take().filter(|_| !self.told) else {
            return;
        };
        self.text_bytes += text_bytes(&chunk);
        // A piece is a token at least, as models make them.
        self.used.completion_tokens = self.pieces.max(self.text_bytes.div_ceil(BYTES_PER_TOKEN));
    }

    /// What the provider says that it took.
    pub fn usage(&mut self, model: &str, usage: &Usage) {
        // Some say nothing in many words.
        if usage.prompt_tokens + usage.completion_tokens == 0 && !model.starts_with("builtin/") {
            return;
        }
        self.told = true;
        self.used.model = model.to_owned();
        self.used.prompt_tokens = usage.prompt_tokens;
        self.used.completion_tokens = usage.completion_tokens;
    }

    /// The stream is complete.
    pub fn complete(mut self) {
        self.used.ending = Ending::Answered;
    }

    /// The stream broke off; what was used up to then was used.
    pub fn broke_off(mut self, error: GatewayError) -> GatewayError {
        self.used.ending = Ending::Failed;
        error
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.count();
        if let Some(ticket) = self.ticket.take() {
            (ticket.settle)(self.used.clone());
        }
    }
}

/// How much text a chunk brings: of the answer, of what was thought, of calls.
fn text_bytes(chunk: &[u8]) -> u64 {
    fn of(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(of).sum(),
            Value::Object(fields) => fields.values().map(of).sum(),
            _ => 0,
        }
    }
    let chunk: Value = serde_json::from_slice(chunk).unwrap_or_default();
    let choices = chunk["choices"].as_array().into_iter().flatten();
    choices.map(|choice| of(&choice["delta"])).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_estimated_by_its_text_and_its_pictures() {
        let request: ChatRequest = serde_json::from_value(json!({
            "max_tokens": 7, "model": "a/m",
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "x".repeat(3000)},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(100_000))}}]}],
        }))
        .unwrap();
        let ask = Ask::of_chat(&request);
        assert!((2500..2600).contains(&ask.prompt_tokens), "{ask:?}");
        assert_eq!(ask.completion_tokens, Some(7));
    }

    #[test]
    fn text_is_counted_wherever_a_chunk_has_it() {
        let chunk = json!({"id": "long id that is no text", "choices": [
            {"delta": {"content": "abc", "tool_calls": [{"function": {"arguments": "{}"}}]}}]});
        assert_eq!(text_bytes(chunk.to_string().as_bytes()), 5);
        assert_eq!(text_bytes(b"nonsense"), 0);
    }
}
