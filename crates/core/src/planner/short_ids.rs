//! Short ids: `t12` for a task. A prompt shows records by them, because a model copies them without a slip and they
//! take two tokens where a UUID takes forty. Rule MISSIONS R3.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Map;
use crate::manifest::{Field, Registry};
use crate::record::RecordKey;

/// Ids of this length or less are short already.
const SHORT: usize = 6;

/// The short ids of a run's records. A record keeps its id in all rounds of the run.
#[derive(Clone, Debug, Default)]
pub struct ShortIds {
    /// The letters of each table's ids, by module and table.
    letters: BTreeMap<(String, String), String>,
    /// The last number of each table.
    last: BTreeMap<(String, String), usize>,
    ids: BTreeMap<RecordKey, String>,
    taken: BTreeSet<String>,
}

impl ShortIds {
    /// No ids yet. Every table of the modules gets letters of its own: the fewest of its name that no table before it
    /// has.
    pub fn new(registry: &Registry) -> ShortIds {
        let mut used = BTreeSet::new();
        let mut letters = BTreeMap::new();
        for manifest in registry.manifests() {
            for (name, table) in &manifest.tables {
                if table.singleton {
                    continue;
                }
                let of = |text: &str| -> String {
                    let plain = text.chars().filter(char::is_ascii_alphabetic);
                    plain.map(|c| c.to_ascii_lowercase()).collect()
                };
                let (name_letters, both) = (of(name), of(&format!("{}{name}", manifest.id)));
                let starts = (1..=name_letters.len()).map(|end| name_letters[..end].to_owned());
                let longer = (1..).map(|times| format!("{both}{}", "x".repeat(times)));
                let own = starts
                    .chain([both.clone()])
                    .chain(longer)
                    .find(|letters| !letters.is_empty() && !used.contains(letters));
                let Some(own) = own else { continue };
                used.insert(own.clone());
                letters.insert((manifest.id.clone(), name.clone()), own);
            }
        }
        ShortIds {
            letters,
            ..ShortIds::default()
        }
    }

    /// Gives a record an id, unless it has one. The record of a table with a single record needs none.
    pub fn add(&mut self, key: &RecordKey) {
        let place = (key.app.clone(), key.table.clone());
        let Some(letters) = self.letters.get(&place) else {
            return;
        };
        if self.ids.contains_key(key) {
            return;
        }
        let is_short = key.id.len() <= SHORT && key.id.bytes().all(|b| b.is_ascii_alphanumeric());
        let own = is_short.then(|| key.id.to_ascii_lowercase());
        let last = self.last.entry(place).or_insert(0);
        let short = match own.filter(|own| !own.is_empty() && !self.taken.contains(own)) {
            Some(own) => own,
            None => loop {
                *last += 1;
                let next = format!("{letters}{last}");
                if !self.taken.contains(&next) {
                    break next;
                }
            },
        };
        self.taken.insert(short.clone());
        self.ids.insert(key.clone(), short);
    }

    /// Gives ids to the records that a record refers to.
    pub fn add_references(&mut self, registry: &Registry, module: &str, table: &str, data: &Map) {
        let table = registry.table(module, table);
        for (name, field) in table.into_iter().flat_map(|table| &table.fields) {
            self.add_reference(field, module, data.get(name));
        }
    }

    /// Gives ids to the records that a call names.
    pub fn add_call(&mut self, registry: &Registry, tool: &str, params: &Map) {
        let Some(tool) = registry.tool(tool) else {
            return;
        };
        for (name, field) in &tool.tool.params {
            self.add_reference(field, &tool.module.id, params.get(name));
        }
    }

    fn add_reference(&mut self, field: &Field, module: &str, value: Option<&Value>) {
        if let (Some((module, table)), Some(id)) =
            (field.reference(module), value.and_then(Value::as_str))
        {
            self.add(&RecordKey::new(module, table, id));
        }
    }

    /// The short id of a record.
    pub fn get(&self, key: &RecordKey) -> Option<&str> {
        self.ids.get(key).map(String::as_str)
    }

    /// Every record that has one.
    pub fn iter(&self) -> impl Iterator<Item = (&RecordKey, &str)> {
        self.ids.iter().map(|(key, short)| (key, short.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_r3_records_have_short_ids_that_no_two_share() {
        let mut short = ShortIds::new(&Registry::builtin());
        let key = |app: &str, table: &str, id: &str| RecordKey::new(app, table, id);
        let first = key("todo", "tasks", "5a1c9e30-0000-4000-8000-000000000001");
        let keys = [
            first.clone(),
            key("todo", "tasks", "t2"),
            key("todo", "tasks", "5a1c9e30-0000-4000-8000-000000000002"),
            key("calendar", "events", "5a1c9e30-0000-4000-8000-000000000001"),
            key("goals", "goals", "T1"),
            key("context", "documents", "context"),
            first,
        ];
        for key in &keys {
            short.add(key);
        }
        let ids: Vec<_> = keys.iter().map(|key| short.get(key)).collect();
        let expected = ["t1", "t2", "t3", "e1", "g1"].map(Some);
        assert_eq!(ids[..5], expected);
        assert_eq!((ids[5], ids[6]), (None, Some("t1")));
        assert_eq!(short.iter().count(), 5);
    }
}
