//! Records: merging, writing, and the clock.

use std::collections::BTreeMap;

use mana_core::{
    Actor, Adjusted, Change, Clock, Map, Micros, Op, Prepare, RecordKey, RecordState,
    change::take_over, ids, manifest::Registry, merge,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::{
    Core,
    fault::{Fault, call},
};

#[wasm_bindgen]
impl Core {
    /// `{records: [{app, table, id, state|null}], changes}` → `{records: [{app, table, id, state}],
    /// refused: [{index, eventId, reason}]}`: the merged states of the records that the changes
    /// name. A change that can't be read is left out and named, so that it blocks nothing.
    pub fn apply(&self, input: &str) -> Result<String, JsError> {
        call(input, |input| Ok(apply(&self.registry, input)))
    }

    /// `{app, table, id, op, set?, state|null, now, last|null, at?, actor, eventId}` →
    /// `{change, state, last}`: a local write, stamped later than what it replaces.
    pub fn prepare(&self, input: &str) -> Result<String, JsError> {
        call(input, |input| prepare(&self.registry, input))
    }

    /// `{app, table, id, state, change, adjusted}` → `{state, change}`: takes over what the server
    /// set back, before what its answer brings is applied.
    #[wasm_bindgen(js_name = "takeOver")]
    pub fn take_over(&self, input: &str) -> Result<String, JsError> {
        call(input, |mut input: TakeOver| {
            let schema = self.registry.schema(&input.key.app, &input.key.table);
            take_over(schema, &mut input.state, &mut input.change, &input.adjusted);
            Ok(TookOver {
                state: input.state,
                change: input.change,
            })
        })
    }

    /// `{last|null, serverTime, now?}` → `{last, offset}`: the clock after hearing the server's
    /// time; `offset` in microseconds, to be added to the local time.
    pub fn observe(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Observe| {
            let mut clock = Clock {
                last: input.last.unwrap_or_default(),
                offset: 0,
            };
            clock.observe(input.server_time, input.now.unwrap_or(input.server_time));
            Ok(clock)
        })
    }

    /// `{missionId, slot}` → `{iterationId}`.
    pub fn ids(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Slot| {
            let iteration = ids::iteration_id(&input.mission_id, &input.slot);
            Ok(json!({ "iterationId": iteration }))
        })
    }
}

/// A record with its state, if there is one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Keyed {
    #[serde(flatten)]
    pub(crate) key: RecordKey,
    pub(crate) state: Option<RecordState>,
}

#[derive(Debug, Deserialize)]
struct Apply {
    records: Vec<Keyed>,
    changes: Vec<Value>,
}

#[derive(Debug, Default, Serialize)]
struct Applied {
    records: Vec<Keyed>,
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    reason: String,
}

fn apply(registry: &Registry, input: Apply) -> Applied {
    let mut answer = Applied::default();
    let mut given: BTreeMap<RecordKey, RecordState> = BTreeMap::new();
    for Keyed { key, state } in input.records {
        given.extend(state.map(|state| (key, state)));
    }
    let mut touched: BTreeMap<RecordKey, RecordState> = BTreeMap::new();
    for (index, wire) in input.changes.into_iter().enumerate() {
        let event_id = wire
            .get("eventId")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let refuse = |reason| {
            answer.refused.push(Refused {
                index,
                event_id,
                reason,
            })
        };
        let change = match Change::parse(wire) {
            Ok(change) => change,
            Err(error) => {
                refuse(error.reason);
                continue;
            }
        };
        let Some(app) = &change.app_id else {
            refuse("`appId` is missing; name the record's module".to_owned());
            continue;
        };
        let schema = registry.schema(app, &change.table);
        let key = RecordKey::new(app, &change.table, &change.id);
        let state = match touched.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let state = given.remove(entry.key()).unwrap_or_default();
                entry.insert(state)
            }
        };
        merge::apply(schema, state, &change);
    }
    let merged = touched.into_iter().map(|(key, state)| Keyed {
        key,
        state: Some(state),
    });
    answer.records = merged.collect();
    answer
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrepareInput {
    #[serde(flatten)]
    key: RecordKey,
    op: Op,
    #[serde(default)]
    set: Map,
    state: Option<RecordState>,
    now: Micros,
    last: Option<Micros>,
    at: Option<Micros>,
    actor: Actor,
    event_id: String,
}

#[derive(Debug, Serialize)]
struct PrepareOutput {
    #[serde(flatten)]
    prepared: mana_core::Prepared,
    last: Micros,
}

fn prepare(registry: &Registry, input: PrepareInput) -> Result<PrepareOutput, Fault> {
    let mut clock = Clock {
        last: input.last.unwrap_or_default(),
        offset: 0,
    };
    let write = Prepare {
        key: &input.key,
        op: input.op,
        set: input.set,
        state: input.state.as_ref(),
        tick: clock.tick(input.now),
        at: input.at,
        actor: input.actor,
        event_id: input.event_id,
    };
    let schema = registry.schema(&input.key.app, &input.key.table);
    let prepared = mana_core::prepare(schema, write)
        .map_err(|error| Fault::new("invalid_change", error.reason))?;
    Ok(PrepareOutput {
        prepared,
        last: clock.last,
    })
}

#[derive(Debug, Deserialize)]
struct TakeOver {
    #[serde(flatten)]
    key: RecordKey,
    state: RecordState,
    change: Change,
    adjusted: Vec<Adjusted>,
}

#[derive(Debug, Serialize)]
struct TookOver {
    state: RecordState,
    change: Change,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observe {
    last: Option<Micros>,
    server_time: Micros,
    now: Option<Micros>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slot {
    mission_id: String,
    slot: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_cannot_be_read_is_named_and_blocks_nothing() {
        let good = json!({"appId": "todo", "table": "tasks", "id": "t1", "op": "insert",
            "data": {"title": "Milk"}, "at": "2026-01-01T00:00:00Z"});
        let mut without_app = good.clone();
        without_app["appId"] = Value::Null;
        let bad = json!({"eventId": "e1", "table": "tasks", "id": "t2", "op": "upsert"});
        let untouched = json!({"app": "todo", "table": "tasks", "id": "t9", "state": null});
        let input = json!({"records": [untouched], "changes": [bad, without_app, good]});
        let input = serde_json::from_value(input).expect("input");
        let answer = apply(&Registry::default(), input);
        let answer = serde_json::to_value(answer).expect("JSON");
        assert_eq!(answer["records"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer["records"][0]["state"]["data"]["title"], "Milk");
        assert_eq!(answer["refused"][0]["index"], 0);
        assert_eq!(answer["refused"][0]["eventId"], "e1");
        assert_eq!(answer["refused"][1]["index"], 1);
    }
}
