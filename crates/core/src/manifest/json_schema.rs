//! A tool's parameters as a JSON Schema, the form in which models know tools.

use serde_json::{Value, json};

use super::{
    field_kind::JsonKeywords,
    tool_ref::ToolRef,
    types::{EffectOp, EnumValue, Field},
};
use crate::Map;

impl ToolRef<'_> {
    /// Returns the JSON Schema of the tool's parameters, for the model.
    pub fn params_schema(self) -> Value {
        params(self)
    }
}

fn params(tool: ToolRef<'_>) -> Value {
    let declared = &tool.tool.params;
    let update = tool.tool.effect.op == EffectOp::Update;
    let properties: Map = declared
        .iter()
        .map(|(name, field)| (name.clone(), property(field, update && !field.required)))
        .collect();
    let required: Vec<_> = declared
        .iter()
        .filter(|(_, field)| field.required)
        .map(|(name, _)| name)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(field: &Field, nullable: bool) -> Value {
    let row = field.kind.kind();
    let mut schema = Map::new();
    if let Some(kind) = row.json_type {
        schema.insert(
            "type".into(),
            if nullable {
                json!([kind, "null"])
            } else {
                kind.into()
            },
        );
    }
    if let Some(format) = row.json_format {
        schema.insert("format".into(), format.into());
    }
    let said = field.description.as_deref().unwrap_or_default();
    let description = match row.example {
        Some(example) => format!("{said} Like {example}."),
        None => said.to_owned(),
    };
    schema.insert("description".into(), description.into());
    let bounds = row.bounds.keywords();
    for (word, bound) in [(bounds.0, field.min), (bounds.1, field.max)] {
        if let Some(bound) = bound {
            schema.insert(word.into(), crate::merge::normalize(&json!(bound)));
        }
    }
    match row.json_keywords {
        JsonKeywords::None => {}
        JsonKeywords::Values => {
            let mut values: Vec<Value> = field
                .values
                .iter()
                .map(EnumValue::value)
                .map(Value::from)
                .collect();
            values.extend(nullable.then_some(Value::Null));
            schema.insert("enum".into(), values.into());
        }
        JsonKeywords::NotEmpty => {
            schema.insert("minLength".into(), 1.into());
        }
        JsonKeywords::Words => {
            schema.insert("items".into(), json!({ "type": "string" }));
        }
    }
    Value::Object(schema)
}
