//! Errors that servers report where an answer should stand.

use serde_json::Value;

use crate::wire::{Object, Told};

/// The error that a body reports although its status says otherwise; none where it holds an answer.
pub(super) fn reported(body: &[u8]) -> Option<Value> {
    let object = Object::of_bytes(body)?;
    let is_error = object.value::<Told>("object") == Some(Told::Error)
        || object.value::<Told>("type") == Some(Told::Error);
    let has_answer = ["choices", "data"]
        .iter()
        .filter_map(|name| object.items(name))
        .any(|items| !items.is_empty());
    let error = object
        .value::<Value>("error")
        .filter(|error| !says_nothing(error));
    match error {
        Some(error) if !has_answer || says_why(&error) => Some(error),
        None if is_error && !has_answer => Some(Value::Object(object.rest(&[]))),
        _ => None,
    }
}

/// Whether a field `error` is there and empty, as some servers always send it.
pub(super) fn says_nothing(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(true) => false,
    }
}

/// Whether an error gives a reason.
fn says_why(error: &Value) -> bool {
    let has_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    has_text(error)
        || ["message", "detail", "error", "msg"]
            .iter()
            .any(|name| has_text(&error[*name]))
}
