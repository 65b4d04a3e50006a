//! The run after a failed run: another attempt, the next occurrence, or none because of a pause. Pure.

use mana_core::{Map, Micros};
use serde_json::json;

use crate::load::Run;
use crate::messages::NextRun;

/// Failures in a row after which a mission is paused.
const PAUSE_AFTER: u32 = 5;

/// The wait after the first failure. Each further failure doubles it.
const FIRST_RETRY_MICROS: i64 = 60_000_000;

/// The run after a failure at `now`, and the mission's fields that say so. `planned_at` is the mission's due time when
/// the run began.
pub(crate) fn after_failure(
    run: &Run<'_>,
    planned_at: Option<Micros>,
    now: Micros,
) -> (NextRun, Map) {
    let mut set = Map::new();
    if !run.scheduled {
        return (NextRun::OnRequest, set);
    }
    let mission = run.mission();
    let failures = mission.failures.saturating_add(1);
    set.insert("failures".into(), json!(failures));
    if !mission.is_active() {
        return (NextRun::Never, set);
    }
    if failures >= PAUSE_AFTER {
        set.insert("state".into(), json!("paused"));
        set.insert("nextRunAt".into(), json!(null));
        set.insert("retrySlot".into(), json!(null));
        return (NextRun::Paused(failures), set);
    }
    if mission.next_run_at != planned_at {
        // The person has moved the next run meanwhile.
        let next = mission.next_run_at.map_or(NextRun::Never, NextRun::Due);
        return (next, set);
    }
    let retry = now.plus(FIRST_RETRY_MICROS << (failures - 1));
    let next = run.occurrence.next(mission, &run.loaded.zone, now);
    match next {
        Some(next) if next <= retry => {
            set.insert("nextRunAt".into(), json!(next));
            set.insert("retrySlot".into(), json!(null));
            (NextRun::Due(next), set)
        }
        _ => {
            set.insert("nextRunAt".into(), json!(retry));
            set.insert("retrySlot".into(), json!(run.occurrence.slot));
            (NextRun::Retry(retry), set)
        }
    }
}
