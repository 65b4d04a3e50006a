//! Instants as integers: what stamps are compared by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds since the Unix epoch.
///
/// Written as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always with six digits, so that text and integer sort alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(
        as = Timestamp,
        value_type = String,
        format = DateTime,
        description = "An instant: `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always with six digits where Mana writes it; \
            any RFC 3339 time where it reads one."
    )
)]
pub struct Micros(pub i64);

/// The calendar's ends, as jiff has them: a day within the years -9999 and 9999, whatever the time zone.
const CALENDAR: std::ops::RangeInclusive<i64> = -377_705_023_201_000_000..=253_402_207_200_999_999;

/// Microseconds of a day.
pub(crate) const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no time; write it as RFC 3339, for example 2026-01-31T08:00:00.000000Z")]
pub struct TimeError(pub String);

impl Micros {
    /// The Unix epoch: the stamp of a write that names no time at all.
    pub const EPOCH: Micros = Micros(0);

    /// Reads an RFC 3339 time with any offset and precision; digits below a microsecond are cut off.
    pub fn parse(text: &str) -> Result<Micros, TimeError> {
        read(text).ok_or_else(|| TimeError(text.chars().take(40).collect()))
    }

    /// An instant from milliseconds since the epoch, JavaScript's unit.
    pub fn from_millis(millis: i64) -> Micros {
        Micros(millis.saturating_mul(1000))
    }

    /// Milliseconds since the epoch, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by a number of microseconds, within the range of the type.
    pub fn plus(self, micros: i64) -> Micros {
        Micros(self.0.saturating_add(micros))
    }
}

/// Two ASCII digits at `at`.
fn two(text: &[u8], at: usize) -> Option<i8> {
    let (a, b) = (*text.get(at)?, *text.get(at + 1)?);
    (a.is_ascii_digit() && b.is_ascii_digit()).then(|| ((a - b'0') * 10 + (b - b'0')) as i8)
}

fn read(text: &str) -> Option<Micros> {
    let b = text.as_bytes();
    let year = i16::from(two(b, 0)?) * 100 + i16::from(two(b, 2)?);
    let separators = *b.get(4)? == b'-'
        && *b.get(7)? == b'-'
        && matches!(b.get(10)?, b'T' | b't' | b' ')
        && *b.get(13)? == b':'
        && *b.get(16)? == b':';
    if !separators {
        return None;
    }
    // A leap second has no place of its own on this clock.
    let second = two(b, 17)?.min(if two(b, 17)? == 60 { 59 } else { i8::MAX });
    let mut at = 19;
    let mut micros: i64 = 0;
    if b.get(at) == Some(&b'.') {
        let start = at + 1;
        at = start;
        while let Some(d) = b.get(at).filter(|d| d.is_ascii_digit()) {
            if at - start < 6 {
                micros = micros * 10 + i64::from(d - b'0');
            }
            at += 1;
        }
        let digits = at - start;
        if digits == 0 {
            return None;
        }
        micros *= 10_i64.pow(6_u32.saturating_sub(digits as u32));
    }
    let offset_seconds = match b.get(at)? {
        b'Z' | b'z' if b.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if b.len() == at + 6 && b[at + 3] == b':' => {
            let (hours, minutes) = (two(b, at + 1)?, two(b, at + 4)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let (month, day) = (two(b, 5)?, two(b, 8)?);
    let (hour, minute) = (two(b, 11)?, two(b, 14)?);
    let date = (i64::from(year), i64::from(month), i64::from(day));
    let days = days_from_civil(date);
    // A day that the month doesn't have is another day of the next one.
    if civil_from_days(days) != date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    let local = days * DAY + seconds * 1_000_000;
    let within = CALENDAR.contains(&local);
    within.then(|| Micros(local - offset_seconds * 1_000_000 + micros))
}

/// Days since 1970-01-01 of a date (year, month, day) of the proleptic Gregorian calendar: years that begin in
/// March, in eras of 400, after Howard Hinnant's <https://howardhinnant.github.io/date_algorithms.html>.
pub(crate) fn days_from_civil((year, month, day): (i64, i64, i64)) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date (year, month, day) of a number of days since 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

impl FromStr for Micros {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Micros, TimeError> {
        Micros::parse(text)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Outside of the calendar there is nothing sensible to print but its end.
        let at = self.0.clamp(*CALENDAR.start(), *CALENDAR.end());
        let (year, month, day) = civil_from_days(at.div_euclid(DAY));
        let time = at.rem_euclid(DAY);
        let (micros, seconds) = (time % 1_000_000, time / 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if !(0..=9999).contains(&year) {
            return write!(
                f,
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
            );
        }
        // Each push writes hundreds of these, which the formatter's padding takes several times as long for.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let numbers = [year, month, day, hour, minute, second, micros];
        let places = [0..4, 5..7, 8..10, 11..13, 14..16, 17..19, 20..26];
        for (mut number, places) in numbers.into_iter().zip(places) {
            for digit in text[places].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Micros, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Micros::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, civil, tz::Offset};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_calendar_ends_where_jiffs_does() {
        let end = |at: Timestamp| at.as_microsecond();
        assert_eq!(*CALENDAR.start(), end(Timestamp::MIN));
        assert_eq!(*CALENDAR.end(), end(Timestamp::MAX));
    }

    proptest! {
        #[test]
        fn a_time_is_written_and_read_as_jiff_does(at in *CALENDAR.start()..=*CALENDAR.end()) {
            let theirs = Offset::UTC.to_datetime(Timestamp::from_microsecond(at).unwrap());
            let text = Micros(at).to_string();
            // Before the year 0 jiff writes six digits of it.
            if theirs.year() >= 0 {
                prop_assert_eq!(&text, &format!("{theirs:.6}Z"));
                prop_assert_eq!(Micros::parse(&text), Ok(Micros(at)));
            }
        }

        #[test]
        fn a_day_is_the_day_that_jiff_says(days in -4_371_586..2_932_896_i64) {
            let date = civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
            let ours = (date.year().into(), date.month().into(), date.day().into());
            prop_assert_eq!(civil_from_days(days), ours);
            prop_assert_eq!(days_from_civil(ours), days);
        }

        #[test]
        fn a_date_that_is_none_is_refused(month in 0..20_u8, day in 0..40_u8) {
            let there = civil::Date::new(2026, month as i8, day as i8).is_ok();
            let text = format!("2026-{month:02}-{day:02}T08:00:00Z");
            prop_assert_eq!(Micros::parse(&text).is_ok(), there);
        }
    }
}
