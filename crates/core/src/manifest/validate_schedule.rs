//! The rules of a table's schedule (D9).

use super::{
    field_kind::{Example, FieldKind, PromptText},
    types::Table,
};

/// A part of a schedule: its name, the field that it names, whether a kind fits, and the name of that kind.
type Part<'a> = (
    &'static str,
    Option<&'a String>,
    fn(&FieldKind) -> bool,
    &'static str,
);

/// The faults of a table's schedule, each with its part: the fields are the table's, each of its kind, and what
/// repeats can be ticked.
pub(super) fn schedule_faults(table: &Table) -> Vec<(&'static str, String)> {
    let Some(schedule) = &table.schedule else {
        return Vec::new();
    };
    let parts: [Part<'_>; 4] = [
        ("day", Some(&schedule.day), is_day, "date"),
        ("time", schedule.time.as_ref(), is_time, "time"),
        ("minutes", schedule.minutes.as_ref(), is_number, "integer"),
        (
            "recurrence",
            schedule.recurrence.as_ref(),
            repeats,
            "recurrence",
        ),
    ];
    let mut faults = Vec::new();
    for (part, name, fits, wanted) in parts {
        let Some(name) = name else { continue };
        let field = table.fields.get(name);
        if !field.is_some_and(|field| fits(&field.kind.kind())) {
            let message =
                format!("\"{name}\" is none of the table's fields of type {wanted}. Name one.");
            faults.push((part, message));
        }
    }
    if schedule.recurrence.is_some() && table.list.done.is_none() {
        let message = "what repeats can be ticked. Give the list a done field.".to_owned();
        faults.push(("recurrence", message));
    }
    faults
}

fn is_day(kind: &FieldKind) -> bool {
    kind.json_format == Some("date")
}

fn is_time(kind: &FieldKind) -> bool {
    kind.example == Some(Example::TimeOfDay)
}

fn is_number(kind: &FieldKind) -> bool {
    kind.json_type == Some("integer")
}

fn repeats(kind: &FieldKind) -> bool {
    kind.prompt == PromptText::Recurrence
}
