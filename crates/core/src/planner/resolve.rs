//! The records that a mission reads, put into words by the manifests: one way for every
//! module. Rules MISSIONS R1–R5.

use jiff::Timestamp;
use serde_json::Value;

use super::prompt::InputText;
use crate::Map;
use crate::manifest::{Field, PromptText, QueryContext, Registry, Row, Table};
use crate::mission::Input;
use crate::record::{RecordKey, RecordState};
use crate::time::Micros;

/// The longest value of a field that is no text.
const MAX_VALUE: usize = 2_000;

/// The context in which records are put into words.
pub struct Resolver<'a> {
    /// The modules.
    pub registry: &'a Registry,
    /// The time, and the mission's time zone.
    pub context: QueryContext,
    /// The title of another record, for a reference to it.
    pub title: &'a dyn Fn(&RecordKey) -> Option<String>,
}

/// An input in words, and what the model should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedInput {
    /// The texts, one for each record.
    pub texts: Vec<InputText>,
    /// Notes on records that are missing or left out.
    pub notes: Vec<String>,
}

impl Resolver<'_> {
    /// An input's records in words: the one that it names, or those that the
    /// table's prompt query picks from `rows`.
    pub fn resolve<'r>(
        &self,
        input: &Input,
        rows: impl IntoIterator<Item = Row<'r>>,
    ) -> ResolvedInput {
        let place = format!("{}/{}", input.module, input.table);
        let Some(table) = self.registry.table(&input.module, &input.table) else {
            let note = format!("{place} can’t be read: its module is not installed.");
            return ResolvedInput {
                texts: Vec::new(),
                notes: vec![note],
            };
        };
        let live = rows.into_iter().filter(|(_, state)| !state.is_deleted());
        let mut notes = Vec::new();
        let picked: Vec<Row<'r>> = match &input.id {
            Some(id) => {
                let row = live.into_iter().find(|(row, _)| row == id);
                if row.is_none() {
                    notes.push(format!(
                        "{place} id: {id} is linked but gone: it was deleted."
                    ));
                }
                row.into_iter().collect()
            }
            None => {
                let all: Vec<Row<'r>> = live.collect();
                let picked = table.prompt_rows(all.iter().copied(), &self.context);
                match (picked.len(), all.len()) {
                    (0, _) => notes.push(format!("{place} has nothing to show at the moment.")),
                    (shown, all) if shown < all => {
                        notes.push(format!(
                            "{place}: {shown} of {all} records are shown, the most relevant."
                        ));
                    }
                    _ => {}
                }
                picked
            }
        };
        let texts = picked
            .into_iter()
            .map(|(id, state)| InputText {
                module: input.module.clone(),
                table: input.table.clone(),
                id: id.to_owned(),
                text: self.text(&input.module, table, &state.data),
            })
            .collect();
        ResolvedInput { texts, notes }
    }

    /// A record in words: its kind and title, then each field that has a
    /// value, by its label.
    pub fn text(&self, module: &str, table: &Table, data: &Map) -> String {
        let title = title(table, data).unwrap_or_else(|| "untitled".to_owned());
        let mut text = if table.singleton {
            String::new()
        } else {
            format!("{}: {title}\n", table.name.en())
        };
        for (name, field) in &table.fields {
            let heading = *name == table.list.title && !table.singleton;
            if heading && field.kind.kind().prompt == PromptText::Line {
                continue;
            }
            let Some(value) = data.get(name).filter(|value| !is_empty(value)) else {
                continue;
            };
            let label = field
                .label
                .as_ref()
                .map_or(name.as_str(), |label| label.en());
            let value = self.value(module, field, value);
            let gap = if value.contains('\n') { "\n" } else { " " };
            text.push_str(&format!("{label}:{gap}{value}\n"));
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn value(&self, module: &str, field: &Field, value: &Value) -> String {
        let plain = || match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string().chars().take(MAX_VALUE).collect(),
        };
        let special = match field.kind.kind().prompt {
            PromptText::Plain | PromptText::Line => None,
            PromptText::Text => Some(field.kind.text(value)),
            PromptText::Instant => value
                .as_str()
                .map(|text| self.local(text).unwrap_or_else(|| text.to_owned())),
            PromptText::Day => value.as_str().map(|text| {
                let date = text.parse::<jiff::civil::Date>();
                date.map_or_else(
                    |_| text.to_owned(),
                    |date| date.strftime("%Y-%m-%d (%A)").to_string(),
                )
            }),
            PromptText::Reference => value.as_str().map(|id| {
                let (module, table) = field.reference(module).unwrap_or((module, ""));
                match (self.title)(&RecordKey::new(module, table, id)) {
                    Some(title) => format!("{title} (id: {id})"),
                    None => format!("id: {id}"),
                }
            }),
        };
        special.unwrap_or_else(plain)
    }

    /// An instant on the mission's wall clock, with the day of the week.
    fn local(&self, text: &str) -> Option<String> {
        let at = Timestamp::from_microsecond(Micros::parse(text).ok()?.0).ok()?;
        let zoned = at.to_zoned(self.context.zone.clone());
        Some(zoned.strftime("%Y-%m-%dT%H:%M%:z (%A)").to_string())
    }
}

/// Returns the title of a record: its title field, on one line.
pub fn title(table: &Table, data: &Map) -> Option<String> {
    let text = data.get(&table.list.title)?.as_str()?;
    let line: String = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(200)
        .collect();
    (!line.is_empty()).then_some(line)
}

/// The body of the one document about the person: what every prompt carries.
pub fn context_document(state: Option<&RecordState>) -> Option<&str> {
    let state = state.filter(|state| !state.is_deleted())?;
    state
        .data
        .get("body")?
        .as_str()
        .filter(|body| !body.trim().is_empty())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
