//! The translation, for the fuzzers.

use serde_json::Value;

use super::{answer, request, stream};
use crate::error::Result;
use crate::providers::StreamEvent;
use crate::wire::ChatRequest;

/// The body of a request.
pub(in crate::providers) fn body(request: ChatRequest) -> Result<Vec<u8>> {
    let body = request::body(request, true)?;
    Ok(serde_json::to_vec(&body).expect("a body is made of JSON"))
}

/// Reads bytes as an answer, and their lines as the events of a stream.
pub(in crate::providers) fn answer(bytes: &[u8], most: usize) {
    let said: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let _ = answer::completion(&said, None);
    let _ = answer::completion(&said, Some("answer"));
    let lines = bytes.split(|byte| *byte == b'\n');
    let events = lines.filter_map(|line| serde_json::from_slice(line).ok());
    for event in stream::decode(events, most) {
        if let StreamEvent::Data(chunk) = event {
            let chunk: Value = serde_json::from_slice(&chunk).expect("a chunk is JSON");
            assert!(chunk["choices"].is_array());
        }
    }
}
