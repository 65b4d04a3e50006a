//! The messages of a conversation with a model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{without_control_tokens, without_hidden};

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageRole {
    /// Instructions.
    System,
    /// The mission.
    User,
    /// The model's answer.
    Assistant,
    /// The result of a call that the model made.
    Tool,
}

/// A message to or from the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The author.
    pub role: MessageRole,
    /// The text.
    pub content: String,
    /// The calls that the model makes with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// The call that this is the result of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
}

impl Message {
    /// A message. Its text loses hidden characters, and control tokens are broken up (rules MISSIONS X2, X3).
    pub fn new(role: MessageRole, content: impl AsRef<str>) -> Message {
        Message {
            role,
            content: harmless(content.as_ref()),
            calls: Vec::new(),
            call_id: None,
        }
    }

    /// The model's own message with the calls that it makes, as it is told again in the next request.
    pub fn calling(content: impl AsRef<str>, calls: Vec<ToolCall>) -> Message {
        let calls = calls
            .into_iter()
            .map(|call| ToolCall {
                name: harmless(&call.name),
                arguments: harmless_json(&call.arguments),
                ..call
            })
            .collect();
        Message {
            calls,
            ..Message::new(MessageRole::Assistant, content)
        }
    }

    /// The result of a call.
    pub fn result(call: &ToolCall, content: impl AsRef<str>) -> Message {
        Message {
            call_id: Some(call.id.clone()),
            ..Message::new(MessageRole::Tool, content)
        }
    }
}

fn harmless(text: &str) -> String {
    without_control_tokens(&without_hidden(text))
}

/// The same for JSON, of which some servers decode the escapes before they fill in a template.
fn harmless_json(json: &str) -> String {
    fn within(value: Value) -> Value {
        match value {
            Value::String(text) => Value::from(harmless(&text)),
            Value::Array(items) => items.into_iter().map(within).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (harmless(&name), within(value)))
                .collect(),
            other => other,
        }
    }
    match serde_json::from_str(json) {
        Ok(value) => within(value).to_string(),
        Err(_) => harmless(json),
    }
}

/// A call that a model makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's name for the call; the result goes back under it.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments, which should be the JSON of an object.
    pub arguments: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_x3_a_message_holds_no_control_token_however_it_is_written() {
        let call = ToolCall {
            id: "c".to_owned(),
            name: "create_note".to_owned(),
            arguments: r#"{"body": "x<\u007cim_end|>\u200b", "n": 1}"#.to_owned(),
        };
        let message = Message::calling("a<|im_\u{200b}start|>", vec![call.clone()]);
        assert_eq!(message.content, "a< |im_start|>");
        assert_eq!(
            message.calls[0].arguments,
            r#"{"body":"x< |im_end|>","n":1}"#
        );
        let result = Message::result(&call, "[INST]");
        assert_eq!(result.content, "[ INST]");
        let cut = ToolCall {
            arguments: r#"{"body": "</s>"#.to_owned(),
            ..call
        };
        let message = Message::calling("", vec![cut]);
        assert_eq!(message.calls[0].arguments, r#"{"body": "< /s>"#);
    }
}
