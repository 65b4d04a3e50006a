//! Reading, refusing and completing a change (C1…).

use mana_core::{Actor, Change, Defaults, Micros, Op, change::Write};
use serde_json::{Value, json};

use crate::generate::schema;

fn reason(change: Value) -> String {
    Change::parse(change)
        .expect_err("a change to refuse")
        .reason
}

fn defaults() -> Defaults {
    Defaults {
        event_id: "e9".into(),
        at: Micros::from_millis(9_000),
        actor: Actor::user(),
        app_id: "todo".into(),
    }
}

#[test]
fn sync_c1_unknown_fields_are_kept_and_passed_on() {
    let wire = json!({
        "eventId": "e1", "table": "tasks", "id": "t1", "op": "update",
        "fields": {"title": {"value": null, "updatedAt": "2026-01-01T00:00:00.000000Z"}},
        "actor": {"kind": "user", "principalId": "p1"}, "colour": {"of": "the future"}
    });
    let change = Change::parse(wire.clone()).expect("a good change");
    assert_eq!(serde_json::to_value(&change).unwrap(), wire);
}

#[test]
fn sync_c1_at_is_read_as_updated_at() {
    let change = Change::parse(json!({
        "table": "tasks", "id": "t1", "op": "update",
        "fields": {"title": {"value": "Milk", "at": "2026-01-01T00:00:00Z"}}
    }));
    let stamp = change.unwrap().fields["title"].updated_at;
    assert_eq!(stamp, Some(Micros::parse("2026-01-01T00:00:00Z").unwrap()));
}

#[test]
fn sync_c2_every_refusal_names_the_field_and_says_what_to_do() {
    let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
    let cases = [
        (json!("x"), "the change is no object"),
        (json!({"id": "t", "op": "delete"}), "`table` is missing"),
        (json!({"table": "t", "op": "delete"}), "`id` is missing"),
        (
            json!({"table": "t", "id": null, "op": "delete"}),
            "`id` is missing",
        ),
        (
            json!({"table": "t", "id": 7, "op": "delete"}),
            "`id` is no text",
        ),
        (
            json!({"table": "t", "id": "", "op": "delete"}),
            "`id` is empty",
        ),
        (json!({"table": "t", "id": "r"}), "`op` is missing"),
        (
            json!({"table": "t", "id": "r", "op": "upsert"}),
            "`op` is \"upsert\"; it must be",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert"}),
            "`data` is missing",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": [1]}),
            "`data` is no object",
        ),
        (
            json!({"table": "t", "id": "r", "op": "update"}),
            "`fields` is missing",
        ),
        (
            json!({"table": "t", "id": "r", "op": "update", "fields": 3}),
            "`fields` is no object",
        ),
        (
            json!({"table": "t", "id": "r", "op": "update", "fields": {"a": 1}}),
            "`fields.a` is no object",
        ),
        (
            json!({"table": "t", "id": "r", "op": "update", "fields": {}, "data": {}}),
            "leave `data` out",
        ),
        (
            json!({"table": "t", "id": "r", "op": "update", "fields": {}, "deletedAt": "2026-01-01T00:00:00Z"}),
            "only a delete has `deletedAt`",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "data": {}}),
            "a delete has no values",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": {}, "fields": {"a": {}}}),
            "`data` has no such value",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "at": "today"}),
            "`at`: \"today\" is no time",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "at": 5}),
            "`at` is no text",
        ),
        (
            json!({"table": "t", "id": "r", "op": "update", "fields": {"a": {"value": 1, "updatedAt": "x"}}}),
            "`fields.a.updatedAt`: \"x\" is no time",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "actor": {"kind": 7}}),
            "`actor` can't be read",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "actor": "ai"}),
            "`actor` can't be read",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "schemaVersion": -1}),
            "`schemaVersion`",
        ),
        (
            json!({"table": "t\0", "id": "r", "op": "delete"}),
            "`table` holds a NUL",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": {"a": {"b": ["\0"]}}}),
            "`data.a` holds a NUL",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": {"a": {"b\0": 1}}}),
            "a name in `data.a` holds a NUL",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": {"a\0": 1}}),
            "a name in `data` holds a NUL",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "actor": {"kind": "user", "x": "\0"}}),
            "`actor` holds a NUL",
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "extra": "\0"}),
            "`extra` holds a NUL",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": {"a": deep}}),
            "`data.a` is nested deeper than 64 levels",
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": {"a": "x".repeat(5 << 20)}}),
            "the change is larger than 4 MB (at `data.a`)",
        ),
        (
            json!({"table": "t", "id": "r".repeat(600), "op": "delete"}),
            "`id` is longer than 512 bytes",
        ),
    ];
    for (change, expected) in cases {
        let reason = reason(change);
        assert!(
            reason.contains(expected),
            "{reason:?} should say {expected:?}"
        );
    }
}

#[test]
fn sync_c3_a_missing_id_is_derived_from_client_and_content() {
    let change = |title: &str| {
        let wire = json!({"table": "t", "id": "r", "op": "insert", "data": {"title": title}});
        Change::parse(wire).unwrap()
    };
    let id = change("Milk").derived_event_id("phone");
    assert_eq!(id, change("Milk").derived_event_id("phone"));
    assert_ne!(id, change("Oats").derived_event_id("phone"));
    assert_ne!(id, change("Milk").derived_event_id("laptop"));
}

#[test]
fn sync_c4_normalising_makes_every_stamp_explicit_and_keeps_what_is_there() {
    let insert = Change::parse(json!({
        "table": "tasks", "id": "t1", "op": "insert", "at": "1970-01-01T00:00:01Z",
        "data": {"title": "Milk", "done": false},
        "fields": {"done": {"updatedAt": "1970-01-01T00:00:00.5Z"}}
    }));
    assert_eq!(
        serde_json::to_value(insert.unwrap().normalize(defaults())).unwrap(),
        json!({
            "eventId": "e9", "appId": "todo", "table": "tasks", "id": "t1", "op": "insert",
            "data": {"title": "Milk", "done": false},
            "fields": {
                "done": {"updatedAt": "1970-01-01T00:00:00.500000Z"},
                "title": {"updatedAt": "1970-01-01T00:00:01.000000Z"}
            },
            "at": "1970-01-01T00:00:01.000000Z", "actor": {"kind": "user"}
        })
    );
    let delete = Change::parse(json!({"table": "tasks", "id": "t1", "op": "delete"}));
    let delete = delete.unwrap().normalize(defaults());
    assert_eq!(delete.deleted_at, Some(Micros::from_millis(9_000)));
    assert_eq!(delete.clone().normalize(defaults()), delete);
}

#[test]
fn sync_c5_a_delete_writes_deleted_at() {
    let mut change = Change::new("tasks", "t1", Op::Delete);
    change.deleted_at = Some(Micros::from_millis(1));
    let writes = change.writes();
    let [
        Write {
            field: "deletedAt",
            value,
            at,
        },
    ] = writes.as_slice()
    else {
        panic!("one write of deletedAt, not {writes:?}")
    };
    assert_eq!(value.as_str(), Some("1970-01-01T00:00:00.001000Z"));
    assert_eq!(*at, Micros::from_millis(1));
}

#[test]
fn sync_c6_what_a_keyed_list_would_leave_out_is_refused() {
    let cases = [
        (json!("x"), "`runs` is a keyed list"),
        (json!([1]), "`runs[0]` is no object"),
        (json!([{"startedAt": 1}]), "`runs[0].id` is missing"),
        (
            json!([{"id": "a", "startedAt": 1}, {"id": "b"}]),
            "`runs[1].startedAt` is missing",
        ),
        (
            json!([{"id": "a", "startedAt": 1, "plan": [{"id": 1}]}]),
            "`runs[0].plan[0].id` is missing",
        ),
    ];
    for (value, expected) in cases {
        let change = Change::parse(
            json!({"table": "t", "id": "r", "op": "update", "fields": {"runs": {"value": value}}}),
        );
        let reason = change
            .unwrap()
            .check_lists(&schema())
            .expect_err("to be refused")
            .reason;
        assert!(
            reason.contains(expected),
            "{reason:?} should say {expected:?}"
        );
    }
    let good = json!([{"id": "a", "startedAt": 1, "plan": [{"id": "s"}]}]);
    let change = Change::parse(
        json!({"table": "t", "id": "r", "op": "insert", "data": {"runs": good, "items": null}}),
    );
    change.unwrap().check_lists(&schema()).expect("a good list");
}

#[test]
fn sync_c1_what_the_first_client_sends_is_read() {
    let at = "2026-11-28T17:00:00.000000Z";
    let parse = |value: Value| serde_json::to_value(Change::parse(value).unwrap()).unwrap();
    for (sent, read) in [
        (
            json!({"table": "t", "id": "r", "op": "update", "fields": {"a": {"updatedAt": at}}}),
            json!({"table": "t", "id": "r", "op": "update", "fields": {"a": {"value": null, "updatedAt": at}}}),
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "deletedAt": at,
                "fields": {"deletedAt": {"value": at, "updatedAt": at}, "other": {"value": 1}}}),
            json!({"table": "t", "id": "r", "op": "delete", "deletedAt": at}),
        ),
        (
            json!({"table": "t", "id": "r", "op": "delete", "fields": {"deletedAt": {"value": at}}}),
            json!({"table": "t", "id": "r", "op": "delete", "deletedAt": at}),
        ),
        (
            json!({"table": "t", "id": "r", "op": "insert", "data": {"a": 1},
                "fields": {"a": {"value": 2, "at": at}, "b": {"value": 3, "updatedAt": at}}}),
            json!({"table": "t", "id": "r", "op": "insert", "data": {"a": 1, "b": 3},
                "fields": {"a": {"updatedAt": at}, "b": {"updatedAt": at}}}),
        ),
    ] {
        assert_eq!(parse(sent.clone()), read, "{sent}");
    }
}

#[test]
fn sync_s17_actors_of_other_programs_are_kept_as_they_are() {
    for (actor, needed) in [
        (
            json!({"kind": "user", "principalId": "u1", "displayName": "Lena"}),
            1,
        ),
        (json!({"kind": "system", "source": "rule"}), 1),
        (
            json!({"kind": "system", "principalId": "system:projection", "displayName": "Streak tracker"}),
            2,
        ),
        (json!({"kind": "system", "source": "stream"}), 2),
        (json!({"kind": "ai", "missionId": "m1"}), 2),
        (json!({"kind": "agent", "more": {"a": [1]}}), 2),
    ] {
        let change = json!({"table": "t", "id": "r", "op": "delete", "actor": actor});
        let change = Change::parse(change).unwrap();
        assert_eq!(serde_json::to_value(&change.actor).unwrap(), actor);
        assert_eq!(change.needed_schema_version(), needed, "{actor}");
    }
    for actor in [json!({}), json!({"kind": 7}), json!("user"), json!([])] {
        let change = json!({"table": "t", "id": "r", "op": "delete", "actor": actor});
        let refused = Change::parse(change).unwrap_err();
        assert!(refused.reason.contains("`actor`"), "{}", refused.reason);
    }
}
