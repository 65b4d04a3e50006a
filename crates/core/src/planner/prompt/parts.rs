//! The parts that a prompt is made of.

use jiff::tz::TimeZone;

use crate::Map;
use crate::mission::{Agent, Mission};
use crate::planner::prompt_tool::PromptTool;
use crate::time::Micros;

/// How a model is to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanFormat {
    /// With one fenced block of JSON.
    #[default]
    FencedJson,
    /// With JSON alone; its schema goes with the request.
    JsonSchema,
    /// With calls; the functions go with the request.
    ToolCalls,
}

/// A record, put into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputText {
    /// The module.
    pub module: String,
    /// The table.
    pub table: String,
    /// The record's id, for a step to name.
    pub id: String,
    /// The text of the record.
    pub text: String,
}

/// A proposal that waits for the person.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingProposal {
    /// The mission that made it.
    pub mission_title: String,
    /// The effect of the proposal.
    pub summary: String,
    /// The tool.
    pub tool_name: String,
    /// Its parameters.
    pub params: Map,
}

/// Everything that goes into a prompt.
#[derive(Clone, Debug)]
pub struct PromptParts<'a> {
    /// The mission.
    pub mission: &'a Mission,
    /// The iteration being planned; it gives the fence its name.
    pub iteration_id: &'a str,
    /// The time.
    pub now: Micros,
    /// The mission's time zone, by name and by rules.
    pub zone: (&'a str, TimeZone),
    /// The account's language: `en` or `de`.
    pub locale: &'a str,
    /// The agent that plans.
    pub agent: &'a Agent,
    /// How the model is to answer.
    pub format: PlanFormat,
    /// The most steps that a plan may have.
    pub max_steps: usize,
    /// The tools that the policy allows.
    pub tools: &'a [PromptTool],
    /// The text that the person wrote about themselves.
    pub context: Option<&'a str>,
    /// The records that the mission reads.
    pub inputs: &'a [InputText],
    /// Notes on inputs, such as one that is gone.
    pub notes: &'a [String],
    /// Proposals that wait, of any mission.
    pub pending: &'a [PendingProposal],
    /// How many tokens the texts of mission, agent, context and inputs may take together, by estimate.
    pub budget_tokens: usize,
    /// How many tokens the model takes in all, if that is known.
    pub context_tokens: Option<usize>,
}
