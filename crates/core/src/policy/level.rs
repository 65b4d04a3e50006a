//! The policy of a tool.

use serde::{Deserialize, Serialize};

/// The level of permission of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The tool runs without asking.
    Auto,
    /// A person decides each time.
    Propose,
    /// The tool never runs, and no model hears of it.
    Deny,
}
