//! Time in words.

use mana_core::{
    Micros,
    calendar::weekday_from_sunday,
    language::Language,
    time_words::{self, TimeContext},
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use crate::{fault::call, zone::BrowserZone};

/// `{text, language, now, timezone, weekStart, kept}` → `{title, parts: [{kind, start, end, utf16Start, utf16End}],
/// when?}`: the time that a text names. `weekStart` is 0 for Sunday; `kept` lists `[start, end]` in bytes that a person
/// keeps as text.
#[wasm_bindgen(js_name = "readTime")]
pub fn read_time(input: &str) -> Result<String, JsError> {
    call(input, |input: ReadTime| {
        let zone = BrowserZone::named(&input.timezone)?;
        let context = TimeContext {
            language: Language::of(&input.language),
            now: input.now,
            zone: &zone,
            week_start: weekday_from_sunday(input.week_start),
        };
        let kept: Vec<_> = input.kept.iter().map(|[start, end]| *start..*end).collect();
        Ok(time_words::read(&input.text, &context, &kept))
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadTime {
    text: String,
    language: String,
    now: Micros,
    timezone: String,
    week_start: i8,
    #[serde(default)]
    kept: Vec<[usize; 2]>,
}
