//! Queries: which records, in which order.

use super::*;

fn context() -> QueryContext {
    QueryContext {
        // 00:30 on 8 April in Berlin, still 7 April in UTC.
        now: Micros::parse("2026-04-07T22:30:00Z").unwrap(),
        zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
    }
}

fn run(tool: &str, params: Value, records: &[(&str, RecordState)]) -> Vec<String> {
    let (registry, _) = Registry::builtin().with([("books.json", example())]);
    let tool = registry.tool(tool).expect("the tool");
    let rows = records.iter().map(|(id, state)| (*id, state));
    let found = tool.query(&object(params), rows, &context());
    found.into_iter().map(|(id, _)| id.to_owned()).collect()
}

fn tasks() -> Vec<(&'static str, RecordState)> {
    vec![
        (
            "d",
            record(json!({"title": "Compare drives", "list": "Server"})),
        ),
        (
            "c",
            record(
                json!({"title": "Call the landlord", "dueDate": "2026-04-11", "list": "Home", "done": false}),
            ),
        ),
        (
            "b",
            record(
                json!({"title": "Receipts", "dueDate": "2026-04-10", "list": "Studio", "notes": "ask NELE"}),
            ),
        ),
        (
            "a",
            record(json!({"title": "Permit", "dueDate": "2026-04-06", "list": "home"})),
        ),
        (
            "e",
            record(json!({"title": "Coffee", "dueDate": "2026-04-07", "done": true})),
        ),
        (
            "x",
            record(
                json!({"title": "Old", "dueDate": "2026-04-01", "deletedAt": "2026-04-02T08:00:00.000000Z"}),
            ),
        ),
    ]
}

#[test]
fn modules_q1_filters_hold_together_and_those_left_out_do_not_count() {
    let tasks = tasks();
    assert_eq!(
        run("list_tasks", json!({}), &tasks),
        ["a", "b", "c", "d"],
        "open ones, without a date last"
    );
    assert_eq!(
        run("list_tasks", json!({"list": "Home"}), &tasks),
        ["a", "c"]
    );
    assert_eq!(
        run(
            "list_tasks",
            json!({"dueFrom": "2026-04-07", "dueUntil": "2026-04-10"}),
            &tasks
        ),
        ["b"]
    );
    assert_eq!(
        run(
            "list_tasks",
            json!({"dueUntil": "2026-04-10", "list": null}),
            &tasks
        ),
        ["a", "b"]
    );
}

#[test]
fn modules_q2_text_looks_into_every_text_field() {
    let tasks = tasks();
    assert_eq!(run("find_tasks", json!({"text": "nele"}), &tasks), ["b"]);
    assert_eq!(
        run("find_tasks", json!({"text": "HOME"}), &tasks),
        ["a", "c"]
    );
    assert_eq!(
        run(
            "find_books",
            json!({"text": "garden"}),
            &[
                (
                    "1",
                    record(json!({"title": "Roses", "subjects": ["Garden", "home"]}))
                ),
                ("2", record(json!({"title": "Stars", "subjects": ["sky"]}))),
            ]
        ),
        ["1"]
    );
}

#[test]
fn modules_q3_a_box_that_was_never_ticked_is_not_ticked() {
    let tasks = tasks();
    assert_eq!(
        run("find_tasks", json!({"text": "r", "done": false}), &tasks),
        ["a", "b", "c", "d"]
    );
    assert_eq!(
        run("find_tasks", json!({"text": "c", "done": true}), &tasks),
        ["e"]
    );
}

#[test]
fn modules_q3_a_day_is_the_persons_day() {
    let events = [
        (
            "late",
            record(json!({"title": "x", "startsAt": "2026-04-08T21:30:00Z"})),
        ),
        (
            "next",
            record(json!({"title": "x", "startsAt": "2026-04-08T22:00:00Z"})),
        ),
        (
            "early",
            record(json!({"title": "x", "startsAt": "2026-04-08T00:30:00+02:00"})),
        ),
        (
            "before",
            record(json!({"title": "x", "startsAt": "2026-04-07T21:59:59Z"})),
        ),
    ];
    let on_the_eighth = json!({"from": "2026-04-08", "until": "2026-04-08"});
    assert_eq!(
        run("list_events", on_the_eighth, &events),
        ["early", "late"]
    );
    assert_eq!(
        run("list_events", json!({"until": "2026-04-07"}), &events),
        ["before"]
    );
}

#[test]
fn modules_q4_the_last_changed_comes_first_and_the_limit_holds() {
    let notes: Vec<(String, RecordState)> = (10..50)
        .map(|minute| {
            let at = format!("2026-04-08T08:{minute}:00Z");
            (format!("n{minute}"), stamped(json!({"title": "Note"}), &at))
        })
        .collect();
    let notes: Vec<_> = notes
        .iter()
        .map(|(id, state)| (id.as_str(), state.clone()))
        .collect();
    let found = run("list_notes", json!({}), &notes);
    assert_eq!(
        (found.len(), found[0].as_str(), found[29].as_str()),
        (30, "n49", "n20")
    );
}

#[test]
fn modules_q5_a_mission_that_links_a_table_gets_its_prompt_query() {
    let registry = Registry::builtin();
    let prompt = |app: &str, table: &str, records: &[(&str, RecordState)]| -> Vec<String> {
        let rows = records.iter().map(|(id, state)| (*id, state));
        let found = registry
            .table(app, table)
            .unwrap()
            .prompt_rows(rows, &context());
        found.into_iter().map(|(id, _)| id.to_owned()).collect()
    };
    assert_eq!(prompt("todo", "tasks", &tasks()), ["a", "b", "c", "d"]);
    let events = [
        (
            "today",
            record(json!({"title": "x", "startsAt": "2026-04-07T22:00:00Z"})),
        ),
        (
            "yesterday",
            record(json!({"title": "x", "startsAt": "2026-04-07T21:59:59Z"})),
        ),
    ];
    assert_eq!(prompt("calendar", "events", &events), ["today"]);
    let goals = [
        ("unset", record(json!({"title": "x"}))),
        (
            "active",
            record(json!({"title": "x", "status": "active", "targetDate": "2026-05-01"})),
        ),
        (
            "dropped",
            record(json!({"title": "x", "status": "dropped"})),
        ),
    ];
    assert_eq!(prompt("goals", "goals", &goals), ["active", "unset"]);
}

#[test]
fn modules_d3_a_list_has_the_order_of_its_manifest() {
    let registry = Registry::builtin();
    let table = registry.table("todo", "tasks").unwrap();
    let sorted = |sort: Value, mut records: Vec<(&'static str, RecordState)>| -> Vec<&str> {
        let mut table = table.clone();
        table.list.sort = serde_json::from_value(sort).expect("an order");
        records.sort_by(|(a_id, a), (b_id, b)| table.compare((a_id, a), (b_id, b)));
        records.into_iter().map(|(id, _)| id).collect()
    };
    let titled = vec![
        ("b", record(json!({ "title": "beta" }))),
        ("c", record(json!({ "title": "Gamma" }))),
        ("a", record(json!({ "title": "Alpha" }))),
        ("0", record(json!({}))),
    ];
    assert_eq!(
        sorted(json!([{ "field": "title" }]), titled),
        ["a", "b", "c", "0"]
    );
    let written = vec![
        ("old", stamped(json!({}), "2026-04-01T08:00:00Z")),
        ("new", stamped(json!({}), "2026-04-02T08:00:00Z")),
    ];
    let latest = json!([{ "field": "$updated", "dir": "desc" }]);
    assert_eq!(sorted(latest, written), ["new", "old"]);
    let instants = vec![
        (
            "later",
            record(json!({ "completedAt": "2026-04-08T15:30:00Z" })),
        ),
        (
            "sooner",
            record(json!({ "completedAt": "2026-04-08T16:30:00+02:00" })),
        ),
    ];
    let by_time = json!([{ "field": "completedAt" }]);
    assert_eq!(sorted(by_time, instants), ["sooner", "later"]);
}
