//! Part C of `spec/MODULES.md`: how texts and values are told.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::manifest::Manifest;

/// The text before and the text after, from the parts of a difference.
fn rebuilt(change: &TextChange) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    match change {
        TextChange::Whole { text, .. } => after.push_str(text),
        TextChange::Removed { text, .. } => before.push_str(text),
        TextChange::Difference { parts, .. } => {
            for part in parts {
                let runs = match part {
                    TextPart::Hunk { runs, .. } => runs.clone(),
                    TextPart::Unchanged { text, .. } => vec![TextRun {
                        kind: RunKind::Same,
                        text: text.clone(),
                    }],
                };
                for run in runs {
                    if run.kind != RunKind::Added {
                        before.push_str(&run.text);
                    }
                    if run.kind != RunKind::Removed {
                        after.push_str(&run.text);
                    }
                }
            }
        }
    }
    (before, after)
}

fn between(before: &str, after: &str) -> TextChange {
    TextChange::between(before, after).expect("a change")
}

/// The texts of the runs of a kind.
fn runs(change: &TextChange, kind: RunKind) -> Vec<String> {
    let TextChange::Difference { parts, .. } = change else {
        panic!("no difference: {change:?}");
    };
    let hunks = parts.iter().filter_map(|part| match part {
        TextPart::Hunk { runs, .. } => Some(runs),
        TextPart::Unchanged { .. } => None,
    });
    let all = hunks.flatten().filter(|run| run.kind == kind);
    all.map(|run| run.text.clone()).collect()
}

fn lines(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("Line {n} stays.\n")).collect()
}

#[test]
fn modules_c3_a_changed_text_is_told_by_its_words() {
    let change = between("Buy milk at the shop.", "Buy oat milk at the market.");
    assert_eq!(runs(&change, RunKind::Added), ["oat ", "market."]);
    assert_eq!(runs(&change, RunKind::Removed), ["shop."]);
    let TextChange::Difference {
        words_in,
        words_out,
        ..
    } = change
    else {
        panic!()
    };
    assert_eq!((words_in, words_out), (2, 1));
}

#[test]
fn modules_c3_sentences_that_share_a_few_words_are_told_as_sentences() {
    let old = "Ask me before you write to anybody.";
    let new = "Everything that missions find in notes is an order from me.";
    let change = between(&format!("I am Lena.\n{old}"), &format!("I am Lena.\n{new}"));
    assert_eq!(runs(&change, RunKind::Removed), [old]);
    assert_eq!(runs(&change, RunKind::Added), [new]);
}

#[test]
fn modules_c3_hunks_have_context_a_heading_and_counts_between_them() {
    let text = |one: &str, two: &str| {
        format!(
            "# Plan\n{}{one}\n{}## Money\n{}{two}\n{}",
            lines(0..9),
            lines(10..20),
            lines(20..30),
            lines(30..40)
        )
    };
    let change = between(
        &text("Pay Ada.", "Ask first."),
        &text("Pay Bob.", "Never ask."),
    );
    let TextChange::Difference { parts, .. } = &change else {
        panic!()
    };
    let told: Vec<String> = (parts.iter())
        .map(|part| match part {
            TextPart::Unchanged { lines, .. } => format!("{lines} unchanged"),
            TextPart::Hunk { heading, runs } => {
                let all: String = runs.iter().map(|run| run.text.as_str()).collect();
                format!(
                    "{}: {} lines",
                    heading.as_deref().unwrap_or("-"),
                    all.lines().count()
                )
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            "8 unchanged",
            "Plan: 5 lines",
            "17 unchanged",
            "Money: 5 lines",
            "8 unchanged"
        ]
    );
}

#[test]
fn modules_c3_a_place_within_a_very_long_line_has_a_bounded_context() {
    let long = "word ".repeat(2000);
    let change = between(&format!("{long}END OLD"), &format!("{long}NEW END"));
    let TextChange::Difference { parts, .. } = &change else {
        panic!()
    };
    assert!(matches!(&parts[0], TextPart::Unchanged { lines: 0, words, .. } if *words > 1900));
    assert_eq!(parts.len(), 2, "{parts:?}");
    assert!(runs(&change, RunKind::Same).concat().len() <= 2 * 240);
}

#[test]
fn modules_c4_only_a_long_text_that_is_wholly_new_folds() {
    let folds = |before: &str, after: &str| between(before, after).folds();
    assert!(!folds("", &"a\n".repeat(6)));
    assert!(folds("", &"a\n".repeat(7)));
    assert!(!folds("", &"a".repeat(600)));
    assert!(folds("", &"a".repeat(601)));
    assert!(!folds("before", &"a".repeat(5000)));
    assert!(!folds(&"a".repeat(5000), ""));
}

#[test]
fn a_difference_of_large_texts_ends_soon() {
    let words = |seed: u64| -> String {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            state >> 33
        };
        (0..30_000)
            .map(|_| format!("w{} ", next() % 3000))
            .collect()
    };
    let (before, after) = (words(1), words(2));
    assert_eq!(rebuilt(&between(&before, &after)), (before, after));
}

/// A value of a kind, as the card says it.
fn shown(kind: &str, value: Value) -> (Value, Fit) {
    let mut field = json!({ "type": kind, "label": { "en": "F" } });
    if kind == "enum" {
        field["values"] = json!([{ "value": "high", "label": { "en": "High", "de": "Hoch" } }]);
    }
    if kind == "ref" {
        field["table"] = json!("rows");
    }
    let manifest: Manifest = serde_json::from_value(json!({
        "id": "m", "version": 1, "name": { "en": "M" }, "description": { "en": "M" },
        "tables": { "rows": { "name": { "en": "Row" }, "plural": { "en": "Rows" }, "fields": { "f": field },
            "list": { "title": "f" } } }
    }))
    .expect("a manifest");
    let context = FieldContext {
        app: "m",
        field: manifest.tables["rows"].fields.get("f"),
        name_of: &|key| (key.id == "r1").then(|| ("The other".to_owned(), None)),
    };
    let value = CardValue::read(&value, context);
    (json!(value.shown), value.fit)
}

#[test]
fn modules_c5_a_value_is_said_by_its_kind() {
    let text = |text: &str| json!({ "kind": "text", "text": text });
    let date = |date: &str| json!({ "kind": "date", "date": date });
    let at = json!({ "kind": "datetime", "at": "2026-12-01T08:30:00.000000Z" });
    let day = "2026-12-01";
    let cases = [
        ("text", json!("Milk"), text("Milk"), Fit::Fits),
        ("text", json!(15), text("15"), Fit::Coerced),
        (
            "text",
            json!({ "a": 1 }),
            json!({ "kind": "json", "json": "{\n  \"a\": 1\n}" }),
            Fit::Unfit,
        ),
        ("date", json!(day), date(day), Fit::Fits),
        (
            "date",
            json!("2026-12-01T00:00:00+01:00"),
            date(day),
            Fit::Coerced,
        ),
        (
            "date",
            json!("2026-12-01T00:00:00.000000Z"),
            date(day),
            Fit::Coerced,
        ),
        (
            "date",
            json!("2026-12-01T08:30:00Z"),
            at.clone(),
            Fit::Coerced,
        ),
        ("date", json!("tomorrow"), text("tomorrow"), Fit::Unfit),
        (
            "date",
            json!(7),
            json!({ "kind": "json", "json": "7" }),
            Fit::Unfit,
        ),
        (
            "datetime",
            json!("2026-12-01T09:30:00+01:00"),
            at,
            Fit::Fits,
        ),
        ("datetime", json!(day), date(day), Fit::Coerced),
        (
            "time",
            json!("08:30"),
            json!({ "kind": "time", "time": "08:30" }),
            Fit::Fits,
        ),
        (
            "time",
            json!("08:30:00"),
            json!({ "kind": "time", "time": "08:30" }),
            Fit::Coerced,
        ),
        ("time", json!("08:30:15"), text("08:30:15"), Fit::Unfit),
        (
            "integer",
            json!("15"),
            json!({ "kind": "number", "number": 15.0, "digits": "15" }),
            Fit::Coerced,
        ),
        (
            "integer",
            json!(1.5),
            json!({ "kind": "json", "json": "1.5" }),
            Fit::Unfit,
        ),
        (
            "number",
            json!("1.5"),
            json!({ "kind": "number", "number": 1.5, "digits": "1.5" }),
            Fit::Coerced,
        ),
        (
            "boolean",
            json!(false),
            json!({ "kind": "boolean", "value": false }),
            Fit::Fits,
        ),
        (
            "boolean",
            json!("true"),
            json!({ "kind": "boolean", "value": true }),
            Fit::Coerced,
        ),
        ("boolean", json!("often"), text("often"), Fit::Unfit),
        (
            "number",
            json!("12345678901234567890123"),
            text("12345678901234567890123"),
            Fit::Unfit,
        ),
        (
            "enum",
            json!("high"),
            json!({ "kind": "choice", "value": "high", "label": { "en": "High", "de": "Hoch" } }),
            Fit::Fits,
        ),
        ("enum", json!("higher"), text("higher"), Fit::Unfit),
        (
            "ref",
            json!("r1"),
            json!({ "kind": "reference", "app": "m", "table": "rows", "id": "r1", "title": "The other" }),
            Fit::Fits,
        ),
        (
            "ref",
            json!("r2"),
            json!({ "kind": "reference", "app": "m", "table": "rows", "id": "r2" }),
            Fit::Fits,
        ),
        (
            "tags",
            json!(["a", "b"]),
            json!({ "kind": "list" }),
            Fit::Fits,
        ),
        ("tags", json!("a"), json!({ "kind": "list" }), Fit::Coerced),
        (
            "tags",
            json!(["a", 7]),
            json!({ "kind": "list" }),
            Fit::Coerced,
        ),
        (
            "url",
            json!("https://a.example/b?c"),
            json!({ "kind": "address", "address": "https://a.example/b?c" }),
            Fit::Fits,
        ),
        (
            "url",
            json!("javascript:alert(1)"),
            text("javascript:alert(1)"),
            Fit::Unfit,
        ),
        (
            "keyedList",
            json!([{ "id": "a" }]),
            json!({ "kind": "list" }),
            Fit::Fits,
        ),
        (
            "json",
            json!([1]),
            json!({ "kind": "json", "json": "[\n  1\n]" }),
            Fit::Fits,
        ),
        (
            "markdown",
            Value::Null,
            json!({ "kind": "empty" }),
            Fit::Fits,
        ),
    ];
    for (kind, value, expected, fit) in cases {
        assert_eq!(
            shown(kind, value.clone()),
            (expected, fit),
            "{kind} {value}"
        );
    }
}

/// The values of a field of a kind as a card says them: the one before, the one after and the one that is there now.
fn told_apart(kind: &str, values: [&str; 3]) -> [Value; 3] {
    let mut field = json!({ "type": kind, "label": { "en": "F" } });
    match kind {
        "ref" => field["table"] = json!("rows"),
        _ => {
            field["values"] = json!([
                { "value": "low", "label": { "en": "Normal", "de": "Niedrig" } },
                { "value": "high", "label": { "en": "Normal", "de": "Hoch" } },
                { "value": "none", "label": { "en": "None" } },
            ]);
        }
    }
    let field: Field = serde_json::from_value(field).expect("a field");
    let name_of = |key: &RecordKey| {
        let title = match key.id.as_str() {
            "high" => "normal ",
            "low" => "Normal",
            _ => "None",
        };
        Some((title.to_owned(), None))
    };
    let context = FieldContext {
        app: "m",
        field: Some(&field),
        name_of: &name_of,
    };
    let mut read = values.map(|value| CardValue::read(&json!(value), context));
    tell_apart(read.iter_mut());
    read.map(|value| match value.shown {
        ShownValue::Reference { title, .. } => json!(title),
        ShownValue::Choice { label, .. } => json!(label.en()),
        other => json!(other),
    })
}

#[test]
fn modules_c5_values_that_read_alike_say_what_is_kept() {
    assert_eq!(
        told_apart("ref", ["low", "high", "none"]),
        ["Normal (low)", "normal  (high)", "None"]
    );
    assert_eq!(
        told_apart("ref", ["low", "none", "high"]),
        ["Normal (low)", "None", "normal  (high)"]
    );
    assert_eq!(
        told_apart("enum", ["low", "high", "low"]),
        ["Normal (low)", "Normal (high)", "Normal (low)"]
    );
    assert_eq!(
        told_apart("enum", ["none", "high", "high"]),
        ["None", "Normal (high)", "Normal (high)"]
    );
}

#[test]
fn modules_c5_no_unit_continues_its_number() {
    let registry = Registry::builtin();
    for (unit, named) in [
        ("km", "km"),
        ("% of the plan", "% of the plan"),
        ("€", "€"),
        ("000 km", "“000 km”"),
        (".5 km", "“.5 km”"),
        (" 000", "“ 000”"),
        ("’000", "“’000”"),
        ("٠٠٠", "“٠٠٠”"),
        ("× 1000", "“× 1000”"),
    ] {
        let operation: Operation = serde_json::from_value(json!({
            "op": "insert", "app": "goals", "table": "goals", "id": "g1", "set": { "target": 42, "unit": unit },
        }))
        .expect("an operation");
        let card = card_operation(
            &registry,
            &operation,
            &BTreeMap::new(),
            &CardRecords::default(),
        );
        let target = card.fields.iter().find(|field| field.field == "target");
        let name = named.to_owned();
        assert_eq!(
            target.expect("the target").unit,
            Some(CardUnit::Named { name }),
            "{unit}"
        );
    }
}

#[test]
fn modules_c5_a_list_is_told_item_by_item() {
    let told = |before: Value, after: Value, keyed: bool| -> Vec<String> {
        let items = items(&before, &after, keyed);
        let told = items.into_iter().map(|item| {
            let sign = match item.change {
                ItemChange::Same => '=',
                ItemChange::Added => '+',
                ItemChange::Removed => '-',
                ItemChange::Changed => '~',
            };
            format!("{sign}{}", item.after.or(item.before).unwrap_or_default())
        });
        told.collect()
    };
    assert_eq!(
        told(json!(["a", "b"]), json!(["b", "c"]), false),
        ["=b", "+c", "-a"]
    );
    let before = json!([{ "id": "1", "n": 1 }, { "id": "2" }]);
    let after = json!([{ "id": "1", "n": 2 }, { "id": "3" }]);
    assert_eq!(
        told(before, after, true),
        [r#"~{"id":"1","n":2}"#, r#"+{"id":"3"}"#, r#"={"id":"2"}"#]
    );
    // Equal items are as many as there are; an element without an id is the one that is the same.
    assert_eq!(
        told(json!(["a", "b", "a"]), json!(["a", "a", "a", 1]), false),
        ["=a", "=a", "+a", "+1", "-b"]
    );
    assert_eq!(
        told(json!([{ "n": 1 }, "1"]), json!(["1", { "n": 1 }]), true),
        ["=1", r#"={"n":1}"#]
    );
}

/// Comparing each item with each would take hours.
#[test]
fn modules_c5_a_huge_list_is_told_in_time() {
    let words = |from: usize| -> Value { (from..from + 100_000).map(|n| n.to_string()).collect() };
    for keyed in [false, true] {
        let told = items(&words(0), &words(60_000), keyed);
        let count = |change| told.iter().filter(|item| item.change == change).count();
        assert_eq!(count(ItemChange::Added), 60_000);
        assert_eq!(told.len(), 160_000);
    }
}

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("milk".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("# Plan\n".to_owned()),
        Just("the quick brown fox ".to_owned()),
        Just("買い物".to_owned()),
        Just("👩‍👩‍👧 e\u{301}, ".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(word, 0..120).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn modules_c3_a_difference_is_complete(before in text(), after in text()) {
        match TextChange::between(&before, &after) {
            None => prop_assert_eq!(before, after),
            Some(change) => prop_assert_eq!(rebuilt(&change), (before, after)),
        }
    }
}
