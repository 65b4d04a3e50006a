//! The card of a proposal: everything that its operations set, said by the manifest's labels and kinds.
//!
//! The browser and the command line draw from this one model, so that neither leaves anything out. The card is made
//! from the stored operations, never from the model's summary. Words that a person's language decides (labels, dates,
//! numbers) are left to whoever draws.

mod apart;
mod link_address;
mod links;
mod text_change;
mod unfit;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{
    proposal::Proposal,
    seen::{SeenValue, seen_key},
};
use crate::{
    Gather, Map,
    change::Op,
    manifest::{Bounds, Definition, Field, FieldType, Label, Operation, Registry, Table, ops_hash},
    merge::normalize,
    mission::CONTEXT,
    record::{RecordKey, RecordState},
};
pub use apart::{Apart, CardRecords, MOST_NAMESAKES};
pub use link_address::says_its_host;
pub use links::CardLink;
use links::new_links;
pub use text_change::{RunKind, TextChange, TextPart, TextRun};
pub use unfit::{UnfitField, unfit_fields};
pub use value::{CardItem, CardValue, Fit, ItemChange, ShownValue};
use value::{FieldContext, NameOf, RecordName, items, removed_items, tell_apart};

/// A proposal as a person reads it before deciding.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProposalCard {
    /// The proposal.
    pub id: String,
    /// The hash of exactly the operations that the card says; an approval is bound to it.
    pub ops_hash: String,
    /// The tool's name for such a proposal: "New task".
    pub label: Label,
    /// The operations, in the order in which they are carried out.
    pub operations: Vec<CardOperation>,
    /// Whether approving would leave everything as it is.
    pub changes_nothing: bool,
    /// Whether something on the card may be folded that has to be opened before the proposal can be approved.
    pub folds: bool,
    /// Whether every mission reads what approving writes as the person's own words.
    pub instructs_missions: bool,
}

/// An operation of a proposal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CardOperation {
    /// Insert, update or delete.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::change::WriteOp))]
    pub op: Op,
    /// The module.
    pub app: String,
    /// The module's name.
    pub module: Label,
    /// The table.
    pub table: String,
    /// The noun for a record of the table.
    pub noun: Label,
    /// The record.
    pub id: String,
    /// The record's own title: as it is now, else as it was seen, else as it will be. Missing where the record has
    /// none, as the one page of a module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What tells the record that would be changed or removed from others of its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// Whether the record that would be changed or removed is not there any more.
    pub gone: bool,
    /// The fields that the operation sets, in the manifest's order; of a removal, all that goes along.
    pub fields: Vec<CardField>,
}

/// A field that an operation sets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CardField {
    /// The field's name in the record.
    pub field: String,
    /// The field's label; its name where the manifest does not know it.
    pub label: Label,
    /// The kind of the field. Missing where the manifest does not know it; its value is raw JSON then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<FieldType>,
    /// The field's place on the card.
    pub role: FieldRole,
    /// The change of the field.
    pub change: FieldChange,
    /// The value that the proposal was made upon. Missing for a new record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<CardValue>,
    /// The value that approving writes.
    pub after: CardValue,
    /// The value that the record holds by now, where somebody changed it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<CardValue>,
    /// The unit of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<CardUnit>,
    /// The change of a text or of raw JSON, complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextChange>,
    /// The items of a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<CardItem>,
    /// The links that come with a text, each with its true address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<CardLink>,
}

/// The place of a field on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum FieldRole {
    /// The field names the record.
    Title,
    /// A list shows the field.
    Listed,
    /// Everything else.
    Rest,
}

/// The change of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum FieldChange {
    /// The field gets a value and had none.
    Set,
    /// The field gets another value.
    Changed,
    /// The field loses its value.
    Cleared,
    /// The field ends as it was: nothing changes.
    Same,
    /// The field goes with its record.
    Removed,
}

/// The unit of a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum CardUnit {
    /// Seconds, by the field's name.
    Seconds,
    /// Minutes, by the field's name.
    Minutes,
    /// Hours, by the field's name.
    Hours,
    /// Days, by the field's name.
    Days,
    /// A unit that the record itself names in its field `unit`.
    Named {
        /// The unit.
        name: String,
    },
}

/// The records that [`proposal_card`] wants to see: those that the operations touch, and those that their values
/// name.
pub fn card_records(registry: &Registry, proposal: &Proposal) -> BTreeSet<RecordKey> {
    let mut keys = BTreeSet::new();
    for operation in &proposal.operations {
        let seen = proposal.seen.get(&seen_key(&operation.key()));
        let seen = seen.into_iter().flatten();
        let seen = seen.map(|(field, seen)| (field, &seen.value));
        keys.extend(operation_records(registry, operation, seen));
    }
    keys
}

/// The records that [`card_operation`] wants to see, where these values were seen.
pub fn operation_records<'v>(
    registry: &Registry,
    operation: &'v Operation,
    seen: impl Iterator<Item = (&'v String, &'v Value)>,
) -> BTreeSet<RecordKey> {
    let mut keys = BTreeSet::new();
    keys.insert(operation.key());
    let Some(table) = registry.table(&operation.app, &operation.table) else {
        return keys;
    };
    for (name, value) in operation.set.iter().chain(seen) {
        let field = table.fields.get(name);
        if let Some((table, id)) = field.and_then(|f| Some((f.table.as_ref()?, value.as_str()?))) {
            let app = field.and_then(|field| field.module.as_ref());
            keys.insert(RecordKey::new(app.unwrap_or(&operation.app), table, id));
        }
    }
    keys
}

/// The card of a proposal. What is not among the records is said from what the proposal was made upon, or by its id.
pub fn proposal_card(
    registry: &Registry,
    proposal: &Proposal,
    known: &CardRecords,
) -> ProposalCard {
    let empty = BTreeMap::new();
    let operations: Vec<CardOperation> = (proposal.operations.iter())
        .map(|operation| {
            let seen = proposal.seen.get(&seen_key(&operation.key()));
            card_operation(registry, operation, seen.unwrap_or(&empty), known)
        })
        .collect();
    let fields = || operations.iter().flat_map(|operation| &operation.fields);
    let label = registry.tool(&proposal.tool).map_or_else(
        || Label::english(&proposal.tool),
        |tool| tool.tool.label.clone(),
    );
    ProposalCard {
        id: proposal.id.clone(),
        ops_hash: ops_hash(&proposal.operations),
        label,
        changes_nothing: operations
            .iter()
            .all(|operation| operation.op == Op::Update)
            && fields().all(|field| field.change == FieldChange::Same),
        folds: fields().any(|field| field.text.as_ref().is_some_and(TextChange::folds)),
        instructs_missions: (operations.iter())
            .any(|operation| (operation.app.as_str(), operation.table.as_str()) == CONTEXT),
        operations,
    }
}

/// An operation as a card says it, made upon these values of the record.
pub fn card_operation(
    registry: &Registry,
    operation: &Operation,
    seen: &BTreeMap<String, SeenValue>,
    records: &CardRecords,
) -> CardOperation {
    let Operation {
        op, app, table, id, ..
    } = operation;
    let manifest = registry.manifest(app);
    let known = registry.table(app, table);
    let key = operation.key();
    let state = records.records.get(&key);
    let state = state.filter(|state| !state.is_deleted());
    let name_of = |key: &RecordKey| -> Option<RecordName> {
        let table = registry.table(&key.app, &key.table);
        let state = records
            .records
            .get(key)
            .filter(|state| !state.is_deleted())?;
        let title = record_title(table, &state.data)?;
        Some((title, table.and_then(|table| records.apart(table, key))))
    };
    let seen_data: Map = (seen.iter())
        .map(|(field, seen)| (field.clone(), seen.value.clone()))
        .gather();
    let titled = [
        state.map(|state| &state.data),
        Some(&seen_data),
        Some(&operation.set),
    ];
    let context = OperationContext {
        operation,
        table: known,
        seen,
        state: state.filter(|_| *op != Op::Insert),
        name_of: &name_of,
    };
    CardOperation {
        op: *op,
        app: app.clone(),
        module: manifest.map_or_else(|| Label::english(app), |manifest| manifest.name.clone()),
        table: table.clone(),
        noun: known.map_or_else(|| Label::english(table), |known| known.name.clone()),
        id: id.clone(),
        title: titled
            .into_iter()
            .flatten()
            .find_map(|data| record_title(known, data)),
        apart: (known.filter(|_| *op != Op::Insert)).and_then(|table| records.apart(table, &key)),
        gone: *op != Op::Insert && state.is_none() && !seen.values().all(|seen| seen.at.is_none()),
        fields: context
            .names()
            .iter()
            .map(|name| context.field(name))
            .collect(),
    }
}

/// The title of a record by its own data; none where it has none, as the one page of a module.
pub fn record_title(table: Option<&Table>, data: &Map) -> Option<String> {
    if table.is_some_and(|table| table.singleton) {
        return None;
    }
    let named = table.map_or("title", |table| table.list.title.as_str());
    [named, "title", "name"]
        .iter()
        .find_map(|field| match data.get(*field)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
}

/// An operation with everything that its fields are read by.
struct OperationContext<'a> {
    operation: &'a Operation,
    table: Option<&'a Table>,
    seen: &'a BTreeMap<String, SeenValue>,
    /// The record as it is now, where there is one.
    state: Option<&'a RecordState>,
    name_of: NameOf<'a>,
}

impl OperationContext<'_> {
    /// The fields of the card: those that the manifest knows in its order, then the others.
    fn names(&self) -> Vec<String> {
        let set: BTreeSet<&String> = match self.operation.op {
            Op::Insert | Op::Update | Op::Forget => (self.operation.set.keys())
                .chain(&self.operation.now)
                .gather(),
            // A field that somebody added since it was seen goes along, too.
            Op::Delete => {
                let seen = self.seen.iter().map(|(field, seen)| (field, &seen.value));
                let held = self.state.into_iter().flat_map(|state| &state.data);
                let told = seen
                    .chain(held)
                    .filter(|(_, value)| !value::is_empty(value));
                told.map(|(field, _)| field).gather()
            }
        };
        let known = self.table.into_iter().flat_map(|table| table.fields.keys());
        let known: Vec<&String> = known.filter(|field| set.contains(field)).collect();
        let others = set.iter().copied().filter(|field| !known.contains(field));
        let names = known.iter().copied().chain(others);
        names.cloned().collect()
    }

    fn field(&self, name: &str) -> CardField {
        let field = self.table.and_then(|table| table.fields.get(name));
        let read = |value: &Value| {
            CardValue::read(
                value,
                FieldContext {
                    app: &self.operation.app,
                    field,
                    name_of: self.name_of,
                },
            )
        };
        let (op, null) = (self.operation.op, Value::Null);
        let held = self.state.and_then(|state| state.data.get(name));
        let seen = self.seen.get(name).map(|seen| &seen.value).or(held);
        let before = match op {
            Op::Insert => &null,
            Op::Update | Op::Delete | Op::Forget => seen.unwrap_or(&null),
        };
        let set = self.operation.set.get(name).unwrap_or(&null);
        let now = self.operation.now.iter().any(|field| field == name);
        let mut after = if now {
            CardValue::write_time()
        } else {
            read(set)
        };
        let mut old = read(before);
        let changed_since =
            self.state.is_some() && normalize(held.unwrap_or(&null)) != normalize(before);
        let mut held = changed_since.then(|| read(held.unwrap_or(&null)));
        tell_apart([&mut old, &mut after].into_iter().chain(&mut held));
        let keyed = field.is_some_and(|field| field.kind.kind().definition == Definition::List);
        let items = match (&after.shown, &old.shown) {
            _ if op == Op::Delete && old.shown == ShownValue::List => removed_items(before),
            (ShownValue::List, _) | (_, ShownValue::List) => items(before, set, keyed),
            _ => Vec::new(),
        };
        // A write of a keyed list leaves the elements that it does not carry as they are. Of a value that somebody
        // changed since, nothing stays.
        let same_items = || keyed && items.iter().all(|item| item.change == ItemChange::Same);
        let both_empty = old.is_empty() && after.is_empty();
        let stays =
            !changed_since && (both_empty || normalize(before) == normalize(set) || same_items());
        let change = match op {
            Op::Delete | Op::Forget => FieldChange::Removed,
            _ if now => {
                if old.is_empty() {
                    FieldChange::Set
                } else {
                    FieldChange::Changed
                }
            }
            Op::Insert => FieldChange::Set,
            Op::Update if stays => FieldChange::Same,
            Op::Update if after.is_empty() => FieldChange::Cleared,
            Op::Update if old.is_empty() => FieldChange::Set,
            Op::Update => FieldChange::Changed,
        };
        let text = match (old.text(), after.text()) {
            (Some(old), Some(new)) => TextChange::between(old, new),
            _ => None,
        };
        CardField {
            label: (field.and_then(|field| field.label.clone()))
                .unwrap_or_else(|| Label::english(name)),
            kind: field.map(|field| field.kind),
            role: role(self.table, name),
            change,
            now: held,
            unit: field.and_then(|field| self.unit(name, field)),
            links: new_links(old.text(), after.text()),
            text,
            items,
            before: (op != Op::Insert).then_some(old),
            after,
            field: name.to_owned(),
        }
    }

    /// The unit of the field's numbers: by its name, else by the record's field `unit`.
    fn unit(&self, name: &str, field: &Field) -> Option<CardUnit> {
        if field.kind.kind().bounds != Bounds::Number {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let named = [
            ("seconds", CardUnit::Seconds),
            ("minutes", CardUnit::Minutes),
            ("hours", CardUnit::Hours),
            ("days", CardUnit::Days),
        ];
        if let Some((_, unit)) = named.into_iter().find(|(word, _)| name.ends_with(word)) {
            return Some(unit);
        }
        let unit = self.table?.fields.get("unit")?;
        let state = self.state.and_then(|state| state.data.get("unit"));
        let seen = self.seen.get("unit").map(|seen| &seen.value);
        let value = self.operation.set.get("unit").or(state).or(seen)?;
        let text = value.as_str().filter(|text| !text.trim().is_empty())?;
        // A unit that begins with digits or their separators would be read as a part of the number before it.
        let continues =
            |c: char| c.is_numeric() || c.is_whitespace() || ".,:;'’`´·٫٬-−+/*×^".contains(c);
        unit.kind.is_text().then(|| CardUnit::Named {
            name: match text.starts_with(continues) {
                true => format!("“{text}”"),
                false => text.to_owned(),
            },
        })
    }
}

fn role(table: Option<&Table>, name: &str) -> FieldRole {
    let Some(list) = table.map(|table| &table.list) else {
        return FieldRole::Rest;
    };
    if list.title == name {
        FieldRole::Title
    } else if list.meta.iter().any(|field| field == name) || list.done.as_deref() == Some(name) {
        FieldRole::Listed
    } else {
        FieldRole::Rest
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unfit_tests;
