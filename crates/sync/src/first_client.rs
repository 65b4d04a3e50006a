//! The shape that the first client of this protocol reads (spec/WIRE.md, The first client): every field with its value
//! and both names of its stamp, and keyed lists whole.

use std::collections::{HashMap, HashSet};

use mana_core::{Change, Op, RecordKey, RecordState, sync::record_key};
use mana_store::Scope;
use serde_json::{Map, Value, json};

use crate::{PushAnswer, Sync, SyncError};

impl Sync {
    /// An answer in the first client's shape.
    pub async fn for_first_client(
        &self,
        scope: &Scope,
        answer: PushAnswer,
    ) -> Result<PushAnswer<Value>, SyncError> {
        let mut changes = answer.server_changes;
        changes.extend(
            answer
                .own_lists
                .iter()
                .map(|change| self.lists_only(change)),
        );
        Ok(PushAnswer {
            server_changes: self.first_client_changes(scope, changes).await?,
            conflicts: answer.conflicts,
            synced_until: answer.synced_until,
            has_more: answer.has_more,
            server_time: answer.server_time,
            adjusted: answer.adjusted,
            unchanged: answer.unchanged,
            own_lists: Vec::new(),
            log_epoch: answer.log_epoch,
            log_end: answer.log_end,
            give_back: answer.give_back,
            grown: answer.grown,
        })
    }

    /// Changes in the first client's shape.
    ///
    /// The client keeps of a list the array that came last. So the last change of a page that touches a record's keyed
    /// list carries it as it is now, under the list's own stamp, and earlier ones leave it out.
    pub async fn first_client_changes(
        &self,
        scope: &Scope,
        changes: Vec<Change>,
    ) -> Result<Vec<Value>, SyncError> {
        // That client knows nothing of it, and keeps what it has.
        let changes = changes.into_iter();
        let changes: Vec<Change> = changes.filter(|change| change.op != Op::Forget).collect();
        let lists: Vec<Vec<String>> = changes.iter().map(|change| self.lists_of(change)).collect();
        let touched: HashSet<RecordKey> = (changes.iter().zip(&lists))
            .filter(|(_, lists)| !lists.is_empty())
            .map(|(change, _)| record_key(change))
            .collect();
        let touched: Vec<RecordKey> = touched.into_iter().collect();
        let records: HashMap<RecordKey, RecordState> = match touched.as_slice() {
            [] => HashMap::new(),
            keys => (self.log.records_by_key(scope, keys).await?)
                .into_iter()
                .collect(),
        };
        let mut told: HashSet<(RecordKey, String)> = HashSet::new();
        let mut served = Vec::with_capacity(changes.len());
        for (mut change, lists) in changes.into_iter().zip(lists).rev() {
            let key = record_key(&change);
            for list in lists {
                let record = records
                    .get(&key)
                    .filter(|_| told.insert((key.clone(), list.clone())));
                put_list(&mut change, &list, record);
            }
            if change.op != Op::Update || !change.fields.is_empty() {
                served.push(first_client_change(change));
            }
        }
        served.reverse();
        Ok(served)
    }

    /// A change without what it writes beside keyed lists.
    fn lists_only(&self, change: &Change) -> Change {
        let lists = self.lists_of(change);
        let mut only = change.clone();
        let data = only.data.take().unwrap_or_default();
        only.op = Op::Update;
        only.fields.retain(|field, _| lists.contains(field));
        for (field, write) in &mut only.fields {
            write.value = write.value.take().or_else(|| data.get(field).cloned());
        }
        only
    }

    /// The keyed lists that a change writes.
    pub(crate) fn lists_of(&self, change: &Change) -> Vec<String> {
        let app = change.app_id.as_deref().unwrap_or_default();
        let schema = self.registry.schema(app, &change.table);
        if schema.lists.is_empty() {
            return Vec::new();
        }
        let writes = change.writes().into_iter();
        let lists = writes.filter(|write| schema.lists.contains_key(write.field));
        lists.map(|write| write.field.to_owned()).collect()
    }
}

/// Replaces a list that a change writes by that of the record; without a record, leaves it out.
fn put_list(change: &mut Change, list: &str, record: Option<&RecordState>) {
    let whole = record.and_then(|record| Some((record.data.get(list)?, record.meta.get(list)?)));
    let Some((value, stamp)) = whole else {
        change.fields.remove(list);
        if let Some(data) = &mut change.data {
            data.remove(list);
        }
        return;
    };
    let write = change.fields.entry(list.to_owned()).or_default();
    write.updated_at = Some(stamp.at);
    match &mut change.data {
        Some(data) => {
            data.insert(list.to_owned(), value.clone());
        }
        None => write.value = Some(value.clone()),
    }
}

/// A change with the value of every field beside its stamp, under both of the stamp's names.
fn first_client_change(change: Change) -> Value {
    let mut fields = Map::new();
    for (name, write) in &change.fields {
        let data = || change.data.as_ref()?.get(name).cloned();
        let mut served = Map::new();
        let value = write.value.clone().or_else(data).unwrap_or(Value::Null);
        served.insert("value".to_owned(), value);
        if let Some(at) = write.updated_at {
            served.insert("updatedAt".to_owned(), json!(at));
            served.insert("at".to_owned(), json!(at));
        }
        if let Some(base) = write.base {
            served.insert("base".to_owned(), json!(base));
        }
        fields.insert(name.clone(), Value::Object(served));
    }
    let op = change.op;
    let mut served = serde_json::to_value(change).unwrap_or_default();
    if let Value::Object(served) = &mut served
        && op != Op::Delete
    {
        served.insert("fields".to_owned(), Value::Object(fields));
    }
    served
}
