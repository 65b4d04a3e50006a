//! Merging a batch of changes into records: the one loop of the server, the device and the browser.

use std::collections::BTreeSet;

use serde_json::Value;

use super::shapes::LeftOut;
use crate::{Change, Op, RecordKey, RecordState, manifest::Registry, merge, staging::Records};

/// The record that a change is about. A change without a module belongs to the module with the empty id.
pub fn record_key(change: &Change) -> RecordKey {
    let app = change.app_id.as_deref().unwrap_or_default();
    RecordKey::new(app, &change.table, &change.id)
}

/// Merges changes, oldest first, into `records` and returns the keys of the records that changed.
///
/// A record that is forgotten becomes an empty one. A record that is missing counts as empty; afterwards `records` has
/// an entry for every record that a change names.
pub fn apply_changes<'c>(
    registry: &Registry,
    records: &mut Records,
    changes: impl IntoIterator<Item = &'c Change>,
) -> BTreeSet<RecordKey> {
    let mut changed = BTreeSet::new();
    for change in changes {
        if change.op == Op::Forget {
            for key in change.keys() {
                records.insert(key.clone(), RecordState::default());
                changed.insert(key);
            }
            continue;
        }
        let key = record_key(change);
        let schema = registry.schema(&key.app, &key.table);
        let state = records.entry(key.clone()).or_default();
        if merge::apply(schema, state, change) {
            changed.insert(key);
        }
    }
    changed
}

/// Reads a change that another client made. A change that names no module is unreadable too.
pub fn readable(value: Value) -> Result<Change, LeftOut> {
    let event_id = value
        .get("eventId")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let left_out = |reason| LeftOut { event_id, reason };
    match Change::read(value) {
        Ok(change) if change.app_id.is_some() => Ok(change),
        Ok(_) => Err(left_out(
            "`appId` is missing; name the record's module".to_owned(),
        )),
        Err(error) => Err(left_out(error.reason)),
    }
}
