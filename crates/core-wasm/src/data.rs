//! Records: merging, writing, and the clock.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Actor, Change, Clock, Gather, Map, Micros, Op, Prepare, RecordKey, RecordState,
    conflict::{KeptConflict, Lineages, TextLineage},
    ids,
    manifest::Registry,
    staging::{Records, TextChange},
    sync::{LeftOut, apply_changes, note_own_texts, readable, record_key, settled_conflicts},
    undo::{KeptChange, ReversibleWrite, reversible, stand_again, take_back},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasm_bindgen::prelude::*;

use crate::{
    Core,
    fault::{Fault, Named, call},
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

    /// `{records: [{app, table, id, state|null}], texts, kept, changes, now}` → `{texts, conflicts, ended}`: what the
    /// changes that this replica has just made replaced, the texts among it that their writer had not seen, and the
    /// ids of the kept conflicts that they settle. `records`, `texts` and `kept` are those of the changes, as they
    /// were before.
    #[wasm_bindgen(js_name = "noteTexts")]
    pub fn note_texts(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: NoteTexts| {
            let mut records = present(input.records);
            let mut lineages = Lineages::new(input.texts);
            let (registry, changes) = (&self.registry, &input.changes);
            let conflicts =
                note_own_texts(registry, &mut records, &mut lineages, changes, input.now);
            Ok(NotedTexts {
                texts: lineages.into_changed(),
                conflicts,
                ended: settled_conflicts(&input.kept, changes),
            })
        })
    }

    /// `{records: [{app, table, id, state|null}], changes}` → `{writes: [{app, table, id, made, fields: {name: {was,
    /// at}}}]}`: what these changes replaced. `records` are as they were before.
    pub fn reversible(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Reversible| {
            let before = present(input.records);
            Ok(Named("writes", reversible(&input.changes, &before)))
        })
    }

    /// `{writes, earlier, records, now, last|null, eventId}` → `{changes, records, kept: [{reason, record, field?, at?,
    /// actor?}], earlier, last}`: takes writes back as the person, and names what stays. `earlier` writes of the person
    /// come back with the stamps under which their values stand again.
    #[wasm_bindgen(js_name = "takeBack")]
    pub fn take_back(&self, input: &str) -> Result<String, JsError> {
        call(input, |input| take_writes_back(&self.registry, input))
    }

    /// `{before, after}` → `{change|null}`: a text's change, word by word.
    #[wasm_bindgen(js_name = "textChange")]
    pub fn text_change(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: TwoTexts| {
            let change = TextChange::between(&input.before, &input.after);
            Ok(Named("change", change))
        })
    }

    /// `{missionId, slot}` → `{iterationId}`.
    pub fn ids(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Slot| {
            let iteration = ids::iteration_id(&input.mission_id, &input.slot);
            Ok(Named("iterationId", iteration))
        })
    }
}

/// A record with its state, if there is one. Flat, because the code that reads a nested shape is far larger.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Keyed {
    app: String,
    table: String,
    id: String,
    state: Option<RecordState>,
}

impl Keyed {
    pub(crate) fn new(key: RecordKey, state: Option<RecordState>) -> Keyed {
        let RecordKey { app, table, id } = key;
        Keyed {
            app,
            table,
            id,
            state,
        }
    }

    pub(crate) fn into_present(self) -> Option<(RecordKey, RecordState)> {
        let key = RecordKey::new(self.app, self.table, self.id);
        Some((key, self.state?))
    }
}

#[derive(Debug, Deserialize)]
struct NoteTexts {
    records: Vec<Keyed>,
    texts: Vec<TextLineage>,
    kept: Vec<KeptConflict>,
    changes: Vec<Change>,
    now: Micros,
}

#[derive(Debug, Serialize)]
struct NotedTexts {
    texts: Vec<TextLineage>,
    conflicts: Vec<KeptConflict>,
    ended: Vec<String>,
}

/// The records that exist.
pub(crate) fn present(records: Vec<Keyed>) -> Records {
    records.into_iter().filter_map(Keyed::into_present).gather()
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
    let mut records = present(input.records);
    apply_changes(registry, &mut records, &changes);
    let touched: BTreeSet<RecordKey> = changes.iter().map(record_key).gather();
    let merged = touched.into_iter().map(|key| {
        let state = records.remove(&key);
        Keyed::new(key, state)
    });
    Applied {
        records: merged.collect(),
        refused,
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrepareInput {
    app: String,
    table: String,
    id: String,
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
    change: Change,
    state: RecordState,
    last: Micros,
}

fn prepare(registry: &Registry, input: PrepareInput) -> Result<PrepareOutput, Fault> {
    let mut clock = Clock {
        last: input.last.unwrap_or_default(),
        offset: 0,
    };
    let key = RecordKey::new(input.app, input.table, input.id);
    let write = Prepare {
        key: &key,
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
    let schema = registry.schema(&key.app, &key.table);
    let prepared = mana_core::prepare(schema, write)
        .map_err(|error| Fault::new("invalid_change", error.reason))?;
    Ok(PrepareOutput {
        change: prepared.change,
        state: prepared.state,
        last: clock.last,
    })
}

#[derive(Debug, Deserialize)]
struct Reversible {
    records: Vec<Keyed>,
    changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TakeBack {
    writes: Vec<ReversibleWrite>,
    earlier: Vec<ReversibleWrite>,
    records: Vec<Keyed>,
    now: Micros,
    last: Option<Micros>,
    event_id: String,
}

#[derive(Debug, Serialize)]
struct TakenBack {
    changes: Vec<Change>,
    records: Vec<Keyed>,
    kept: Vec<KeptChange>,
    earlier: Vec<ReversibleWrite>,
    last: Micros,
}

fn take_writes_back(registry: &Registry, input: TakeBack) -> Result<TakenBack, Fault> {
    let mut clock = Clock {
        last: input.last.unwrap_or_default(),
        offset: 0,
    };
    let tick = clock.tick(input.now);
    let records = present(input.records);
    let done = take_back(registry, &input.writes, records, tick, &input.event_id)
        .map_err(|error| Fault::new("invalid_change", error.reason))?;
    let mut earlier = input.earlier;
    stand_again(&mut earlier, &input.writes, &done.changes);
    let records = done.records.into_iter();
    Ok(TakenBack {
        earlier,
        changes: done.changes,
        records: records
            .map(|(key, state)| Keyed::new(key, Some(state)))
            .collect(),
        kept: done.kept,
        last: clock.last,
    })
}

#[derive(Debug, Deserialize)]
struct TwoTexts {
    before: String,
    after: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slot {
    mission_id: String,
    slot: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
