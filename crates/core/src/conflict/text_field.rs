//! Which values are texts, of which none is lost without being kept (X1).

use serde_json::Value;

use crate::{change::Change, merge::TableSchema, record::RecordState};

/// Characters above which a value of any other field than a Markdown field counts as a text.
const LONG: usize = 200;

/// Whether a field's value is a text: that of a Markdown field, or one of more than 200 characters.
pub fn is_text(schema: &TableSchema, field: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => {
            schema.markdown.contains(field) || (text.len() > LONG && text.chars().count() > LONG)
        }
        _ => false,
    }
}

/// Whether a change writes a text, or into a field of texts.
pub fn writes_text(schema: &TableSchema, change: &Change) -> bool {
    let writes = change.writes();
    let mut writes = writes.iter();
    writes.any(|write| {
        schema.markdown.contains(write.field) || is_text(schema, write.field, &write.value)
    })
}

/// Whether a change writes over a text, or a text over a value, that it does not name as the one that it replaces.
pub fn unseen_texts(schema: &TableSchema, state: Option<&RecordState>, change: &Change) -> bool {
    let Some(state) = state else { return false };
    change.writes().iter().any(|write| {
        let (present, stamp) = (state.data.get(write.field), state.meta.get(write.field));
        let (Some(present), Some(stamp)) = (present, stamp) else {
            return false;
        };
        let text =
            is_text(schema, write.field, present) || is_text(schema, write.field, &write.value);
        let base = change.fields.get(write.field).and_then(|field| field.base);
        text && !schema.lists.contains_key(write.field) && base != Some(stamp.at)
    })
}
