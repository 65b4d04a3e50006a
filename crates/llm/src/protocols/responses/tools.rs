//! The tools of a request, as functions.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tool_kind::{CUSTOM, FUNCTION, ToolKind, is_openais, left_out};
use crate::error::{GatewayError, Result};
use crate::wire::{Object, RawJson, json_text};

/// The longest name of a function that every server takes.
const NAME_CHARS: usize = 64;

/// A tool as its client knows it.
#[derive(Clone)]
pub(super) struct KnownTool {
    pub kind: &'static ToolKind,
    pub namespace: Option<String>,
    pub name: String,
}

/// The tools of a request.
#[derive(Default)]
pub(super) struct Tools {
    /// By the name of the function.
    known: BTreeMap<String, KnownTool>,
    /// The functions as JSON, in order.
    functions: Vec<(String, String)>,
    /// The kinds of tools that are left out.
    pub left_out: Vec<&'static str>,
}

fn wrong(message: String) -> GatewayError {
    GatewayError::invalid(Some("tools"), message)
}

/// The name of the function for a tool: letters, digits, `_` and `-`, no more than every server takes.
pub(super) fn function_name(namespace: Option<&str>, name: &str) -> String {
    let whole = match namespace {
        Some(namespace) => format!("{namespace}__{name}"),
        None => name.to_owned(),
    };
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let plain: String = whole
        .chars()
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect();
    if plain == whole && plain.len() <= NAME_CHARS {
        return plain;
    }
    let hash = Sha256::digest(whole.as_bytes());
    let hash: String = hash
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept = plain.len().min(NAME_CHARS - 1 - hash.len());
    format!("{}_{hash}", &plain[..kept])
}

impl Tools {
    /// Adds a tool; a second one of the same name takes the place of the first.
    pub fn add(&mut self, given: &RawJson, namespace: Option<&str>) -> Result<()> {
        let tool = Object::read(given.text());
        let kind: Option<String> = tool.as_ref().and_then(|tool| tool.value("type"));
        let (Some(tool), Some(kind)) = (tool, kind) else {
            return Err(wrong("Each of `tools` needs a `type`".to_owned()));
        };
        let name: Option<String> = tool.value("name");
        if kind == "namespace" {
            let name =
                name.ok_or_else(|| wrong("A namespace of `tools` needs a `name`".to_owned()))?;
            let inner: Vec<RawJson> = tool.value("tools").unwrap_or_default();
            return inner
                .iter()
                .try_for_each(|inner| self.add(inner, Some(&name)));
        }
        let runs_at_client = match kind.as_str() {
            "tool_search" => tool.value("execution") == Some("client".to_owned()),
            "shell" => {
                let environment: Option<Value> = tool.value("environment");
                let kind = environment
                    .as_ref()
                    .and_then(|given| given["type"].as_str());
                !kind.is_some_and(|kind| kind.starts_with("container"))
            }
            _ => true,
        };
        let known = ToolKind::of_tool(&kind).filter(|_| runs_at_client);
        let Some(kind) = known else {
            return self.leave_out(&kind);
        };
        let name = match kind.fixed {
            Some((name, ..)) => name.to_owned(),
            None => name
                .ok_or_else(|| wrong(format!("A tool of the type {} needs a `name`", kind.kind)))?,
        };
        let function = function_name(namespace, &name);
        let json = function_json(&function, kind, &tool);
        let known = KnownTool {
            kind,
            namespace: namespace.map(str::to_owned),
            name,
        };
        if self.known.insert(function.clone(), known).is_some() {
            self.functions.retain(|(name, _)| *name != function);
        }
        self.functions.push((function, json));
        Ok(())
    }

    fn leave_out(&mut self, kind: &str) -> Result<()> {
        let Some(name) = left_out(kind) else {
            let reason = match is_openais(kind) {
                true => "runs at OpenAI, where this request doesn't go",
                false => "is not known here",
            };
            return Err(wrong(format!(
                "The tool {kind} {reason}; leave it out, or offer it as a function that your program runs"
            )));
        };
        if !self.left_out.contains(&name) {
            self.left_out.push(name);
        }
        Ok(())
    }

    /// The tool behind the name of a function; a function of that name where the request has none.
    pub fn known(&self, function: &str) -> KnownTool {
        let known = self.known.get(function).cloned();
        known.unwrap_or_else(|| KnownTool {
            kind: &FUNCTION,
            namespace: None,
            name: function.to_owned(),
        })
    }

    /// The functions as JSON; none where there are none.
    pub fn json(&self) -> Option<RawJson> {
        let functions: Vec<&str> = self
            .functions
            .iter()
            .map(|(_, json)| json.as_str())
            .collect();
        let json = format!("[{}]", functions.join(","));
        RawJson::of_text(&json).filter(|_| !functions.is_empty())
    }

    /// Which tool has to be called, in the words of Chat Completions. Of tools that are allowed alone, the others go.
    pub fn choose(&mut self, choice: &Value) -> Result<Value> {
        let Some(kind) = choice["type"].as_str() else {
            return Ok(choice.clone());
        };
        if kind == "allowed_tools" {
            let allowed = choice["tools"].as_array().into_iter().flatten();
            let allowed: Vec<String> = allowed.filter_map(name_of_choice).collect();
            self.functions.retain(|(name, _)| allowed.contains(name));
            return Ok(choice["mode"].clone());
        }
        let name = name_of_choice(choice).filter(|name| self.known.contains_key(name));
        let name = name.ok_or_else(|| {
            let message =
                format!("`tool_choice` names a tool of the type {kind} that is not among `tools`");
            GatewayError::invalid(Some("tool_choice"), message)
        })?;
        Ok(json!({"type": "function", "function": {"name": name}}))
    }
}

/// The name of the function for a choice.
fn name_of_choice(choice: &Value) -> Option<String> {
    let kind = ToolKind::of_tool(choice["type"].as_str()?)?;
    let name = match kind.fixed {
        Some((name, ..)) => name,
        None => choice["name"].as_str()?,
    };
    Some(function_name(choice["namespace"].as_str(), name))
}

/// The parameters of a tool whose input is a text.
const CUSTOM_PARAMETERS: &str = concat!(
    r#"{"type":"object","properties":{"input":{"type":"string","#,
    r#""description":"The whole input of the tool, as it is"}},"#,
    r#""required":["input"],"additionalProperties":false}"#,
);

fn function_json(name: &str, kind: &ToolKind, tool: &Object<'_>) -> String {
    let said = |field: &str| tool.value::<Option<String>>(field).flatten();
    let (mut description, mut parameters) = match kind.fixed {
        Some((_, description, parameters)) => (Some(description.to_owned()), parameters.to_owned()),
        None => (None, r#"{"type":"object","properties":{}}"#.to_owned()),
    };
    description = said("description").or(description);
    if let Some(given) = tool.get("parameters").filter(|given| *given != "null") {
        given.clone_into(&mut parameters);
    }
    let mut strict = "";
    if kind.kind == CUSTOM.kind {
        let format: Option<Value> = tool.value("format");
        description = Some(with_format(description.unwrap_or_default(), format));
        CUSTOM_PARAMETERS.clone_into(&mut parameters);
    } else {
        strict = match tool.value("strict") {
            Some(true) => r#","strict":true"#,
            Some(false) => r#","strict":false"#,
            None => "",
        };
    }
    let description = description.map_or_else(String::new, |description| {
        format!(r#","description":{}"#, json_text(&description))
    });
    format!(
        r#"{{"type":"function","function":{{"name":{}{description},"parameters":{parameters}{strict}}}}}"#,
        json_text(name)
    )
}

/// The description of a tool with the form of its input, which a function's parameters can't hold.
fn with_format(description: String, format: Option<Value>) -> String {
    let format = format.unwrap_or_default();
    let definition = format["definition"].as_str().unwrap_or_default();
    match definition.is_empty() {
        true => description,
        false => {
            let syntax = format["syntax"].as_str().unwrap_or("lark");
            format!(
                "{description}\n\nThe text in `input` keeps to this grammar ({syntax}):\n{definition}"
            )
        }
    }
}

#[cfg(test)]
#[path = "tools_tests.rs"]
mod tests;
