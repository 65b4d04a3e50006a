//! The texts of a prompt, cut to its token budget.

use std::collections::BTreeMap;

use super::parts::{InputText, PromptParts};
use crate::planner::fit::TextFit;

/// The texts of mission, agent, context and inputs, cut to the budget.
#[derive(Default)]
pub(super) struct Shortened<'a> {
    pub(super) instructions: String,
    pub(super) concept: String,
    pub(super) context: String,
    pub(super) memory: String,
    /// The lines of the records that stay, by table.
    pub(super) tables: Vec<TableText<'a>>,
    pub(super) notes: Vec<String>,
}

/// The records of a table, in words.
pub(super) struct TableText<'a> {
    pub(super) module: &'a str,
    pub(super) table: &'a str,
    pub(super) records: Vec<String>,
}

/// Cuts the longest texts first, and leaves out records only when every text would become too short to be of use: the
/// last of each table, because the first are the most relevant.
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
    let lines: Vec<String> = parts.inputs.iter().map(line).collect();
    let order = by_place(parts.inputs);
    let ordered = order.iter().map(|place| lines[*place].as_str());
    let fit = TextFit::new(given, ordered, tokens);

    let mut notes = Vec::new();
    if fit.kept < lines.len() {
        notes.push(format!(
            "{} more records did not fit and were left out.",
            lines.len() - fit.kept
        ));
    }
    if fit.cut > 0 {
        notes.push(format!(
            "{} long texts were cut; each says so at its end.",
            fit.cut
        ));
    }
    let mut kept = order[..fit.kept.min(order.len())].to_vec();
    kept.sort_unstable();
    let mut tables: Vec<TableText<'a>> = Vec::new();
    for place in kept {
        let input = &parts.inputs[place];
        let cut = fit.cut(&lines[place]);
        let own =
            |table: &&mut TableText<'a>| table.module == input.module && table.table == input.table;
        match tables.iter_mut().find(own) {
            Some(table) => table.records.push(cut),
            None => tables.push(TableText {
                module: &input.module,
                table: &input.table,
                records: vec![cut],
            }),
        }
    }
    Shortened {
        instructions: fit.cut(&agent.system_prompt),
        concept: fit.cut(&mission.concept_markdown),
        context: fit.cut(context),
        memory: fit.cut(&agent.memory),
        tables,
        notes,
    }
}

/// A record with its short id.
pub(super) fn line(input: &InputText) -> String {
    match input.short.is_empty() {
        true => input.text.clone(),
        false => format!("{} | {}", input.short, input.text),
    }
}

/// The places of the records in the order in which they are kept: the first of each table, then the second of each.
fn by_place(inputs: &[InputText]) -> Vec<usize> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (place, input) in inputs.iter().enumerate() {
        let count = counts.entry((&input.module, &input.table)).or_insert(0);
        order.push((*count, place));
        *count += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
}
