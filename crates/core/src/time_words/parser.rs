//! The words of a text at a place, and the day on which they are read.

use jiff::civil::Weekday;

use super::lexicon::Lex;
use super::tokens::Token;
use crate::calendar::{Day, LocalTime};
use crate::language::Language;

/// Reads expressions from the words of a text. Each method takes a place and returns what stands there with the place
/// after it.
pub(super) struct Parser<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) language: Language,
    pub(super) now: LocalTime,
    pub(super) week_start: Weekday,
}

/// The expression at a place, with the place after it.
pub(super) type Found<T> = Option<(T, usize)>;

impl Parser<'_> {
    pub(super) fn today(&self) -> Day {
        self.now.day
    }

    pub(super) fn lex(&self, at: usize) -> Option<Lex> {
        self.tokens.get(at)?.lex
    }

    pub(super) fn is(&self, at: usize, lex: Lex) -> bool {
        self.lex(at) == Some(lex)
    }

    pub(super) fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.word)
    }

    /// The place after a word of this meaning, or the place itself where there is none.
    pub(super) fn skip(&self, at: usize, lex: Lex) -> usize {
        at + usize::from(self.is(at, lex))
    }

    /// Whether a phrase ends before this place: the text does, or punctuation stands there.
    pub(super) fn is_end(&self, at: usize) -> bool {
        at >= self.tokens.len() || at > 0 && self.tokens[at - 1].ends
    }

    /// A whole number in digits, or in words.
    pub(super) fn number(&self, at: usize) -> Option<i64> {
        match self.lex(at) {
            Some(Lex::Number(number)) => Some(number),
            Some(Lex::Article) => Some(1),
            _ => digits(self.word(at), 4),
        }
    }

    /// A number of an order in digits, "5th", "5.".
    pub(super) fn numbered(&self, at: usize) -> Option<i64> {
        let word = self.word(at);
        let endings: &[&str] = match self.language {
            Language::English => &["st", "nd", "rd", "th"],
            Language::German => &["."],
        };
        endings
            .iter()
            .find_map(|ending| digits(word.strip_suffix(ending)?, 2))
    }

    /// "first", "2nd", "zweiten", "last".
    pub(super) fn ordinal(&self, at: usize) -> Option<i16> {
        match self.lex(at) {
            Some(Lex::Ordinal(ordinal)) => Some(ordinal),
            Some(Lex::Last) => Some(-1),
            Some(Lex::NextToLast) => Some(-2),
            _ => self.numbered(at).map(|number| number as i16),
        }
    }

    /// The number of a weekday, its short form included.
    pub(super) fn weekday(&self, at: usize) -> Option<i8> {
        match self.lex(at) {
            Some(Lex::Weekday(day) | Lex::ShortWeekday(day)) => Some(day),
            _ => None,
        }
    }

    pub(super) fn month(&self, at: usize) -> Option<i64> {
        match self.lex(at) {
            Some(Lex::Month(month) | Lex::WeakMonth(month)) => Some(month),
            _ => None,
        }
    }
}

/// A number of at most so many digits.
pub(super) fn digits(word: &str, most: usize) -> Option<i64> {
    let there = (1..=most).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    there.then(|| word.parse().ok())?
}

/// A weekday by its number from Monday.
pub(super) fn weekday_of(day: i8) -> Weekday {
    Weekday::from_monday_zero_offset(day).unwrap_or(Weekday::Monday)
}
