//! The canonical form of JSON values, by which every tie of the merge is broken (M7).

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::Gather;

/// Orders two values by their canonical JSON; equal values, the usual case, cost no text.
pub(super) fn by_canonical(a: &Value, b: &Value) -> Ordering {
    if a == b {
        Ordering::Equal
    } else {
        canonical(a).cmp(&canonical(b))
    }
}

/// The canonical JSON of a value (RFC 8785), the tie-break of every rule.
pub fn canonical(value: &Value) -> String {
    // Only a map with keys that are no text can fail, and JSON has none.
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// The value with every number in its one form: a double, whole ones up to 2^53 as integers (M7).
pub fn normalize(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(normal_number(number)),
        Value::Array(elements) => elements.iter().map(normalize).collect(),
        Value::Object(object) => {
            let values = object.iter();
            let values = values.map(|(key, value)| (key.clone(), normalize(value)));
            Value::Object(values.gather())
        }
        _ => value.clone(),
    }
}

fn normal_number(number: &Number) -> Number {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let Some(double) = number.as_f64() else {
        return number.clone();
    };
    if double.fract() == 0.0 && double.abs() < EXACT {
        Number::from(double as i64)
    } else {
        Number::from_f64(double).unwrap_or_else(|| number.clone())
    }
}
