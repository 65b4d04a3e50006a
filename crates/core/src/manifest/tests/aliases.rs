//! Other names of parameters, fields and values.

use serde_json::{Value, json};

use crate::{Map, manifest::Registry};

fn understood(tool: &str, params: Value) -> Value {
    let registry = Registry::builtin();
    let params: Map = serde_json::from_value(params).unwrap();
    let tool = registry.tool(tool).unwrap();
    let understood = tool.understood(&params);
    assert_eq!(tool.check(&understood), [], "{understood:?}");
    understood.into()
}

#[test]
fn modules_t7_the_first_runners_calls_are_understood() {
    let start = "2026-11-28T17:00:00Z";
    for (tool, given, meant) in [
        (
            "create_task",
            json!({"title": "x", "description": "y", "dueDate": "2026-11-28", "priority": "medium"}),
            json!({"title": "x", "notes": "y", "dueDate": "2026-11-28", "priority": "normal"}),
        ),
        (
            "create_task",
            json!({"title": "x", "priority": "high"}),
            json!({"title": "x", "priority": "high"}),
        ),
        (
            "complete_task",
            json!({"taskId": "t1"}),
            json!({"taskId": "t1"}),
        ),
        (
            "create_event",
            json!({"title": "x", "startIso": start, "endIso": start, "location": "l", "description": "d"}),
            json!({"title": "x", "startsAt": start, "endsAt": start, "location": "l", "notes": "d"}),
        ),
        (
            "create_place",
            json!({"name": "x", "category": "c"}),
            json!({"name": "x", "category": "c"}),
        ),
        (
            "create_note",
            json!({"title": "x", "content": "c"}),
            json!({"title": "x", "body": "c"}),
        ),
        (
            "append_to_note",
            json!({"noteId": "n", "content": "c"}),
            json!({"noteId": "n", "text": "c"}),
        ),
        (
            "create_goal",
            json!({"title": "x", "targetValue": 3}),
            json!({"title": "x", "target": 3}),
        ),
    ] {
        assert_eq!(understood(tool, given.clone()), meant, "{tool} {given}");
    }
}

#[test]
fn modules_t7_a_parameters_own_name_counts_before_an_alias_and_nothing_is_lost() {
    let registry = Registry::builtin();
    let tool = registry.tool("create_task").unwrap();
    let params = json!({"title": "x", "description": "alias", "notes": "own", "colour": "red", "priority": "purple"});
    let params: Map = serde_json::from_value(params).unwrap();
    let understood = Value::from(tool.understood(&params));
    assert_eq!(
        understood,
        json!({"title": "x", "description": "alias", "notes": "own", "colour": "red", "priority": "purple"})
    );
}
