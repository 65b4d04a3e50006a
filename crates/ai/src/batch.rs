//! The changes of one push.

use std::collections::BTreeMap;

use mana_core::mission::{self, AiRun};
use mana_core::{
    Actor, Change, Map, Micros, Op, Prepare, RecordKey, RecordState, SystemSource, ids, prepare,
};
use mana_store::Scope;
use serde_json::{Value, json};

use crate::error::RunError;
use crate::parts::RunnerParts;

/// Changes that belong together, each stamped later than what it replaces.
pub(crate) struct ChangeBatch<'a> {
    parts: &'a RunnerParts,
    scope: &'a Scope,
    now: Micros,
    seed: String,
    states: BTreeMap<RecordKey, Option<RecordState>>,
    changes: Vec<Change>,
}

impl<'a> ChangeBatch<'a> {
    /// A batch at a time. The changes' ids derive from the seed.
    pub fn new(parts: &'a RunnerParts, scope: &'a Scope, now: Micros, seed: String) -> Self {
        Self {
            parts,
            scope,
            now,
            seed,
            states: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// The changes as they are pushed.
    pub fn into_values(self) -> Vec<Value> {
        self.changes.iter().map(|change| json!(change)).collect()
    }

    /// Writes fields of the mission.
    pub async fn mission(&mut self, id: &str, set: Map) -> Result<(), RunError> {
        if set.is_empty() {
            return Ok(());
        }
        let key = RecordKey::new(mission::APP, mission::MISSIONS, id);
        self.put(key, Op::Update, set, runner(), None).await
    }

    /// Writes the record of an occurrence. An existing record is replaced only where `replace` says so: an occurrence
    /// has one record.
    pub async fn run(&mut self, run: &AiRun, replace: bool) -> Result<(), RunError> {
        let id = ids::iteration_id(&run.mission_id, &run.slot);
        let key = RecordKey::new(mission::APP, mission::RUNS, id);
        let earlier = self.state(&key).await?;
        if earlier.is_some() && !replace {
            return Ok(());
        }
        let mut set = match json!(run) {
            Value::Object(set) => set,
            _ => Map::new(),
        };
        let op = if earlier.is_some() {
            Op::Update
        } else {
            Op::Insert
        };
        // Fields of the last attempt that this attempt doesn't have.
        for field in earlier.iter().flat_map(|state| state.data.keys()) {
            set.entry(field.clone()).or_insert(Value::Null);
        }
        self.put(key, op, set, runner(), None).await
    }

    /// The time of the changes.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// A record with the changes that the batch makes to it.
    pub async fn state(&mut self, key: &RecordKey) -> Result<Option<RecordState>, RunError> {
        if let Some(state) = self.states.get(key) {
            return Ok(state.clone());
        }
        let state = self.parts.store.record(self.scope, key).await?;
        self.states.insert(key.clone(), state.clone());
        Ok(state)
    }

    /// Adds a change, stamped later than the values that it replaces.
    pub async fn put(
        &mut self,
        key: RecordKey,
        op: Op,
        set: Map,
        actor: Actor,
        at: Option<Micros>,
    ) -> Result<(), RunError> {
        self.put_stamped(key, op, set, actor, at, BTreeMap::new())
            .await
    }

    /// Adds a change, of which some fields carry stamps of their own.
    pub async fn put_stamped(
        &mut self,
        key: RecordKey,
        op: Op,
        set: Map,
        actor: Actor,
        at: Option<Micros>,
        stamps: BTreeMap<String, Micros>,
    ) -> Result<(), RunError> {
        let state = self.state(&key).await?;
        let write = Prepare {
            key: &key,
            op,
            set,
            state: state.as_ref(),
            tick: self.now,
            at,
            stamps,
            seen: BTreeMap::new(),
            actor,
            event_id: ids::derive(&self.seed, &self.changes.len().to_string()),
        };
        let prepared = prepare(self.parts.registry.schema(&key.app, &key.table), write)
            .map_err(|error| RunError::Change(error.reason))?;
        // The decisions on automatic steps come before what these write (SYNC S13).
        let place = match is_mission(&key) {
            true => 0,
            false => self.changes.len(),
        };
        self.changes.insert(place, prepared.change);
        self.states.insert(key, Some(prepared.state));
        Ok(())
    }
}

fn is_mission(key: &RecordKey) -> bool {
    key.app == mission::APP && key.table == mission::MISSIONS
}

fn runner() -> Actor {
    Actor::system(SystemSource::MissionRunner)
}
