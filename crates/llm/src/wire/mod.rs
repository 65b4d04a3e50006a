//! OpenAI's wire types, as own structs: they name what Mana reads and keep
//! every field that it does not know, in both directions.

mod chat;
mod embeddings;
mod lenient;
mod models;
mod usage;

pub use chat::{ChatCompletion, ChatRequest, Choice, Content, ContentPart, Message};
pub use embeddings::{EmbeddingsRequest, EmbeddingsResponse};
pub(crate) use lenient::lenient_usage;
pub use models::{Model, ModelList};
pub use usage::Usage;

/// A JSON object whose fields Mana passes on without reading them.
pub type Extra = serde_json::Map<String, serde_json::Value>;
