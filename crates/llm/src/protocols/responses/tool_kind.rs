//! The kinds of tools that a client runs itself, and how each is carried: as a function, whose call is put back into
//! the item that the client expects.

use serde_json::{Value, json};

use crate::wire::json_text;

/// A kind of tool.
pub(super) struct ToolKind {
    /// The tool's `type`.
    pub kind: &'static str,
    /// The `type` of a call of it.
    pub call: &'static str,
    /// The `type` of what the call gave.
    pub output: &'static str,
    /// The field of a call that holds what the model wrote; its `id` begins with the second text.
    pub field: &'static str,
    pub id: &'static str,
    /// The name of the function, where the tool has no name of its own, with its description and parameters.
    pub fixed: Option<(&'static str, &'static str, &'static str)>,
}

/// The tools with a name and parameters of their own.
pub(super) const FUNCTION: ToolKind = ToolKind {
    kind: "function",
    call: "function_call",
    output: "function_call_output",
    field: "arguments",
    id: "fc_",
    fixed: None,
};

/// A tool whose input is a text of any form.
pub(super) const CUSTOM: ToolKind = ToolKind {
    kind: "custom",
    call: "custom_tool_call",
    output: "custom_tool_call_output",
    field: "input",
    id: "ctc_",
    fixed: None,
};

/// Every kind.
pub(super) const KINDS: [ToolKind; 6] = [
    FUNCTION,
    CUSTOM,
    ToolKind {
        kind: "local_shell",
        call: "local_shell_call",
        output: "local_shell_call_output",
        field: "action",
        id: "lsh_",
        fixed: Some((
            "local_shell",
            "Runs a command on the user's computer.",
            concat!(
                r#"{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"#,
                r#""description":"The program and its arguments"},"working_directory":{"type":"string"},"#,
                r#""timeout_ms":{"type":"integer"}},"required":["command"]}"#,
            ),
        )),
    },
    ToolKind {
        kind: "shell",
        call: "shell_call",
        output: "shell_call_output",
        field: "action",
        id: "sh_",
        fixed: Some((
            "shell",
            "Runs shell commands on the user's computer.",
            concat!(
                r#"{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"}},"#,
                r#""timeout_ms":{"type":"integer"},"max_output_length":{"type":"integer"}},"required":["commands"]}"#,
            ),
        )),
    },
    ToolKind {
        kind: "apply_patch",
        call: "apply_patch_call",
        output: "apply_patch_call_output",
        field: "operation",
        id: "apc_",
        fixed: Some((
            "apply_patch",
            "Creates, updates or deletes a file of the user's.",
            concat!(
                r#"{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","#,
                r#""delete_file"]},"path":{"type":"string"},"diff":{"type":"string","#,
                r#""description":"A V4A diff; left out to delete"}},"required":["type","path"]}"#,
            ),
        )),
    },
    ToolKind {
        kind: "tool_search",
        call: "tool_search_call",
        output: "tool_search_output",
        field: "arguments",
        id: "tsc_",
        fixed: Some((
            "tool_search",
            "Searches for more tools.",
            r#"{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}"#,
        )),
    },
];

/// Tools that run at OpenAI. Clients add these to requests by themselves and do without them.
const LEFT_OUT: [&str; 3] = ["web_search", "image_generation", "tool_search"];
/// Tools that run at OpenAI, without which a request makes no sense.
const REFUSED: [&str; 5] = [
    "file_search",
    "code_interpreter",
    "computer",
    "mcp",
    "programmatic_tool_calling",
];
/// Items that tell of calls which OpenAI made itself; the words after them speak of these.
pub(super) const TOLD: [&str; 9] = [
    "code_interpreter_call",
    "computer_call",
    "computer_call_output",
    "file_search_call",
    "image_generation_call",
    "mcp_approval_request",
    "mcp_call",
    "mcp_list_tools",
    "web_search_call",
];

/// The name of a tool of OpenAI's own that is left out.
pub(super) fn left_out(kind: &str) -> Option<&'static str> {
    LEFT_OUT.into_iter().find(|known| kind.starts_with(known))
}

/// Whether OpenAI runs a tool itself.
pub(super) fn is_openais(kind: &str) -> bool {
    let known = LEFT_OUT.iter().chain(&REFUSED);
    known.into_iter().any(|known| kind.starts_with(known))
}

impl ToolKind {
    /// The kind of a tool.
    pub fn of_tool(kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|known| known.kind == kind)
    }

    /// The kind whose call an item is.
    pub fn of_call(item: &str) -> Option<&'static Self> {
        KINDS.iter().find(|known| known.call == item)
    }

    /// The kind whose output an item is.
    pub fn of_output(item: &str) -> Option<&'static Self> {
        KINDS.iter().find(|known| known.output == item)
    }

    /// The arguments of the function for the field of a call.
    pub fn to_arguments(&self, said: &str) -> String {
        let value: Option<Value> = serde_json::from_str(said).ok();
        match (self.kind, value) {
            ("function", Some(Value::String(text))) => text,
            ("custom", Some(Value::String(text))) => format!(r#"{{"input":{}}}"#, json_text(&text)),
            (_, Some(Value::Object(_))) => said.to_owned(),
            _ => "{}".to_owned(),
        }
    }

    /// The field of a call for the arguments of the function.
    pub fn of_arguments(&self, arguments: &str) -> Value {
        let object = || match serde_json::from_str(arguments) {
            Ok(Value::Object(object)) => object,
            _ => serde_json::Map::new(),
        };
        match self.kind {
            "function" if arguments.trim().is_empty() => "{}".into(),
            "function" => arguments.into(),
            // A model that doesn't write the object has written the text itself.
            "custom" => match object().remove("input") {
                Some(Value::String(text)) => text.into(),
                _ => arguments.into(),
            },
            "local_shell" => {
                let mut action = object();
                action.insert("type".to_owned(), "exec".into());
                action.entry("env").or_insert(json!({}));
                action.into()
            }
            _ => object().into(),
        }
    }

    /// Whether calls say that they are complete.
    pub fn has_status(&self) -> bool {
        self.kind != "custom"
    }
}
