//! Finding the plan in a model's answer. Rules MISSIONS A1–A6.

use serde_json::Value;

/// An answer without a plan in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnusableAnswer {
    /// A word for programs: `empty_answer`, `prose`, `truncated`, `bad_json`,
    /// `several_plans`, `not_a_plan`, `too_many_steps`.
    pub code: &'static str,
    /// The reason, in plain words.
    pub message: String,
}

impl UnusableAnswer {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> UnusableAnswer {
        UnusableAnswer {
            code,
            message: message.into(),
        }
    }
}

/// The JSON object in an answer: in its one fenced block, or the bare answer.
pub(super) fn json(answer: &str) -> Result<Value, UnusableAnswer> {
    let answer = without_thoughts(answer)?;
    if answer.is_empty() {
        return Err(UnusableAnswer::new(
            "empty_answer",
            "The model gave an empty answer.",
        ));
    }
    let block = block(answer)?;
    match serde_json::from_str::<Value>(block) {
        Ok(value) => Ok(value),
        Err(error) if error.is_eof() => Err(truncated()),
        Err(error) => Err(UnusableAnswer::new(
            "bad_json",
            format!(
                "The model’s plan is not valid JSON (line {}, column {}).",
                error.line(),
                error.column()
            ),
        )),
    }
}

fn truncated() -> UnusableAnswer {
    UnusableAnswer::new(
        "truncated",
        "The model’s answer breaks off in the middle of the plan.",
    )
}

fn prose() -> UnusableAnswer {
    UnusableAnswer::new("prose", "The model answered in prose instead of a plan.")
}

/// Some models think aloud first; that is not the answer.
fn without_thoughts(answer: &str) -> Result<&str, UnusableAnswer> {
    let answer = answer.trim();
    if !answer.starts_with("<think>") {
        return Ok(answer);
    }
    match answer.split_once("</think>") {
        Some((_, rest)) => Ok(rest.trim()),
        None => Err(UnusableAnswer::new(
            "truncated",
            "The model was still thinking when its answer broke off.",
        )),
    }
}

/// The text that should be JSON.
fn block(answer: &str) -> Result<&str, UnusableAnswer> {
    if answer.starts_with('{') {
        return Ok(answer);
    }
    let mut found = Vec::new();
    let mut rest = answer;
    while let Some(fence) = find_fence(rest) {
        let opened = &rest[fence..];
        let ticks = opened.bytes().take_while(|byte| *byte == b'`').count();
        let Some(line_end) = opened.find('\n') else {
            return Err(if opened[ticks..].trim() == "json" {
                truncated()
            } else {
                prose()
            });
        };
        let info = opened[ticks..line_end].trim();
        let inside = &opened[line_end + 1..];
        let (body, after, closed) = match find_fence(inside) {
            Some(end) => (&inside[..end], inside[end..].trim_start_matches('`'), true),
            None => (inside, "", false),
        };
        if info.eq_ignore_ascii_case("json")
            || (info.is_empty() && body.trim_start().starts_with('{'))
        {
            found.push((body.trim(), closed));
        }
        rest = after;
    }
    match found.as_slice() {
        [] => Err(prose()),
        [("", false)] => Err(truncated()),
        [(body, _)] => Ok(body),
        _ => Err(UnusableAnswer::new(
            "several_plans",
            "The model gave several plans instead of one.",
        )),
    }
}

/// Where the next line begins that starts with three backticks.
fn find_fence(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if indent <= 3 && line[indent..].starts_with("```") {
            return Some(at + indent);
        }
        at += line.len();
    }
    None
}
