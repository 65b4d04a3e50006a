//! Which occurrence a claim stands for, and which others have passed. Pure.

use std::time::Duration;

use jiff::tz::TimeZone;
use mana_core::Micros;
use mana_core::mission::{self, Mission, cadence, slot};
use mana_store::Claim;

/// Missed occurrences that are counted. Of earlier ones the record says only since when there were any.
pub(crate) const LISTED: usize = 10_000;

/// A run that is late by less than this counts as on time: the server was busy.
const GRACE: Duration = Duration::from_secs(120);

/// The occurrence to run, and those that passed before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Occurrence {
    /// The slot of the run.
    pub slot: String,
    /// When it was due. None for a requested run.
    pub due: Option<Micros>,
    /// Occurrences that passed without a run, oldest first.
    pub missed: Vec<Micros>,
    /// There were more before them.
    pub earlier: bool,
    /// Whether it is later than the mission allows to catch up.
    pub too_late: bool,
    /// The log was restored at this time from an older copy: whether an occurrence up to there ran is not known, so
    /// none of them is run again.
    pub restored_at: Option<Micros>,
}

impl Occurrence {
    /// The occurrence of a claim at a time. Of several missed occurrences the newest is run.
    pub fn of(
        claim: &Claim,
        mission: &Mission,
        zone: &TimeZone,
        restored_at: Option<Micros>,
        now: Micros,
    ) -> Self {
        let retry = mission.retry_slot.as_ref() == Some(&claim.slot);
        // A backfill is a request: it has no due time and leaves the schedule alone.
        let Some(millis) = slot::time(&claim.slot).filter(|_| !slot::is_backfill(&claim.slot))
        else {
            return Self {
                slot: claim.slot.clone(),
                due: None,
                missed: Vec::new(),
                earlier: false,
                too_late: false,
                restored_at: None,
            };
        };
        // A slot has milliseconds, the mission's own time may be finer.
        let due = mission
            .next_run_at
            .filter(|at| slot::due(*at) == claim.slot)
            .unwrap_or(millis);
        let passed = cadence::occurrences_between(&mission.cadence, zone, due, now, LISTED);
        let mut missed = passed.newest;
        // A retry never passes the next occurrence, whenever it is claimed: the process may have been off.
        if claim.requested || retry && missed.is_empty() {
            return Self {
                slot: claim.slot.clone(),
                due: Some(due),
                missed,
                earlier: passed.earlier,
                too_late: false,
                restored_at,
            };
        }
        let run = missed.pop().unwrap_or(due);
        // What is tried again has its record.
        if run != due && !passed.earlier && !retry {
            missed.insert(0, due);
        }
        Self {
            slot: slot::due(run),
            due: Some(run),
            missed,
            earlier: passed.earlier,
            too_late: latest(mission, run).is_some_and(|latest| now > latest)
                || before(restored_at, run),
            restored_at,
        }
    }

    /// Whether the log's rows of that time may have been lost with a restore.
    pub fn is_lost(&self, at: Micros) -> bool {
        before(self.restored_at, at)
    }

    /// Occurrences that passed while the run was going on, oldest first.
    pub fn overlapped(&self, mission: &Mission, zone: &TimeZone, end: Micros) -> Vec<Micros> {
        let Some(due) = self.due else {
            return Vec::new();
        };
        let last = self.missed.iter().copied().fold(due, Micros::max);
        cadence::occurrences_between(&mission.cadence, zone, last, end, LISTED).newest
    }

    /// Until when this occurrence may be run or tried again, where its mission limits that.
    pub fn latest(&self, mission: &Mission) -> Option<Micros> {
        latest(mission, self.due?)
    }

    /// The occurrence after this one that lies ahead.
    pub fn next(&self, mission: &Mission, zone: &TimeZone, now: Micros) -> Option<Micros> {
        let due = self.due.unwrap_or(now);
        cadence::next_in_series(&mission.cadence, zone, due, now.max(due))
    }
}

/// Until when an occurrence is caught up with. A mission with jitter is late only after its jitter.
fn latest(mission: &Mission, due: Micros) -> Option<Micros> {
    let minutes = mission.catch_up_minutes?;
    let allowed = GRACE.max(Duration::from_secs(u64::from(minutes) * 60));
    let from = due.plus(mission::jitter(mission, due));
    Some(from.plus(i64::try_from(allowed.as_micros()).unwrap_or(i64::MAX)))
}

fn before(restored_at: Option<Micros>, at: Micros) -> bool {
    restored_at.is_some_and(|restored| at <= restored)
}

#[cfg(test)]
mod tests {
    use mana_core::Map;
    use mana_store::UserId;
    use serde_json::{Value, json};

    use super::*;

    fn at(text: &str) -> Micros {
        Micros::parse(text).expect("a time")
    }

    fn mission(data: Value) -> Mission {
        let data: Map = serde_json::from_value(data).expect("an object");
        Mission::parse("m", &data)
    }

    fn daily(next: &str) -> Mission {
        mission(
            json!({"cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}, "nextRunAt": next}),
        )
    }

    fn claim(slot: String, requested: bool) -> Claim {
        Claim {
            user: UserId("u".into()),
            mission_id: "m".into(),
            slot,
            token: 1,
            attempts: 1,
            tries: 0,
            due_at: Micros(0),
            requested,
            cancelled: false,
        }
    }

    #[test]
    fn missions_t4_on_time_there_is_nothing_to_catch_up() {
        let due = at("2026-11-20T08:00:00Z");
        let mission = daily("2026-11-20T08:00:00Z");
        let found = Occurrence::of(
            &claim(slot::due(due), false),
            &mission,
            &TimeZone::UTC,
            None,
            due.plus(500),
        );
        assert_eq!(
            (found.due, found.missed.len(), found.too_late),
            (Some(due), 0, false)
        );
        assert_eq!(
            found.next(&mission, &TimeZone::UTC, due.plus(500)),
            Some(at("2026-11-21T08:00:00Z"))
        );
    }

    #[test]
    fn missions_t5_after_days_off_the_newest_runs_and_the_others_are_missed() {
        let mission = daily("2026-11-20T08:00:00Z");
        let now = at("2026-11-23T09:00:00Z");
        let found = Occurrence::of(
            &claim(slot::due(at("2026-11-20T08:00:00Z")), false),
            &mission,
            &TimeZone::UTC,
            None,
            now,
        );
        assert_eq!(found.due, Some(at("2026-11-23T08:00:00Z")));
        assert_eq!(found.slot, slot::due(at("2026-11-23T08:00:00Z")));
        let days = [
            "2026-11-20T08:00:00Z",
            "2026-11-21T08:00:00Z",
            "2026-11-22T08:00:00Z",
        ]
        .map(at);
        assert_eq!(found.missed, days);
        assert!(!found.earlier && !found.too_late);
    }

    #[test]
    fn missions_t5_many_missed_occurrences_are_bounded() {
        let every_minute = mission(json!({
            "cadence": {"kind": "interval", "everyMinutes": 1}, "nextRunAt": "2026-11-20T08:00:00Z"
        }));
        let now = at("2026-12-01T08:00:00Z");
        let slot = slot::due(at("2026-11-20T08:00:00Z"));
        let found = Occurrence::of(
            &claim(slot, false),
            &every_minute,
            &TimeZone::UTC,
            None,
            now,
        );
        assert_eq!(
            (found.missed.len(), found.earlier, found.due),
            (LISTED - 1, true, Some(now))
        );
    }

    #[test]
    fn missions_t14_what_was_due_before_a_restore_is_missed_and_not_run_again() {
        let mission = daily("2026-11-20T08:00:00Z");
        let slot = slot::due(at("2026-11-20T08:00:00Z"));
        let of = |restored: &str, now: &str, requested: bool| {
            let claim = claim(slot.clone(), requested);
            Occurrence::of(
                &claim,
                &mission,
                &TimeZone::UTC,
                Some(at(restored)),
                at(now),
            )
        };
        let found = of("2026-11-22T12:00:00Z", "2026-11-22T12:01:00Z", false);
        assert_eq!(found.due, Some(at("2026-11-22T08:00:00Z")));
        assert!(found.too_late && found.missed.iter().all(|at| found.is_lost(*at)));
        let next = of("2026-11-22T12:00:00Z", "2026-11-23T08:00:01Z", false);
        assert_eq!(next.due, Some(at("2026-11-23T08:00:00Z")));
        assert!(!next.too_late && next.missed.len() == 3);
        assert!(!of("2026-11-22T12:00:00Z", "2026-11-22T12:01:00Z", true).too_late);
    }

    #[test]
    fn missions_t6_a_mission_may_limit_how_late_it_catches_up() {
        let slot = slot::due(at("2026-11-20T08:00:00Z"));
        let with = |minutes: u32| {
            mission(
                json!({"cadence": {"kind": "daily", "atHour": 8, "atMinute": 0},
                "nextRunAt": "2026-11-20T08:00:00Z", "catchUpMinutes": minutes}),
            )
        };
        let late = |minutes: u32, now: &str, requested: bool| {
            Occurrence::of(
                &claim(slot.clone(), requested),
                &with(minutes),
                &TimeZone::UTC,
                None,
                at(now),
            )
            .too_late
        };
        assert!(late(30, "2026-11-20T08:31:00Z", false));
        assert!(!late(30, "2026-11-20T08:29:00Z", false));
        assert!(
            !late(0, "2026-11-20T08:01:59Z", false),
            "a busy server is not a missed occurrence"
        );
        assert!(late(0, "2026-11-20T08:03:00Z", false));
        assert!(
            !late(0, "2026-11-20T09:00:00Z", true),
            "who asks for it gets it"
        );
    }

    #[test]
    fn missions_t7_a_run_ahead_of_its_time_does_not_come_twice() {
        let due = at("2026-11-20T08:00:00Z");
        let every_hour = mission(json!({
            "cadence": {"kind": "interval", "everyMinutes": 60}, "nextRunAt": "2026-11-20T08:00:00Z"
        }));
        let early = due.plus(-20_000_000);
        let found = Occurrence::of(
            &claim(slot::due(due), true),
            &every_hour,
            &TimeZone::UTC,
            None,
            early,
        );
        assert_eq!(
            found.next(&every_hour, &TimeZone::UTC, early),
            Some(at("2026-11-20T09:00:00Z"))
        );
        assert_eq!(found.overlapped(&every_hour, &TimeZone::UTC, early), []);
    }

    #[test]
    fn missions_t8_occurrences_during_a_long_run_are_told() {
        let due = at("2026-11-20T08:00:00Z");
        let every_minute = mission(json!({
            "cadence": {"kind": "interval", "everyMinutes": 1}, "nextRunAt": "2026-11-20T08:00:00Z"
        }));
        let found = Occurrence::of(
            &claim(slot::due(due), false),
            &every_minute,
            &TimeZone::UTC,
            None,
            due,
        );
        let end = at("2026-11-20T08:02:30Z");
        let passed = ["2026-11-20T08:01:00Z", "2026-11-20T08:02:00Z"].map(at);
        assert_eq!(found.overlapped(&every_minute, &TimeZone::UTC, end), passed);
        assert_eq!(
            found.next(&every_minute, &TimeZone::UTC, end),
            Some(at("2026-11-20T08:03:00Z"))
        );
    }
}
