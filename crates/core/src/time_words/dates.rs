//! Days: "tomorrow", "next Monday", "5. Dezember", "in drei Tagen", "last Friday of the month".

use super::german::weekday_with_part;
use super::lexicon::{DayPart, Lex, Unit};
use super::parser::{Found, Parser, digits, weekday_of};
use crate::calendar::{Day, month_length};
use crate::language::Language;

/// How surely words speak of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// A word that is something else more often: "sun", "So".
    Short,
    /// A word that needs the edge of the text: "in June".
    Edge,
    /// A weekday, which needs the end of the text or of a clause.
    Weekday,
    /// Nothing else.
    Strong,
}

/// A day, or several.
#[derive(Clone, Copy, Debug)]
pub(super) struct DateItem {
    pub(super) day: Day,
    /// The last day of several.
    pub(super) last: Option<Day>,
    /// The time of day, in seconds, that the words name with the day.
    pub(super) second: Option<u32>,
    pub(super) strength: Strength,
}

impl DateItem {
    fn on(day: Day, strength: Strength) -> DateItem {
        DateItem {
            day,
            last: None,
            second: None,
            strength,
        }
    }

    fn from_to(day: Day, last: Day, strength: Strength) -> DateItem {
        DateItem {
            last: Some(last),
            ..DateItem::on(day, strength)
        }
    }
}

impl Parser<'_> {
    /// A day with what leads it in and the part of it: "on Monday", "tomorrow morning".
    pub(super) fn date(&self, at: usize) -> Found<DateItem> {
        let led = self.is(at, Lex::On);
        let start = self.skip(at + usize::from(led), Lex::The);
        let (mut item, mut next) = self.plain_date(at, start, led)?;
        if led {
            item.strength = Strength::Strong;
        }
        let part = match self.lex(next) {
            Some(Lex::Part(part)) => Some(part),
            Some(Lex::Morgen) => Some(DayPart::Morning),
            _ => None,
        };
        if let Some(part) = part.filter(|_| item.second.is_none() && item.last.is_none()) {
            item.second = Some(part.hour() * 3600);
            item.strength = Strength::Strong;
            next += 1;
        }
        Some((item, next))
    }

    fn plain_date(&self, at: usize, start: usize, led: bool) -> Found<DateItem> {
        let found = self
            .relative(start, led)
            .or_else(|| self.distance(at))
            .or_else(|| self.of_month(start))
            .or_else(|| self.week_or_weekday(start))
            .or_else(|| self.written_date(start))
            .or_else(|| self.end_of(start));
        match found {
            Some(found) => Some(found),
            // "on the 15th", "am 15.".
            None if led => {
                let day = self.numbered(start)?;
                Some((
                    DateItem::on(self.next_of_month(day)?, Strength::Strong),
                    start + 1,
                ))
            }
            None => self.in_month(at),
        }
    }

    fn relative(&self, at: usize, led: bool) -> Found<DateItem> {
        let today = self.today();
        let strong = |day| DateItem::on(day, Strength::Strong);
        match self.lex(at)? {
            Lex::Relative(days) => Some((strong(today.plus(days)), at + 1)),
            Lex::Tonight => {
                let mut item = strong(today);
                item.second = Some(20 * 3600);
                Some((item, at + 1))
            }
            // The noun is the morning; as the first word it may be either.
            Lex::Morgen if !led && (at == 0 || !self.tokens[at].capital) => {
                Some((strong(today.plus(1)), at + 1))
            }
            Lex::Unit(Unit::Day)
                if self.is(at + 1, Lex::After) && self.is(at + 2, Lex::Relative(1)) =>
            {
                Some((strong(today.plus(2)), at + 3))
            }
            Lex::EndOf(_) | Lex::Weekend if led => {
                let saturday = self.weekend(0);
                Some((
                    DateItem::from_to(saturday, saturday.plus(1), Strength::Strong),
                    at + 1,
                ))
                .filter(|_| self.is(at, Lex::Weekend))
            }
            _ => None,
        }
    }

    /// The Saturday of the week that is so many weeks ahead. On a Sunday it is the day before.
    fn weekend(&self, weeks: i64) -> Day {
        let today = self.today();
        let saturday = match today.weekday() {
            jiff::civil::Weekday::Sunday => today.plus(-1),
            _ => today.on_or_after(jiff::civil::Weekday::Saturday),
        };
        saturday.plus(7 * weeks)
    }

    /// "in 3 days", "in half an hour", "3 days ago", "vor drei Tagen".
    fn distance(&self, at: usize) -> Found<DateItem> {
        let (start, sign) = match self.lex(at) {
            Some(Lex::In) if self.word(at) == "in" => (at + 1, 1),
            Some(Lex::Before) => (at + 1, -1),
            _ => (at, 0),
        };
        let is_half = match self.lex(start) {
            Some(Lex::Half) => self.is(start + 1, Lex::Article),
            Some(Lex::Article) => self.is(start + 1, Lex::Half),
            _ => false,
        };
        let half = is_half.then_some(start + 2);
        if let Some(unit) = half.filter(|_| sign == 1) {
            let is_hour = self.is(unit, Lex::Unit(Unit::Hour));
            return is_hour.then(|| (self.minutes_away(30), unit + 1));
        }
        let number = self.number(start)?;
        let Lex::Unit(unit) = self.lex(start + 1)? else {
            return None;
        };
        let mut next = start + 2;
        let number = match sign {
            0 if self.is(next, Lex::Ago) => {
                next += 1;
                -number
            }
            0 => return None,
            sign => sign * number,
        };
        let today = self.today();
        let on = |day| DateItem::on(day, Strength::Strong);
        let item = match unit {
            Unit::Minute => self.minutes_away(number),
            Unit::Hour => self.minutes_away(60 * number),
            Unit::Day => on(today.plus(number)),
            Unit::Week => on(today.plus(7 * number)),
            Unit::Month => on(today.plus_months(number)),
            Unit::Year => on(today.plus_months(12 * number)),
        };
        Some((item, next))
    }

    fn minutes_away(&self, minutes: i64) -> DateItem {
        let then = self.now.plus_seconds(minutes * 60);
        DateItem {
            // A time in words has no seconds.
            second: then.second.map(|second| second / 60 * 60),
            ..DateItem::on(then.day, Strength::Strong)
        }
    }

    /// "last Friday of the month", "erster Montag im Juni", "last day of the month".
    fn of_month(&self, at: usize) -> Found<DateItem> {
        let ordinal = self.ordinal(at)?;
        let weekday = self.weekday(at + 1);
        if weekday.is_none() && !self.is(at + 1, Lex::Unit(Unit::Day)) {
            return None;
        }
        let (month, next) = self.month_after(at + 2)?;
        let this = self.today().date();
        let first = match month {
            Some(month) => Day::new(this.0, month, 1)?,
            None => Day::new(this.0, this.1, 1)?,
        };
        let step = if month.is_some() { 12 } else { 1 };
        let in_month = |first: Day| {
            let (year, month, _) = first.date();
            let length = month_length(year, month);
            let day = match (weekday, ordinal) {
                (Some(weekday), 1..) => first
                    .on_or_after(weekday_of(weekday))
                    .plus(7 * i64::from(ordinal - 1)),
                (Some(weekday), _) => {
                    let last_week = first.plus(length - 7).on_or_after(weekday_of(weekday));
                    last_week.plus(7 * i64::from(ordinal + 1))
                }
                (None, 1..) => first.plus(i64::from(ordinal) - 1),
                (None, _) => first.plus(length + i64::from(ordinal)),
            };
            (day >= first && day < first.plus(length)).then_some(day)
        };
        let mut months = (0..=12)
            .map(|n| first.plus_months(n * step))
            .filter_map(in_month);
        let day = months.find(|day| *day >= self.today())?;
        Some((DateItem::on(day, Strength::Strong), next))
    }

    /// "of the month", "im Juni": the month, or None for this one.
    pub(super) fn month_after(&self, at: usize) -> Found<Option<i64>> {
        let (Some(Lex::Of | Lex::In), start) = (self.lex(at), at + 1) else {
            return None;
        };
        let start = self.skip(self.skip(start, Lex::The), Lex::This);
        match (self.month(start), self.lex(start)) {
            (Some(month), _) => Some((Some(month), start + 1)),
            (None, Some(Lex::Unit(Unit::Month))) => Some((None, start + 1)),
            _ => None,
        }
    }

    /// "next week", "this Friday", "Monday", "Montagabend", "Friday next week", "Monday, 5 December".
    fn week_or_weekday(&self, at: usize) -> Found<DateItem> {
        let today = self.today();
        let on = |day, strength| DateItem::on(day, strength);
        if let Some((weekday, part)) =
            weekday_with_part(self.word(at)).filter(|_| self.language == Language::German)
        {
            let mut item = on(
                today.plus(1).on_or_after(weekday_of(weekday)),
                Strength::Weekday,
            );
            item.second = Some(part.hour() * 3600);
            return Some((item, at + 1));
        }
        if let Some(weekday) = self.weekday(at) {
            let day = weekday_of(weekday);
            let short = matches!(self.lex(at), Some(Lex::ShortWeekday(_)));
            let date = self.skip(self.skip(at + 1, Lex::The), Lex::The);
            if let Some((written, next)) = self.written_date(date) {
                return (written.day.weekday() == day).then_some((written, next));
            }
            if let Some((first, next)) = self.week_away(at + 1) {
                return Some((on(first.on_or_after(day), Strength::Strong), next));
            }
            // In German "So", "Do" and "Mi" need their capital.
            let written_as_word =
                self.language == Language::German && short && !self.tokens[at].capital;
            let strength = if short {
                Strength::Short
            } else {
                Strength::Weekday
            };
            let found = (on(today.plus(1).on_or_after(day), strength), at + 1);
            return (!written_as_word).then_some(found);
        }
        let direction = match self.lex(at)? {
            Lex::Next => 1,
            Lex::This | Lex::Coming => 0,
            Lex::Last => -1,
            _ => return None,
        };
        let coming = self.is(at, Lex::Coming);
        let (year, month, _) = today.date();
        let item = match self.lex(at + 1)? {
            Lex::Weekday(weekday) | Lex::ShortWeekday(weekday) => {
                let weekday = weekday_of(weekday);
                let day = match direction {
                    1 => today
                        .week_start(self.week_start)
                        .plus(7)
                        .on_or_after(weekday),
                    -1 => today.plus(-7).on_or_after(weekday),
                    _ => today.plus(i64::from(coming)).on_or_after(weekday),
                };
                on(day, Strength::Strong)
            }
            Lex::Unit(Unit::Week) => {
                let ahead = direction + i64::from(coming);
                let first = today.week_start(self.week_start).plus(7 * ahead);
                if let Some(weekday) = self.weekday(at + 2) {
                    let day = first.on_or_after(weekday_of(weekday));
                    return Some((on(day, Strength::Strong), at + 3));
                }
                DateItem::from_to(first, first.plus(6), Strength::Strong)
            }
            Lex::Unit(Unit::Month) => {
                let first = Day::new(year, month, 1)?.plus_months(direction + i64::from(coming));
                DateItem::from_to(first, first.plus_months(1).plus(-1), Strength::Strong)
            }
            Lex::Unit(Unit::Year) => {
                let year = year + direction + i64::from(coming);
                DateItem::from_to(
                    Day::new(year, 1, 1)?,
                    Day::new(year, 12, 31)?,
                    Strength::Strong,
                )
            }
            Lex::Weekend => {
                let saturday = self.weekend(direction);
                DateItem::from_to(saturday, saturday.plus(1), Strength::Strong)
            }
            Lex::Part(part) if direction == 0 && !coming => DateItem {
                second: Some(part.hour() * 3600),
                ..on(today, Strength::Strong)
            },
            _ => return None,
        };
        Some((item, at + 2))
    }

    /// "next week" after a weekday: the first day of that week.
    fn week_away(&self, at: usize) -> Found<Day> {
        let weeks = match self.lex(at)? {
            Lex::Next | Lex::Coming => 1,
            Lex::This => 0,
            _ => return None,
        };
        let first = self.today().week_start(self.week_start).plus(7 * weeks);
        self.is(at + 1, Lex::Unit(Unit::Week))
            .then_some((first, at + 2))
    }

    /// "2026-12-05", "5.12.", "5 December 2026", "December 5th", "5. bis 7. Dezember".
    pub(super) fn written_date(&self, at: usize) -> Found<DateItem> {
        if let Some(day) = self.in_numbers(self.word(at)) {
            return Some((DateItem::on(day, Strength::Strong), at + 1));
        }
        let day_at = |at: usize| {
            let plain = || digits(self.word(at), 2).filter(|_| self.language == Language::English);
            self.numbered(at)
                .or_else(plain)
                .filter(|day| (1..=31).contains(day))
        };
        let joined = |at: usize| matches!(self.lex(at), Some(Lex::Dash | Lex::To | Lex::Until));
        let (first, last, month, mut next) = if let Some(first) = day_at(at) {
            // "5. bis zum 7. Dezember".
            let second = self.skip(at + 2, Lex::The);
            let last = if joined(at + 1) { day_at(second) } else { None };
            let next = self.skip(if last.is_some() { second + 1 } else { at + 1 }, Lex::Of);
            (first, last, self.month(next)?, next + 1)
        } else {
            let month = self.month(at)?;
            let first = day_at(at + 1)?;
            // "may 5" and "march 5" need a capital or an ending.
            let weak = matches!(self.lex(at), Some(Lex::WeakMonth(_)));
            if weak && !self.tokens[at].capital && self.numbered(at + 1).is_none() {
                return None;
            }
            let last = if joined(at + 2) { day_at(at + 3) } else { None };
            (first, last, month, at + if last.is_some() { 4 } else { 2 })
        };
        let year = digits(self.word(next), 4).filter(|year| (1900..=2200).contains(year));
        if year.is_some() {
            next += 1;
        }
        let day = self.day_in(year, month, first)?;
        let last = match last {
            Some(last) => Some(Day::new(day.year(), month, last).filter(|last| *last > day)?),
            None => None,
        };
        let item = DateItem {
            last,
            ..DateItem::on(day, Strength::Strong)
        };
        Some((item, next))
    }

    /// A day of a month; without a year the next one that there is.
    fn day_in(&self, year: Option<i64>, month: i64, day: i64) -> Option<Day> {
        let this = self.today().year();
        match year {
            Some(year) => Day::new(year, month, day),
            None => (this..this + 9)
                .filter_map(|year| Day::new(year, month, day))
                .find(|day| *day >= self.today()),
        }
    }

    /// The next such day of a month.
    fn next_of_month(&self, day: i64) -> Option<Day> {
        let today = self.today();
        let (year, month, _) = today.date();
        let first = Day::new(year, month, 1)?;
        let mut days = (0..12).filter_map(|n| {
            let (year, month, _) = first.plus_months(n).date();
            Day::new(year, month, day)
        });
        days.find(|day| *day >= today)
    }

    /// A date in numbers that has one reading: the day first with dots, the year first with dashes.
    fn in_numbers(&self, word: &str) -> Option<Day> {
        if word.len() == 10 && word.as_bytes()[4] == b'-' {
            return Day::parse(word);
        }
        let separator = word.chars().find(|c| !c.is_ascii_digit())?;
        let mut parts = word.split(separator);
        let (one, two) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let year = match (parts.next(), parts.next()) {
            (Some(""), None) => None,
            (Some(year), None) if year.len() == 4 => digits(year, 4),
            (Some(year), None) if year.len() == 2 && separator == '.' => {
                digits(year, 2).map(|year| year + 2000)
            }
            _ => return None,
        };
        match separator {
            '.' if year.is_some() || word.ends_with('.') => self.day_in(year, two, one),
            // 5/12 and 12/5 are two days in two countries.
            '/' if year.is_some() && (one > 12 || one == two) => self.day_in(year, two, one),
            '/' if year.is_some() && two > 12 => self.day_in(year, one, two),
            _ => None,
        }
    }

    /// "end of the month", "Ende der Woche", "Monatsende".
    fn end_of(&self, at: usize) -> Found<DateItem> {
        let (unit, next) = match self.lex(at)? {
            Lex::EndOf(unit) => (unit, at + 1),
            Lex::End => {
                let start = self.skip(self.skip(self.skip(at + 1, Lex::Of), Lex::The), Lex::This);
                match self.lex(start)? {
                    Lex::Unit(unit) => (unit, start + 1),
                    _ => return None,
                }
            }
            _ => return None,
        };
        let today = self.today();
        let (year, month, _) = today.date();
        let day = match unit {
            Unit::Week => today.week_start(self.week_start).plus(6),
            Unit::Month => Day::new(year, month, month_length(year, month))?,
            Unit::Year => Day::new(year, 12, 31)?,
            Unit::Minute | Unit::Hour | Unit::Day => return None,
        };
        Some((DateItem::on(day, Strength::Strong), next))
    }

    /// "in June", "im Juni 2027".
    fn in_month(&self, at: usize) -> Found<DateItem> {
        let month = self.is(at, Lex::In).then(|| self.whole_month(at + 1))??;
        Some(month)
    }

    /// A month with or without its year, which has a capital in both languages.
    pub(super) fn whole_month(&self, at: usize) -> Found<DateItem> {
        let month = self.month(at).filter(|_| self.tokens[at].capital)?;
        let year = digits(self.word(at + 1), 4).filter(|year| (1900..=2200).contains(year));
        let (this, now, _) = self.today().date();
        let of = year.unwrap_or(this + i64::from(month < now));
        let first = Day::new(of, month, 1)?;
        let strength = if year.is_some() {
            Strength::Strong
        } else {
            Strength::Edge
        };
        let item = DateItem::from_to(first, first.plus_months(1).plus(-1), strength);
        Some((item, at + 1 + usize::from(year.is_some())))
    }
}
