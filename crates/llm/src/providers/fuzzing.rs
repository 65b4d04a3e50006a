//! The translations of the providers, for the fuzzers.

use super::{anthropic, ollama, openai};
use crate::error::Result;
use crate::wire::ChatRequest;

/// The bodies of a request for every kind of provider.
pub(crate) fn bodies(request: ChatRequest) -> [Result<Vec<u8>>; 3] {
    let plain = openai::fuzzing::plain(request.clone());
    let native = plain.clone().map(ollama::fuzzing::body);
    [
        anthropic::fuzzing::body(request),
        plain.map(|request| request.body()),
        native,
    ]
}

/// Reads bytes as an answer of Anthropic's, and as the events of a stream of it.
pub(crate) fn anthropic_answer(bytes: &[u8], most: usize) {
    anthropic::fuzzing::answer(bytes, most);
}
