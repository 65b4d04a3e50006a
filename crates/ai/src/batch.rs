//! The changes of one push.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::calendar::Day;
use mana_core::mission::{self, AiRun};
use mana_core::record::MAX_RECORD_BYTES;
use mana_core::succession::{Succession, successor_key};
use mana_core::{
    Actor, Change, Map, Micros, Op, Prepare, RecordKey, RecordState, SystemSource, ids, prepare,
};
use mana_store::Scope;
use serde_json::{Value, json};

use crate::error::RunError;
use crate::parts::RunnerParts;

/// Records that one change forgets at most.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

/// The size beyond which a mission's record loses bodies of old iterations, in bytes of JSON: a megabyte below the
/// bound, so that its person can go on deciding.
pub(crate) const MISSION_BYTES: usize = MAX_RECORD_BYTES - (1 << 20);

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

    /// Whether an occurrence has a record.
    pub async fn has_run(&mut self, mission_id: &str, slot: &str) -> Result<bool, RunError> {
        let id = ids::iteration_id(mission_id, slot);
        let key = RecordKey::new(mission::APP, mission::RUNS, id);
        Ok(self.state(&key).await?.is_some())
    }

    /// Writes the record of an occurrence. An existing record is replaced only where `replace` says so: an occurrence
    /// has one record.
    ///
    /// `at`: the stamps of a record that is to lose to any other.
    pub async fn run(
        &mut self,
        run: &AiRun,
        replace: bool,
        at: Option<Micros>,
    ) -> Result<(), RunError> {
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
        self.put(key, op, set, runner(), at).await
    }

    /// Forgets the run records of a mission that are more than it keeps, the oldest ones (MISSIONS T15).
    pub async fn forget_old_runs(&mut self, mission_id: &str) -> Result<(), RunError> {
        let is_run = |change: &&Change| change.table == mission::RUNS;
        let written = self.changes.iter().filter(is_run);
        let made = written.clone().filter(|change| change.op == Op::Insert);
        let kept = self.parts.config.runs_kept;
        let keep = kept.saturating_sub(u32::try_from(made.count()).unwrap_or(u32::MAX));
        let written: BTreeSet<String> = written.map(|change| change.id.clone()).collect();
        let store = &self.parts.store;
        let mut ids = store
            .surplus_runs(self.scope, mission_id, keep, FORGOTTEN_AT_ONCE)
            .await?;
        ids.retain(|id| !written.contains(id));
        if ids.is_empty() {
            return Ok(());
        }
        let mut change = Change::forgetting(mission::RUNS, ids);
        change.event_id = Some(ids::derive(&self.seed, "forget"));
        change.app_id = Some(mission::APP.to_owned());
        change.at = Some(self.now);
        change.actor = Some(runner());
        self.changes.push(change);
        Ok(())
    }

    /// Drops the bodies of the mission's oldest iterations where its record comes near its bound (MISSIONS I7).
    pub async fn drop_bodies(&mut self, id: &str) -> Result<(), RunError> {
        let key = RecordKey::new(mission::APP, mission::MISSIONS, id);
        let Some(state) = self.state(&key).await? else {
            return Ok(());
        };
        let dropped = mission::drop_bodies(&state, MISSION_BYTES, self.now).iterations;
        if dropped.is_empty() {
            return Ok(());
        }
        let set = Map::from_iter([("iterations".to_owned(), json!(dropped))]);
        self.put(key, Op::Update, set, runner(), None).await
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

    /// Adds the record that goes on, where a write has completed a record that repeats or opened it again. `before` is
    /// the record before the write, `today` the person's day.
    pub async fn put_successor(
        &mut self,
        key: &RecordKey,
        before: Option<&RecordState>,
        today: Day,
    ) -> Result<(), RunError> {
        let parts = self.parts;
        let registry = &parts.registry;
        let Some(state) = self.state(key).await? else {
            return Ok(());
        };
        let Some(next) = successor_key(registry, key, before, &state) else {
            return Ok(());
        };
        let there = self.state(&next).await?;
        let succession = Succession {
            registry,
            key,
            state: &state,
            successor: there.as_ref(),
            today,
            tick: self.now,
            event_id: ids::derive(&self.seed, &self.changes.len().to_string()),
        };
        let written = succession
            .carry_out()
            .map_err(|error| RunError::Change(error.reason))?;
        if let Some(prepared) = written {
            self.changes.push(prepared.change);
            self.states.insert(next, Some(prepared.state));
        }
        Ok(())
    }
}

fn is_mission(key: &RecordKey) -> bool {
    key.app == mission::APP && key.table == mission::MISSIONS
}

fn runner() -> Actor {
    Actor::system(SystemSource::MissionRunner)
}
