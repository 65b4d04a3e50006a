//! The rules of `spec/MODULES.md`, each test named after the rule that it holds.

mod aliases;
mod calls;
mod files;
mod queries;
mod walk;

use serde_json::{Value, json};

use super::*;
use crate::{Actor, Change, Defaults, Map, Micros, RecordState, merge};

fn object(value: Value) -> Map {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

/// A record with these values.
fn record(value: Value) -> RecordState {
    stamped(value, "2026-04-01T08:00:00Z")
}

fn stamped(value: Value, at: &str) -> RecordState {
    let change = json!({ "table": "t", "id": "r", "op": "insert", "data": value, "at": at });
    let defaults = Defaults {
        event_id: "e".into(),
        at: Micros::EPOCH,
        actor: Actor::user(),
        app_id: "a".into(),
    };
    let change = Change::parse(change)
        .expect("a good change")
        .normalize(defaults);
    let mut state = RecordState::default();
    merge::apply(merge::TableSchema::EMPTY, &mut state, &change);
    state
}

/// The manifest of the example in `spec/MODULES.md`, as it stands on the page.
fn example() -> &'static str {
    let page = include_str!("../../../../../spec/MODULES.md");
    let start = page
        .find("```json manifest\n")
        .expect("the page has an example")
        + 17;
    let end = page[start..].find("\n```").expect("the example ends") + start;
    &page[start..end]
}
