//! From the phrases of a text to what it means: when, how often, and the title that is left.

use std::ops::Range;

use jiff::civil::Weekday;
use serde::Serialize;
use serde_json::Value;

use super::clocks::TimeItem;
use super::dates::DateItem;
use super::lexicon::Unit;
use super::parser::Parser;
use super::phrases::{Item, Phrase};
use super::repeats::RepeatItem;
use super::tokens::{Token, tokens};
use crate::calendar::{ClockChange, DAY_SECONDS, Day, LocalTime};
use crate::language::Language;
use crate::recurrence::{End, Frequency, MAX_COUNT, MAX_INTERVAL, Series};
use crate::time::Micros;
use crate::zone::Zone;

/// The longest text that is read, in bytes; a longer one is all title.
pub const MAX_TEXT: usize = 2_000;

/// Where and when a text is read.
pub struct TimeContext<'a> {
    /// The language of the text.
    pub language: Language,
    /// The time.
    pub now: Micros,
    /// The person's zone.
    pub zone: &'a dyn Zone,
    /// The first day of the week.
    pub week_start: Weekday,
}

/// The kind of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// A day or several.
    Date,
    /// A time of day or a span of it.
    Time,
    /// A repetition.
    Repeat,
    /// A deadline, or the end of a repetition.
    Until,
    /// The beginning of a repetition or of what is looked for.
    Since,
    /// How long something takes or goes on.
    Duration,
    /// How many times something repeats.
    Count,
}

/// Words that were understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimePart {
    /// The kind.
    pub kind: PartKind,
    /// The first byte in the text, in UTF-8.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// The first place in the text in UTF-16, as JavaScript counts.
    pub utf16_start: usize,
    /// The place after the last one, in UTF-16.
    pub utf16_end: usize,
}

/// How the time stands to what the text is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// Then.
    #[default]
    At,
    /// Then at the latest: "by Friday".
    Until,
    /// From then on: "since Monday".
    Since,
}

/// The time that a text names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct When {
    /// The local time, or the day where no time of day is named. Of a repetition the first occurrence.
    pub start: LocalTime,
    /// The local end of a span; of days, the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<LocalTime>,
    /// The instant of the start.
    pub at: Micros,
    /// The effect of a change of the clock on the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_change: Option<ClockChange>,
    /// How it stands to what the text is about.
    pub relation: Relation,
    /// The recurrence, as a record keeps it: of whole days, the time of day beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Value>,
}

/// The meaning of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The text without the words that were understood.
    pub title: String,
    /// The words that were understood, in their order.
    pub parts: Vec<TimePart>,
    /// The time; missing where the text names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

/// Reads the time out of a text. Words within `kept`, byte ranges that a person keeps as text, are not looked at.
pub fn read(text: &str, context: &TimeContext<'_>, kept: &[Range<usize>]) -> Reading {
    let untouched = || Reading {
        title: text.trim().to_owned(),
        ..Reading::default()
    };
    if text.len() > MAX_TEXT {
        return untouched();
    }
    let tokens = tokens(text, context.language, kept);
    let parser = Parser {
        tokens: &tokens,
        language: context.language,
        now: LocalTime::at(context.zone, context.now),
        week_start: context.week_start,
    };
    let phrases = parser.phrases();
    // The end of a text is where people write the time, then its beginning.
    let (last, others): (Vec<_>, Vec<_>) = phrases
        .iter()
        .partition(|phrase| phrase.words.end == tokens.len());
    let mut meant = Meant::default();
    let mut used = Vec::new();
    for phrase in last.into_iter().chain(others) {
        if let Some(with) = meant.with(phrase) {
            meant = with;
            used.extend(
                phrase
                    .items
                    .iter()
                    .map(|(item, words)| part(text, &tokens, item, words)),
            );
        }
    }
    let Some(when) = meant.when(context, parser.now) else {
        return untouched();
    };
    used.sort_by_key(|part| part.start);
    Reading {
        title: title(text, &used),
        parts: used,
        when: Some(when),
    }
}

fn part(text: &str, tokens: &[Token], item: &Item, words: &Range<usize>) -> TimePart {
    let (start, end) = (
        tokens[words.start].range.start,
        tokens[words.end - 1].range.end,
    );
    let utf16 = |at: usize| text[..at].encode_utf16().count();
    TimePart {
        kind: match item {
            Item::Date(_) => PartKind::Date,
            Item::Time(_) => PartKind::Time,
            Item::Repeat(_) => PartKind::Repeat,
            Item::Until(_) | Item::UntilTime(_) => PartKind::Until,
            Item::Since(_) => PartKind::Since,
            Item::Length(..) => PartKind::Duration,
            Item::Count(_) => PartKind::Count,
        },
        start,
        end,
        utf16_start: utf16(start),
        utf16_end: utf16(end),
    }
}

/// The text without its used parts, with single spaces, and without the punctuation that stood between them.
fn title(text: &str, used: &[TimePart]) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut at = 0;
    for (start, end) in used
        .iter()
        .map(|part| (part.start, part.end))
        .chain([(text.len(), text.len())])
    {
        let mut between = &text[at..start];
        // Punctuation right behind a used part went with it.
        if at > 0 {
            between = between.trim_start_matches([',', ';', ':', '.', ')', ']', '!', '?']);
        }
        if start < text.len() {
            between = between.trim_end_matches(['(', '[']);
        }
        words.extend(between.split_whitespace());
        at = end;
    }
    let title = words.join(" ");
    let edges = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '-' | '–' | '—');
    title.trim_matches(edges).to_owned()
}

/// The meaning of all phrases of a text. Each thing is meant once.
#[derive(Clone, Debug, Default)]
struct Meant {
    date: Option<DateItem>,
    time: Option<TimeItem>,
    repeat: Option<RepeatItem>,
    until: Option<DateItem>,
    until_time: bool,
    since: Option<DateItem>,
    length: Option<(i64, Unit)>,
    count: Option<u32>,
}

impl Meant {
    /// The meaning with that of another phrase; None where the two contradict each other.
    fn with(&self, phrase: &Phrase) -> Option<Meant> {
        fn once<T: Clone>(place: &mut Option<T>, value: &T) -> Option<()> {
            place.is_none().then(|| *place = Some(value.clone()))
        }
        let mut meant = self.clone();
        for (item, _) in &phrase.items {
            match item {
                Item::Date(date) => once(&mut meant.date, date)?,
                Item::Time(time) => once(&mut meant.time, time)?,
                Item::Repeat(repeat) => once(&mut meant.repeat, repeat)?,
                Item::Until(date) => once(&mut meant.until, date)?,
                Item::UntilTime(time) => {
                    meant.until_time = true;
                    once(&mut meant.time, time)?;
                }
                Item::Since(date) => once(&mut meant.since, date)?,
                Item::Length(number, unit) => once(&mut meant.length, &(*number, *unit))?,
                Item::Count(count) => once(&mut meant.count, count)?,
            }
        }
        // A deadline or a beginning is a date of its own, unless something repeats.
        let dates = [
            meant.date.is_some(),
            meant.until.is_some(),
            meant.since.is_some(),
        ];
        let fits = meant.repeat.is_some()
            || dates.iter().filter(|there| **there).count() <= 1 && meant.count.is_none();
        fits.then_some(meant)
    }

    fn when(&self, context: &TimeContext<'_>, now: LocalTime) -> Option<When> {
        let second = self
            .time
            .map(|time| time.start)
            .or_else(|| self.date?.second);
        match &self.repeat {
            Some(repeat) => self.repeated(repeat, second.or(repeat.second), context, now),
            None => self.once(second, context, now),
        }
    }

    fn once(&self, second: Option<u32>, context: &TimeContext<'_>, now: LocalTime) -> Option<When> {
        let (date, relation) = match (self.date, self.until, self.since) {
            (Some(date), ..) => (Some(date), Relation::At),
            (_, Some(until), _) => {
                // The end of a month or week is its last day.
                let day = until.last.unwrap_or(until.day);
                let until = DateItem {
                    day,
                    last: None,
                    ..until
                };
                (Some(until), Relation::Until)
            }
            (.., Some(since)) => (
                Some(DateItem {
                    last: None,
                    ..since
                }),
                Relation::Since,
            ),
            _ if self.until_time => (None, Relation::Until),
            _ => (None, Relation::At),
        };
        let second = second.or_else(|| date?.second);
        let start = match (date, second) {
            (Some(date), second) => local(date.day, second),
            (None, Some(second)) => {
                let today = local(now.day, Some(second));
                let passed = today <= now;
                local(now.day.plus(i64::from(passed)), Some(second))
            }
            (None, None) => return None,
        };
        let last = date.and_then(|date| date.last);
        let end = self.end(start, last)?;
        Some(when(context, start, end, relation, None))
    }

    /// The end of a span. The outer None says that a duration means nothing here.
    fn end(&self, start: LocalTime, last: Option<Day>) -> Option<Option<LocalTime>> {
        if let Some(end) = self.time.and_then(|time| time.end) {
            let day = last.unwrap_or(start.day);
            let end = local(day, Some(end));
            let next = LocalTime {
                day: day.plus(1),
                ..end
            };
            return Some(Some(if end <= start { next } else { end }));
        }
        match (self.length, start.second) {
            (None, _) => Some(last.map(LocalTime::day)),
            (Some((number, Unit::Minute)), Some(_)) => Some(Some(start.plus_seconds(number * 60))),
            (Some((number, Unit::Hour)), Some(_)) => Some(Some(start.plus_seconds(number * 3600))),
            (Some((number, Unit::Day)), None) => {
                Some(Some(LocalTime::day(start.day.plus(number - 1))))
            }
            (Some((number, Unit::Week)), None) => {
                Some(Some(LocalTime::day(start.day.plus(7 * number - 1))))
            }
            // The length counts something else.
            (Some(_), _) => None,
        }
    }

    fn repeated(
        &self,
        repeat: &RepeatItem,
        second: Option<u32>,
        context: &TimeContext<'_>,
        now: LocalTime,
    ) -> Option<When> {
        let from = self.since.or(self.date).map(|date| date.day);
        let mut rule = repeat.rule.clone();
        if rule.interval > MAX_INTERVAL || self.count.is_some_and(|count| count > MAX_COUNT) {
            return None;
        }
        rule.week_start = context.week_start.to_monday_zero_offset();
        // The first day of the week changes nothing but a rule of several weeks.
        if rule.frequency != Frequency::Weekly || rule.interval == 1 {
            rule.week_start = 0;
        }
        let mut series = Series {
            rule: rule.clone(),
            start: local(from.unwrap_or(now.day), second),
            exdates: Vec::new(),
            from: repeat.from,
        };
        // The first occurrence is the next one that there is; the interval counts from it.
        series.rule.interval = 1;
        let ahead = |name: &LocalTime| from.is_some() || name.second.is_none() || *name > now;
        series.start = match rule.is_plain() {
            true if ahead(&series.start) => series.start,
            true => local(now.day.plus(1), second),
            false => series.occurrences(context.zone, None).find(ahead)?,
        };
        series.rule = rule;
        let until = self.until.map(|until| until.last.unwrap_or(until.day));
        // "every day from 5 to 9 December".
        let last = match (until.or(self.date.and_then(|date| date.last)), self.length) {
            (Some(last), _) => Some(last),
            (None, Some((number, Unit::Day))) => Some(series.start.day.plus(number - 1)),
            (None, Some((number, Unit::Week))) => Some(series.start.day.plus(7 * number - 1)),
            (None, Some((number, Unit::Month))) => {
                Some(series.start.day.plus_months(number).plus(-1))
            }
            (None, Some((number, Unit::Year))) => {
                Some(series.start.day.plus_months(12 * number).plus(-1))
            }
            _ => None,
        };
        series.rule.end = match (self.count, last) {
            (Some(_), Some(_)) => return None,
            (Some(count), None) => End::Count(count),
            (None, Some(last)) => End::UntilLocal(LocalTime::day(last)),
            (None, None) => End::Never,
        };
        if last.is_some_and(|last| last < series.start.day) {
            return None;
        }
        let hours = self.length.filter(|(_, unit)| *unit <= Unit::Hour);
        let span = Meant {
            length: hours,
            ..self.clone()
        };
        let end = span.end(series.start, None)?;
        let start = series.start;
        series.start.second = None;
        Some(when(
            context,
            start,
            end,
            Relation::At,
            Some(series.stored()),
        ))
    }
}

/// A day and a time on it, where 24:00 is midnight of the next day.
fn local(day: Day, second: Option<u32>) -> LocalTime {
    match second {
        Some(second) if second >= DAY_SECONDS => LocalTime {
            day: day.plus(1),
            second: Some(second - DAY_SECONDS),
        },
        second => LocalTime { day, second },
    }
}

fn when(
    context: &TimeContext<'_>,
    start: LocalTime,
    end: Option<LocalTime>,
    relation: Relation,
    recurrence: Option<Value>,
) -> When {
    let (at, clock_change) = start.instant(context.zone);
    When {
        start,
        end,
        at,
        clock_change,
        relation,
        recurrence,
    }
}
