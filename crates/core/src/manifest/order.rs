//! How values compare: in the condition of a query and in the order of a list.

use std::cmp::Ordering;

use serde_json::Value;

use super::{field_value::is_date, query_context::QueryContext};
use crate::time::Micros;

/// How the values of a kind compare. Each method names every order, so that a new one does not compile until it
/// is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By JSON type: numbers by size, texts by their characters.
    Plain,
    /// A line of text, equal without regard to case.
    Line,
    /// Instants; an instant also compares with a day.
    Instant,
    /// True or false; an unset value is false.
    Boolean,
    /// A set of words; a condition names one of them.
    Words,
}

impl Order {
    /// The value that a condition meets in a record without a value.
    pub(super) fn unset(self) -> Value {
        match self {
            // A box that was never ticked is not ticked.
            Order::Boolean => Value::Bool(false),
            Order::Plain | Order::Line | Order::Instant | Order::Words => Value::Null,
        }
    }

    /// Whether a field's value is the value of a condition.
    pub(super) fn same(self, value: &Value, wanted: &Value, context: &QueryContext) -> bool {
        match self {
            Order::Line if value.is_string() => folded(value) == folded(wanted),
            Order::Words if value.is_array() && wanted.is_string() => self.contains(value, wanted),
            Order::Plain | Order::Line | Order::Instant | Order::Boolean | Order::Words => self
                .compare(value, wanted, context)
                .map_or(value == wanted, Ordering::is_eq),
        }
    }

    /// Whether a field's value contains the value of a condition: a text a part of it, a set of words one of them.
    pub(super) fn contains(self, value: &Value, part: &Value) -> bool {
        let word = |text: &str, part: &str| text == part;
        match self {
            Order::Words => any_text(value, part, word),
            Order::Plain | Order::Line | Order::Instant | Order::Boolean => {
                contains_text(value, part)
            }
        }
    }

    /// The order of a field's value and the value of a condition; none where they can't be compared. A time lies
    /// before, in or after a day.
    pub(super) fn compare(
        self,
        value: &Value,
        wanted: &Value,
        context: &QueryContext,
    ) -> Option<Ordering> {
        match self {
            Order::Instant => match (value, wanted) {
                (Value::String(at), Value::String(wanted)) => compare_instants(at, wanted, context),
                _ => compare_by_type(value, wanted),
            },
            Order::Plain | Order::Line | Order::Boolean | Order::Words => {
                compare_by_type(value, wanted)
            }
        }
    }

    /// The order of two values in a list.
    pub(super) fn sort(self, a: &Value, b: &Value) -> Ordering {
        match self {
            Order::Instant => match (a, b) {
                (Value::String(x), Value::String(y)) => {
                    match (Micros::parse(x), Micros::parse(y)) {
                        (Ok(x), Ok(y)) => x.cmp(&y),
                        _ => x.cmp(y),
                    }
                }
                _ => sort_by_type(a, b),
            },
            Order::Plain | Order::Line | Order::Boolean | Order::Words => sort_by_type(a, b),
        }
    }
}

/// Whether a text, or a text of a list, contains another, whatever their case.
pub(super) fn contains_text(value: &Value, part: &Value) -> bool {
    any_text(value, part, |text, part| text.contains(part))
}

fn any_text(value: &Value, part: &Value, matches: fn(&str, &str) -> bool) -> bool {
    let Some(part) = folded(part) else {
        return false;
    };
    match value {
        Value::String(_) => folded(value).is_some_and(|text| matches(&text, &part)),
        Value::Array(tags) => tags
            .iter()
            .filter_map(folded)
            .any(|text| matches(&text, &part)),
        _ => false,
    }
}

fn folded(value: &Value) -> Option<String> {
    value.as_str().map(str::to_lowercase)
}

fn compare_instants(at: &str, wanted: &str, context: &QueryContext) -> Option<Ordering> {
    let at = Micros::parse(at).ok()?;
    if is_date(wanted) {
        let (start, end) = context.day(wanted)?;
        return Some(match at {
            at if at < start => Ordering::Less,
            at if at >= end => Ordering::Greater,
            _ => Ordering::Equal,
        });
    }
    Some(at.cmp(&Micros::parse(wanted).ok()?))
}

fn compare_by_type(value: &Value, wanted: &Value) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn sort_by_type(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a
            .as_f64()
            .partial_cmp(&b.as_f64())
            .unwrap_or(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => folded(a).cmp(&folded(b)),
    }
}
