//! A plan as it was read out of a model's answer: its steps, the refused ones, and remarks.

use serde_json::Value;

use super::prompt::PendingProposal;
use crate::Map;
use crate::text::same_meaning;

/// A plan: the steps that can be proposed, and those that can't.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The model's summary.
    pub summary: String,
    /// The steps that passed, in their order.
    pub steps: Vec<PlannedStep>,
    /// The steps that didn't.
    pub refused: Vec<RefusedStep>,
    /// Remarks on what was left out of the answer, for the person. Nothing of it is asked for again.
    pub notes: Vec<PlanNote>,
    /// The steps that repeat a waiting proposal, which stays.
    pub repeats: Vec<RecentCall>,
}

/// A remark on what was left out of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanNote {
    /// A word for programs: `cut`, `limit`, `left_out`, `prompt_cut`, `similar`.
    pub code: &'static str,
    /// The remark in a few words.
    pub summary: &'static str,
    /// The remark, in plain words.
    pub text: String,
}

impl PlanNote {
    /// The answer broke off.
    pub fn cut() -> PlanNote {
        PlanNote {
            code: "cut",
            summary: "The answer was cut off",
            text: "The model’s answer was cut off. Its whole steps were kept; further ones may be missing."
                .to_owned(),
        }
    }

    /// There were more steps than a plan may have.
    pub fn over_limit(left_out: usize, most: usize) -> PlanNote {
        let text = match left_out {
            1 => format!("A further step was left out: a plan has at most {most} steps."),
            n => format!("{n} further steps were left out: a plan has at most {most} steps."),
        };
        PlanNote {
            code: "limit",
            summary: "More steps than a plan may have",
            text,
        }
    }

    /// The model's server cut the prompt, so that it was asked again with a shorter one.
    pub fn prompt_cut(text: String) -> PlanNote {
        PlanNote {
            code: "prompt_cut",
            summary: "The prompt had to be shortened",
            text,
        }
    }

    /// A step resembles something that is settled. The person decides whether it is the same.
    pub(super) fn similar(index: usize, other: &str) -> PlanNote {
        PlanNote {
            code: "similar",
            summary: "Is this the same?",
            text: format!(
                "Step {} resembles {other}. Refuse it if it is the same.",
                index + 1
            ),
        }
    }

    pub(super) fn left_out(index: usize, what: &str) -> PlanNote {
        PlanNote {
            code: "left_out",
            summary: "Something was left out",
            text: format!("Step {} is without {what}.", index + 1),
        }
    }
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

impl RecentCall {
    /// Whether it is the same call: the same tool with parameters of the same meaning.
    pub fn is(&self, tool_name: &str, params: &Map) -> bool {
        dedup_key(&self.tool_name, &self.params) == dedup_key(tool_name, params)
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
            notes: self.notes,
            repeats: self.repeats,
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
            if outcome == Some(CallOutcome::Waiting) {
                tidy.repeats.push(RecentCall {
                    tool_name: step.tool_name.clone(),
                    params: step.params.clone(),
                    outcome: CallOutcome::Waiting,
                });
            }
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

/// Returns the key by which repeated calls are found: the tool, and the parameters of the same meaning.
pub(super) fn dedup_key(tool: &str, params: &Map) -> (String, Value) {
    fn fold(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(same_meaning(text)),
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
