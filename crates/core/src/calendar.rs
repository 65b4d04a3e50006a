//! Days of the calendar and times of a wall clock, without a time zone.

use std::fmt;

use jiff::civil::Weekday;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::{DAY, Micros, civil_from_days, days_from_civil};
use crate::zone::{Shown, Zone, resolve};

/// Seconds of a day on the wall clock.
pub const DAY_SECONDS: u32 = 24 * 60 * 60;

/// A day of the proleptic Gregorian calendar, by the days since 1970-01-01. Written `YYYY-MM-DD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Day(pub i64);

impl Day {
    /// The last day that a calendar here names.
    pub const MAX: Day = Day(2_932_896);

    /// The day of a date, or None where the calendar has no such day from the year 1 to 9999.
    pub fn new(year: i64, month: i64, day: i64) -> Option<Day> {
        let days = days_from_civil((year, month, day));
        let there = (1..=9999).contains(&year) && (1..=12).contains(&month);
        (there && civil_from_days(days) == (year, month, day)).then_some(Day(days))
    }

    /// Reads `2026-12-05` or `20261205`.
    pub fn parse(text: &str) -> Option<Day> {
        let digits: String = match text.len() {
            8 => text.to_owned(),
            10 if text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-' => {
                text.chars().filter(|c| *c != '-').collect()
            }
            _ => return None,
        };
        if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = |at: std::ops::Range<usize>| digits[at].parse().ok();
        Day::new(number(0..4)?, number(4..6)?, number(6..8)?)
    }

    /// Year, month and day of the month.
    pub fn date(self) -> (i64, i64, i64) {
        civil_from_days(self.0)
    }

    /// The year.
    pub fn year(self) -> i64 {
        self.date().0
    }

    /// The day of the week. The epoch was a Thursday.
    pub fn weekday(self) -> Weekday {
        let offset = (self.0 + 3).rem_euclid(7) as i8;
        Weekday::from_monday_zero_offset(offset).unwrap_or(Weekday::Monday)
    }

    /// The day so many days later.
    pub fn plus(self, days: i64) -> Day {
        Day(self.0.saturating_add(days))
    }

    /// The same day of the month so many months later, or the last day of that month where the month is shorter.
    pub fn plus_months(self, months: i64) -> Day {
        let (year, month, day) = self.date();
        let index = (year * 12 + month - 1).saturating_add(months);
        let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
        let day = day.min(month_length(year, month));
        Day(days_from_civil((year, month, day)))
    }

    /// The first day of the week in which this day lies.
    pub fn week_start(self, first: Weekday) -> Day {
        self.plus(-i64::from(self.weekday().since(first)))
    }

    /// The first such weekday on or after this day.
    pub fn on_or_after(self, weekday: Weekday) -> Day {
        self.plus(i64::from(weekday.since(self.weekday())))
    }
}

/// The weekday of a number from Sunday, 0, as settings and cadences count; Monday where it is none.
pub fn weekday_from_sunday(number: i8) -> Weekday {
    Weekday::from_sunday_zero_offset(number).unwrap_or(Weekday::Monday)
}

/// Days of a month.
pub fn month_length(year: i64, month: i64) -> i64 {
    let next = if month == 12 {
        (year + 1, 1, 1)
    } else {
        (year, month + 1, 1)
    };
    days_from_civil(next) - days_from_civil((year, month, 1))
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A time of a wall clock, or a whole day where there is no time of day.
///
/// Written `2026-12-05T09:00`, with seconds only where there are any, and `2026-12-05`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime {
    /// The day.
    pub day: Day,
    /// Seconds since midnight by the clock; None for the whole day.
    pub second: Option<u32>,
}

impl LocalTime {
    /// A whole day.
    pub fn day(day: Day) -> LocalTime {
        LocalTime { day, second: None }
    }

    /// The time that a zone's wall clock shows at an instant.
    pub fn at(zone: &dyn Zone, at: Micros) -> LocalTime {
        let wall = at.plus(zone.offset(at)).0;
        LocalTime {
            day: Day(wall.div_euclid(DAY)),
            second: Some((wall.rem_euclid(DAY) / 1_000_000) as u32),
        }
    }

    /// Reads a day (`2026-12-05`, `20261205`) or a time on it (`2026-12-05T09:00`, `20261205T090000`, seconds or none).
    pub fn parse(text: &str) -> Option<LocalTime> {
        let Some((day, time)) = text.split_once(['T', 't', ' ']) else {
            return Day::parse(text).map(LocalTime::day);
        };
        let digits: String = time.chars().filter(|c| *c != ':').collect();
        let shape = [4, 6].contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !shape {
            return None;
        }
        let two = |at: usize| {
            digits
                .get(at..at + 2)
                .map_or(Some(0), |two| two.parse::<u32>().ok())
        };
        let (hour, minute, second) = (two(0)?, two(2)?, two(4)?);
        // A leap second has no place of its own on this clock.
        let second = second.min(if second == 60 { 59 } else { u32::MAX });
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(LocalTime {
            day: Day::parse(day)?,
            second: Some((hour * 60 + minute) * 60 + second),
        })
    }

    /// The instant at which a zone's wall clock shows this time, midnight for a whole day, and what a change of the
    /// clock does to a time of day.
    pub fn instant(self, zone: &dyn Zone) -> (Micros, Option<ClockChange>) {
        let seconds = i64::from(self.second.unwrap_or(0));
        let (at, shown) = resolve(zone, self.day.0 * DAY + seconds * 1_000_000);
        let change = match shown {
            Shown::Once => None,
            Shown::Never => Some(ClockChange::Gap),
            Shown::Twice => Some(ClockChange::Fold),
        };
        (at, change.filter(|_| self.second.is_some()))
    }

    /// The local time so many seconds later by the wall clock; a whole day keeps being one.
    pub fn plus_seconds(self, seconds: i64) -> LocalTime {
        let Some(second) = self.second else {
            return self;
        };
        let total = i64::from(second).saturating_add(seconds);
        let day = i64::from(DAY_SECONDS);
        LocalTime {
            day: self.day.plus(total.div_euclid(day)),
            second: Some(total.rem_euclid(day) as u32),
        }
    }
}

/// How a change of the clock meets a local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockChange {
    /// The clock jumps over the time, so that it happens later by the jump.
    Gap,
    /// The clock shows the time twice, and it happens the first time.
    Fold,
}

/// A time of day as `09:00`, with seconds only where there are any.
pub fn time_of_day(second: u32) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.second {
            None => self.day.fmt(f),
            Some(second) => write!(f, "{}T{}", self.day, time_of_day(second)),
        }
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LocalTime, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        LocalTime::parse(&text)
            .ok_or_else(|| de::Error::custom("no day and no local time such as 2026-12-05T09:00"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_is_read_liberally_and_written_in_a_single_form() {
        for (text, written) in [
            ("2026-12-05", "2026-12-05"),
            ("20261205", "2026-12-05"),
            ("2026-12-05T09:00", "2026-12-05T09:00"),
            ("20261205T090030", "2026-12-05T09:00:30"),
            ("2026-12-05 09:00:00", "2026-12-05T09:00"),
        ] {
            let read = LocalTime::parse(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), Some(written), "{text}");
        }
        for text in [
            "2026-02-30",
            "2026-12-05T24:00",
            "2026-12-05T9",
            "0000-01-01",
            "ä026-12-05",
            "",
            "2026-12-05T0900Z",
        ] {
            assert_eq!(LocalTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_later_is_the_last_day_of_a_shorter_month() {
        let day = |text| Day::parse(text).expect("a day");
        assert_eq!(day("2026-01-31").plus_months(1), day("2026-02-28"));
        assert_eq!(day("2024-02-29").plus_months(-12), day("2023-02-28"));
        assert_eq!(day("2026-12-05").weekday(), Weekday::Saturday);
        assert_eq!(Day::MAX, day("9999-12-31"));
    }
}
