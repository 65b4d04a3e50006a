//! Rules C1 and C2 of `spec/MODULES.md` on the command line: what an approval runs is printed before it.

use mana_core::{
    Op, RecordKey,
    manifest::{FieldType, Label},
};
use serde_json::{Value, json};

use super::*;
use card_cases::{Case, generated_cases, marks, written_cases};

#[path = "../../../core/tests/it/card_cases.rs"]
mod card_cases;

fn printed(case: &Case) -> String {
    let lookup = |key: &RecordKey| case.records.get(key);
    let card = mana_core::staging::proposal_card(&case.registry, &case.proposal, &lookup);
    format!("{}\n{}", heading(&card), card_text(&card))
}

/// The text that must be printed for a value that has no marks.
fn expected(kind: FieldType, label: &str, value: &Value) -> Vec<String> {
    let text = value.as_str().unwrap_or_default();
    let both = |said: &str| vec![label.to_owned(), said.to_owned()];
    match kind {
        _ if value.is_null() => vec![label.to_owned()],
        FieldType::Number | FieldType::Integer => both(&value.to_string()),
        FieldType::Boolean => both(if value == true { "yes" } else { "no" }),
        FieldType::Date => both(&format!("17 Mar {}", &text[..4])),
        FieldType::Datetime => both(&format!("17 Mar {}, 03:07 UTC", &text[..4])),
        FieldType::Time => both(text),
        FieldType::Url => both(text),
        FieldType::Ref => both(&format!("{text}title")),
        FieldType::Text
        | FieldType::Markdown
        | FieldType::Enum
        | FieldType::Tags
        | FieldType::KeyedList
        | FieldType::Json => vec![label.to_owned()],
    }
}

#[test]
fn modules_c2_every_value_of_every_tool_is_printed() {
    let cases = generated_cases();
    assert!(cases.len() > 300, "{}", cases.len());
    for case in cases {
        let (text, name) = (printed(&case), &case.name);
        let operation = &case.proposal.operations[0];
        let table = case
            .registry
            .table(&operation.app, &operation.table)
            .expect("a table");
        let record = case
            .records
            .get(&operation.key())
            .map(|record| &record.data);
        let told = if operation.op == Op::Delete {
            record.expect("a record")
        } else {
            &operation.set
        };
        for (key, value) in told {
            let field = &table.fields[key];
            let label = field.label.as_ref().map_or("", Label::en);
            let mut parts = expected(field.kind, label, value);
            if let Some(choice) = field.values.iter().find(|choice| value == choice.value()) {
                parts.push(choice.label().en().to_owned());
            }
            let before = record
                .and_then(|record| record.get(key))
                .unwrap_or(&Value::Null);
            let (old, new) = (marks(before), marks(value));
            parts.extend(
                new.iter()
                    .filter(|mark| operation.op == Op::Delete || !old.contains(mark))
                    .cloned(),
            );
            parts.extend(old.iter().filter(|mark| !new.contains(mark)).cloned());
            for part in parts {
                assert!(text.contains(&part), "{name}: {key} lacks {part}:\n{text}");
            }
        }
        if !operation.now.is_empty() {
            assert!(text.contains("the time of the approval"), "{name}");
        }
    }
}

#[test]
fn modules_c1_the_cards_of_the_file_are_printed() {
    for (case, shown) in written_cases() {
        let text = printed(&case);
        for part in shown {
            assert!(text.contains(&part), "{}: {part} is in\n{text}", case.name);
        }
        for hidden in ['\u{202e}', '\u{202c}'] {
            assert!(!text.contains(hidden), "{}", case.name);
        }
        let model = &case.proposal.summary;
        let mut values = case.proposal.operations[0].set.values();
        let said = values.any(|value| value.as_str().is_some_and(|text| text.contains(model)));
        assert!(
            said || !text.contains(model.as_str()),
            "{}: the model's words",
            case.name
        );
    }
}

#[test]
fn a_difference_is_printed_by_whole_lines() {
    let printed = |before: &str, after: &str| {
        let Some(TextChange::Difference { parts, .. }) = TextChange::between(before, after) else {
            panic!("a difference");
        };
        let mut text = String::new();
        difference(&mut text, &parts);
        text.lines()
            .map(|line| line[LINE.len()..].to_owned())
            .collect::<Vec<_>>()
    };
    let many: String = (1..9).map(|n| format!("Line {n}\n")).collect();
    assert_eq!(
        printed(
            &format!("{many}Pay Ada.\nEnd"),
            &format!("{many}Pay Bob.\nEnd")
        ),
        [
            "… 6 lines unchanged",
            "  Line 7",
            "  Line 8",
            "- Pay Ada.",
            "+ Pay Bob.",
            "  End"
        ]
    );
    assert_eq!(
        printed("One\nThree", "One\nTwo\nThree"),
        ["  One", "+ Two", "  Three"]
    );
    assert_eq!(
        printed("One  ", "One\n\nTwo"),
        ["- One··", "+ One", "+ ", "+ Two"]
    );
    assert_eq!(printed("One", "One\n"), ["- One", "+ One⏎"]);
    assert_eq!(
        printed("One\n+ Two", "One\n- Two\nx"),
        ["  One", "- + Two", "+ - Two", "+ x"]
    );
    let words = "word ".repeat(300);
    let long = printed(&format!("{words}old"), &format!("{words}new"));
    assert!(
        long[0].ends_with("words unchanged") && long[1].starts_with("- …"),
        "{long:?}"
    );
}

#[test]
fn a_value_that_does_not_fit_is_marked() {
    let value = |shown: ShownValue, fit: Fit, raw: Value| CardValue { shown, fit, raw };
    let date = ShownValue::Date {
        date: "2026-12-01".to_owned(),
    };
    let coerced = value(date, Fit::Coerced, json!("2026-12-01T00:00:00Z"));
    assert_eq!(inline(&coerced, None), "Tue 1 Dec 2026");
    assert_eq!(
        fit_note(&coerced),
        " (stands there as \"2026-12-01T00:00:00Z\")"
    );
}
