//! The table of field kinds: a row for each [`FieldType`].
//!
//! Every difference between kinds stands in a row here or in a match without a fallback arm, so that a new kind does
//! not compile until it is whole. `docs/how-to/add-a-field-kind.md` walks through it.

use serde_json::Value;

use super::types::FieldType;

/// The properties that all fields of a kind share.
#[derive(Debug, Clone, Copy)]
pub struct FieldKind {
    /// The type in a JSON schema; empty where any JSON fits.
    pub json_type: &'static str,
    /// The format in a JSON schema.
    pub json_format: Option<&'static str>,
    /// A value as a model or a person writes it, where the type alone does not show it.
    pub example: Option<&'static str>,
    /// The quantity that `min` and `max` of a field bound.
    pub bounds: Bounds,
    /// How values compare in queries and sort in lists.
    pub order: Order,
    /// Whether the kind is free text: `$append` adds to it.
    pub is_text: bool,
    /// Reads the value that a person typed, for example on a command line; none where the text does not fit.
    pub from_text: fn(&str) -> Option<Value>,
}

/// The quantity that the bounds of a field limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// Nothing: the kind has neither `min` nor `max`.
    None,
    /// The number itself, by `min` and `max`.
    Number,
    /// The number of characters, by `max`.
    Characters,
    /// The number of items, by `max`.
    Items,
}

impl Bounds {
    /// Whether a field may have a `min`.
    pub fn has_min(self) -> bool {
        match self {
            Bounds::Number => true,
            Bounds::None | Bounds::Characters | Bounds::Items => false,
        }
    }

    /// Whether a field may have a `max`.
    pub fn has_max(self) -> bool {
        match self {
            Bounds::Number | Bounds::Characters | Bounds::Items => true,
            Bounds::None => false,
        }
    }

    /// The keywords of the lower and the upper bound in a JSON schema.
    pub(super) fn keywords(self) -> (&'static str, &'static str) {
        match self {
            Bounds::Characters => ("minLength", "maxLength"),
            Bounds::Items => ("minItems", "maxItems"),
            Bounds::Number | Bounds::None => ("minimum", "maximum"),
        }
    }
}

/// How the values of a kind compare.
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

impl FieldType {
    /// The kind's row of the table.
    pub fn kind(self) -> FieldKind {
        let text = FieldKind {
            json_type: "string",
            json_format: None,
            example: None,
            bounds: Bounds::None,
            order: Order::Plain,
            is_text: false,
            from_text: any_text,
        };
        match self {
            FieldType::Text => FieldKind {
                bounds: Bounds::Characters,
                order: Order::Line,
                is_text: true,
                ..text
            },
            FieldType::Markdown => FieldKind {
                bounds: Bounds::Characters,
                is_text: true,
                ..text
            },
            FieldType::Number => FieldKind {
                json_type: "number",
                bounds: Bounds::Number,
                from_text: |text| text.parse::<f64>().ok().map(Value::from),
                ..text
            },
            FieldType::Integer => FieldKind {
                json_type: "integer",
                bounds: Bounds::Number,
                from_text: |text| text.parse::<i64>().ok().map(Value::from),
                ..text
            },
            FieldType::Boolean => FieldKind {
                json_type: "boolean",
                order: Order::Boolean,
                from_text: boolean_from_text,
                ..text
            },
            FieldType::Date => FieldKind {
                json_format: Some("date"),
                example: Some("2026-04-08"),
                ..text
            },
            FieldType::Datetime => FieldKind {
                json_format: Some("date-time"),
                example: Some("2026-04-08T15:30:00+02:00"),
                order: Order::Instant,
                ..text
            },
            FieldType::Time => FieldKind {
                example: Some("08:30"),
                ..text
            },
            FieldType::Enum | FieldType::Ref => text,
            FieldType::Tags => FieldKind {
                json_type: "array",
                bounds: Bounds::Items,
                order: Order::Words,
                from_text: words_from_text,
                ..text
            },
            FieldType::Url => FieldKind {
                json_format: Some("uri"),
                bounds: Bounds::Characters,
                ..text
            },
            FieldType::KeyedList => FieldKind {
                json_type: "array",
                from_text: |text| serde_json::from_str(text).ok(),
                ..text
            },
            FieldType::Json => FieldKind {
                json_type: "",
                from_text: |text| serde_json::from_str(text).ok(),
                ..text
            },
        }
    }

    /// Free text: `contains` looks into it, `$append` adds to it.
    pub fn is_text(self) -> bool {
        self.kind().is_text
    }

    /// Reads a value that a person typed. A text that does not fit stays text, and the check of the record names what
    /// is wrong.
    pub fn value_from_text(self, text: &str) -> Value {
        (self.kind().from_text)(text).unwrap_or_else(|| Value::from(text))
    }
}

fn any_text(text: &str) -> Option<Value> {
    Some(Value::from(text))
}

fn boolean_from_text(text: &str) -> Option<Value> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(Value::Bool(true)),
        "false" | "no" | "0" => Some(Value::Bool(false)),
        _ => None,
    }
}

fn words_from_text(text: &str) -> Option<Value> {
    let words = text.split(',').map(str::trim);
    Some(
        words
            .filter(|word| !word.is_empty())
            .map(Value::from)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modules_d1_a_typed_value_is_read_by_its_kind() {
        let read = |kind: FieldType, text| kind.value_from_text(text);
        assert_eq!(read(FieldType::Boolean, "Yes"), json!(true));
        assert_eq!(read(FieldType::Boolean, "maybe"), json!("maybe"));
        assert_eq!(read(FieldType::Integer, "30"), json!(30));
        assert_eq!(read(FieldType::Integer, "2.5"), json!("2.5"));
        assert_eq!(read(FieldType::Number, "2.5"), json!(2.5));
        assert_eq!(
            read(FieldType::Tags, "home, garden,"),
            json!(["home", "garden"])
        );
        assert_eq!(read(FieldType::Json, "{\"a\":1}"), json!({"a": 1}));
        assert_eq!(read(FieldType::Date, "2026-04-08"), json!("2026-04-08"));
    }
}
