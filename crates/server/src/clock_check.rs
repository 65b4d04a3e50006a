//! Whether the clock can be right: the newest row is its witness.

use std::fmt;

use mana_core::Micros;

/// How far the newest row may lie ahead: clocks that are set right differ by seconds.
const BEHIND: i64 = 5 * 60 * 1_000_000;

/// The age of the newest row past which the clock may be the one that is wrong: a year.
const AHEAD: i64 = 365 * DAY;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Why the clock may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockDoubt {
    /// The newest row is later than the clock.
    Behind {
        /// The time of the row.
        newest: Micros,
        /// The clock's time.
        now: Micros,
    },
    /// The newest row is more than a year older than the clock.
    Ahead {
        /// The time of the row.
        newest: Micros,
        /// The clock's time.
        now: Micros,
    },
}

impl ClockDoubt {
    /// The remedy.
    pub const REMEDY: &str = "set the machine's clock (`timedatectl set-ntp true`) and start Mana again; due times \
        that a wrong clock wrote are put right at the start";
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockDoubt::Behind { newest, now } => write!(
                f,
                "the clock shows {now}, but the newest row was written at {newest}: the clock is behind, or was ahead \
                 then"
            ),
            ClockDoubt::Ahead { newest, now } => write!(
                f,
                "the clock shows {now}, and the newest row was written {} days before: unless nothing was written \
                 for so long, the clock is ahead",
                (now.0 - newest.0) / DAY
            ),
        }
    }
}

/// Returns why the clock may be wrong, judged by the time of the newest row.
pub fn doubt(newest: Option<Micros>, now: Micros) -> Option<ClockDoubt> {
    let newest = newest?;
    if newest.0.saturating_sub(now.0) > BEHIND {
        return Some(ClockDoubt::Behind { newest, now });
    }
    (now.0.saturating_sub(newest.0) > AHEAD).then_some(ClockDoubt::Ahead { newest, now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_doubted_by_the_newest_row() {
        let now = Micros(1_800_000_000_000_000);
        for (offset, doubted) in [
            (-DAY, false),
            (0, false),
            (BEHIND, false),
            (BEHIND + 1, true),
            (400 * DAY, true),
        ] {
            assert_eq!(
                doubt(Some(now.plus(offset)), now).is_some(),
                doubted,
                "{offset}"
            );
        }
        assert!(doubt(Some(now.plus(-366 * DAY)), now).is_some());
        assert_eq!(doubt(None, now), None);
        let said = doubt(Some(now.plus(400 * DAY)), now).unwrap().to_string();
        assert!(said.contains("2028-02-19"), "{said}");
    }
}
