//! From a model's answer to a plan, or to the reasons why not. Rules
//! MISSIONS A1–A9.

use serde_json::Value;

use super::answer;
use super::prompt::MAX_STEPS;
use crate::Map;
use crate::change::has_nul;
use crate::manifest::{EffectOp, FieldType, Registry, ToolRef};
use crate::policy::{Overrides, Policy};
use crate::record::RecordKey;

/// Longer texts of a step are cut.
const MAX_TEXT: usize = 4_000;

/// What a plan is checked against.
pub struct Checks<'a> {
    /// The modules and their tools.
    pub registry: &'a Registry,
    /// What the person set instead of the manifests' policies.
    pub overrides: &'a Overrides,
    /// Whether a record is there, and not deleted.
    pub exists: &'a dyn Fn(&RecordKey) -> bool,
}

/// A plan: the steps that can be proposed, and those that can't.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What the model says of it.
    pub summary: String,
    /// The steps that passed, in their order.
    pub steps: Vec<PlannedStep>,
    /// The steps that didn't.
    pub refused: Vec<RefusedStep>,
}

/// A step that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// Its place in the model's answer, from 0.
    pub index: usize,
    /// What it would do, in a line.
    pub summary: String,
    /// The tool.
    pub tool_name: String,
    /// Its parameters.
    pub params: Map,
    /// Why.
    pub rationale: String,
}

/// A step that can't be proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedStep {
    /// Its place in the model's answer, from 0.
    pub index: usize,
    /// A word for programs: `unknown_tool`, `bad_params`, `no_rationale` …
    pub code: &'static str,
    /// What it was to do, if it said so.
    pub summary: String,
    /// Why it is refused: what is wrong and, for the model, what to do.
    pub reason: String,
}

impl RefusedStep {
    /// The step by its number, and the reason.
    pub fn sentence(&self) -> String {
        match self.summary.as_str() {
            "" => format!("Step {}: {}", self.index + 1, self.reason),
            summary => format!("Step {} (“{summary}”): {}", self.index + 1, self.reason),
        }
    }
}

/// An answer without a plan in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unusable {
    /// A word for programs: `empty_answer`, `prose`, `truncated`, `bad_json`,
    /// `several_plans`, `not_a_plan`, `too_many_steps`.
    pub code: &'static str,
    /// What is wrong, in plain words.
    pub message: String,
}

impl Unusable {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Unusable {
        Unusable {
            code,
            message: message.into(),
        }
    }
}

/// Reads a model's answer.
pub fn parse(text: &str, checks: &Checks<'_>) -> Result<Plan, Unusable> {
    let value = answer::json(text)?;
    let Some(plan) = value.as_object() else {
        return Err(Unusable::new(
            "not_a_plan",
            "The model’s JSON is not an object with a list of steps.",
        ));
    };
    let steps = match plan.get("steps") {
        Some(Value::Array(steps)) => steps,
        _ => {
            return Err(Unusable::new(
                "not_a_plan",
                "The model’s plan has no list of steps.",
            ));
        }
    };
    if steps.len() > MAX_STEPS {
        return Err(Unusable::new(
            "too_many_steps",
            format!(
                "The model’s plan has {} steps; at most {MAX_STEPS} are allowed.",
                steps.len()
            ),
        ));
    }
    let mut parsed = Plan {
        summary: line(plan.get("summary")),
        ..Plan::default()
    };
    for (index, value) in steps.iter().enumerate() {
        match step(index, value, checks) {
            Ok(step) => parsed.steps.push(step),
            Err((code, reason)) => parsed.refused.push(RefusedStep {
                index,
                code,
                summary: line(value.get("summary")).chars().take(80).collect(),
                reason,
            }),
        }
    }
    Ok(parsed)
}

type Reason = (&'static str, String);

fn step(index: usize, value: &Value, checks: &Checks<'_>) -> Result<PlannedStep, Reason> {
    if !value.is_object() {
        return Err(("not_a_step", "it is not an object.".to_owned()));
    }
    if has_nul(value) {
        return Err(("bad_params", "it contains a NUL character.".to_owned()));
    }
    let tool = tool(value, checks)?;
    let name = &tool.tool.name;
    let params = match value.get("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params.clone(),
        Some(_) => {
            return Err((
                "bad_params",
                format!("the params of {name} are not an object."),
            ));
        }
    };
    let problems = tool.check(&params);
    if !problems.is_empty() {
        let said: Vec<_> = problems
            .into_iter()
            .map(|problem| problem.message)
            .collect();
        return Err((
            "bad_params",
            format!("the params don’t fit {name}. {}", said.join(" ")),
        ));
    }
    references(tool, &params, checks)?;
    let rationale = line(value.get("rationale"));
    if rationale.is_empty() {
        return Err((
            "no_rationale",
            "it gives no rationale. Say why in a sentence.".to_owned(),
        ));
    }
    let summary = match line(value.get("summary")) {
        summary if summary.is_empty() => tool.tool.label.en().to_owned(),
        summary => summary,
    };
    Ok(PlannedStep {
        index,
        summary,
        tool_name: name.clone(),
        params,
        rationale,
    })
}

/// The tool that a step names, if the policy lets the model know of it.
fn tool<'a>(step: &Value, checks: &Checks<'a>) -> Result<ToolRef<'a>, Reason> {
    let name = match step.get("toolName") {
        Some(Value::String(name)) if !name.trim().is_empty() => name.trim(),
        _ => return Err(("unknown_tool", "it names no tool.".to_owned())),
    };
    let shown: String = name.chars().take(60).collect();
    let tool = checks
        .registry
        .tool(name)
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
fn references(tool: ToolRef<'_>, params: &Map, checks: &Checks<'_>) -> Result<(), Reason> {
    for (name, field) in &tool.tool.params {
        let (FieldType::Ref, Some(id)) = (field.kind, params.get(name).and_then(Value::as_str))
        else {
            continue;
        };
        let module = field.module.as_deref().unwrap_or(&tool.module.id);
        let table = field.table.as_deref().unwrap_or(&tool.tool.effect.table);
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
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(MAX_TEXT)
        .collect()
}
