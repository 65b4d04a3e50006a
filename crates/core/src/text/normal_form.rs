//! Unicode's normal forms. A browser has its own, so that its module needs no tables of Unicode.

use unicode_normalization::UnicodeNormalization as _;

/// Makes a normal form of a text.
pub type NormalForm = fn(&str) -> String;

/// The form NFKC where there is no browser.
pub fn nfkc(text: &str) -> String {
    text.nfkc().collect()
}

/// The form NFKD where there is no browser.
pub fn nfkd(text: &str) -> String {
    text.nfkd().collect()
}
