//! The languages in which the core itself reads and writes sentences.

/// A language of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// The language of a locale such as `de-AT`; English where it is another one.
    pub fn of(locale: &str) -> Language {
        match locale.split(['-', '_']).next() {
            Some("de") => Language::German,
            _ => Language::English,
        }
    }
}
