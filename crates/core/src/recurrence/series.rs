//! A series: a rule with the local time from which it counts, and the exceptions to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::days::Days;
use super::rule::{End, Rule};
use crate::calendar::{DAY_SECONDS, Day, LocalTime};
use crate::problem::Problem;
use crate::zone::{Utc, Zone};

/// The most exceptions of a series.
pub const MAX_EXCEPTIONS: usize = 1_000;

/// The event from which the next occurrence is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepeatsFrom {
    /// The occurrence that was due.
    #[default]
    Due,
    /// The day on which the occurrence was completed.
    Completion,
}

/// A series as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The rule.
    pub rule: Rule,
    /// The local time from which the rule counts: a day where all of it happens on whole days.
    pub start: LocalTime,
    /// Occurrences that do not happen (`EXDATE`), in order.
    pub exdates: Vec<LocalTime>,
    /// How it goes on.
    pub from: RepeatsFrom,
}

/// A recurrence as a record keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The rule of RFC 5545: `FREQ=WEEKLY;BYDAY=MO`.
    pub(super) rule: String,
    /// The local time from which the rule counts, `2026-12-05T09:00`; a day, `2026-12-05`, where it is all-day. Where
    /// it is missing, the rule counts from the day of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<String>,
    /// Local times of occurrences that do not happen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) exdates: Vec<String>,
    /// How it goes on; missing: from due.
    #[serde(default, skip_serializing_if = "is_from_due")]
    pub(super) from: RepeatsFrom,
}

fn is_from_due(from: &RepeatsFrom) -> bool {
    *from == RepeatsFrom::Due
}

impl Stored {
    /// Reads a record's value: an object, or the text of a rule alone.
    pub(super) fn parse(value: &Value) -> Result<Stored, Problem> {
        if let Some(rule) = value.as_str() {
            return Ok(Stored {
                rule: rule.to_owned(),
                start: None,
                exdates: Vec::new(),
                from: RepeatsFrom::Due,
            });
        }
        crate::json::from_value(value.clone()).map_err(|error| {
            let message = format!("This is no recurrence: {error}. Give it a rule.");
            Problem::new("rule", "invalid", message)
        })
    }
}

impl Series {
    /// Reads a series from a record's value. `day` is that of the record, from which a recurrence without a start
    /// counts. The problem names the part: `rule`, `start` or `exdates`.
    pub fn parse(value: &Value, day: Day) -> Result<Series, Problem> {
        let stored = Stored::parse(value)?;
        let start = match &stored.start {
            None => LocalTime::day(day),
            Some(text) => LocalTime::parse(text.trim()).ok_or_else(|| no_time("start", text))?,
        };
        if stored.exdates.len() > MAX_EXCEPTIONS {
            let message =
                format!("There are more than {MAX_EXCEPTIONS} exceptions. Take some away.");
            return Err(Problem::new("exdates", "range", message));
        }
        let exception = |text: &String| {
            let date = LocalTime::parse(text.trim()).ok_or_else(|| no_time("exdates", text))?;
            Ok(of_the_kind(date, start))
        };
        let exdates = stored.exdates.iter().map(exception);
        let mut exdates = exdates.collect::<Result<Vec<_>, Problem>>()?;
        exdates.sort_unstable();
        exdates.dedup();
        let series = Series {
            rule: Rule::parse(&stored.rule)?,
            start,
            exdates,
            from: stored.from,
        };
        if Days::new(&series.rule, start.day).next().is_none() {
            let message = "The rule names days that never come. Change them.";
            return Err(Problem::new("rule", "never", message));
        }
        Ok(series)
    }

    /// The series as a record keeps it, in its one form: the end of an all-day series is a day.
    pub fn stored(&self) -> Value {
        let stored = Stored {
            rule: self.written_rule(),
            start: Some(self.start.to_string()),
            exdates: self.exdates.iter().map(LocalTime::to_string).collect(),
            from: self.from,
        };
        serde_json::to_value(stored).unwrap_or_default()
    }

    pub(super) fn written_rule(&self) -> String {
        let mut rule = self.rule.clone();
        if let Some(last) = self
            .last_local(&Utc)
            .filter(|_| self.start.second.is_none())
        {
            rule.end = End::UntilLocal(LocalTime::day(last.day));
        }
        rule.to_string()
    }

    /// The last local time that `UNTIL` allows.
    pub(super) fn last_local(&self, zone: &dyn Zone) -> Option<LocalTime> {
        match self.rule.end {
            End::Never | End::Count(_) => None,
            End::UntilLocal(LocalTime { day, second }) => Some(LocalTime {
                day,
                second: Some(second.unwrap_or(DAY_SECONDS - 1)),
            }),
            End::Until(at) => Some(LocalTime::at(zone, at)),
        }
    }

    /// The local times of the rule from `from` on, in order, up to its end. Without `COUNT` nothing before `from` is
    /// computed.
    pub(super) fn of_rule(
        &self,
        zone: &dyn Zone,
        from: Option<LocalTime>,
    ) -> impl Iterator<Item = LocalTime> + use<> {
        let mut days = Days::new(&self.rule, self.start.day);
        let mut left = usize::MAX;
        match (self.rule.end, from) {
            (End::Count(count), _) => left = count as usize,
            (_, Some(from)) => days.seek(from.day),
            (_, None) => {}
        }
        let (second, last) = (self.start.second, self.last_local(zone));
        let at = |local: LocalTime| LocalTime {
            second: Some(local.second.unwrap_or(0)),
            ..local
        };
        days.take(left)
            .map(move |day| LocalTime { day, second })
            .take_while(move |local| last.is_none_or(|last| at(*local) <= last))
            .skip_while(move |local| from.is_some_and(|from| *local < from))
    }

    /// The local times of the occurrences from `from` on, in order: those of the rule less the exceptions.
    pub fn occurrences<'a>(
        &'a self,
        zone: &dyn Zone,
        from: Option<LocalTime>,
    ) -> impl Iterator<Item = LocalTime> + use<'a> {
        let of_rule = self.of_rule(zone, from);
        of_rule.filter(|local| self.exdates.binary_search(local).is_err())
    }
}

/// A date of the same kind as the start: a day in an all-day series, else a time, the start's where none is given.
fn of_the_kind(date: LocalTime, start: LocalTime) -> LocalTime {
    LocalTime {
        day: date.day,
        second: start.second.map(|second| date.second.unwrap_or(second)),
    }
}

fn no_time(field: &str, text: &str) -> Problem {
    let message =
        format!("“{text}” is no day and no local time. Write 2026-12-05 or 2026-12-05T09:00.");
    Problem::new(field, "invalid", message)
}
