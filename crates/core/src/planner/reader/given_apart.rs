//! A beginning and an end that a model gives apart: the day, the times of day and the length.

use serde_json::Value;

use super::days::{self, Today};
use super::durations;
use crate::Map;
use crate::manifest::{ToolRef, fold, set_from};
use crate::planner::time_fields;
use crate::time::Micros;

const DAY: &[&str] = &["date", "day", "datum", "tag"];
const TIME: &[&str] = &["time", "at", "uhrzeit", "clock"];
const LENGTH: &[&str] = &["duration", "length", "dauer"];

/// The longest length that is read.
const LONGEST_DAYS: f64 = 31.0;

/// The parameters of the beginning and the end of what a tool writes.
fn span<'t>(tool: ToolRef<'t>) -> Option<(&'t str, Option<&'t str>)> {
    let set = &tool.tool.effect.set;
    let param = |field: &str| set.get(field).and_then(set_from);
    let (begin, end) = time_fields::span(tool.table)?;
    Some((param(begin)?, param(end)))
}

/// The parameters with the day put before the times of day, and the length in seconds where one is given. What the tool
/// itself has as a parameter is left alone.
pub(super) fn together(tool: ToolRef<'_>, given: &Map, today: Today<'_>) -> (Map, Option<f64>) {
    let mut all = given.clone();
    let Some((begin, end)) = span(tool) else {
        return (all, None);
    };
    let key = |all: &Map, names: &[&str]| {
        let mut own = all.keys().filter(|key| tool.parameter(key).is_none());
        own.find(|key| names.iter().any(|name| fold(key).starts_with(name)))
            .cloned()
    };
    let seconds = key(&all, LENGTH).and_then(|key| {
        let seconds = durations::seconds(&key, &all[&key])?;
        let fits = seconds > 0.0 && seconds <= LONGEST_DAYS * 86_400.0;
        fits.then(|| all.remove(&key)).map(|_| seconds)
    });
    let day_key = key(&all, DAY).filter(|key| {
        let text = all[key].as_str();
        text.is_some_and(|text| days::day(text, today).is_ok())
    });
    let Some(day_key) = day_key else {
        return (all, seconds);
    };
    let Some(Value::String(day)) = all.remove(&day_key) else {
        return (all, seconds);
    };
    let is_clock = |value: &Value| {
        let text = value.as_str();
        text.is_some_and(|text| days::time_of_day(text, today).is_ok())
    };
    for param in [Some(begin), end].into_iter().flatten() {
        let named = all.keys().find(|key| tool.parameter(key) == Some(param));
        let key = match named.cloned() {
            None if param == begin => key(&all, TIME),
            named => named,
        };
        match key.filter(|key| is_clock(&all[key])) {
            Some(key) => {
                let clock = all.remove(&key);
                let clock = clock.as_ref().and_then(Value::as_str).unwrap_or_default();
                all.insert(param.to_owned(), format!("{day} {clock}").into());
            }
            None if param == begin && !all.keys().any(|key| tool.parameter(key) == Some(begin)) => {
                all.insert(begin.to_owned(), day.clone().into());
            }
            None => {}
        }
    }
    (all, seconds)
}

/// Sets the end by the beginning and the length, where there is none.
pub(super) fn end_after(tool: ToolRef<'_>, params: &mut Map, seconds: Option<f64>) {
    let (Some(seconds), Some((begin, Some(end)))) = (seconds, span(tool)) else {
        return;
    };
    let begin = params.get(begin).and_then(Value::as_str);
    if let Some(begin) = begin.and_then(|text| Micros::parse(text).ok())
        && !params.contains_key(end)
    {
        let end_at = begin.plus((seconds * 1e6) as i64);
        params.insert(end.to_owned(), end_at.to_string().into());
    }
}
