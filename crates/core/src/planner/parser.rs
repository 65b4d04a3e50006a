//! From a model's answer to a plan, or to the reasons why not. Rules
//! MISSIONS A1–A9.

use serde_json::Value;

use super::answer::{self, UnusableAnswer};
use super::prompt::PendingProposal;
use crate::Map;
use crate::change::has_nul;
use crate::manifest::{EffectOp, Registry, ToolRef};
use crate::policy::{Overrides, Policy};
use crate::record::RecordKey;
use crate::text::{visible, visible_value};

/// Longer texts of a step are cut.
const MAX_TEXT: usize = 4_000;

/// The context that a plan is checked against.
pub struct PlanChecks<'a> {
    /// The modules and their tools.
    pub registry: &'a Registry,
    /// The policies that the person set instead of the manifests'.
    pub overrides: &'a Overrides,
    /// Whether a record is there, and not deleted.
    pub exists: &'a dyn Fn(&RecordKey) -> bool,
    /// The most steps that a plan may have.
    pub max_steps: usize,
}

/// A plan: the steps that can be proposed, and those that can't.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The model's summary.
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
    /// The effect of the step, in a line.
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
    /// A word for programs: `unknown_tool`, `bad_params`, `no_rationale`, `repeat`, `limit` …
    pub code: &'static str,
    /// The summary, if the step has one.
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

/// A call that was settled a moment ago, and is not to be proposed again.
#[derive(Clone, Debug, PartialEq)]
pub struct RecentCall {
    /// The tool.
    pub tool_name: String,
    /// Its parameters.
    pub params: Map,
    /// How.
    pub outcome: CallOutcome,
}

/// How a call was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The proposal waits for a decision.
    Waiting,
    /// The person refused it.
    Refused,
    /// The person approved it, and took it back.
    Undone,
}

impl From<&PendingProposal> for RecentCall {
    fn from(pending: &PendingProposal) -> RecentCall {
        RecentCall {
            tool_name: pending.tool_name.clone(),
            params: pending.params.clone(),
            outcome: CallOutcome::Waiting,
        }
    }
}

impl Plan {
    /// The same without the steps that repeat what is settled or each other, and without those for which there is no
    /// room among the waiting proposals. Such steps are no faults of the plan: each stays as a note.
    ///
    /// `room` is how many steps may still wait for the person; `waits` says whether a tool's steps do.
    pub fn normalized(
        self,
        settled: &[RecentCall],
        room: usize,
        waits: impl Fn(&str) -> bool,
    ) -> Plan {
        let mut tidy = Plan {
            summary: self.summary,
            steps: Vec::new(),
            refused: self.refused,
        };
        let mut waiting = 0;
        for step in self.steps {
            let call = dedup_key(&step.tool_name, &step.params);
            let same = |other: &RecentCall| dedup_key(&other.tool_name, &other.params) == call;
            let twice = |other: &PlannedStep| dedup_key(&other.tool_name, &other.params) == call;
            let outcome = settled
                .iter()
                .find(|other| same(other))
                .map(|call| call.outcome);
            let asks = waits(&step.tool_name);
            let (code, reason) = match outcome {
                Some(CallOutcome::Waiting) => {
                    ("repeat", "the same proposal waits for a decision already.")
                }
                Some(CallOutcome::Refused) => {
                    ("repeat", "you refused the same proposal a moment ago.")
                }
                Some(CallOutcome::Undone) => {
                    ("repeat", "you took the same change back a moment ago.")
                }
                None if tidy.steps.iter().any(twice) => ("repeat", "it is in this plan already."),
                None if asks && waiting >= room => {
                    ("limit", "too many proposals of this mission wait already.")
                }
                None => {
                    waiting += usize::from(asks);
                    tidy.steps.push(step);
                    continue;
                }
            };
            tidy.refused.push(RefusedStep {
                index: step.index,
                code,
                summary: step.summary.chars().take(80).collect(),
                reason: reason.to_owned(),
            });
        }
        tidy.refused.sort_by_key(|step| step.index);
        tidy
    }
}

/// Returns the key by which repeated calls are found: the tool, and the parameters without case and spaces.
fn dedup_key(tool: &str, params: &Map) -> (String, Value) {
    fn fold(value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
                Value::from(words.join(" "))
            }
            Value::Array(items) => items.iter().map(fold).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| (name.clone(), fold(value)))
                    .collect(),
            ),
            other => crate::merge::normalize(other),
        }
    }
    (tool.to_owned(), fold(&Value::Object(params.clone())))
}

/// Reads a model's answer.
pub fn parse(text: &str, checks: &PlanChecks<'_>) -> Result<Plan, UnusableAnswer> {
    let value = answer::json(text)?;
    let Some(plan) = value.as_object() else {
        return Err(UnusableAnswer::new(
            "not_a_plan",
            "The model’s JSON is not an object with a list of steps.",
        ));
    };
    let steps = match plan.get("steps") {
        Some(Value::Array(steps)) => steps,
        _ => {
            return Err(UnusableAnswer::new(
                "not_a_plan",
                "The model’s plan has no list of steps.",
            ));
        }
    };
    if steps.len() > checks.max_steps {
        return Err(UnusableAnswer::new(
            "too_many_steps",
            format!(
                "The model’s plan has {} steps; at most {} are allowed.",
                steps.len(),
                checks.max_steps
            ),
        ));
    }
    Ok(Plan {
        summary: line(plan.get("summary")),
        ..check_steps(steps, checks)
    })
}

/// A plan of these steps, each as a plan's answer has it, without a summary.
pub fn check_steps(steps: &[Value], checks: &PlanChecks<'_>) -> Plan {
    let mut checked = Plan::default();
    for (index, value) in steps.iter().enumerate() {
        let result = match index < checks.max_steps {
            true => step(index, value, checks),
            false => Err((
                "limit",
                format!("a plan has at most {} steps.", checks.max_steps),
            )),
        };
        match result {
            Ok(step) => checked.steps.push(step),
            Err((code, reason)) => checked.refused.push(RefusedStep {
                index,
                code,
                summary: line(value.get("summary")).chars().take(80).collect(),
                reason,
            }),
        }
    }
    checked
}

/// The summary of a plan, as it is kept.
pub fn summary(text: &str) -> String {
    line(Some(&Value::from(text)))
}

type Reason = (&'static str, String);

fn step(index: usize, value: &Value, checks: &PlanChecks<'_>) -> Result<PlannedStep, Reason> {
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
fn tool<'a>(step: &Value, checks: &PlanChecks<'a>) -> Result<ToolRef<'a>, Reason> {
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
