//! The use of a call: the estimate before it, what is set aside for it, and what it took.

use crate::wire::{ChatRequest, Content, EmbeddingsRequest};

/// Bytes of text that make a token, rather too few than too many, so that what
/// is reserved is rather too much: English has about 4, code and other scripts 3.
pub(crate) const BYTES_PER_TOKEN: u64 = 3;
/// The bytes that a model reads around each message.
const MESSAGE_BYTES: usize = 30;
/// The tokens that a picture is taken for; upstreams count by its size, which isn't known here.
const TOKENS_PER_PICTURE: u64 = 1500;

/// The most that a call may take, estimated before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEstimate {
    /// The model as it was asked for: an alias or `provider/model`.
    pub model: String,
    /// Everything that may answer, as `provider/model`.
    pub chain: Vec<String>,
    /// Tokens of the request, estimated from its size.
    pub prompt_tokens: u64,
    /// Tokens of the answer at most, as the request says; `None` if it doesn't.
    pub completion_tokens: Option<u64>,
    /// How many answers are asked for.
    pub choices: u64,
}

impl CallEstimate {
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
            choices: request.choices(),
        }
    }

    pub(crate) fn of_embeddings(request: &EmbeddingsRequest) -> Self {
        Self {
            model: request.model.clone(),
            chain: Vec::new(),
            prompt_tokens: tokens(size(&request.input)),
            completion_tokens: Some(0),
            choices: 1,
        }
    }
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

fn tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

/// The reservation of a call, settled when the call ends.
pub struct MeterGuard {
    /// Tokens of the answer that were set aside. An answer that the request
    /// leaves unbounded is bounded to this where `bounds` says so.
    pub completion_tokens: u64,
    /// Whether the caller has a budget that an unbounded answer could break.
    pub bounds: bool,
    /// Replaces what was set aside by what was used; doesn't wait for anything.
    pub settle: Box<dyn FnOnce(Used) + Send + Sync>,
}

/// The use of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The model that answered, as `provider/model`; empty where none did.
    pub model: String,
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// How it ended.
    pub ending: Ending,
    /// The models that had read the request before they failed, each as `provider/model`: what they read is paid for
    /// on top of the tokens above.
    pub also_read: Vec<String>,
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
                {"type": "image_url",
                    "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(100_000))}}]}],
        }))
        .unwrap();
        let ask = CallEstimate::of_chat(&request);
        assert!((2500..2600).contains(&ask.prompt_tokens), "{ask:?}");
        assert_eq!(ask.completion_tokens, Some(7));
    }
}
