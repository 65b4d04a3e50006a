//! Values that do not fit their fields.

use serde_json::json;

use super::*;

/// The rest of a value that does not fit a field of a kind: none where it fits.
fn unfit(kind: &str, more: Value, value: Value) -> Option<(Value, String, Option<Value>)> {
    let mut field = json!({ "type": kind, "label": { "en": "F" } });
    field
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    let manifest = json!({
        "id": "m", "version": 1, "name": { "en": "M" }, "description": { "en": "M" },
        "tables": { "rows": { "name": { "en": "Row" }, "plural": { "en": "Rows" },
            "fields": { "title": { "type": "text", "label": { "en": "T" } }, "f": field },
            "list": { "title": "title" } } },
        "tools": []
    });
    let (registry, rejected) = Registry::default().with([("m.json", manifest.to_string())]);
    assert_eq!(rejected, []);
    let data = Map::from_iter([
        ("title".to_owned(), json!("Fits")),
        ("f".to_owned(), value.clone()),
    ]);
    let mut found = unfit_fields(&registry, "m", "rows", &data);
    assert!(found.len() <= 1, "{found:?}");
    let found = found.pop()?;
    assert_eq!(
        (found.field.as_str(), found.problem.field.as_str()),
        ("f", "f")
    );
    if let Some(kept) = &found.kept {
        let mended = Map::from_iter([("f".to_owned(), kept.clone())]);
        assert!(
            unfit_fields(&registry, "m", "rows", &mended).is_empty(),
            "{kept}"
        );
    }
    Some((found.raw, found.problem.code, found.kept))
}

#[test]
fn modules_d8_a_value_that_does_not_fit_is_kept_where_nothing_is_lost() {
    let none = || json!({});
    let choices = || json!({ "values": [{ "value": "high", "label": { "en": "High" } }] });
    let cases = [
        ("text", none(), json!(15), "type", Some(json!("15"))),
        ("text", json!({ "max": 1 }), json!(15), "type", None),
        ("text", json!({ "max": 2 }), json!("long"), "max", None),
        ("markdown", none(), json!(1.5), "type", Some(json!("1.5"))),
        ("text", none(), json!({ "a": 1 }), "type", None),
        ("text", none(), json!(true), "type", None),
        ("number", none(), json!(" 1.50 "), "type", Some(json!(1.5))),
        (
            "number",
            none(),
            json!("12345678901234567890123"),
            "type",
            None,
        ),
        (
            "number",
            none(),
            json!("0.12345678901234567890123"),
            "type",
            None,
        ),
        ("number", none(), json!("ten"), "type", None),
        ("number", json!({ "max": 5 }), json!("7"), "type", None),
        ("number", json!({ "max": 5 }), json!(7), "max", None),
        ("integer", none(), json!("15"), "type", Some(json!(15))),
        ("integer", none(), json!("1.5"), "type", None),
        ("boolean", none(), json!("true"), "type", Some(json!(true))),
        ("boolean", none(), json!("often"), "type", None),
        (
            "date",
            none(),
            json!("2026-12-01T00:00:00.000Z"),
            "date",
            Some(json!("2026-12-01")),
        ),
        (
            "date",
            none(),
            json!("2026-12-01T00:00:00+01:00"),
            "date",
            Some(json!("2026-12-01")),
        ),
        ("date", none(), json!("2026-12-01T08:30:00Z"), "date", None),
        ("date", none(), json!("2026-99-99"), "date", None),
        ("date", none(), json!(["x"]), "date", None),
        ("datetime", none(), json!("2026-12-01"), "datetime", None),
        (
            "time",
            none(),
            json!("08:30:00"),
            "time",
            Some(json!("08:30")),
        ),
        ("time", none(), json!("08:30:15"), "time", None),
        ("enum", choices(), json!("higher"), "enum", None),
        ("ref", json!({ "table": "rows" }), json!(7), "ref", None),
        ("tags", none(), json!("a, b"), "type", Some(json!(["a, b"]))),
        (
            "tags",
            none(),
            json!(["a", 7]),
            "type",
            Some(json!(["a", "7"])),
        ),
        ("tags", none(), json!(["a", null]), "type", None),
        ("tags", json!({ "max": 1 }), json!(["a", "b"]), "max", None),
        ("url", none(), json!("example.org"), "url", None),
    ];
    for (kind, more, value, code, kept) in cases {
        assert_eq!(
            unfit(kind, more, value.clone()),
            Some((value, code.to_owned(), kept)),
            "{kind}"
        );
    }
    let fitting = [
        ("text", json!("15")),
        ("number", json!(1.5)),
        ("date", json!("2026-12-01")),
        ("date", Value::Null),
        ("date", json!("")),
        ("tags", json!([])),
        ("boolean", json!(false)),
        ("json", json!({ "a": [1] })),
    ];
    for (kind, value) in fitting {
        assert_eq!(unfit(kind, none(), value.clone()), None, "{kind} {value}");
    }
}

#[test]
fn modules_d8_the_record_of_a_module_that_is_not_here_has_no_unfit_field() {
    let data = Map::from_iter([("title".to_owned(), json!(7))]);
    assert_eq!(
        unfit_fields(&Registry::builtin(), "unknown", "rows", &data),
        []
    );
    assert_eq!(
        unfit_fields(&Registry::builtin(), "todo", "unknown", &data),
        []
    );
    let more = Map::from_iter([("zzz".to_owned(), json!(7))]);
    assert_eq!(
        unfit_fields(&Registry::builtin(), "todo", "tasks", &more),
        []
    );
}
