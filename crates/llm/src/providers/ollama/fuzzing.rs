//! Ollama's own protocol, for the fuzzers.

use super::native;
use crate::wire::ChatRequest;

/// The body of a request with a window.
pub(in crate::providers) fn body(request: ChatRequest) -> Vec<u8> {
    serde_json::to_vec(&native::body(request, 8192)).expect("a body is made of JSON")
}
