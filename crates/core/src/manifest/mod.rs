//! Modules as data: tables, words and tools, read from a manifest.
//!
//! A manifest is a JSON file; `spec/MODULES.md` says how to write one. From it come the model's tool
//! schemas, the check of parameters and forms, the policy's default, the ghost card, what a tool does on
//! every replica, the generic page and what a mission reads. Nothing here does I/O: whoever has a data
//! directory passes the files' text to [`Registry::with`].

mod aliases;
mod check;
mod effect;
mod field_kind;
mod field_value;
mod json_schema;
mod operation;
mod order;
mod parse;
mod query;
mod query_context;
mod registry;
mod tool_ref;
mod typed;
mod types;
mod validate;
mod validate_schedule;

pub(crate) use aliases::{fold, folded, set_from};
pub use field_kind::{
    Bounds, Definition, Example, FieldKind, JsonKeywords, PromptText, value_text,
};
pub use field_value::GivenValue;
pub(crate) use field_value::{is_date, is_time, is_url};
pub use json_schema::Schema;
pub use operation::{Operation, ops_hash};
pub(crate) use operation::{hash_of, hash_text};
pub use order::Order;
pub use parse::{Fault, ManifestError};
pub use query::Row;
pub use query_context::QueryContext;
pub use registry::{Registry, RejectedManifest};
pub use tool_ref::ToolRef;
pub use typed::Typed;
pub use types::{
    Comparison, Condition, Direction, Effect, EffectOp, EmptyState, EnumValue, Field, FieldType,
    Filter, Label, ListView, Manifest, PromptQuery, Schedule, Sort, Table, Tool,
};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
