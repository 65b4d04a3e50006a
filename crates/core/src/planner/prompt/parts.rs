//! The parts that a prompt is made of.

use jiff::tz::TimeZone;

use super::days::BusyTime;
use crate::Map;
use crate::manifest::{QueryContext, Registry};
use crate::mission::{Agent, Lesson, Mission};
use crate::planner::prompt_tool::PromptTools;
use crate::planner::short_ids::ShortIds;
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
    /// The record's id.
    pub id: String,
    /// The short id by which a step names it; empty for the record of a table with a single one.
    pub short: String,
    /// The record in words: what it is in the first line, longer texts below.
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
    /// The modules.
    pub registry: &'a Registry,
    /// The tools that the policy allows.
    pub tools: &'a PromptTools,
    /// The short ids of the records that the prompt tells of.
    pub short: &'a ShortIds,
    /// The text that the person wrote about themselves.
    pub context: Option<&'a str>,
    /// The records that the mission reads.
    pub inputs: &'a [InputText],
    /// The times that the linked records take; none where no record has a beginning and an end.
    pub busy: Option<&'a [BusyTime]>,
    /// Notes on inputs, such as one that is gone.
    pub notes: &'a [String],
    /// The lessons of the person's decisions.
    pub lessons: &'a [Lesson],
    /// Proposals that wait, of any mission.
    pub pending: &'a [PendingProposal],
    /// How many tokens the texts of mission, agent, context and inputs may take together, by estimate.
    pub budget_tokens: usize,
    /// How many tokens the prompt may have in all, functions included, by [`fit::tokens`](crate::planner::fit::tokens);
    /// none where the model's window is not known.
    pub room_tokens: Option<usize>,
}

impl PromptParts<'_> {
    /// The time and the place.
    pub(super) fn at(&self) -> QueryContext {
        QueryContext {
            now: self.now,
            zone: self.zone.1.clone(),
        }
    }
}

/// How much a prompt tells beside the person's texts. A small window leaves room for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Tools by name and parameters, one earlier run.
    Least,
    /// The same, with the days ahead, an example and three earlier runs.
    Short,
    /// Everything.
    Whole,
}
