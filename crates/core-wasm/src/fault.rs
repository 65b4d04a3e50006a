//! How errors leave: one JSON shape, in the message of a JavaScript `Error`.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wasm_bindgen::JsError;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// The error code.
    pub code: String,
    /// The sentence for a person: what is wrong and what to do.
    pub message: String,
    /// The details, where there are any.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl Fault {
    /// A fault without details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault {
            code: code.into(),
            message: message.into(),
            details: Value::Null,
        }
    }

    /// Input that isn't what the method takes: a mistake of the calling program.
    pub(crate) fn unreadable(error: serde_json::Error) -> Fault {
        Fault::new(
            "unreadable",
            format!("The core can't read its input: {error}."),
        )
    }
}

impl From<Fault> for JsError {
    fn from(fault: Fault) -> JsError {
        JsError::new(&serde_json::to_string(&fault).unwrap_or(fault.message))
    }
}

/// Reads the input, does the work, writes the output.
///
/// Through a `Value` in both directions: so the code that reads and writes each type exists once,
/// for `Value`, instead of once more for text.
pub(crate) fn call<I: DeserializeOwned, O: Serialize>(
    input: &str,
    work: impl FnOnce(I) -> Result<O, Fault>,
) -> Result<String, JsError> {
    let input: Value = serde_json::from_str(input).map_err(Fault::unreadable)?;
    let input = serde_json::from_value(input).map_err(Fault::unreadable)?;
    let output = serde_json::to_value(work(input)?).map_err(Fault::unreadable)?;
    Ok(output.to_string())
}
