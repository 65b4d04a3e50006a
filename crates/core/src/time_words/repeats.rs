//! Repetitions: "every other Monday", "jeden letzten Freitag im Monat", "täglich".

use super::dates::Strength;
use super::lexicon::{Lex, Unit};
use super::parser::{Found, Parser, weekday_of};
use crate::language::Language;
use crate::recurrence::{Frequency, RepeatsFrom, Rule, RuleDay};

/// A rule, without its end.
#[derive(Clone, Debug)]
pub(super) struct RepeatItem {
    pub(super) rule: Rule,
    /// The time of day, in seconds, that the words name with the rule.
    pub(super) second: Option<u32>,
    pub(super) from: RepeatsFrom,
    pub(super) strength: Strength,
}

impl RepeatItem {
    fn of(rule: Rule) -> RepeatItem {
        RepeatItem {
            rule,
            second: None,
            from: RepeatsFrom::Due,
            strength: Strength::Strong,
        }
    }
}

impl Parser<'_> {
    /// A repetition at a place.
    pub(super) fn repeat(&self, at: usize) -> Found<RepeatItem> {
        let (mut item, mut next) = match self.lex(at)? {
            Lex::Every => self.every(at + 1)?,
            Lex::Adverb(frequency, interval) => {
                let (rule, next) = self.details(Rule::every(frequency, interval), at + 1);
                let mut item = RepeatItem::of(rule);
                // In English the word is an adjective too: "weekly report".
                let followed = self.is_end(next)
                    || matches!(self.lex(next), Some(Lex::At | Lex::Until | Lex::Since));
                let clear = self.language == Language::German || next > at + 1 || followed;
                item.strength = if clear { Strength::Strong } else { return None };
                (item, next)
            }
            Lex::Weekdays(_) | Lex::Workdays => self.plural_weekdays(at)?,
            Lex::On if matches!(self.lex(at + 1), Some(Lex::Weekdays(_) | Lex::Workdays)) => {
                self.plural_weekdays(at + 1)?
            }
            _ => self.of_every_month(at)?,
        };
        // "after completion", "nach Erledigung".
        if matches!(self.lex(next), Some(Lex::After | Lex::Past))
            && self.is(next + 1, Lex::Completion)
        {
            item.from = RepeatsFrom::Completion;
            next += 2;
        }
        Some((item, next))
    }

    fn every(&self, at: usize) -> Found<RepeatItem> {
        let repeat = |rule: Rule, next| Some((RepeatItem::of(rule), next));
        if self.is(at, Lex::Other)
            || matches!(
                self.lex(at),
                Some(Lex::Ordinal(_) | Lex::Last | Lex::NextToLast)
            )
            || self.numbered(at).is_some()
        {
            return self.every_so_manieth(at);
        }
        // "alle 3 Tage", "every 2 weeks".
        if let (Some(number), Some(Lex::Unit(unit))) = (self.number(at), self.lex(at + 1)) {
            let (rule, next) = self.details(
                Rule::every(
                    frequency(unit)?,
                    u32::try_from(number).ok().filter(|n| *n > 0)?,
                ),
                at + 2,
            );
            return repeat(rule, next);
        }
        if let Some(found) = self.every_date(at) {
            return Some(found);
        }
        match self.lex(at)? {
            Lex::Unit(unit) => {
                let (rule, next) = self.details(Rule::every(frequency(unit)?, 1), at + 1);
                repeat(rule, next)
            }
            Lex::Workday | Lex::Workdays => repeat(
                Rule::every(Frequency::Weekly, 1).on(&WORKDAYS.map(weekday_of)),
                at + 1,
            ),
            Lex::Weekend => repeat(
                Rule::every(Frequency::Weekly, 1).on(&[5, 6].map(weekday_of)),
                at + 1,
            ),
            Lex::Part(part) => {
                let mut item = RepeatItem::of(Rule::every(Frequency::Daily, 1));
                item.second = Some(part.hour() * 3600);
                Some((item, at + 1))
            }
            Lex::Morgen => {
                let mut item = RepeatItem::of(Rule::every(Frequency::Daily, 1));
                item.second = Some(9 * 3600);
                Some((item, at + 1))
            }
            _ => {
                let (days, next) = self.weekdays(at)?;
                let mut item = RepeatItem::of(weekly(1, &days));
                let part = match self.lex(next) {
                    Some(Lex::Part(part)) => Some(part.hour()),
                    Some(Lex::Morgen) => Some(9),
                    _ => None,
                };
                item.second = part.map(|hour| hour * 3600);
                Some((item, next + usize::from(part.is_some())))
            }
        }
    }

    /// The part after "every other", "every second", "every last", "every 15th".
    fn every_so_manieth(&self, at: usize) -> Found<RepeatItem> {
        let ordinal = if self.is(at, Lex::Other) {
            2
        } else {
            self.ordinal(at)?
        };
        let numbered = self.numbered(at);
        let unit = self.lex(at + 1);
        if let Some(Lex::Unit(unit)) = unit {
            // "every last day of the month".
            if unit == Unit::Day && (ordinal < 0 || self.month_after(at + 2).is_some()) {
                let (_, next) = self.month_after(at + 2)?;
                let mut rule = Rule::every(Frequency::Monthly, 1);
                rule.month_days.push(ordinal);
                return Some((RepeatItem::of(rule), next));
            }
            if ordinal < 1 {
                return None;
            }
            let (rule, next) = self.details(Rule::every(frequency(unit)?, ordinal as u32), at + 2);
            return Some((RepeatItem::of(rule), next));
        }
        if let Some((days, next)) = self.weekdays(at + 1) {
            if let Some((month, next)) = self.month_after(next) {
                return Some((RepeatItem::of(ordinal_days(ordinal, &days, month)), next));
            }
            // "every second Monday" is every other one; any other number counts in the month.
            let rule = match ordinal {
                2 => weekly(2, &days),
                ordinal => ordinal_days(ordinal, &days, None),
            };
            return Some((RepeatItem::of(rule), next));
        }
        if self.is(at + 1, Lex::Workday) && self.month_after(at + 2).is_some() {
            let (_, next) = self.month_after(at + 2)?;
            let mut rule = Rule::every(Frequency::Monthly, 1).on(&WORKDAYS.map(weekday_of));
            rule.positions.push(ordinal);
            return Some((RepeatItem::of(rule), next));
        }
        self.month(self.skip(at + 1, Lex::Of)).map_or_else(
            || {
                // "every 15th", "jeden 15. im Monat".
                let day = numbered.filter(|day| (1..=31).contains(day))?;
                let next = self.month_after(at + 1).map_or(at + 1, |(_, next)| next);
                let mut rule = Rule::every(Frequency::Monthly, 1);
                rule.month_days.push(day as i16);
                Some((RepeatItem::of(rule), next))
            },
            |_| self.every_date(at),
        )
    }

    /// "every 24 December", "jeden 24. Dezember".
    fn every_date(&self, at: usize) -> Found<RepeatItem> {
        let (date, next) = self.written_date(at)?;
        Some((RepeatItem::of(yearly_on(date.day.date())), next))
    }

    /// "montags und donnerstags", "on Mondays", "werktags".
    fn plural_weekdays(&self, at: usize) -> Found<RepeatItem> {
        let led = at > 0 && self.is(at - 1, Lex::On);
        if self.language == Language::English && !led {
            return None;
        }
        if self.is(at, Lex::Workdays) {
            return Some((
                RepeatItem::of(Rule::every(Frequency::Weekly, 1).on(&WORKDAYS.map(weekday_of))),
                at + 1,
            ));
        }
        let (days, next) = self.weekdays(at)?;
        Some((RepeatItem::of(weekly(1, &days)), next))
    }

    /// "am 15. jedes Monats", "the first Monday of every month".
    fn of_every_month(&self, at: usize) -> Found<RepeatItem> {
        let start = self.skip(self.skip(at, Lex::On), Lex::The);
        let ordinal = self.ordinal(start)?;
        let days = self.weekdays(start + 1);
        let is_day = self.is(start + 1, Lex::Unit(Unit::Day));
        let next = days
            .as_ref()
            .map_or(start + 1 + usize::from(is_day), |(_, next)| *next);
        let every = match self.lex(next)? {
            Lex::Of | Lex::In => next + 1,
            _ => next,
        };
        if !self.is(every, Lex::Every) || !self.is(every + 1, Lex::Unit(Unit::Month)) {
            return None;
        }
        let rule = match days {
            Some((days, _)) => ordinal_days(ordinal, &days, None),
            None => {
                let mut rule = Rule::every(Frequency::Monthly, 1);
                rule.month_days.push(ordinal);
                rule
            }
        };
        Some((RepeatItem::of(rule), every + 2))
    }

    /// The days that may follow a unit's repetition: "on Monday", "am 15.", "on the last Friday", "am 24. Dezember".
    fn details(&self, mut rule: Rule, at: usize) -> (Rule, usize) {
        let led = self.is(at, Lex::On);
        let start = self.skip(self.skip(at, Lex::On), Lex::The);
        match rule.frequency {
            Frequency::Weekly => {
                let plural = matches!(self.lex(at), Some(Lex::Weekdays(_)));
                if let Some((days, next)) = (led || plural).then(|| self.weekdays(start)).flatten()
                {
                    return (
                        rule.on(&days.iter().map(|day| weekday_of(*day)).collect::<Vec<_>>()),
                        next,
                    );
                }
            }
            Frequency::Monthly if led => {
                if let Some(ordinal) = self.ordinal(start) {
                    if let Some((days, next)) = self.weekdays(start + 1) {
                        rule.days = ordinal_days(ordinal, &days, None).days;
                        return (rule, next);
                    }
                    let is_day = self.is(start + 1, Lex::Unit(Unit::Day));
                    if (1..=31).contains(&ordinal) || is_day {
                        rule.month_days.push(ordinal);
                        return (rule, start + 1 + usize::from(is_day));
                    }
                }
            }
            Frequency::Yearly if led => {
                if let Some((date, next)) = self.written_date(start) {
                    let on = yearly_on(date.day.date());
                    (rule.months, rule.month_days) = (on.months, on.month_days);
                    return (rule, next);
                }
            }
            _ => {}
        }
        (rule, at)
    }

    /// A weekday or several: "Monday and Thursday", "Mo, Mi und Fr", "Monday to Friday", "Mo-Fr".
    fn weekdays(&self, at: usize) -> Found<Vec<i8>> {
        let day = |at: usize| match self.lex(at) {
            Some(Lex::Weekday(day) | Lex::ShortWeekday(day) | Lex::Weekdays(day)) => Some(day),
            _ => None,
        };
        let first = day(at)?;
        let mut days = vec![first];
        let mut next = at + 1;
        if let (Some(Lex::Dash | Lex::To | Lex::Until), Some(last)) =
            (self.lex(next), day(next + 1))
        {
            let length = (last - first).rem_euclid(7);
            days.extend((1..=length).map(|n| (first + n) % 7));
            return Some((days, next + 2));
        }
        loop {
            let comma = next > 0 && self.tokens[next - 1].ends;
            let joined = match self.lex(next) {
                Some(Lex::And) => next + 1,
                _ if comma => next,
                _ => break,
            };
            // A weekday with a date of its own is not a part of the list.
            let Some(another) = day(joined) else {
                break;
            };
            days.push(another);
            next = joined + 1;
        }
        Some((days, next))
    }
}

const WORKDAYS: [i8; 5] = [0, 1, 2, 3, 4];

fn weekly(interval: u32, days: &[i8]) -> Rule {
    let days: Vec<_> = days.iter().map(|day| weekday_of(*day)).collect();
    Rule::every(Frequency::Weekly, interval).on(&days)
}

/// The so-manieth such weekdays of each month, or of a month each year.
fn ordinal_days(ordinal: i16, days: &[i8], month: Option<i64>) -> Rule {
    let frequency = if month.is_some() {
        Frequency::Yearly
    } else {
        Frequency::Monthly
    };
    let mut rule = Rule::every(frequency, 1);
    rule.months.extend(month.map(|month| month as i16));
    rule.days = days
        .iter()
        .map(|weekday| RuleDay {
            ordinal,
            weekday: *weekday,
        })
        .collect();
    rule.days.sort_unstable();
    rule
}

fn yearly_on((_, month, day): (i64, i64, i64)) -> Rule {
    let mut rule = Rule::every(Frequency::Yearly, 1);
    rule.months.push(month as i16);
    rule.month_days.push(day as i16);
    rule
}

/// The frequency of a unit; minutes and hours have none.
fn frequency(unit: Unit) -> Option<Frequency> {
    match unit {
        Unit::Minute | Unit::Hour => None,
        Unit::Day => Some(Frequency::Daily),
        Unit::Week => Some(Frequency::Weekly),
        Unit::Month => Some(Frequency::Monthly),
        Unit::Year => Some(Frequency::Yearly),
    }
}
