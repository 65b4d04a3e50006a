//! The write on a mission's steps that records a decision about them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{proposal::ProposalError, replaced_values::ReplacedValues};
use crate::{
    Map,
    actor::Actor,
    change::Op,
    ids,
    manifest::Registry,
    map_of,
    mission::{StepStatus, objects},
    prepare::{Prepare, Prepared, prepare},
    record::{RecordKey, RecordState},
    time::Micros,
};

/// A decision on steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict<'a> {
    pub status: StepStatus,
    /// The author: a user's id, `policy`, `deadline` or `replaced`.
    pub by: &'a str,
    /// At which device.
    pub device: &'a str,
    /// When, where that isn't the time of the write.
    pub at: Option<Micros>,
    pub feedback: Option<&'a str>,
    pub edited: Option<&'a Map>,
    /// The values that the carried-out step replaced.
    pub replaced: Option<&'a ReplacedValues>,
    pub proposal: Option<&'a str>,
}

/// The fields of an earlier decision that a new one doesn't take along. An undo keeps them: they say what it
/// took back.
const RETAKEN: [&str; 3] = ["feedback", "editedParams", "replaced"];

/// Writes a verdict on the steps that `which` names by id: each step whole, in iterations that carry nothing else.
pub(crate) fn write_steps(
    registry: &Registry,
    key: &RecordKey,
    mission: &RecordState,
    which: impl Fn(&str) -> bool,
    verdict: &Verdict<'_>,
    tick: Micros,
    event_id: String,
) -> Result<Prepared, ProposalError> {
    let is_meant = |step: &&Map| step.get("id").and_then(Value::as_str).is_some_and(&which);
    let all = || objects(&mission.data, "iterations").flat_map(|one| objects(one, "plan"));
    let stamps = all().filter(is_meant).flat_map(|step| {
        let stamp = |field| Micros::parse(step.get(field)?.as_str()?).ok();
        [stamp("updatedAt"), stamp("decidedAt")]
    });
    let replaced = mission.meta.get("iterations").map(|stamp| stamp.at);
    let at = (stamps.flatten().chain(replaced))
        .map(|at| at.plus(1))
        .fold(tick, Micros::max);
    let mut iterations = Vec::new();
    for raw in objects(&mission.data, "iterations") {
        let steps: Vec<_> = objects(raw, "plan")
            .filter(is_meant)
            .map(|step| decided(step, verdict, at))
            .collect();
        if steps.is_empty() {
            continue;
        }
        iterations.push(carrying(raw, &steps));
    }
    let write = Prepare {
        key,
        op: Op::Update,
        set: map_of("iterations", json!(iterations)),
        state: Some(mission),
        tick,
        at: Some(at),
        stamps: BTreeMap::new(),
        seen: BTreeMap::new(),
        actor: Actor::user(),
        event_id,
    };
    prepare(registry.schema(&key.app, &key.table), write)
        .map_err(|error| ProposalError::new("invalid", error.reason))
}

/// The name under which a newer plan takes the place of an older one.
const REPLACED: &str = "replaced";

/// The iterations of a mission in which open steps expire because a newer plan takes their place: those that `which`
/// names by id, each step whole, in iterations that carry nothing else.
pub fn replace_steps(
    mission: &RecordState,
    which: impl Fn(&str) -> bool,
    now: Micros,
) -> Vec<Value> {
    let verdict = Verdict {
        status: StepStatus::Expired,
        by: REPLACED,
        device: REPLACED,
        ..Verdict::default()
    };
    let mut iterations = Vec::new();
    for raw in objects(&mission.data, "iterations") {
        let named = |step: &&Map| step.get("id").and_then(Value::as_str).is_some_and(&which);
        let steps: Vec<_> = objects(raw, "plan")
            .filter(named)
            .map(|step| {
                let stamp = |field| Micros::parse(step.get(field)?.as_str()?).ok();
                let stamps = [stamp("updatedAt"), stamp("decidedAt")]
                    .into_iter()
                    .flatten();
                let at = stamps.map(|at| at.plus(1)).fold(now, Micros::max);
                decided(step, &verdict, at)
            })
            .collect();
        if !steps.is_empty() {
            iterations.push(carrying(raw, &steps));
        }
    }
    iterations
}

/// An iteration that names itself and carries these steps alone.
fn carrying(raw: &Map, steps: &[Map]) -> Value {
    let mut iteration = Map::new();
    for field in ["id", "startedAt"] {
        if let Some(value) = raw.get(field) {
            iteration.insert(field.into(), value.clone());
        }
    }
    iteration.insert("plan".into(), json!(steps));
    Value::Object(iteration)
}

fn decided(raw: &Map, verdict: &Verdict<'_>, written: Micros) -> Map {
    let at = verdict.at.unwrap_or(written);
    let mut decision = Map::new();
    decision.insert("status".into(), json!(verdict.status));
    decision.insert("decidedAt".into(), at.to_string().into());
    decision.insert("decidedBy".into(), verdict.by.into());
    if let Some(feedback) = verdict.feedback {
        decision.insert("feedback".into(), feedback.into());
    }
    if let Some(edited) = verdict.edited {
        decision.insert("editedParams".into(), Value::Object(edited.clone()));
    }
    let mut step = raw.clone();
    if verdict.status != StepStatus::Undone {
        step.retain(|field, _| !RETAKEN.contains(&field.as_str()));
    }
    step.extend(decision.clone());
    if let Some(ReplacedValues { replaced, appended }) = verdict.replaced {
        if !replaced.is_empty() {
            step.insert("replaced".into(), json!(replaced));
            // Another device's approval may outrank this one, and yet have seen an older value.
            decision.insert("replaced".into(), json!(replaced));
        }
        if !appended.is_empty() {
            decision.insert("appended".into(), json!(appended));
        }
    }
    if let Some(proposal) = verdict.proposal {
        step.insert("proposalId".into(), proposal.into());
    }
    step.insert("updatedAt".into(), written.to_string().into());
    let step_id = raw.get("id").and_then(Value::as_str).unwrap_or_default();
    let status = json!(verdict.status);
    let name = format!("{}/{}", verdict.device, status.as_str().unwrap_or_default());
    decision.insert("id".into(), ids::derive(step_id, &name).into());
    decision.insert("clientId".into(), verdict.device.into());
    step.insert("decisions".into(), json!([decision]));
    step
}
