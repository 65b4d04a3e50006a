//! OpenAI's wire types, as own structs: they name what Mana reads and keep
//! every field that it does not know, in both directions.

mod chat;
mod embeddings;
mod models;

pub use chat::{ChatCompletion, ChatRequest, Choice, Content, ContentPart, Message, Usage};
pub use embeddings::{EmbeddingsRequest, EmbeddingsResponse};
pub use models::{Model, ModelList};

/// A JSON object whose fields Mana passes on without reading them.
pub type Extra = serde_json::Map<String, serde_json::Value>;
