//! The time and the place of a query.

use jiff::{Timestamp, civil, tz::TimeZone};

use crate::time::Micros;

/// When and where a query runs: what `$now` and `$today` mean, and when a day begins.
#[derive(Debug, Clone)]
pub struct QueryContext {
    /// The time.
    pub now: Micros,
    /// The time zone of the person.
    pub zone: TimeZone,
}

impl QueryContext {
    /// The day, as a date's text.
    pub fn today(&self) -> String {
        let now = Timestamp::from_microsecond(self.now.0).unwrap_or_default();
        self.zone.to_datetime(now).date().to_string()
    }

    /// The instant at which a day begins, and that at which the next one does.
    pub(super) fn day(&self, date: &str) -> Option<(Micros, Micros)> {
        let date: civil::Date = date.parse().ok()?;
        let start = |date: civil::Date| {
            let start = date.to_zoned(self.zone.clone()).ok()?;
            Some(Micros(start.timestamp().as_microsecond()))
        };
        Some((start(date)?, start(date.tomorrow().ok()?)?))
    }
}
