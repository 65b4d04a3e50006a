//! Words in days and times: days of the week, months, units, and names of time zones that stand for one offset.

use jiff::civil::{Date, ISOWeekDate, Time, Weekday};
use jiff::tz::Offset;

use crate::language::Language;

pub(super) fn days_of(unit: &str) -> Option<i64> {
    match unit {
        "day" | "days" | "tag" | "tage" | "tagen" => Some(1),
        "week" | "weeks" | "woche" | "wochen" => Some(7),
        _ => None,
    }
}

pub(super) fn with_meridiem(time: Time, meridiem: &str) -> Option<Time> {
    let hour = match (
        meridiem.starts_with('p'),
        meridiem.starts_with('a'),
        time.hour(),
    ) {
        (false, false, hour) => hour,
        (_, _, 0 | 13..) => return None,
        (true, _, 12) => 12,
        (true, _, hour) => hour + 12,
        (_, _, 12) => 0,
        (_, _, hour) => hour,
    };
    Time::new(hour, time.minute(), time.second(), 0).ok()
}

/// The day of a week of ISO 8601: `2026-w48-5`.
pub(super) fn iso_week(word: &str) -> Option<Date> {
    let (year, rest) = word.split_once("-w")?;
    let (week, day) = rest.split_once('-')?;
    let weekday = Weekday::from_monday_one_offset(day.parse().ok()?).ok()?;
    let date = ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, weekday).ok()?;
    Some(date.date())
}

/// `z`, `utc`, `gmt+1`, `+01:00`, `-0500`, `+2`, and the names of zones that stand for one offset everywhere.
pub(super) fn zone_offset(word: &str) -> Option<Offset> {
    let word = match word {
        "z" | "utc" | "gmt" => return Some(Offset::UTC),
        "cet" | "mez" => "+01:00",
        "cest" | "mesz" => "+02:00",
        word => word
            .strip_prefix("utc")
            .or_else(|| word.strip_prefix("gmt"))
            .unwrap_or(word),
    };
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    if hours.len() > 2 || minutes.len() > 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

pub(super) fn weekday(word: &str) -> Option<Weekday> {
    let short = word.strip_suffix('.').unwrap_or(word);
    let names = Language::English.weekdays().into_iter();
    let place = names
        .zip(Language::German.weekdays())
        .position(|(english, german)| {
            english.eq_ignore_ascii_case(word)
                || german.eq_ignore_ascii_case(word)
                || short.len() >= 3 && begins(english, short)
                || short.len() == 2 && begins(german, short) && short != "am"
        })?;
    Weekday::from_monday_zero_offset(i8::try_from(place).ok()?).ok()
}

pub(super) fn name_of(weekday: Weekday) -> &'static str {
    Language::English.weekdays()[usize::from(weekday.to_monday_zero_offset().unsigned_abs())]
}

pub(super) fn month(word: &str) -> Option<i8> {
    let short = word.strip_suffix('.').unwrap_or(word);
    let is_short = |name: &str| short.chars().count() >= 3 && begins(name, short);
    let names = Language::English.months().into_iter();
    let place = names
        .zip(Language::German.months())
        .position(|(english, german)| is_short(english) || is_short(german))?;
    i8::try_from(place + 1).ok()
}

/// Whether a name begins with these letters, which are lower case.
fn begins(name: &str, letters: &str) -> bool {
    let beginning = name.get(..letters.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(letters))
}
