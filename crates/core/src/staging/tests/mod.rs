//! Parts S and U of `spec/MODULES.md`, each test named after the rule that it holds.

mod deadlines;
mod deciding;
mod staging;
mod undoing;
mod unseen;
mod vectors;
mod walking;

use std::collections::BTreeMap;

use serde_json::json;

use serde_json::Value;

use super::*;
use crate::{
    Actor, Change, Defaults, Map, Micros, RecordKey, RecordState, SystemSource, ids,
    manifest::Registry,
    merge,
    mission::{APP, MISSIONS, StepStatus},
    policy::Overrides,
};

const MISSION: &str = "0190d000-0000-7000-8000-000000000001";
const FINISHED: &str = "2026-04-08T06:01:48.000000Z";

fn time(text: &str) -> Micros {
    Micros::parse(text).expect("a time")
}

fn object(value: Value) -> Map {
    serde_json::from_value(value).expect("an object")
}

/// The iteration's id.
fn iteration() -> String {
    ids::iteration_id(MISSION, "due:1775628000000")
}

/// The id of the proposal of a step.
fn proposal(index: usize) -> String {
    ids::proposal_id(&ids::step_id(&iteration(), index))
}

/// The author of what a step writes.
fn author(index: usize) -> Actor {
    Actor::ai(MISSION, iteration(), format!("Reason {index}"))
        .of_step(&ids::step_id(&iteration(), index))
}

/// A step as the runner writes it.
fn step(index: usize, tool: &str, params: Value) -> Value {
    json!({
        "id": ids::step_id(&iteration(), index), "index": index, "status": "planned",
        "summary": format!("Step {index}"), "rationale": format!("Reason {index}"),
        "intent": { "kind": "toolCall", "toolName": tool, "params": params },
        "updatedAt": FINISHED, "laterField": index,
    })
}

/// The iteration that carries these steps.
fn plan(source: &str, steps: Vec<Value>) -> Value {
    json!({
        "id": iteration(), "slot": "due:1775628000000", "source": source,
        "startedAt": "2026-04-08T06:00:00.000000Z", "finishedAt": FINISHED, "updatedAt": FINISHED,
        "summary": "A light week.", "plan": steps,
    })
}

/// A replica: what a browser has in its database.
#[derive(Clone)]
struct Device {
    name: &'static str,
    registry: Registry,
    overrides: Overrides,
    records: Records,
}

impl Device {
    /// A device with two tasks and a mission that ran.
    fn new(iteration: Value) -> Device {
        let mut device = Device {
            name: "here",
            registry: Registry::builtin(),
            overrides: Overrides::default(),
            records: Records::new(),
        };
        let tasks = [
            (
                "t1",
                json!({ "title": "Draft the outline", "dueDate": "2026-04-08", "done": false }),
            ),
            ("t2", json!({ "title": "Order coffee" })),
        ];
        for (id, data) in tasks {
            device.write(
                "todo",
                "tasks",
                id,
                "insert",
                data,
                "2026-04-01T08:00:00Z",
                Actor::user(),
            );
        }
        let mission =
            json!({ "title": "Weekly plan", "state": "active", "iterations": [iteration] });
        let runner = Actor::system(SystemSource::MissionRunner);
        device.write(APP, MISSIONS, MISSION, "insert", mission, FINISHED, runner);
        device
    }

    #[expect(clippy::too_many_arguments, reason = "a change has as many parts")]
    fn write(
        &mut self,
        app: &str,
        table: &str,
        id: &str,
        op: &str,
        data: Value,
        at: &str,
        actor: Actor,
    ) {
        let mut change = json!({ "table": table, "id": id, "op": op, "at": at });
        match op {
            "insert" => change["data"] = data,
            "update" => {
                let fields = object(data)
                    .into_iter()
                    .map(|(field, value)| (field, json!({ "value": value })));
                change["fields"] = Value::Object(fields.collect());
            }
            _ => change["deletedAt"] = json!(at),
        }
        let defaults = Defaults {
            event_id: format!("{id}{at}"),
            at: time(at),
            actor,
            app_id: app.to_owned(),
        };
        self.receive(&[Change::parse(change)
            .expect("a good change")
            .normalize(defaults)]);
    }

    fn user(&mut self, id: &str, op: &str, data: Value, at: &str) {
        self.write("todo", "tasks", id, op, data, at, Actor::user());
    }

    /// Takes in what another device wrote.
    fn receive(&mut self, changes: &[Change]) {
        for change in changes {
            let app = change.app_id.clone().expect("an app");
            let key = RecordKey::new(app, &change.table, &change.id);
            let schema = self.registry.schema(&key.app, &key.table).clone();
            merge::apply(&schema, self.records.entry(key).or_default(), change);
        }
    }

    fn mission(&self) -> &RecordState {
        &self.records[&RecordKey::new(APP, MISSIONS, MISSION)]
    }

    fn task(&self, id: &str) -> Option<&RecordState> {
        self.records.get(&RecordKey::new("todo", "tasks", id))
    }

    fn staging<'a>(&'a self, have: &'a BTreeMap<String, ProposalStatus>) -> Staging<'a> {
        Staging {
            registry: &self.registry,
            overrides: &self.overrides,
            mission_id: MISSION,
            mission: self.mission(),
            have,
        }
    }

    fn stage(&self, have: &[String]) -> Vec<Proposal> {
        let have = (have.iter().cloned())
            .map(|id| (id, ProposalStatus::Open))
            .collect();
        let staging = self.staging(&have);
        let touched = staging.touched();
        // What staging didn't ask for it can't see.
        let seen = self
            .records
            .clone()
            .into_iter()
            .filter(|(key, _)| touched.contains(key));
        staging.stage(&seen.collect())
    }

    /// The only proposal.
    fn one(&self) -> Proposal {
        let mut staged = self.stage(&[]);
        assert_eq!(staged.len(), 1, "{staged:?}");
        staged.remove(0)
    }

    fn decide(
        &mut self,
        proposal: &Proposal,
        decision: Decision,
        now: &str,
    ) -> Result<DecisionResult, DecideError> {
        let ids: Vec<String> = (0..=proposal.operations.len())
            .map(|n| format!("{now}-{n}"))
            .collect();
        let decided = decide(&DecisionInput {
            registry: &self.registry,
            overrides: &self.overrides,
            proposal,
            decision: &decision,
            mission: self.mission(),
            records: &self.records,
            tick: time(now),
            by: "user",
            device: self.name,
            event_ids: &ids,
        })?;
        let before = self.clone();
        self.records.extend(decided.records.clone());
        let mut merged = before;
        merged.receive(&decided.changes);
        assert_eq!(
            self.records, merged.records,
            "the records are what the changes make of them"
        );
        Ok(decided)
    }

    fn approve(&mut self, proposal: &Proposal, now: &str) -> Result<DecisionResult, DecideError> {
        self.decide(
            proposal,
            Decision::Approve {
                edited_params: None,
                over: None,
            },
            now,
        )
    }

    fn edit(
        &mut self,
        proposal: &Proposal,
        params: Value,
        now: &str,
    ) -> Result<DecisionResult, DecideError> {
        self.decide(
            proposal,
            Decision::Approve {
                edited_params: Some(object(params)),
                over: None,
            },
            now,
        )
    }

    fn reject(
        &mut self,
        proposal: &Proposal,
        reason: Option<&str>,
        now: &str,
    ) -> Result<DecisionResult, DecideError> {
        self.decide(
            proposal,
            Decision::Reject {
                reason: reason.map(str::to_owned),
            },
            now,
        )
    }

    /// A step as the mission's record holds it.
    fn step(&self, index: usize) -> &Value {
        &self.mission().data["iterations"][0]["plan"][index]
    }
}
