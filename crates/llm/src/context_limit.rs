//! The limit that a server names where a prompt is too long for its model. Each has its own words for it.

use serde_json::Value;

use crate::error::{ErrorKind, GatewayError};

/// A prompt was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextLimit {
    /// The tokens that the model takes, where the server names them.
    pub window: Option<u64>,
}

/// Words before the number of the limit, the surest first.
const BEFORE: [&str; 12] = [
    "maximum context length is",
    "maximum context length of",
    "context length of",
    "context length is",
    "context window of",
    "available context size (",
    "context size (",
    "context size of",
    "must be <=",
    "number of tokens allowed (",
    "limited to",
    "n_ctx",
];

/// Words behind it.
const BEHIND: [&str; 3] = [" maximum context length", " maximum", " token limit"];

/// Words by which a server says that a prompt is too long, whatever it says of numbers.
const TOO_LONG: [&str; 11] = [
    "context length",
    "context_length_exceeded",
    "context size",
    "exceed_context_size",
    "context window",
    "prompt is too long",
    "input is too long",
    "reduce the length",
    "too many tokens",
    "max_new_tokens",
    "tokens allowed",
];

impl GatewayError {
    /// The limit that the provider names, where it refuses a prompt as too long.
    pub fn context_limit(&self) -> Option<ContextLimit> {
        if !matches!(self.kind, ErrorKind::Http(400 | 413 | 422 | 500)) {
            return None;
        }
        let upstream = self.upstream.as_deref().unwrap_or(&Value::Null);
        let text = format!("{} {upstream}", self.message).to_lowercase();
        if !TOO_LONG.iter().any(|words| text.contains(words)) {
            return None;
        }
        let named = upstream["n_ctx"].as_u64();
        Some(ContextLimit {
            window: named.or_else(|| number_beside(&self.message.to_lowercase())),
        })
    }
}

/// The number that stands where a limit is named.
fn number_beside(text: &str) -> Option<u64> {
    let plain = text.replace(',', "");
    let before = BEFORE.iter().find_map(|words| {
        let rest = &plain[plain.find(words)? + words.len()..];
        let rest = rest.trim_start_matches([' ', '(', ':', '=']);
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..digits].parse().ok()
    });
    let behind = || {
        BEHIND.iter().find_map(|words| {
            let front = plain[..plain.find(words)?].trim_end_matches(" tokens");
            let digits = front.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            front[digits..].parse().ok()
        })
    };
    before.or_else(behind).filter(|tokens| *tokens >= 128)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_limit_is_read_in_the_words_of_every_server() {
        let limit = |message: &str, upstream: Value| {
            let mut error = GatewayError::new(ErrorKind::Http(400), message);
            error.upstream = Some(Box::new(upstream));
            error.context_limit().map(|limit| limit.window)
        };
        for (message, window) in [
            // vLLM
            (
                "This model's maximum context length is 4096 tokens. However, your request has 15202 input tokens.",
                Some(4096),
            ),
            // OpenAI
            (
                "This model's maximum context length is 8,192 tokens. However, you requested 9000 tokens (8000 in the \
              messages, 1000 in the completion). Please reduce the length of the messages.",
                Some(8192),
            ),
            // llama.cpp
            (
                "the request exceeds the available context size (4096 tokens), try increasing it",
                Some(4096),
            ),
            (
                "request (9000 tokens) exceeds the available context size (2048 tokens)",
                Some(2048),
            ),
            // llama-cpp-python
            (
                "Requested tokens (5000) exceed context window of 2048",
                Some(2048),
            ),
            // Anthropic
            (
                "prompt is too long: 210000 tokens > 200000 maximum",
                Some(200_000),
            ),
            // TGI
            (
                "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
                Some(4096),
            ),
            // Mistral
            (
                "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
                Some(32_768),
            ),
            // Gemini
            (
                "The input token count (1300000) exceeds the maximum number of tokens allowed (1048576).",
                Some(1_048_576),
            ),
            // Ollama
            ("the input length exceeds the context length", None),
            // Groq
            (
                "Please reduce the length of the messages or completion.",
                None,
            ),
        ] {
            assert_eq!(limit(message, json!({})), Some(window), "{message}");
        }
        let named =
            json!({"type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096});
        assert_eq!(limit("too much", named), Some(Some(4096)));
        assert_eq!(
            limit("no", json!({"code": "context_length_exceeded"})),
            Some(None)
        );
        assert_eq!(limit("this model does not support tools", json!({})), None);
        assert_eq!(
            GatewayError::new(ErrorKind::Connect, "context length").context_limit(),
            None
        );
    }
}
