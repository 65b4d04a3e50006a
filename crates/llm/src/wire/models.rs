//! Lists of models.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Extra;

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub id: String,
    /// Always `model`.
    #[serde(default = "model")]
    pub object: String,
    /// Seconds since the epoch.
    #[serde(default)]
    pub created: Value,
    /// Whose it is.
    #[serde(default)]
    pub owned_by: String,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Model {
    /// A model of which no more is known.
    pub fn named(id: impl Into<String>, owned_by: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            object: model(),
            created: 0.into(),
            owned_by: owned_by.into(),
            extra: Extra::new(),
        }
    }
}

/// The answer of `GET /v1/models`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelList {
    /// Always `list`.
    #[serde(default = "list")]
    pub object: String,
    /// The models.
    pub data: Vec<Model>,
}

impl ModelList {
    /// A list of these.
    pub fn of(data: Vec<Model>) -> Self {
        Self {
            object: list(),
            data,
        }
    }
}

fn model() -> String {
    "model".to_owned()
}

fn list() -> String {
    "list".to_owned()
}
