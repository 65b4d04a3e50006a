//! Which writes a device may not sign (SYNC S10, S13): the server's actors, its client ids, and its iterations.

use mana_core::{Actor, Change, Map, Micros, RecordState, merge::canonical, mission};
use serde_json::Value;

/// Client ids of the server's own writes: of the runner, and of what the server adds to a push.
const SERVER_CLIENTS: [&str; 2] = ["mana-runner", "mana-server"];

/// The model's texts of an iteration, which stand under the server's name.
const RUN_TEXTS: [&str; 4] = ["slot", "summary", "model", "error"];

/// The part of a step that a person approves.
const STEP_TEXTS: [&str; 3] = ["summary", "rationale", "intent"];

/// Whether a client id is one of the server's own.
pub(crate) fn is_server_client(client_id: &str) -> bool {
    SERVER_CLIENTS.contains(&client_id)
}

/// Checks the author that a device names. The AI may be named: without a decided step in the log, such a record says
/// only that a device wrote it as the AI.
///
/// # Errors
///
/// The actor is the system, which the server alone is.
pub(crate) fn check_actor(actor: Option<&Actor>) -> Result<(), String> {
    match actor {
        Some(Actor::System { .. }) => Err(
            "`actor` is \"system\", which the server and its runner alone write as; \
             leave it out, or send {\"kind\": \"user\"}"
                .to_owned(),
        ),
        _ => Ok(()),
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

fn find<'a>(list: Option<&'a Value>, element: &Map) -> Option<&'a Map> {
    objects(list).find(|other| other.get("id") == element.get("id"))
}

fn objects(list: Option<&Value>) -> impl Iterator<Item = &Map> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice);
    list.unwrap_or_default().iter().filter_map(Value::as_object)
}

fn is_server(element: &Map) -> bool {
    element.get("source").and_then(Value::as_str) == Some("server")
}

fn name(element: &Map) -> &str {
    element
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn time(element: &Map, field: &str) -> Option<Micros> {
    Micros::parse(element.get(field)?.as_str()?).ok()
}
