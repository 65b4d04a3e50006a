//! Days and times as models write them. A form is read where it can mean one time only.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::day_words::{days_of, iso_week, month, name_of, weekday, with_meridiem, zone_offset};
use crate::time::Micros;

/// The longest text that is taken for a time.
const LONGEST: usize = 80;

/// The time and place of the run, from which words like "tomorrow" count.
#[derive(Clone, Copy)]
pub(super) struct Today<'a> {
    pub now: Micros,
    pub zone: &'a TimeZone,
}

impl Today<'_> {
    /// The day of the run, on the mission's wall clock.
    pub fn date(self) -> Date {
        let now = Timestamp::from_microsecond(self.now.0).unwrap_or(Timestamp::UNIX_EPOCH);
        now.to_zoned(self.zone.clone()).date()
    }
}

/// Why a text is no time: empty where there is nothing to say beside that.
type Unread = String;

/// A day, `2026-12-05`.
pub(super) fn day(text: &str, today: Today<'_>) -> Result<String, Unread> {
    let read = Reading::of(text, today)?;
    let date = read.date(today)?;
    let Some(time) = read.time else {
        return Ok(date.to_string());
    };
    if time != Time::midnight()
        && let Some(zone) = read.zone()?
    {
        let local = instant(date.to_datetime(time), &zone)?.to_zoned(today.zone.clone());
        if local.date() != date {
            return Err(format!(
                "“{}” is another day where you are. Write the day alone.",
                text.trim()
            ));
        }
    }
    Ok(date.to_string())
}

/// An instant with its offset, `2026-12-05T09:00:00+01:00`. A time without an offset is one of the mission's zone, and
/// a day alone is its midnight.
pub(super) fn moment(text: &str, today: Today<'_>) -> Result<String, Unread> {
    let read = Reading::of(text, today)?;
    let local = read
        .date(today)?
        .to_datetime(read.time.unwrap_or(Time::midnight()));
    let zone = read.zone()?.unwrap_or_else(|| today.zone.clone());
    let at = instant(local, &zone)?;
    if let (Some(offset), Some(zone)) = (read.offset, &read.named)
        && zone.to_offset(at) != offset
    {
        return Err("its offset and its time zone contradict each other.".to_owned());
    }
    let shown = at.to_zoned(zone);
    Ok(shown.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// A time of day, `08:30`.
pub(super) fn time_of_day(text: &str, today: Today<'_>) -> Result<String, Unread> {
    let read = Reading::of(text, today)?;
    match (read.time, read.any_day()) {
        (Some(time), false) if time.second() == 0 => Ok(time.strftime("%H:%M").to_string()),
        _ => Err(Unread::new()),
    }
}

fn instant(local: DateTime, zone: &TimeZone) -> Result<Timestamp, Unread> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    if let AmbiguousOffset::Gap { .. } = ambiguous.offset() {
        return Err("the clocks are put forward then, and there is no such time.".to_owned());
    }
    ambiguous.compatible().map_err(|_| Unread::new())
}

/// The parts of a time that a text holds.
#[derive(Default)]
struct Reading {
    exact: Option<Date>,
    relative: Option<i64>,
    weekday: Option<Weekday>,
    /// A number that is a day of the month, and the month and the year beside it.
    of_month: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    time: Option<Time>,
    offset: Option<Offset>,
    named: Option<TimeZone>,
}

impl Reading {
    fn of(text: &str, today: Today<'_>) -> Result<Reading, Unread> {
        if text.len() > LONGEST {
            return Err(Unread::new());
        }
        let mut reading = Reading::default();
        let plain: String = text.chars().map(plain).collect();
        let parts = plain.split(|c: char| {
            c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '[' | ']' | '@' | '"')
        });
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let mut rest = parts.as_slice();
        while let [part, after @ ..] = rest {
            let word = part.to_lowercase();
            rest = match reading.phrase(&word, after) {
                Some(rest) => rest,
                None => {
                    reading.part(part, &word, after.first().copied())?;
                    after
                }
            };
        }
        reading.is_consistent(today)?;
        Ok(reading)
    }

    /// Words that belong together, such as "in 3 days". Returns what is left behind them.
    fn phrase<'p>(&mut self, word: &str, after: &'p [&'p str]) -> Option<&'p [&'p str]> {
        let lower: Vec<String> = after
            .iter()
            .take(3)
            .map(|word| word.to_lowercase())
            .collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let (days, used) = match (word, lower.as_slice()) {
            ("day", ["after", "tomorrow", ..]) => (2, 2),
            ("the", ["day", "after", "tomorrow"]) => (2, 3),
            ("in", ["a" | "one" | "einer", "week" | "woche", ..]) => (7, 2),
            ("in", [count, unit, ..]) => {
                let count: i64 = count.parse().ok()?;
                (count.checked_mul(days_of(unit)?)?, 2)
            }
            (count, [unit, "ago" | "overdue", ..]) if count.parse::<i64>().is_ok() => {
                let count: i64 = count.parse().ok()?;
                (-count.checked_mul(days_of(unit)?)?, 2)
            }
            (meridiem @ ("am" | "pm" | "a.m." | "p.m."), _) => {
                self.time = Some(with_meridiem(self.time?, meridiem)?);
                return Some(after);
            }
            (hour, [meridiem @ ("am" | "pm" | "a.m." | "p.m." | "uhr"), ..])
                if self.time.is_none() =>
            {
                let hour: i8 = hour.parse().ok()?;
                // `18 Uhr 30`, which no month follows.
                let minute = lower
                    .get(1)
                    .filter(|word| *meridiem == "uhr" && word.len() == 2);
                let minute =
                    minute.filter(|_| lower.get(2).is_none_or(|word| month(word).is_none()));
                let minute = minute.and_then(|word| word.parse::<i8>().ok());
                let time = Time::new(hour, minute.unwrap_or(0), 0, 0).ok()?;
                self.time = Some(with_meridiem(time, meridiem)?);
                return Some(&after[1 + usize::from(minute.is_some())..]);
            }
            _ => return None,
        };
        self.relative = Some(days).filter(|days| (-3660..=3660).contains(days));
        self.relative?;
        Some(&after[used..])
    }

    fn part(&mut self, part: &str, word: &str, next: Option<&str>) -> Result<(), Unread> {
        const FILLERS: &[&str] = &[
            "at",
            "um",
            "on",
            "am",
            "the",
            "of",
            "den",
            "der",
            "dem",
            "uhr",
            "o'clock",
            "by",
            "due",
            "this",
            "coming",
            "kommenden",
            "time",
            "local",
            "-",
            "t",
            "date:",
        ];
        if FILLERS.contains(&word) {
            return Ok(());
        }
        if word == "next" || word == "nächsten" || word == "last" {
            return Err(format!(
                "“{word} {}” can mean two days. Write the date.",
                next.unwrap_or_default()
            ));
        }
        let relative = match word {
            "today" | "heute" => Some(0),
            "tomorrow" | "morgen" => Some(1),
            "übermorgen" | "overmorrow" => Some(2),
            "yesterday" | "gestern" => Some(-1),
            _ => None,
        };
        if relative.is_some() {
            return set(&mut self.relative, relative);
        }
        if let Some(weekday) = weekday(word) {
            return set(&mut self.weekday, Some(weekday));
        }
        if let Some(month) = month(word) {
            return set(&mut self.month, Some(month));
        }
        if let Some(offset) = zone_offset(word) {
            return set(&mut self.offset, Some(offset));
        }
        if part.contains('/') && part.starts_with(|c: char| c.is_ascii_uppercase()) {
            let zone = TimeZone::get(part).map_err(|_| format!("there is no time zone {part}."))?;
            return set(&mut self.named, Some(zone));
        }
        self.numbers(word)
    }

    /// A date, a time, or both in one word.
    fn numbers(&mut self, word: &str) -> Result<(), Unread> {
        if let Some(date) = iso_week(word) {
            return set(&mut self.exact, Some(date));
        }
        if let Some((date, rest)) = split_date(word)? {
            set(&mut self.exact, Some(date))?;
            let rest = rest.strip_prefix(['t', '_']).unwrap_or(rest);
            return match rest {
                "" => Ok(()),
                "z" => set(&mut self.offset, Some(Offset::UTC)),
                rest => self.clock(rest),
            };
        }
        let is_hour = |(hour, minute): (&str, &str)| {
            let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
            !hour.is_empty() && digits(hour) && digits(minute)
        };
        if word.contains(':')
            || word.split_once('h').is_some_and(is_hour)
            || word.ends_with("am")
            || word.ends_with("pm")
        {
            return self.clock(word);
        }
        if let Some((day, month)) = day_and_month(word) {
            set(&mut self.of_month, Some(day))?;
            return set(&mut self.month, Some(month));
        }
        let digits = word
            .trim_end_matches('.')
            .trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let suffix = &word[digits.len()..];
        let number: i16 = digits.parse().map_err(|_| Unread::new())?;
        match (digits.len(), suffix) {
            (4, "") => set(&mut self.year, Some(number)),
            (1 | 2, "" | "." | "st" | "nd" | "rd" | "th") => set(
                &mut self.of_month,
                Some(i8::try_from(number).map_err(|_| Unread::new())?),
            ),
            _ => Err(Unread::new()),
        }
    }

    /// `09:00`, `9:00:00.000Z`, `09:00+01:00`, `9am`, `14h30`.
    fn clock(&mut self, word: &str) -> Result<(), Unread> {
        let end = word
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | 'h')))
            .unwrap_or(word.len());
        let (clock, suffix) = word.split_at(end);
        let clock = clock.replace('h', ":");
        let clock = clock.split('.').next().unwrap_or_default();
        let mut numbers = Vec::new();
        for number in clock.split(':').filter(|number| !number.is_empty()) {
            if number.len() > 2 {
                return Err(Unread::new());
            }
            numbers.push(number.parse::<i8>().map_err(|_| Unread::new())?);
        }
        let bare_hour = matches!(suffix, "am" | "pm") || word.contains('h');
        let (hour, minute, second) = match numbers.as_slice() {
            [hour] if bare_hour => (*hour, 0, 0),
            [hour, minute] => (*hour, *minute, 0),
            [hour, minute, second] => (*hour, *minute, *second),
            _ => return Err(Unread::new()),
        };
        let time = Time::new(hour, minute, second, 0).map_err(|_| "there is no such time.")?;
        match suffix {
            "" | "uhr" => set(&mut self.time, Some(time)),
            "am" | "pm" => set(&mut self.time, with_meridiem(time, suffix)),
            zone => {
                set(&mut self.time, Some(time))?;
                let offset = zone_offset(zone).ok_or_else(Unread::new)?;
                set(&mut self.offset, Some(offset))
            }
        }
    }

    fn any_day(&self) -> bool {
        self.exact.is_some()
            || self.relative.is_some()
            || self.weekday.is_some()
            || self.of_month.is_some()
            || self.month.is_some()
    }

    /// The day of the week may stand beside a date, and has to be that day's.
    fn is_consistent(&self, today: Today<'_>) -> Result<(), Unread> {
        if !self.any_day() {
            return Ok(());
        }
        let date = self.date(today)?;
        match self.weekday {
            Some(weekday) if date.weekday() != weekday => Err(format!(
                "{date} is a {}. Write the day that you mean.",
                name_of(date.weekday())
            )),
            _ => Ok(()),
        }
    }

    fn date(&self, today: Today<'_>) -> Result<Date, Unread> {
        let no_such = |_| "there is no such day.".to_owned();
        let parts = (self.of_month, self.month, self.year);
        match (self.exact, self.relative, parts) {
            (Some(date), None, (None, None, None)) => Ok(date),
            // A distance from today may stand beside a date, as the prompt has it, and has to be that day's.
            (Some(date), Some(days), (None, None, None)) => {
                match today.date().checked_add(days.days()) {
                    Ok(same) if same == date => Ok(date),
                    _ => Err(format!(
                        "{date} is another day than the one beside it. Write the date alone."
                    )),
                }
            }
            (None, Some(days), (None, None, None)) => {
                today.date().checked_add(days.days()).map_err(no_such)
            }
            (None, None, (Some(day), Some(month), Some(year))) => {
                Date::new(year, month, day).map_err(no_such)
            }
            // A day without its year is the next one.
            (None, None, (Some(day), Some(month), None)) => {
                let this_year = today.date().year();
                let date = Date::new(this_year, month, day).map_err(no_such)?;
                match date < today.date() {
                    true => Date::new(this_year + 1, month, day).map_err(no_such),
                    false => Ok(date),
                }
            }
            (None, None, (None, None, None)) => {
                let weekday = self.weekday.ok_or_else(Unread::new)?;
                match today.date().weekday() == weekday {
                    true => Err("it can mean today or in a week. Write the date.".to_owned()),
                    false => today.date().nth_weekday(1, weekday).map_err(no_such),
                }
            }
            _ => Err(Unread::new()),
        }
    }

    /// The zone that the text itself names.
    fn zone(&self) -> Result<Option<TimeZone>, Unread> {
        Ok(match (self.offset, &self.named) {
            (Some(offset), _) => Some(TimeZone::fixed(offset)),
            (None, Some(zone)) => Some(zone.clone()),
            (None, None) => None,
        })
    }
}

/// Sets a part once. The same part twice has to be the same.
fn set<T: PartialEq>(part: &mut Option<T>, value: Option<T>) -> Result<(), Unread> {
    if value.is_none() || part.is_some() && *part != value {
        return Err(Unread::new());
    }
    *part = value;
    Ok(())
}

/// Dashes, blanks and apostrophes that look like the plain ones.
fn plain(c: char) -> char {
    match c {
        '‐' | '‑' | '‒' | '–' | '—' | '−' => '-',
        '’' | '‘' => '\'',
        '\u{202F}' | '\u{A0}' | '\u{2009}' => ' ',
        other => other,
    }
}

/// A date in numbers at the beginning of a word, and what is left behind it. `05/12/2026` has two readings, unless
/// a number can be no month.
fn split_date(word: &str) -> Result<Option<(Date, &str)>, Unread> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let first = digits(word);
    let no_such = |_| "there is no such day.".to_owned();
    let number = |text: &str| text.parse::<i16>().unwrap_or(-1);
    if first == 8 {
        let (year, rest) = word.split_at(4);
        let date = civil(number(year), number(&rest[..2]), number(&rest[2..4])).map_err(no_such)?;
        return Ok(Some((date, &rest[4..])));
    }
    let Some(separator) = word[first..]
        .chars()
        .next()
        .filter(|c| matches!(c, '-' | '/' | '.'))
    else {
        return Ok(None);
    };
    let behind = &word[first + 1..];
    let second = digits(behind);
    if second == 0 || second > 2 || !behind[second..].starts_with(separator) {
        return Ok(None);
    }
    let last = &behind[second + 1..];
    let third = digits(last);
    let numbers = (
        number(&word[..first]),
        number(&behind[..second]),
        number(&last[..third]),
    );
    let rest = &last[third..];
    let date = match (first, third) {
        (4, 1 | 2) => civil(numbers.0, numbers.1, numbers.2),
        (1 | 2, 4) => {
            let (a, b, year) = numbers;
            match separator {
                '.' => civil(year, b, a),
                _ if a > 12 || a == b => civil(year, b, a),
                _ if b > 12 => civil(year, a, b),
                _ => return Err("it can be read as two days. Write YYYY-MM-DD.".to_owned()),
            }
        }
        (1 | 2, 2) if separator == '.' => civil(2000 + numbers.2, numbers.1, numbers.0),
        (5.., _) | (_, 5..) => return Err("there is no such year.".to_owned()),
        _ => return Ok(None),
    };
    Ok(Some((date.map_err(no_such)?, rest)))
}

fn civil(year: i16, month: i16, day: i16) -> Result<Date, ()> {
    let (month, day) = (i8::try_from(month), i8::try_from(day));
    let (month, day) = (month.map_err(|_| ())?, day.map_err(|_| ())?);
    Date::new(year, month, day).map_err(|_| ())
}

/// `5.12.`, the day first as everywhere where dots stand in dates.
fn day_and_month(word: &str) -> Option<(i8, i8)> {
    let (day, month) = word.strip_suffix('.')?.split_once('.')?;
    Some((day.parse().ok()?, month.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sunday, 22 November 2026, in Berlin.
    fn read(kind: fn(&str, Today<'_>) -> Result<String, Unread>, text: &str) -> Option<String> {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let now = Micros::parse("2026-11-22T22:41:00Z").expect("a time");
        kind(text, Today { now, zone: &zone }).ok()
    }

    #[test]
    fn missions_a6_a_day_is_read_where_it_can_mean_one_only() {
        for text in [
            "2026-12-05",
            "2026-12-5",
            "2026/12/05",
            "20261205",
            "05.12.2026",
            "5.12.26",
            "5.12.",
            "2026-12-05 (Saturday)",
            "2026-12-05 (Sat, in 13 days)",
            "Sat 2026-12-05",
            "Saturday 2026-12-05",
            "Sat, 5 December 2026",
            "5th of December 2026",
            "December 5, 2026",
            "Dec. 5th, 2026",
            "5. Dezember 2026",
            "Samstag, den 5. Dezember",
            "2026-12-05T00:00:00Z",
            "2026-12-05T09:00:00+01:00",
            "2026‑12‑05",
            "in 13 days",
        ] {
            assert_eq!(read(day, text).as_deref(), Some("2026-12-05"), "{text}");
        }
        for (text, expected) in [
            ("today", "2026-11-22"),
            ("tomorrow", "2026-11-23"),
            ("Übermorgen", "2026-11-24"),
            ("the day after tomorrow", "2026-11-24"),
            ("in 2 weeks", "2026-12-06"),
            ("Friday", "2026-11-27"),
            ("2026-11-19 (Thu, 3 days overdue)", "2026-11-19"),
            ("2026-11-21 (Sat, yesterday)", "2026-11-21"),
            ("3 days ago", "2026-11-19"),
            ("13/12/2026", "2026-12-13"),
        ] {
            assert_eq!(read(day, text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "05/12/2026",
            "2026-12-05 (Sunday)",
            "2026-12-05 (in 3 days)",
            "2026-02-30",
            "20260-12-05",
            "next Friday",
            "Sunday",
            "soon",
            "",
            "12",
            "2026-12-05T23:30:00Z",
        ] {
            assert_eq!(read(day, text), None, "{text}");
        }
    }

    #[test]
    fn missions_a6_a_time_without_an_offset_is_one_of_the_missions_zone() {
        for text in [
            "2026-12-05T09:00:00",
            "2026-12-05 09:00",
            "2026-12-05 9:00",
            "2026-12-05T09:00+01:00 (Saturday)",
            "2026-12-05 09:00 (Sat, in 13 days)",
            "Sat 2026-12-05 09:00",
            "2026-12-05T09:00+01:00",
            "2026-12-05T09:00:00+0100",
            "2026-12-05T08:00:00.000Z",
            "2026-12-05T09:00:00+01:00[Europe/Berlin]",
            "2026-12-05 09:00 Europe/Berlin",
            "2026-12-05 9:00 AM",
            "2026-12-05 at 9am",
            "05.12.2026, 09:00 Uhr",
            "Saturday, December 5, 2026 at 9:00 AM",
            "2026-12-05 09:00 CET",
            "in 13 days at 09:00",
            "5 Dec 2026 9 am",
        ] {
            let at = read(moment, text).and_then(|text| Micros::parse(&text).ok());
            assert_eq!(at, Micros::parse("2026-12-05T08:00:00Z").ok(), "{text}");
        }
        assert_eq!(
            read(moment, "2026-12-05").as_deref(),
            Some("2026-12-05T00:00:00+01:00")
        );
        for text in [
            "09:00",
            "20260-12-05T10:00:00+01:00",
            "2027-03-28 02:30",
            "2026-12-05 25:00",
            "2026-12-05T09:00:00+03:00[Europe/Berlin]",
            "noon",
        ] {
            assert_eq!(read(moment, text), None, "{text}");
        }
    }

    #[test]
    fn missions_a6_a_time_of_day() {
        for (text, expected) in [
            ("8:30", Some("08:30")),
            ("08:30:00", Some("08:30")),
            ("8:30 pm", Some("20:30")),
            ("8 am", Some("08:00")),
            ("14 Uhr", Some("14:00")),
            ("14h30", Some("14:30")),
            ("2026-12-05 08:30", None),
            ("25:00", None),
        ] {
            assert_eq!(read(time_of_day, text).as_deref(), expected, "{text}");
        }
    }
}
