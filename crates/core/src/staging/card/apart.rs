//! What tells a record from others of its title (rule MODULES C5).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::value::{CardValue, FieldContext, is_empty};
use crate::{
    manifest::{Definition, Field, Label, Table},
    merge::normalize,
    record::{RecordKey, RecordState, Records},
};

/// The most namesakes of a record that a card is told of. A record that has as many is told by its id.
pub const MOST_NAMESAKES: usize = 50;

/// The most characters of a text that tells a record apart.
const MOST_CHARACTERS: usize = 80;

/// The records that a card is read with, as they are now.
#[derive(Debug, Clone, Default)]
pub struct CardRecords {
    /// Those that the card asks for, as far as they are here.
    pub records: Records,
    /// Others of the same table whose title means the same ([`crate::text::same_meaning`]), by the record that they
    /// could be taken for; at most [`MOST_NAMESAKES`].
    pub namesakes: BTreeMap<RecordKey, Vec<RecordState>>,
}

impl From<Records> for CardRecords {
    fn from(records: Records) -> CardRecords {
        CardRecords {
            records,
            namesakes: BTreeMap::new(),
        }
    }
}

/// What tells a record from others that have its title.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Apart {
    /// A field that none of them shares with it.
    Field {
        /// The field's label.
        label: Label,
        /// The value that this record has.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        value: Box<CardValue>,
    },
    /// Nothing that a person knows: its id.
    Id {
        /// The record's id.
        id: String,
    },
}

impl CardRecords {
    /// What tells a record from its namesakes; none where it has none.
    pub(super) fn apart(&self, table: &Table, key: &RecordKey) -> Option<Apart> {
        let namesakes = self.namesakes.get(key).filter(|all| !all.is_empty())?;
        let record = self.records.get(key)?;
        let listed = table
            .list
            .meta
            .iter()
            .filter_map(|name| table.fields.get_key_value(name));
        let mut fields = listed.chain(&table.fields);
        let own = fields.find(|(name, field)| {
            let value = record.data.get(*name).unwrap_or(&Value::Null);
            let differs = |other: &RecordState| {
                normalize(other.data.get(*name).unwrap_or(&Value::Null)) != normalize(value)
            };
            *name != &table.list.title && tells(field, value) && namesakes.iter().all(differs)
        });
        let own = own.filter(|_| namesakes.len() < MOST_NAMESAKES);
        Some(match own {
            Some((name, field)) => Apart::Field {
                label: field.label.clone().unwrap_or_else(|| Label::english(name)),
                value: Box::new(CardValue::read(
                    &record.data[name],
                    FieldContext {
                        app: &key.app,
                        field: Some(field),
                        name_of: &|_| None,
                    },
                )),
            },
            None => Apart::Id { id: key.id.clone() },
        })
    }
}

/// Whether a value can be said within a line.
fn tells(field: &Field, value: &Value) -> bool {
    let is_short = value
        .as_str()
        .is_none_or(|text| text.chars().count() <= MOST_CHARACTERS);
    let kind = field.kind.kind();
    let is_said =
        !kind.is_document && kind.json_type.is_some() && kind.definition != Definition::Table;
    is_said && is_short && !is_empty(value) && !value.is_object() && !value.is_array()
}
