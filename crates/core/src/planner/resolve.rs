//! The records that a mission reads, put into words by the manifests: one way for every
//! module. Rules MISSIONS R1–R5.

use serde_json::Value;

use super::prompt::{BusyTime, InputText, days, one_line};
use super::short_ids::ShortIds;
use super::time_fields;
use crate::Map;
use crate::calendar::{Day, LocalTime};
use crate::language::Language;
use crate::manifest::{Field, PromptText, QueryContext, Registry, Row, Table};
use crate::mission::Input;
use crate::record::{RecordKey, RecordState};
use crate::recurrence::{self, Series};
use crate::time::Micros;

/// The longest value of a field that is no text.
const MAX_VALUE: usize = 2_000;

/// Longer texts of a record stand on lines of their own.
const INLINE_CHARS: usize = 200;

/// The context in which records are put into words.
pub struct Resolver<'a> {
    /// The modules.
    pub registry: &'a Registry,
    /// The time, and the mission's time zone.
    pub context: QueryContext,
    /// The title of another record, for a reference to it.
    pub title: &'a dyn Fn(&RecordKey) -> Option<String>,
    /// The short ids of the records that are told of.
    pub short: &'a ShortIds,
    /// Whether the record itself is put into words too, so that its id says all.
    pub told: &'a dyn Fn(&RecordKey) -> bool,
}

/// An input in words, and what the model should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedInput {
    /// The texts, one for each record.
    pub texts: Vec<InputText>,
    /// Notes on records that are missing or left out.
    pub notes: Vec<String>,
}

/// The records of an input, and what the model should know about it.
#[derive(Clone, Debug, Default)]
pub struct PickedRows<'r> {
    /// The records, the most relevant first.
    pub rows: Vec<Row<'r>>,
    /// Notes on records that are missing or left out.
    pub notes: Vec<String>,
}

/// Picks an input's records: the one that it names, or those that the table's prompt query picks from `rows`.
pub fn pick<'r>(
    input: &Input,
    rows: impl IntoIterator<Item = Row<'r>>,
    registry: &Registry,
    context: &QueryContext,
) -> PickedRows<'r> {
    let place = format!("{}/{}", input.module, input.table);
    let Some(table) = registry.table(&input.module, &input.table) else {
        return PickedRows {
            rows: Vec::new(),
            notes: vec![format!(
                "{place} can’t be read: its module is not installed."
            )],
        };
    };
    let live = rows.into_iter().filter(|(_, state)| !state.is_deleted());
    let mut notes = Vec::new();
    let rows: Vec<Row<'r>> = match &input.id {
        Some(id) => {
            let row = live.into_iter().find(|(row, _)| row == id);
            if row.is_none() {
                notes.push(format!(
                    "A linked record of {place} is gone: it was deleted."
                ));
            }
            row.into_iter().collect()
        }
        None => {
            let all: Vec<Row<'r>> = live.collect();
            let picked = table.prompt_rows(all.iter().copied(), context);
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
    PickedRows { rows, notes }
}

impl Resolver<'_> {
    /// An input's records in words.
    pub fn resolve<'r>(
        &self,
        input: &Input,
        rows: impl IntoIterator<Item = Row<'r>>,
    ) -> ResolvedInput {
        let picked = pick(input, rows, self.registry, &self.context);
        let texts = picked.rows.into_iter();
        let texts = texts.map(|(id, state)| self.record(&input.module, &input.table, id, state));
        ResolvedInput {
            texts: texts.collect(),
            notes: picked.notes,
        }
    }

    /// A record, put into words.
    pub fn record(&self, module: &str, table: &str, id: &str, state: &RecordState) -> InputText {
        let key = RecordKey::new(module, table, id);
        let text = match self.registry.table(module, table) {
            Some(table) => self.text(module, table, &state.data),
            None => String::new(),
        };
        InputText {
            module: module.to_owned(),
            table: table.to_owned(),
            id: id.to_owned(),
            short: self.short.get(&key).unwrap_or_default().to_owned(),
            text,
        }
    }

    /// The times that the records of a table take, where it has a beginning and an end.
    pub fn busy<'r>(
        &self,
        table: &Table,
        rows: impl IntoIterator<Item = Row<'r>>,
    ) -> Option<Vec<BusyTime>> {
        let (begin, end) = time_fields::span(table)?;
        let live = rows.into_iter().filter(|(_, state)| !state.is_deleted());
        let times = live.filter_map(|(_, state)| {
            let at = |field: &str| Micros::parse(state.data.get(field)?.as_str()?).ok();
            let from = at(begin)?;
            Some(BusyTime {
                from,
                until: at(end).unwrap_or(from),
                whole_day: time_fields::is_whole_day(&state.data),
            })
        });
        Some(times.collect())
    }

    /// A record in words: its title, then each field that has a value, by its label. What is no more than the absence
    /// of something, such as "Done: no", is left out. Long texts follow on lines of their own.
    pub fn text(&self, module: &str, table: &Table, data: &Map) -> String {
        let mut head = Vec::new();
        let mut long = String::new();
        if !table.singleton {
            head.push(title(table, data).unwrap_or_else(|| "untitled".to_owned()));
        }
        let is_done = table
            .list
            .done
            .as_ref()
            .is_some_and(|done| data.get(done) == Some(&true.into()));
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
            let is_open = !is_done && time_fields::is_due_field(name);
            let same_day = ends_on_its_day(table, name, data, &self.context);
            let value = match same_day {
                Some(end) => end,
                None => self.value(module, field, value, is_open),
            };
            if value.is_empty() {
                continue;
            }
            if value.contains('\n') || value.chars().count() > INLINE_CHARS {
                let gap = if value.contains('\n') { "\n" } else { " " };
                long.push_str(&format!("\n{label}:{gap}{value}"));
            } else {
                head.push(format!("{label}: {value}"));
            }
        }
        format!("{}{long}", head.join(" | ")).trim().to_owned()
    }

    fn value(&self, module: &str, field: &Field, value: &Value, is_open: bool) -> String {
        let plain = || match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string().chars().take(MAX_VALUE).collect(),
        };
        let special = match field.kind.kind().prompt {
            PromptText::Plain | PromptText::Line => None,
            PromptText::Text => Some(field.kind.text(value)),
            PromptText::Instant => value.as_str().map(|text| match Micros::parse(text) {
                Ok(at) => self.local(at),
                Err(_) => text.to_owned(),
            }),
            PromptText::Day => value.as_str().map(|text| match text.parse() {
                Ok(date) => days::day(date, is_open, &self.context),
                Err(_) => text.to_owned(),
            }),
            PromptText::Recurrence => Series::parse(value, self.today()).ok().map(|series| {
                let words = recurrence::words(&series, Language::English, self.today());
                format!("{words} ({})", series.rule)
            }),
            PromptText::Reference => value.as_str().map(|id| {
                let (module, table) = field.reference(module).unwrap_or((module, ""));
                let key = RecordKey::new(module, table, id);
                match ((self.title)(&key), self.short.get(&key)) {
                    // The record stands in the prompt itself.
                    (_, Some(short)) if (self.told)(&key) => short.to_owned(),
                    (Some(title), Some(short)) => format!("{} ({short})", one_line(&title, 60)),
                    (Some(title), None) => title,
                    (None, short) => short.unwrap_or_default().to_owned(),
                }
            }),
        };
        special.unwrap_or_else(plain)
    }

    fn today(&self) -> Day {
        LocalTime::at(&self.context.zone, self.context.now).day
    }

    /// An instant on the mission's wall clock, with the day of the week and the distance from today.
    fn local(&self, at: Micros) -> String {
        let zone = &self.context.zone;
        let local = days::time(at, zone);
        let day = days::day(days::zoned(at, zone).date(), false, &self.context);
        let (_, day) = day.split_once(' ').unwrap_or_default();
        format!("{local} {day}")
    }
}

/// The end of a record, where the field is that and the record begins on the same day.
fn ends_on_its_day(table: &Table, field: &str, data: &Map, at: &QueryContext) -> Option<String> {
    let (begin, end) = time_fields::span(table).filter(|(_, end)| *end == field)?;
    let instant = |field: &str| Micros::parse(data.get(field)?.as_str()?).ok();
    let (begin, end) = (instant(begin)?, instant(end)?);
    let day = |instant| days::zoned(instant, &at.zone).date();
    match day(begin) == day(end) {
        true => days::clock(end, &at.zone),
        false => None,
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
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
