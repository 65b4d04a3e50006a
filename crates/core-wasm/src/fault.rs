//! How errors leave: one JSON shape, in the message of a JavaScript `Error`.

use mana_core::Problem;
use serde::{Serialize, Serializer, de::DeserializeOwned, ser::SerializeMap as _};
use serde_json::{Value, json};
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

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Fault {
        Fault {
            code: problem.code,
            message: problem.message,
            details: json!({ "field": problem.field }),
        }
    }
}

impl From<Fault> for JsError {
    fn from(fault: Fault) -> JsError {
        JsError::new(&serde_json::to_string(&fault).unwrap_or(fault.message))
    }
}

/// Reads the input, does the work, writes the output.
pub(crate) fn call<I: DeserializeOwned, O: Serialize>(
    input: &str,
    work: impl FnOnce(I) -> Result<O, Fault>,
) -> Result<String, JsError> {
    Ok(write(&work(read(input)?)?)?)
}

/// Reads JSON text, by the one reader of [`mana_core::json`].
pub(crate) fn read<I: DeserializeOwned>(input: &str) -> Result<I, Fault> {
    mana_core::json::from_text(input).map_err(Fault::unreadable)
}

/// Writes JSON text. No output is a `Value` first: the code that writes each type exists once, for text.
pub(crate) fn write<O: Serialize>(output: &O) -> Result<String, Fault> {
    serde_json::to_string(output).map_err(Fault::unreadable)
}

/// An output with a single field.
pub(crate) struct Named<T>(pub(crate) &'static str, pub(crate) T);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry(self.0, &self.1)?;
        object.end()
    }
}
