//! How the records of a table merge, as its manifest declares it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The part of a table that the merge depends on: its keyed lists by field, and which fields hold texts that people
/// write for hours. A manifest declares them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TableSchema {
    /// The fields that merge element by element.
    pub lists: BTreeMap<String, ListSpec>,
    /// The Markdown fields. The merge itself takes no notice of them; conflicts between their values are kept (X1).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub markdown: BTreeSet<String>,
}

impl TableSchema {
    /// A table without keyed lists.
    pub const EMPTY: &'static TableSchema = &TableSchema {
        lists: BTreeMap::new(),
        markdown: BTreeSet::new(),
    };
}

/// How the elements of a keyed list merge and are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ListSpec {
    /// The field that the elements are ordered by, before their `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    /// How many elements stay: those last in order. The field of `orderBy` is immutable then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<usize>,
    /// Whether the elements carry a decision, whose `status` merges by rank.
    pub decision: bool,
    /// Whether `overallStatus` is derived from the nested decisions.
    pub overall: bool,
    /// Keyed lists in the elements.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub lists: BTreeMap<String, ListSpec>,
}

impl ListSpec {
    /// Removes the stamps from a list's elements, and from the lists in them.
    pub fn strip_stamps(&self, list: &mut Value) {
        for element in list.as_array_mut().into_iter().flatten() {
            let Value::Object(element) = element else {
                continue;
            };
            element.remove("updatedAt");
            if self.decision {
                element.remove("decidedAt");
            }
            for (name, nested) in &self.lists {
                if let Some(list) = element.get_mut(name) {
                    nested.strip_stamps(list);
                }
            }
        }
    }
}
