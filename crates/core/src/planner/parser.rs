//! From a model's answer to a plan, or to the reasons why not. Rules
//! MISSIONS A1–A13.

use serde_json::Value;

use super::checks::PlanChecks;
use super::meaning;
use super::plan::{Plan, PlanNote, PlannedStep, RefusedStep};
use super::reader::{
    self, Coerced, ModelAnswer, ReadAnswer, ToolNames, UnusableAnswer, is_no_word, is_placeholder,
};
use crate::Map;
use crate::change::has_nul;
use crate::manifest::{EffectOp, ToolRef, set_from};
use crate::policy::Policy;
use crate::record::RecordKey;
use crate::text::{visible, visible_value};

/// Longer texts of a step are cut.
const MAX_TEXT: usize = 4_000;

/// Reads a model's answer.
pub fn parse<'t>(
    answer: impl Into<ModelAnswer<'t>>,
    checks: &PlanChecks<'_>,
) -> Result<Plan, UnusableAnswer> {
    let read = read(answer, checks)?;
    let mut plan = check_steps(&read.steps, &[], checks);
    plan.summary = summary(&read.summary);
    if read.cut {
        plan.notes.push(PlanNote::cut());
    }
    Ok(plan)
}

/// Reads what a model means by its answer, without checking any of it.
pub fn read<'t>(
    answer: impl Into<ModelAnswer<'t>>,
    checks: &PlanChecks<'_>,
) -> Result<ReadAnswer, UnusableAnswer> {
    reader::read(&answer.into(), ToolNames::of(checks))
}

/// The words of an answer beside its thoughts, tokens and JSON.
pub fn words(text: &str, checks: &PlanChecks<'_>) -> String {
    summary(&reader::words(text, ToolNames::of(checks)))
}

/// An answer as it is told to the model again: without thoughts, which would be read anew in each round.
pub fn without_thoughts(text: &str) -> String {
    reader::without_thoughts(text)
}

/// The most remarks that a plan has.
const MAX_NOTES: usize = 20;

/// A plan of these steps, each as [`read`] has it, without a summary. `earlier` are steps of the same plan that have
/// passed already.
pub fn check_steps(steps: &[Value], earlier: &[PlannedStep], checks: &PlanChecks<'_>) -> Plan {
    let mut checked = Plan {
        steps: earlier.to_vec(),
        ..Plan::default()
    };
    for (index, value) in steps.iter().enumerate().take(checks.max_steps) {
        match step(index, value, &checked.steps, checks) {
            Ok((step, left_out)) => {
                checked.steps.push(step);
                let notes = left_out.iter().map(|what| PlanNote::left_out(index, what));
                checked.notes.extend(notes);
            }
            Err((code, reason)) => checked.refused.push(RefusedStep {
                index,
                code,
                summary: line(value.get("summary")).chars().take(80).collect(),
                reason,
            }),
        }
    }
    if let Some(more) = steps
        .len()
        .checked_sub(checks.max_steps)
        .filter(|more| *more > 0)
    {
        checked
            .notes
            .push(PlanNote::over_limit(more, checks.max_steps));
    }
    checked.notes.truncate(MAX_NOTES);
    checked.steps.drain(..earlier.len());
    checked
}

/// The summary of a plan, as it is kept.
pub fn summary(text: &str) -> String {
    match is_placeholder(&Value::from(text)) {
        true => String::new(),
        false => line(Some(&Value::from(text))),
    }
}

type Reason = (&'static str, String);

fn step(
    index: usize,
    value: &Value,
    earlier: &[PlannedStep],
    checks: &PlanChecks<'_>,
) -> Result<(PlannedStep, Vec<String>), Reason> {
    if !value.is_object() {
        return Err(("not_a_step", "it is not an object.".to_owned()));
    }
    if has_nul(value) {
        return Err(("bad_params", "it contains a NUL character.".to_owned()));
    }
    // Nothing of a step may show other than what it says (rule MISSIONS X1).
    let value = &visible_value(value);
    let tool = tool(value, checks)?;
    let name = &tool.tool.name;
    let given = match value.get("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params.clone(),
        Some(_) => {
            return Err((
                "bad_params",
                format!("the params of {name} are not an object."),
            ));
        }
    };
    let mut coerced = reader::coerce(tool, &given, checks);
    meaning::keep_length(tool, &mut coerced.params, checks);
    fits(tool, &coerced)?;
    references(tool, &coerced.params, checks)?;
    let (said, rationale) = (text(value, "summary"), rationale(value));
    meaning::check(tool, &coerced, &format!("{said} {rationale}"), checks)?;
    meaning::contradiction(tool, &coerced.params, earlier, checks)?;
    if rationale.is_empty() {
        return Err((
            "no_rationale",
            "it gives no rationale. Say why in a sentence.".to_owned(),
        ));
    }
    let summary = match said {
        said if said.is_empty() => summary_of(tool, &coerced.params, checks),
        said => said,
    };
    let step = PlannedStep {
        index,
        summary,
        tool_name: name.clone(),
        params: coerced.params,
        rationale,
    };
    Ok((step, coerced.left_out))
}

/// The summary of a step that has none: what its tool does, and to which record.
fn summary_of(tool: ToolRef<'_>, params: &Map, checks: &PlanChecks<'_>) -> String {
    let language = super::language::primary(checks.locale);
    let label = &tool.tool.label;
    let label = label.0.get(language).map_or(label.en(), String::as_str);
    let title = tool.table.list.title.as_str();
    let given = tool.tool.effect.set.get(title).and_then(set_from);
    let given = given
        .and_then(|param| params.get(param))
        .and_then(Value::as_str);
    let target = tool.target(params);
    let shown = || {
        let key = target.as_ref()?;
        let titled = checks.shown.iter().find(|record| record.key == *key);
        titled.and_then(|record| record.title.as_deref())
    };
    match given.or_else(shown) {
        Some(title) if !tool.table.singleton => {
            let title: String = title.chars().take(200).collect();
            line(Some(&Value::from(format!("{label}: {title}"))))
        }
        _ => label.to_owned(),
    }
}

/// The parameters fit the tool, as strictly as for any call.
fn fits(tool: ToolRef<'_>, coerced: &Coerced) -> Result<(), Reason> {
    let problems = tool.check(&coerced.params);
    if problems.is_empty() {
        return Ok(());
    }
    let unread = coerced.unread.iter();
    let said: Vec<_> = problems
        .into_iter()
        .map(|problem| problem.message)
        .chain(unread.map(|(param, why)| format!("{param}: {why}")))
        .collect();
    let name = &tool.tool.name;
    Err((
        "bad_params",
        format!("the params don’t fit {name}. {}", said.join(" ")),
    ))
}

/// A text of a step; empty where it is missing, a placeholder, or a word for nothing.
fn text(step: &Value, name: &str) -> String {
    match step.get(name) {
        Some(value) if is_placeholder(value) || value.as_str().is_some_and(is_no_word) => {
            String::new()
        }
        value => line(value),
    }
}

/// Words that make a summary give its reason.
const CAUSES: &[&str] = &[
    "because", "as", "since", "so that", "due to", "weil", "da", "damit", "denn",
];

/// The reason of a step: its rationale, else its summary where that says why.
fn rationale(step: &Value) -> String {
    let given = text(step, "rationale");
    if !given.is_empty() {
        return given;
    }
    let said = text(step, "summary");
    let lower = said.to_lowercase();
    let gives_reason = CAUSES.iter().any(|word| {
        let middle = format!(" {word} ");
        lower.find(&middle).is_some_and(|at| at > 0)
    });
    match gives_reason {
        true => said,
        false => String::new(),
    }
}

/// The tool that a step names, if the policy lets the model know of it.
fn tool<'a>(step: &Value, checks: &PlanChecks<'a>) -> Result<ToolRef<'a>, Reason> {
    let name = match step.get("toolName") {
        Some(Value::String(name)) if !name.trim().is_empty() => name.trim(),
        _ => return Err(("unknown_tool", "it names no tool.".to_owned())),
    };
    let shown: String = name.chars().take(60).collect();
    let tool = ToolNames::of(checks)
        .find(name)
        .filter(|tool| checks.overrides.effective(*tool) != Policy::Deny);
    match tool {
        None => Err((
            "unknown_tool",
            format!("there is no tool “{shown}”. Use one of the tools listed."),
        )),
        Some(tool) if tool.tool.effect.op == EffectOp::Query => Err((
            "unknown_tool",
            format!("“{shown}” only reads, and a plan can’t read any more."),
        )),
        Some(tool) => Ok(tool),
    }
}

/// Every record that the parameters name has to be there.
fn references(tool: ToolRef<'_>, params: &Map, checks: &PlanChecks<'_>) -> Result<(), Reason> {
    for (name, field) in &tool.tool.params {
        let id = params.get(name).and_then(Value::as_str);
        let (Some((module, table)), Some(id)) = (field.reference(&tool.module.id), id) else {
            continue;
        };
        if !(checks.exists)(&RecordKey::new(module, table, id)) {
            let shown: String = id.chars().take(60).collect();
            let reason = format!(
                "{name} names “{shown}”, and there is no such record in {module}/{table}. Use an id from the \
                 records given, or leave it out."
            );
            return Err(("unknown_record", reason));
        }
    }
    Ok(())
}

/// A text on one line, at most [`MAX_TEXT`] long and without control characters, a NUL could not be written;
/// anything else is empty.
fn line(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or("");
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    visible(&words.join(" ")).chars().take(MAX_TEXT).collect()
}
