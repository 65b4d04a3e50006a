//! Records: merging, writing, and the clock.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Actor, Change, Clock, Map, Micros, Op, Prepare, RecordKey, RecordState,
    conflict::{Lineages, TextLineage},
    ids,
    manifest::Registry,
    staging::Records,
    sync::{LeftOut, apply_changes, note_own_texts, readable, record_key},
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

    /// `{app, table, id, op, set?, state|null, now, last|null, at?, seen?: {field: stamp}, actor, eventId}` →
    /// `{change, state, last}`: a local write, stamped later than what it replaces.
    pub fn prepare(&self, input: &str) -> Result<String, JsError> {
        call(input, |input| prepare(&self.registry, input))
    }

    /// `{records: [{app, table, id, state|null}], texts, changes, now}` → `{texts, conflicts}`: what the changes that
    /// this replica has just made replaced, and the texts among it that their writer had not seen. `records` and
    /// `texts` are those of the changes, as they were before.
    #[wasm_bindgen(js_name = "noteTexts")]
    pub fn note_texts(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: NoteTexts| {
            let mut records = present(input.records);
            let mut lineages = Lineages::new(input.texts);
            let (registry, changes) = (&self.registry, &input.changes);
            let conflicts =
                note_own_texts(registry, &mut records, &mut lineages, changes, input.now);
            Ok(json!({ "texts": lineages.into_changed(), "conflicts": conflicts }))
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
struct NoteTexts {
    records: Vec<Keyed>,
    texts: Vec<TextLineage>,
    changes: Vec<Change>,
    now: Micros,
}

/// The records that exist.
pub(crate) fn present(records: Vec<Keyed>) -> Records {
    records
        .into_iter()
        .filter_map(|record| Some((record.key, record.state?)))
        .collect()
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
    let mut changes = Vec::with_capacity(input.changes.len());
    let mut refused = Vec::new();
    for (index, value) in input.changes.into_iter().enumerate() {
        match readable(value) {
            Ok(change) => changes.push(change),
            Err(LeftOut { event_id, reason }) => refused.push(Refused {
                index,
                event_id,
                reason,
            }),
        }
    }
    let given = input.records.into_iter();
    let mut records: Records = given
        .filter_map(|record| Some((record.key, record.state?)))
        .collect();
    apply_changes(registry, &mut records, &changes);
    let touched: BTreeSet<RecordKey> = changes.iter().map(record_key).collect();
    let merged = touched.into_iter().map(|key| Keyed {
        state: records.remove(&key),
        key,
    });
    Applied {
        records: merged.collect(),
        refused,
    }
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
    #[serde(default)]
    seen: BTreeMap<String, Micros>,
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
        stamps: BTreeMap::new(),
        seen: input.seen,
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
