//! The meaning of a word in a language, and the words that keep others as text.

use super::lexicon::Lex;
use super::{english, german};
use crate::language::Language;

/// The meaning of a word in lower case.
pub(super) fn meaning(language: Language, word: &str) -> Option<Lex> {
    let words = match language {
        Language::English => english::WORDS,
        Language::German => german::WORDS,
    };
    let found = words
        .iter()
        .find(|(names, _)| names.split(' ').any(|name| name == word));
    found.map(|(_, lex)| *lex).or_else(|| match language {
        Language::English => None,
        Language::German => german::inflected(word),
    })
}

/// Whether a word before an expression makes it a part of the text: "the Monday meeting", "slides for tomorrow".
pub(super) fn keeps_as_text(language: Language, before: &str) -> bool {
    let words = match language {
        Language::English => english::KEEPING,
        Language::German => german::KEEPING,
    };
    words.split(' ').any(|word| word == before)
}

/// Whether a word after an expression makes it a part of the text: "Friday Night Lights", "at 5 percent".
pub(super) fn keeps_as_text_after(language: Language, after: &str) -> bool {
    let words = match language {
        Language::English => english::KEEPING_AFTER,
        Language::German => german::KEEPING_AFTER,
    };
    words.split(' ').any(|word| word == after)
}
