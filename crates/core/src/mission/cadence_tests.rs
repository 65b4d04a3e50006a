//! Cadences, by the vectors and by chance.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::mission::{Mission, passed};
use crate::zone::time_zone;

fn vectors(part: &str) -> Vec<Value> {
    let text = include_str!("../../../../spec/vectors/cadence.json");
    let mut all: Value = serde_json::from_str(text).expect("the vectors are JSON");
    match all[part].take() {
        Value::Array(cases) if !cases.is_empty() => cases,
        _ => panic!("spec/vectors/cadence.json has no {part}"),
    }
}

fn at(value: &Value) -> Micros {
    Micros::parse(value.as_str().expect("a time")).expect("a time")
}

fn times(value: &Value) -> Vec<Micros> {
    value.as_array().expect("times").iter().map(at).collect()
}

fn series(case: &Value) -> (Cadence, TimeZone) {
    let cadence = Cadence::parse(case.get("cadence")).expect("a good cadence");
    (
        cadence,
        time_zone(case["timezone"].as_str().expect("a zone")).expect("a known zone"),
    )
}

#[test]
fn missions_c1_to_c8_next_occurrence_vectors() {
    for case in vectors("next") {
        let (cadence, zone) = series(&case);
        let expected = times(&case["next"]);
        let mut after = at(&case["after"]);
        let mut chain = Vec::new();
        while chain.len() < expected.len().max(1) {
            let Some(next) = next_after(&cadence, &zone, after) else {
                break;
            };
            chain.push(next);
            after = next;
        }
        assert_eq!(chain, expected, "{}", case["name"]);
    }
}

#[test]
fn missions_f2_invalid_cadence_vectors() {
    for case in vectors("invalid") {
        let problem =
            Cadence::parse(case.get("cadence")).expect_err(case["name"].as_str().expect("a name"));
        assert_eq!(
            problem.field,
            case["field"].as_str().expect("a field"),
            "{}",
            case["name"]
        );
        assert_eq!(
            problem.code,
            case["code"].as_str().expect("a code"),
            "{}",
            case["name"]
        );
        assert!(
            problem.message.ends_with('.') && problem.message.len() > 15,
            "{}",
            problem.message
        );
    }
}

#[test]
fn missions_c9_occurrences_between_vectors() {
    for case in vectors("between") {
        let (cadence, zone) = series(&case);
        let max = case["max"].as_u64().expect("a number") as usize;
        let found = occurrences_between(&cadence, &zone, at(&case["from"]), at(&case["to"]), max);
        assert_eq!(found.newest, times(&case["newest"]), "{}", case["name"]);
        assert_eq!(
            found.earlier,
            case["earlier"].as_bool().expect("a boolean"),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn missions_c2_an_interval_does_not_drift_however_late_its_runs_are() {
    let every_hour = Cadence::Interval { every_minutes: 60 };
    let due = Micros::parse("2026-11-22T08:17:00Z").expect("a time");
    for late_seconds in [0, 1, 59 * 60, 3599] {
        let now = due.plus(late_seconds * 1_000_000);
        let next = next_in_series(&every_hour, &TimeZone::UTC, due, now);
        assert_eq!(next, Some(due.plus(3_600_000_000)), "{late_seconds} s late");
    }
    let next = next_in_series(&every_hour, &TimeZone::UTC, due, due.plus(3_600_000_000));
    assert_eq!(next, Some(due.plus(2 * 3_600_000_000)));
}

#[test]
fn missions_m2_an_interval_that_is_made_up_for_keeps_its_beat() {
    let at = |text| Micros::parse(text).expect("a time");
    let data = json!({"cadence": {"kind": "interval", "everyMinutes": 60}, "nextRunAt": "2026-11-22T08:17:00Z"});
    let mission = Mission::parse("m", data.as_object().expect("an object"));
    let found = passed(
        &mission,
        &TimeZone::UTC,
        at("2026-11-22T05:17:00Z"),
        at("2026-11-22T07:17:00Z"),
        9,
    );
    let hours = ["2026-11-22T06:17:00Z", "2026-11-22T07:17:00Z"].map(at);
    assert_eq!(found.newest, hours);
    let found = passed(
        &mission,
        &TimeZone::UTC,
        at("2026-11-22T05:20:00Z"),
        at("2026-11-22T07:00:00Z"),
        9,
    );
    assert_eq!(found.newest, hours[..1]);
}

fn any_series() -> impl Strategy<Value = (Cadence, TimeZone)> {
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
        "Asia/Kathmandu",
    ];
    let time = || (0..24_u32 * 60).prop_map(minutes);
    let cron = prop::sample::select(vec![
        "*/20 1-3 * * *",
        "0 0 1 * *",
        "15,40 2 * * 0",
        "59 23 L * *",
        "*/20 * * * *",
        "7 */2 * * *",
    ]);
    let cadence = prop_oneof![
        time().prop_map(|at| Cadence::Daily { at }),
        (0..7_i64, time()).prop_map(|(day, at)| Cadence::Weekly { day, at }),
        cron.prop_map(
            |text| Cadence::parse(Some(&json!({"kind": "cron", "expression": text})))
                .expect("good")
        ),
    ];
    (
        cadence,
        prop::sample::select(zones.to_vec()).prop_map(|name| time_zone(name).expect("known")),
    )
}

proptest! {
    /// A caller that asks between two occurrences hears of the second: none is passed over, none comes twice.
    #[test]
    fn missions_c3_the_next_occurrence_is_the_next_from_wherever_one_asks(
        (cadence, zone) in any_series(),
        second in 1_262_304_000_i64..2_000_000_000,
        part in 0.0..1.0_f64,
    ) {
        let after = Micros(second * 1_000_000);
        let next = next_after(&cadence, &zone, after).expect("there is always a next");
        prop_assert!(next > after);
        let between = Micros(after.0 + ((next.0 - after.0) as f64 * part) as i64).min(next.plus(-1));
        prop_assert_eq!(next_after(&cadence, &zone, between), Some(next));
        prop_assert_eq!(next_after(&cadence, &zone, next.plus(-1)), Some(next));
    }
}
