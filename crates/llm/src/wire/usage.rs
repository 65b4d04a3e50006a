//! The tokens that an answer took.

use serde::{Deserialize, Serialize};

use super::Extra;
use super::lenient::count;

/// Tokens used, as the upstream counts them. Every count is read leniently: a paid answer is worth more than its
/// bookkeeping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    #[serde(default, deserialize_with = "count")]
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    #[serde(default, deserialize_with = "count")]
    pub completion_tokens: u64,
    /// Both.
    #[serde(default, deserialize_with = "count")]
    pub total_tokens: u64,
    /// Everything else: details, cost, …
    #[serde(flatten)]
    pub extra: Extra,
}
