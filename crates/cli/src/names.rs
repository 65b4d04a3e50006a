//! Records and steps by their own names, not by a model's summary.

use std::collections::BTreeMap;

use anyhow::Result;
use mana_core::{
    RecordKey, RecordState,
    manifest::Label,
    mission::{Intent, Step},
    staging::{CardRecords, MOST_NAMESAKES, record_title},
    text::same_meaning,
};
use mana_device::Replica;

use crate::terminal::{short, visible};

/// The records of a card that are on this device, removed ones too, and others of their titles.
pub(crate) async fn card_records(
    replica: &Replica,
    keys: impl IntoIterator<Item = RecordKey>,
) -> Result<CardRecords> {
    let mut known = CardRecords::default();
    let mut tables: BTreeMap<(String, String), Vec<(String, RecordState)>> = BTreeMap::new();
    for key in keys {
        let Some(state) = replica.record(&key).await? else {
            continue;
        };
        let table = replica.registry().table(&key.app, &key.table);
        let name = |state: &RecordState| {
            record_title(table, &state.data)
                .as_deref()
                .map(same_meaning)
        };
        if let Some(own) = name(&state) {
            let place = (key.app.clone(), key.table.clone());
            if !tables.contains_key(&place) {
                let all = replica.records(&key.app, &key.table).await?;
                tables.insert(place.clone(), all);
            }
            let alike = tables[&place].iter().filter(|(id, other)| {
                *id != key.id && !other.is_deleted() && name(other).as_ref() == Some(&own)
            });
            let alike: Vec<RecordState> = alike
                .map(|(_, other)| other.clone())
                .take(MOST_NAMESAKES)
                .collect();
            known.namesakes.insert(key.clone(), alike);
        }
        known.records.insert(key, state);
    }
    Ok(known)
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
