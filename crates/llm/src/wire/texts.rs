//! The texts in a JSON value.

use std::iter;

use serde_json::Value;

/// The texts of a value, wherever in it they stand; the names of its fields are among them.
pub(crate) fn texts(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(iter::once(text.as_str())),
        Value::Array(items) => Box::new(items.iter().flat_map(texts)),
        Value::Object(fields) => Box::new(
            fields
                .iter()
                .flat_map(|(name, value)| iter::once(name.as_str()).chain(texts(value))),
        ),
        _ => Box::new(iter::empty()),
    }
}
