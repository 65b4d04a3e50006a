//! Phrases: expressions of time that stand together, and whether a text means them.

use std::ops::Range;

use super::clocks::TimeItem;
use super::dates::{DateItem, Strength};
use super::lexicon::{Lex, Unit};
use super::meaning::{keeps_as_text, keeps_as_text_after};
use super::parser::{Found, Parser};
use super::repeats::RepeatItem;
use crate::language::Language;

/// An expression of time.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Date(DateItem),
    Time(TimeItem),
    Repeat(RepeatItem),
    /// An end of a repetition, or a deadline.
    Until(DateItem),
    /// "by 5pm": the word before a time.
    UntilTime(TimeItem),
    /// A beginning.
    Since(DateItem),
    /// "for 2 hours".
    Length(i64, Unit),
    /// "5 times".
    Count(u32),
}

/// Expressions that stand together, each with its words.
#[derive(Clone, Debug)]
pub(super) struct Phrase {
    pub(super) items: Vec<(Item, Range<usize>)>,
    pub(super) words: Range<usize>,
}

impl Parser<'_> {
    /// The phrases that a text means, in their order.
    pub(super) fn phrases(&self) -> Vec<Phrase> {
        let mut phrases = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let phrase = self.phrase(at);
            at = match &phrase {
                Some(phrase) => phrase.words.end,
                None => at + 1,
            };
            phrases.extend(phrase.filter(|phrase| self.is_meant(phrase)));
        }
        phrases
    }

    fn phrase(&self, start: usize) -> Option<Phrase> {
        let mut items = Vec::new();
        let mut at = start;
        while let Some((item, next)) = self.item(at) {
            items.push((item, at..next));
            at = next;
        }
        (!items.is_empty()).then_some(Phrase {
            items,
            words: start..at,
        })
    }

    fn item(&self, at: usize) -> Found<Item> {
        fn as_item<T>(found: Found<T>, item: impl Fn(T) -> Item) -> Found<Item> {
            found.map(|(found, next)| (item(found), next))
        }
        self.tokens.get(at)?;
        as_item(self.repeat(at), Item::Repeat)
            .or_else(|| self.until(at))
            .or_else(|| as_item(self.date_range(at), Item::Date))
            .or_else(|| as_item(self.time(at), Item::Time))
            .or_else(|| as_item(self.date(at), Item::Date))
            .or_else(|| self.since(at))
            .or_else(|| self.length(at))
            .or_else(|| self.count(at))
    }

    /// "from Monday to Friday", "5 Dec - 9 Dec".
    fn date_range(&self, at: usize) -> Found<DateItem> {
        let led = matches!(self.lex(at), Some(Lex::Since | Lex::Between));
        let start = self.skip(at + usize::from(led), Lex::The);
        // "vom 5. bis 7. Dezember" is one date with its last day.
        let (first, next) = self.date(start)?;
        if first.last.is_some() && led {
            return Some((first, next));
        }
        let joined = match self.lex(next)? {
            Lex::Dash | Lex::To | Lex::Until => true,
            Lex::And => self.is(at, Lex::Between),
            _ => false,
        };
        if !joined || first.last.is_some() || first.second.is_some() {
            return None;
        }
        let (last, next) = self.date(self.skip(next + 1, Lex::The))?;
        if last.second.is_some() || last.last.is_some() {
            return None;
        }
        let after = if last.day < first.day {
            last.day.plus(7)
        } else {
            last.day
        };
        let item = DateItem {
            day: first.day,
            last: Some(after),
            second: None,
            strength: if led {
                Strength::Strong
            } else {
                first.strength.max(last.strength)
            },
        };
        (after >= first.day).then_some((item, next))
    }

    /// "until 30 June", "by Friday", "bis Juni", "by 5pm".
    fn until(&self, at: usize) -> Found<Item> {
        if !self.is(at, Lex::Until) {
            return None;
        }
        let start = self.skip(at + 1, Lex::The);
        // "due in 3 days", "due on Monday".
        let date = self.date(start).or_else(|| self.whole_month(start));
        let (date, next) = match date {
            Some(found) => found,
            None => {
                let (time, next) = self.time(start)?;
                return time.sure.then_some((Item::UntilTime(time), next));
            }
        };
        let until = DateItem {
            strength: Strength::Strong,
            ..date
        };
        Some((Item::Until(until), next))
    }

    /// "since Monday", "ab Montag", "starting 5 January".
    fn since(&self, at: usize) -> Found<Item> {
        if !matches!(self.word(at), "since" | "starting" | "from" | "seit" | "ab") {
            return None;
        }
        let (mut date, next) = self.date(self.skip(at + 1, Lex::On))?;
        // A weekday since which something lasts is past.
        let past = matches!(self.word(at), "since" | "seit");
        if past && date.strength <= Strength::Weekday {
            date.day = date.day.plus(-7);
        }
        date.strength = Strength::Strong;
        Some((Item::Since(date), next))
    }

    /// "for 2 hours", "2h", "30 min", "für einen Tag".
    fn length(&self, at: usize) -> Found<Item> {
        let led = self.is(at, Lex::For);
        let start = at + usize::from(led);
        if let Some(hours) = self
            .word(start)
            .strip_suffix('h')
            .and_then(|text| super::parser::digits(text, 2))
        {
            return Some((Item::Length(hours, Unit::Hour), start + 1));
        }
        if led
            && self.is(start, Lex::Half)
            && self.is(start + 1, Lex::Article)
            && self.is(start + 2, Lex::Unit(Unit::Hour))
        {
            return Some((Item::Length(30, Unit::Minute), start + 3));
        }
        let Lex::Unit(unit) = self.lex(start + 1)? else {
            return None;
        };
        let number = self.number(start).filter(|_| led || unit <= Unit::Hour)?;
        Some((Item::Length(number, unit), start + 2))
    }

    /// "5 times", "fünfmal".
    fn count(&self, at: usize) -> Found<Item> {
        match self.lex(at) {
            Some(Lex::SoManyTimes(count)) => Some((Item::Count(count), at + 1)),
            _ => {
                let count = self.number(at).filter(|_| self.is(at + 1, Lex::Times))?;
                Some((
                    Item::Count(u32::try_from(count).ok().filter(|n| *n > 0)?),
                    at + 2,
                ))
            }
        }
    }

    /// Whether the text means a phrase, by its words and by those around it.
    fn is_meant(&self, phrase: &Phrase) -> bool {
        let Range { start, end } = phrase.words;
        let led = matches!(
            self.lex(start),
            Some(
                Lex::On
                    | Lex::At
                    | Lex::In
                    | Lex::Until
                    | Lex::Since
                    | Lex::Between
                    | Lex::Every
                    | Lex::Before
            )
        );
        let after_clause = start == 0 || self.tokens[start - 1].ends;
        if !led && !after_clause && keeps_as_text(self.language, self.word(start - 1)) {
            return false;
        }
        let closed = self.is_end(end);
        if !closed && keeps_as_text_after(self.language, self.word(end)) {
            return false;
        }
        let strengths = phrase.items.iter().map(|(item, _)| match item {
            Item::Date(date) | Item::Until(date) | Item::Since(date) => Some(date.strength),
            Item::Time(time) | Item::UntilTime(time) if time.sure => Some(Strength::Strong),
            Item::Time(_) | Item::UntilTime(_) => Some(Strength::Edge),
            Item::Repeat(repeat) => Some(repeat.strength),
            Item::Length(..) | Item::Count(_) => None,
        });
        let only_time = phrase
            .items
            .iter()
            .all(|(item, _)| !matches!(item, Item::Date(_) | Item::Repeat(_)));
        let with_lone_part =
            only_time && strengths.clone().flatten().all(|one| one == Strength::Edge);
        match strengths.flatten().max() {
            None | Some(Strength::Short) => false,
            Some(Strength::Edge) => !with_lone_part && (closed || start == 0),
            // In German the verb may follow the day.
            Some(Strength::Weekday) => {
                closed
                    || self.language == Language::German && start == 0 && !self.tokens[end].capital
            }
            Some(Strength::Strong) => true,
        }
    }
}
