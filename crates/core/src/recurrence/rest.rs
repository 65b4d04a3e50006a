//! The rest of a series once an occurrence of it is completed or left out.

use super::rule::{End, Frequency};
use super::series::{RepeatsFrom, Series};
use crate::calendar::{Day, LocalTime};
use crate::zone::Utc;

impl Series {
    /// The rest of the series after the occurrence at its start, which was completed on a day: it starts with the next
    /// occurrence. None where the series is over.
    ///
    /// A series that goes on from due is next due after both the occurrence and the day of its completion, so that
    /// nothing is due in the past. A series of whole days is meant; of another one the time of day stays.
    pub fn rest(&self, done_on: Day) -> Option<Series> {
        match self.from {
            RepeatsFrom::Due => self.rest_from_due(done_on),
            RepeatsFrom::Completion => self.rest_from_completion(done_on),
        }
    }

    /// The rest of the series without the occurrence at its start.
    pub fn rest_without_first(&self) -> Option<Series> {
        self.rest_from_due(self.start.day)
    }

    fn rest_from_due(&self, done_on: Day) -> Option<Series> {
        let after = self.start.day.max(done_on);
        let next = self
            .occurrences(&Utc, None)
            .find(|local| local.day > after)?;
        let mut rest = self.clone();
        rest.start = next;
        rest.exdates.retain(|date| *date >= next);
        if let End::Count(count) = rest.rule.end {
            let passed = self.of_rule(&Utc, None).take_while(|local| *local < next);
            rest.rule.end = End::Count(count - passed.count() as u32);
        }
        Some(rest)
    }

    /// Counted from the day of the completion, at the time of day of the series.
    fn rest_from_completion(&self, done_on: Day) -> Option<Series> {
        let mut rest = self.clone();
        // The count is that of the completions.
        let left = match self.rule.end {
            End::Count(count) => Some(count - 1),
            _ => None,
        };
        if left == Some(0) {
            return None;
        }
        if left.is_some() {
            rest.rule.end = End::Never;
        }
        let interval = i64::from(self.rule.interval);
        let months = match self.rule.frequency {
            Frequency::Monthly => Some(interval),
            Frequency::Yearly => Some(12 * interval),
            Frequency::Daily | Frequency::Weekly => None,
        };
        // A month after the 31st is the last day of a shorter month: nobody chose that day of the month.
        rest.start.day = match months.filter(|_| self.rule.is_plain()) {
            Some(months) => done_on.plus_months(months),
            None => done_on,
        };
        let is_next = |local: &LocalTime| local.day > done_on;
        let next = rest.occurrences(&Utc, None).find(is_next)?;
        rest.start = next;
        rest.exdates.retain(|date| *date >= next);
        if let Some(left) = left {
            rest.rule.end = End::Count(left);
        }
        Some(rest)
    }
}
