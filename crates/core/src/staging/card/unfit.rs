//! The values of a record that do not fit their fields, and what can be kept of each (rule MODULES D8).

use serde::Serialize;
use serde_json::Value;

use super::value::{is_empty, kept};
use crate::{Map, manifest::Registry, map_of, problem::Problem};

/// A field of a record whose value no form would take: an older program wrote it, or another writer of the log.
///
/// The value stays as it is until a person changes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct UnfitField {
    /// The field's name in the record.
    pub field: String,
    /// The value as it stands.
    pub raw: Value,
    /// The fault of the value.
    pub problem: Problem,
    /// The value that fits the field and loses nothing of the one that stands there; missing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Value>,
}

/// The fields of a record whose values do not fit, in the manifest's order. An empty value is none of them, and
/// neither is a field that no manifest here knows.
pub fn unfit_fields(registry: &Registry, app: &str, table: &str, data: &Map) -> Vec<UnfitField> {
    let Some(known) = registry.table(app, table) else {
        return Vec::new();
    };
    let problems = registry.check_record(app, table, data, true);
    let unfit = problems.into_iter().filter_map(|problem| {
        let raw = data.get(&problem.field).filter(|raw| !is_empty(raw))?;
        let field = known.fields.get(&problem.field)?;
        let fits = |kept: &Value| {
            let alone = map_of(&problem.field, kept.clone());
            registry.check_record(app, table, &alone, true).is_empty()
        };
        Some(UnfitField {
            raw: raw.clone(),
            kept: kept(raw, field).filter(fits),
            field: problem.field.clone(),
            problem,
        })
    });
    unfit.collect()
}
