//! The table of field kinds: a row for each [`FieldType`].
//!
//! Every difference between kinds stands in a row here, and each row says every property, so that a new kind does not
//! compile until it is whole. Beside it, only a card's value and the tests of cards name the kinds.
//! `docs/how-to/add-a-field-kind.md` walks through it.

use serde_json::Value;

use super::{
    field_value::{self, GivenValue},
    order::Order,
    typed::Typed,
    types::{Field, FieldType},
};
use crate::{merge, problem::Problem, recurrence};

/// The properties that all fields of a kind share. A row names each of them; there is no default to fall back on.
#[derive(Debug, Clone, Copy)]
pub struct FieldKind {
    /// The type in a JSON schema; none where any JSON fits.
    pub json_type: Option<&'static str>,
    /// The format in a JSON schema.
    pub json_format: Option<&'static str>,
    /// Further keywords in a JSON schema.
    pub json_keywords: JsonKeywords,
    /// A value as a model or a person writes it, where the type alone does not show it.
    pub example: Option<Example>,
    /// The quantity that `min` and `max` of a field bound.
    pub bounds: Bounds,
    /// The key that a field of this kind has in a manifest, and no other field.
    pub definition: Definition,
    /// Whether a parameter of another kind may be written into a field of this one.
    pub accepts: fn(FieldType) -> bool,
    /// Returns the problem of a value: a code for programs, a sentence for people. A value that breaks the rule of
    /// its kind has the kind's name as its code.
    pub check: fn(GivenValue<'_>) -> Option<Problem>,
    /// The value of a tool's parameter as a record keeps it.
    pub stored: fn(&Value) -> Value,
    /// How values compare in queries and sort in lists.
    pub order: Order,
    /// Whether the kind is free text: `$append` adds to it.
    pub is_text: bool,
    /// Whether every value of the kind is a text whose conflicts are kept (SYNC X1); of other kinds long ones are.
    pub is_document: bool,
    /// Whether `$text` of a query looks into it.
    pub is_searched: bool,
    /// How a value is typed, for example on a command line.
    pub typed: Typed,
    /// The value as a line of text, for example on a command line.
    pub text: fn(&Value) -> String,
    /// How a prompt writes the value.
    pub prompt: PromptText,
}

/// An example of a value, which depends on the day and the place where it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// A day, `2026-04-08`.
    Day,
    /// A time on the person's wall clock, `2026-04-08 15:30`. A model that is held to a format with an offset writes
    /// the local time with a wrong one, so that the schema gives no format.
    LocalTime,
    /// A time of day, `08:30`.
    TimeOfDay,
    /// A recurrence rule, `FREQ=WEEKLY;BYDAY=MO`.
    Rule,
}

/// The keywords of a kind in a JSON schema, beside type, format and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKeywords {
    /// No others.
    None,
    /// `enum`, with the values of the field.
    Values,
    /// `minLength`: the text is not empty.
    NotEmpty,
    /// `items`: each item is a text.
    Words,
}

/// The key of a manifest that belongs to a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// No key of its own.
    Plain,
    /// `values`: the values to choose from.
    Values,
    /// `table`, and `module` where the table is another module's: the records to choose from.
    Table,
    /// `list`: how the list merges. Neither a tool nor a form writes it.
    List,
}

/// How a prompt writes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptText {
    /// A text as it stands, anything else as JSON.
    Plain,
    /// As [`PromptText::Plain`]; as the record's title, the heading has said all of it.
    Line,
    /// By [`FieldKind::text`].
    Text,
    /// The local time with the day of the week.
    Instant,
    /// The date with the day of the week.
    Day,
    /// The title and the id of the record.
    Reference,
    /// The recurrence in words, with its rule.
    Recurrence,
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
}

impl FieldType {
    /// The kind's row of the table.
    pub fn kind(self) -> FieldKind {
        match self {
            FieldType::Text => FieldKind {
                json_type: Some("string"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::Characters,
                definition: Definition::Plain,
                accepts: FieldType::is_text,
                check: field_value::check_text,
                stored: merge::normalize,
                order: Order::Line,
                is_text: true,
                is_document: false,
                is_searched: true,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Line,
            },
            FieldType::Markdown => FieldKind {
                json_type: Some("string"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::Characters,
                definition: Definition::Plain,
                accepts: FieldType::is_text,
                check: field_value::check_text,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: true,
                is_document: true,
                is_searched: true,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
            FieldType::Number => FieldKind {
                json_type: Some("number"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::Number,
                definition: Definition::Plain,
                accepts: |other| other == FieldType::Integer,
                check: field_value::check_number,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Number,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
            FieldType::Integer => FieldKind {
                json_type: Some("integer"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::Number,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_integer,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Integer,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
            FieldType::Boolean => FieldKind {
                json_type: Some("boolean"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::None,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_boolean,
                stored: merge::normalize,
                order: Order::Boolean,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Boolean,
                text: field_value::plain_text,
                prompt: PromptText::Text,
            },
            FieldType::Date => FieldKind {
                json_type: Some("string"),
                json_format: Some("date"),
                json_keywords: JsonKeywords::None,
                example: Some(Example::Day),
                bounds: Bounds::None,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_date,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Day,
            },
            FieldType::Datetime => FieldKind {
                json_type: Some("string"),
                json_format: Some("date-time"),
                json_keywords: JsonKeywords::None,
                example: Some(Example::LocalTime),
                bounds: Bounds::None,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_datetime,
                stored: field_value::instant_in_utc,
                order: Order::Instant,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Instant,
            },
            FieldType::Time => FieldKind {
                json_type: Some("string"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: Some(Example::TimeOfDay),
                bounds: Bounds::None,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_time,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
            FieldType::Recurrence => FieldKind {
                json_type: Some("string"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: Some(Example::Rule),
                bounds: Bounds::None,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_recurrence,
                stored: recurrence::stored,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Json,
                text: recurrence::value_text,
                prompt: PromptText::Recurrence,
            },
            FieldType::Enum => FieldKind {
                json_type: Some("string"),
                json_format: None,
                json_keywords: JsonKeywords::Values,
                example: None,
                bounds: Bounds::None,
                definition: Definition::Values,
                accepts: no_other,
                check: field_value::check_enum,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
            FieldType::Ref => FieldKind {
                json_type: Some("string"),
                json_format: None,
                json_keywords: JsonKeywords::NotEmpty,
                example: None,
                bounds: Bounds::None,
                definition: Definition::Table,
                accepts: no_other,
                check: field_value::check_ref,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Reference,
            },
            FieldType::Tags => FieldKind {
                json_type: Some("array"),
                json_format: None,
                json_keywords: JsonKeywords::Words,
                example: None,
                bounds: Bounds::Items,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_tags,
                stored: merge::normalize,
                order: Order::Words,
                is_text: false,
                is_document: false,
                is_searched: true,
                typed: Typed::Words,
                text: field_value::plain_text,
                prompt: PromptText::Text,
            },
            FieldType::Url => FieldKind {
                json_type: Some("string"),
                json_format: Some("uri"),
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::Characters,
                definition: Definition::Plain,
                accepts: no_other,
                check: field_value::check_url,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Text,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
            FieldType::KeyedList => FieldKind {
                json_type: Some("array"),
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::None,
                definition: Definition::List,
                accepts: no_other,
                check: field_value::check_keyed_list,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Json,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
            FieldType::Json => FieldKind {
                json_type: None,
                json_format: None,
                json_keywords: JsonKeywords::None,
                example: None,
                bounds: Bounds::None,
                definition: Definition::Plain,
                accepts: |_| true,
                check: field_value::check_json,
                stored: merge::normalize,
                order: Order::Plain,
                is_text: false,
                is_document: false,
                is_searched: false,
                typed: Typed::Json,
                text: field_value::plain_text,
                prompt: PromptText::Plain,
            },
        }
    }

    /// Free text: `$append` adds to it.
    pub fn is_text(self) -> bool {
        self.kind().is_text
    }

    /// A value as a line of text; empty where there is none.
    pub fn text(self, value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            value => (self.kind().text)(value),
        }
    }

    /// Whether a parameter of the other kind may be written into a field of this one.
    pub fn accepts(self, other: FieldType) -> bool {
        self == other || (self.kind().accepts)(other)
    }

    /// Reads a value that a person typed. A text that does not fit stays text, and the check of the record names what
    /// is wrong.
    pub fn value_from_text(self, text: &str) -> Value {
        self.kind()
            .typed
            .value(text)
            .unwrap_or_else(|| Value::from(text))
    }
}

/// A value as a line of text; empty where there is none. A field that no manifest knows is a text.
pub fn value_text(field: Option<&Field>, value: &Value) -> String {
    field
        .map_or(FieldType::Text, |field| field.kind)
        .text(value)
}

fn no_other(_: FieldType) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::{
        super::{
            query_context::QueryContext,
            samples::{kinds, sample},
        },
        *,
    };
    use crate::time::Micros;

    /// A field of the kind, with the keys of all kinds.
    fn field(kind: FieldType) -> Field {
        let keys = json!({ "type": kind, "values": ["low", "high"], "table": "tasks", "list": {} });
        serde_json::from_value(keys).expect("a field")
    }

    fn check(kind: FieldType, value: &Value) -> Option<Problem> {
        let field = &field(kind);
        let name = "size";
        (kind.kind().check)(GivenValue { name, field, value })
    }

    #[test]
    fn modules_d1_every_kind_is_in_the_specification() {
        let page = include_str!("../../../../spec/MODULES.md");
        let rule = page.lines().find(|line| line.starts_with("- **D1**"));
        let rule = rule.expect("rule D1");
        for (name, _) in kinds() {
            assert!(rule.contains(&format!("`{name}`")), "D1 lacks {name}");
        }
    }

    /// A branch on a kind elsewhere would not be found by the person who adds one.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test reads the sources of the workspace"
    )]
    fn modules_d1_no_other_file_branches_on_a_kind() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        // The table, and the files that step 4 of the how-to names.
        let known = [
            "core/src/manifest/field_kind.rs",
            "core/src/manifest/samples.rs",
            "core/src/staging/card/value.rs",
            "core/tests/it/card_cases.rs",
            "cli/src/card_text/tests.rs",
        ];
        let mut folders = vec![crates];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let names_a_kind = fs::read_to_string(&path)
                        .expect("text")
                        .contains("FieldType::");
                    assert!(
                        !names_a_kind || known.iter().any(|name| path.ends_with(name)),
                        "{} names a kind. Ask a property of `FieldType::kind` instead, or name the file here and in \
                         docs/how-to/add-a-field-kind.md.",
                        path.display()
                    );
                }
            }
        }
    }

    #[test]
    fn modules_d1_every_kind_takes_its_own_values_and_refuses_another_type() {
        for (name, kind) in kinds() {
            for value in [sample(&field(kind), false), sample(&field(kind), true)] {
                assert_eq!(check(kind, &value), None, "{name}: {value}");
                let stored = (kind.kind().stored)(&value);
                assert_eq!(check(kind, &stored), None, "{name}: {stored}");
                assert_eq!((kind.kind().stored)(&stored), stored, "{name}");
            }
            let code = check(kind, &json!({ "no": "value" })).map(|problem| problem.code);
            let any = kind.kind().json_type.is_none();
            let known = code
                .as_ref()
                .is_some_and(|code| *code == name || code == "type");
            assert!(any != known, "{name}: {code:?}");
        }
    }

    #[test]
    fn modules_d1_every_kind_reads_the_text_that_it_shows() {
        let writable = |kind: FieldType| kind.kind().definition != Definition::List;
        for (name, kind) in kinds().into_iter().filter(|(_, kind)| writable(*kind)) {
            let value = sample(&field(kind), true);
            let text = kind.text(&value);
            assert!(!text.is_empty() && !text.contains('\n'), "{name}: {text}");
            let read = (kind.kind().stored)(&kind.value_from_text(&text));
            assert_eq!(read, value, "{name}: {text}");
        }
    }

    #[test]
    fn modules_q3_every_kind_orders_its_values() {
        let context = QueryContext {
            now: Micros::EPOCH,
            zone: jiff::tz::TimeZone::UTC,
        };
        for (name, kind) in kinds() {
            let (one, other) = (sample(&field(kind), false), sample(&field(kind), true));
            let order = kind.kind().order;
            assert!(order.same(&one, &one, &context), "{name}");
            let differ = one != other;
            assert_eq!(!order.same(&one, &other, &context), differ, "{name}");
            assert_eq!(
                order.sort(&one, &other),
                order.sort(&other, &one).reverse(),
                "{name}"
            );
            let compared = order.compare(&one, &other, &context);
            assert!(compared.is_none_or(|by| by.is_ne() == differ), "{name}");
        }
    }

    #[test]
    fn modules_d1_a_typed_value_is_read_by_its_kind() {
        let read = |kind: FieldType, text| kind.value_from_text(text);
        assert_eq!(read(FieldType::Boolean, "Yes"), json!(true));
        assert_eq!(read(FieldType::Boolean, "maybe"), json!("maybe"));
        assert_eq!(read(FieldType::Integer, "30"), json!(30));
        assert_eq!(read(FieldType::Integer, "2.5"), json!("2.5"));
        assert_eq!(read(FieldType::Number, "2.5"), json!(2.5));
        let words = json!(["home", "garden"]);
        assert_eq!(read(FieldType::Tags, "home, garden,"), words);
        assert_eq!(read(FieldType::Json, "{\"a\":1}"), json!({"a": 1}));
        assert_eq!(read(FieldType::Date, "2026-04-08"), json!("2026-04-08"));
    }
}
