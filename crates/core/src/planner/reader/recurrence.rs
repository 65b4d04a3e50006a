//! A recurrence as a model writes it.

use jiff::civil::Weekday;
use serde_json::Value;

use super::days::Today;
use crate::language::Language;
use crate::recurrence::Rule;
use crate::time_words::{self, TimeContext};

/// A recurrence: a rule as it stands, or in words.
pub(super) fn recurrence(value: &Value, today: Today<'_>) -> Result<Value, String> {
    let Some(words) = value.as_str().filter(|text| Rule::parse(text).is_err()) else {
        return Ok(value.clone());
    };
    let context = TimeContext {
        language: Language::English,
        now: today.now,
        zone: today.zone,
        week_start: Weekday::Monday,
    };
    let when = time_words::read(words, &context, &[]);
    let whole = when.title.is_empty();
    when.when
        .and_then(|when| when.recurrence)
        .filter(|_| whole)
        .ok_or_else(String::new)
}
