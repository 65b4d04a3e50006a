//! The tool through which a model gives an answer that keeps to a JSON schema.

/// The name of that tool.
pub(super) const ANSWER: &str = "answer";
