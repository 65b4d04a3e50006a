//! A device's clock: never back, never twice the same, close to the server's.

use serde::{Deserialize, Serialize};

use crate::{change::FUTURE_TOLERANCE, time::Micros};

/// Gives stamps from wall times that are passed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clock {
    /// The last stamp given.
    pub last: Micros,
    /// Microseconds by which the server's clock is ahead of the local one.
    #[serde(default)]
    pub offset: i64,
}

impl Clock {
    /// The next stamp at the local wall time `now`: later than every one before.
    pub fn tick(&mut self, now: Micros) -> Micros {
        self.last = now.plus(self.offset).max(self.last.plus(1));
        self.last
    }

    /// Takes note of the server's time, read at the local wall time `now`.
    ///
    /// Stamps that the server would set back are forgotten: otherwise a clock that once ran ahead
    /// would stay ahead for ever.
    pub fn observe(&mut self, server_time: Micros, now: Micros) {
        self.offset = server_time.0.saturating_sub(now.0);
        if self.last > server_time.plus(FUTURE_TOLERANCE) {
            self.last = server_time;
        }
    }
}
