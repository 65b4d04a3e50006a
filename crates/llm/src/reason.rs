//! The reason that an upstream gives for a failure, and whether and when to come back.

use std::error::Error;
use std::time::{Duration, SystemTime};

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName};
use serde_json::Value;

/// Of an error's text no more than this is told.
const REASON_CHARS: usize = 500;
/// How OpenAI's clients are told to wait, more exactly than by `Retry-After`.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// How OpenAI's clients are told whether to make a failed call again.
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The reason in an error object, however the upstream spells it.
pub(crate) fn reason_of(error: &Value) -> Option<String> {
    let text = match error {
        Value::String(text) => text,
        _ => ["message", "detail", "error", "msg"]
            .iter()
            .find_map(|field| error.get(field)?.as_str())?,
    };
    Some(shorten(text))
}

/// Control characters go too: the text ends in logs and on screens.
pub(crate) fn shorten(text: &str) -> String {
    let mut chars = text.trim().chars();
    let short: String = (&mut chars)
        .take(REASON_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match chars.next() {
        Some(_) => short + "…",
        None => short,
    }
}

/// An error and what caused it, down to the first cause.
pub(crate) fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string);
    // "Connection refused (os error 111)": the number helps nobody.
    let text = text.unwrap_or_default();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_ascii_lowercase()
}

/// The wait that a provider asks for: milliseconds in a header of their own, else seconds or a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &HeaderName| Some(headers.get(name)?.to_str().ok()?.trim());
    let number = |text: &str| text.parse::<f64>().ok();
    if let Some(millis) = text(&RETRY_AFTER_MS).and_then(number)
        && let Ok(wait) = Duration::try_from_secs_f64(millis / 1000.0)
    {
        return Some(wait);
    }
    let text = text(&RETRY_AFTER)?;
    if let Some(seconds) = number(text) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Whether a call may be made again, where a provider says so.
pub(crate) fn said_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get(&SHOULD_RETRY)?.to_str().ok()?.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let parse = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:50:37 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(parse("Sun, 06 Nov 1994 08:40:37 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("soon"), None);
        assert_eq!(parse("-1"), None);
        let both = |millis: &'static str| {
            let seconds = HeaderValue::from_static("7");
            let mut headers = HeaderMap::from_iter([(RETRY_AFTER, seconds)]);
            headers.insert(RETRY_AFTER_MS, HeaderValue::from_static(millis));
            retry_after(&headers, now)
        };
        assert_eq!(both("1500.5"), Some(Duration::from_micros(1_500_500)));
        assert_eq!(both("soon"), Some(Duration::from_secs(7)));
        assert_eq!(both("-1"), Some(Duration::from_secs(7)));
    }

    #[test]
    fn the_reason_is_found_however_it_is_spelt() {
        for error in [
            serde_json::json!("no"),
            serde_json::json!({"message": "no"}),
            serde_json::json!({"detail": "no"}),
        ] {
            assert_eq!(reason_of(&error).as_deref(), Some("no"));
        }
        assert_eq!(shorten(&"ü".repeat(501)), format!("{}…", "ü".repeat(500)));
        assert_eq!(shorten("\0a\n\u{1b}[31mb "), " a  [31mb");
    }
}
