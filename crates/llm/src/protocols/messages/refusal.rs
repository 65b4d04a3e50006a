//! Failures in Anthropic's shape.

use serde_json::{Value, json};

use crate::error::{ErrorKind, GatewayError};

/// Anthropic's names of failures, by status.
const TYPES: [(u16, &str); 9] = [
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (503, "overloaded_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];

/// A failure as an event of a stream has it, and the body of an answer.
pub(crate) fn refusal(error: &GatewayError) -> Value {
    let mut body = body(error.status(), &error.message);
    let details = &mut body["error"]["details"];
    *details = error.body()["error"]["details"].take();
    if error.kind == ErrorKind::OverBudget {
        details["code"] = error.code().into();
    }
    body
}

/// The same of a status and a message.
pub(crate) fn body(status: u16, message: &str) -> Value {
    let named = TYPES.iter().find(|(of, _)| *of == status);
    let kind = match (named, status) {
        (Some((_, kind)), _) => kind,
        (None, 400..=499) => "invalid_request_error",
        (None, _) => "api_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": message } })
}
