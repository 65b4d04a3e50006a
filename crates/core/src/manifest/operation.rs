//! Operations: what a tool's call writes, on which a consent is bound.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Map, change::Op, merge, record::RecordKey, time::Micros};

/// An operation on a single record. A ghost card is drawn from it, a consent is bound to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Operation {
    /// Insert, update or delete.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::change::WriteOp))]
    pub op: Op,
    /// The module.
    pub app: String,
    /// The table.
    pub table: String,
    /// The record.
    pub id: String,
    /// The values; a delete has none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub set: Map,
    /// Fields that get the time of the write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub now: Vec<String>,
}

impl Operation {
    /// The record.
    pub fn key(&self) -> RecordKey {
        RecordKey::new(&self.app, &self.table, &self.id)
    }

    /// The values as they are written at a time.
    pub fn values(&self, at: Micros) -> Map {
        let mut values = self.set.clone();
        values.extend(
            self.now
                .iter()
                .map(|field| (field.clone(), Value::from(at.to_string()))),
        );
        values
    }
}

/// The hash that a consent is bound to: SHA-256 of the operations' canonical JSON (RFC 8785), in hex.
pub fn ops_hash(operations: &[Operation]) -> String {
    hash_of(&serde_json::to_value(operations).unwrap_or(Value::Null))
}

/// SHA-256 of a value's canonical JSON, in hex.
pub(crate) fn hash_of(value: &Value) -> String {
    hash_text(&merge::canonical(value))
}

/// SHA-256 of a text's bytes, in hex.
pub(crate) fn hash_text(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
