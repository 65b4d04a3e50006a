//! A tool in its context.

use super::types::{Manifest, Table, Tool};

/// A tool together with its module and table.
#[derive(Debug, Clone, Copy)]
pub struct ToolRef<'a> {
    /// The module.
    pub module: &'a Manifest,
    /// The tool.
    pub tool: &'a Tool,
    /// The table that it works on.
    pub table: &'a Table,
}
