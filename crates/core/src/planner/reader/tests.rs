//! JSON as models write it.

use serde_json::{Value, json};

use super::lenient_json::{is_cut, read};

fn value(text: &str) -> Option<(Value, bool)> {
    let mut fuel = 100_000;
    read(text, &mut fuel).map(|found| (found.value, found.whole))
}

#[test]
fn missions_a2_json_as_models_write_it() {
    for (text, expected) in [
        ("{\"a\": 1,}", json!({"a": 1})),
        (
            "{'a': 'It's', 'b': True, 'c': None}",
            json!({"a": "It's", "b": true, "c": null}),
        ),
        (
            "{a: \"x\", // why\n b: [1, 2,], /* c */ c: .5}",
            json!({"a": "x", "b": [1, 2], "c": 0.5}),
        ),
        ("{“a”: “x“, „b“: „y”}", json!({"a": "x", "b": "y"})),
        (
            "{\"a\": \"You said \"milk\", twice\", \"b\": 1}",
            json!({"a": "You said \"milk\", twice", "b": 1}),
        ),
        (
            "{\"a\": \"one\ntwo\tthree\"}",
            json!({"a": "one\ntwo\tthree"}),
        ),
        (
            "{\"a\": \"It\\'s\", \"b\": \"\\*\"}",
            json!({"a": "It's", "b": "\\*"}),
        ),
        ("{\u{a0}\"a\":\u{a0}+1}", json!({"a": 1})),
        (
            "{\"a\": [{\"b\": 1}, {\"b\": 2}}",
            json!({"a": [{"b": 1}, {"b": 2}]}),
        ),
        (
            "{\"a\": [{\"b\": 1], \"c\": 2}",
            json!({"a": [{"b": 1}], "c": 2}),
        ),
        ("{\"a\": \"x\"\n\"b\": \"y\"}", json!({"a": "x", "b": "y"})),
        (
            "{\"a\": \"\"\"long \"quoted\" text\"\"\"}",
            json!({"a": "long \"quoted\" text"}),
        ),
        (
            "{\"a\": 0x1F, \"b\": 1_000, \"c\": Infinity}",
            json!({"a": 31, "b": 1000, "c": "Infinity"}),
        ),
        (
            "{title: Buy milk, list: Home}",
            json!({"title": "Buy milk", "list": "Home"}),
        ),
        ("{\"a\": \"\\ud83e\\udd5b\\u00e9\"}", json!({"a": "🥛é"})),
        ("{\"a\" => \"b\", c = 'd'}", json!({"a": "b", "c": "d"})),
        ("[{\"a\": 1}, ...]", json!([{"a": 1}])),
    ] {
        assert_eq!(value(text), Some((expected, true)), "{text}");
    }
}

#[test]
fn missions_a2_what_is_cut_off_keeps_its_whole_elements() {
    let (found, whole) = value("{\"s\": [{\"a\": 1}, {\"a\": 2, \"b\": \"x").expect("a value");
    assert!(!whole && is_cut(&found));
    assert_eq!(found["s"], json!([{"a": 1}]));
    let (found, whole) = value("{\"a\": {\"b\": 1, \"c\": [\"x\", \"y").expect("a value");
    assert!(!whole && is_cut(&found["a"]));
    assert_eq!(found["a"]["c"], json!(["x"]));
    let (found, whole) = value("{\"s\": [1, 2\n```\nThat is all.").expect("a value");
    assert!(!whole);
    assert_eq!(found["s"], json!([1, 2]));
    assert!(!is_cut(&value("{\"a\": 1}").expect("a value").0));
}

#[test]
fn missions_a2_words_in_brackets_are_no_value() {
    for text in [
        "{braces}",
        "{see above}",
        "{\"a\"}",
        "[click here](x)",
        "no bracket",
    ] {
        assert_eq!(value(text), None, "{text}");
    }
}
