//! Lists of models in Anthropic's shape.

use serde_json::{Value, json};

use crate::wire::{Model, ModelList};

/// A list of models.
pub(crate) fn listed(list: &ModelList) -> Value {
    let models: Vec<Value> = list.data.iter().map(named).collect();
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    json!({
        "first_id": id(models.first()), "last_id": id(models.last()), "has_more": false, "data": models,
    })
}

/// A model.
pub(crate) fn named(model: &Model) -> Value {
    // Most providers don't say since when there is a model.
    json!({ "type": "model", "id": model.id, "display_name": model.id, "created_at": "1970-01-01T00:00:00Z" })
}
