//! The words of a text, with what each one may mean.

use std::ops::Range;

use super::lexicon::Lex;
use super::meaning::meaning;
use crate::language::Language;

/// A word of the text, without the punctuation around it.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Its bytes in the text.
    pub(super) range: Range<usize>,
    /// The word in lower case.
    pub(super) word: String,
    /// The meaning of the word, if it has one.
    pub(super) lex: Option<Lex>,
    /// Whether the word begins with a capital letter.
    pub(super) capital: bool,
    /// Whether punctuation follows that ends a phrase.
    pub(super) ends: bool,
}

/// The words of a text. Words within quotes and within `kept` mean nothing; neither do words that are joined to others
/// (`Montagmorgen-Kaffee`, `#monday`, `v1.2.3`).
pub(super) fn tokens(text: &str, language: Language, kept: &[Range<usize>]) -> Vec<Token> {
    let mut quoted = quotes(text);
    quoted.extend_from_slice(kept);
    let mut tokens = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                chunk(text, from..at, language, &mut tokens);
                start = None;
            }
            _ => {}
        }
    }
    for token in &mut tokens {
        let touches =
            |range: &Range<usize>| range.start < token.range.end && token.range.start < range.end;
        if quoted.iter().any(touches) {
            token.lex = None;
            token.word = "\"".to_owned();
        }
    }
    tokens
}

/// Reads what stands between two spaces.
fn chunk(text: &str, range: Range<usize>, language: Language, tokens: &mut Vec<Token>) {
    let whole = &text[range.clone()];
    let open = |c: char| matches!(c, '(' | '[' | '{');
    let close = |c: char| matches!(c, ',' | ';' | ':' | '!' | '?' | ')' | ']' | '}' | '…');
    let trimmed = whole.trim_start_matches(open);
    let start = range.start + whole.len() - trimmed.len();
    let mut core = trimmed.trim_end_matches(close);
    let mut ends = core.len() < trimmed.len();
    // A dot belongs to a number, where it makes an ordinal or a date; else it ends an abbreviation or a sentence.
    let is_number = core
        .trim_end_matches('.')
        .ends_with(|c: char| c.is_ascii_digit());
    if core.ends_with('.') && !(is_number && language == Language::German) {
        core = core.trim_end_matches('.');
        ends |= core.chars().count() > 4;
    }
    if core.is_empty() {
        if let Some(token) = tokens.last_mut() {
            token.ends |= ends;
        }
        return;
    }
    let mut add = |from: usize, to: usize, ends: bool| {
        let raw = &core[from..to];
        let word = raw.to_lowercase().replace('’', "'");
        let capital = raw.starts_with(char::is_uppercase);
        tokens.push(Token {
            range: start + from..start + to,
            lex: meaning(language, &word),
            word,
            capital,
            ends,
        });
    };
    let mut dashes = core
        .char_indices()
        .filter(|(_, c)| matches!(c, '-' | '–' | '—'));
    if let (Some((at, dash)), None) = (dashes.next(), dashes.next()) {
        let after = at + dash.len_utf8();
        let (left, right) = (&core[..at], &core[after..]);
        let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let day = |text: &str| {
            let lex = meaning(language, &text.to_lowercase());
            matches!(
                lex,
                Some(Lex::Weekday(_) | Lex::ShortWeekday(_) | Lex::Weekdays(_))
            )
        };
        let times = right.eq_ignore_ascii_case("mal");
        if digit(left) && digit(right) || day(left) && day(right) || digit(left) && times {
            add(0, at, false);
            if !times {
                add(at, after, false);
            }
            add(after, core.len(), ends);
            return;
        }
    }
    // "3pm", "15uhr", "30min", "2h": the number and its unit.
    let letters = core.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    let unit = core.get(letters..).unwrap_or_default().to_lowercase();
    if letters > 0 && matches!(unit.as_str(), "min" | "mins" | "uhr" | "std") {
        add(0, letters, false);
        add(letters, core.len(), ends);
        return;
    }
    add(0, core.len(), ends);
}

/// The quoted parts of a text.
fn quotes(text: &str) -> Vec<Range<usize>> {
    const PAIRS: [(char, &str); 8] = [
        ('"', "\""),
        ('„', "“”\""),
        ('“', "”\""),
        ('«', "»"),
        ('»', "«"),
        ('‹', "›"),
        ('`', "`"),
        ('‚', "‘’"),
    ];
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let inside = at + c.len_utf8();
        let closing = PAIRS
            .iter()
            .find(|(open, _)| *open == c)
            .map(|(_, close)| *close);
        let apostrophe = c == '\'' && !text[..at].ends_with(char::is_alphanumeric);
        let end = match (closing, apostrophe) {
            (Some(close), _) => text[inside..].find(|c| close.contains(c)),
            (None, true) => closing_apostrophe(&text[inside..]),
            (None, false) => None,
        };
        at = match end {
            Some(end) => {
                let end = inside + end;
                let end = end + text[end..].chars().next().map_or(0, char::len_utf8);
                found.push(at..end);
                end
            }
            None => inside,
        };
    }
    found
}

/// The apostrophe that closes a quotation: no letter follows it.
fn closing_apostrophe(text: &str) -> Option<usize> {
    let mut marks = text.match_indices('\'');
    marks
        .find(|(at, _)| !text[at + 1..].starts_with(char::is_alphanumeric))
        .map(|(at, _)| at)
}
