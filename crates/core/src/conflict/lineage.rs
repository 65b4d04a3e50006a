//! The past of a text as a replica knows it: which value each value replaced, and the values themselves where they may
//! be needed to merge.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Gather, actor::Actor, record::RecordKey, time::Micros};

/// Links that a device keeps of a text.
const LINKS_KEPT: usize = 200;

/// Of these, the values of other devices that it keeps, and of its own.
const VALUES_KEPT: (usize, usize) = (8, 4);

/// An earlier value of a text field, or one that lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastText {
    /// Its stamp.
    pub at: Micros,
    /// The stamp that it replaced; none where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Micros>,
    /// Whether this device wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// Its author.
    pub actor: Actor,
    /// The value; none where only the link is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// The past of a text field, kept beside its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextLineage {
    /// The record.
    #[serde(flatten)]
    pub key: RecordKey,
    /// The field.
    pub field: String,
    /// The stamp of the value that stands.
    pub at: Micros,
    /// The stamp that it replaced; none where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Micros>,
    /// Whether this device wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// The other values, the latest stamp first.
    #[serde(default)]
    pub past: Vec<PastText>,
}

impl TextLineage {
    /// Whether a value with this stamp lies between a value of the text's line and the one that it replaced: nobody on
    /// that line had seen it.
    pub fn is_unseen(&self, at: Micros) -> bool {
        let mut base = self.base;
        while let Some(replaced) = base {
            if at >= replaced {
                return at > replaced;
            }
            base = self.past(replaced).and_then(|past| past.base);
        }
        false
    }

    /// Whether the value that stands descends from one with this stamp.
    pub fn descends_from(&self, at: Micros) -> bool {
        let mut base = self.base;
        while let Some(replaced) = base {
            if at >= replaced {
                return at == replaced;
            }
            base = self.past(replaced).and_then(|past| past.base);
        }
        false
    }

    /// The past value with a stamp.
    pub fn past(&self, at: Micros) -> Option<&PastText> {
        self.past.iter().find(|past| past.at == at)
    }

    /// The text with a stamp, where it is kept. Before the first value there was none.
    pub fn text_at(&self, at: Micros) -> Option<String> {
        if at == Micros::EPOCH {
            return Some(String::new());
        }
        match self.past(at)?.value.as_ref()? {
            Value::String(text) => Some(text.clone()),
            Value::Null => Some(String::new()),
            _ => None,
        }
    }

    /// Replaces a stamp that the server has set back (T4).
    pub fn set_back(&mut self, old: Micros, new: Micros) {
        let replace = |at: &mut Micros| {
            if *at == old {
                *at = new;
            }
        };
        replace(&mut self.at);
        self.base.iter_mut().for_each(replace);
        for past in &mut self.past {
            replace(&mut past.at);
            past.base.iter_mut().for_each(replace);
        }
        self.past.sort_by_key(|past| std::cmp::Reverse(past.at));
    }

    pub(super) fn add(&mut self, past: PastText) {
        let place = self.past.partition_point(|other| other.at > past.at);
        if self.past.get(place).is_none_or(|other| other.at != past.at) {
            self.past.insert(place, past);
        }
    }

    /// Drops what a device need not keep.
    fn prune(&mut self) {
        self.past.truncate(LINKS_KEPT);
        let (mut others, mut own) = VALUES_KEPT;
        for past in &mut self.past {
            let left = if past.own { &mut own } else { &mut others };
            if past.value.is_some() && *left == 0 {
                past.value = None;
            }
            *left = left.saturating_sub(1);
        }
    }
}

/// The lineages of some texts, by record and field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lineages {
    rows: BTreeMap<(RecordKey, String), Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    lineage: TextLineage,
    changed: bool,
}

impl Lineages {
    /// The lineages that a replica has stored.
    pub fn new(rows: impl IntoIterator<Item = TextLineage>) -> Lineages {
        let rows = rows.into_iter().map(|lineage| {
            let place = (lineage.key.clone(), lineage.field.clone());
            let changed = false;
            (place, Row { lineage, changed })
        });
        Lineages {
            rows: rows.gather(),
        }
    }

    /// The lineage of a field.
    pub fn get(&self, key: &RecordKey, field: &str) -> Option<&TextLineage> {
        let row = self.rows.get(&(key.clone(), field.to_owned()))?;
        Some(&row.lineage)
    }

    /// The lineage of a field whose value has this stamp, to be changed. A value that came otherwise than by a change
    /// replaced what nobody knows.
    pub(super) fn at(&mut self, key: &RecordKey, field: &str, at: Micros) -> &mut TextLineage {
        let place = (key.clone(), field.to_owned());
        let Row { lineage, changed } = self.rows.entry(place).or_insert_with(|| Row {
            lineage: TextLineage {
                key: key.clone(),
                field: field.to_owned(),
                at,
                base: None,
                own: false,
                past: Vec::new(),
            },
            changed: true,
        });
        *changed = true;
        if lineage.at != at {
            (lineage.at, lineage.base, lineage.own) = (at, None, false);
        }
        lineage
    }

    /// Notes the first value of a text.
    pub(super) fn begin(
        &mut self,
        key: &RecordKey,
        field: &str,
        at: Micros,
        base: Option<Micros>,
        own: bool,
    ) {
        let lineage = self.at(key, field, at);
        (lineage.base, lineage.own) = (base, own);
    }

    /// Replaces a stamp of a field that the server has set back (T4).
    pub fn set_back(&mut self, key: &RecordKey, field: &str, old: Micros, new: Micros) {
        let place = (key.clone(), field.to_owned());
        if let Some(row) = self.rows.get_mut(&place) {
            row.lineage.set_back(old, new);
            row.changed = true;
        }
    }

    /// The lineages that changed, for a device to store: bounded.
    pub fn into_changed(self) -> Vec<TextLineage> {
        let changed = self.rows.into_values().filter(|row| row.changed);
        let lineages = changed.map(|mut row| {
            row.lineage.prune();
            row.lineage
        });
        lineages.collect()
    }
}
