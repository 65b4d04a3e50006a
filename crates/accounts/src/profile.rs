//! Checks of a person's name, time zone and language.

const NAME_MAX_BYTES: usize = 200;

/// Whether the text is a name that an account may have.
pub fn is_name(text: &str) -> bool {
    text.len() <= NAME_MAX_BYTES && !text.contains('\0')
}

/// Whether the text is an IANA time zone.
pub fn is_timezone(text: &str) -> bool {
    jiff::tz::TimeZone::get(text).is_ok()
}

/// Whether the text looks like a BCP 47 tag.
pub fn is_locale(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !text.is_empty() && text.len() <= 35 && text.chars().all(is_plain)
}
