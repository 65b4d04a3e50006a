//! The fields of a request that its response says again.

use serde_json::Value;

use crate::wire::{Extra, RawJson, json_text};

/// Fields with the value that they have where the request says nothing.
const ECHOED: [(&str, &str); 15] = [
    ("background", "false"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "1"),
    ("tool_choice", r#""auto""#),
    ("top_logprobs", "0"),
    ("top_p", "1"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// The fields as JSON, without braces.
pub(super) struct Echo(String);

impl Echo {
    /// The fields of a request.
    pub fn of(
        extra: &Extra,
        instructions: Option<&str>,
        tools: Option<&RawJson>,
        text: Option<&RawJson>,
    ) -> Self {
        let raw = |given: Option<&RawJson>, usual: &str| {
            let given = given.map(RawJson::text).filter(|given| *given != "null");
            given.unwrap_or(usual).to_owned()
        };
        let mut fields = vec![
            ("store", "false".to_owned()),
            (
                "instructions",
                instructions.map_or_else(|| "null".to_owned(), json_text),
            ),
            ("tools", raw(tools, "[]")),
            ("text", raw(text, r#"{"format":{"type":"text"}}"#)),
        ];
        for (field, usual) in ECHOED {
            let given = extra.get(field).filter(|given| !given.is_null());
            fields.push((
                field,
                given.map_or_else(|| usual.to_owned(), Value::to_string),
            ));
        }
        let fields = fields
            .iter()
            .map(|(name, json)| format!("{}:{json}", json_text(name)));
        Self(fields.collect::<Vec<_>>().join(","))
    }

    /// The fields as JSON, without braces.
    pub fn json(&self) -> &str {
        &self.0
    }
}
