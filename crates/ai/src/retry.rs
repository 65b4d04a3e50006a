//! The run after a failed run: another attempt, the next occurrence, or none because of a pause. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mana_core::{Map, Micros};
use serde_json::json;

use crate::failure::{Failure, FailureSide};
use crate::load::Run;
use crate::messages::NextRun;

/// Days in a row on which a mission may fail for a reason of its own. Five: a small model that spoils every other
/// answer is hardly ever that unlucky (two runs a day, each with its repair round), and a mission that can't work
/// stops within a week.
pub(crate) const PAUSE_AFTER_DAYS: u32 = 5;

/// The wait after the first failure, in minutes. Each further failure doubles it.
const FIRST_WAIT: i64 = 2;

/// The longest wait between two attempts, in minutes.
pub(crate) const LONGEST_WAIT: i64 = 30;

const MINUTE: i64 = 60_000_000;

/// The consequence of a failure.
pub(crate) struct AfterFailure {
    /// The run that follows.
    pub next: NextRun,
    /// The mission's fields that say so.
    pub set: Map,
    /// Until when the run is postponed without a word in the log: the first failure of the occurrence has told it all.
    pub postponed: Option<Micros>,
}

impl AfterFailure {
    fn told(next: NextRun, set: Map) -> Self {
        Self {
            next,
            set,
            postponed: None,
        }
    }
}

/// The day of a time on a wall clock.
fn day(at: Micros, zone: &TimeZone) -> String {
    let at = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).date().to_string()
}

/// How long to wait after a failure at the model's side, after so many attempts before.
pub(crate) fn wait(attempts_before: u32) -> i64 {
    (FIRST_WAIT << attempts_before.min(10)).min(LONGEST_WAIT) * MINUTE
}

/// The consequence of a failure at `now`. `planned_at` is the mission's due time when the run began.
pub(crate) fn after_failure(
    run: &Run<'_>,
    failure: &Failure,
    planned_at: Option<Micros>,
    now: Micros,
) -> AfterFailure {
    let mut set = Map::new();
    if !run.scheduled {
        return AfterFailure::told(NextRun::OnRequest, set);
    }
    let mission = run.mission();
    let side = failure.side();
    let today = day(now, &run.loaded.zone);
    let failed_today = mission.failed_on.as_deref() == Some(&today);
    let failures = match side {
        FailureSide::Model => mission.failures,
        FailureSide::Mission if failed_today => mission.failures.max(1),
        // A count without its day is of an older version, which counted attempts.
        FailureSide::Mission if mission.failed_on.is_none() => 1,
        FailureSide::Mission => mission.failures.saturating_add(1),
    };
    if side == FailureSide::Mission {
        set.insert("failures".into(), json!(failures));
        set.insert("failedOn".into(), json!(today));
    }
    if !mission.is_active() {
        return AfterFailure::told(NextRun::Never, set);
    }
    // The second answer of that day that is of no use: the first one has its second chance.
    if side == FailureSide::Mission && failed_today && failures >= PAUSE_AFTER_DAYS {
        set.insert("state".into(), json!("paused"));
        set.insert("nextRunAt".into(), json!(null));
        set.insert("retrySlot".into(), json!(null));
        return AfterFailure::told(NextRun::Paused(failures), set);
    }
    if mission.next_run_at != planned_at {
        // The person has moved the next run meanwhile.
        let next = mission.next_run_at.map_or(NextRun::Never, NextRun::Due);
        return AfterFailure::told(next, set);
    }
    let tried = run.tried_before();
    let asked = i64::from(failure.wait_seconds.unwrap_or(0)) * 1_000_000;
    let retry = match side {
        FailureSide::Model => Some(now.plus(wait(tried).max(asked))),
        FailureSide::Mission if failed_today => None,
        FailureSide::Mission => Some(now.plus(wait(0))),
    };
    let following = run.occurrence.next(mission, &run.loaded.zone, now);
    let retry = retry.filter(|retry| following.is_none_or(|following| *retry < following));
    let latest = run.occurrence.latest(mission);
    let retry = retry.filter(|retry| latest.is_none_or(|latest| *retry <= latest));
    let Some(at) = retry else {
        set.insert("nextRunAt".into(), json!(following));
        set.insert("retrySlot".into(), json!(null));
        return AfterFailure::told(following.map_or(NextRun::Never, NextRun::Due), set);
    };
    set.insert("nextRunAt".into(), json!(at));
    set.insert("retrySlot".into(), json!(run.occurrence.slot));
    let again = side == FailureSide::Model;
    AfterFailure {
        next: NextRun::Retry {
            at,
            // Tried until then, unless the mission wants no run that late.
            until: following
                .filter(|following| again && latest.is_none_or(|latest| latest >= *following)),
        },
        set,
        postponed: (again && tried > 0).then_some(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_e4_waits_double_from_two_minutes_to_half_an_hour() {
        let minutes = (0..7).map(|tries| wait(tries) / MINUTE);
        assert_eq!(Vec::from_iter(minutes), [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(wait(u32::MAX), LONGEST_WAIT * MINUTE);
    }
}
