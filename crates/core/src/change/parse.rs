//! Reading a change, and refusing it with a reason that a person can act on.

use std::{collections::BTreeMap, fmt::Display};

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::model::{Change, ChangeError, FieldWrite, Op};
use crate::{
    Map, json,
    merge::{ListSpec, TableSchema},
    time::Micros,
};

/// Levels of nesting that a value may have.
pub const MAX_DEPTH: usize = 64;
/// Bytes of text and structure that a change may have, counted roughly.
pub const MAX_BYTES: usize = 4 << 20;
const MAX_NAME: usize = 256;
const MAX_ID: usize = 512;

fn refuse<T>(reason: impl Display) -> Result<T, ChangeError> {
    Err(ChangeError {
        reason: reason.to_string(),
    })
}

impl Change {
    /// Reads a change from the wire (C1, C2).
    pub fn parse(value: Value) -> Result<Change, ChangeError> {
        let change = Change::structure(value)?;
        change.inspect()?;
        Ok(change)
    }

    /// Reads a change that a log holds: by every rule of [`Change::parse`] but that of size. A normalised change is
    /// larger than the same change as it was sent, and was measured at the door.
    pub fn read(value: Value) -> Result<Change, ChangeError> {
        let change = Change::structure(value)?;
        change.inspect_within(usize::MAX)?;
        Ok(change)
    }

    /// Checks the module's name, which a push may take from its address.
    pub fn check_app_id(app_id: &str) -> Result<(), ChangeError> {
        name("appId", app_id, MAX_NAME)
    }

    fn structure(value: Value) -> Result<Change, ChangeError> {
        let Value::Object(mut rest) = value else {
            return refuse("the change is no object; send {\"table\", \"id\", \"op\", …}");
        };
        let table = required(&mut rest, "table", "name the record's table")?;
        let op = required(&mut rest, "op", "say insert, update or delete")?;
        let id = match op.as_str() {
            "forget" => String::new(),
            _ => required(&mut rest, "id", "name the record")?,
        };
        let op = match op.as_str() {
            "insert" => Op::Insert,
            "update" => Op::Update,
            "delete" => Op::Delete,
            "forget" => Op::Forget,
            other => {
                return refuse(format!(
                    "`op` is \"{}\"; it must be insert, update or delete",
                    short(other)
                ));
            }
        };
        let mut change = Change::new(table, id, op);
        if op == Op::Forget {
            change.ids = forgotten(&mut rest)?;
        }
        change.event_id = text(&mut rest, "eventId")?;
        change.app_id = text(&mut rest, "appId")?;
        change.schema_version = match take(&mut rest, "schemaVersion") {
            None => None,
            Some(version) => match version.as_u64() {
                Some(version) => Some(version),
                None => return refuse("`schemaVersion` is no whole number from 0"),
            },
        };
        change.at = time(&mut rest, "at", "at")?;
        change.deleted_at = time(&mut rest, "deletedAt", "deletedAt")?;
        change.actor = match take(&mut rest, "actor") {
            None => None,
            Some(actor) => match json::from_value(actor) {
                Ok(actor) => Some(actor),
                Err(error) => {
                    return refuse(format!(
                        "`actor` can't be read ({error}); write {{\"kind\": \"user\"}}, \
                         {{\"kind\": \"ai\", \"missionId\", \"iterationId\", \"rationale\"}} or \
                         another object with a text as `kind`"
                    ));
                }
            },
        };
        change.data = object(&mut rest, "data")?;
        let fields = object(&mut rest, "fields")?;
        match op {
            Op::Insert if change.data.is_none() => {
                return refuse("`data` is missing; an insert has its values there");
            }
            Op::Update if fields.is_none() => {
                return refuse("`fields` is missing; an update has its values there");
            }
            Op::Update if change.data.is_some() => {
                return refuse("an update has its values in `fields`; leave `data` out");
            }
            Op::Forget if change.data.is_some() || fields.is_some() => {
                return refuse("a forget has no values; leave `data` and `fields` out");
            }
            Op::Delete if change.data.is_some() => {
                return refuse("a delete has no values; leave `data` out");
            }
            Op::Insert | Op::Update | Op::Forget if change.deleted_at.is_some() => {
                return refuse(
                    "only a delete has `deletedAt` beside `op`; write it as a field instead",
                );
            }
            _ => {}
        }
        let fields = fields.unwrap_or_default();
        match op {
            // The first client sends its soft delete along, which says nothing more.
            Op::Delete => change.deleted_at = change.deleted_at.or(deleted_at(fields)),
            Op::Insert | Op::Update => change.fields = field_writes(&mut change, fields)?,
            Op::Forget => {}
        }
        change.extra = rest;
        Ok(change)
    }

    /// Refuses NUL characters, empty or overlong names, and values too deep or too large (C2).
    pub(crate) fn inspect(&self) -> Result<(), ChangeError> {
        self.inspect_within(MAX_BYTES)
    }

    fn inspect_within(&self, max_bytes: usize) -> Result<(), ChangeError> {
        name("table", &self.table, MAX_NAME)?;
        for id in self.keys().map(|key| key.id) {
            name("id", &id, MAX_ID)?;
        }
        if let Some(id) = &self.event_id {
            name("eventId", id, MAX_NAME)?;
        }
        if let Some(id) = &self.app_id {
            Change::check_app_id(id)?;
        }
        let mut left = max_bytes;
        for (field, value) in self.data.iter().flatten() {
            name("data", field, MAX_NAME)?;
            walk(&format_args!("data.{field}"), value, 0, &mut left)?;
        }
        for (field, write) in &self.fields {
            name("fields", field, MAX_NAME)?;
            if let Some(value) = &write.value {
                walk(&format_args!("fields.{field}.value"), value, 0, &mut left)?;
            }
        }
        for (key, value) in &self.extra {
            name("change", key, MAX_NAME)?;
            walk(key, value, 0, &mut left)?;
        }
        if let Some(actor) = &self.actor {
            walk(
                &"actor",
                &serde_json::to_value(actor).unwrap_or_default(),
                0,
                &mut left,
            )?;
        }
        Ok(())
    }

    /// Refuses what a keyed list would leave out: no array, elements without `id`, and elements
    /// without the field that a bounded list is ordered by (L2, L7).
    pub fn check_lists(&self, schema: &TableSchema) -> Result<(), ChangeError> {
        for write in self.writes() {
            if let Some(spec) = schema.lists.get(write.field) {
                check_list(spec, write.field, &write.value)?;
            }
        }
        Ok(())
    }
}

/// The records that a change forgets.
fn forgotten(rest: &mut Map) -> Result<Vec<String>, ChangeError> {
    let ids = take(rest, "ids").and_then(|ids| serde_json::from_value(ids).ok());
    match ids {
        Some(ids) if !Vec::<String>::is_empty(&ids) => Ok(ids),
        _ => refuse("`ids` is missing; name the records to forget"),
    }
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Change, D::Error> {
        Change::read(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn check_list(spec: &ListSpec, path: &str, value: &Value) -> Result<(), ChangeError> {
    let elements = match value {
        Value::Null => return Ok(()),
        Value::Array(elements) => elements,
        _ => {
            return refuse(format!(
                "`{path}` is a keyed list; write an array of objects"
            ));
        }
    };
    for (index, element) in elements.iter().enumerate() {
        let Value::Object(element) = element else {
            return refuse(format!(
                "`{path}[{index}]` is no object; give it an `id` and fields"
            ));
        };
        if !element.get("id").is_some_and(Value::is_string) {
            return refuse(format!("`{path}[{index}].id` is missing; give it a text"));
        }
        if let (Some(_), Some(order)) = (spec.keep, &spec.order_by)
            && element.get(order).is_none_or(Value::is_null)
        {
            return refuse(format!(
                "`{path}[{index}].{order}` is missing; every write of the element carries it"
            ));
        }
        for (name, nested) in &spec.lists {
            if let Some(list) = element.get(name) {
                check_list(nested, &format!("{path}[{index}].{name}"), list)?;
            }
        }
    }
    Ok(())
}

/// The time in the `fields` of a delete.
fn deleted_at(mut fields: Map) -> Option<Micros> {
    let mut write = fields.remove("deletedAt")?;
    let write = write.as_object_mut()?;
    let times = ["value", "updatedAt", "at"];
    let mut times = times.into_iter().filter_map(|key| write.remove(key));
    times.find_map(|time| Micros::parse(time.as_str()?).ok())
}

fn field_writes(
    change: &mut Change,
    fields: Map,
) -> Result<BTreeMap<String, FieldWrite>, ChangeError> {
    let mut writes = BTreeMap::new();
    for (field, write) in fields {
        let Value::Object(mut write) = write else {
            return refuse(format!(
                "`fields.{}` is no object; write {{\"value\", \"updatedAt\"}}",
                short(&field)
            ));
        };
        let key = if write.contains_key("updatedAt") {
            "updatedAt"
        } else {
            "at"
        };
        let updated_at = time(&mut write, key, &format!("fields.{}.{key}", short(&field)))?;
        let base = time(
            &mut write,
            "base",
            &format!("fields.{}.base", short(&field)),
        )?;
        let mut value = write.remove("value");
        match change.op {
            // JavaScript leaves out what is undefined.
            Op::Update => value = value.or(Some(Value::Null)),
            Op::Insert | Op::Delete | Op::Forget => {
                let data = change.data.get_or_insert_default();
                match value.take() {
                    Some(value) => {
                        data.entry(field.clone()).or_insert(value);
                    }
                    None if !data.contains_key(&field) => {
                        return refuse(format!(
                            "`fields.{}` has a time but `data` has no such value",
                            short(&field)
                        ));
                    }
                    None => {}
                }
            }
        }
        let write = FieldWrite {
            value,
            updated_at,
            base,
        };
        writes.insert(field, write);
    }
    Ok(writes)
}

/// A field's value; null counts as missing.
fn take(from: &mut Map, key: &str) -> Option<Value> {
    from.remove(key).filter(|value| !value.is_null())
}

fn text(from: &mut Map, key: &str) -> Result<Option<String>, ChangeError> {
    match take(from, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => refuse(format!("`{key}` is no text; write it in quotes")),
    }
}

fn required(from: &mut Map, key: &str, what: &str) -> Result<String, ChangeError> {
    match text(from, key)? {
        Some(text) => Ok(text),
        None => refuse(format!("`{key}` is missing; {what}")),
    }
}

fn object(from: &mut Map, key: &str) -> Result<Option<Map>, ChangeError> {
    match take(from, key) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => refuse(format!("`{key}` is no object; write {{\"name\": …}}")),
    }
}

fn time(from: &mut Map, key: &str, path: &str) -> Result<Option<Micros>, ChangeError> {
    match take(from, key) {
        None => Ok(None),
        Some(Value::String(text)) => match Micros::parse(&text) {
            Ok(time) => Ok(Some(time)),
            Err(error) => refuse(format!("`{path}`: {error}")),
        },
        Some(_) => refuse(format!(
            "`{path}` is no text; write an RFC 3339 time in quotes"
        )),
    }
}

fn name(what: &str, name: &str, max: usize) -> Result<(), ChangeError> {
    let of = if matches!(what, "data" | "fields" | "change") {
        "a name in "
    } else {
        ""
    };
    if name.is_empty() {
        return refuse(format!("{of}`{what}` is empty; give it a text"));
    }
    if name.len() > max {
        return refuse(format!(
            "{of}`{what}` is longer than {max} bytes; shorten it"
        ));
    }
    if name.contains('\0') {
        return refuse(format!("{of}`{what}` holds a NUL character; remove it"));
    }
    Ok(())
}

fn walk(
    path: &dyn Display,
    value: &Value,
    depth: usize,
    left: &mut usize,
) -> Result<(), ChangeError> {
    if depth > MAX_DEPTH {
        return refuse(format!(
            "`{path}` is nested deeper than {MAX_DEPTH} levels; flatten it"
        ));
    }
    let mut spend = |bytes: usize| match left.checked_sub(bytes) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => refuse(format!(
            "the change is larger than {} MB (at `{path}`); split it",
            MAX_BYTES >> 20
        )),
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => spend(8),
        Value::String(text) => {
            if text.contains('\0') {
                return refuse(format!("`{path}` holds a NUL character; remove it"));
            }
            spend(text.len() + 3)
        }
        Value::Array(elements) => {
            spend(2)?;
            elements
                .iter()
                .try_for_each(|element| walk(path, element, depth + 1, left))
        }
        Value::Object(object) => {
            spend(2)?;
            object.iter().try_for_each(|(key, value)| {
                if key.contains('\0') {
                    return refuse(format!(
                        "a name in `{path}` holds a NUL character; remove it"
                    ));
                }
                match left.checked_sub(key.len() + 4) {
                    Some(rest) => *left = rest,
                    None => return walk(path, value, depth + 1, &mut 0),
                }
                walk(path, value, depth + 1, left)
            })
        }
    }
}

/// The beginning of a text that somebody else wrote, for an error message.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
