//! Instants as integers: what stamps are compared by.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil, tz::Offset};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds since the Unix epoch.
///
/// Written as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always with six digits, so that text and integer sort alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Timestamp, value_type = String, format = DateTime, description = "An instant: `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always with six digits where Mana writes it; any RFC 3339 time where it reads one."))]
pub struct Micros(pub i64);

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
    let local = civil::DateTime::new(
        year,
        two(b, 5)?,
        two(b, 8)?,
        two(b, 11)?,
        two(b, 14)?,
        second,
        0,
    )
    .ok()?;
    let utc = Offset::UTC.to_timestamp(local).ok()?;
    Some(Micros(
        (utc.as_second() - offset_seconds) * 1_000_000 + micros,
    ))
}

impl FromStr for Micros {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Micros, TimeError> {
        Micros::parse(text)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Outside of the calendar's range there is nothing sensible to print but its end.
        let end = if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let utc = Offset::UTC.to_datetime(Timestamp::from_microsecond(self.0).unwrap_or(end));
        // By hand, because jiff's printer brings everything that it can print into the browser.
        let (year, month, day) = (utc.year(), utc.month(), utc.day());
        let (hour, minute, second) = (utc.hour(), utc.minute(), utc.second());
        let micros = utc.subsec_nanosecond() / 1000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
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
