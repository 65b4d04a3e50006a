//! Ages on the command line, such as `90d`.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// A time span back from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age(pub SignedDuration);

/// Reads an age, such as `90d` or `12h`.
pub fn parse_age(text: &str) -> Result<Age, String> {
    let span: Option<Span> = text.parse().ok();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .filter(|age| !age.is_negative())
        .map(Age)
        .ok_or_else(|| "use a number of days or hours, such as 90d or 12h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_ages_are_days_and_hours() {
        for (text, hours) in [("90d", 90 * 24), ("12h", 12), ("2w", 14 * 24), ("0d", 0)] {
            assert_eq!(
                parse_age(text),
                Ok(Age(SignedDuration::from_hours(hours))),
                "{text}"
            );
        }
        for text in ["", "90", "-1d", "3months", "soon"] {
            parse_age(text).unwrap_err();
        }
    }
}
