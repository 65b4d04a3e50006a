//! A device of Mana's version 0.1, as servers and other devices see it. The device names neither the log nor the number
//! of a push, nor the text that a write replaces; it stamps what it approves with the time of the decision. Once the log
//! holds what it can't read, it is told to update, and goes on under the newer version's number with all that waits.

use std::collections::BTreeSet;

use mana_core::{
    Actor, Change, Micros, Op, RecordKey, RecordState, apply,
    manifest::Registry,
    mission::{APP, Agent, Intent, MISSIONS, Mission},
    staging::Records,
    sync::{PushAnswer, SCHEMA_VERSION, TransportError, record_key},
};
use serde_json::{Value, json};

use crate::{person::writes, server::Backend};

/// The version of the data that it names.
const OLD_SCHEMA: u64 = 1;

/// The number in [`crate::person::writes`] of changes that the servers refuse at times.
const REFUSED: u32 = 11;

pub(crate) struct OldDevice {
    /// The records, of what the server told.
    pub records: Records,
    /// The changes that no answer has acknowledged.
    pub waiting: Vec<Value>,
    /// The place to read on from.
    cursor: String,
    /// The version of the data that it names.
    schema_version: u64,
    /// The event ids of the updates that it approved, which outrank edits that it had not seen.
    pub approved: BTreeSet<String>,
}

impl OldDevice {
    pub fn new() -> OldDevice {
        OldDevice {
            records: Records::new(),
            waiting: Vec::new(),
            cursor: String::new(),
            schema_version: OLD_SCHEMA,
            approved: BTreeSet::new(),
        }
    }

    /// A person writes, or approves what waits. Returns the event ids.
    pub fn act(
        &mut self,
        what: u32,
        value: u32,
        at: Micros,
        new_id: impl Fn() -> String,
    ) -> Vec<String> {
        match what % 8 {
            0..3 => self.write(what / 8, value, at, new_id),
            _ => self.approve(at, new_id),
        }
    }

    /// The device sends what waits, and then asks for what there is, its own changes too. `lost`: the answer to the
    /// push does not arrive. Returns whether the device was told to update first.
    pub fn sync(
        &mut self,
        backend: &Backend,
        server: usize,
        lost: bool,
    ) -> Result<bool, TransportError> {
        let mut updated = false;
        loop {
            match self.push(backend, server, &self.waiting) {
                Err(TransportError::Refused(refusal))
                    if refusal.code == "update_required" && self.schema_version == OLD_SCHEMA =>
                {
                    self.schema_version = SCHEMA_VERSION;
                    updated = true;
                }
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        if lost {
            return Ok(updated);
        }
        self.waiting.clear();
        loop {
            let answer = self.push(backend, server, &[])?;
            let has_more = answer.has_more;
            self.take(backend.registry(), answer);
            if !has_more {
                return Ok(updated);
            }
        }
    }

    fn push(
        &self,
        backend: &Backend,
        server: usize,
        changes: &[Value],
    ) -> Result<PushAnswer, TransportError> {
        backend.push_of_old_device(server, changes, &self.cursor, self.schema_version)
    }

    fn write(
        &mut self,
        what: u32,
        value: u32,
        at: Micros,
        new_id: impl Fn() -> String,
    ) -> Vec<String> {
        if what % 17 == REFUSED {
            return Vec::new();
        }
        let mut ids = Vec::new();
        for write in writes(what, value) {
            let id = new_id();
            let key = &write.key;
            let mut change = json!({ "eventId": id, "appId": key.app, "table": key.table, "id": key.id, "op": write.op,
                "at": at, "actor": Actor::user() });
            match write.op {
                Op::Insert => change["data"] = json!(write.set),
                Op::Delete => change["deletedAt"] = json!(at),
                _ => change["fields"] = fields(&json!(write.set), at),
            }
            self.waiting.push(change);
            ids.push(id);
        }
        ids
    }

    /// A person approves an update that the device knows of.
    fn approve(&mut self, at: Micros, new_id: impl Fn() -> String) -> Vec<String> {
        let Some((mission, iteration, step)) = self.open_update() else {
            return Vec::new();
        };
        let Intent::ToolCall { params, .. } = &step.intent else {
            return Vec::new();
        };
        let Agent { id, name, .. } = Agent::builtin();
        let ai = Actor::agent(
            &mission,
            &iteration.id,
            &step.rationale,
            Some(&id),
            Some(&name),
        );
        let ai = ai.of_step(&step.id);
        let mut set = json!(params);
        let task = set["taskId"].take();
        if let Some(set) = set.as_object_mut() {
            set.remove("taskId");
        }
        let update = json!({ "eventId": new_id(), "appId": "todo", "table": "tasks", "id": task, "op": Op::Update,
            "at": at, "actor": ai, "fields": fields(&set, at) });
        let decided = json!({ "id": step.id, "status": "approved", "decidedAt": at, "decidedBy": "me", "updatedAt": at });
        let element =
            json!([{ "id": iteration.id, "startedAt": iteration.started_at, "plan": [decided] }]);
        let decision = json!({ "eventId": new_id(), "appId": APP, "table": MISSIONS, "id": mission, "op": Op::Update,
            "at": at, "actor": Actor::user(), "fields": fields(&json!({ "iterations": element }), at) });
        let ids = [&update, &decision]
            .map(|change| change["eventId"].as_str().unwrap_or_default().to_owned());
        self.approved.insert(ids[0].clone());
        self.waiting.extend([update, decision]);
        ids.into()
    }

    /// An update that waits for a decision, of a task that is here.
    fn open_update(
        &self,
    ) -> Option<(
        String,
        mana_core::mission::Iteration,
        mana_core::mission::Step,
    )> {
        let missions = self
            .records
            .iter()
            .filter(|(key, _)| key.app == APP && key.table == MISSIONS);
        for (key, state) in missions {
            for iteration in Mission::parse(&key.id, &state.data).iterations {
                let decided = |id: &str| {
                    self.waiting
                        .iter()
                        .any(|change| change.to_string().contains(id))
                };
                let open = iteration.plan.iter().find(|step| {
                    let Intent::ToolCall { tool_name, params } = &step.intent else {
                        return false;
                    };
                    let task = params
                        .get("taskId")
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    let key = RecordKey::new("todo", "tasks", task);
                    let there = self
                        .records
                        .get(&key)
                        .is_some_and(|state| !state.is_deleted());
                    tool_name == "update_task"
                        && step.status.is_open()
                        && there
                        && !decided(&step.id)
                });
                if let Some(step) = open {
                    return Some((key.id.clone(), iteration.clone(), step.clone()));
                }
            }
        }
        None
    }

    /// The device takes the answer to a pull.
    fn take(&mut self, registry: &Registry, answer: PushAnswer) {
        for change in answer.server_changes {
            let Ok(change) = Change::read(change) else {
                continue;
            };
            if change.op == Op::Forget {
                for key in change.keys() {
                    self.records.remove(&key);
                }
                continue;
            }
            let key = record_key(&change);
            let schema = registry.schema(&key.app, &key.table);
            let state: &mut RecordState = self.records.entry(key.clone()).or_default();
            apply(schema, state, &change);
        }
        self.cursor = answer.synced_until;
    }
}

/// Writes as an update sends them, without what a text replaces.
fn fields(set: &Value, at: Micros) -> Value {
    let set = set.as_object().cloned().unwrap_or_default().into_iter();
    let writes = set.map(|(field, value)| (field, json!({ "value": value, "updatedAt": at })));
    Value::Object(writes.collect())
}
