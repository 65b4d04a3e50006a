//! States that a device gives back to a log that lost them (R8), as the changes that make them.

use serde_json::{Value, json};

use crate::{
    Actor, Change, ChangeError, FieldWrite, Gather, ListSpec, Map, Micros, Op, RecordKey,
    RecordState, Stamp, TableSchema, canonical, ids, map_of, merge,
};

/// The field of a change in the log that says which client gave it back.
pub const GIVEN_BACK_BY: &str = "givenBackBy";

/// The table of the app `ai` that names the iterations which came back from devices, by their id. Such a run proves no
/// leave.
pub const GIVEN_BACK: &str = "aiGivenBack";

/// About how many bytes of JSON a change has at most; a longer list goes in several.
const CHANGE_BYTES: usize = 2 << 20;

/// The changes that make what a log lacks of a state: one for each author, several where they would grow too large.
///
/// Their ids derive from the log's epoch and their content, so that many devices which offer a state make one.
///
/// Writes that are stamped after `latest` are left out: no log has acknowledged them, so they wait in the outbox of
/// their device, and the server sets them back when they come.
///
/// # Errors
///
/// No change may hold the state (C2, C6).
pub fn changes_of_state(
    schema: &TableSchema,
    epoch: &str,
    key: &RecordKey,
    offered: &RecordState,
    stored: &RecordState,
    latest: Micros,
) -> Result<Vec<Change>, ChangeError> {
    let mut changes: Vec<(Change, usize)> = Vec::new();
    for (field, stamp) in &offered.meta {
        let mut value = offered.data.get(field).cloned().unwrap_or_default();
        let acknowledged = stamp.at.max(stamp.made_at()) <= latest;
        let unstamped = Stamp {
            at: Micros::EPOCH,
            actor: Actor::user(),
        };
        let stamp = match schema.lists.get(field) {
            None if acknowledged => stamp,
            None => continue,
            Some(spec) => {
                leave_out_after(spec, &mut value, latest);
                match acknowledged {
                    true => stamp,
                    false => &unstamped,
                }
            }
        };
        for value in pieces(schema, field, value) {
            if !adds(schema, stored, field, &value, stamp) {
                continue;
            }
            let bytes = value.to_string().len();
            let fits = |(change, size): &(Change, usize)| {
                change.actor.as_ref() == Some(&stamp.actor)
                    && !change.fields.contains_key(field)
                    && size + bytes <= CHANGE_BYTES
            };
            let place = changes.iter().position(fits).unwrap_or_else(|| {
                changes.push((empty(key, &stamp.actor), 0));
                changes.len() - 1
            });
            let (change, size) = &mut changes[place];
            *size += bytes;
            let write = FieldWrite {
                value: Some(value),
                updated_at: Some(stamp.at),
                base: None,
            };
            change.fields.insert(field.clone(), write);
            change.at = change.at.max(Some(stamp.at));
        }
    }
    let changes = changes.into_iter().map(|(mut change, _)| {
        change.inspect()?;
        change.check_lists(schema)?;
        let content = serde_json::to_value(&change).unwrap_or_default();
        change.event_id = Some(ids::derive(epoch, &canonical(&content)));
        Ok(change)
    });
    changes.collect()
}

/// Takes from the elements of a keyed list what is stamped later. An element without its time adds and overwrites
/// nothing (L4), and without its decision it decides nothing (L5).
fn leave_out_after(spec: &ListSpec, list: &mut Value, latest: Micros) {
    let Value::Array(elements) = list else { return };
    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
        let later = |element: &Map, field: &str| {
            let at = element.get(field).and_then(Value::as_str);
            at.and_then(|at| Micros::parse(at).ok()) > Some(latest)
        };
        if later(element, "updatedAt") {
            element.remove("updatedAt");
        }
        if spec.decision && later(element, "decidedAt") {
            element.retain(|field, _| !merge::is_decision(field));
        }
        for (name, nested) in &spec.lists {
            if let Some(list) = element.get_mut(name) {
                leave_out_after(nested, list, latest);
            }
        }
    }
}

fn empty(key: &RecordKey, actor: &Actor) -> Change {
    let mut change = Change::new(&key.table, &key.id, Op::Update);
    change.app_id = Some(key.app.clone());
    change.actor = Some(actor.clone());
    change
}

/// Whether merging the value changes the stored state.
fn adds(
    schema: &TableSchema,
    stored: &RecordState,
    field: &str,
    value: &Value,
    stamp: &Stamp,
) -> bool {
    let only = |state: &RecordState| RecordState {
        data: part(&state.data, field),
        meta: (state.meta.get(field).into_iter())
            .map(|stamp| (field.to_owned(), stamp.clone()))
            .gather(),
    };
    let offered = RecordState {
        data: map_of(field, value.clone()),
        meta: std::iter::once((field.to_owned(), stamp.clone())).gather(),
    };
    merge::join(schema, &mut only(stored), &offered)
}

fn part(data: &Map, field: &str) -> Map {
    let value = data.get(field).into_iter();
    value
        .map(|value| (field.to_owned(), value.clone()))
        .gather()
}

/// A value in pieces of a change each: the elements of a long keyed list merge one by one anyway.
fn pieces(schema: &TableSchema, field: &str, value: Value) -> Vec<Value> {
    let long = schema.lists.contains_key(field) && value.to_string().len() > CHANGE_BYTES;
    match value {
        Value::Array(elements) if long => {
            let mut pieces: Vec<(Vec<Value>, usize)> = Vec::new();
            for element in elements {
                let bytes = element.to_string().len();
                match pieces.last_mut() {
                    Some((piece, size)) if *size + bytes <= CHANGE_BYTES => {
                        piece.push(element);
                        *size += bytes;
                    }
                    _ => pieces.push((vec![element], bytes)),
                }
            }
            let pieces = pieces.into_iter();
            pieces.map(|(piece, _)| json!(piece)).collect()
        }
        value => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Micros, apply, manifest::Registry};

    fn state(fields: &[(&str, Value, i64, Actor)]) -> RecordState {
        let mut state = RecordState::default();
        for (field, value, at, actor) in fields {
            state.data.insert((*field).to_owned(), value.clone());
            let (at, actor) = (Micros(*at), actor.clone());
            state.meta.insert((*field).to_owned(), Stamp { at, actor });
        }
        state
    }

    #[test]
    fn sync_r8_a_state_comes_back_by_its_authors_and_only_as_far_as_it_is_lacking() {
        let registry = Registry::builtin();
        let schema = registry.schema("todo", "tasks");
        let key = RecordKey::new("todo", "tasks", "t");
        let ai = Actor::ai("m", "i", "because");
        let offered = state(&[
            ("title", json!("Milk"), 5, Actor::user()),
            ("notes", json!("Oat"), 7, Actor::user()),
            ("priority", json!("high"), 6, ai),
            ("deletedAt", Value::Null, 9, Actor::user()),
        ]);
        let stored = state(&[("title", json!("Milk"), 5, Actor::user())]);
        let changes = changes_of_state(schema, "e", &key, &offered, &stored, Micros(60)).unwrap();
        assert_eq!(changes.len(), 2);
        assert!(
            changes
                .iter()
                .all(|change| !change.fields.contains_key("title"))
        );
        let mut made = stored.clone();
        for change in &changes {
            apply(schema, &mut made, change);
        }
        assert_eq!(made, offered);
        let again = changes_of_state(schema, "e", &key, &offered, &stored, Micros(60)).unwrap();
        assert_eq!(again, changes, "another device makes the same changes");
        let other = changes_of_state(schema, "f", &key, &offered, &stored, Micros(60)).unwrap();
        assert_ne!(other[0].event_id, changes[0].event_id);
        let none = changes_of_state(schema, "e", &key, &offered, &offered, Micros(60)).unwrap();
        assert_eq!(none, []);
    }

    #[test]
    fn sync_r8_what_no_log_has_acknowledged_does_not_come_back_as_a_state() {
        let registry = Registry::builtin();
        let key = RecordKey::new("todo", "tasks", "t");
        let mut decided = Actor::ai("m", "i", "because");
        decided
            .extra_mut()
            .insert("decidedAt".to_owned(), json!(Micros(99)));
        let offered = state(&[
            ("title", json!("Milk"), 5, Actor::user()),
            ("notes", json!("Written ahead"), 99, Actor::user()),
            ("priority", json!("high"), 6, decided),
        ]);
        let (schema, none) = (registry.schema("todo", "tasks"), RecordState::default());
        let changes = changes_of_state(schema, "e", &key, &offered, &none, Micros(60)).unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].fields.keys().collect::<Vec<_>>(), ["title"]);

        let schema = registry.schema("ai", "aiMissions");
        let key = RecordKey::new("ai", "aiMissions", "m");
        let step = json!({"id": "s", "summary": "Make one", "updatedAt": Micros(9), "status": "approved",
            "decidedAt": Micros(99), "decidedBy": "me"});
        let list =
            json!([{"id": "i", "startedAt": Micros(9), "updatedAt": Micros(9), "plan": [step]}]);
        let offered = state(&[("iterations", list, 99, Actor::user())]);
        let changes = changes_of_state(schema, "e", &key, &offered, &none, Micros(60)).unwrap();
        let write = &changes[0].fields["iterations"];
        assert_eq!(write.updated_at, Some(Micros::EPOCH));
        let step = &write.value.as_ref().unwrap()[0]["plan"][0];
        assert_eq!(step["summary"], "Make one");
        assert!(step.get("status").is_none() && step.get("decidedBy").is_none());
    }

    #[test]
    fn sync_r8_a_mission_that_has_grown_large_comes_back_in_several_changes() {
        let registry = Registry::builtin();
        let schema = registry.schema("ai", "aiMissions");
        let key = RecordKey::new("ai", "aiMissions", "m");
        let iteration = |n: i64| {
            json!({"id": n.to_string(), "startedAt": Micros(n), "updatedAt": Micros(n), "plan": [],
                "summary": "x".repeat(900_000)})
        };
        let list: Vec<Value> = (1..7).map(iteration).collect();
        let mut offered = RecordState::default();
        let mut whole = Change::new("aiMissions", "m", Op::Update);
        whole.actor = Some(Actor::user());
        let write = FieldWrite {
            value: Some(json!(list)),
            updated_at: Some(Micros(9)),
            base: None,
        };
        whole.fields.insert("iterations".to_owned(), write);
        apply(schema, &mut offered, &whole);
        let stored = RecordState::default();
        let changes = changes_of_state(schema, "e", &key, &offered, &stored, Micros(60)).unwrap();
        assert!(changes.len() > 1);
        let mut made = RecordState::default();
        for change in changes.iter().rev() {
            assert!(serde_json::to_string(change).unwrap().len() < 4 << 20);
            apply(schema, &mut made, change);
        }
        assert_eq!(made, offered);
    }
}
