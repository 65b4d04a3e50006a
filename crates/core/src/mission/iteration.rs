//! Iterations, steps and run records, as they stand on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::StepStatus;
use crate::{
    Map,
    actor::Actor,
    json,
    replaced::{ReplacedRecord, combine},
    time::Micros,
};

/// A run of a mission: its plan, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Iteration {
    /// Derived from mission and slot.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// The occurrence that it answers.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub slot: String,
    /// When the first attempt began; a retry keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Micros, required = true))]
    pub started_at: Option<Micros>,
    /// When the plan was complete. Records that its steps create carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Micros>,
    /// Decides which of two versions of this iteration wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Micros>,
    /// `server`, or `browser` for a plan made in a tab.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::IterationSource, required = true))]
    pub source: String,
    /// The model's comment on its plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The person's feedback on the plan as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_feedback: Option<String>,
    /// Why the run failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// Computed from the steps by the merge, never written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::OverallStatus>))]
    pub overall_status: Option<String>,
    /// The steps, in their order.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub plan: Vec<Step>,
    /// The model that planned it; `builtin/outline` is no AI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The agent that planned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// The agent's name at the time of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Fields of a later version.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Map,
}

/// Why a run failed, for the person whose mission it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct RunError {
    /// A word for programs: `timeout`, `truncated`, `unknown_tool` …
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub code: String,
    /// The message: what happened, that nothing was changed, what to do.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub message: String,
    /// Which steps were refused and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// The figures and times in `message`, by name, for whoever says it in another language.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub details: Option<Map>,
    /// Fields of a later version.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Map,
}

/// A step of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    /// Derived from iteration and index.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// Its place in the plan, from 0.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub index: u32,
    /// The step's effect, in a line.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub summary: String,
    /// The reason for the step, which stays with every record that the step creates.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub rationale: String,
    /// The step's effect, for programs.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Intent, required = true))]
    pub intent: Intent,
    /// The proposal that a device made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal_id: Option<String>,
    /// When the step loses its sense: the end of the day on which it would make something due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Micros>,
    /// The state of the step.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: StepStatus,
    /// When that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Micros>,
    /// The decider: a user's id, `policy`, `deadline`, or `replaced` where a newer plan took the step's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The person's comment on the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// The parameters as the person changed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub edited_params: Option<Map>,
    /// The values that the step replaced: enough for any device to undo it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<ReplacedRecord>,
    /// Every decision on it, oldest first: those that others outrank, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<StepDecision>,
    /// Decides which of two versions of this step wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Micros>,
    /// Fields of a later version.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Map,
}

/// A decision on a step. The step's own `status` says which of them counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct StepDecision {
    /// Derived from step, device and status: a device decides a step one way once.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// The decision.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: StepStatus,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Micros>,
    /// The decider: a user's id, `policy` or `deadline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// At which device: its client id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The person's comment on the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// The parameters as the person changed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub edited_params: Option<Map>,
    /// The values that this approval replaced, with their stamps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<ReplacedRecord>,
    /// The texts that this approval added to, by length and hash.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub appended: Vec<ReplacedRecord>,
    /// Fields of a later version.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Map,
}

impl Step {
    /// The values that the step replaced, of all decisions on it: several devices may have approved it, each on the
    /// values that it saw.
    pub fn all_replaced(&self) -> Vec<ReplacedRecord> {
        let mut known = self.replaced.clone();
        for decision in &self.decisions {
            combine(&mut known, &decision.replaced);
            combine(&mut known, &decision.appended);
        }
        known
    }
}

/// The effect of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Intent {
    /// Call a tool of a module.
    ToolCall {
        /// The tool's name.
        tool_name: String,
        /// Its parameters.
        #[serde(default)]
        params: Map,
    },
    /// Say something; there is nothing to decide.
    Note {
        /// The text of the note.
        #[serde(default)]
        body: String,
    },
    /// A kind of a later version.
    #[serde(untagged)]
    Other(Value),
}

impl Default for Intent {
    fn default() -> Self {
        Intent::Note {
            body: String::new(),
        }
    }
}

/// Gives steps without a place those of their ids, "-10" after "-2": the list itself orders them as texts.
fn number_steps(steps: &mut [Value]) {
    if steps.iter().any(|step| step.get("index").is_some()) {
        return;
    }
    let place = |step: &Value| {
        let id = step.get("id").and_then(Value::as_str).unwrap_or_default();
        let name = id.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: u64 = id[name.len()..].parse().unwrap_or_default();
        (name.to_owned(), number)
    };
    steps.sort_by_key(place);
    for (index, step) in steps.iter_mut().enumerate() {
        if let Some(step) = step.as_object_mut() {
            step.insert("index".to_owned(), index.into());
        }
    }
}

impl Iteration {
    /// Reads an iteration; what can't be read is the reason.
    pub fn parse(value: &Value) -> Result<Iteration, String> {
        let mut value = value.clone();
        let Some(fields) = value.as_object_mut() else {
            return Err("The iteration is not an object.".to_owned());
        };
        // A field of a wrong type is dropped rather than the whole iteration,
        // and null is absent.
        fields.retain(|_, field| !field.is_null());
        if let Some(Value::Array(steps)) = fields.get_mut("plan") {
            for step in steps.iter_mut() {
                if let Some(step) = step.as_object_mut() {
                    step.retain(|_, field| !field.is_null());
                }
            }
            steps.retain(|step| json::from_value::<Step>(step.clone()).is_ok());
            number_steps(steps);
        }
        json::from_value(value).map_err(|error| format!("The iteration can't be read: {error}."))
    }

    /// The iteration as JSON.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// The author of what a step of this iteration does: the AI, under the name of the agent that planned it.
    pub fn actor(&self, mission_id: &str, rationale: &str) -> Actor {
        let (id, name) = (self.principal_id.as_deref(), self.display_name.as_deref());
        Actor::agent(mission_id, &self.id, rationale, id, name)
    }

    /// Returns when the plan was complete: the stamp of the records that its steps create.
    pub fn created_at(&self) -> Micros {
        self.finished_at
            .or(self.started_at)
            .unwrap_or(Micros::EPOCH)
    }

    /// How many steps wait for a decision.
    pub fn open_steps(&self) -> usize {
        if self.error.is_some() {
            return 0;
        }
        self.plan
            .iter()
            .filter(|step| step.status.is_open())
            .count()
    }
}

/// The outcome of an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// A plan was made.
    Ran,
    /// There was a reason not to run.
    Skipped,
    /// The server was not running at the time.
    Missed,
    /// The attempt failed.
    Failed,
}

/// The record of one occurrence, in `aiRuns`; its id is the iteration's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AiRun {
    /// The mission.
    pub mission_id: String,
    /// The occurrence.
    pub slot: String,
    /// The outcome of the occurrence.
    pub status: RunStatus,
    /// Why it did not run, or what failed, as a word for programs: `waiting-for-review`, `over-budget`, `timeout` …
    /// `spec/MISSIONS.md` lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why it did not run, or what failed, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The figures and times in `reason`, by name, for whoever says it in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub details: Option<Map>,
    /// When the (first) attempt began, or the occurrence was due.
    pub started_at: Micros,
    /// When that was known.
    pub finished_at: Micros,
    /// How often it was tried.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub attempts: u32,
    /// Tokens used, as the gateway counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// The cost in US dollars; none where the model has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// The model that answered, or was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Fields of a later version.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Map,
}
