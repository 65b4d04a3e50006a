//! The functions that the rows of the table of field kinds name: whether a value fits, how it is kept and shown.

use serde_json::Value;

use super::types::{EnumValue, Field};
use crate::{merge, problem::Problem, recurrence, time::Micros};

/// A value that is given for a field, to be checked by the function of the field's kind.
#[derive(Debug, Clone, Copy)]
pub struct GivenValue<'a> {
    /// The name of the field or of the parameter.
    pub name: &'a str,
    /// Its definition.
    pub field: &'a Field,
    /// The value; neither missing nor null.
    pub value: &'a Value,
}

impl<'a> GivenValue<'a> {
    fn text(self) -> Option<&'a str> {
        self.value.as_str()
    }

    fn wrong(self, code: &str, expected: &str) -> Option<Problem> {
        let (name, shown) = (self.name, shown(self.value));
        let message = format!("{name} must be {expected}, got {shown}.");
        Some(Problem::new(name, code, message))
    }

    /// No problem where the value fits, else the one that says what was expected.
    fn expect(self, fits: bool, code: &str, expected: &str) -> Option<Problem> {
        if fits {
            None
        } else {
            self.wrong(code, expected)
        }
    }
}

pub(super) fn check_json(_: GivenValue<'_>) -> Option<Problem> {
    None
}

pub(super) fn check_boolean(given: GivenValue<'_>) -> Option<Problem> {
    given.expect(given.value.is_boolean(), "type", "true or false")
}

pub(super) fn check_number(given: GivenValue<'_>) -> Option<Problem> {
    match given.value.as_f64() {
        Some(number) => range_problem(given, number),
        None => given.wrong("type", "a number like 2.5"),
    }
}

pub(super) fn check_integer(given: GivenValue<'_>) -> Option<Problem> {
    match given.value.as_f64() {
        Some(number) if number.fract() == 0.0 => range_problem(given, number),
        _ => given.wrong("type", "a whole number like 30"),
    }
}

pub(super) fn check_date(given: GivenValue<'_>) -> Option<Problem> {
    let fits = given.text().is_some_and(is_date);
    given.expect(fits, "date", "a date like 2026-04-08")
}

pub(super) fn check_time(given: GivenValue<'_>) -> Option<Problem> {
    let fits = given.text().is_some_and(is_time);
    given.expect(fits, "time", "a time of day like 08:30")
}

pub(super) fn check_datetime(given: GivenValue<'_>) -> Option<Problem> {
    let fits = given.text().is_some_and(|text| Micros::parse(text).is_ok());
    given.expect(
        fits,
        "datetime",
        "a time with its offset like 2026-04-08T15:30:00+02:00",
    )
}

pub(super) fn check_recurrence(given: GivenValue<'_>) -> Option<Problem> {
    let problem = recurrence::value_problem(given.value)?;
    let message = format!("{}: {}", given.name, problem.message);
    Some(Problem::new(given.name, "recurrence", message))
}

pub(super) fn check_url(given: GivenValue<'_>) -> Option<Problem> {
    match given.text().filter(|text| is_url(text)) {
        Some(text) => length_problem(given, text),
        None => given.wrong("url", "an address that begins with http:// or https://"),
    }
}

pub(super) fn check_enum(given: GivenValue<'_>) -> Option<Problem> {
    let values: Vec<_> = given.field.values.iter().map(EnumValue::value).collect();
    let fits = given.text().is_some_and(|text| values.contains(&text));
    given.expect(fits, "enum", &format!("one of {}", values.join(", ")))
}

pub(super) fn check_ref(given: GivenValue<'_>) -> Option<Problem> {
    let fits = given.text().is_some_and(|text| !text.trim().is_empty());
    given.expect(fits, "ref", "the id of a record, as it was given to you")
}

pub(super) fn check_tags(given: GivenValue<'_>) -> Option<Problem> {
    let is_word = |tag: &Value| tag.as_str().is_some_and(|tag| !tag.trim().is_empty());
    match given.value.as_array() {
        Some(tags) if tags.iter().all(is_word) => {
            let most = given.field.max.filter(|max| tags.len() as f64 > *max);
            most.and_then(|max| given.wrong("max", &format!("at most {max} words")))
        }
        _ => given.wrong("type", "a list of words like [\"home\", \"garden\"]"),
    }
}

pub(super) fn check_keyed_list(given: GivenValue<'_>) -> Option<Problem> {
    given.expect(given.value.is_array(), "type", "a list")
}

pub(super) fn check_text(given: GivenValue<'_>) -> Option<Problem> {
    match given.text() {
        Some(text) => length_problem(given, text),
        None => given.wrong("type", "text"),
    }
}

fn range_problem(GivenValue { name, field, .. }: GivenValue<'_>, number: f64) -> Option<Problem> {
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

fn length_problem(GivenValue { name, field, .. }: GivenValue<'_>, text: &str) -> Option<Problem> {
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

pub(crate) fn is_date(text: &str) -> bool {
    text.len() == 10 && Micros::parse(&format!("{text}T00:00:00Z")).is_ok()
}

pub(crate) fn is_time(text: &str) -> bool {
    text.len() == 5 && Micros::parse(&format!("2000-01-01T{text}:00Z")).is_ok()
}

pub(crate) fn is_url(text: &str) -> bool {
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

/// An instant as it is kept: in UTC, whichever offset it was given with.
pub(super) fn instant_in_utc(value: &Value) -> Value {
    match value.as_str().map(Micros::parse) {
        Some(Ok(at)) => Value::from(at.to_string()),
        Some(Err(_)) => value.clone(),
        None => merge::normalize(value),
    }
}

/// A value as a line of text: a list by its items, an object as JSON.
pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => items.iter().map(plain_text).collect::<Vec<_>>().join(", "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
