//! Texts of a prompt that other people wrote, fenced and made harmless.

use serde_json::Value;

use super::{mark, parts::PromptParts};
use crate::record::RecordKey;
use crate::text::without_hidden;
use crate::{Map, ids};

/// The name of this run's fences. Nobody who wrote a note can know it.
pub(super) fn fence(iteration_id: &str) -> String {
    ids::derive(iteration_id, "fence")
        .replace('-', "")
        .chars()
        .take(8)
        .collect()
}

/// Records of a table, fenced as data. Whatever a record says, its lines begin with blanks, so that none of them
/// passes for another record.
pub(super) fn table(
    text: &mut String,
    fence: &str,
    (module, table): (&str, &str),
    records: &[String],
) {
    let head = format!(" {}/{}", one_line(module, 100), one_line(table, 100));
    let records: Vec<_> = records
        .iter()
        .map(|record| record.lines().collect::<Vec<_>>().join("\n "))
        .collect();
    data(text, fence, &head, &records.join("\n"));
}

pub(super) fn data(text: &mut String, fence: &str, head: &str, body: &str) {
    text.push_str(&format!(
        "{}{fence}{}\n{}\n{fence}{}\n",
        mark::DATA,
        neutral(head, fence),
        neutral(body, fence),
        mark::END
    ));
}

/// A text that can't close its fence, whoever wrote it, and that says nothing that a person wouldn't see in it.
pub(super) fn neutral(text: &str, fence: &str) -> String {
    let seen = without_hidden(text);
    seen.replace(fence, "[fence]").trim_end().to_owned()
}

/// A text of one line, in quotes, with line breaks and quotes escaped.
pub(super) fn quoted(text: &str) -> String {
    Value::String(one_line(text, 500)).to_string()
}

/// The parameters of a call, with records by their short ids. A record without one can't be named, and is left out.
pub(super) fn params_line(tool: &str, params: &Map, parts: &PromptParts<'_>) -> String {
    let mut params = params.clone();
    if let Some(tool) = parts.registry.tool(tool) {
        for (name, field) in &tool.tool.params {
            let Some(place) = field.reference(&tool.module.id) else {
                continue;
            };
            let id = params.get(name).and_then(Value::as_str).map(str::to_owned);
            let Some(id) = id else { continue };
            match parts.short.get(&RecordKey::new(place.0, place.1, &id)) {
                Some(short) => params.insert(name.clone(), short.into()),
                None => params.remove(name),
            };
        }
    }
    let json = |params: &Value| one_line(&params.to_string(), usize::MAX);
    let params = Value::Object(params);
    let whole = json(&params);
    if whole.chars().count() <= MOST_OF_PARAMS {
        return whole;
    }
    let cut = json(&with_short_texts(&params));
    // A text that is cut anywhere would leave a quote open.
    match cut.chars().count() <= MOST_OF_PARAMS {
        true => cut,
        false => quoted(&cut),
    }
}

/// The most characters of a call's parameters.
const MOST_OF_PARAMS: usize = 500;

/// The most characters of a text in parameters that are too long.
const MOST_OF_PARAM: usize = 100;

fn with_short_texts(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(one_line(text, MOST_OF_PARAM)),
        Value::Array(items) => items.iter().map(with_short_texts).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), with_short_texts(value)))
            .collect(),
        other => other.clone(),
    }
}

/// The name of a tool; in quotes where there is no such tool, because anybody may have written it then.
pub(super) fn tool_name(name: &str, parts: &PromptParts<'_>) -> String {
    match parts.registry.tool(name) {
        Some(_) => name.to_owned(),
        None => quoted(name),
    }
}

/// A line of the person's own instructions, which can't pass for the end of a fence.
pub(super) fn instruction(text: &str, max: usize, fence: &str) -> String {
    neutral(&one_line(text, max), fence)
}

pub(in crate::planner) fn one_line(text: &str, max: usize) -> String {
    let text = without_hidden(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}
