//! The field values that a proposal was made upon, by which a stale proposal is found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Gather,
    actor::Actor,
    change::Op,
    manifest::Operation,
    record::{RecordKey, RecordState},
    time::Micros,
};

/// The value that a field held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeenValue {
    /// Its value, null where it had none.
    pub value: Value,
    /// Its stamp.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub at: Option<Micros>,
    /// Its author. Missing in proposals that an older version staged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

impl SeenValue {
    /// Whether both are the same write: by stamp and author, because two writes may carry one stamp.
    pub(super) fn is_same_write(&self, other: &SeenValue) -> bool {
        let same_actor = match (&self.actor, &other.actor) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.at == other.at && same_actor
    }
}

/// The name of a record in [`Proposal::seen`].
pub fn seen_key(key: &RecordKey) -> String {
    format!("{}/{}/{}", key.app, key.table, key.id)
}

/// Returns the fields of the record that an operation looks at: a removal looks at all of them.
pub(super) fn seen_fields(
    operation: &Operation,
    state: Option<&RecordState>,
) -> BTreeMap<String, SeenValue> {
    let written = operation.set.keys().chain(&operation.now).cloned();
    let fields: Vec<String> = match operation.op {
        Op::Insert | Op::Forget => Vec::new(),
        Op::Update => written.collect(),
        Op::Delete => state
            .map(|state| state.meta.keys().cloned().collect())
            .unwrap_or_default(),
    };
    let seen = |field: String| {
        let value = state
            .and_then(|state| state.data.get(&field))
            .cloned()
            .unwrap_or(Value::Null);
        let stamp = state.and_then(|state| state.meta.get(&field));
        let (at, actor) = (
            stamp.map(|stamp| stamp.at),
            stamp.map(|stamp| stamp.actor.clone()),
        );
        (field, SeenValue { value, at, actor })
    };
    fields.into_iter().map(seen).gather()
}
