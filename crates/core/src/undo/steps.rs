//! Taking back what the AI did: a step, an iteration or a mission at a time, keeping what changed since.
//!
//! Which values are still a step's stands in the records themselves: each field names its author. Part U of
//! `spec/MODULES.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    kept::{KeptChange, KeptReason, whole_record_stays},
    write_back::WriteBack,
};
use crate::{
    Gather, Map,
    change::{Change, Op},
    manifest::{Operation, Registry, hash_of},
    mission::{APP, Iteration, MISSIONS, Step, StepStatus, objects},
    record::{RecordKey, RecordState, Records},
    replaced::{Owner, ReplacedRecord, ReplacedValue, owner},
    staging::{ProposalError, Verdict, seen_key, write_steps},
    time::Micros,
};

/// How much is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum UndoExtent {
    /// A single step.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Step {
        /// The step.
        step_id: String,
    },
    /// Every step of an iteration.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Iteration {
        /// The iteration.
        iteration_id: String,
    },
    /// Every step of every iteration that the mission keeps.
    Mission,
}

/// The effect of undoing, exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UndoPreview {
    /// The operations that are written, in this order.
    pub operations: Vec<Reversal>,
    /// The changes that stay as they are, and why.
    pub kept: Vec<KeptChange>,
    /// The hash that a person's yes is bound to: that of the operations, and of stamp and author of the values that
    /// they take back.
    pub hash: String,
}

/// An operation that takes something back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reversal {
    /// The step that it takes back.
    pub step_id: String,
    /// The write.
    pub operation: Operation,
    /// The values of the fields before it.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub now: Map,
}

/// The changes to undo, and their mission.
#[derive(Debug, Clone, Copy)]
pub struct UndoRequest<'a> {
    /// The modules of this replica.
    pub registry: &'a Registry,
    /// The mission's id.
    pub mission_id: &'a str,
    /// The mission's record.
    pub mission: &'a RecordState,
    /// How much.
    pub extent: &'a UndoExtent,
}

/// The person who undoes, and when.
#[derive(Debug, Clone, Copy)]
pub struct UndoConsent<'a> {
    /// A user's id.
    pub user: &'a str,
    /// The device: its client id.
    pub device: &'a str,
    /// The clock's time, `max(now, last + 1)`.
    pub tick: Micros,
    /// The seed of the changes' ids: a fresh id.
    pub seed: &'a str,
    /// The hash of the preview that the person saw.
    pub hash: &'a str,
}

/// The writes of undoing, all of them or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct UndoOutcome {
    /// The changes to log and push.
    pub changes: Vec<Change>,
    /// The records after it.
    pub records: Vec<(RecordKey, RecordState)>,
    /// The changes that stay.
    pub kept: Vec<KeptChange>,
    /// The last stamp that was given.
    pub last: Micros,
}

/// A step that was carried out, and where it stands.
struct Done {
    iteration_id: String,
    step: Step,
    /// The values that it replaced.
    replaced: Vec<ReplacedRecord>,
}

impl Done {
    fn new(iteration_id: String, step: Step) -> Done {
        Done {
            iteration_id,
            replaced: step.all_replaced(),
            step,
        }
    }
}

impl UndoRequest<'_> {
    /// The records that undoing looks at.
    pub fn touched(&self) -> BTreeSet<RecordKey> {
        let done = self.done();
        let replaced = done.iter().flat_map(|done| &done.replaced);
        replaced.map(key).gather()
    }

    /// Returns the effect of undoing. `records` are those that [`UndoRequest::touched`] names.
    pub fn preview(&self, records: &Records) -> Result<UndoPreview, ProposalError> {
        let mut work = self.work(records, Micros::EPOCH, "");
        work.all(self.done())?;
        Ok(work.preview())
    }

    /// Takes it back, as the person. Refused as `altered` where that would not be what the preview showed,
    /// and as `nothing` where there is nothing to take back.
    pub fn carry_out(
        &self,
        records: &Records,
        by: UndoConsent<'_>,
    ) -> Result<UndoOutcome, ProposalError> {
        let mut work = self.work(records, by.tick, by.seed);
        work.all(self.done())?;
        let preview = work.preview();
        if preview.hash != by.hash {
            let message =
                "Something changed since this was shown. Nothing was undone; look at it again.";
            return Err(ProposalError::new("altered", message));
        }
        if preview.operations.is_empty() {
            let message = "There is nothing left here that could be undone. Nothing was changed.";
            return Err(ProposalError::new("nothing", message));
        }
        let is_undone = |id: &str| preview.operations.iter().any(|one| one.step_id == id);
        let verdict = Verdict {
            status: StepStatus::Undone,
            by: by.user,
            device: by.device,
            ..Verdict::default()
        };
        let mission_key = RecordKey::new(APP, MISSIONS, self.mission_id);
        let prepared = write_steps(
            self.registry,
            &mission_key,
            self.mission,
            is_undone,
            &verdict,
            by.tick,
            work.event_id(),
        )?;
        let touched = work.touched;
        let mut changes = work.changes;
        // The decision first, as with an approval (S6).
        changes.insert(0, prepared.change);
        let mut written: Vec<_> = (work.records.into_iter())
            .filter(|(key, _)| touched.contains(key))
            .collect();
        written.push((mission_key, prepared.state));
        let last = changes.iter().filter_map(|change| change.at);
        Ok(UndoOutcome {
            last: last.fold(by.tick, Micros::max),
            changes,
            records: written,
            kept: preview.kept,
        })
    }

    fn work<'a>(&'a self, records: &Records, tick: Micros, seed: &'a str) -> Work<'a> {
        Work {
            undo: self,
            tick,
            seed,
            before: records.clone(),
            records: records.clone(),
            touched: BTreeSet::new(),
            operations: Vec::new(),
            kept: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The steps that were carried out, the last one first: so a value goes back the way it came.
    fn done(&self) -> Vec<Done> {
        let iterations = objects(&self.mission.data, "iterations")
            .filter_map(|raw| Iteration::parse(&Value::Object(raw.clone())).ok());
        let mut done: Vec<Done> = (iterations)
            .filter(|iteration| match self.extent {
                UndoExtent::Iteration { iteration_id } => iteration.id == *iteration_id,
                _ => true,
            })
            .flat_map(|iteration| {
                let Iteration { id, plan, .. } = iteration;
                plan.into_iter()
                    .map(move |step| Done::new(id.clone(), step))
            })
            .filter(|done| match self.extent {
                UndoExtent::Step { step_id } => done.step.id == *step_id,
                // What is undone already is asked about only by itself.
                _ => done.step.status == StepStatus::Approved,
            })
            .filter(|done| matches!(done.step.status, StepStatus::Approved | StepStatus::Undone))
            .collect();
        done.reverse();
        done.sort_by_key(|done| std::cmp::Reverse(done.step.decided_at));
        done
    }
}

/// Steps taken back one after the other, each on the records that the one before left.
struct Work<'a> {
    undo: &'a UndoRequest<'a>,
    tick: Micros,
    seed: &'a str,
    before: Records,
    records: Records,
    touched: BTreeSet<RecordKey>,
    operations: Vec<Reversal>,
    kept: Vec<KeptChange>,
    changes: Vec<Change>,
}

impl Work<'_> {
    fn all(&mut self, steps: Vec<Done>) -> Result<(), ProposalError> {
        for done in &steps {
            if done.replaced.is_empty() {
                let kept = KeptChange::because(KeptReason::Unknown);
                self.kept.push(kept.of_step(&done.step.id));
            }
            for replaced in done.replaced.iter().rev() {
                self.one(done, replaced)?;
            }
        }
        Ok(())
    }

    fn preview(&self) -> UndoPreview {
        UndoPreview {
            operations: self.operations.clone(),
            kept: self.kept.clone(),
            hash: self.hash(),
        }
    }

    /// The hash of the operations, with stamp and author of every value that they take back as it stands now.
    fn hash(&self) -> String {
        let mut taken = BTreeMap::new();
        for Reversal { operation, .. } in &self.operations {
            let key = operation.key();
            let fields = self
                .before
                .get(&key)
                .into_iter()
                .flat_map(|state| &state.meta);
            let fields = fields.filter(|(field, _)| {
                operation.op == Op::Delete || operation.set.contains_key(*field)
            });
            let known: &mut BTreeMap<_, _> = taken.entry(seen_key(&key)).or_default();
            known.extend(fields);
        }
        let operations = self.operations.iter();
        let operations: Vec<_> = operations.map(|reversal| &reversal.operation).collect();
        hash_of(&json!({ "operations": operations, "taken": taken }))
    }

    fn event_id(&self) -> String {
        crate::ids::derive(self.seed, &self.changes.len().to_string())
    }

    fn one(&mut self, done: &Done, replaced: &ReplacedRecord) -> Result<(), ProposalError> {
        let key = key(replaced);
        let step = done.step.id.as_str();
        let Some(state) = self.records.get(&key) else {
            self.kept.push(KeptChange::missing(&key).of_step(step));
            return Ok(());
        };
        let makes = replaced.fields.is_empty();
        let removes = replaced.fields.contains_key("deletedAt");
        let is_of_step = |field: &str| match owner(Some(state), field) {
            Owner::Step(owner) => owner == step,
            Owner::Nobody => true,
            Owner::Other => false,
        };
        if let Some(kept) = whole_record_stays(&key, state, (removes, makes), is_of_step) {
            self.kept.push(kept.of_step(step));
            return Ok(());
        }
        if makes {
            return self.write(done, &key, Op::Delete, Map::new(), Map::new());
        }
        let (mut set, mut owners) = (Map::new(), Map::new());
        for (field, before) in &replaced.fields {
            let now = state.data.get(field).unwrap_or(&Value::Null);
            let is_own = matches!(owner(Some(state), field), Owner::Step(owner) if owner == step);
            if let Some(earlier) = earlier(before, now).filter(|_| is_own) {
                set.insert(field.clone(), earlier);
                if before.step.is_some() || before.absent {
                    owners.insert(field.clone(), json!(before.step));
                }
            } else if !is_as_before(before, now) {
                let kept = KeptChange::changed(&key, state, field);
                self.kept.push(kept.of_step(step));
            }
        }
        if set.is_empty() {
            return Ok(());
        }
        self.write(done, &key, Op::Update, set, owners)
    }

    /// A record's write, as the person, marked as what it is.
    fn write(
        &mut self,
        done: &Done,
        key: &RecordKey,
        op: Op,
        set: Map,
        owners: Map,
    ) -> Result<(), ProposalError> {
        let state = self.records.get(key);
        let now = (set.keys())
            .map(|field| {
                let value = state.and_then(|state| state.data.get(field));
                (field.clone(), value.cloned().unwrap_or(Value::Null))
            })
            .gather();
        let mut mark = Map::new();
        mark.insert("missionId".into(), self.undo.mission_id.into());
        mark.insert("iterationId".into(), done.iteration_id.as_str().into());
        mark.insert("stepId".into(), done.step.id.as_str().into());
        if !owners.is_empty() {
            mark.insert("owners".into(), owners.into());
        }
        let write = WriteBack {
            key,
            op,
            set: set.clone(),
            state,
            mark,
            tick: self.tick,
            event_id: self.event_id(),
        };
        let prepared = write
            .prepare(self.undo.registry)
            .map_err(|error| ProposalError::new("invalid", error.reason))?;
        self.operations.push(Reversal {
            step_id: done.step.id.clone(),
            operation: Operation {
                op,
                app: key.app.clone(),
                table: key.table.clone(),
                id: key.id.clone(),
                set,
                now: Vec::new(),
            },
            now,
        });
        self.changes.push(prepared.change);
        self.touched.insert(key.clone());
        self.records.insert(key.clone(), prepared.state);
        Ok(())
    }
}

/// The value that a field goes back to. None where the text that was added to isn't the beginning of this one.
fn earlier(replaced: &ReplacedValue, now: &Value) -> Option<Value> {
    match &replaced.before {
        None => Some(replaced.value.clone()),
        Some(before) => before.cut(now.as_str()?).map(Value::from),
    }
}

/// Whether a field holds the value that the step replaced.
fn is_as_before(replaced: &ReplacedValue, now: &Value) -> bool {
    earlier(replaced, now).as_ref() == Some(now)
}

fn key(replaced: &ReplacedRecord) -> RecordKey {
    RecordKey::new(&replaced.app, &replaced.table, &replaced.id)
}
