//! Calls: what parameters are refused, what operations they come to, how a model sees them.

use super::*;
use crate::{change::Op, ids};

fn problems(tool: &str, params: Value) -> Vec<(String, String)> {
    let (registry, _) = Registry::builtin().with([("books.json", example())]);
    let problems = registry
        .tool(tool)
        .expect("the tool")
        .check(&object(params));
    problems
        .into_iter()
        .map(|p| (format!("{}:{}", p.field, p.code), p.message))
        .collect()
}

#[test]
fn modules_t5_what_does_not_fit_is_refused_in_plain_words() {
    let cases = [
        (
            "create_task",
            json!({}),
            "title:required",
            "title is missing. Give it a value.",
        ),
        (
            "create_task",
            json!({"title": "  "}),
            "title:required",
            "title is missing. Give it a value.",
        ),
        (
            "create_task",
            json!({"title": null}),
            "title:required",
            "title is missing. Give it a value.",
        ),
        (
            "create_task",
            json!({"title": 7}),
            "title:type",
            "title must be text, got 7.",
        ),
        (
            "create_task",
            json!({"title": "x", "dueDate": "next friday"}),
            "dueDate:date",
            "dueDate must be a date like 2026-04-08, got \"next friday\".",
        ),
        (
            "create_task",
            json!({"title": "x", "dueDate": "2026-02-30"}),
            "dueDate:date",
            "dueDate must be a date like 2026-04-08, got \"2026-02-30\".",
        ),
        (
            "create_task",
            json!({"title": "x", "due": "2026-04-08"}),
            "due:unknown",
            "create_task has no parameter due. \
             It knows title, notes, dueDate, dueTime, recurrence, list, estimateMinutes, priority, goalId.",
        ),
        (
            "create_task",
            json!({"title": "x", "estimateMinutes": 2.5}),
            "estimateMinutes:type",
            "estimateMinutes must be a whole number like 30, got 2.5.",
        ),
        (
            "create_task",
            json!({"title": "x", "estimateMinutes": 0}),
            "estimateMinutes:min",
            "estimateMinutes must be at least 1, got 0.",
        ),
        (
            "create_task",
            json!({"title": "x", "priority": "urgent"}),
            "priority:enum",
            "priority must be one of low, normal, high, got \"urgent\".",
        ),
        (
            "create_task",
            json!({"title": "x", "goalId": ""}),
            "goalId:ref",
            "goalId must be the id of a record, as it was given to you, got \"\".",
        ),
        (
            "create_task",
            json!({"title": "x".repeat(501)}),
            "title:max",
            "title must have at most 500 characters, got 501. Shorten it.",
        ),
        (
            "create_event",
            json!({"title": "x", "startsAt": "2026-04-08T15:30"}),
            "startsAt:datetime",
            "startsAt must be a time with its offset like 2026-04-08T15:30:00+02:00, got \"2026-04-08T15:30\".",
        ),
        (
            "create_event",
            json!({"title": "x", "startsAt": "2026-04-08T15:30:00Z", "allDay": "yes"}),
            "allDay:type",
            "allDay must be true or false, got \"yes\".",
        ),
        (
            "update_task",
            json!({"taskId": "t1"}),
            "params:required",
            "update_task would change nothing. \
             Give at least one of title, notes, dueDate, dueTime, recurrence, list, estimateMinutes, priority, goalId.",
        ),
        (
            "update_task",
            json!({"taskId": "t1", "title": null}),
            "title:required",
            "title can't be emptied. Leave it out to keep what is there.",
        ),
        (
            "update_goal_progress",
            json!({"goalId": "g1", "progress": -1}),
            "progress:min",
            "progress must be at least 0, got -1.",
        ),
        (
            "create_book",
            json!({"title": "x", "subjects": "garden"}),
            "subjects:type",
            "subjects must be a list of words like [\"home\", \"garden\"], got \"garden\".",
        ),
        (
            "create_book",
            json!({"title": "x", "subjects": vec!["a"; 11]}),
            "subjects:max",
            "subjects must be at most 10 words, \
             got [\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"].",
        ),
    ];
    for (tool, params, code, message) in cases {
        assert_eq!(
            problems(tool, params.clone()),
            [(code.to_owned(), message.to_owned())],
            "{params}"
        );
    }
    assert_eq!(
        problems("list_notes", json!({"text": "x"}))[0].1,
        "list_notes has no parameter text. It takes none."
    );
}

#[test]
fn modules_t5_what_fits_passes() {
    let cases = [
        ("create_task", json!({"title": "Milk"})),
        (
            "create_task",
            json!({"title": "Milk", "dueDate": null, "estimateMinutes": 15.0}),
        ),
        ("update_task", json!({"taskId": "t1", "dueDate": null})),
        (
            "create_event",
            json!({"title": "x", "startsAt": "2026-04-08T15:30:00.5+02:00"}),
        ),
    ];
    for (tool, params) in cases {
        assert_eq!(problems(tool, params.clone()), [], "{params}");
    }
}

fn operation(tool: &str, params: Value, target: Option<&RecordState>) -> Operation {
    let (registry, _) = Registry::builtin().with([("books.json", example())]);
    let tool = registry.tool(tool).expect("the tool");
    tool.operations(&object(params), "step-1", target)
        .expect("operations")
        .remove(0)
}

#[test]
fn modules_t4_an_insert_has_a_derived_id_and_only_what_was_given() {
    let made = operation(
        "create_task",
        json!({"title": "Milk", "notes": null, "estimateMinutes": 15.0}),
        None,
    );
    assert_eq!(made.id, ids::created_record_id("step-1", 0));
    assert_eq!(
        (made.op, made.app.as_str(), made.table.as_str()),
        (Op::Insert, "todo", "tasks")
    );
    assert_eq!(
        made.set,
        object(json!({"title": "Milk", "estimateMinutes": 15, "done": false}))
    );
}

#[test]
fn modules_t4_an_update_empties_a_field_with_null_and_leaves_out_the_rest() {
    let made = operation(
        "update_task",
        json!({"taskId": "t1", "dueDate": null, "title": "Oat milk"}),
        None,
    );
    assert_eq!((made.op, made.id.as_str()), (Op::Update, "t1"));
    assert_eq!(
        made.set,
        object(json!({"title": "Oat milk", "dueDate": null}))
    );
    let reopened = operation("reopen_task", json!({"taskId": "t1"}), None);
    assert_eq!(
        reopened.set,
        object(json!({"done": false, "completedAt": null}))
    );
}

#[test]
fn modules_t4_now_is_the_time_of_the_write_and_append_adds_a_paragraph() {
    let book = record(json!({"title": "Emma", "notes": "Lent by Nele.\n\n"}));
    let made = operation(
        "finish_book",
        json!({"bookId": "b1", "remark": "Funny.\n"}),
        Some(&book),
    );
    assert_eq!(
        made.set,
        object(json!({"finished": true, "notes": "Lent by Nele.\n\nFunny."}))
    );
    assert_eq!(made.now, ["finishedAt"]);
    let at = Micros::parse("2026-04-08T10:00:00Z").unwrap();
    assert_eq!(made.values(at)["finishedAt"], "2026-04-08T10:00:00.000000Z");
    let silent = operation("finish_book", json!({"bookId": "b1"}), Some(&book));
    assert_eq!(silent.set, object(json!({"finished": true})));
}

#[test]
fn modules_t4_a_text_that_looks_like_a_marker_stays_a_text() {
    let made = operation(
        "create_task",
        json!({"title": "$now", "notes": "$title"}),
        None,
    );
    assert_eq!(
        made.set,
        object(json!({"title": "$now", "notes": "$title", "done": false}))
    );
    assert!(made.now.is_empty());
}

#[test]
fn modules_t5_times_are_kept_in_utc() {
    let made = operation(
        "create_event",
        json!({"title": "x", "startsAt": "2026-04-08T15:30:00+02:00"}),
        None,
    );
    assert_eq!(made.set["startsAt"], "2026-04-08T13:30:00.000000Z");
}

#[test]
fn modules_t5_a_text_that_became_too_long_by_adding_is_refused() {
    let registry = Registry::builtin();
    let tool = registry.tool("append_to_note").unwrap();
    let note = record(json!({"title": "Long", "body": "x".repeat(199_990)}));
    let params = object(json!({"noteId": "n1", "text": "more than ten"}));
    assert_eq!(tool.check(&params), []);
    let problem = tool.operations(&params, "step-1", Some(&note)).unwrap_err();
    assert_eq!(
        (problem.field.as_str(), problem.code.as_str()),
        ("body", "max")
    );
}

#[test]
fn modules_t6_the_hash_is_that_of_the_canonical_json() {
    let made = operation("complete_task", json!({"taskId": "t1"}), None);
    let json = r#"[{"app":"todo","id":"t1","now":["completedAt"],"op":"update","set":{"done":true},"table":"tasks"}]"#;
    assert_eq!(merge::canonical(&json!([&made])), json);
    // printf '%s' "$json" | sha256sum
    assert_eq!(
        ops_hash(&[made]),
        "8f199b0dfecf4f6551864d2920c0608bbcc3f6c60c50b58a62637e09c9f62fbf"
    );
}

#[test]
fn modules_t2_a_model_sees_a_json_schema() {
    let registry = Registry::builtin();
    let at = QueryContext {
        now: Micros::parse("2026-11-22T23:30:00Z").expect("a time"),
        zone: jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone"),
    };
    let schema = |tool: &str| {
        let schema = registry.tool(tool).unwrap().params_schema(&at);
        serde_json::to_string(&schema).unwrap()
    };
    assert_eq!(
        schema("reschedule_task"),
        r#"{"type":"object","properties":{"taskId":{"type":"string","description":"The id of the task."},"#.to_owned()
            + r#""dueDate":{"type":"string","format":"date","description":"The new due day."}},"#
            + r#""required":["taskId","dueDate"],"additionalProperties":false}"#
    );
    let update: Value = serde_json::from_str(&schema("update_task")).unwrap();
    let properties = &update["properties"];
    assert_eq!(
        properties["priority"]["enum"],
        json!(["low", "normal", "high"])
    );
    assert_eq!(properties["priority"]["type"], "string");
    assert_eq!(properties["estimateMinutes"]["maximum"], 10080);
    let reschedule = schema("reschedule_event");
    assert!(
        reschedule.contains(r#""description":"When it begins now. Like 2026-11-24 09:00.""#),
        "the example is of the next day on the person's clock: {reschedule}"
    );
    let place = |name: &str| reschedule.find(&format!("\"{name}\":{{")).unwrap();
    assert!(place("eventId") < place("startsAt") && place("startsAt") < place("endsAt"));
}

#[test]
fn modules_d2_a_form_is_checked_by_field() {
    let registry = Registry::builtin();
    let check = |data: Value, partial: bool| -> Vec<String> {
        let problems = registry.check_record("todo", "tasks", &object(data), partial);
        problems
            .into_iter()
            .map(|p| format!("{}:{}", p.field, p.code))
            .collect()
    };
    assert_eq!(
        check(json!({"dueDate": "soon", "list": null}), false),
        ["title:required", "dueDate:date"]
    );
    assert_eq!(
        check(json!({"dueDate": "2026-04-08"}), true),
        [] as [&str; 0]
    );
    assert_eq!(check(json!({"title": ""}), true), ["title:required"]);
    assert_eq!(
        check(json!({"title": "x", "fieldOfALaterVersion": 1}), false),
        [] as [&str; 0]
    );
    assert_eq!(
        registry.check_record("todo", "nothing", &Map::new(), true)[0].code,
        "unknown"
    );
}
