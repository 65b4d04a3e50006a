//! A value as a card says it: by the kind of its field, without formatting.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::apart::Apart;
use crate::{
    Gather, Map,
    calendar::Day,
    language::Language,
    manifest::{Field, FieldType, Label, is_date, is_time, is_url},
    record::RecordKey,
    recurrence::{Series, value_text, words as words_of},
    time::Micros,
};

/// A value with how it fits the kind of its field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardValue {
    /// The value as the card says it. Dates, times and numbers are formatted by whoever draws it.
    pub shown: ShownValue,
    /// Whether the value fits.
    pub fit: Fit,
    /// The value as it stands in the operation or the record.
    pub raw: Value,
}

/// How a value fits the kind of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Fit {
    /// The value is of the kind.
    Fits,
    /// The value is of another kind and is said as one of this kind; nothing of it is lost.
    Coerced,
    /// The value does not fit, and is said as it stands. The card marks it.
    Unfit,
}

/// A value, read by the kind of its field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ShownValue {
    /// No value. As the value after a change: the field is cleared.
    Empty,
    /// A text, Markdown too, as it was written.
    Text {
        /// The text.
        text: String,
    },
    /// A number.
    Number {
        /// The number.
        number: f64,
        /// The number as JSON has it, every digit.
        digits: String,
    },
    /// True or false.
    Boolean {
        /// The truth.
        value: bool,
    },
    /// A day.
    Date {
        /// The day, `2026-04-08`.
        date: String,
    },
    /// An instant.
    Datetime {
        /// The instant.
        at: Micros,
    },
    /// A time of day.
    Time {
        /// The time, `08:30`.
        time: String,
    },
    /// A recurrence.
    Recurrence {
        /// The recurrence in words, each date with its year.
        words: Label,
        /// The exact recurrence: its rule, or its value as JSON where that says more.
        rule: String,
    },
    /// A value of a list of choices.
    Choice {
        /// The value that is kept.
        value: String,
        /// The value's name in the form.
        label: Label,
    },
    /// Another record.
    Reference {
        /// The record's module.
        app: String,
        /// The record's table.
        table: String,
        /// The record's id.
        id: String,
        /// The record's own title; missing where the record is not on this device.
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// What tells the record from others of its title.
        #[serde(skip_serializing_if = "Option::is_none")]
        apart: Option<Apart>,
    },
    /// A list of words, each an item of the field.
    List,
    /// A web address, whole.
    Address {
        /// The address.
        address: String,
    },
    /// Any JSON, one value, indented.
    Json {
        /// The JSON.
        json: String,
    },
    /// The time at which the write happens.
    WriteTime,
}

/// A record's own title, and what tells it from others that have the same.
pub(super) type RecordName = (String, Option<Apart>);

/// Finds the name of another record.
pub(super) type NameOf<'a> = &'a dyn Fn(&RecordKey) -> Option<RecordName>;

/// The field that a value belongs to.
#[derive(Clone, Copy)]
pub(super) struct FieldContext<'a> {
    /// The module that a reference without one means.
    pub(super) app: &'a str,
    /// The field, where the manifest knows it.
    pub(super) field: Option<&'a Field>,
    pub(super) name_of: NameOf<'a>,
}

impl CardValue {
    /// The value of a field that has none.
    pub(super) fn empty() -> CardValue {
        CardValue {
            shown: ShownValue::Empty,
            fit: Fit::Fits,
            raw: Value::Null,
        }
    }

    /// The value of a field that gets the time of the write.
    pub(super) fn write_time() -> CardValue {
        CardValue {
            shown: ShownValue::WriteTime,
            ..CardValue::empty()
        }
    }

    /// Reads a value by the kind of its field.
    pub(super) fn read(value: &Value, context: FieldContext<'_>) -> CardValue {
        let (shown, fit) = match context.field {
            _ if is_empty(value) => (ShownValue::Empty, Fit::Fits),
            None => (json(value), Fit::Fits),
            Some(field) => match fitting(value, field, context) {
                Some(shown) => (shown, Fit::Fits),
                None => match coerced(value, field, context) {
                    Some(shown) => (shown, Fit::Coerced),
                    None => (as_it_stands(value), Fit::Unfit),
                },
            },
        };
        CardValue {
            shown,
            fit,
            raw: value.clone(),
        }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.shown == ShownValue::Empty
    }

    /// The value as a text that is compared word by word, where its kind is told so.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.shown {
            ShownValue::Text { text } => Some(text),
            ShownValue::Json { json } => Some(json),
            ShownValue::Empty => Some(""),
            _ => None,
        }
    }
}

/// Has values that read alike although they are others (records of one title, choices of one name) say as what they
/// are kept, too.
pub(super) fn tell_apart<'v>(values: impl Iterator<Item = &'v mut CardValue>) {
    let mut values: Vec<&mut CardValue> = values.collect();
    let is_alike = |a: &CardValue| {
        let reads_like = |b: &&mut CardValue| a.raw != b.raw && a.shown.reads_like(&b.shown);
        values.iter().any(reads_like)
    };
    let alike: Vec<bool> = values.iter().map(|value| is_alike(value)).collect();
    for (value, _) in values.iter_mut().zip(alike).filter(|(_, alike)| *alike) {
        value.shown.say_kept();
    }
}

impl ShownValue {
    /// Whether two names read alike.
    fn reads_like(&self, other: &ShownValue) -> bool {
        match (self, other) {
            (
                ShownValue::Reference {
                    title: Some(a),
                    apart: a_apart,
                    ..
                },
                ShownValue::Reference {
                    title: Some(b),
                    apart: b_apart,
                    ..
                },
            ) => a_apart == b_apart && a.trim().to_lowercase() == b.trim().to_lowercase(),
            (ShownValue::Choice { label: a, .. }, ShownValue::Choice { label: b, .. }) => {
                a.0.iter().any(|(language, text)| b.get(language) == text)
            }
            _ => false,
        }
    }

    /// Adds to a name what is kept for it.
    fn say_kept(&mut self) {
        match self {
            ShownValue::Reference {
                title: Some(title),
                id,
                ..
            } => *title = format!("{title} ({id})"),
            ShownValue::Choice { value, label } => {
                for text in label.0.values_mut() {
                    *text = format!("{text} ({value})");
                }
            }
            _ => {}
        }
    }
}

/// Whether a value says nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// The value where it is of the field's kind.
fn fitting(value: &Value, field: &Field, context: FieldContext<'_>) -> Option<ShownValue> {
    match field.kind {
        FieldType::Text | FieldType::Markdown => value.as_str().map(text),
        FieldType::Number => number(value),
        FieldType::Integer => {
            number(value).filter(|_| value.as_f64().is_some_and(|number| number.fract() == 0.0))
        }
        FieldType::Boolean => value.as_bool().map(|value| ShownValue::Boolean { value }),
        FieldType::Date => value.as_str().filter(|day| is_date(day)).map(date),
        FieldType::Datetime => instant(value),
        FieldType::Recurrence => recurrence(value),
        FieldType::Time => {
            value
                .as_str()
                .filter(|time| is_time(time))
                .map(|time| ShownValue::Time {
                    time: time.to_owned(),
                })
        }
        FieldType::Enum => {
            let value = value.as_str()?;
            let known = field.values.iter().find(|known| known.value() == value)?;
            let mut shown = ShownValue::Choice {
                value: value.to_owned(),
                label: known.label(),
            };
            let others = field.values.iter().filter(|other| other.value() != value);
            let mut others = others.map(|other| ShownValue::Choice {
                value: other.value().to_owned(),
                label: other.label(),
            });
            if others.any(|other| shown.reads_like(&other)) {
                shown.say_kept();
            }
            Some(shown)
        }
        FieldType::Ref => {
            let id = value.as_str()?;
            let table = field.table.as_deref()?;
            let app = field.module.as_deref().unwrap_or(context.app);
            let (title, apart) = (context.name_of)(&RecordKey::new(app, table, id)).unzip();
            Some(ShownValue::Reference {
                app: app.to_owned(),
                table: table.to_owned(),
                id: id.to_owned(),
                title,
                apart: apart.flatten(),
            })
        }
        FieldType::Tags => {
            let words = value.as_array()?;
            words
                .iter()
                .all(Value::is_string)
                .then_some(ShownValue::List)
        }
        FieldType::Url => value
            .as_str()
            .filter(|address| is_url(address))
            .map(|address| ShownValue::Address {
                address: address.to_owned(),
            }),
        FieldType::KeyedList => {
            let elements = value.as_array()?;
            elements
                .iter()
                .all(Value::is_object)
                .then_some(ShownValue::List)
        }
        FieldType::Json => Some(json(value)),
    }
}

/// The value of another kind, said so that nothing of it is lost.
fn coerced(value: &Value, field: &Field, context: FieldContext<'_>) -> Option<ShownValue> {
    match (kept(value, field), field.kind, value) {
        (Some(kept), ..) => fitting(&kept, field, context),
        // The hour of a time is said with its day; a day where a time belongs is said without an hour.
        (None, FieldType::Date, Value::String(_)) => instant(value),
        (None, FieldType::Datetime, Value::String(day)) if is_date(day) => Some(date(day)),
        _ => None,
    }
}

/// The value of the field's own kind that says all that a value of another kind says; none where there is no such
/// value.
pub(super) fn kept(value: &Value, field: &Field) -> Option<Value> {
    match (field.kind, value) {
        (FieldType::Text | FieldType::Markdown, Value::Number(number)) => {
            Some(Value::from(number.to_string()))
        }
        (FieldType::Number, Value::String(digits)) => exact_number(digits),
        (FieldType::Integer, Value::String(digits)) => exact_number(digits)
            .filter(|number| number.as_f64().is_some_and(|number| number.fract() == 0.0)),
        (FieldType::Boolean, Value::String(word)) => match word.as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        // A midnight says no more than its day.
        (FieldType::Date, Value::String(time)) => {
            instant(value)?;
            let (day, clock) = (time.get(..10)?, time.get(11..)?);
            is_midnight(clock).then(|| Value::from(day))
        }
        (FieldType::Time, Value::String(time)) => {
            let short = time.strip_suffix(":00").filter(|time| is_time(time))?;
            Some(Value::from(short))
        }
        (FieldType::Tags, Value::String(word)) => Some(Value::from(vec![word.as_str()])),
        (FieldType::Tags, Value::Array(items)) => {
            let words = items.iter().map(|item| match item {
                Value::String(word) => Some(Value::from(word.as_str())),
                Value::Number(number) => Some(Value::from(number.to_string())),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            });
            words.collect()
        }
        _ => None,
    }
}

/// The number that a text writes, unless the number has other digits: a text may have more than a number holds.
fn exact_number(digits: &str) -> Option<Value> {
    let digits = digits.trim();
    let number: serde_json::Number = digits.parse().ok()?;
    let written = number.to_string();
    (significant(&written) == significant(digits)).then_some(Value::Number(number))
}

/// A decimal number without the zeros at its end that say nothing.
fn significant(digits: &str) -> &str {
    match digits.contains('.') && !digits.contains(['e', 'E']) {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    }
}

/// Whether the time of an RFC 3339 text is midnight by the text's own offset.
fn is_midnight(clock: &str) -> bool {
    let digits = clock.split(['Z', 'z', '+', '-']).next().unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|c| matches!(c, '0' | ':' | '.'))
}

fn as_it_stands(value: &Value) -> ShownValue {
    match value {
        Value::String(words) => text(words),
        _ => json(value),
    }
}

fn text(words: &str) -> ShownValue {
    ShownValue::Text {
        text: words.to_owned(),
    }
}

fn number(value: &Value) -> Option<ShownValue> {
    let Value::Number(number) = value else {
        return None;
    };
    Some(ShownValue::Number {
        number: number.as_f64()?,
        digits: number.to_string(),
    })
}

fn date(day: &str) -> ShownValue {
    ShownValue::Date {
        date: day.to_owned(),
    }
}

fn instant(value: &Value) -> Option<ShownValue> {
    let at = Micros::parse(value.as_str()?).ok()?;
    Some(ShownValue::Datetime { at })
}

fn recurrence(value: &Value) -> Option<ShownValue> {
    // No date lies in the first year, so that each is told with its own.
    let year_one = Day::new(1, 1, 1)?;
    let series = Series::parse(value, year_one).ok()?;
    let words = [("en", Language::English), ("de", Language::German)];
    let words =
        words.map(|(name, language)| (name.to_owned(), words_of(&series, language, year_one)));
    Some(ShownValue::Recurrence {
        words: Label(words.into_iter().gather()),
        rule: value_text(value),
    })
}

fn json(value: &Value) -> ShownValue {
    ShownValue::Json {
        json: format!("{value:#}"),
    }
}

/// An item of a list that a field holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardItem {
    /// The change of the item.
    pub change: ItemChange,
    /// The item before, where it goes or changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The item after: a word, or the JSON of an element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The change of an item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum ItemChange {
    /// The item stays as it is.
    Same,
    /// The item comes.
    Added,
    /// The item goes.
    Removed,
    /// The item becomes another one.
    Changed,
}

/// The items of a list, those that stay and come in the list's order, then those that go.
///
/// A list of words is replaced by a write. A keyed list merges: a write carries the elements that it adds or
/// changes, and the others stay.
pub(super) fn items(before: &Value, after: &Value, keyed: bool) -> Vec<CardItem> {
    let (old, new) = (elements(before), elements(after));
    // The places of the old elements, by what they are found by, the last place first.
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, element) in old.iter().enumerate().rev() {
        places.entry(sign(element, keyed)).or_default().push(place);
    }
    let mut rest: Vec<Option<&Value>> = old.into_iter().map(Some).collect();
    let mut items = Vec::new();
    for element in new {
        let place = places.get_mut(&sign(element, keyed)).and_then(Vec::pop);
        let old = place.and_then(|place| rest[place].take());
        let (change, before) = match old {
            Some(old) if keyed => match merged(old, element) {
                whole if whole == *old => (ItemChange::Same, None),
                _ => (ItemChange::Changed, Some(item(old))),
            },
            Some(_) => (ItemChange::Same, None),
            None => (ItemChange::Added, None),
        };
        items.push(CardItem {
            change,
            before,
            after: Some(item(element)),
        });
    }
    let left = rest.into_iter().flatten().map(|element| match keyed {
        true => CardItem {
            change: ItemChange::Same,
            before: None,
            after: Some(item(element)),
        },
        false => CardItem {
            change: ItemChange::Removed,
            before: Some(item(element)),
            after: None,
        },
    });
    items.extend(left);
    items
}

/// The items of a list that goes with its record.
pub(super) fn removed_items(before: &Value) -> Vec<CardItem> {
    let gone = elements(before).into_iter().map(|element| CardItem {
        change: ItemChange::Removed,
        before: Some(item(element)),
        after: None,
    });
    gone.collect()
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        value if is_empty(value) => Vec::new(),
        value => vec![value],
    }
}

/// The text by which an element is found among others: its id in a keyed list, else its JSON.
fn sign(element: &Value, keyed: bool) -> String {
    let id = keyed.then(|| element.get("id")?.as_str()).flatten();
    id.map_or_else(|| element.to_string(), |id| format!("id {id}"))
}

/// An element of a keyed list with what a write of it changes.
fn merged(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut whole: Map = old.clone();
            whole.extend(new.clone());
            Value::Object(whole)
        }
        _ => new.clone(),
    }
}

fn item(element: &Value) -> String {
    match element {
        Value::String(word) => word.clone(),
        element => element.to_string(),
    }
}
