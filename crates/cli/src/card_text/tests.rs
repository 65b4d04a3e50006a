//! Rules C1 and C2 of `spec/MODULES.md` on the command line: what an approval runs is printed before it.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Map, Op, RecordKey, RecordState,
    manifest::{EffectOp, FieldType, Label, Operation, Registry},
    staging::{CardRecords, card_operation, proposal_card},
};
use serde_json::{Value, json};

use super::*;
use card_cases::{Case, generated_cases, marks, written_cases};

#[path = "../../../core/tests/it/card_cases.rs"]
mod card_cases;

fn printed(case: &Case) -> String {
    let records = case.records.clone().into();
    let card = proposal_card(&case.registry, &case.proposal, &records);
    crate::inbox::text("", &case.proposal, &card)
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
        FieldType::Datetime => both(&format!("17 Mar {}, 03:07:41 UTC", &text[..4])),
        FieldType::Time => both(text),
        FieldType::Recurrence => {
            let rule = value["rule"].as_str().unwrap_or_default();
            let count = rule.rsplit_once('=').map_or("", |(_, count)| count);
            both(&format!("every day {count} times ({rule})"))
        }
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
fn modules_c2_every_shipped_tool_and_every_kind_of_field_is_among_the_cases() {
    let cases = generated_cases();
    let registry = &cases[0].registry;
    let shipped = Registry::builtin();
    let writing = shipped.tools().into_iter();
    let writing = writing.filter(|tool| tool.tool.effect.op != EffectOp::Query);
    for tool in writing {
        let name = &tool.tool.name;
        let tried = |case: &Case| case.proposal.tool == *name;
        assert!(cases.iter().any(tried), "{name}");
    }
    let kind = |field: &mana_core::manifest::Field| json!(field.kind).to_string();
    let modules = registry.manifests().iter();
    let fields = modules.flat_map(|module| {
        module
            .tables
            .values()
            .flat_map(|table| table.fields.values())
    });
    let all: BTreeSet<String> = fields.map(kind).collect();
    let told = cases.iter().flat_map(|case| {
        let operation = &case.proposal.operations[0];
        let table = registry.table(&operation.app, &operation.table);
        let fields = &table.expect("a table").fields;
        let record = case.records.get(&operation.key());
        let removed = record.filter(|_| operation.op == Op::Delete);
        let names = operation
            .set
            .keys()
            .chain(removed.into_iter().flat_map(|record| record.data.keys()));
        names.map(|name| kind(&fields[name])).collect::<Vec<_>>()
    });
    assert_eq!(told.collect::<BTreeSet<String>>(), all);
}

/// The lines of a new goal or event with these values.
fn new_record(app: &str, table: &str, set: Value) -> String {
    let registry = Registry::builtin();
    let set: Map = serde_json::from_value(set).expect("an object");
    let operation = Operation {
        op: Op::Insert,
        app: app.to_owned(),
        table: table.to_owned(),
        id: "id".to_owned(),
        set,
        now: Vec::new(),
    };
    let card = card_operation(
        &registry,
        &operation,
        &BTreeMap::new(),
        &CardRecords::default(),
    );
    let mut text = String::new();
    fields_text(&mut text, &card.fields);
    text
}

#[test]
fn modules_c5_a_record_is_told_from_others_of_its_title() {
    let registry = Registry::builtin();
    let operation: Operation = serde_json::from_value(json!({
        "op": "update", "app": "todo", "table": "tasks", "id": "t1", "set": { "done": true },
    }))
    .expect("an operation");
    let task = |due: &str| RecordState {
        data: serde_json::from_value(json!({ "title": "Call Bob", "dueDate": due }))
            .expect("an object"),
        meta: BTreeMap::new(),
    };
    let key = RecordKey::new("todo", "tasks", "t1");
    let printed = |namesakes: Vec<RecordState>| {
        let known = CardRecords {
            records: BTreeMap::from([(key.clone(), task("2026-04-08"))]),
            namesakes: BTreeMap::from([(key.clone(), namesakes)]),
        };
        let card = ProposalCard {
            operations: vec![card_operation(
                &registry,
                &operation,
                &BTreeMap::new(),
                &known,
            )],
            ..proposal_card(&registry, &generated_cases()[0].proposal, &known)
        };
        card_text(&card)
    };
    let line = "Others have this title. This one: Due: Wed 8 Apr 2026\n";
    assert!(printed(vec![task("2026-04-09")]).contains(line));
    assert!(!printed(Vec::new()).contains("Others have"));
    assert!(printed(vec![task("2026-04-08")]).contains("This one: t1\n"));
}

#[test]
fn modules_c5_numbers_and_times_are_printed_whole() {
    for (number, printed) in [
        ("0.0004", "0.0004"),
        ("1e21", "1e+21"),
        ("1000000000000000000000", "1e+21"),
        ("123456789.123456", "123456789.123456"),
        ("9007199254740993", "9007199254740993"),
        ("-0.5", "-0.5"),
        ("1e-7", "1e-7"),
    ] {
        let number: Value = serde_json::from_str(number).expect("a number");
        let text = new_record("goals", "goals", json!({"target": number, "unit": "km"}));
        assert!(text.contains(&format!("Target: {printed} km\n")), "{text}");
    }
    for (time, printed) in [
        ("2027-01-02T03:04:05Z", "Sat 2 Jan 2027, 03:04:05 UTC"),
        ("2027-01-02T03:04:00Z", "Sat 2 Jan 2027, 03:04 UTC"),
        ("2027-01-02T00:00:00Z", "Sat 2 Jan 2027, 00:00 UTC"),
        (
            "2027-01-02T03:00:00.250Z",
            "Sat 2 Jan 2027, 03:00:00.250000 UTC",
        ),
        ("1027-01-02T03:04:05+01:00", "Tue 2 Jan 1027, 02:04:05 UTC"),
    ] {
        let text = new_record("calendar", "events", json!({"startsAt": time}));
        assert!(text.contains(printed), "{time}: {text}");
    }
}

#[test]
fn missions_x1_text_of_others_is_isolated_on_a_card() {
    let text = new_record(
        "calendar",
        "events",
        json!({"title": "תשלום 1000", "location": "Bob \u{202e}0001", "notes": "אחת\nb"}),
    );
    for part in [
        "\u{2068}תשלום 1000\u{2069}\n",
        "Bob [U+202E]0001\n",
        "| \u{2068}אחת\u{2069}\n",
        "| b\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
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

#[test]
fn modules_c6_the_host_of_an_address_is_printed_where_it_is_not_plain() {
    for (address, host) in [
        ("https://bank.example@evil.example/x", "evil.example"),
        ("https:\\\\evil.example", "evil.example"),
        ("https://evil.example\\@bank.example", "evil.example"),
        ("https://%65vil.example", "evil.example"),
        ("https://раypal.example", "xn--ypal-43d9g.example"),
        ("https://ev\til.example", "evil.example"),
        ("https://0x7f.1/", "127.0.0.1"),
        ("//evil.example", "evil.example"),
    ] {
        assert_eq!(host_note(address), format!(" (host {host})"), "{address}");
    }
    for plain in [
        "https://a.example",
        "http://A.Example:8080/x?y=b@c",
        "/todo",
        "mailto:a@b.example",
        "javascript:x",
        "https://",
        "",
    ] {
        assert_eq!(host_note(plain), "", "{plain}");
    }
    let shown = ShownValue::Address {
        address: "https://a@b.example".to_owned(),
    };
    let value = CardValue {
        shown,
        fit: Fit::Fits,
        raw: json!("https://a@b.example"),
    };
    assert_eq!(inline(&value, None), "https://a@b.example (host b.example)");
}
