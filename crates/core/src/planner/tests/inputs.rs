//! A mission's inputs as text.

use super::*;

fn state(data: Value) -> RecordState {
    RecordState {
        data: object(data),
        ..RecordState::default()
    }
}

#[test]
fn missions_r1_to_r4_records_in_words_by_their_manifest() {
    let registry = Registry::builtin();
    let mut short = ShortIds::new(&registry);
    let goal = "5a1c9e30-0000-4000-8000-000000000001";
    short.add(&RecordKey::new("todo", "tasks", "t1"));
    short.add(&RecordKey::new("goals", "goals", goal));
    let resolver = Resolver {
        registry: &registry,
        short: &short,
        told: &|_| false,
        context: evening(),
        title: &|key| (key.id == goal).then(|| "Run a marathon".to_owned()),
    };
    let tasks = [
        (
            "t1",
            state(
                json!({"title": "Buy shoes", "dueDate": "2026-11-24", "goalId": goal, "done": false}),
            ),
        ),
        ("t2", state(json!({"title": "Old", "done": true}))),
        (
            "t3",
            state(json!({"title": "Gone", "deletedAt": "2026-11-01T00:00:00Z"})),
        ),
    ];
    let rows = || tasks.iter().map(|(id, state)| (*id, state));
    let input = |id: Option<&str>| Input {
        module: "todo".into(),
        table: "tasks".into(),
        id: id.map(str::to_owned),
    };

    let table = resolver.resolve(&input(None), rows());
    let ids: Vec<_> = table.texts.iter().map(|text| text.id.as_str()).collect();
    assert_eq!(ids, ["t1"], "the table's prompt query picks the open ones");
    assert_eq!(
        table.texts[0].text,
        "Buy shoes | Due: 2026-11-24 Tue, in 2 days | Goal: Run a marathon (g1)"
    );
    assert_eq!(
        table.notes,
        ["todo/tasks: 1 of 2 records are shown, the most relevant."]
    );

    assert_eq!(
        resolver.resolve(&input(Some("t2")), rows()).texts[0].id,
        "t2",
        "a named record always comes"
    );
    let gone = resolver.resolve(&input(Some("t3")), rows());
    assert!(
        gone.texts.is_empty() && gone.notes[0].contains("was deleted"),
        "{:?}",
        gone.notes
    );
    let unknown = Input {
        module: "books".into(),
        table: "books".into(),
        id: None,
    };
    assert!(resolver.resolve(&unknown, rows()).notes[0].contains("not installed"));
}

#[test]
fn missions_r5_times_are_told_on_the_missions_wall_clock() {
    let registry = Registry::builtin();
    let short = ShortIds::new(&registry);
    let resolver = Resolver {
        registry: &registry,
        short: &short,
        told: &|_| false,
        context: QueryContext {
            now: Micros(0),
            zone: time_zone("Europe/Berlin").expect("a zone"),
        },
        title: &|_| None,
    };
    let events = [(
        "e1",
        state(
            json!({"title": "Dentist", "startsAt": "2026-07-01T22:30:00Z", "endsAt": "2026-07-01T23:00:00Z",
                "notes": "Bring\nthe card"}),
        ),
    )];
    let input = Input {
        module: "calendar".into(),
        table: "events".into(),
        id: Some("e1".into()),
    };
    let text = &resolver
        .resolve(&input, events.iter().map(|(id, state)| (*id, state)))
        .texts[0]
        .text;
    assert_eq!(
        text,
        "Dentist | Starts: 2026-07-02 00:30 Thu | Ends: 01:00\nNotes:\nBring\nthe card"
    );
    let table = registry.table("calendar", "events").expect("the table");
    let busy = resolver.busy(table, events.iter().map(|(id, state)| (*id, state)));
    let busy = busy.expect("a calendar has a beginning and an end");
    assert_eq!((busy.len(), busy[0].until), (1, at("2026-07-01T23:00:00Z")));
    let tasks = registry.table("todo", "tasks").expect("the table");
    assert!(resolver.busy(tasks, []).is_none());
}
