//! A recurrence rule as RFC 5545 has it, as far as days go, and its text.

use std::fmt;

use jiff::civil::Weekday;

use crate::calendar::{Day, LocalTime};
use crate::time::{DAY, Micros};

/// The unit that a rule counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    /// Days.
    Daily,
    /// Weeks, which begin on the rule's first day of the week.
    Weekly,
    /// Months of the calendar.
    Monthly,
    /// Years of the calendar.
    Yearly,
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nowhere.
    Never,
    /// After so many occurrences of the rule.
    Count(u32),
    /// With a day or a local time, itself included. A day includes all times on it.
    UntilLocal(LocalTime),
    /// With an instant, itself included.
    Until(Micros),
}

/// A weekday of a rule, with its place among those of its month or year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleDay {
    /// The place: 1 for the first, -1 for the last; 0 for every one.
    pub ordinal: i16,
    /// The weekday, from Monday, 0.
    pub weekday: i8,
}

/// A recurrence rule. Empty lists restrict nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `FREQ`.
    pub frequency: Frequency,
    /// `INTERVAL`, at least 1.
    pub interval: u32,
    /// `COUNT` or `UNTIL`.
    pub end: End,
    /// `BYMONTH`, 1 to 12.
    pub months: Vec<i16>,
    /// `BYWEEKNO`, 1 to 53 or -1 to -53.
    pub week_numbers: Vec<i16>,
    /// `BYYEARDAY`, 1 to 366 or -1 to -366.
    pub year_days: Vec<i16>,
    /// `BYMONTHDAY`, 1 to 31 or -1 to -31.
    pub month_days: Vec<i16>,
    /// `BYDAY`.
    pub days: Vec<RuleDay>,
    /// `BYSETPOS`, 1 to 366 or -1 to -366.
    pub positions: Vec<i16>,
    /// `WKST`, from Monday, 0.
    pub week_start: i8,
}

/// The weekdays of RFC 5545, from Monday.
pub(super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Rule {
    /// A rule that happens in each so-manieth unit, without an end.
    pub fn every(frequency: Frequency, interval: u32) -> Rule {
        Rule {
            frequency,
            interval,
            end: End::Never,
            months: Vec::new(),
            week_numbers: Vec::new(),
            year_days: Vec::new(),
            month_days: Vec::new(),
            days: Vec::new(),
            positions: Vec::new(),
            week_start: 0,
        }
    }

    /// The rule with these weekdays, each of them.
    pub fn on(mut self, weekdays: &[Weekday]) -> Rule {
        let day = |weekday: &Weekday| RuleDay {
            ordinal: 0,
            weekday: weekday.to_monday_zero_offset(),
        };
        self.days = weekdays.iter().map(day).collect();
        self.days.sort_unstable();
        self.days.dedup();
        self
    }

    /// Whether unit and interval alone say when the rule happens.
    pub fn is_plain(&self) -> bool {
        let lists = [
            &self.months,
            &self.week_numbers,
            &self.year_days,
            &self.month_days,
        ];
        lists.iter().all(|list| list.is_empty()) && self.days.is_empty()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.frequency {
            Frequency::Daily => "FREQ=DAILY",
            Frequency::Weekly => "FREQ=WEEKLY",
            Frequency::Monthly => "FREQ=MONTHLY",
            Frequency::Yearly => "FREQ=YEARLY",
        })?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        let lists = [
            ("BYMONTH", &self.months),
            ("BYWEEKNO", &self.week_numbers),
            ("BYYEARDAY", &self.year_days),
            ("BYMONTHDAY", &self.month_days),
        ];
        let numbers = |f: &mut fmt::Formatter<'_>, name: &str, list: &[i16]| {
            for (index, number) in list.iter().enumerate() {
                match index {
                    0 => write!(f, ";{name}={number}")?,
                    _ => write!(f, ",{number}")?,
                }
            }
            Ok(())
        };
        for (name, list) in lists {
            numbers(f, name, list)?;
        }
        for (index, day) in self.days.iter().enumerate() {
            f.write_str(if index == 0 { ";BYDAY=" } else { "," })?;
            if day.ordinal != 0 {
                write!(f, "{}", day.ordinal)?;
            }
            f.write_str(WEEKDAYS[day.weekday as usize])?;
        }
        numbers(f, "BYSETPOS", &self.positions)?;
        match self.end {
            End::Never => {}
            End::Count(count) => write!(f, ";COUNT={count}")?,
            End::UntilLocal(until) => write!(f, ";UNTIL={}", Basic(until))?,
            End::Until(at) => {
                let seconds = at.0.rem_euclid(DAY) / 1_000_000;
                let until = LocalTime {
                    day: Day(at.0.div_euclid(DAY)),
                    second: Some(seconds as u32),
                };
                write!(f, ";UNTIL={}Z", Basic(until))?;
            }
        }
        if self.week_start != 0 {
            write!(f, ";WKST={}", WEEKDAYS[self.week_start as usize])?;
        }
        Ok(())
    }
}

/// A local time in RFC 5545's form: `20261205T090000`, `20261205`.
struct Basic(LocalTime);

impl fmt::Display for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.day.date();
        write!(f, "{year:04}{month:02}{day:02}")?;
        match self.0.second {
            None => Ok(()),
            Some(second) => {
                let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
                write!(f, "T{hour:02}{minute:02}{second:02}")
            }
        }
    }
}
