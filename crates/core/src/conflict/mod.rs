//! Texts in conflict (`spec/SYNC.md`, rules X1…): of two values of a text field, the later was written without having
//! seen the earlier. The merge lets the later stand; here the earlier is found, kept, and merged where it can be.

mod find;
mod lineage;
mod merge_texts;
mod model;
mod text_field;

pub use find::{FoundConflict, apply_watching};
pub use lineage::{Lineages, PastText, TextLineage};
pub use merge_texts::merge_texts;
pub use model::{CONFLICTS_KEPT, Conflict, ConflictKind, KeptConflict, WrittenValue};
pub use text_field::{is_text, unseen_texts, writes_text};
