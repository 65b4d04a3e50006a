//! The languages in which plans are written.

/// The name in English, by which a prompt asks for it, of each language that an account may have.
const LANGUAGES: &[(&str, &str)] = &[
    ("cs", "Czech"),
    ("da", "Danish"),
    ("de", "German"),
    ("en", "English"),
    ("es", "Spanish"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ko", "Korean"),
    ("nb", "Norwegian"),
    ("nl", "Dutch"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("sv", "Swedish"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("zh", "Chinese"),
];

/// Returns the primary language of a locale, such as `de` of `de-AT`.
pub fn primary(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or_default()
}

/// Returns the English name of a locale's language; English where the table lacks it.
pub fn english_name(locale: &str) -> &'static str {
    let language = primary(locale);
    let found = LANGUAGES.iter().find(|(code, _)| *code == language);
    found.map_or("English", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_p1_a_language_is_a_row_of_the_table() {
        assert_eq!(
            ["de", "de-AT", "fr_CA", "en", "", "xx"].map(english_name),
            [
                "German", "German", "French", "English", "English", "English"
            ]
        );
        assert!(LANGUAGES.is_sorted());
    }
}
