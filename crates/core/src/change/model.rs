//! The parts of a change.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Map, actor::Actor, ids, merge::canonical, record::RecordKey, time::Micros};

/// The kind of a change: how it alters its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Makes the record, with the values of `data`.
    Insert,
    /// Writes the values of `fields`.
    Update,
    /// Writes `deletedAt`.
    Delete,
    /// Takes the records of `ids` away, for ever. The server's alone.
    Forget,
}

/// The kind of a write of one record, as proposals and devices have it.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum WriteOp {
    /// Makes the record.
    #[expect(dead_code, reason = "a shape alone")]
    Insert,
    /// Writes some of its fields.
    #[expect(dead_code, reason = "a shape alone")]
    Update,
    /// Removes it.
    #[expect(dead_code, reason = "a shape alone")]
    Delete,
}

/// A field's value and stamp. An insert has its values in `data` and only the stamps here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FieldWrite {
    /// The value; an explicit null is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Micros>,
    /// Of a text, the stamp of the value that it replaced; the epoch where there was none (X1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Micros>,
}

/// A change as it travels and as the log keeps it.
///
/// Made by [`Change::parse`], which accepts what older clients leave out, and completed by
/// [`Change::normalize`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(
        description = "A change as it travels and as the log keeps it. Fields not named here are kept and passed on."
    )
)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The id that makes a repeated push harmless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The module of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The version of the data's shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<u64>,
    /// The record's table.
    pub table: String,
    /// The record's id; none of a change that forgets.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// The ids of the records that are forgotten.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// The kind of the change.
    pub op: Op,
    /// An insert's values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub data: Option<Map>,
    /// An update's values and stamps, an insert's stamps.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldWrite>,
    /// When a delete deletes: value and stamp in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Micros>,
    /// The change's time, for every field that has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Micros>,
    /// The author of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Fields that this version doesn't know, kept and passed on.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub extra: Map,
}

/// Why a change can't be taken, in a sentence that names the field and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ChangeError {
    /// The sentence.
    pub reason: String,
}

/// The values that [`Change::normalize`] fills in where the change says nothing.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The change's id.
    pub event_id: String,
    /// Its time.
    pub at: Micros,
    /// Its author.
    pub actor: Actor,
    /// Its module.
    pub app_id: String,
}

/// A stamped value that a change writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Write<'a> {
    /// The field.
    pub field: &'a str,
    /// Its value.
    pub value: Cow<'a, Value>,
    /// Its stamp.
    pub at: Micros,
}

/// Whether a NUL character stands anywhere in it. No change may hold one (C2).
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

impl Change {
    /// A change without content.
    pub fn new(table: impl Into<String>, id: impl Into<String>, op: Op) -> Change {
        Change {
            event_id: None,
            app_id: None,
            schema_version: None,
            table: table.into(),
            id: id.into(),
            ids: Vec::new(),
            op,
            data: None,
            fields: BTreeMap::new(),
            deleted_at: None,
            at: None,
            actor: None,
            extra: Map::new(),
        }
    }

    /// The change with everything explicit: id, app, time, actor and the stamp of each write (C4).
    pub fn normalize(mut self, defaults: Defaults) -> Change {
        self.event_id.get_or_insert(defaults.event_id);
        self.app_id.get_or_insert(defaults.app_id);
        self.actor.get_or_insert(defaults.actor);
        let at = *self.at.get_or_insert(defaults.at);
        match self.op {
            Op::Insert => {
                for field in self.data.get_or_insert_default().keys() {
                    if !self.fields.contains_key(field) {
                        self.fields.insert(field.clone(), FieldWrite::default());
                    }
                }
            }
            Op::Update | Op::Forget => {}
            Op::Delete => {
                self.deleted_at.get_or_insert(at);
            }
        }
        for write in self.fields.values_mut() {
            write.updated_at.get_or_insert(at);
        }
        self
    }

    /// The writes that the change stands for; a delete writes `deletedAt` (C5).
    pub fn writes(&self) -> Vec<Write<'_>> {
        let fallback = self.at.unwrap_or(Micros::EPOCH);
        let stamp = |field: &str| {
            self.fields
                .get(field)
                .and_then(|write| write.updated_at)
                .unwrap_or(fallback)
        };
        match self.op {
            Op::Insert => (self.data.iter().flatten())
                .map(|(field, value)| Write {
                    field,
                    value: Cow::Borrowed(value),
                    at: stamp(field),
                })
                .collect(),
            Op::Update => (self.fields.iter())
                .filter_map(|(field, write)| {
                    let value = Cow::Borrowed(write.value.as_ref()?);
                    Some(Write {
                        field,
                        value,
                        at: write.updated_at.unwrap_or(fallback),
                    })
                })
                .collect(),
            Op::Delete => {
                let at = self.deleted_at.unwrap_or(fallback);
                let value = Cow::Owned(Value::String(at.to_string()));
                vec![Write {
                    field: "deletedAt",
                    value,
                    at,
                }]
            }
            Op::Forget => Vec::new(),
        }
    }

    /// A change by which records of a table are forgotten.
    pub fn forgetting(table: impl Into<String>, ids: Vec<String>) -> Change {
        Change {
            ids,
            ..Change::new(table, "", Op::Forget)
        }
    }

    /// The records that the change is about: one, or those that it forgets. A change without a module belongs to the
    /// module with the empty id.
    pub fn keys(&self) -> impl Iterator<Item = RecordKey> {
        let app = self.app_id.as_deref().unwrap_or_default();
        let one = (self.op != Op::Forget).then_some(&self.id);
        let ids = one.into_iter().chain(&self.ids);
        ids.map(move |id| RecordKey::new(app, &self.table, id))
    }

    /// The version of the data's shape that a device has to know to read this change (S17).
    pub fn needed_schema_version(&self) -> u64 {
        match (self.op, &self.actor) {
            (Op::Forget, _) => 3,
            (_, Some(Actor::Other(_))) => 2,
            _ => 1,
        }
    }

    /// The id of a change that came without one: the same for the same client and content (C3).
    pub fn derived_event_id(&self, client_id: &str) -> String {
        let content = serde_json::to_value(self).unwrap_or_default();
        ids::derive(client_id, &canonical(&content))
    }
}
