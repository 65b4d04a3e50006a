//! Chat completions, which pass as they are.

use bytes::Bytes;

use super::writer::{AnswerWriter, frame};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::wire::{ChatCompletion, Usage};

/// Writes chat completions.
pub(crate) struct ChatWriter {
    /// The caller asked for the chunk that tells the usage.
    pub wants_usage: bool,
}

impl AnswerWriter for ChatWriter {
    fn whole(&mut self, answer: &ChatCompletion) -> Result<Bytes> {
        if let Some(text) = &answer.text {
            return Ok(text.clone());
        }
        let json = serde_json::to_vec(answer);
        let unwritable = |error| GatewayError::new(ErrorKind::BadJson, format!("{error}"));
        json.map(Bytes::from).map_err(unwritable)
    }

    fn piece(&mut self, chunk: &Bytes) -> Result<Bytes> {
        Ok(frame(chunk))
    }

    fn usage(&mut self, _: &Usage, chunk: Option<Bytes>) -> Bytes {
        let chunk = chunk.filter(|_| self.wants_usage);
        chunk.map_or_else(Bytes::new, |chunk| frame(&chunk))
    }

    fn end(&mut self) -> Bytes {
        frame(b"[DONE]")
    }

    fn failure(&mut self, error: &GatewayError) -> Bytes {
        frame(error.body().to_string().as_bytes())
    }
}
