//! Reading the fields of a record whose data may hold anything.

use serde_json::Value;

use crate::{Map, problem::Problem};

pub(super) fn present<'a>(data: &'a Map, field: &str) -> Option<&'a Value> {
    data.get(field).filter(|value| !value.is_null())
}

pub(super) fn text(data: &Map, field: &str, problems: &mut Vec<Problem>) -> Option<String> {
    match present(data, field)? {
        Value::String(text) => Some(text.clone()),
        _ => {
            problems.push(Problem::new(
                field,
                "invalid",
                format!("{field} is not text."),
            ));
            None
        }
    }
}

pub(super) fn count(data: &Map, field: &str, problems: &mut Vec<Problem>) -> Option<u32> {
    let value = present(data, field)?;
    let number = value
        .as_f64()
        .filter(|n| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n));
    if number.is_none() {
        problems.push(Problem::new(
            field,
            "range",
            format!("{field} must be a whole number from 0."),
        ));
    }
    number.map(|n| n as u32)
}

pub(super) fn list<'a>(data: &'a Map, field: &str, problems: &mut Vec<Problem>) -> &'a [Value] {
    match present(data, field) {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(_) => {
            problems.push(Problem::new(
                field,
                "invalid",
                format!("{field} is not a list."),
            ));
            &[]
        }
    }
}

/// The objects in a list of an object.
pub(crate) fn objects<'a>(object: &'a Map, name: &str) -> impl Iterator<Item = &'a Map> {
    object
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}
