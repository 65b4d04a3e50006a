//! The texts of a prompt, cut to its token budget.

use super::parts::{InputText, PromptParts};
use crate::planner::fit::TextFit;

/// The texts of mission, agent, context and inputs, cut to the budget.
#[derive(Default)]
pub(super) struct Shortened<'a> {
    pub(super) instructions: String,
    pub(super) concept: String,
    pub(super) context: String,
    pub(super) memory: String,
    pub(super) inputs: Vec<(&'a InputText, String)>,
    pub(super) notes: Vec<String>,
}

/// Cuts the longest texts first, and leaves out records from the end only when every text would become too short to
/// be of use.
pub(super) fn shorten<'a>(parts: &PromptParts<'a>, tokens: usize) -> Shortened<'a> {
    let (agent, mission) = (parts.agent, parts.mission);
    let context = parts.context.unwrap_or("");
    let fixed = [
        mission.concept_markdown.as_str(),
        context,
        &agent.system_prompt,
        &agent.memory,
    ];
    let given = fixed.into_iter().filter(|text| !text.is_empty());
    let fit = TextFit::new(
        given,
        parts.inputs.iter().map(|input| input.text.as_str()),
        tokens,
    );

    let mut notes = Vec::new();
    if fit.kept < parts.inputs.len() {
        notes.push(format!(
            "{} more records did not fit and were left out.",
            parts.inputs.len() - fit.kept
        ));
    }
    if fit.cut > 0 {
        notes.push(format!(
            "{} long texts were cut; each says so at its end.",
            fit.cut
        ));
    }
    Shortened {
        instructions: fit.cut(&agent.system_prompt),
        concept: fit.cut(&mission.concept_markdown),
        context: fit.cut(context),
        memory: fit.cut(&agent.memory),
        inputs: parts.inputs[..fit.kept]
            .iter()
            .map(|input| (input, fit.cut(&input.text)))
            .collect(),
        notes,
    }
}
