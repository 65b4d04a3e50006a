//! Whole arrays at the door (spec/WIRE.md, The first client): what such an array says of elements that the log has
//! becomes what the merge understands.
//!
//! The first client sends every element of a list with each write, without `updatedAt`. The merge could not tell what
//! it changed from what it merely repeats, so the door compares with the log: elements add, decisions count, and what
//! the client changed on its own iterations is written anew by the server, with a stamp.

use mana_core::{
    Change, ListSpec, Map, Micros, Op, RecordState, ids, manifest::Registry, mission,
    sync::record_key,
};
use mana_store::FollowUp;
use serde_json::Value;

use crate::attribution::{find, is_server, objects, server_write, time};

/// The fields of a browser's own iteration that its client writes after it has begun.
const OWN_FIELDS: [&str; 4] = ["finishedAt", "summary", "userFeedback", "error"];

/// Reads the whole arrays in a change of a mission by what the log has, and returns the write that the server adds.
pub(crate) fn admit(
    registry: &Registry,
    change: &mut Change,
    stored: Option<&RecordState>,
    now: Micros,
) -> Option<FollowUp> {
    let schema = registry.schema(mission::APP, mission::MISSIONS);
    let spec = schema.lists.get("iterations")?;
    let log = stored.and_then(|state| state.data.get("iterations"));
    let sent_at = change
        .writes()
        .iter()
        .find(|write| write.field == "iterations")
        .map(|write| write.at)?;
    let list = match change.op {
        Op::Insert => change.data.as_mut()?.get_mut("iterations"),
        _ => change.fields.get_mut("iterations")?.value.as_mut(),
    };
    let elements = list?.as_array_mut()?;
    let after_sent = sent_at.max(now).plus(1);
    let stamp = stored.and_then(|state| state.meta.get("iterations"));
    let at = stamp.map_or(after_sent, |stamp| after_sent.max(stamp.at.plus(1)));
    let mut rewritten = Vec::new();
    elements.retain_mut(|element| {
        let Value::Object(element) = element else {
            return true;
        };
        let known = find(log, element);
        // The client sends back the stamp that the server gave an element, whatever it changed of it.
        let is_repeated =
            known.is_some_and(|known| !is_server(known) && same_stamp(element, known));
        if time(element, "updatedAt").is_some() && !is_repeated {
            if let Some(known) = known.filter(|known| is_server(known)) {
                fill_in(spec, element, known);
            }
            return true;
        }
        match known {
            None => !is_server(element) && !is_pruned(spec, log, element),
            Some(known) => {
                let same_run = time(element, "startedAt") == time(known, "startedAt");
                if same_run && !is_server(known) {
                    rewritten.extend(changed(spec, element, known, at));
                }
                if same_run {
                    keep_known(spec, element, known, is_server(known));
                }
                same_run
            }
        }
    });
    if rewritten.is_empty() {
        return None;
    }
    let of = change.event_id.clone()?;
    let event_id = ids::derive(&of, "iterations");
    let value = ("iterations", Value::Array(rewritten));
    let change = server_write(record_key(change), event_id, at, [value]);
    Some(FollowUp { of, change })
}

fn same_stamp(element: &Map, known: &Map) -> bool {
    time(element, "updatedAt") == time(known, "updatedAt")
}

/// Whether an element is older than every one that a full list keeps, and so was dropped from it.
fn is_pruned(spec: &ListSpec, log: Option<&Value>, element: &Map) -> bool {
    let (Some(keep), Some(order)) = (spec.keep, &spec.order_by) else {
        return false;
    };
    let kept: Vec<&Map> = objects(log).collect();
    let oldest = kept.iter().filter_map(|kept| time(kept, order)).min();
    kept.len() >= keep && time(element, order) < oldest
}

/// The element as the server writes it where the client changed a field of its own.
fn changed(spec: &ListSpec, element: &Map, known: &Map, at: Micros) -> Option<Value> {
    let changed = OWN_FIELDS.into_iter().filter_map(|field| {
        let value = element.get(field)?;
        (known.get(field) != Some(value)).then(|| (field.to_owned(), value.clone()))
    });
    let changed: Map = changed.collect();
    if changed.is_empty() {
        return None;
    }
    let mut element: Map = own_fields(spec, known).collect();
    element.extend(changed);
    element.insert("updatedAt".to_owned(), at.to_string().into());
    Some(Value::Object(element))
}

/// Leaves of an element that the log has what it adds: decisions, and elements of the lists in it that are new. Into
/// the server's own iteration nothing new is put.
fn keep_known(spec: &ListSpec, element: &mut Map, known: &Map, is_servers: bool) {
    let own: Map = own_fields(spec, known).collect();
    element.retain(|field, _| spec.lists.contains_key(field) || spec.is_decision(field));
    element.extend(own);
    for (name, nested) in &spec.lists {
        let Some(Value::Array(list)) = element.get_mut(name) else {
            continue;
        };
        let log = known.get(name);
        list.retain_mut(|element| {
            let Value::Object(element) = element else {
                return true;
            };
            match find(log, element) {
                Some(known)
                    if time(element, "updatedAt").is_none() || same_stamp(element, known) =>
                {
                    keep_known(nested, element, known, is_servers);
                    true
                }
                Some(known) => {
                    if is_servers {
                        fill_in(nested, element, known);
                    }
                    true
                }
                None => !is_servers,
            }
        });
    }
}

/// Gives a version of the server's own element the fields that it leaves out. The merge takes an element's own fields
/// over together (SYNC L4): a decision alone would else leave a step without its words.
fn fill_in(spec: &ListSpec, element: &mut Map, known: &Map) {
    for (field, value) in own_fields(spec, known) {
        element.entry(field).or_insert(value);
    }
    for (name, nested) in &spec.lists {
        let Some(Value::Array(list)) = element.get_mut(name) else {
            continue;
        };
        for element in list.iter_mut().filter_map(Value::as_object_mut) {
            if let Some(known) = find(known.get(name), element) {
                fill_in(nested, element, known);
            }
        }
    }
}

/// The fields of an element that are neither lists nor decided nor computed.
fn own_fields(spec: &ListSpec, element: &Map) -> impl Iterator<Item = (String, Value)> {
    let own = element.iter().filter(|(field, _)| {
        let computed = spec.overall && *field == "overallStatus";
        !spec.lists.contains_key(*field) && !spec.is_decision(field) && !computed
    });
    own.map(|(field, value)| (field.clone(), value.clone()))
}
