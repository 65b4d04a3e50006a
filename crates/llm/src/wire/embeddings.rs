//! Embeddings, passed on.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lenient::lenient_usage;
use super::{Extra, Field, Object, RawJson, Read, Usage, odd_usage, rewritten};
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
    /// A name that no other caller has; empty for Mana itself.
    #[serde(skip)]
    pub caller: String,
    /// The body as the caller wrote it.
    #[serde(skip)]
    pub(crate) written: Option<Bytes>,
}

impl EmbeddingsRequest {
    /// A request for the embeddings of an input.
    pub fn new(model: impl Into<String>, input: Value) -> Self {
        Self {
            model: model.into(),
            input,
            extra: Extra::new(),
            caller: String::new(),
            written: None,
        }
    }

    /// The body of the request: in the caller's order and words, where it came from one.
    pub(crate) fn body(&self) -> Vec<u8> {
        let json =
            || serde_json::to_vec(self).expect("a request is made of strings and JSON values");
        let Some(written) = &self.written else {
            return json();
        };
        let mut now: BTreeMap<&str, Field<'_>> = self
            .extra
            .keys()
            .map(|name| (name.as_str(), Field::AsWritten))
            .collect();
        now.insert("model", Field::Text(&self.model));
        now.insert("input", Field::AsWritten);
        rewritten(written, &now).unwrap_or_else(json)
    }
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingsResponse {
    /// The vectors, as the upstream wrote them.
    pub data: RawJson,
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
    /// The answer as it is passed on: the upstream's own text where nothing in it had to change.
    #[serde(skip)]
    pub(crate) text: Option<Bytes>,
}

impl EmbeddingsResponse {
    /// The answer of a text. None where it holds no vectors.
    pub(crate) fn read(text: &[u8]) -> Option<Read<Self>> {
        let mut object = Object::of_bytes(text)?;
        let data = object.get("data").filter(|data| data.starts_with('['))?;
        let data = RawJson::of_text(data)?;
        let usage = odd_usage(&mut object);
        let value = Self {
            data,
            usage,
            extra: object.rest(&["data", "usage"]),
            resolved: String::new(),
            failed: Vec::new(),
            text: None,
        };
        Some(Read {
            value,
            changed: object.changed_text(),
        })
    }
}
