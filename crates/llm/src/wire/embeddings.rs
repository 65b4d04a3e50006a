//! Embeddings, passed on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lenient::lenient_usage;
use super::{Extra, Usage};
use crate::error::Attempt;

/// The body of `POST /v1/embeddings`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingsRequest {
    /// `provider/model`.
    #[serde(default)]
    pub model: String,
    /// A text, several texts, or tokens.
    pub input: Value,
    /// Everything else: dimensions, encoding_format, …
    #[serde(flatten)]
    pub extra: Extra,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingsResponse {
    /// The vectors.
    pub data: Vec<Value>,
    /// The tokens that it took, if the upstream counts them.
    #[serde(
        default,
        deserialize_with = "lenient_usage",
        skip_serializing_if = "Option::is_none"
    )]
    pub usage: Option<Usage>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
    /// `provider/model` that answered; not on the wire, see the header.
    #[serde(skip)]
    pub resolved: String,
    /// The entries of the chain that failed before; not on the wire.
    #[serde(skip)]
    pub failed: Vec<Attempt>,
}
