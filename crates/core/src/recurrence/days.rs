//! The days on which a rule happens, one after the other.

use jiff::civil::Weekday;

use super::rule::{Frequency, Rule, RuleDay};
use crate::calendar::{Day, month_length};
use crate::time::days_from_civil;

/// The days on which a rule happens from its start on, in order. `COUNT` and `UNTIL` are not looked at.
///
/// The iterator ends with the calendar, and where the rule has happened in no period of a whole cycle of 400 years, in
/// which the Gregorian calendar repeats: such a rule never happens again.
pub(super) struct Days {
    rule: Rule,
    start: Day,
    /// The number of the period to look into next: the n-th `INTERVAL` since the start.
    period: i64,
    /// The days of the period before it, the last one first.
    found: Vec<Day>,
    empty: u32,
}

impl Days {
    /// The days from a start on. The start says whatever the rule leaves open: weekday, day of the month, month.
    pub(super) fn new(rule: &Rule, start: Day) -> Days {
        let mut rule = rule.clone();
        let (_, month, day) = start.date();
        let weekdays_alone = rule.months.is_empty();
        if rule.week_numbers.is_empty()
            && rule.year_days.is_empty()
            && rule.month_days.is_empty()
            && rule.days.is_empty()
        {
            match rule.frequency {
                Frequency::Daily => {}
                Frequency::Weekly => rule.days.push(RuleDay {
                    ordinal: 0,
                    weekday: start.weekday().to_monday_zero_offset(),
                }),
                Frequency::Monthly => rule.month_days.push(day as i16),
                Frequency::Yearly => {
                    rule.month_days.push(day as i16);
                    if weekdays_alone {
                        rule.months.push(month as i16);
                    }
                }
            }
        }
        Days {
            rule,
            start,
            period: 0,
            found: Vec::new(),
            empty: 0,
        }
    }

    /// Goes on with the period of a day, or with the start where that is later.
    pub(super) fn seek(&mut self, day: Day) {
        let since = self.unit(day) - self.unit(self.start);
        self.period = since.div_euclid(i64::from(self.rule.interval)).max(0);
        self.found.clear();
        self.empty = 0;
    }

    fn week_start(&self) -> Weekday {
        Weekday::from_monday_zero_offset(self.rule.week_start).unwrap_or(Weekday::Monday)
    }

    /// The number of the unit (day, week, month, year) in which a day lies.
    fn unit(&self, day: Day) -> i64 {
        let (year, month, _) = day.date();
        match self.rule.frequency {
            Frequency::Daily => day.0,
            Frequency::Weekly => day.week_start(self.week_start()).0.div_euclid(7),
            Frequency::Monthly => year * 12 + month - 1,
            Frequency::Yearly => year,
        }
    }

    /// The first and the last day of the period that is next.
    fn bounds(&self) -> Option<(Day, Day)> {
        let units = self.period.saturating_mul(i64::from(self.rule.interval));
        let (first, last) = match self.rule.frequency {
            Frequency::Daily => {
                let day = self.start.plus(units);
                (day, day)
            }
            Frequency::Weekly => {
                let first = self.start.week_start(self.week_start()).plus(7 * units);
                (first, first.plus(6))
            }
            Frequency::Monthly => {
                let month = self.unit(self.start) + units;
                let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
                let first = Day::new(year, month, 1)?;
                (first, first.plus(month_length(year, month) - 1))
            }
            Frequency::Yearly => {
                let year = self.start.year() + units;
                (Day::new(year, 1, 1)?, Day::new(year, 12, 31)?)
            }
        };
        (last <= Day::MAX).then_some((first, last))
    }

    /// Fills `found` with the days of a period. None where the calendar has ended.
    fn look(&mut self) -> Option<()> {
        let (first, last) = self.bounds()?;
        self.period += 1;
        let mut day = first;
        while day <= last {
            let (year, month, of_month) = day.date();
            let length = month_length(year, month);
            let month_start = day.plus(1 - of_month);
            let month_end = month_start.plus(length - 1).min(last);
            if !allows(&self.rule.months, month) {
                day = month_end.plus(1);
                continue;
            }
            let year_days = self.year_days(year);
            while day <= month_end {
                if self.happens(day, day.0 - month_start.0 + 1, length, year_days) {
                    self.found.push(day);
                }
                day = day.plus(1);
            }
        }
        if !self.rule.positions.is_empty() {
            self.pick_positions();
        }
        let start = self.start;
        self.found.retain(|day| *day >= start);
        self.found.reverse();
        Some(())
    }

    /// The first day and the length of a year, where the rule asks for either.
    fn year_days(&self, year: i64) -> (i64, i64) {
        let asked = !self.rule.year_days.is_empty() || !self.rule.days.is_empty();
        if !asked {
            return (0, 0);
        }
        let first = days_from_civil((year, 1, 1));
        let next = days_from_civil((year + 1, 1, 1));
        (first, next - first)
    }

    fn happens(&self, day: Day, of_month: i64, month: i64, (year_start, year): (i64, i64)) -> bool {
        let rule = &self.rule;
        counts(&rule.month_days, of_month, month)
            && counts(&rule.year_days, day.0 - year_start + 1, year)
            && self.is_in_week(day)
            && (rule.days.is_empty()
                || rule.days.iter().any(|rule_day| {
                    if rule_day.weekday != day.weekday().to_monday_zero_offset() {
                        return false;
                    }
                    let in_year = rule.frequency == Frequency::Yearly && rule.months.is_empty();
                    let (place, length) = match in_year {
                        true => (day.0 - year_start + 1, year),
                        false => (of_month, month),
                    };
                    let ordinal = i64::from(rule_day.ordinal);
                    ordinal == 0
                        || ordinal == (place - 1) / 7 + 1
                        || ordinal == -((length - place) / 7 + 1)
                }))
    }

    /// Whether a day lies in a week of `BYWEEKNO`: the first week of a year has four days of it or more.
    fn is_in_week(&self, day: Day) -> bool {
        if self.rule.week_numbers.is_empty() {
            return true;
        }
        // The fourth day of a week says whose week it is.
        let fourth = day.week_start(self.week_start()).plus(3);
        let year = fourth.year();
        let start = days_from_civil((year, 1, 1));
        let end = days_from_civil((year + 1, 1, 1));
        let number = (fourth.0 - start) / 7 + 1;
        let after = (end - 1 - fourth.0) / 7;
        counts(&self.rule.week_numbers, number, number + after)
    }

    fn pick_positions(&mut self) {
        let length = self.found.len() as i64;
        let mut place = 0;
        let positions = &self.rule.positions;
        self.found.retain(|_| {
            place += 1;
            counts(positions, place, length)
        });
    }
}

/// Whether a list allows a number. An empty one allows all.
fn allows(list: &[i16], number: i64) -> bool {
    list.is_empty() || list.iter().any(|one| i64::from(*one) == number)
}

/// Whether a list has a place, counted from 1 or, negative, from the end.
fn counts(list: &[i16], place: i64, length: i64) -> bool {
    allows(list, place) || allows(list, place - length - 1)
}

impl Iterator for Days {
    type Item = Day;

    fn next(&mut self) -> Option<Day> {
        // Periods in 400 years, after which days and weekdays are the same again.
        let cycle = match self.rule.frequency {
            Frequency::Daily => 146_097,
            Frequency::Weekly => 20_871,
            Frequency::Monthly => 4_800,
            Frequency::Yearly => 400,
        };
        loop {
            if let Some(day) = self.found.pop() {
                self.empty = 0;
                return Some(day);
            }
            if self.empty > cycle {
                return None;
            }
            self.empty += 1;
            self.look()?;
        }
    }
}
