//! Which writes a device may not sign (SYNC S10, S13): the server's actors, its client ids, and its iterations.

use mana_core::{
    Actor, Change, FieldWrite, Map, Micros, Op, RecordKey, RecordState, SystemSource,
    merge::canonical, mission,
};
use serde_json::Value;

use crate::SyncError;

/// The client id of what the server adds to a log.
pub(crate) const SERVER_CLIENT: &str = "mana-server";

/// Client ids of the server's own writes: of the runner, and of what the server adds.
const SERVER_CLIENTS: [&str; 2] = ["mana-runner", SERVER_CLIENT];

/// The model's texts of an iteration, which stand under the server's name.
const RUN_TEXTS: [&str; 4] = ["slot", "summary", "model", "error"];

/// The part of a step that a person approves.
const STEP_TEXTS: [&str; 3] = ["summary", "rationale", "intent"];

/// Checks that a client names itself.
///
/// # Errors
///
/// The id is empty, over 256 bytes long, or holds a NUL character.
pub(crate) fn check_client_id(client_id: &str) -> Result<(), SyncError> {
    match client_id.is_empty() || client_id.len() > 256 || client_id.contains('\0') {
        true => Err(SyncError::InvalidClientId),
        false => Ok(()),
    }
}

/// A write under the server's own mark, which no device may send.
pub(crate) fn server_write<const N: usize>(
    key: RecordKey,
    event_id: String,
    at: Micros,
    values: [(&str, Value); N],
) -> Change {
    let mut change = Change::new(key.table, key.id, Op::Update);
    change.app_id = Some(key.app);
    change.event_id = Some(event_id);
    change.schema_version = Some(1);
    change.at = Some(at);
    change.actor = Some(Actor::system(SystemSource::Projection));
    for (field, value) in values {
        let write = FieldWrite {
            value: Some(value),
            updated_at: Some(at),
            base: None,
        };
        change.fields.insert(field.to_owned(), write);
    }
    change
}

/// Whether a client id is one of the server's own.
pub(crate) fn is_server_client(client_id: &str) -> bool {
    SERVER_CLIENTS.contains(&client_id)
}

/// Checks the author that a device names. The AI may be named: without a decided step in the log, such a record says
/// only that a device wrote it as the AI.
///
/// # Errors
///
/// The actor is the runner, or carries the mark of the server's own writes.
pub(crate) fn check_actor(actor: Option<&Actor>) -> Result<(), String> {
    match actor.is_some_and(Actor::is_servers) {
        true => Err(
            "`actor` is the server's or its runner's, which they alone write as; \
             leave it out, send {\"kind\": \"user\"}, or name your program by another `source`"
                .to_owned(),
        ),
        false => Ok(()),
    }
}

/// Whether a change writes iterations of a mission.
pub(crate) fn writes_iterations(change: &Change) -> bool {
    (change.app_id.as_deref(), change.table.as_str()) == (Some(mission::APP), mission::MISSIONS)
        && change
            .writes()
            .iter()
            .any(|write| write.field == "iterations")
}

/// Checks the iterations in a device's change against those of the log.
///
/// # Errors
///
/// The change makes an iteration the server's, or changes what the server planned.
pub(crate) fn check_iterations(
    change: &Change,
    stored: Option<&RecordState>,
) -> Result<(), String> {
    let stored = stored.and_then(|state| state.data.get("iterations"));
    let writes = change.writes();
    let lists = writes.iter().filter(|write| write.field == "iterations");
    for element in lists.flat_map(|write| objects(Some(&write.value))) {
        let stored = find(stored, element).filter(|stored| is_server(stored));
        match stored {
            Some(stored) => check_servers(element, stored)?,
            None if is_server(element) => {
                return Err(format!(
                    "`iterations` names \"{}\" as the server's, which never made it; \
                     the source of a device's own plan is \"browser\"",
                    name(element)
                ));
            }
            None => {}
        }
    }
    Ok(())
}

/// The iterations that a device gives back under the server's name, and that the log doesn't have so from the server.
pub(crate) fn given_back_iterations<'c>(change: &'c Change, stored: &RecordState) -> Vec<&'c str> {
    if !writes_iterations(change) {
        return Vec::new();
    }
    let list = (change.fields.get("iterations")).and_then(|write| write.value.as_ref());
    let stored = stored.data.get("iterations");
    let given = objects(list).filter(|element| is_server(element));
    let unproven = given.filter(|element| {
        let known = find(stored, element).filter(|stored| is_server(stored));
        known.is_none_or(|known| check_servers(element, known).is_err())
    });
    unproven.map(name).collect()
}

/// Checks a device's version of an iteration that the server made: feedback and decisions are the device's to write,
/// the plan is not. A version that loses the merge changes nothing, whatever it says.
fn check_servers(element: &Map, stored: &Map) -> Result<(), String> {
    let refused = |what: &str| {
        Err(format!(
            "`iterations` changes {what} of \"{}\", which the server made; \
             read the iteration again and send feedback or a decision alone",
            name(element)
        ))
    };
    // The later beginning would replace the iteration altogether (SYNC L7).
    if time(element, "startedAt") > time(stored, "startedAt") {
        return refused("`startedAt`");
    }
    if overwrites(element, stored) {
        if !is_server(element) {
            return refused("`source`");
        }
        if let Some(field) = changed(element, stored, &RUN_TEXTS) {
            return refused(&format!("`{field}`"));
        }
    }
    for step in objects(element.get("plan")) {
        let Some(planned) = find(stored.get("plan"), step) else {
            return refused("the steps");
        };
        if overwrites(step, planned)
            && let Some(field) = changed(step, planned, &STEP_TEXTS)
        {
            return refused(&format!("`{field}` of a step"));
        }
    }
    Ok(())
}

/// Whether the merge may replace the stored element's own fields by these (SYNC L4).
fn overwrites(element: &Map, stored: &Map) -> bool {
    let at = time(element, "updatedAt");
    at.is_some() && at >= time(stored, "updatedAt")
}

/// The first of the fields that the element sends with another value. A field that it leaves out
/// puts no words under the server's name.
fn changed<'f>(element: &Map, stored: &Map, fields: &[&'f str]) -> Option<&'f str> {
    let differs = |field: &str| match (element.get(field), stored.get(field)) {
        (Some(sent), Some(stored)) => canonical(sent) != canonical(stored),
        (Some(sent), None) => !sent.is_null() && sent != "",
        (None, _) => false,
    };
    fields.iter().copied().find(|field| differs(field))
}

pub(crate) fn find<'a>(list: Option<&'a Value>, element: &Map) -> Option<&'a Map> {
    objects(list).find(|other| other.get("id") == element.get("id"))
}

pub(crate) fn objects(list: Option<&Value>) -> impl Iterator<Item = &Map> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice);
    list.unwrap_or_default().iter().filter_map(Value::as_object)
}

pub(crate) fn is_server(element: &Map) -> bool {
    element.get("source").and_then(Value::as_str) == Some("server")
}

fn name(element: &Map) -> &str {
    element
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn time(element: &Map, field: &str) -> Option<Micros> {
    Micros::parse(element.get(field)?.as_str()?).ok()
}
