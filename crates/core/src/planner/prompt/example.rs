//! A worked step: a real tool of the mission, a real short id, a day and a time of the mission's own zone. Dots in
//! its place would be copied.

use serde_json::Value;

use super::parts::PromptParts;
use crate::manifest::{Definition, EffectOp, Example, Field, ToolRef};
use crate::planner::reader::EXAMPLE_TITLE;

/// A plan of one step, as the JSON that is asked for. None where no tool can be filled in.
pub(super) fn plan(parts: &PromptParts<'_>) -> Option<String> {
    let tools = parts.tools.changing.iter();
    let tools: Vec<_> = tools
        .filter_map(|tool| parts.registry.tool(&tool.name))
        .collect();
    let makes = tools
        .iter()
        .filter(|tool| tool.tool.effect.op == EffectOp::Insert);
    let others = tools
        .iter()
        .filter(|tool| tool.tool.effect.op == EffectOp::Update);
    makes.chain(others).find_map(|tool| step(*tool, parts))
}

fn step(tool: ToolRef<'_>, parts: &PromptParts<'_>) -> Option<String> {
    let mut params = Vec::new();
    let mut has_time = false;
    for (name, field) in &tool.tool.params {
        let is_time = matches!(
            field.kind.kind().example,
            Some(Example::Day | Example::LocalTime)
        );
        if !field.required && (has_time || !is_time) {
            continue;
        }
        has_time |= is_time;
        params.push(format!("{}: {}", quoted(name), value(tool, field, parts)?));
    }
    Some(format!(
        "{{\"summary\": \"One thing to do\", \"steps\": [{{\"summary\": {}, \"toolName\": {}, \"params\": {{{}}}, \
         \"rationale\": \"You wrote that the tap drips.\"}}]}}",
        quoted(tool.tool.label.en()),
        quoted(&tool.tool.name),
        params.join(", ")
    ))
}

fn value(tool: ToolRef<'_>, field: &Field, parts: &PromptParts<'_>) -> Option<String> {
    let kind = field.kind.kind();
    if kind.definition == Definition::Table {
        let (module, table) = field.reference(&tool.module.id)?;
        let mut inputs = parts.inputs.iter();
        let shown = inputs.find(|input| input.module == module && input.table == table)?;
        return (!shown.short.is_empty()).then(|| quoted(&shown.short));
    }
    if let Some(first) = field.values.first() {
        return Some(quoted(first.value()));
    }
    match (kind.example, kind.json_type) {
        (Some(Example::Day), _) => {
            let time = Example::LocalTime.at(&parts.at())?;
            Some(quoted(time.split(' ').next()?))
        }
        (Some(example), _) => Some(quoted(&example.at(&parts.at())?)),
        (None, Some("string")) if kind.is_text => Some(quoted(EXAMPLE_TITLE)),
        (None, Some("integer" | "number")) => Some(field.min.unwrap_or(1.0).max(1.0).to_string()),
        (None, Some("boolean")) => Some("true".to_owned()),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
