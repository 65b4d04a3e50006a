//! Records and steps by their own names, not by a model's summary.

use anyhow::Result;
use mana_core::{
    RecordKey,
    manifest::Label,
    mission::{Intent, Step},
    staging::{Records, record_title},
};
use mana_device::Replica;

use crate::terminal::{short, visible};

/// The records that are on this device, removed ones too.
pub(crate) async fn records(
    replica: &Replica,
    keys: impl IntoIterator<Item = RecordKey>,
) -> Result<Records> {
    let mut records = Records::new();
    for key in keys {
        if let Some(state) = replica.record(&key).await? {
            records.insert(key, state);
        }
    }
    Ok(records)
}

/// A record as its table and its own title name it; by its id where it has no title.
pub(crate) async fn record_name(replica: &Replica, key: &RecordKey) -> Result<String> {
    let table = replica.registry().table(&key.app, &key.table);
    let noun = table.map_or(key.table.as_str(), |table| table.name.en());
    if table.is_some_and(|table| table.singleton) {
        return Ok(visible(noun));
    }
    let state = replica.record(key).await?;
    let title = state.and_then(|state| record_title(table, &state.data));
    Ok(format!(
        "{} {}",
        visible(noun),
        short(title.as_ref().unwrap_or(&key.id))
    ))
}

/// A step that was carried out: the label of its tool, and the records that it wrote.
pub(crate) async fn step_name(replica: &Replica, step: &Step) -> Result<String> {
    let tool = match &step.intent {
        Intent::ToolCall { tool_name, .. } => tool_name.as_str(),
        Intent::Note { .. } | Intent::Other(_) => "Note",
    };
    let known = replica.registry().tool(tool);
    let label = known.map_or_else(|| Label::english(tool), |known| known.tool.label.clone());
    let mut names = Vec::new();
    for record in step.all_replaced() {
        let key = RecordKey::new(record.app, record.table, record.id);
        names.push(record_name(replica, &key).await?);
    }
    Ok(format!("{}: {}", visible(label.en()), names.join(", ")))
}
