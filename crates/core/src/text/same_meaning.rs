//! Whether two texts mean the same: without case, punctuation, width and Unicode's form.

use super::normal_form::{NormalForm, nfkc};

/// A text without what makes no difference in meaning. Texts that mean the same become the same.
pub fn same_meaning(text: &str) -> String {
    same_meaning_by(nfkc, text)
}

/// [`same_meaning`] by a given NFKC.
pub fn same_meaning_by(nfkc: NormalForm, text: &str) -> String {
    // Upper case first: some letters have no lower case of their own, such as the German sharp s.
    let folded = nfkc(text).to_uppercase().to_lowercase();
    let words: Vec<&str> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    match words.is_empty() {
        // Of signs alone the signs are the meaning.
        true => folded.split_whitespace().collect(),
        false => words.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_l2_case_punctuation_width_and_form_make_no_difference() {
        for (one, other) in [
            ("Buy oat milk", "buy  OAT milk!"),
            ("Call the landlord.", "Call the landlord"),
            ("Buy oat-milk", "Buy oat milk"),
            ("Ｂｕｙ　ｍｉｌｋ", "Buy milk"),
            ("Cafe\u{301} reservieren", "Café reservieren"),
            ("Straße fegen", "STRASSE FEGEN"),
            ("“Buy milk”", "'Buy milk'"),
            ("牛乳を買う。", "牛乳を買う"),
            ("ﾐﾙｸ", "ミルク"),
        ] {
            assert_eq!(same_meaning(one), same_meaning(other), "{one} / {other}");
        }
        for (one, other) in [
            ("Buy milk", "Buy oat milk"),
            ("🥛", "🍞"),
            ("2", "3"),
            ("", "a"),
        ] {
            assert_ne!(same_meaning(one), same_meaning(other), "{one} / {other}");
        }
    }
}
