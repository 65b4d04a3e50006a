//! How a person types the values of a field kind.

use serde_json::Value;

/// How a person types a value. A name and not a function, so that the browser's module has no code for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// As the text itself.
    Text,
    /// As a number.
    Number,
    /// As a whole number.
    Integer,
    /// As yes or no, in one of several words.
    Boolean,
    /// As words with commas between them.
    Words,
    /// As JSON.
    Json,
}

impl Typed {
    /// Reads a typed text, for example from a command line; none where it does not fit.
    pub(super) fn value(self, text: &str) -> Option<Value> {
        match self {
            Typed::Text => Some(Value::from(text)),
            Typed::Number => text.parse::<f64>().ok().map(Value::from),
            Typed::Integer => text.parse::<i64>().ok().map(Value::from),
            Typed::Boolean => boolean(text),
            Typed::Words => Some(words(text)),
            Typed::Json => serde_json::from_str(text).ok(),
        }
    }
}

fn boolean(text: &str) -> Option<Value> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(Value::Bool(true)),
        "false" | "no" | "0" => Some(Value::Bool(false)),
        _ => None,
    }
}

fn words(text: &str) -> Value {
    let found = text.split(',').map(str::trim);
    found
        .filter(|word| !word.is_empty())
        .map(Value::from)
        .collect()
}
