//! Time zones: the offset of a wall clock, and the instant at which a wall clock shows a time.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::problem::Problem;
use crate::time::{DAY, Micros};

/// A time zone, as far as the core depends on it. The server has the zones of jiff; the browser asks its
/// own, because the data of all zones would be a fifth of the WebAssembly.
///
/// Passed as `dyn`, so that the code over it exists once.
pub trait Zone {
    /// Microseconds by which the wall clock is ahead of UTC at an instant.
    fn offset(&self, at: Micros) -> i64;
}

impl Zone for TimeZone {
    fn offset(&self, at: Micros) -> i64 {
        let seconds = |at| self.to_offset(at).seconds();
        Timestamp::from_microsecond(at.0).map_or(0, |at| i64::from(seconds(at)) * 1_000_000)
    }
}

/// UTC, for which the browser's module needs nothing of jiff.
pub struct Utc;

impl Zone for Utc {
    fn offset(&self, _: Micros) -> i64 {
        0
    }
}

/// Reads an IANA time zone name, such as `Europe/Berlin`.
pub fn time_zone(name: &str) -> Result<TimeZone, Problem> {
    TimeZoneDatabase::bundled()
        .get(name)
        .map_err(|_| unknown_zone(name))
}

/// Returns the problem of a name that no time zone has.
pub fn unknown_zone(name: &str) -> Problem {
    Problem::new(
        "timezone",
        "unknown",
        format!("“{name}” is not a known time zone. Use a name such as Europe/Berlin."),
    )
}

/// How often a wall clock shows a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Once, as usual.
    Once,
    /// Never: the clock jumps over the time.
    Never,
    /// Twice: the clock goes back over the time.
    Twice,
}

/// The instant at which a wall clock shows a time, given in microseconds since it showed 1970-01-01 00:00. A time that
/// the clock jumps over happens later by the jump; a time that it shows twice happens the first time.
///
/// No zone changes its offset twice within two days, so those of a day before and a day after are all
/// that come into question.
pub(crate) fn resolve(zone: &dyn Zone, wall: i64) -> (Micros, Shown) {
    let utc = Micros(wall);
    let (before, after) = (zone.offset(utc.plus(-DAY)), zone.offset(utc.plus(DAY)));
    if before == after {
        return (utc.plus(-before), Shown::Once);
    }
    let happens = |offset: i64| zone.offset(utc.plus(-offset)) == offset;
    match (happens(before), happens(after)) {
        // The greater offset is the earlier instant.
        (true, true) => (utc.plus(-before.max(after)), Shown::Twice),
        (true, false) => (utc.plus(-before), Shown::Once),
        (false, true) => (utc.plus(-after), Shown::Once),
        (false, false) => (utc.plus(-before), Shown::Never),
    }
}
