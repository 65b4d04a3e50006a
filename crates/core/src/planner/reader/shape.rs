//! The shapes in which models give plans, brought into the one that is asked for: `{summary, steps: […]}`.

use serde_json::Value;

use super::step_shape::{MAX_WRAPPINGS, RATIONALE, SUMMARY, first, is_step, opened};
use super::tool_name::ToolNames;
use crate::Map;
use crate::manifest::fold;

/// Other names of a plan's list of steps.
const STEPS: &[&str] = &[
    "steps",
    "actions",
    "tasks",
    "proposals",
    "toolcalls",
    "tooluses",
    "calls",
    "items",
    "operations",
    "changes",
    "todos",
    "proposedsteps",
    "plannedsteps",
    "plansteps",
    "nextsteps",
    "commands",
    "functioncalls",
    "suggestions",
    "recommendations",
    "steplist",
    "schritte",
    "étapes",
    "pasos",
    "proposedactions",
    "plan",
];

/// Keys that wrap a plan or a step.
const WRAPPERS: &[&str] = &[
    "plan",
    "response",
    "result",
    "output",
    "answer",
    "data",
    "json",
    "content",
    "final",
    "finalanswer",
    "arguments",
    "parameters",
    "params",
    "input",
    "message",
    "choices",
    "text",
    "missionplan",
    "actionplan",
    "proposal",
    "payload",
    "body",
    "value",
    "object",
    "root",
    "step",
    "toolcall",
    "functioncall",
    "call",
    "tooluse",
    "action",
    "task",
    "function",
    "properties",
];

/// A plan as a model gave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Draft {
    pub summary: String,
    pub rationale: Option<Value>,
    pub steps: Vec<Value>,
    /// Whether the steps were there, if only as an empty list.
    pub has_steps: bool,
    /// Whether it is a list of calls, which others may follow.
    pub is_list: bool,
}

fn text_of(fields: &Map, keys: &[&str]) -> Option<String> {
    let (_, value) = first(fields, keys)?;
    value.as_str().map(str::to_owned)
}

/// Reads a value as a plan. A value without steps is one only where `alone`: where it is all of an answer.
pub(super) fn plan(value: &Value, names: ToolNames<'_>, alone: bool) -> Option<Draft> {
    plan_within(value, names, alone, MAX_WRAPPINGS)
}

fn plan_within(value: &Value, names: ToolNames<'_>, alone: bool, depth: usize) -> Option<Draft> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(_) => plan_within(&opened(value)?, names, alone, depth),
        Value::Array(items) if items.is_empty() => alone.then(|| Draft {
            has_steps: true,
            ..Draft::default()
        }),
        Value::Array(items) => {
            if items.iter().any(|item| is_step(item, names)) {
                return Some(Draft {
                    steps: items.clone(),
                    has_steps: true,
                    is_list: true,
                    ..Draft::default()
                });
            }
            items
                .iter()
                .rev()
                .find_map(|item| plan_within(item, names, alone && items.len() == 1, depth))
        }
        Value::Object(fields) => object_plan(fields, names, alone, depth),
        _ => None,
    }
}

fn object_plan(fields: &Map, names: ToolNames<'_>, alone: bool, depth: usize) -> Option<Draft> {
    let whole = Value::Object(fields.clone());
    let mut draft = Draft {
        summary: text_of(fields, SUMMARY).unwrap_or_default(),
        rationale: first(fields, RATIONALE).map(|(_, value)| value.clone()),
        ..Draft::default()
    };
    // A step may have keys that a plan has too, such as `action`.
    if !is_step(&whole, names) {
        for key in STEPS {
            let Some((_, steps)) = first(fields, &[*key]) else {
                continue;
            };
            let Some(steps) = steps_of(steps, names, *key == "steps", depth) else {
                continue;
            };
            if let Some(inner) = steps.1 {
                draft.summary = if inner.is_empty() {
                    draft.summary
                } else {
                    inner
                };
            }
            draft.steps = steps.0;
            draft.has_steps = true;
            draft.is_list = key.ends_with("calls") || *key == "tooluses";
            return Some(draft);
        }
        for key in WRAPPERS {
            let Some((_, inner)) = first(fields, &[*key]) else {
                continue;
            };
            if !(inner.is_object() || inner.is_array() || inner.is_string()) {
                continue;
            }
            if let Some(inner) = plan_within(inner, names, false, depth) {
                return Some(Draft {
                    summary: match inner.summary.is_empty() {
                        true => draft.summary,
                        false => inner.summary.clone(),
                    },
                    rationale: inner.rationale.clone().or(draft.rationale),
                    ..inner
                });
            }
        }
    }
    // Steps by number beside the summary.
    let beside = fields.iter().filter(|(key, _)| is_numbered(key));
    let beside: Vec<_> = beside.collect();
    if !is_step(&whole, names)
        && !beside.is_empty()
        && let Some(steps) = by_number(beside, names)
    {
        draft.steps = steps;
        draft.has_steps = true;
        return Some(draft);
    }
    // Nothing but a summary: nothing is to be done.
    let says_nothing_else = fields.keys().all(|key| {
        let folded = fold(key);
        matches!(folded.as_str(), "summary" | "plansummary" | "status")
            || RATIONALE.contains(&folded.as_str())
    });
    let says_why =
        first(fields, &["summary", "plansummary"]).is_some() && !draft.summary.trim().is_empty();
    (alone && says_nothing_else && says_why).then_some(draft)
}

/// The steps in what stands under a plan's key, and the summary of a plan within. None where there are none.
fn steps_of(
    value: &Value,
    names: ToolNames<'_>,
    is_certain: bool,
    depth: usize,
) -> Option<(Vec<Value>, Option<String>)> {
    match value {
        Value::Null => is_certain.then(|| (Vec::new(), None)),
        Value::Array(items) => {
            // A list of steps within the list.
            if let [Value::Array(inner)] = items.as_slice()
                && inner.iter().any(|item| is_step(item, names))
            {
                return Some((inner.clone(), None));
            }
            let fits = is_certain || items.iter().any(|item| is_step(item, names));
            if fits || items.is_empty() {
                return Some((items.clone(), None));
            }
            None
        }
        Value::String(text) => match opened(value) {
            Some(inner) => steps_of(&inner, names, is_certain, depth.checked_sub(1)?),
            None => {
                let nothing = ["", "[]", "none", "null", "n/a", "nothing"];
                let says_none = nothing.contains(&text.trim().to_lowercase().as_str());
                (is_certain && says_none).then(|| (Vec::new(), None))
            }
        },
        Value::Object(fields) => {
            if is_step(value, names) {
                return Some((vec![value.clone()], None));
            }
            if let Some(inner) = plan_within(value, names, false, depth) {
                return Some((inner.steps, Some(inner.summary)));
            }
            if fields.is_empty() {
                return is_certain.then(|| (Vec::new(), None));
            }
            // Steps by number: {"step1": {…}, "step2": {…}}.
            Some((by_number(fields, names)?, None))
        }
        _ => None,
    }
}

/// Whether a key names a step by its number: `step1`, `Step 2`.
fn is_numbered(key: &str) -> bool {
    let folded = fold(key);
    let number = ["step", "schritt", "action", "task"]
        .iter()
        .find_map(|word| folded.strip_prefix(word));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Steps in the order of the numbers in their keys. None where one of them is no step.
fn by_number<'v>(
    fields: impl IntoIterator<Item = (&'v String, &'v Value)>,
    names: ToolNames<'_>,
) -> Option<Vec<Value>> {
    let mut numbered: Vec<(u64, Value)> = Vec::new();
    for (key, step) in fields {
        if !is_step(step, names) {
            return None;
        }
        let digits: String = key.chars().filter(char::is_ascii_digit).take(9).collect();
        numbered.push((digits.parse().unwrap_or(u64::MAX), step.clone()));
    }
    numbered.sort_by_key(|(number, _)| *number);
    Some(numbered.into_iter().map(|(_, step)| step).collect())
}
