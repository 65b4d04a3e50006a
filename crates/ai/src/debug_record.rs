//! The debug record of a run: its calls to the model, kept where the person has switched that on.

use std::time::Duration;

use mana_core::Micros;
use mana_store::{DebugRecord, RunProgress};
use serde_json::{Value, json};

use crate::llm::{ChatAnswer, ChatRequest, LlmError};

/// The largest debug record, in bytes of JSON. Longer texts in it are cut.
const MAX_BYTES: usize = 160 << 10;

/// The record of a run that has made these calls.
pub(crate) fn record(progress: RunProgress, calls: Vec<Value>, at: Micros) -> DebugRecord {
    let body = json!({
        "missionId": progress.mission_id, "slot": progress.slot, "phase": progress.phase,
        "startedAt": progress.started_at, "finishedAt": at, "rounds": calls,
    });
    DebugRecord {
        iteration_id: progress.iteration_id,
        at,
        body: cut(body),
    }
}

/// A request as the record holds it.
pub(crate) fn request(request: &ChatRequest) -> Value {
    let mut fields = json!({ "model": request.model, "messages": request.messages });
    if !request.functions.is_empty() {
        fields["functions"] = json!(request.functions);
    }
    if let Some(schema) = &request.schema {
        fields["schema"] = json!(schema);
    }
    fields
}

/// A call as the record holds it.
pub(crate) fn call(request: Value, answer: &Result<ChatAnswer, LlmError>, took: Duration) -> Value {
    let mut call = json!({ "request": request, "latencyMs": took.as_millis() });
    match answer {
        Ok(answer) => {
            call["answer"] = json!(answer.text);
            call["calls"] = json!(answer.calls);
            call["model"] = json!(answer.model);
            call["tokens"] = json!(answer.tokens);
        }
        Err(error) => call["error"] = json!({ "code": error.code, "message": error.message }),
    }
    call
}

/// The record with its longest texts cut until it is small enough.
fn cut(mut body: Value) -> Value {
    let mut longest = MAX_BYTES / 2;
    while body.to_string().len() > MAX_BYTES && longest > 64 {
        cut_texts(&mut body, longest);
        longest /= 2;
    }
    body
}

fn cut_texts(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) if text.len() > longest => {
            let end = text.floor_char_boundary(longest);
            let gone = text.len() - end;
            text.truncate(end);
            text.push_str(&format!("… ({gone} more bytes)"));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut_texts(item, longest)),
        Value::Object(map) => map.values_mut().for_each(|item| cut_texts(item, longest)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_debug_record_is_cut_at_its_longest_texts() {
        let body = json!({"rounds": [{"answer": "ä".repeat(MAX_BYTES), "model": "m"}, {"answer": "short"}]});
        let cut = cut(body);
        assert!(cut.to_string().len() <= MAX_BYTES);
        let answer = cut["rounds"][0]["answer"].as_str().expect("a text");
        assert!(answer.starts_with("ää") && answer.ends_with("more bytes)"));
        assert_eq!(cut["rounds"][0]["model"], "m");
        assert_eq!(cut["rounds"][1]["answer"], "short");
    }
}
