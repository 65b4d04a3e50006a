//! One push for everything that a run has to say.

use std::collections::BTreeMap;

use mana_core::manifest::Registry;
use mana_core::mission::{self, AiRun, Intent, Iteration, StepStatus};
use mana_core::policy::{self, Call, Overrides, Policy};
use mana_core::undo::replaced;
use mana_core::{
    Actor, Change, Map, Micros, Op, Prepare, RecordKey, RecordState, SystemSource, ids, prepare,
};
use mana_store::{Scope, Store};
use serde_json::{Value, json};

/// Changes that belong together, each stamped later than what it replaces.
pub(crate) struct Batch<'a> {
    store: &'a dyn Store,
    registry: &'a Registry,
    scope: &'a Scope,
    now: Micros,
    /// What the changes' ids derive from: the same run under the same claim makes the same ids.
    seed: String,
    states: BTreeMap<RecordKey, Option<RecordState>>,
    changes: Vec<Change>,
}

/// Why a change could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error(transparent)]
    Store(#[from] mana_store::StoreError),
    #[error("{0}")]
    Change(String),
}

impl<'a> Batch<'a> {
    pub fn new(
        store: &'a dyn Store,
        registry: &'a Registry,
        scope: &'a Scope,
        now: Micros,
        seed: String,
    ) -> Self {
        Self {
            store,
            registry,
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
    pub async fn mission(&mut self, id: &str, set: Map) -> Result<(), BatchError> {
        if set.is_empty() {
            return Ok(());
        }
        let key = RecordKey::new(mission::APP, mission::MISSIONS, id);
        self.put(key, Op::Update, set, runner(), None).await
    }

    /// Writes the record of an occurrence. One that exists is replaced only where `replace` says so: an
    /// occurrence has one record.
    pub async fn run(&mut self, run: &AiRun, replace: bool) -> Result<(), BatchError> {
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
        // What the last attempt said and this one doesn't.
        for field in earlier.iter().flat_map(|state| state.data.keys()) {
            set.entry(field.clone()).or_insert(Value::Null);
        }
        self.put(key, op, set, runner(), None).await
    }

    /// Carries out the steps that the policy lets happen by themselves, as the AI, and notes it on them.
    pub async fn automatic_steps(
        &mut self,
        iteration: &mut Iteration,
        mission_id: &str,
        overrides: &Overrides,
    ) -> Result<(), BatchError> {
        let id = iteration.id.clone();
        let (principal, name) = (
            iteration.principal_id.clone(),
            iteration.display_name.clone(),
        );
        for step in &mut iteration.plan {
            let Intent::ToolCall { tool_name, params } = &step.intent else {
                continue;
            };
            let Some(tool) = self.registry.tool(tool_name) else {
                continue;
            };
            if overrides.effective(tool) != Policy::Auto || !step.status.is_open() {
                continue;
            }
            let target = match tool.target(params) {
                Some(key) => self.state(&key).await?,
                None => None,
            };
            let actor = Actor::agent(
                mission_id,
                &id,
                &step.rationale,
                principal.as_deref(),
                name.as_deref(),
            )
            .of_step(&step.id);
            let done = tool
                .operations(params, &step.id, target.as_ref())
                .map_err(|problem| problem.message);
            let allowed = done.and_then(|operations| {
                let call = Call {
                    tool: tool_name,
                    step_id: &step.id,
                    operations: &operations,
                };
                policy::authorise(self.registry, overrides, &actor, Some(&call), None)
                    .map_err(|refusal| refusal.message)?;
                Ok(operations)
            });
            match allowed {
                Ok(operations) => {
                    for operation in operations {
                        let before = replaced(&operation, target.as_ref());
                        step.replaced.push(before);
                        let at = (operation.op == Op::Insert)
                            .then_some(iteration.finished_at)
                            .flatten();
                        let set = operation.values(at.unwrap_or(self.now));
                        self.put(operation.key(), operation.op, set, actor.clone(), at)
                            .await?;
                    }
                    step.status = StepStatus::Approved;
                }
                Err(reason) => {
                    step.status = StepStatus::Failed;
                    step.extra.insert("error".to_owned(), Value::from(reason));
                }
            }
            step.decided_at = iteration.finished_at;
            step.decided_by = Some("policy".to_owned());
        }
        Ok(())
    }

    async fn state(&mut self, key: &RecordKey) -> Result<Option<RecordState>, BatchError> {
        if let Some(state) = self.states.get(key) {
            return Ok(state.clone());
        }
        let state = self.store.record(self.scope, key).await?;
        self.states.insert(key.clone(), state.clone());
        Ok(state)
    }

    async fn put(
        &mut self,
        key: RecordKey,
        op: Op,
        set: Map,
        actor: Actor,
        at: Option<Micros>,
    ) -> Result<(), BatchError> {
        let state = self.state(&key).await?;
        let write = Prepare {
            key: &key,
            op,
            set,
            state: state.as_ref(),
            tick: self.now,
            at,
            actor,
            event_id: ids::derive(&self.seed, &self.changes.len().to_string()),
        };
        let prepared = prepare(self.registry.schema(&key.app, &key.table), write)
            .map_err(|error| BatchError::Change(error.reason))?;
        self.changes.push(prepared.change);
        self.states.insert(key, Some(prepared.state));
        Ok(())
    }
}

fn runner() -> Actor {
    Actor::system(SystemSource::MissionRunner)
}
