//! Whether values fit: parameters of a tool's call, fields of a record. In plain words, since a person
//! reads them in a form and a model reads them to repair its plan.

use serde_json::Value;

use super::{
    operation::Operation,
    tool_ref::ToolRef,
    types::{EffectOp, EnumValue, Field, FieldType, Table, ValueSource, value_source},
};
use crate::{Map, change::Op, problem::Problem, time::Micros};

/// Returns the problem of a value: a code for programs, a sentence for people.
fn value_problem(name: &str, field: &Field, value: &Value) -> Option<Problem> {
    let wrong = |code: &str, expected: &str| {
        Some(Problem::new(
            name,
            code,
            format!("{name} must be {expected}, got {}.", shown(value)),
        ))
    };
    let text = value.as_str();
    match field.kind {
        FieldType::Json => None,
        FieldType::Boolean if value.is_boolean() => None,
        FieldType::Boolean => wrong("type", "true or false"),
        FieldType::Number | FieldType::Integer => {
            let whole = field.kind == FieldType::Integer;
            match value.as_f64() {
                Some(number) if !whole || number.fract() == 0.0 => {
                    range_problem(name, field, number)
                }
                _ => wrong(
                    "type",
                    if whole {
                        "a whole number like 30"
                    } else {
                        "a number like 2.5"
                    },
                ),
            }
        }
        FieldType::Date if text.is_some_and(is_date) => None,
        FieldType::Date => wrong("date", "a date like 2026-04-08"),
        FieldType::Time if text.is_some_and(is_time) => None,
        FieldType::Time => wrong("time", "a time of day like 08:30"),
        FieldType::Datetime if text.is_some_and(|text| Micros::parse(text).is_ok()) => None,
        FieldType::Datetime => wrong(
            "datetime",
            "a time with its offset like 2026-04-08T15:30:00+02:00",
        ),
        FieldType::Url if text.is_some_and(is_url) => length_problem(name, field, text?),
        FieldType::Url => wrong("url", "an address that begins with http:// or https://"),
        FieldType::Enum
            if text.is_some_and(|text| field.values.iter().any(|v| v.value() == text)) =>
        {
            None
        }
        FieldType::Enum => {
            let values: Vec<_> = field.values.iter().map(EnumValue::value).collect();
            wrong("enum", &format!("one of {}", values.join(", ")))
        }
        FieldType::Ref if text.is_some_and(|text| !text.trim().is_empty()) => None,
        FieldType::Ref => wrong("ref", "the id of a record, as it was given to you"),
        FieldType::Tags => match value.as_array() {
            Some(tags)
                if tags
                    .iter()
                    .all(|tag| tag.as_str().is_some_and(|tag| !tag.trim().is_empty())) =>
            {
                let most = field.max.filter(|max| tags.len() as f64 > *max);
                most.and_then(|max| wrong("max", &format!("at most {max} words")))
            }
            _ => wrong("type", "a list of words like [\"home\", \"garden\"]"),
        },
        FieldType::KeyedList if value.is_array() => None,
        FieldType::KeyedList => wrong("type", "a list"),
        FieldType::Text | FieldType::Markdown => match text {
            Some(text) => length_problem(name, field, text),
            None => wrong("type", "text"),
        },
    }
}

fn range_problem(name: &str, field: &Field, number: f64) -> Option<Problem> {
    let (code, bound, word) = match (field.min, field.max) {
        (Some(min), _) if number < min => ("min", min, "at least"),
        (_, Some(max)) if number > max => ("max", max, "at most"),
        _ => return None,
    };
    Some(Problem::new(
        name,
        code,
        format!("{name} must be {word} {bound}, got {number}."),
    ))
}

fn length_problem(name: &str, field: &Field, text: &str) -> Option<Problem> {
    if text.contains('\0') {
        return Some(Problem::new(
            name,
            "type",
            format!("{name} contains a NUL character. Leave it out."),
        ));
    }
    let length = text.chars().count();
    let max = field.max.filter(|max| length as f64 > *max)?;
    let message = format!("{name} must have at most {max} characters, got {length}. Shorten it.");
    Some(Problem::new(name, "max", message))
}

fn missing(name: &str) -> Problem {
    Problem::new(
        name,
        "required",
        format!("{name} is missing. Give it a value."),
    )
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10 && Micros::parse(&format!("{text}T00:00:00Z")).is_ok()
}

fn is_time(text: &str) -> bool {
    text.len() == 5 && Micros::parse(&format!("2000-01-01T{text}:00Z")).is_ok()
}

fn is_url(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace))
}

/// A value as a sentence quotes it.
fn shown(value: &Value) -> String {
    let json = value.to_string();
    match json.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json,
    }
}

/// Returns the problems of a record's data.
pub(super) fn record(table: &Table, data: &Map, partial: bool) -> Vec<Problem> {
    let problems = table
        .fields
        .iter()
        .filter_map(|(name, field)| match data.get(name) {
            None if partial || !field.required => None,
            None => Some(missing(name)),
            Some(value) if is_empty(value) && field.required => Some(missing(name)),
            Some(Value::Null) => None,
            Some(value) => value_problem(name, field, value),
        });
    problems.collect()
}

fn call(tool: ToolRef<'_>, params: &Map) -> Vec<Problem> {
    let declared = &tool.tool.params;
    let name = &tool.tool.name;
    let mut problems = Vec::new();
    for given in params.keys().filter(|given| !declared.contains_key(*given)) {
        let known: Vec<_> = declared.keys().map(String::as_str).collect();
        let known = match known.as_slice() {
            [] => "It takes none.".to_owned(),
            known => format!("It knows {}.", known.join(", ")),
        };
        problems.push(Problem::new(
            given,
            "unknown",
            format!("{name} has no parameter {given}. {known}"),
        ));
    }
    for (param, field) in declared {
        match params.get(param) {
            None | Some(Value::Null) if !field.required => {}
            None => problems.push(missing(param)),
            Some(value) if field.required && is_empty(value) => problems.push(missing(param)),
            Some(value) => problems.extend(value_problem(param, field, value)),
        }
    }
    if problems.is_empty() {
        problems.extend(field_problems(tool, params));
    }
    problems
}

/// Returns what the table's fields refuse of the values that the parameters put into them.
fn field_problems(tool: ToolRef<'_>, params: &Map) -> Vec<Problem> {
    let effect = &tool.tool.effect;
    let mut changes = effect.set.is_empty();
    let mut problems = Vec::new();
    for (field, value) in &effect.set {
        let (ValueSource::Param(param) | ValueSource::Append(param)) = value_source(value) else {
            changes = true;
            continue;
        };
        let (Some(value), Some(definition)) = (params.get(param), tool.table.fields.get(field))
        else {
            continue;
        };
        changes = true;
        if value.is_null() && definition.required && effect.op == EffectOp::Update {
            let message = format!("{param} can't be emptied. Leave it out to keep what is there.");
            problems.push(Problem::new(param, "required", message));
        } else if !value.is_null() {
            problems.extend(value_problem(param, definition, value));
        }
    }
    if !changes && effect.op == EffectOp::Update {
        let choices = effect
            .set
            .values()
            .filter_map(|value| match value_source(value) {
                ValueSource::Param(param) | ValueSource::Append(param) => Some(param),
                _ => None,
            });
        let choices: Vec<_> = choices.collect();
        let message = format!(
            "{} would change nothing. Give at least one of {}.",
            tool.tool.name,
            choices.join(", ")
        );
        problems.push(Problem::new("params", "required", message));
    }
    problems
}

impl ToolRef<'_> {
    /// Returns what is wrong with the parameters of a call; empty where the call can be made.
    pub fn check(self, params: &Map) -> Vec<Problem> {
        call(self, params)
    }

    /// Returns the problem of the record that an operation leads to: an appended text may have become too
    /// long, a manifest may have changed.
    pub(super) fn record_problem(self, operation: &Operation) -> Option<Problem> {
        let mut data = operation.set.clone();
        data.extend(
            operation
                .now
                .iter()
                .map(|field| (field.clone(), Value::from(Micros::EPOCH.to_string()))),
        );
        match operation.op {
            Op::Delete => None,
            op => record(self.table, &data, op == Op::Update)
                .into_iter()
                .next(),
        }
    }
}
