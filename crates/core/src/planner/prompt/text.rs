//! Texts of a prompt that other people wrote, fenced and made harmless.

use serde_json::Value;

use super::{mark, parts::InputText};
use crate::text::without_hidden;
use crate::{Map, ids};

/// The name of this run's fences. Nobody who wrote a note can know it.
pub(super) fn fence(iteration_id: &str) -> String {
    ids::derive(iteration_id, "fence")
        .replace('-', "")
        .chars()
        .take(16)
        .collect()
}

/// A record, fenced as data, with its id for a step to name.
pub(super) fn record(text: &mut String, fence: &str, input: &InputText, body: &str) {
    let head = format!(
        " {}/{} id: {}",
        one_line(&input.module, 100),
        one_line(&input.table, 100),
        one_line(&input.id, 100)
    );
    data(text, fence, &head, body);
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

pub(super) fn params_line(params: &Map) -> String {
    one_line(&Value::Object(params.clone()).to_string(), 500)
}

pub(in crate::planner) fn one_line(text: &str, max: usize) -> String {
    let text = without_hidden(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}
