//! The values that a step is about to replace.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Gather,
    change::Op,
    manifest::{Operation, ToolRef},
    record::RecordState,
    replaced::{Owner, ReplacedRecord, ReplacedValue, TextBefore, owner},
};

/// The values that a step replaces, as its decision keeps them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplacedValues {
    /// Whole values.
    pub replaced: Vec<ReplacedRecord>,
    /// Texts that the step added to: they stand in the record still, so that length and hash are enough. Apart from the
    /// others, because an older device would take their missing values for nothing.
    pub appended: Vec<ReplacedRecord>,
}

impl ReplacedValues {
    /// Adds what an operation of a tool is about to replace in the record as it is.
    pub fn add(&mut self, tool: ToolRef<'_>, operation: &Operation, state: Option<&RecordState>) {
        let mut whole = replaced(operation, state);
        let mut appended = ReplacedRecord {
            fields: BTreeMap::new(),
            ..whole.clone()
        };
        for (field, value) in &mut whole.fields {
            let text = value
                .value
                .as_str()
                .filter(|text| !text.trim_end().is_empty());
            if let Some(text) = text.filter(|_| tool.appends(field)) {
                let before = Some(TextBefore::of(text));
                let value = ReplacedValue {
                    value: Value::Null,
                    before,
                    ..value.clone()
                };
                appended.fields.insert(field.clone(), value);
            }
        }
        whole
            .fields
            .retain(|field, _| !appended.fields.contains_key(field));
        // A record without fields would say that the step made it.
        if !whole.fields.is_empty() || appended.fields.is_empty() {
            self.replaced.push(whole);
        }
        if !appended.fields.is_empty() {
            self.appended.push(appended);
        }
    }
}

/// Returns the values that an operation is about to replace in the record as it is.
fn replaced(operation: &Operation, state: Option<&RecordState>) -> ReplacedRecord {
    let written: Vec<&str> = match operation.op {
        Op::Delete => vec!["deletedAt"],
        // A record that is there already is changed, not made.
        Op::Insert if state.is_none() => Vec::new(),
        _ => (operation.set.keys().chain(&operation.now))
            .map(String::as_str)
            .collect(),
    };
    let before = |field: &str| {
        let value = state.and_then(|state| state.data.get(field));
        let owner = owner(state, field);
        ReplacedValue {
            value: value.cloned().unwrap_or(Value::Null),
            step: match owner {
                Owner::Step(step) => Some(step.to_owned()),
                Owner::Nobody | Owner::Other => None,
            },
            absent: matches!(owner, Owner::Nobody),
            at: (state.and_then(|state| state.meta.get(field))).map(|stamp| stamp.at),
            before: None,
        }
    };
    ReplacedRecord {
        app: operation.app.clone(),
        table: operation.table.clone(),
        id: operation.id.clone(),
        fields: (written.into_iter())
            .map(|field| (field.to_owned(), before(field)))
            .gather(),
    }
}
