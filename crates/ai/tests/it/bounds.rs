//! The bounds of what grows: run records, and a mission's own record.

use mana_core::record::MAX_RECORD_BYTES;
use mana_core::{Micros, ids};
use mana_store::{ChangesQuery, Log as _};
use mana_sync::{AcceptPush, Origin};
use serde_json::{Value, json};

use crate::world::{World, at};

impl World {
    /// The runner's own changes of an earlier time.
    async fn server_writes(&self, changes: Vec<Value>) {
        let push = AcceptPush::new(Origin::Runner, "mana-runner", changes);
        let stored = self.sync.accept(&self.scope(), push, self.now()).await;
        stored.expect("the changes are stored");
    }

    async fn forgotten(&self) -> Vec<String> {
        let all = ChangesQuery {
            limit: 100_000,
            ..ChangesQuery::default()
        };
        let page = self.store.changes(&self.scope(), all).await.expect("a log");
        let changes = page.changes.into_iter();
        changes.flat_map(|row| row.change.ids).collect()
    }
}

fn old_run(mission: &str, n: i64) -> Value {
    let start = at("2026-01-01T00:00:00Z").plus(n * 3_600_000_000);
    let slot = format!("due:{}", start.0 / 1000);
    json!({"appId": "ai", "table": "aiRuns", "id": ids::iteration_id(mission, &slot), "op": "insert", "at": start,
        "eventId": format!("run {n}"), "actor": {"kind": "system", "source": "mission-runner"},
        "data": {"missionId": mission, "slot": slot, "status": "ran", "startedAt": start, "finishedAt": start,
            "attempts": 1}})
}

#[tokio::test]
async fn missions_t15_the_oldest_run_records_are_forgotten() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let other = world.mission("Other", json!({})).await;
    let mut runs: Vec<Value> = (0..503).map(|n| old_run(&id, n)).collect();
    let oldest: Vec<Value> = runs[..4].iter().map(|run| run["id"].clone()).collect();
    runs.push(old_run(&other, 1000));
    world.server_writes(runs).await;
    world.tick().await;
    let mut forgotten = world.forgotten().await;
    forgotten.sort();
    let mut expected: Vec<_> = oldest.iter().filter_map(Value::as_str).collect();
    expected.sort_unstable();
    assert_eq!(forgotten, expected, "in one change");
    assert_eq!(world.run_statuses(&id).await.len(), 500);
    assert_eq!(world.run_statuses(&other).await.len(), 1);
    world.decide_all(&id).await;
    world.set_clock("2026-11-21T08:00:00Z");
    world.tick().await;
    assert_eq!(world.forgotten().await.len(), 5);
    assert_eq!(world.run_statuses(&id).await.len(), 500);
}

/// An iteration of about a megabyte, all decided.
fn large_iteration(n: i64) -> Value {
    let start = at("2026-01-01T00:00:00Z").plus(n * 3_600_000_000);
    json!({"id": format!("i{n}"), "slot": format!("run:{n}"), "startedAt": start, "finishedAt": start,
        "updatedAt": start, "source": "server", "summary": format!("Summary {n}"),
        "plan": [{"id": format!("s{n}"), "index": 0, "status": "rejected", "summary": "A step", "decidedAt": start,
            "updatedAt": start, "rationale": "r".repeat(1 << 20), "intent": {"kind": "note", "body": ""}}]})
}

fn write_iterations(id: &str, iterations: Vec<Value>, at: Micros) -> Value {
    json!({"appId": "ai", "table": "aiMissions", "id": id, "op": "update", "at": at, "eventId": format!("write {at}"),
        "actor": {"kind": "system", "source": "mission-runner"},
        "fields": {"iterations": {"value": iterations}}})
}

#[tokio::test]
async fn missions_i7_a_mission_near_its_bound_drops_the_oldest_bodies_and_runs_on() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    for n in 0..9 {
        let write = write_iterations(&id, vec![large_iteration(n)], world.now().plus(n));
        world.server_writes(vec![write]).await;
    }
    let size = |data: &mana_core::Map| serde_json::to_string(data).expect("JSON").len();
    let before = world.record("ai", "aiMissions", &id).await.expect("it");
    assert!(size(&before.data) > MAX_RECORD_BYTES);
    let report = world.tick().await;
    assert_eq!(report.plans_produced, 1, "{report:?}");
    let after = world.record("ai", "aiMissions", &id).await.expect("it");
    assert!(size(&after.data) <= MAX_RECORD_BYTES - (1 << 20));
    let iterations = world.iterations(&id).await;
    assert_eq!(iterations.len(), 10, "none is gone");
    let bodies: Vec<bool> = iterations
        .iter()
        .map(|iteration| iteration.plan[0].rationale.is_empty())
        .collect();
    assert_eq!(bodies.iter().filter(|dropped| **dropped).count(), 3);
    assert!(bodies[..3].iter().all(|dropped| *dropped), "the oldest");
    assert_eq!(iterations[0].overall_status.as_deref(), Some("rejected"));
}

#[tokio::test]
async fn missions_i7_a_mission_that_stays_too_large_fails_and_says_so() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let long = |field: &str| {
        json!({"appId": "ai", "table": "aiMissions", "id": id, "op": "update", "at": world.now(), "eventId": field,
            "fields": {field: {"value": "x".repeat(3_900_000)}}})
    };
    world
        .server_writes(vec![long("conceptMarkdown"), long("objective")])
        .await;
    world.tick().await;
    assert_eq!(world.llm.calls(), 0, "no model is asked");
    let run = world.runs(&id).await.pop().expect("a record");
    assert_eq!(run.code.as_deref(), Some("mission_too_large"));
    let reason = run.reason.expect("a reason");
    assert!(reason.contains("has grown to 7 MB"), "{reason}");
}

#[tokio::test]
async fn missions_r10_of_a_large_table_the_newest_records_are_looked_at() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let note = |n: i64| {
        json!({"appId": "notes", "table": "notes", "id": format!("n{n:05}"), "op": "insert", "at": world.now().plus(n),
            "eventId": format!("note {n}"), "data": {"title": format!("Note number {n}"), "body": "x"}})
    };
    world.server_writes((0..2_010).map(note).collect()).await;
    let inputs = json!([{"module": "notes", "table": "notes"}, {"module": "notes", "table": "notes", "id": "n00003"}]);
    world.update(&id, json!({ "inputs": inputs })).await;
    world.tick().await;
    let prompt = world.llm.last_prompt();
    assert!(
        prompt.contains("the 2000 records that changed last were looked at"),
        "{prompt}"
    );
    assert!(prompt.contains("Note number 2009") && prompt.contains("Note number 3"));
    assert!(!prompt.contains("Note number 4\n") && !prompt.contains("Note number 4 "));
}
