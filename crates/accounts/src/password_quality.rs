//! How well a new password withstands guessing, by zxcvbn, and what is wrong with it in a person's words.

use zxcvbn::feedback::Warning;
use zxcvbn::{Score, zxcvbn};

use crate::error::{AccountError, Result};

const PASSWORD_MIN_CHARS: usize = 10;
/// Longer passwords only cost time.
pub(crate) const PASSWORD_MAX_BYTES: usize = 1024;
/// Characters that are judged: the time that judging takes grows with their square.
const JUDGED_CHARS: usize = 100;

/// The faults that zxcvbn names, with the codes by which clients say them in other languages.
const FAULTS: [(Warning, &str, &str); 14] = [
    (
        Warning::StraightRowsOfKeysAreEasyToGuess,
        "key-row",
        "a row of keys is guessed at once",
    ),
    (
        Warning::ShortKeyboardPatternsAreEasyToGuess,
        "key-pattern",
        "a pattern on the keyboard is guessed soon",
    ),
    (
        Warning::RepeatsLikeAaaAreEasyToGuess,
        "repeat",
        "the same character again and again is guessed at once",
    ),
    (
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess,
        "repeated-part",
        "the same part again adds little",
    ),
    (
        Warning::ThisIsATop10Password,
        "common",
        "it is one of the most used passwords",
    ),
    (
        Warning::ThisIsATop100Password,
        "common",
        "it is one of the most used passwords",
    ),
    (
        Warning::ThisIsACommonPassword,
        "common",
        "it is one of the most used passwords",
    ),
    (
        Warning::ThisIsSimilarToACommonlyUsedPassword,
        "like-common",
        "it is much like a common password",
    ),
    (
        Warning::SequencesLikeAbcAreEasyToGuess,
        "sequence",
        "a sequence such as abc or 654 is guessed at once",
    ),
    (
        Warning::RecentYearsAreEasyToGuess,
        "year",
        "a year is guessed soon",
    ),
    (
        Warning::AWordByItselfIsEasyToGuess,
        "word",
        "a word alone is guessed soon",
    ),
    (
        Warning::DatesAreOftenEasyToGuess,
        "date",
        "a date is guessed soon",
    ),
    (
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess,
        "name",
        "a name is guessed soon",
    ),
    (
        Warning::CommonNamesAndSurnamesAreEasyToGuess,
        "name",
        "a name is guessed soon",
    ),
];

/// Refuses a new password that is too short, so long that it only costs time, or easy to guess. `known` are texts that
/// whoever guesses knows: address and name.
pub(crate) fn check_new_password(
    field: &'static str,
    password: &str,
    known: &[&str],
) -> Result<()> {
    if password.chars().count() < PASSWORD_MIN_CHARS {
        return Err(AccountError::field(
            field,
            "The password is too short; use at least 10 characters.",
        ));
    }
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(AccountError::field(
            field,
            "The password is too long; use at most 1,000 characters.",
        ));
    }
    let judged: String = password.chars().take(JUDGED_CHARS).collect();
    let known: Vec<&str> = known
        .iter()
        .flat_map(|text| text.split(['@', '.', ' ', '-', '_', '+']).chain([*text]))
        .filter(|part| part.chars().count() > 2)
        .chain(["mana"])
        .collect();
    let judgement = zxcvbn(&judged, &known);
    if judgement.score() >= Score::Three {
        return Ok(());
    }
    let warning = judgement.feedback().and_then(|feedback| feedback.warning());
    let fault = FAULTS.iter().find(|(known, ..)| Some(*known) == warning);
    let (code, because) = fault.map_or(
        ("simple", "it is built too simply"),
        |(_, code, because)| (*code, *because),
    );
    Err(AccountError::WeakPassword {
        field,
        fault: code,
        because,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(password: &str) -> Option<&'static str> {
        match check_new_password(
            "password",
            password,
            &["lena.brandt@example.org", "Lena Brandt"],
        ) {
            Ok(()) => None,
            Err(AccountError::WeakPassword { fault, .. }) => Some(fault),
            Err(_) => Some("length"),
        }
    }

    #[test]
    fn password_that_is_guessed_soon_is_refused_with_its_fault() {
        for (password, wanted) in [
            ("1234567890", "common"),
            ("aaaaaaaaaaaa", "repeat"),
            ("qwertyuiop", "common"),
            ("password12", "common"),
            ("short", "length"),
        ] {
            assert_eq!(fault(password), Some(wanted), "{password}");
        }
        for easy in [
            "lena.brandt@example.org",
            "Brandt2026!",
            "abcabcabcabc",
            "mana-mana-1",
        ] {
            assert!(fault(easy).is_some(), "{easy}");
        }
        for good in [
            "correct horse battery staple",
            "violet-tram-93-kite",
            "Xk3!pQz9vLm2",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn longest_password_is_judged_in_no_time() {
        let began = std::time::Instant::now();
        assert_eq!(fault(&"aB3$".repeat(256)), Some("repeated-part"));
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
    }
}
