//! Fields that are times: what begins and ends, takes a whole day, or is due.

use crate::Map;
use crate::manifest::{Field, Table, fold};

/// The formats of days and of instants in a JSON schema.
pub(super) const DAY: &str = "date";
pub(super) const INSTANT: &str = "date-time";

/// The format of a field in a JSON schema.
pub(super) fn format(field: &Field) -> Option<&'static str> {
    field.kind.kind().json_format
}

/// Words that begin the names of two fields which are a beginning and an end.
const SPANS: &[(&str, &str)] = &[
    ("starts", "ends"),
    ("start", "end"),
    ("begins", "ends"),
    ("begin", "end"),
    ("from", "until"),
    ("from", "to"),
];

/// The fields of a table that are a beginning and its end.
pub(super) fn span(table: &Table) -> Option<(&str, &str)> {
    let is_time = |field: &Field| matches!(format(field), Some(DAY | INSTANT));
    let fields: Vec<(&str, &Field)> = table
        .fields
        .iter()
        .filter(|(_, field)| is_time(field))
        .map(|(name, field)| (name.as_str(), field))
        .collect();
    SPANS.iter().find_map(|(begin, end)| {
        let (first, kind) = fields
            .iter()
            .find(|(name, _)| fold(name).starts_with(begin))?;
        let rest = fold(first)[begin.len()..].to_owned();
        let (last, _) = fields.iter().find(|(name, field)| {
            field.kind == kind.kind && fold(name) == format!("{end}{rest}")
        })?;
        Some((*first, *last))
    })
}

/// The boolean that says that the whole day is taken.
pub(super) const WHOLE_DAY: &str = "allDay";

/// Whether a record takes the whole day.
pub(super) fn is_whole_day(data: &Map) -> bool {
    data.get(WHOLE_DAY).is_some_and(|value| *value == true)
}

/// Words that begin the names of days on which something is to be done.
const AHEAD: &[&str] = &[
    "due",
    "deadline",
    "target",
    "remind",
    "scheduled",
    "planned",
];

/// Whether a field is a day on which something is to be done.
pub(super) fn is_due_field(field: &str) -> bool {
    let name = fold(field);
    AHEAD.iter().any(|word| name.starts_with(word))
}
