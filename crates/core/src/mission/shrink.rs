//! Keeping a mission's record within its bound: the bodies of its oldest iterations go, what became of them stays.
//! Rule MISSIONS I7.

use serde_json::{Value, json};

use super::{fields::objects, status::StepStatus};
use crate::{Map, record::RecordState, time::Micros};

/// The newest iterations, which stay whole: the prompt tells of them.
const WHOLE: usize = 3;

/// Characters of a step's summary that stay.
const SUMMARY: usize = 80;

/// The field of an iteration that says that its body was dropped.
const BODY_DROPPED: &str = "bodyDropped";

/// A mission's iterations without their bodies, as a write of its keyed list, and the size of its record after it.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedBodies {
    /// The iterations to be written; none where the record is small enough.
    pub iterations: Vec<Value>,
    /// Bytes of the record's JSON with them.
    pub bytes: usize,
}

/// Drops the bodies of a mission's oldest iterations until its record has `bound` bytes of JSON at most. An iteration
/// with an open step stays whole, and so do the newest ones.
pub fn drop_bodies(mission: &RecordState, bound: usize, now: Micros) -> DroppedBodies {
    let mut bytes = mission.bytes();
    let mut iterations = Vec::new();
    let all: Vec<&Map> = objects(&mission.data, "iterations").collect();
    let old = &all[..all.len().saturating_sub(WHOLE)];
    for iteration in old {
        if bytes <= bound {
            break;
        }
        if iteration.contains_key(BODY_DROPPED) || objects(iteration, "plan").any(is_open) {
            continue;
        }
        let bare = without_body(iteration, now);
        bytes = bytes.saturating_sub(size(iteration).saturating_sub(size(&bare)));
        iterations.push(bare);
    }
    DroppedBodies { iterations, bytes }
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

fn is_open(step: &Map) -> bool {
    let status = step.get("status").cloned().unwrap_or_default();
    serde_json::from_value::<StepStatus>(status).is_ok_and(StepStatus::is_open)
}

/// The fields of an object that are named.
fn only(object: &Map, fields: &[&str]) -> Map {
    let kept = fields.iter();
    kept.filter_map(|field| Some(((*field).to_owned(), object.get(*field)?.clone())))
        .collect()
}

/// A time of an object and a microsecond, so that what is written in its place wins.
fn after(object: &Map, field: &str, now: Micros) -> Value {
    let at = object.get(field).and_then(Value::as_str);
    let at = at.and_then(|at| Micros::parse(at).ok());
    json!(at.map_or(now, |at| now.max(at.plus(1))))
}

fn without_body(iteration: &Map, now: Micros) -> Value {
    let mut bare = only(
        iteration,
        &["id", "slot", "startedAt", "finishedAt", "source"],
    );
    if let Some(Value::Object(error)) = iteration.get("error") {
        bare.insert("error".into(), Value::Object(only(error, &["code"])));
    }
    let steps: Vec<Value> = objects(iteration, "plan")
        .map(|step| step_without_body(step, now))
        .collect();
    bare.insert("plan".into(), json!(steps));
    bare.insert(BODY_DROPPED.into(), json!(true));
    bare.insert("updatedAt".into(), after(iteration, "updatedAt", now));
    Value::Object(bare)
}

fn step_without_body(step: &Map, now: Micros) -> Value {
    let mut bare = only(step, &["id", "index", "status", "decidedBy", "proposalId"]);
    let summary = step.get("summary").and_then(Value::as_str).unwrap_or("");
    let summary: String = summary.chars().take(SUMMARY).collect();
    bare.insert("summary".into(), json!(summary));
    bare.insert("intent".into(), json!({ "kind": "note", "body": "" }));
    bare.insert("updatedAt".into(), after(step, "updatedAt", now));
    // The decision merges by itself, by its time: a microsecond later it replaces the longer one.
    if let Some(at) = step.get("decidedAt").and_then(Value::as_str) {
        let at = Micros::parse(at).map_or_else(|_| json!(at), |at| json!(at.plus(1)));
        bare.insert("decidedAt".into(), at);
    }
    let decisions: Vec<Value> = objects(step, "decisions")
        .map(|decision| {
            let fields = ["id", "status", "decidedAt", "decidedBy", "clientId"];
            let mut bare = only(decision, &fields);
            bare.insert("updatedAt".into(), after(decision, "updatedAt", now));
            Value::Object(bare)
        })
        .collect();
    if !decisions.is_empty() {
        bare.insert("decisions".into(), json!(decisions));
    }
    Value::Object(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Actor, Change, FieldWrite, Op, apply,
        manifest::Registry,
        mission::{APP, Iteration, MISSIONS, Mission},
    };

    fn write(state: &mut RecordState, iterations: Vec<Value>, at: i64) {
        let mut change = Change::new(MISSIONS, "m", Op::Update);
        change.actor = Some(Actor::user());
        let write = FieldWrite {
            value: Some(json!(iterations)),
            updated_at: Some(Micros(at)),
            base: None,
        };
        change.fields.insert("iterations".to_owned(), write);
        apply(Registry::builtin().schema(APP, MISSIONS), state, &change);
    }

    fn iteration(n: i64, status: &str) -> Value {
        json!({
            "id": format!("i{n}"), "slot": "due:1", "startedAt": Micros(n), "finishedAt": Micros(n), "source": "server",
            "updatedAt": Micros(n), "summary": "x".repeat(2000),
            "plan": [{
                "id": format!("s{n}"), "index": 0, "status": status, "summary": "A step", "updatedAt": Micros(n),
                "decidedAt": Micros(n), "decidedBy": "me", "rationale": "y".repeat(2000),
                "intent": {"kind": "toolCall", "toolName": "create_task", "params": {"title": "z".repeat(2000)}},
                "editedParams": {"title": "w".repeat(2000)},
                "decisions": [{"id": "d", "status": status, "decidedAt": Micros(n), "feedback": "v".repeat(2000)}],
            }],
        })
    }

    #[test]
    fn missions_i7_the_oldest_iterations_lose_their_bodies_and_keep_what_became_of_them() {
        let mut mission = RecordState::default();
        let statuses = [
            "approved", "planned", "rejected", "approved", "approved", "approved",
        ];
        let iterations = statuses.iter().zip(1..);
        write(
            &mut mission,
            iterations.map(|(status, n)| iteration(n, status)).collect(),
            9,
        );
        let whole = mission.bytes();
        assert_eq!(
            drop_bodies(&mission, whole, Micros(100)).iterations,
            Vec::<Value>::new()
        );
        let dropped = drop_bodies(&mission, 1000, Micros(100));
        let ids: Vec<_> = dropped
            .iterations
            .iter()
            .map(|one| one["id"].clone())
            .collect();
        assert_eq!(ids, ["i1", "i3"], "one waits, and the newest three stay");
        assert!(dropped.bytes > 1000);
        write(&mut mission, dropped.iterations.clone(), 100);
        let smaller = mission.bytes();
        assert!(smaller < whole - 2 * 9000 && smaller.abs_diff(dropped.bytes) < 500);
        let read = Mission::parse("m", &mission.data);
        assert_eq!(read.iterations.len(), 6);
        let Iteration {
            slot,
            started_at,
            plan,
            overall_status,
            ..
        } = &read.iterations[0];
        assert_eq!((slot.as_str(), *started_at), ("due:1", Some(Micros(1))));
        assert_eq!(overall_status.as_deref(), Some("approved"));
        assert_eq!(plan[0].status, StepStatus::Approved);
        assert_eq!(
            (plan[0].summary.as_str(), plan[0].rationale.as_str()),
            ("A step", "")
        );
        let again = drop_bodies(&mission, 1000, Micros(200));
        assert_eq!(
            again.iterations,
            Vec::<Value>::new(),
            "nothing is dropped twice"
        );
    }
}
