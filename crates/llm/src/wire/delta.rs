//! A piece of a streamed answer, as far as it matters whether it says something.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::Told;

/// A change of a message.
#[derive(Default)]
pub(crate) struct Delta {
    /// The model's words.
    pub content: Told,
    /// The pieces of calls in it.
    pub calls: Vec<CallPiece>,
    /// There is more than a role in it.
    pub says_something: bool,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum DeltaField {
    Content,
    Role,
    ToolCalls,
    #[serde(other)]
    Other,
}

/// A piece of a call.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CallPiece {
    /// The call's place among those of its choice.
    pub index: Value,
    /// The call's id, in its first piece.
    pub id: Told,
    /// The name of the function, in the first piece, and more of its arguments.
    pub function: Value,
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DeltaVisitor)
    }
}

struct DeltaVisitor;

impl<'de> Visitor<'de> for DeltaVisitor {
    type Value = Delta;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Delta, A::Error> {
        let mut delta = Delta::default();
        while let Some(field) = fields.next_key()? {
            match field {
                DeltaField::Role => drop(fields.next_value::<IgnoredAny>()?),
                DeltaField::ToolCalls => {
                    let calls: Option<Vec<CallPiece>> = fields.next_value()?;
                    delta.calls = calls.unwrap_or_default();
                    delta.says_something |= !delta.calls.is_empty();
                }
                DeltaField::Content => {
                    delta.content = fields.next_value()?;
                    delta.says_something |= !matches!(delta.content, Told::Null | Told::Empty);
                }
                DeltaField::Other => {
                    let told = fields.next_value()?;
                    delta.says_something |= !matches!(told, Told::Null | Told::Empty);
                }
            }
        }
        Ok(delta)
    }
}

#[derive(Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    finish_reason: Told,
    delta: Option<Delta>,
}

/// Whether a chunk is more than the beginning of an answer: servers name its role before they know whether they have
/// one. A chunk that can't be read is.
pub(crate) fn says_something(chunk: &[u8]) -> bool {
    let chunk: Result<Chunk, _> = serde_json::from_slice(chunk);
    chunk.map_or(true, |chunk| {
        chunk.choices.iter().any(|choice| {
            let delta = choice.delta.as_ref();
            choice.finish_reason == Told::Text || delta.is_none_or(|delta| delta.says_something)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_says_nothing_and_anything_else_does() {
        for (choices, says) in [
            (r#"[]"#, false),
            (r#"[{"delta":{"role":"assistant"}}]"#, false),
            (
                r#"[{"delta":{"role":"assistant","content":""},"finish_reason":null}]"#,
                false,
            ),
            (
                r#"[{"delta":{"role":"assistant","content":null,"tool_calls":[]}}]"#,
                false,
            ),
            (r#"[{"delta":{"reasoning":"","refusal":null}}]"#, false),
            (r#"[{"delta":{"content":"a"}}]"#, true),
            (r#"[{"delta":{"reasoning_content":"a"}}]"#, true),
            (r#"[{"delta":{"tool_calls":[{"index":0}]}}]"#, true),
            (r#"[{"delta":{},"finish_reason":"stop"}]"#, true),
            (r#"[{"delta":{"audio":{"id":"x"}}}]"#, true),
            (r#"[{"text":"a"}]"#, true),
            (r#"7"#, true),
        ] {
            let chunk = format!(r#"{{"id":"c","choices":{choices}}}"#);
            assert_eq!(says_something(chunk.as_bytes()), says, "{chunk}");
        }
    }
}
