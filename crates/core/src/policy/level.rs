//! The policy of a tool.

use serde::{Deserialize, Serialize};

/// What a tool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It runs without asking.
    Auto,
    /// A person decides each time.
    Propose,
    /// It never runs, and no model hears of it.
    Deny,
}
