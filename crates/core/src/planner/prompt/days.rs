//! The days ahead, with their dates and the time that the calendar takes, so that a model need not work them out.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::manifest::QueryContext;
use crate::time::Micros;

/// How many days the strip has, today included.
const DAYS: i64 = 14;

/// The hours of a day that count as time for something, on the wall clock.
const HOURS: (i8, i8) = (8, 20);

/// Farther days than this are told without their distance.
const FAR: i64 = 7;

/// Days that passed longer ago are told without it too, unless something is overdue.
const PAST: i64 = -FAR;

/// A time that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyTime {
    /// Its beginning.
    pub from: Micros,
    /// Its end.
    pub until: Micros,
    /// Whether it takes the whole day.
    pub whole_day: bool,
}

/// An instant on a wall clock.
pub(in crate::planner) fn zoned(at: Micros, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(at.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}

/// `2026-12-05 Sat, in 3 days`: a day with its weekday and its distance from today. A day on which something had to
/// be done is overdue once it has passed. The reader of answers reads the whole of it.
pub(in crate::planner) fn day(date: Date, had_to_be_done: bool, at: &QueryContext) -> String {
    let today = zoned(at.now, &at.zone).date();
    let days = today
        .until(date)
        .map_or(FAR + 1, |span| i64::from(span.get_days()));
    let distance = match days {
        0 => ", today".to_owned(),
        1 => ", tomorrow".to_owned(),
        2..=FAR => format!(", in {days} days"),
        -1 if had_to_be_done => ", 1 day overdue".to_owned(),
        ..0 if had_to_be_done => format!(", {} days overdue", -days),
        -1 => ", yesterday".to_owned(),
        PAST..0 => format!(", {} days ago", -days),
        _ => String::new(),
    };
    format!("{date} {}{distance}", date.strftime("%a"))
}

/// `09:00`: a time of the day, for an end on the day of its beginning. None where the clock shows it twice.
pub(in crate::planner) fn clock(at: Micros, zone: &TimeZone) -> Option<String> {
    let time = time(at, zone);
    let (_, clock) = time.split_once(' ')?;
    (clock.len() == "09:00".len()).then(|| clock.to_owned())
}

/// `2026-12-05 09:00`: a time on the wall clock, with its offset where the clock shows that time twice.
pub(in crate::planner) fn time(at: Micros, zone: &TimeZone) -> String {
    let zoned = zoned(at, zone);
    let twice = zone.to_ambiguous_timestamp(zoned.datetime()).is_ambiguous();
    let form = if twice {
        "%Y-%m-%d %H:%M%:z"
    } else {
        "%Y-%m-%d %H:%M"
    };
    zoned.strftime(form).to_string()
}

/// The strip: a line for each day with what the calendar takes of it, or the dates alone where no calendar is read.
pub(super) fn strip(busy: Option<&[BusyTime]>, at: &QueryContext) -> String {
    let now = zoned(at.now, &at.zone);
    let days = (0..DAYS).filter_map(|ahead| now.date().checked_add(ahead.days()).ok());
    let name = |date: Date| {
        let today = if date == now.date() { " (today)" } else { "" };
        format!("{}{today}", date.strftime("%a %Y-%m-%d"))
    };
    let Some(busy) = busy else {
        let names: Vec<_> = days.map(name).collect();
        return format!("{}\n", names.join(", "));
    };
    let lines = days.map(|date| format!("{}: {}\n", name(date), load(date, busy, &now)));
    lines.collect()
}

/// `busy 09:00-10:30, 14:00; 9 h free`
fn load(date: Date, busy: &[BusyTime], now: &Zoned) -> String {
    let zone = now.time_zone();
    let at = |date: Date, hour: i8| {
        let zoned = date.at(hour, 0, 0, 0).to_zoned(zone.clone());
        zoned.map_or(0, |zoned| zoned.timestamp().as_microsecond())
    };
    let next = date.tomorrow().unwrap_or(date);
    let (begin, end) = (at(date, 0), at(next, 0));
    let mut taken: Vec<(i64, i64)> = Vec::new();
    let touching = busy
        .iter()
        .filter(|time| time.from.0 < end && (time.until.0 > begin || time.from.0 >= begin));
    let mut touching: Vec<&BusyTime> = touching.collect();
    if touching
        .iter()
        .any(|time| time.whole_day || time.from.0 <= begin && time.until.0 >= end)
    {
        return "busy all day".to_owned();
    }
    touching.sort_by_key(|time| (time.from.0, time.until.0));
    for time in touching {
        let (from, until) = (time.from.0.max(begin), time.until.0.min(end));
        match taken.last_mut() {
            Some(last) if from < last.1 => last.1 = last.1.max(until),
            _ => taken.push((from, until.max(from))),
        }
    }
    let hours = (
        at(date, HOURS.0).max(now.timestamp().as_microsecond()),
        at(date, HOURS.1),
    );
    let within = |(from, until): &(i64, i64)| (until.min(&hours.1) - from.max(&hours.0)).max(0);
    let free = (hours.1 - hours.0).max(0) - taken.iter().map(within).sum::<i64>();
    // Half an hour is near enough.
    let halves = free.max(0) / (30 * 60 * 1_000_000);
    let free = match halves % 2 {
        0 => format!("{} h free", halves / 2),
        _ => format!("{}.5 h free", halves / 2),
    };
    let clock = |at: i64| zoned(Micros(at), zone).time().strftime("%H:%M").to_string();
    let shown = taken
        .iter()
        .map(|(from, until)| match (from == until, *until == end) {
            (true, _) => clock(*from),
            (false, true) => format!("{}-24:00", clock(*from)),
            (false, false) => format!("{}-{}", clock(*from), clock(*until)),
        });
    let shown: Vec<_> = shown.collect();
    match shown.is_empty() {
        true if halves >= 2 * i64::from(HOURS.1 - HOURS.0) => "free".to_owned(),
        true => free,
        false => format!("busy {}; {free}", shown.join(", ")),
    }
}

/// The hours that count as free time, for the prompt to say.
pub(super) fn hours() -> String {
    let hour = |hour: i8| Time::constant(hour, 0, 0, 0).strftime("%H:%M").to_string();
    format!("{}-{}", hour(HOURS.0), hour(HOURS.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> QueryContext {
        QueryContext {
            now: Micros::parse(text).expect("a time"),
            zone: TimeZone::get("Europe/Berlin").expect("a zone"),
        }
    }

    #[test]
    fn missions_r5_days_are_told_with_weekday_and_distance() {
        let at = at("2026-11-22T22:30:00Z");
        let said = |date: &str, open: bool| day(date.parse().expect("a date"), open, &at);
        for (date, open, expected) in [
            ("2026-11-22", true, "2026-11-22 Sun, today"),
            ("2026-11-23", true, "2026-11-23 Mon, tomorrow"),
            ("2026-11-25", true, "2026-11-25 Wed, in 3 days"),
            ("2026-11-21", true, "2026-11-21 Sat, 1 day overdue"),
            ("2026-11-21", false, "2026-11-21 Sat, yesterday"),
            ("2026-11-19", true, "2026-11-19 Thu, 3 days overdue"),
            ("2026-11-19", false, "2026-11-19 Thu, 3 days ago"),
            ("2027-11-22", false, "2027-11-22 Mon"),
        ] {
            assert_eq!(said(date, open), expected);
        }
    }

    #[test]
    fn missions_r5_times_are_local_and_have_an_offset_only_where_the_clock_shows_them_twice() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let said = |text: &str| time(Micros::parse(text).expect("a time"), &zone);
        assert_eq!(said("2026-07-01T22:30:00Z"), "2026-07-02 00:30");
        assert_eq!(said("2026-10-25T00:30:00Z"), "2026-10-25 02:30+02:00");
        assert_eq!(said("2026-10-25T01:30:00Z"), "2026-10-25 02:30+01:00");
    }

    #[test]
    fn missions_p11_the_strip_tells_what_is_taken_and_what_is_free() {
        let at = at("2026-11-22T18:30:00Z");
        let time = |from: &str, until: &str, whole_day| BusyTime {
            from: Micros::parse(from).expect("a time"),
            until: Micros::parse(until).expect("a time"),
            whole_day,
        };
        let busy = [
            time("2026-11-23T08:00:00Z", "2026-11-23T09:30:00Z", false),
            time("2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z", false),
            time("2026-11-23T18:00:00Z", "2026-11-23T20:00:00Z", false),
            time("2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z", false),
            time("2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z", false),
            time("2026-11-26T23:00:00Z", "2026-11-26T23:00:00Z", true),
            time("2026-11-28T21:00:00Z", "2026-11-29T01:00:00Z", false),
        ];
        let strip = strip(Some(&busy), &at);
        let lines: Vec<&str> = strip.lines().collect();
        assert_eq!(
            lines[..8],
            [
                "Sun 2026-11-22 (today): 0.5 h free",
                "Mon 2026-11-23: busy 09:00-11:00, 19:00-21:00; 9 h free",
                "Tue 2026-11-24: busy 10:00; 12 h free",
                "Wed 2026-11-25: busy all day",
                "Thu 2026-11-26: free",
                "Fri 2026-11-27: busy all day",
                "Sat 2026-11-28: busy 22:00-24:00; 12 h free",
                "Sun 2026-11-29: busy 00:00-02:00; 12 h free",
            ]
        );
        assert_eq!(lines.len(), 14);
        let bare = super::strip(None, &at);
        assert!(
            bare.starts_with("Sun 2026-11-22 (today), Mon 2026-11-23, "),
            "{bare}"
        );
    }
}
