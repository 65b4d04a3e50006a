//! A fault of a field, said to the person who fills in the form.

use serde::{Deserialize, Serialize};

/// A field that can't be used as it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The field, with dots into objects: `cadence.atHour`.
    pub field: String,
    /// A word for programs: `required`, `invalid`, `range`, `unknown`, `never`.
    pub code: String,
    /// A sentence for people: what is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem with a field.
    pub fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Problem {
        Problem {
            field: field.into(),
            code: code.to_owned(),
            message: message.into(),
        }
    }
}
