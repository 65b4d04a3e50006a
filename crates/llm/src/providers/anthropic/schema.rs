//! The schemas of tools, as Anthropic takes them.

use serde_json::Value;

use crate::wire::{Object, RawJson, json_text};

/// Where a schema says that its parts belong to one another. Anthropic refuses them in the schema of a tool itself.
const UNIONS: [&str; 3] = ["oneOf", "anyOf", "allOf"];

/// A schema, or another where there is none. Anthropic wants the type of an object in it, and its properties in the
/// schema itself.
pub(super) fn schema_or(schema: Option<RawJson>, other: Value) -> RawJson {
    let given = schema.and_then(|schema| {
        let mut object = Object::read(schema.text())?;
        let is_object = object.value::<Value>("type") == Some("object".into());
        let has_unions = UNIONS.iter().any(|union| object.get(union).is_some());
        if is_object && !has_unions {
            return Some(schema);
        }
        if !is_object {
            object.set("type", "\"object\"".to_owned());
        }
        if has_unions {
            join_unions(&mut object);
        }
        RawJson::of_text(&object.text())
    });
    given
        .or_else(|| RawJson::of(&other))
        .expect("a JSON value is JSON")
}

/// Puts the properties of a schema's unions into the schema itself. Of several by one name the first counts. Which of
/// them go together is for the tool to say.
fn join_unions(schema: &mut Object<'_>) {
    let mut properties: Vec<(String, String)> = Vec::new();
    let mut add = |schema: &Object<'_>| {
        let own = schema.get("properties").and_then(Object::read);
        for (name, text) in own.iter().flat_map(Object::fields) {
            if properties.iter().all(|(known, _)| known != name) {
                properties.push((name.to_owned(), text.to_owned()));
            }
        }
    };
    add(schema);
    for union in UNIONS {
        let parts = schema.items(union).unwrap_or_default();
        parts
            .iter()
            .filter_map(|part| Object::read(part.get()))
            .for_each(|part| add(&part));
    }
    for union in UNIONS {
        schema.remove(union);
    }
    let fields = properties
        .iter()
        .map(|(name, text)| format!("{}:{text}", json_text(name)));
    let fields = fields.collect::<Vec<_>>().join(",");
    schema.set("properties", format!("{{{fields}}}"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schema_of_a_tool_is_an_object_without_unions() {
        let text = json!({"type": "string"});
        for (parameters, sent) in [
            (
                json!({"type": ["object", "null"], "properties": {"a": text}}),
                json!({"type": "object", "properties": {"a": text}}),
            ),
            (
                json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object",
                "properties": {"a": text, "b": text}}),
                json!({"type": "object", "properties": {"a": text, "b": text}}),
            ),
            (
                json!({"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "a": text}},
                {"type": "object", "properties": {"kind": {"const": "b"}, "b": text}}], "$defs": {}}),
                json!({"$defs": {}, "type": "object", "properties": {"kind": {"const": "a"}, "a": text, "b": text}}),
            ),
            (
                json!({"allOf": "?"}),
                json!({"type": "object", "properties": {}}),
            ),
            (
                json!({"type": null, "a": 1}),
                json!({"type": "object", "a": 1}),
            ),
            (json!({}), json!({"type": "object"})),
            (json!("?"), json!({"other": 1})),
            // Inside the schema they are taken.
            (
                json!({"type": "object", "properties": {"a": {"anyOf": [text]}}}),
                json!({"type": "object", "properties": {"a": {"anyOf": [text]}}}),
            ),
        ] {
            let schema = schema_or(RawJson::of(&parameters), json!({"other": 1}));
            assert_eq!(schema.value(), sent, "{parameters}");
        }
    }
}
