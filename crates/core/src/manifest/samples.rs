//! Values of each field kind, for the tests that walk through all of them.

use serde_json::{Value, json};

use super::types::{EnumValue, Field, FieldType};

/// Every kind, from the names that serde knows, so that no list of kinds can lack one.
pub(crate) fn kinds() -> Vec<(String, FieldType)> {
    let error = serde_json::from_str::<FieldType>("\"\"").expect_err("no kind has an empty name");
    let error = error.to_string();
    let (_, names) = error.split_once("expected one of ").expect("all names");
    let names = names.split('`').skip(1).step_by(2);
    names
        .map(|name| {
            let kind = serde_json::from_value(Value::from(name)).expect("a name of a kind");
            (name.to_owned(), kind)
        })
        .collect()
}

/// A value that fits a field; `other` fits as well and differs, where the field has a second one.
pub(crate) fn sample(field: &Field, other: bool) -> Value {
    let pick = |one: Value, two: Value| if other { two } else { one };
    match field.kind {
        FieldType::Text | FieldType::Markdown => pick(json!("Some text"), json!("Another")),
        FieldType::Number => pick(json!(2.5), json!(4.5)),
        FieldType::Integer => pick(json!(3), json!(4)),
        FieldType::Boolean => json!(other),
        FieldType::Date => pick(json!("2026-04-20"), json!("2026-04-21")),
        FieldType::Datetime => pick(
            json!("2026-04-20T15:30:00.000000Z"),
            json!("2026-04-21T15:30:00.000000Z"),
        ),
        FieldType::Time => pick(json!("08:30"), json!("09:30")),
        FieldType::Recurrence => pick(
            json!({ "rule": "FREQ=WEEKLY;BYDAY=MO" }),
            json!({ "rule": "FREQ=DAILY;INTERVAL=3", "start": "2026-04-20", "from": "completion" }),
        ),
        FieldType::Enum => {
            let last = field.values.last().map(EnumValue::value);
            pick(json!(field.values[0].value()), json!(last))
        }
        FieldType::Ref => json!("r1"),
        FieldType::Tags => pick(json!(["one", "two"]), json!(["three"])),
        FieldType::Url => pick(json!("https://example.com/"), json!("https://example.org/")),
        FieldType::Json => json!({ "any": other }),
        FieldType::KeyedList => json!([]),
    }
}
