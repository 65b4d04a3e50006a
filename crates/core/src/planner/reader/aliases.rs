//! Other names of parameters and of values. The one place where they are looked up.

use super::tool_name::fold;
use crate::manifest::{EnumValue, Field, Table, ToolRef};

/// The parameter that a name stands for: its own in any case and with any separators; `id` for the record that the
/// tool changes; a reference without its "Id".
pub(super) fn parameter<'a>(tool: ToolRef<'a>, given: &str) -> Option<&'a str> {
    let declared = &tool.tool.params;
    if let Some((name, _)) = declared.get_key_value(given) {
        return Some(name);
    }
    let folded = fold(given);
    let target = tool
        .tool
        .effect
        .id
        .as_deref()
        .and_then(|id| id.strip_prefix('$'));
    declared
        .iter()
        .find(|(name, field)| {
            let own = fold(name);
            own == folded
                || field.table.is_some() && own == format!("{folded}id")
                || target == Some(name.as_str())
                    && matches!(folded.as_str(), "id" | "recordid" | "target" | "targetid")
        })
        .map(|(name, _)| name.as_str())
}

/// Words for the levels that manifests call low, normal and high.
const LEVELS: &[(&str, &[&str])] = &[
    (
        "normal",
        &[
            "medium", "med", "mid", "middle", "moderate", "average", "default", "regular",
            "standard", "mittel",
        ],
    ),
    (
        "high",
        &[
            "urgent",
            "highest",
            "critical",
            "important",
            "veryhigh",
            "dringend",
            "wichtig",
        ],
    ),
    ("low", &["lowest", "minor", "verylow", "unwichtig"]),
];

/// The value of a choice that a text stands for: in any case and with any separators, by what a form calls it, or by
/// a word for the same level.
pub(super) fn choice<'a>(
    field: &'a Field,
    table: &'a Table,
    name: &str,
    given: &str,
) -> Option<&'a str> {
    let folded = fold(given);
    let values = || field.values.iter().map(EnumValue::value);
    if let Some(value) = values().find(|value| fold(value) == folded) {
        return Some(value);
    }
    let labelled = field.values.iter().chain(
        table
            .fields
            .get(name)
            .into_iter()
            .flat_map(|field| &field.values),
    );
    for value in labelled {
        let label = value.label();
        if label.0.values().any(|label| fold(label) == folded)
            && let Some(known) = values().find(|known| *known == value.value())
        {
            return Some(known);
        }
    }
    let (level, _) = LEVELS
        .iter()
        .find(|(_, words)| words.contains(&folded.as_str()))?;
    values().find(|value| value == level)
}
