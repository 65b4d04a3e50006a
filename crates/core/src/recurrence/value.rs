//! A recurrence as the value of a field: a series of whole days.

use serde_json::Value;

use super::series::{Series, Stored};
use crate::calendar::Day;
use crate::merge;
use crate::problem::Problem;

/// The day from which the value of a field is read where neither it nor its record names one.
const NO_DAY: Day = Day(0);

/// The parts of a value that this version knows.
const PARTS: [&str; 4] = ["rule", "start", "exdates", "from"];

/// Returns the problem of a field's value: a recurrence of whole days, or the text of a rule alone.
pub(crate) fn value_problem(value: &Value) -> Option<Problem> {
    let series = match Series::parse(value, NO_DAY) {
        Ok(series) => series,
        Err(problem) => return Some(problem),
    };
    series.start.second.map(|_| {
        let message =
            "A recurrence here has whole days. Write its start as a day, such as 2026-12-05.";
        Problem::new("start", "invalid", message)
    })
}

/// A field's value as a record keeps it: the rule in its one form, and the start as a day where there is one. Parts
/// that this version does not know stay.
pub(crate) fn stored(value: &Value) -> Value {
    let (Ok(series), Ok(given)) = (Series::parse(value, NO_DAY), Stored::parse(value)) else {
        return merge::normalize(value);
    };
    let mut written = series.stored();
    if let Some(parts) = written.as_object_mut().filter(|_| given.start.is_none()) {
        parts.remove("start");
    }
    with_unknown_parts(written, value)
}

impl Series {
    /// The value of a field whose series goes on as this one: the parts of its value that this version does not know
    /// stay.
    pub fn value_after(&self, value: &Value) -> Value {
        with_unknown_parts(self.stored(), value)
    }
}

/// A written value with the parts of another one that this version does not know.
fn with_unknown_parts(mut written: Value, value: &Value) -> Value {
    if let Some(parts) = written.as_object_mut() {
        let unknown = value.as_object().into_iter().flatten();
        let unknown = unknown.filter(|(name, _)| !PARTS.contains(&name.as_str()));
        parts.extend(unknown.map(|(name, part)| (name.clone(), part.clone())));
    }
    merge::normalize(&written)
}

/// A field's value as a line of text: the rule where that is all, else the value as JSON.
pub(crate) fn value_text(value: &Value) -> String {
    let rule = value.get("rule").and_then(Value::as_str);
    match (value.as_object(), rule) {
        (Some(parts), Some(rule)) if parts.len() == 1 => rule.to_owned(),
        (None, _) if value.is_string() => value.as_str().unwrap_or_default().to_owned(),
        _ => value.to_string(),
    }
}
