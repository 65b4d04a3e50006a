//! The tools of a mission, as a model is told of them.

use serde_json::{Value, json};

pub use super::reader::HAND_IN_TOOL;
use super::reader::{CLEAR, set_from};
use crate::manifest::{EffectOp, Field, Registry, ToolRef};
use crate::policy::{Overrides, Policy};

/// A tool that a plan may use.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptTool {
    /// Its name.
    pub name: String,
    /// The purpose of the tool, in English.
    pub description: String,
    /// Whether a person decides, or it just happens.
    pub automatic: bool,
    /// JSON Schema of its parameters.
    pub params_schema: Value,
}

impl PromptTool {
    /// The tools that a mission may use in a plan: those that change something, as far as the policy allows.
    pub fn all(registry: &Registry, overrides: &Overrides) -> Vec<PromptTool> {
        PromptTool::some(registry, overrides, false)
    }

    /// The tools that read, as far as the policy allows, for a model that calls tools while it plans.
    pub fn reads(registry: &Registry, overrides: &Overrides) -> Vec<PromptTool> {
        PromptTool::some(registry, overrides, true)
    }

    fn some(registry: &Registry, overrides: &Overrides, reads: bool) -> Vec<PromptTool> {
        registry
            .allowed(overrides)
            .into_iter()
            .filter(|(tool, _)| (tool.tool.effect.op == EffectOp::Query) == reads)
            .map(|(tool, policy)| PromptTool {
                name: tool.tool.name.clone(),
                description: tool.tool.description.clone(),
                automatic: policy == Policy::Auto,
                params_schema: params_schema(tool),
            })
            .collect()
    }
}

/// The JSON Schema of a tool's parameters for a model. A null is no value there, because models that fill in every
/// parameter would empty what they have nothing to say about; fields are emptied by name (rule MISSIONS A11).
fn params_schema(tool: ToolRef<'_>) -> Value {
    let mut schema = tool.params_schema();
    let Some(properties) = schema["properties"].as_object_mut() else {
        return schema;
    };
    for property in properties.values_mut() {
        if let Some(kind) = property["type"].as_array().and_then(|kinds| kinds.first()) {
            property["type"] = kind.clone();
        }
        if let Some(values) = property.get_mut("enum").and_then(Value::as_array_mut) {
            values.retain(|value| !value.is_null());
        }
    }
    let emptied: Vec<&str> = emptied(tool);
    if !emptied.is_empty() && !properties.contains_key(CLEAR) {
        let clear = json!({"type": "array", "items": {"type": "string", "enum": emptied},
            "description": "Fields to be emptied. The summary says so."});
        properties.insert(CLEAR.to_owned(), clear);
    }
    schema
}

/// The parameters whose fields a call may empty.
fn emptied(tool: ToolRef<'_>) -> Vec<&str> {
    if tool.tool.effect.op != EffectOp::Update {
        return Vec::new();
    }
    let set = tool
        .tool
        .effect
        .set
        .iter()
        .filter(|(_, value)| value.is_string());
    let optional = set.filter_map(|(field, value)| {
        let param = set_from(value)?;
        let is_required = |field: Option<&Field>| field.is_none_or(|field| field.required);
        let fixed =
            is_required(tool.table.fields.get(field)) || is_required(tool.tool.params.get(param));
        (!fixed).then_some(param)
    });
    optional.collect()
}
