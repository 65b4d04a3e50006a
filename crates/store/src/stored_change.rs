//! A change that the log has already: the answer that it got, and whether a change that comes under its id is the
//! same (S4).

use std::collections::{BTreeMap, HashMap};

use mana_core::{
    AdjustedStamp, Change, ListSpec, Map, Op, manifest::Registry, merge::canonical,
    merge::normalize, sync::record_key,
};
use serde_json::Value;

use crate::{Push, Result, StoreError, json, row};

/// A change of the log, as far as a push that repeats its id needs it.
#[derive(Debug)]
pub(crate) struct StoredChange {
    /// The stamps that were set back.
    pub adjusted: Vec<AdjustedStamp>,
    /// The change left everything as it was.
    pub unchanged: bool,
    /// Record, operation and values; stamps, author and versions are not compared, and are left out.
    content: Change,
}

/// The columns of a stored change.
pub(crate) struct StoredColumns<'r> {
    pub adjusted: Option<&'r str>,
    pub unchanged: bool,
    pub app_id: String,
    pub table_name: String,
    pub record_id: String,
    pub op: &'r str,
    pub data: Option<&'r str>,
}

impl StoredChange {
    pub fn new(columns: StoredColumns<'_>) -> Result<StoredChange> {
        let mut content = Change::new(
            columns.table_name,
            columns.record_id,
            row::op_of(columns.op),
        );
        content.app_id = Some(columns.app_id);
        content.data = columns
            .data
            .map(|text| json::read("a change", text))
            .transpose()?;
        Ok(StoredChange {
            adjusted: columns.adjusted.map_or(Ok(Vec::new()), row::adjusted)?,
            unchanged: columns.unchanged,
            content,
        })
    }
}

/// Refuses a push that names an event id of the log, or of an earlier change of its own, for another change.
///
/// The result of a run is not looked at: a run that is planned again writes under the same ids, and its claim decides.
pub(crate) fn check_event_ids(
    registry: &Registry,
    push: &Push,
    stored: &HashMap<String, StoredChange>,
) -> Result<()> {
    if push.fence.is_some() {
        return Ok(());
    }
    let mut sent: HashMap<&str, &Change> = HashMap::with_capacity(push.changes.len());
    for (index, change) in push.changes.iter().enumerate() {
        let id = change.event_id.as_deref().unwrap_or_default();
        let known = stored.get(id).map(|stored| &stored.content);
        let known = known.or_else(|| sent.get(id).copied());
        let known = known.filter(|_| !push.derived.contains(id));
        let rewritten = push.rewritten.contains(id);
        if known.is_some_and(|known| !is_same(registry, known, change, rewritten)) {
            return Err(StoreError::EventIdTaken { index });
        }
        sent.insert(id, change);
    }
    Ok(())
}

/// Whether two changes say the same of the same record: table, id, operation and the values by field.
///
/// A push that is repeated after the log was put back, or took states back, is rewritten otherwise than it was then: of
/// a rewritten change's lists with decisions, the decisions that both have are compared.
fn is_same(registry: &Registry, one: &Change, other: &Change, rewritten: bool) -> bool {
    record_key(one) == record_key(other)
        && one.op == other.op
        // A delete's value is its stamp.
        // What was forgotten stays forgotten, whatever the list says.
        && (matches!(one.op, Op::Delete | Op::Forget) || are_same(registry, one, other, rewritten))
}

/// Whether the values by field are the same, the stamps of a keyed list's elements left out.
fn are_same(registry: &Registry, one: &Change, other: &Change, rewritten: bool) -> bool {
    let key = record_key(one);
    let lists = &registry.schema(&key.app, &key.table).lists;
    let (one, other) = (values(one), values(other));
    one.keys().eq(other.keys())
        && one
            .iter()
            .zip(other.values())
            .all(|((field, one), other)| match lists.get(field) {
                Some(spec) if rewritten && has_decisions(spec) => decide_alike(spec, one, other),
                Some(spec) => text_of_list(spec, one) == text_of_list(spec, other),
                None => canonical(&normalize(one)) == canonical(&normalize(other)),
            })
}

fn has_decisions(spec: &ListSpec) -> bool {
    spec.decision || spec.lists.values().any(has_decisions)
}

/// Whether the elements that both lists have carry the same decisions, as far as both carry one.
fn decide_alike(spec: &ListSpec, one: &Value, other: &Value) -> bool {
    fn objects(list: &Value) -> impl Iterator<Item = &Map> {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }
    objects(one).all(|one| {
        let same_id = |other: &&Map| other.get("id") == one.get("id");
        let Some(other) = objects(other).find(same_id) else {
            return true;
        };
        one.iter().all(
            |(field, value)| match (other.get(field), spec.lists.get(field)) {
                (None, _) => true,
                (Some(other), Some(nested)) => decide_alike(nested, value, other),
                (Some(_), None) if field == "decidedAt" => true,
                (Some(other), None) => !spec.is_decision(field) || value == other,
            },
        )
    })
}

fn text_of_list(spec: &ListSpec, list: &Value) -> String {
    let mut list = list.clone();
    spec.strip_stamps(&mut list);
    canonical(&normalize(&list))
}

/// The values by field.
fn values(change: &Change) -> BTreeMap<String, Value> {
    let mut change = change.clone();
    // A stored change has its values in `data`, whatever its operation is.
    let mut values: BTreeMap<String, Value> = change.data.take().into_iter().flatten().collect();
    for (field, write) in std::mem::take(&mut change.fields) {
        if let Some(value) = write.value {
            values.insert(field, value);
        }
    }
    values
}
