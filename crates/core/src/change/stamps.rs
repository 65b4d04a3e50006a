//! The stamps of a change by JSON pointer, and setting back those from the future (T3, T4).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Change, Op};
use crate::{
    Gather,
    actor::Actor,
    merge::{ListSpec, TableSchema},
    record::RecordState,
    time::Micros,
};

/// Microseconds by which a stamp may lie ahead of the server's clock.
pub const FUTURE_TOLERANCE: i64 = 60_000_000;

/// The JSON pointer of the decision's time in a change's actor.
const DECIDED_AT: &str = "/actor/decidedAt";

/// A stamp that the server set back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AdjustedStamp {
    /// The change's id.
    pub event_id: String,
    /// Where in the normalised change, as a JSON pointer.
    pub field: String,
    /// The stamp that it has now.
    pub at: Micros,
}

impl Change {
    /// Every stamp of a normalised change with its JSON pointer: the change's own time, the decision's that its
    /// actor names, each write's, and `updatedAt` and `decidedAt` in the elements of keyed lists.
    pub fn stamps(&self, schema: &TableSchema) -> Vec<(String, Micros)> {
        let mut found = Vec::new();
        found.extend(self.at.map(|at| ("/at".to_owned(), at)));
        found.extend(self.deleted_at.map(|at| ("/deletedAt".to_owned(), at)));
        let decided_at = self.actor.as_ref().and_then(Actor::decided_at);
        found.extend(decided_at.map(|at| (DECIDED_AT.to_owned(), at)));
        for (field, write) in &self.fields {
            let pointer = format!("/fields/{}", escape(field));
            found.extend(
                write
                    .updated_at
                    .map(|at| (format!("{pointer}/updatedAt"), at)),
            );
            found.extend(write.base.map(|at| (format!("{pointer}/base"), at)));
        }
        for write in self.writes() {
            if let Some(spec) = schema.lists.get(write.field) {
                let field = escape(write.field);
                let pointer = match self.op {
                    Op::Insert => format!("/data/{field}"),
                    _ => format!("/fields/{field}/value"),
                };
                list_stamps(spec, &pointer, &write.value, &mut found);
            }
        }
        found
    }

    /// Sets the stamp at a JSON pointer of [`Change::stamps`]; false where there is none.
    pub fn set_stamp(&mut self, pointer: &str, at: Micros) -> bool {
        if pointer == DECIDED_AT {
            let actor = self.actor.as_mut();
            return actor.is_some_and(|actor| actor.set_decided_at(at));
        }
        let own = match pointer {
            "/at" => Some(&mut self.at),
            "/deletedAt" => Some(&mut self.deleted_at),
            _ => None,
        };
        if let Some(own) = own {
            return own.replace(at).is_some();
        }
        let mut parts = pointer.splitn(4, '/').skip(1);
        let (Some(part), Some(field), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let field = unescape(field);
        let value = match part {
            "data" => self.data.as_mut().and_then(|data| data.get_mut(&field)),
            "fields" => match (self.fields.get_mut(&field), rest) {
                (Some(write), "updatedAt") => return write.updated_at.replace(at).is_some(),
                (Some(write), "base") => return write.base.replace(at).is_some(),
                (Some(write), _) => write.value.as_mut(),
                (None, _) => None,
            },
            _ => None,
        };
        let path = match part {
            "data" => format!("/{rest}"),
            _ => rest.strip_prefix("value").unwrap_or_default().to_owned(),
        };
        match value.and_then(|value| value.pointer_mut(&path)) {
            Some(stamp @ Value::String(_)) => {
                *stamp = Value::String(at.to_string());
                true
            }
            _ => false,
        }
    }
}

fn list_stamps(spec: &ListSpec, pointer: &str, list: &Value, found: &mut Vec<(String, Micros)>) {
    for (index, element) in list.as_array().into_iter().flatten().enumerate() {
        let names = ["updatedAt", "decidedAt"];
        for name in &names[..if spec.decision { 2 } else { 1 }] {
            let text = element.get(name).and_then(Value::as_str);
            if let Some(at) = text.and_then(|text| Micros::parse(text).ok()) {
                found.push((format!("{pointer}/{index}/{name}"), at));
            }
        }
        for (name, nested) in &spec.lists {
            if let Some(list) = element.get(name) {
                let pointer = format!("{pointer}/{index}/{}", escape(name));
                list_stamps(nested, &pointer, list, found);
            }
        }
    }
}

/// Sets back every stamp of a push that lies over a minute in the future (T3).
///
/// The distinct stamps too far ahead, in their order, become the limit + 1 µs, + 2 µs and so on: what
/// was later stays later, also than what came before and lay within the minute.
pub fn clamp_future_stamps<'s>(
    changes: &mut [Change],
    schema: impl Fn(&Change) -> &'s TableSchema,
    now: Micros,
) -> Vec<AdjustedStamp> {
    let limit = now.plus(FUTURE_TOLERANCE);
    let early: Vec<(usize, String, Micros)> = (changes.iter().enumerate())
        .flat_map(|(index, change)| {
            let stamps = change.stamps(schema(change)).into_iter();
            stamps
                .filter(|(_, at)| *at > limit)
                .map(move |(pointer, at)| (index, pointer, at))
        })
        .collect();
    let distinct: BTreeSet<Micros> = early.iter().map(|(_, _, at)| *at).gather();
    let places: BTreeMap<Micros, Micros> = distinct
        .into_iter()
        .zip(1..)
        .map(|(at, n)| (at, limit.plus(n)))
        .gather();
    (early.into_iter())
        .map(|(index, field, at)| {
            let at = places[&at];
            changes[index].set_stamp(&field, at);
            let event_id = changes[index].event_id.clone().unwrap_or_default();
            AdjustedStamp {
                event_id,
                field,
                at,
            }
        })
        .collect()
}

/// Takes over on a device what the server set back of its change, in the change and in the record
/// that already holds it (T4). Call it before merging what the same answer brings.
pub fn apply_adjustments(
    schema: &TableSchema,
    state: &mut RecordState,
    change: &mut Change,
    adjusted: &[AdjustedStamp],
) {
    let before = change.stamps(schema);
    for AdjustedStamp {
        event_id,
        field: pointer,
        at,
    } in adjusted
    {
        if change.event_id.as_ref() != Some(event_id) {
            continue;
        }
        let Some((_, old)) = before.iter().find(|(known, _)| known == pointer) else {
            continue;
        };
        in_state(state, change, pointer, *old, *at);
        change.set_stamp(pointer, *at);
    }
}

/// Replaces one stamp of the change in the record, where that stamp is still the record's.
fn in_state(state: &mut RecordState, change: &Change, pointer: &str, old: Micros, new: Micros) {
    if pointer == DECIDED_AT {
        for write in change.writes() {
            let stamp = state.meta.get_mut(write.field);
            let stamp = stamp.filter(|stamp| stamp.at == write.at);
            if let Some(stamp) = stamp.filter(|stamp| Some(&stamp.actor) == change.actor.as_ref()) {
                stamp.actor.set_decided_at(new);
            }
        }
        return;
    }
    let parts: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let field = match parts.as_slice() {
        ["deletedAt"] => "deletedAt",
        ["fields", field, "updatedAt"] => field,
        ["data", field, path @ ..] | ["fields", field, "value", path @ ..] => {
            let written = change
                .writes()
                .into_iter()
                .find(|write| write.field == *field);
            if let (Some(written), Some(list)) = (written, state.data.get_mut(*field)) {
                in_list(list, &written.value, path, old, new);
            }
            return;
        }
        _ => return,
    };
    let stamp = state.meta.get_mut(field).filter(|stamp| stamp.at == old);
    if let Some(stamp) = stamp.filter(|stamp| Some(&stamp.actor) == change.actor.as_ref()) {
        stamp.at = new;
        if change.op == Op::Delete {
            state
                .data
                .insert(field.to_owned(), Value::String(new.to_string()));
        }
    }
}

/// Follows a path through the written list and, by the elements' ids, through the record's.
fn in_list(list: &mut Value, written: &Value, path: &[&str], old: Micros, new: Micros) {
    let [index, name, rest @ ..] = path else {
        return;
    };
    let Some(source) = index
        .parse()
        .ok()
        .and_then(|index: usize| written.get(index))
    else {
        return;
    };
    let mut elements = list.as_array_mut().into_iter().flatten();
    let twin = elements.find(|element| element.get("id") == source.get("id"));
    let Some(value) = twin.and_then(|element| element.get_mut(*name)) else {
        return;
    };
    if !rest.is_empty() {
        in_list(
            value,
            source.get(*name).unwrap_or(&Value::Null),
            rest,
            old,
            new,
        );
    } else if value.as_str().and_then(|text| Micros::parse(text).ok()) == Some(old) {
        *value = Value::String(new.to_string());
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}
