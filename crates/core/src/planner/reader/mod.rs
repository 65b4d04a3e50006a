//! The tolerant reader: what a model means by its answer, before anything of it is checked. It takes out thoughts and
//! tokens, finds the plan or the calls, and brings them into one form. The reader lets no step pass: the check behind
//! it is as strict for a mended answer as for any other. Rules MISSIONS A1–A4.

mod coerce;
mod day_words;
mod days;
mod durations;
mod end_of_day;
mod find;
mod given_apart;
mod lenient_json;
mod literals;
mod markers;
mod quotes;
mod record_ids;
mod recurrence;
mod shape;
mod step_shape;
mod tool_name;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(super) use coerce::{
    CLEAR, Coerced, EXAMPLE_TITLE, coerce, is_empty_title, is_no_word, is_placeholder,
};
pub(super) use step_shape::call;
pub(super) use tool_name::ToolNames;
pub use tool_name::{FIND_TOOLS, HAND_IN_TOOL};

use super::message::ToolCall;
use crate::Map;
use crate::manifest::EffectOp;
use find::Piece;

/// A model's answer, as its server gave it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelAnswer<'a> {
    /// The text.
    pub content: &'a str,
    /// The thoughts that came in a field of their own.
    pub reasoning: &'a str,
    /// The calls, where the server has found them.
    pub calls: &'a [ToolCall],
    /// Whether the answer ended at the limit of its length.
    pub cut: bool,
}

impl<'a> From<&'a str> for ModelAnswer<'a> {
    fn from(content: &'a str) -> ModelAnswer<'a> {
        ModelAnswer {
            content,
            ..ModelAnswer::default()
        }
    }
}

/// An answer without a plan in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnusableAnswer {
    /// A word for programs: `empty_answer`, `prose`, `truncated`, `bad_json`, `not_a_plan`.
    pub code: &'static str,
    /// The reason, in plain words.
    pub message: String,
}

impl UnusableAnswer {
    fn new(code: &'static str, message: impl Into<String>) -> UnusableAnswer {
        UnusableAnswer {
            code,
            message: message.into(),
        }
    }
}

/// The meaning of a model's answer, unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadAnswer {
    /// The summary of the plan; empty where there is none.
    pub summary: String,
    /// Steps and calls in the form of a plan's step: `{summary, toolName, params, rationale}`.
    pub steps: Vec<Value>,
    /// Whether the plan is complete: it was given as one, or handed in.
    pub hands_in: bool,
    /// Whether the answer breaks off, so that steps may be missing.
    pub cut: bool,
}

/// Reads an answer. The last plan in it counts; where there is none, every call.
pub(super) fn read(
    answer: &ModelAnswer<'_>,
    names: ToolNames<'_>,
) -> Result<ReadAnswer, UnusableAnswer> {
    let error = match read_once(answer, names) {
        Err(error) if !answer.cut => error,
        read => return read,
    };
    // Texts that were quoted or escaped as a whole.
    for plain in [unquoted(answer.content), unescaped(answer.content)] {
        let Some(content) = plain.as_deref() else {
            continue;
        };
        if let Ok(read) = read_once(&ModelAnswer { content, ..*answer }, names) {
            return Ok(read);
        }
    }
    Err(error)
}

/// The lines of a text without the marks of a quotation, if it has any.
fn unquoted(text: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    if !lines.any(|line| line.trim_start().starts_with('>')) {
        return None;
    }
    let plain = text.lines().map(|line| {
        let line = line.trim_start();
        line.strip_prefix('>').unwrap_or(line)
    });
    Some(plain.collect::<Vec<_>>().join("\n"))
}

/// The text of an answer that is escaped as within a text of JSON: `{\"summary\": …}`.
fn unescaped(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.contains("\\\"") {
        return None;
    }
    let inner = text.strip_prefix('"').unwrap_or(text);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let line = inner
        .replace('\n', "\\n")
        .replace('\r', "")
        .replace('\t', "\\t");
    serde_json::from_str(&format!("\"{line}\"")).ok()
}

fn read_once(answer: &ModelAnswer<'_>, names: ToolNames<'_>) -> Result<ReadAnswer, UnusableAnswer> {
    if let Some(read) = plain_json(answer.content, names) {
        return Ok(read);
    }
    let parted = markers::part(answer.content);
    let said = find::pieces(&parted.said, names);
    let mut mended = false;
    if let Some(read) = understood(&parted.said, &said, names) {
        mended = read.steps.is_empty() && said.iter().any(|piece| piece.mended);
        match read.cut && read.steps.is_empty() {
            true => return Err(truncated(answer)),
            false if !mended => return Ok(read),
            false => {}
        }
    }
    if !answer.calls.is_empty()
        && let Some(read) = called(answer.calls, names)
    {
        return Ok(read);
    }
    // A plan in thoughts counts only where nothing else was said, and where it is their end.
    if is_silent(&parted.said) && !answer.cut {
        for thoughts in [parted.thoughts.as_str(), answer.reasoning] {
            let found = find::pieces(thoughts, names);
            let ends = found
                .last()
                .is_some_and(|piece| piece.whole && is_silent(&thoughts[piece.end..]));
            if ends
                && let Some(read) = understood(thoughts, &found, names)
                && !read.cut
            {
                return Ok(read);
            }
        }
    }
    Err(unusable(answer, &parted, &said, mended))
}

/// An answer that is the JSON of a plan, bare or in a fence, and nothing else. Texts in it stay as they are.
fn plain_json(text: &str, names: ToolNames<'_>) -> Option<ReadAnswer> {
    let text = text.trim();
    let fenced = text
        .strip_prefix("```")
        .and_then(|text| text.split_once('\n'));
    let text = match fenced {
        Some((_, inside)) => inside.trim_end().strip_suffix("```").unwrap_or(inside),
        None => text,
    };
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let draft = shape::plan(&value, names, true)?;
    Some(of_draft(draft, names, false))
}

/// The plan or the calls among the pieces of a text.
fn understood(text: &str, pieces: &[Piece], names: ToolNames<'_>) -> Option<ReadAnswer> {
    let is_bare = match pieces {
        [only] => is_silent(&text[..only.start]) && is_silent(&text[only.end..]),
        _ => false,
    };
    let alone = |piece: &Piece| match piece.value {
        Value::Array(_) => is_bare,
        // The arguments of a step are no plan, whatever is missing in them.
        _ => {
            let is_step = piece
                .name
                .as_ref()
                .is_some_and(|name| !names.is_hand_in(name));
            pieces.len() == 1 && piece.whole && !is_step
        }
    };
    let plan = pieces.iter().rev().find_map(|piece| {
        let draft = shape::plan(&piece.value, names, alone(piece))?;
        Some((piece, draft))
    });
    let calls = || calls_among(pieces, names);
    let Some((piece, draft)) = plan else {
        return calls();
    };
    // Calls that are handed in by an empty plan count.
    if draft.steps.is_empty()
        && let Some(calls) = calls().filter(|calls| !calls.steps.is_empty())
    {
        return Some(ReadAnswer {
            summary: draft.summary,
            hands_in: true,
            ..calls
        });
    }
    Some(of_draft(draft, names, !piece.whole))
}

fn of_draft(draft: shape::Draft, names: ToolNames<'_>, cut: bool) -> ReadAnswer {
    let mut read = ReadAnswer {
        summary: markers::without_tokens(&draft.summary).trim().to_owned(),
        hands_in: !draft.is_list,
        cut,
        ..ReadAnswer::default()
    };
    let only = draft.steps.len() == 1;
    for value in &draft.steps {
        if lenient_json::is_cut(value) {
            read.cut = true;
            continue;
        }
        let mut step = step_shape::step(value, names);
        // The reason of a plan is the reason of its only step.
        if let (true, Some(why)) = (only, &draft.rationale)
            && step.is_object()
            && step["rationale"].is_null()
        {
            step["rationale"] = why.clone();
        }
        take(&mut read, step, names);
    }
    // Whoever still reads has not finished.
    let reads = |step: &Value| {
        let tool = step["toolName"].as_str().and_then(|name| names.find(name));
        tool.is_some_and(|tool| tool.tool.effect.op == EffectOp::Query)
    };
    read.hands_in &= !read.steps.iter().any(reads);
    read
}

/// Takes a step up; a call that hands the plan in ends it instead.
fn take(read: &mut ReadAnswer, step: Value, names: ToolNames<'_>) {
    let hands_in = step["toolName"]
        .as_str()
        .is_some_and(|name| names.is_hand_in(name));
    if !hands_in {
        read.steps.push(step);
        return;
    }
    read.hands_in = true;
    let params = &step["params"];
    if let Some(draft) = shape::plan(params, names, true)
        && draft.has_steps
    {
        let inner = of_draft(draft, names, false);
        read.steps.extend(inner.steps);
        read.summary = inner.summary;
    }
    let said = [&params["summary"], &step["summary"]]
        .into_iter()
        .find_map(Value::as_str);
    if let Some(said) = said.filter(|said| !said.trim().is_empty()) {
        read.summary = said.to_owned();
    }
}

/// Every call and single step of a text.
fn calls_among(pieces: &[Piece], names: ToolNames<'_>) -> Option<ReadAnswer> {
    let mut read = ReadAnswer::default();
    let mut any = false;
    for piece in pieces {
        let step = match (&piece.name, &piece.value) {
            (_, value) if step_shape::is_step(value, names) => step_shape::step(value, names),
            (Some(name), Value::Object(arguments)) => call(name, arguments, names),
            _ => continue,
        };
        any = true;
        if piece.whole && !lenient_json::is_cut(&piece.value) {
            take(&mut read, step, names);
        } else {
            read.cut = true;
        }
    }
    any.then_some(read)
}

/// The calls that a server has found, as steps.
fn called(calls: &[ToolCall], names: ToolNames<'_>) -> Option<ReadAnswer> {
    let mut read = ReadAnswer::default();
    for made in calls {
        match arguments(&made.arguments) {
            Some(arguments) => take(&mut read, call(&made.name, &arguments, names), names),
            None => read.cut = true,
        }
    }
    (!read.steps.is_empty() || read.hands_in).then_some(read)
}

/// The arguments of a call, which should be the JSON of an object. None where they can't be read to their end.
pub(super) fn arguments(text: &str) -> Option<Map> {
    let text = text.trim();
    if text.is_empty() || text == "null" {
        return Some(Map::new());
    }
    let mut value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(_) => {
            let mut fuel = 12 * text.len() + 1_000;
            let found = lenient_json::read(text, &mut fuel)?;
            (found.whole && !found.mended).then_some(found.value)?
        }
    };
    for _ in 0..3 {
        value = match value {
            Value::Object(arguments) => return Some(arguments),
            Value::String(inner) => {
                let mut fuel = 12 * inner.len() + 1_000;
                let found = lenient_json::read(&inner, &mut fuel)?;
                found.whole.then_some(found.value)?
            }
            Value::Array(mut items) if items.len() == 1 => items.remove(0),
            Value::Array(items) if items.is_empty() => return Some(Map::new()),
            _ => return None,
        };
    }
    None
}

/// An answer without its thoughts and tokens.
pub(super) fn without_thoughts(text: &str) -> String {
    let said = markers::part(text).said;
    markers::without_tokens(&said).trim().to_owned()
}

/// The words of an answer without thoughts, tokens, values and fences.
pub(super) fn words(text: &str, names: ToolNames<'_>) -> String {
    let said = markers::part(text).said;
    let mut words = String::new();
    let mut from = 0;
    for piece in find::pieces(&said, names) {
        words.push_str(&said[from..piece.start.max(from)]);
        from = piece.end;
    }
    words.push_str(&said[from..]);
    let words = markers::without_tokens(&words);
    let lines = words
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("```") && !line.starts_with("~~~"));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Whether a text says nothing: tokens, fences and the names of languages aside.
fn is_silent(text: &str) -> bool {
    const LABELS: &[&str] = &[
        "json",
        "json5",
        "jsonc",
        "javascript",
        "js",
        "text",
        "markdown",
        "md",
        "python",
        "tool_code",
        "yaml",
        "plaintext",
        "tool_call",
        "tool_calls",
        "function_call",
    ];
    let rest = markers::without_tokens(text);
    let mut words = rest
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    words.all(|word| LABELS.contains(&word.to_lowercase().as_str()))
}

fn truncated(answer: &ModelAnswer<'_>) -> UnusableAnswer {
    UnusableAnswer::new(
        "truncated",
        match answer.cut {
            true => {
                "The model’s answer was cut off at its limit of tokens. Give the model more room: a longer answer \
                 (max_tokens) or a larger context (num_ctx with Ollama)."
            }
            false => "The model’s answer breaks off in the middle of the plan.",
        },
    )
}

/// Why there is no plan in an answer.
fn unusable(
    answer: &ModelAnswer<'_>,
    parted: &markers::Parted,
    pieces: &[Piece],
    mended: bool,
) -> UnusableAnswer {
    let said = markers::without_tokens(&parted.said);
    let said = said.trim();
    if answer.cut {
        return truncated(answer);
    }
    if said.is_empty() {
        return match (parted.open, parted.thoughts.trim(), answer.reasoning.trim()) {
            (true, ..) => UnusableAnswer::new(
                "truncated",
                "The model was still thinking when its answer broke off.",
            ),
            (_, "", "") => UnusableAnswer::new("empty_answer", "The model gave an empty answer."),
            _ => UnusableAnswer::new("prose", "The model thought about it, and gave no plan."),
        };
    }
    let begins = said.trim_start_matches(['`', '~']).trim_start();
    let labelled = begins.strip_prefix("json").map(str::trim_start);
    if labelled == Some("") {
        return truncated(answer);
    }
    let is_json = labelled.unwrap_or(begins).starts_with(['{', '[']) || said.contains("```json");
    if mended || is_json && pieces.is_empty() {
        return UnusableAnswer::new("bad_json", "The model’s plan is not valid JSON.");
    }
    if is_json && pieces.last().is_some_and(|piece| !piece.whole) {
        return truncated(answer);
    }
    if pieces
        .iter()
        .any(|piece| !piece.value.is_null() && piece.end - piece.start > 2)
        && is_json
    {
        return UnusableAnswer::new(
            "not_a_plan",
            "The model’s JSON is not a plan: it has no list of steps.",
        );
    }
    UnusableAnswer::new("prose", "The model answered in prose instead of a plan.")
}
