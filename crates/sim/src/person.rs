//! The writes of people.

use mana_core::{Map, Op, RecordKey, ids};
use mana_device::Write;
use serde_json::{Value, json};

use crate::{action::MISSION, server::POISON};

/// The id of either of two missions.
pub fn mission_id(n: u32) -> String {
    ids::derive("mission", &(n % 2).to_string())
}

/// The writes of a person, chosen by two numbers.
pub fn writes(what: u32, value: u32) -> Vec<Write> {
    let task = |op, set: Value| write("todo", "tasks", &format!("t{}", value % 4), op, set);
    let title = format!("Title {}", value % 1000);
    let mission = mission_id(value);
    match what % 17 {
        0 | 1 => vec![task(
            Op::Insert,
            json!({"title": title, "estimateMinutes": value % 90 + 1, "done": false}),
        )],
        2..=4 => vec![task(Op::Update, json!({"title": title}))],
        5 => vec![task(Op::Update, json!({"notes": title, "priority": "low"}))],
        6 => vec![task(Op::Delete, json!({}))],
        MISSION => vec![write(
            "ai",
            "aiMissions",
            &mission,
            Op::Insert,
            json!({
            "title": format!("Mission {}", value % 2), "objective": "Get on.", "state": "active",
            "cadence": {"kind": "interval", "everyMinutes": 60}, "overlap": "allow"}),
        )],
        8 => {
            let state = ["active", "paused", "active"][value as usize % 3];
            vec![write(
                "ai",
                "aiMissions",
                &mission,
                Op::Update,
                json!({"state": state}),
            )]
        }
        9 => {
            let every = [15, 60, 240][value as usize / 2 % 3];
            vec![write(
                "ai",
                "aiMissions",
                &mission,
                Op::Update,
                json!({"cadence": {"kind": "interval", "everyMinutes": every}}),
            )]
        }
        10 => vec![task(Op::Update, json!({"deletedAt": null}))],
        11 => {
            let id = format!("{POISON}{}", value % 3);
            vec![write(
                "todo",
                "tasks",
                &id,
                Op::Insert,
                json!({"title": title}),
            )]
        }
        12 => vec![write(
            "context",
            "documents",
            "context",
            Op::Update,
            json!({"body": title}),
        )],
        14..=16 => {
            // One of three paragraphs, so that some texts of two devices touch and some don't.
            let changed = value as usize / 2 % 3;
            let paragraphs = [0, 1, 2].map(|n| match n == changed {
                true => format!("Paragraph {n}, {title}."),
                false => format!("Paragraph {n}."),
            });
            let body = paragraphs.join("\n\n");
            let note = format!("n{}", value % 2);
            vec![write(
                "notes",
                "notes",
                &note,
                Op::Update,
                json!({"body": body}),
            )]
        }
        _ => vec![
            task(
                Op::Update,
                json!({"title": title, "done": value.is_multiple_of(2)}),
            ),
            write("todo", "tasks", "t0", Op::Update, json!({"notes": title})),
        ],
    }
}

fn write(app: &str, table: &str, id: &str, op: Op, set: Value) -> Write {
    let set: Map = match set {
        Value::Object(set) => set,
        _ => Map::new(),
    };
    Write {
        key: RecordKey::new(app, table, id),
        op,
        set,
    }
}
