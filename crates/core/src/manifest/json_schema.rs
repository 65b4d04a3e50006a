//! A tool's parameters as a JSON Schema, the form in which models know tools.
//!
//! A model writes parameters in the order in which it reads them, so that the properties keep the manifest's order.

use indexmap::IndexMap;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    field_kind::{Example, JsonKeywords},
    query_context::QueryContext,
    tool_ref::ToolRef,
    types::Field,
};

/// A JSON Schema with its properties in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// The type of the value.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// The format of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'static str>,
    /// The meaning of the value, in English.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The values to choose from.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The smallest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Value>,
    /// The greatest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Value>,
    /// The fewest characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// The most items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<usize>,
    /// The schema of each item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Schema>>,
    /// Schemas of which one holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<Schema>,
    /// The schemas of an object's members, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<IndexMap<String, Schema>>,
    /// The members that an object always has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// Whether an object may have other members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_properties: Option<bool>,
}

impl Schema {
    /// A text.
    pub fn text(description: &str) -> Schema {
        Schema {
            kind: Some("string"),
            description: description.to_owned(),
            ..Schema::default()
        }
    }

    /// An object with these members and no others.
    pub fn object(
        properties: impl IntoIterator<Item = (String, Schema)>,
        required: Vec<String>,
    ) -> Schema {
        Schema {
            kind: Some("object"),
            properties: Some(properties.into_iter().collect()),
            required: Some(required),
            additional_properties: Some(false),
            ..Schema::default()
        }
    }
}

impl ToolRef<'_> {
    /// The JSON Schema of the tool's parameters, for the model. Values that a person's form would bound by length are
    /// not bounded here: the check says so where a text is too long. Examples are of the day and in the zone of `at`.
    pub fn params_schema(self, at: &QueryContext) -> Schema {
        let declared = &self.tool.params;
        let properties = declared
            .iter()
            .map(|(name, field)| (name.clone(), property(field, at)));
        let required = declared
            .iter()
            .filter(|(_, field)| field.required)
            .map(|(name, _)| name.clone());
        Schema::object(properties, required.collect())
    }
}

fn property(field: &Field, at: &QueryContext) -> Schema {
    let row = field.kind.kind();
    let said = field.description.as_deref().unwrap_or_default();
    let description = match row.example.and_then(|example| example.at(at)) {
        Some(example) => format!("{said} Like {example}."),
        None => said.to_owned(),
    };
    let number = |bound: Option<f64>| {
        let bound = bound.filter(|_| row.bounds.has_min())?;
        Some(crate::merge::normalize(&json!(bound)))
    };
    let mut schema = Schema {
        kind: row.json_type,
        format: row
            .json_format
            .filter(|_| row.example != Some(Example::LocalTime)),
        description,
        minimum: number(field.min),
        maximum: number(field.max),
        ..Schema::default()
    };
    match row.json_keywords {
        JsonKeywords::None | JsonKeywords::NotEmpty => {}
        JsonKeywords::Values => {
            let values = field.values.iter();
            schema.values = values.map(|value| value.value().to_owned()).collect();
        }
        JsonKeywords::Words => schema.items = Some(Box::new(Schema::text(""))),
    }
    schema
}

impl Example {
    /// The example as it is told on a day: a time of the next morning on the person's wall clock. Days need none,
    /// because the format says it.
    pub fn at(self, at: &QueryContext) -> Option<String> {
        let now = Timestamp::from_microsecond(at.now.0).unwrap_or_default();
        let tomorrow = at.zone.to_datetime(now).date().checked_add(1.day()).ok()?;
        match self {
            Example::Day => None,
            Example::LocalTime => Some(format!("{tomorrow} 09:00")),
            Example::TimeOfDay => Some("08:30".to_owned()),
            Example::Rule => Some("FREQ=WEEKLY;BYDAY=MO".to_owned()),
        }
    }
}
