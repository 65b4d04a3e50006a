//! A tool's parameters as a JSON Schema, the form in which models know tools.

use serde_json::{Value, json};

use super::{
    tool_ref::ToolRef,
    types::{EffectOp, EnumValue, Field, FieldType},
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
    let (kind, format, example) = (row.json_type, row.json_format, row.example);
    let mut schema = Map::new();
    if !kind.is_empty() {
        schema.insert(
            "type".into(),
            if nullable {
                json!([kind, "null"])
            } else {
                kind.into()
            },
        );
    }
    if let Some(format) = format {
        schema.insert("format".into(), format.into());
    }
    let said = field.description.as_deref().unwrap_or_default();
    let description = match example {
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
    match field.kind {
        FieldType::Enum => {
            let mut values: Vec<Value> = field
                .values
                .iter()
                .map(EnumValue::value)
                .map(Value::from)
                .collect();
            values.extend(nullable.then_some(Value::Null));
            schema.insert("enum".into(), values.into());
        }
        FieldType::Ref => {
            schema.insert("minLength".into(), 1.into());
        }
        FieldType::Tags => {
            schema.insert("items".into(), json!({ "type": "string" }));
        }
        FieldType::Text
        | FieldType::Markdown
        | FieldType::Number
        | FieldType::Integer
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Datetime
        | FieldType::Time
        | FieldType::Url
        | FieldType::KeyedList
        | FieldType::Json => {}
    }
    Value::Object(schema)
}
