//! When a mission is due: its cadence, read on the wall clock of its time zone.
//!
//! Everything is a function of its arguments. Rules MISSIONS C1–C9.

use std::cmp::Ordering;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use serde_json::Value;

use crate::problem::Problem;
use crate::time::{DAY, Micros, civil_from_days, days_from_civil};
use crate::zone::{Shown, Utc, Zone, resolve};

/// The longest interval that a mission may have: a year of minutes.
pub const MAX_INTERVAL_MINUTES: u32 = 366 * 24 * 60;

/// How often a mission runs.
#[derive(Clone, Debug)]
pub enum Cadence {
    /// Only when a person asks for it.
    Manual,
    /// Every so many minutes, counted from the occurrence before.
    Interval {
        /// Minutes between two occurrences, at least 1.
        every_minutes: u32,
    },
    /// Every day at a time of the wall clock.
    Daily {
        /// The time of day, in microseconds.
        at: i64,
    },
    /// Once a week at a time of the wall clock.
    Weekly {
        /// The day of the week, 0 for Sunday.
        day: i64,
        /// The time of day, in microseconds.
        at: i64,
    },
    /// A cron expression of five fields, or a nickname such as `@daily`.
    Cron {
        /// The parsed expression.
        expression: Box<Cron>,
    },
}

impl Cadence {
    /// Reads the `cadence` of a mission's data. A missing one is manual.
    pub fn parse(value: Option<&Value>) -> Result<Cadence, Problem> {
        let value = match value {
            None | Some(Value::Null) => return Ok(Cadence::Manual),
            Some(value) => value,
        };
        let Some(kind) = value.get("kind").and_then(Value::as_str) else {
            return Err(Problem::new(
                "cadence",
                "invalid",
                "The cadence has no kind. Choose manual, interval, daily, weekly or cron.",
            ));
        };
        match kind {
            "manual" => Ok(Cadence::Manual),
            "interval" => Ok(Cadence::Interval {
                every_minutes: number(value, "everyMinutes", None, 1, MAX_INTERVAL_MINUTES)?,
            }),
            "daily" => Ok(Cadence::Daily {
                at: time_of_day(value)?,
            }),
            "weekly" => {
                let day = number(value, "dayOfWeek", None, 0, 6)?;
                Ok(Cadence::Weekly {
                    day: i64::from(day),
                    at: time_of_day(value)?,
                })
            }
            "cron" => cron(value),
            other => Err(Problem::new(
                "cadence.kind",
                "invalid",
                format!("“{other}” is no cadence. Choose manual, interval, daily, weekly or cron."),
            )),
        }
    }
}

/// The first occurrence strictly after `after`. None for a manual mission,
/// or when there is none before the calendar ends.
pub fn next_after(cadence: &Cadence, zone: &dyn Zone, after: Micros) -> Option<Micros> {
    match cadence {
        Cadence::Manual => None,
        Cadence::Interval { every_minutes } => {
            Some(Micros(after.0.saturating_add(minutes(*every_minutes))))
        }
        Cadence::Daily { at } => earliest(zone, after, |from| Some(from.next(*at, DAY))),
        Cadence::Weekly { day, at } => earliest(zone, after, |from| {
            // The epoch was a Thursday.
            let since = (*day - 4) * DAY + *at;
            Some(from.next(since, 7 * DAY))
        }),
        Cadence::Cron { expression } => {
            let next = |from: Wall| expression.find_next_occurrence(&from, false).ok();
            let first = earliest(zone, after, next);
            match goes_by_elapsed_time(expression) {
                true => first.min(again(zone, after, next).or(first)),
                false => first,
            }
        }
    }
}

/// Whether an expression goes by elapsed time where the clock goes back: its hour is a wildcard (`*`, `*/2`,
/// `@hourly`), so that it means a beat and not a time of day.
fn goes_by_elapsed_time(expression: &Cron) -> bool {
    let text = expression.as_str().trim();
    match text.strip_prefix('@') {
        Some(name) => name.eq_ignore_ascii_case("hourly"),
        None => {
            let hour = text.split_whitespace().nth(1);
            hour.is_some_and(|hour| hour.split(',').any(|part| part.starts_with('*')))
        }
    }
}

/// Whether a mission of this cadence runs daily or more often: ten times or more in two weeks, as on weekdays.
pub fn is_frequent(cadence: &Cadence) -> bool {
    const OFTEN: usize = 10;
    // A Monday without a change of the clock in the two weeks after it.
    let from = Micros(days_from_civil((2024, 1, 1)) * DAY - 1);
    let to = from.plus(14 * DAY);
    occurrences_between(cadence, &Utc, from, to, OFTEN)
        .newest
        .len()
        >= OFTEN
}

/// A time of the wall clock: microseconds since it showed 1970-01-01 00:00.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wall(i64);

impl Wall {
    /// The first time strictly after this one of those that come every `period` from `first`.
    fn next(self, first: i64, period: i64) -> Wall {
        Wall(self.0 + period - (self.0 - first).rem_euclid(period))
    }

    fn days(self) -> i64 {
        self.0.div_euclid(DAY)
    }
}

impl CronDateTime for Wall {
    fn to_civil(&self) -> CivilDateTime {
        let (year, month, day) = civil_from_days(self.days());
        let seconds = (self.0.rem_euclid(DAY) / 1_000_000) as u32;
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(year as i32, month as u32, day as u32),
            CivilTime::from_parts_unchecked(seconds / 3600, seconds / 60 % 60, seconds % 60),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday((self.days() + 4).rem_euclid(7) as u32)
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = i64::from;
        let days = days_from_civil((part(civil.year()), civil.month().into(), civil.day().into()));
        let seconds = (civil.hour() * 60 + civil.minute()) * 60 + civil.second();
        Ok(Resolution::Single(Wall(
            days * DAY + i64::from(seconds) * 1_000_000,
        )))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Some(Wall(self.0.checked_add(seconds.checked_mul(1_000_000)?)?))
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

/// The first occurrence after `now` of the series in which `due` is an
/// occurrence: an interval keeps its beat, however late its runs are.
pub fn next_in_series(
    cadence: &Cadence,
    zone: &dyn Zone,
    due: Micros,
    now: Micros,
) -> Option<Micros> {
    match cadence {
        Cadence::Interval { every_minutes } if due <= now => {
            let step = minutes(*every_minutes);
            Some(Micros(due.0 + ((now.0 - due.0) / step + 1) * step))
        }
        Cadence::Interval { .. } => Some(due),
        _ => next_after(cadence, zone, now),
    }
}

/// Occurrences in a span of time, newest first kept when there are many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occurrences {
    /// The newest of them, oldest first.
    pub newest: Vec<Micros>,
    /// There are earlier ones, which are not listed.
    pub earlier: bool,
}

/// The occurrences after `from` and up to `to`, at most the `max` newest.
///
/// `from` is itself an occurrence (or the mission's beginning), so that an
/// interval is counted from there.
pub fn occurrences_between(
    cadence: &Cadence,
    zone: &dyn Zone,
    from: Micros,
    to: Micros,
    max: usize,
) -> Occurrences {
    if from >= to {
        return Occurrences::default();
    }
    if let Cadence::Interval { every_minutes } = cadence {
        let step = minutes(*every_minutes);
        let total = (to.0 - from.0) / step;
        let listed = total.min(max as i64);
        return Occurrences {
            newest: (total - listed + 1..=total)
                .map(|n| Micros(from.0 + n * step))
                .collect(),
            earlier: total > listed,
        };
    }
    // A span of years may hold a million occurrences. Look back from the end
    // through a window that doubles until it holds enough of them.
    let mut window = 60 * minutes(1);
    loop {
        let start = Micros(from.0.max(to.0.saturating_sub(window)));
        let mut newest = Vec::new();
        let mut at = start;
        while let Some(next) = next_after(cadence, zone, at).filter(|next| *next <= to) {
            newest.push(next);
            at = next;
        }
        if start == from || newest.len() > max {
            let surplus = newest.len().saturating_sub(max);
            newest.drain(..surplus);
            return Occurrences {
                newest,
                earlier: surplus > 0,
            };
        }
        window = window.saturating_mul(2);
    }
}

/// The earliest instant after `after` at which a series of wall-clock times
/// happens. `next` gives the series' first time strictly after a given one.
///
/// A time that the clock jumps over happens later by the jump, a time that
/// happens twice counts the first time. The jump is why the order of instants
/// is not the order of wall-clock times: on Lord Howe Island 02:15 can be
/// later than 02:40.
fn earliest(
    zone: &dyn Zone,
    after: Micros,
    mut next: impl FnMut(Wall) -> Option<Wall>,
) -> Option<Micros> {
    // The offset before a jump reaches back to the times that it shifts.
    let offset = zone
        .offset(after)
        .min(zone.offset(after.plus(-25 * 60 * minutes(1))));
    let mut wall = Wall(after.plus(offset).0);
    let mut best: Option<Micros> = None;
    loop {
        wall = match next(wall).filter(|wall| *wall < END) {
            Some(wall) => wall,
            None => return best,
        };
        let (at, shown) = resolve(zone, wall.0);
        if at > after {
            best = Some(best.map_or(at, |best| best.min(at)));
            if shown != Shown::Never {
                return best;
            }
        }
    }
}

/// The first instant after `after` at which a wall-clock time happens that may have happened before: while the clock
/// shows the times once more that it has just gone back over. None where the clock does not go back before then.
fn again(zone: &dyn Zone, after: Micros, next: impl Fn(Wall) -> Option<Wall>) -> Option<Micros> {
    let at_offset = |from: Micros, offset: i64| {
        let wall = next(Wall(from.plus(offset).0)).filter(|wall| *wall < END)?;
        let at = Micros(wall.0 - offset);
        (zone.offset(at) == offset).then_some(at)
    };
    let offset = zone.offset(after);
    if let Some(at) = at_offset(after, offset) {
        return Some(at);
    }
    // The clock is changed before the next time: look on from the change.
    let wall = next(Wall(after.plus(offset).0)).filter(|wall| *wall < END)?;
    let (mut before, mut changed) = (after, Micros(wall.0 - offset));
    while changed.0 - before.0 > 1 {
        let middle = Micros(before.0 + (changed.0 - before.0) / 2);
        match zone.offset(middle) == offset {
            true => before = middle,
            false => changed = middle,
        }
    }
    at_offset(changed.plus(-1), zone.offset(changed)).filter(|at| *at > after)
}

/// Where the calendar ends, 9999-12-30 on the wall clock.
const END: Wall = Wall(253_402_128_000_000_000);

pub(super) fn minutes(n: u32) -> i64 {
    i64::from(n) * 60_000_000
}

fn number(
    cadence: &Value,
    name: &str,
    default: Option<u32>,
    min: u32,
    max: u32,
) -> Result<u32, Problem> {
    let field = format!("cadence.{name}");
    match (cadence.get(name), default) {
        (None | Some(Value::Null), Some(default)) => Ok(default),
        (None | Some(Value::Null), None) => Err(Problem::new(
            field,
            "required",
            format!("{name} is missing. Give a number from {min} to {max}."),
        )),
        (Some(value), _) => value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && *n >= f64::from(min) && *n <= f64::from(max))
            .map(|n| n as u32)
            .ok_or_else(|| {
                Problem::new(
                    field,
                    "range",
                    format!("{name} must be a whole number from {min} to {max}."),
                )
            }),
    }
}

fn time_of_day(cadence: &Value) -> Result<i64, Problem> {
    let hour = number(cadence, "atHour", None, 0, 23)?;
    let minute = number(cadence, "atMinute", Some(0), 0, 59)?;
    Ok(minutes(hour * 60 + minute))
}

fn cron(cadence: &Value) -> Result<Cadence, Problem> {
    const FIELD: &str = "cadence.expression";
    let text = cadence
        .get("expression")
        .and_then(Value::as_str)
        .unwrap_or("")
        .trim();
    if text.is_empty() {
        return Err(Problem::new(
            FIELD,
            "required",
            "The cron expression is empty. Try “0 8 * * 1-5”.",
        ));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let expression = parser.parse(text).map_err(|error| {
        let fields = text.split_whitespace().count();
        let reason = if fields != 5 && !text.starts_with('@') {
            format!("it has {fields} fields, and needs 5: minute, hour, day of month, month, day of week")
        } else {
            error.to_string().trim_end_matches('.').to_owned()
        };
        Problem::new(FIELD, "invalid", format!("The cron expression “{text}” can't be read: {reason}."))
    })?;
    let somewhen = Wall(days_from_civil((2024, 1, 1)) * DAY);
    if expression.find_next_occurrence(&somewhen, true).is_err() {
        return Err(Problem::new(
            FIELD,
            "never",
            format!("The cron expression “{text}” names a day that never comes."),
        ));
    }
    Ok(Cadence::Cron {
        expression: Box::new(expression),
    })
}

#[cfg(test)]
#[path = "cadence_tests.rs"]
mod tests;
