//! Recurrence, by the vectors and by hand.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::calendar::{ClockChange, Day, LocalTime};
use crate::language::Language;
use crate::time::Micros;
use crate::zone::time_zone;

fn berlin() -> TimeZone {
    time_zone("Europe/Berlin").expect("a zone")
}

fn local(text: &str) -> LocalTime {
    LocalTime::parse(text).expect("a local time")
}

fn day(text: &str) -> Day {
    local(text).day
}

fn at(text: &str) -> Micros {
    Micros::parse(text).expect("a time")
}

fn series(rule: &str, start: &str) -> Series {
    let value = json!({"rule": rule, "start": start});
    read(&value)
}

fn read(value: &Value) -> Series {
    Series::parse(value, Day(0)).expect("a series")
}

/// The first occurrences.
fn first(series: &Series, count: usize) -> Vec<String> {
    let occurrences = series.occurrences(&berlin(), None);
    occurrences
        .take(count)
        .map(|local| local.to_string())
        .collect()
}

fn problem(value: Value) -> (String, String) {
    let problem = Series::parse(&value, Day(0)).expect_err("no series");
    (problem.field, problem.code)
}

#[test]
fn recurrence_r1_rules_happen_when_the_vectors_say() {
    let text = include_str!("../../../../spec/vectors/recurrence.json");
    let vectors: Value = serde_json::from_str(text).expect("vectors");
    let rules = vectors["rules"].as_array().expect("rules");
    assert!(rules.len() >= 300, "some vectors are gone");
    for case in rules {
        let series = read(case);
        let zone = time_zone(case["zone"].as_str().expect("a zone")).expect("a known zone");
        let expected = case["first"].as_array().expect("occurrences");
        let more = usize::from(case["ends"] == true);
        let names: Vec<LocalTime> = series
            .occurrences(&zone, None)
            .take(expected.len() + more)
            .collect();
        let texts: Vec<Value> = names.iter().map(|name| json!(name)).collect();
        assert_eq!(&texts, expected, "{case}");
        if let Some(instants) = case["instants"].as_array() {
            let found: Vec<Micros> = names.iter().map(|name| name.instant(&zone).0).collect();
            let expected: Vec<Micros> = instants
                .iter()
                .map(|text| at(text.as_str().expect("a time")))
                .collect();
            assert_eq!(found, expected, "{case}");
        }
        // A look into the middle computes nothing else than the way from the start.
        if let Some(middle) = names.get(names.len() / 2) {
            assert_eq!(
                series.occurrences(&zone, Some(*middle)).next(),
                Some(*middle),
                "{case}"
            );
        }
        // The rule's text is read as the same rule.
        assert_eq!(Rule::parse(&series.rule.to_string()), Ok(series.rule));
    }
}

#[test]
fn recurrence_r2_a_rule_is_read_liberally_and_written_in_its_one_form() {
    for (text, written) in [
        (
            "rrule: freq=weekly; byday=mo , fr;",
            "FREQ=WEEKLY;BYDAY=MO,FR",
        ),
        (
            "BYDAY=FR,MO;FREQ=WEEKLY;INTERVAL=1",
            "FREQ=WEEKLY;BYDAY=MO,FR",
        ),
        (
            "FREQ=MONTHLY;BYDAY=+1MO,-1FR",
            "FREQ=MONTHLY;BYDAY=-1FR,1MO",
        ),
        ("FREQ=DAILY;UNTIL=2026-12-31", "FREQ=DAILY;UNTIL=20261231"),
        (
            "FREQ=DAILY;UNTIL=20261231T225959z;WKST=MO",
            "FREQ=DAILY;UNTIL=20261231T225959Z",
        ),
        (
            "FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=OMIT;WKST=SU",
            "FREQ=YEARLY;WKST=SU",
        ),
    ] {
        assert_eq!(
            Rule::parse(text).map(|rule| rule.to_string()).as_deref(),
            Ok(written),
            "{text}"
        );
    }
}

#[test]
fn recurrence_r3_a_rule_that_cannot_be_is_refused_by_name() {
    for (text, code, named) in [
        ("", "required", "FREQ"),
        ("INTERVAL=2", "required", "FREQ"),
        ("FREQ=HOURLY", "unsupported", "HOURLY"),
        ("FREQ=SECONDLY", "unsupported", "SECONDLY"),
        ("FREQ=OFTEN", "invalid", "OFTEN"),
        ("FREQ=DAILY;BYHOUR=9", "unsupported", "BYHOUR"),
        ("FREQ=DAILY;BYEASTER=0", "unsupported", "BYEASTER"),
        ("FREQ=DAILY;COUNT=0", "range", "COUNT"),
        ("FREQ=DAILY;COUNT=5;UNTIL=20261231", "invalid", "UNTIL"),
        ("FREQ=DAILY;COUNT=5;COUNT=6", "invalid", "COUNT"),
        ("FREQ=DAILY;INTERVAL=99999999999", "range", "INTERVAL"),
        ("FREQ=DAILY;COUNT", "invalid", "COUNT"),
        ("FREQ=DAILY;UNTIL=tomorrow", "invalid", "UNTIL"),
        ("FREQ=WEEKLY;BYDAY=1MO", "invalid", "weekday"),
        ("FREQ=WEEKLY;BYDAY=XX", "invalid", "XX"),
        ("FREQ=WEEKLY;BYDAY=ÄMO", "range", "MO"),
        ("FREQ=MONTHLY;BYDAY=0MO", "range", "0MO"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "invalid", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "invalid", "BYWEEKNO"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "invalid", "BYYEARDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "range", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=-32768", "range", "BYMONTHDAY"),
        ("FREQ=YEARLY;BYMONTH=-1", "range", "BYMONTH"),
        ("FREQ=DAILY;BYSETPOS=1", "invalid", "BYSETPOS"),
    ] {
        let problem = Rule::parse(text).expect_err(text);
        assert_eq!(problem.code, code, "{text}");
        assert!(
            problem.message.contains(named),
            "{text}: {}",
            problem.message
        );
    }
    let with = |rule: &str, start: &str| json!({"rule": rule, "start": start});
    assert_eq!(
        problem(with("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2026-01-01")),
        ("rule".into(), "never".into())
    );
    assert_eq!(
        problem(with("FREQ=DAILY", "soon")),
        ("start".into(), "invalid".into())
    );
    let dates = json!({"rule": "FREQ=DAILY", "start": "2026-01-01", "exdates": ["x"]});
    assert_eq!(problem(dates), ("exdates".into(), "invalid".into()));
    assert_eq!(problem(json!(7)).1, "invalid");
}

#[test]
fn recurrence_r4_a_rule_that_never_happens_again_ends() {
    // 29 February on a Monday comes every 28 years, but for 2100, 2200, 2300.
    let leap = series("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "2024-01-01");
    assert_eq!(
        first(&leap, 3),
        ["2044-02-29", "2072-02-29", "2112-02-29"].map(str::to_owned)
    );
    let daily = series("FREQ=DAILY;INTERVAL=7;BYDAY=MO;COUNT=3", "2026-12-07");
    assert_eq!(first(&daily, 9).len(), 3);
    let never = json!({"rule": "FREQ=DAILY;INTERVAL=7;BYDAY=TU", "start": "2026-12-07"});
    assert_eq!(problem(never).1, "never");
    let to_the_end = series("FREQ=YEARLY;INTERVAL=1000", "2026-12-07");
    assert_eq!(first(&to_the_end, 99).len(), 8);
}

#[test]
fn recurrence_r5_an_exception_counts_and_does_not_happen() {
    let series = read(&json!({
        "rule": "FREQ=WEEKLY;BYDAY=MO;COUNT=3", "start": "2026-12-07T09:00", "exdates": ["2026-12-14", "20261214T0900"],
    }));
    // A date without a time has the time of the start.
    assert_eq!(first(&series, 9), ["2026-12-07T09:00", "2026-12-21T09:00"]);
}

#[test]
fn recurrence_r6_a_gap_moves_an_occurrence_and_a_fold_takes_the_first_time() {
    let series = series("FREQ=DAILY", "2027-03-27T02:30");
    let shown = |from: &str, count: usize| {
        let occurrences = series.occurrences(&berlin(), Some(local(from))).take(count);
        let instants = occurrences.map(|local| local.instant(&berlin()));
        instants.collect::<Vec<_>>()
    };
    assert_eq!(
        shown("2027-03-27", 3),
        [
            (at("2027-03-27T01:30:00Z"), None),
            (at("2027-03-28T01:30:00Z"), Some(ClockChange::Gap)),
            (at("2027-03-29T00:30:00Z"), None),
        ]
    );
    let fold = (at("2027-10-31T00:30:00Z"), Some(ClockChange::Fold));
    assert_eq!(shown("2027-10-31", 1), [fold]);
}

/// The rests of a series whose occurrences are all completed on their own days, as their starts.
fn completed_in_time(series: &Series, count: usize) -> Vec<String> {
    let rests = std::iter::successors(Some(series.clone()), |rest| rest.rest(rest.start.day));
    rests
        .take(count)
        .map(|rest| rest.start.to_string())
        .collect()
}

#[test]
fn recurrence_r7_the_rest_of_a_series_keeps_its_beat_its_end_and_its_exceptions() {
    for rule in [
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;COUNT=9",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE;BYSETPOS=2,-1;UNTIL=20270630",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    ] {
        let value =
            json!({"rule": rule, "start": "2026-12-03", "exdates": ["2026-12-17", "2026-12-27"]});
        let mut whole = read(&value);
        // The first occurrence of the rule, where the start is none.
        let start = whole.occurrences(&TimeZone::UTC, None).next();
        whole.start = start.expect("an occurrence");
        assert_eq!(completed_in_time(&whole, 20), first(&whole, 20), "{rule}");
    }
    // A start that the rule does not name is an occurrence of its own beside those that `COUNT` counts.
    let wednesday = series("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2026-12-02");
    assert_eq!(
        completed_in_time(&wednesday, 9),
        ["2026-12-02", "2026-12-07", "2026-12-14"]
    );
    let rest = wednesday.rest_without_first().expect("a rest");
    assert_eq!(
        rest.stored(),
        json!({"rule": "FREQ=WEEKLY;BYDAY=MO;COUNT=2", "start": "2026-12-07"})
    );
}

/// The start of what is left after a completion.
fn next(series: &Series, done_on: &str) -> Option<String> {
    series.rest(day(done_on)).map(|rest| rest.start.to_string())
}

#[test]
fn recurrence_d1_a_record_goes_on_from_its_due_day_and_never_into_the_past() {
    let daily = series("FREQ=DAILY;COUNT=9", "2026-12-07");
    // In time, early, three days late.
    assert_eq!(next(&daily, "2026-12-07").as_deref(), Some("2026-12-08"));
    assert_eq!(next(&daily, "2026-12-05").as_deref(), Some("2026-12-08"));
    assert_eq!(next(&daily, "2026-12-10").as_deref(), Some("2026-12-11"));
    // The days that passed count.
    let rest = daily.rest(day("2026-12-10")).expect("a rest");
    assert_eq!(rest.rule.end, End::Count(5));
    assert_eq!(next(&daily, "2026-12-15"), None);
    let mondays = series("FREQ=WEEKLY;BYDAY=MO", "2026-12-07");
    assert_eq!(next(&mondays, "2026-12-14").as_deref(), Some("2026-12-21"));
    let ended = series("FREQ=WEEKLY;BYDAY=MO;UNTIL=20261220", "2026-12-14");
    assert_eq!(next(&ended, "2026-12-14"), None);
}

#[test]
fn recurrence_d2_a_record_goes_on_from_its_completion() {
    let from_completion = |rule: &str, start: &str| Series {
        from: RepeatsFrom::Completion,
        ..series(rule, start)
    };
    let days = from_completion("FREQ=DAILY;INTERVAL=3", "2026-12-07");
    assert_eq!(next(&days, "2026-12-10").as_deref(), Some("2026-12-13"));
    let months = from_completion("FREQ=MONTHLY", "2026-12-31");
    assert_eq!(next(&months, "2027-01-31").as_deref(), Some("2027-02-28"));
    let mondays = from_completion("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "2026-12-07");
    assert_eq!(next(&mondays, "2026-12-09").as_deref(), Some("2026-12-21"));
    let twice = from_completion("FREQ=DAILY;COUNT=2", "2026-12-07");
    let once = twice.rest(day("2026-12-09")).expect("a rest");
    assert_eq!(
        (once.start, once.rule.end),
        (local("2026-12-10"), End::Count(1))
    );
    assert_eq!(once.rest(day("2026-12-10")), None);
}

#[test]
fn recurrence_r8_a_field_keeps_a_recurrence_in_one_form() {
    let kept = |value: Value| {
        (
            value_problem(&value).map(|problem| problem.code),
            stored(&value),
        )
    };
    for (given, written) in [
        (
            json!("rrule:freq=weekly;byday=mo"),
            json!({"rule": "FREQ=WEEKLY;BYDAY=MO"}),
        ),
        (
            json!({"rule": "FREQ=DAILY;UNTIL=20270630T120000Z", "start": "20261207", "from": "due"}),
            json!({"rule": "FREQ=DAILY;UNTIL=20270630", "start": "2026-12-07"}),
        ),
        // A part that a later version writes.
        (
            json!({"rule": "FREQ=DAILY", "from": "completion", "exdates": ["20261208"], "later": 1}),
            json!({"rule": "FREQ=DAILY", "from": "completion", "exdates": ["2026-12-08"], "later": 1}),
        ),
    ] {
        assert_eq!(kept(given), (None, written.clone()));
        assert_eq!(kept(written.clone()), (None, written));
    }
    assert_eq!(
        value_problem(&json!({"rule": "FREQ=DAILY", "start": "2026-12-07T09:00"})).map(|p| p.field),
        Some("start".into())
    );
    assert_eq!(
        value_problem(&json!("every Monday")).map(|p| p.field),
        Some("rule".into())
    );
    assert_eq!(
        value_problem(&json!({"no": "rule"})).map(|p| p.code),
        Some("invalid".into())
    );
}

#[test]
fn recurrence_r10_a_rule_in_words() {
    let said = |rule: &str, start: &str, language| {
        words(&series(rule, start), language, day("2027-01-04"))
    };
    for (rule, english, german) in [
        ("FREQ=DAILY", "every day", "jeden Tag"),
        (
            "FREQ=DAILY;INTERVAL=2",
            "every second day",
            "jeden zweiten Tag",
        ),
        (
            "FREQ=DAILY;INTERVAL=3;COUNT=5",
            "every 3 days 5 times",
            "alle 3 Tage 5-mal",
        ),
        ("FREQ=WEEKLY", "every week", "jede Woche"),
        ("FREQ=WEEKLY;BYDAY=MO", "every Monday", "jeden Montag"),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;UNTIL=20270630",
            "every second Monday until 30 June",
            "jeden zweiten Montag bis 30. Juni",
        ),
        (
            "FREQ=WEEKLY;BYDAY=MO,WE,FR",
            "every Monday, Wednesday and Friday",
            "jeden Montag, Mittwoch und Freitag",
        ),
        (
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
            "every weekday",
            "montags bis freitags",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
            "every second week on Monday and Thursday",
            "jede zweite Woche am Montag und Donnerstag",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU",
            "every 3 weeks on Sunday",
            "alle 3 Wochen am Sonntag",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15",
            "every month on the 15th",
            "jeden Monat am 15.",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            "every month on the last day",
            "jeden Monat am letzten Tag",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-2",
            "every month on the second to last day",
            "jeden Monat am vorletzten Tag",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            "every month on the third to last day",
            "jeden Monat am drittletzten Tag",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=1,15",
            "every month on the 1st and the 15th",
            "jeden Monat am 1. und 15.",
        ),
        (
            "FREQ=MONTHLY;BYDAY=-1FR",
            "every month on the last Friday",
            "jeden Monat am letzten Freitag",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=2TU",
            "every second month on the second Tuesday",
            "jeden zweiten Monat am zweiten Dienstag",
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "every month on the 13th, if it is a Friday",
            "jeden Monat am 13., falls es ein Freitag ist",
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "every month on the last weekday",
            "jeden Monat am letzten Tag von Montag bis Freitag",
        ),
        (
            "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24",
            "every year on 24 December",
            "jedes Jahr am 24. Dezember",
        ),
        (
            "FREQ=YEARLY;BYMONTH=5;BYDAY=2SU",
            "every year on the second Sunday in May",
            "jedes Jahr am zweiten Sonntag im Mai",
        ),
        (
            "FREQ=YEARLY;BYDAY=-1MO",
            "every year on the last Monday of the year",
            "jedes Jahr am letzten Montag des Jahres",
        ),
        (
            "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
            "every year in week 20 on Monday",
            "jedes Jahr in Woche 20 am Montag",
        ),
        (
            "FREQ=YEARLY;BYYEARDAY=100",
            "every year on the 100th day of the year",
            "jedes Jahr am 100. Tag des Jahres",
        ),
        (
            "FREQ=DAILY;BYMONTH=6,7",
            "every day in June and July",
            "jeden Tag im Juni und Juli",
        ),
        (
            "FREQ=YEARLY;UNTIL=20301224",
            "every year until 24 December 2030",
            "jedes Jahr bis 24. Dezember 2030",
        ),
    ] {
        assert_eq!(
            said(rule, "2026-12-07T09:00", Language::English),
            english,
            "{rule}"
        );
        assert_eq!(said(rule, "2026-12-07", Language::German), german, "{rule}");
    }
    let days = Series {
        from: RepeatsFrom::Completion,
        ..series("FREQ=DAILY;INTERVAL=3", "2026-12-07")
    };
    assert_eq!(
        words(&days, Language::English, Day(0)),
        "every 3 days after completion"
    );
    assert_eq!(
        words(&days, Language::German, Day(0)),
        "alle 3 Tage nach Erledigung"
    );
    let mut except = series("FREQ=DAILY", "2026-12-07");
    except.exdates = ["2026-12-08", "2027-01-09"].map(local).to_vec();
    assert_eq!(
        words(&except, Language::English, day("2026-12-01")),
        "every day except on 8 December and 9 January 2027"
    );
    except
        .exdates
        .extend(["2027-02-08", "2027-03-09", "2027-03-10"].map(local));
    let text = words(&except, Language::German, day("2027-01-01"));
    assert_eq!(
        text,
        "jeden Tag außer am 8. Dezember 2026, 9. Januar, 8. Februar und 2 weiteren"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any text is refused with a sentence, or happens in order and has a stable form.
    #[test]
    fn recurrence_r11_any_text_is_refused_or_a_rule(
        parts in prop::collection::vec(
            prop_oneof![
                "FREQ=(DAILY|WEEKLY)", "FREQ=(MONTHLY|YEARLY)",
                "INTERVAL=[0-9]{1,3}", "COUNT=[0-9]{1,2}", "BYDAY=-?[1-5]?(MO|TH|SU)", "BYMONTHDAY=-?[0-9]{1,2}",
                "BYMONTH=[0-9]{1,2}", "BYSETPOS=-?[1-3]", "BYWEEKNO=-?[0-9]{1,2}", "[A-Z=;,]{1,8}", ".{0,5}",
            ],
            0..5,
        ),
    ) {
        let text = parts.join(";");
        match Series::parse(&json!({"rule": text, "start": "2026-12-07T09:00"}), Day(0)) {
            Err(problem) => prop_assert!(problem.message.ends_with('.')),
            Ok(series) => {
                let names: Vec<LocalTime> = series.occurrences(&TimeZone::UTC, None).take(9).collect();
                prop_assert!(!names.is_empty() && names.is_sorted());
                prop_assert_eq!(Rule::parse(&series.rule.to_string()), Ok(series.rule));
            }
        }
    }
}
