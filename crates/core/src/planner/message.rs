//! The messages of a conversation with a model.

use serde::{Deserialize, Serialize};

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
    /// A message.
    pub fn new(role: MessageRole, content: impl Into<String>) -> Message {
        Message {
            role,
            content: content.into(),
            calls: Vec::new(),
            call_id: None,
        }
    }

    /// The result of a call.
    pub fn result(call: &ToolCall, content: impl Into<String>) -> Message {
        Message {
            call_id: Some(call.id.clone()),
            ..Message::new(MessageRole::Tool, content)
        }
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
