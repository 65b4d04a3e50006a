//! OpenAI's wire types, as own structs: they name what Mana reads and keep
//! every field that it does not know, in both directions.

mod answer_reader;
mod caller_protocol;
mod chat;
mod delta;
mod embeddings;
mod half_pairs;
mod lenient;
mod limits;
mod mend;
mod models;
mod new_id;
mod object;
mod plain_content;
mod raw_json;
mod texts;
mod usage;

pub(crate) use answer_reader::{Read, arguments_text, completion, put_plain, usage as odd_usage};
pub use caller_protocol::CallerProtocol;
pub use chat::{ChatCompletion, ChatRequest, Choice, Content, ContentPart, Message};
pub(crate) use delta::{CallPiece, Delta, says_something};
pub use embeddings::{EmbeddingsRequest, EmbeddingsResponse};
pub(crate) use half_pairs::mend_half_pairs;
pub(crate) use lenient::{Told, count_of, lenient_usage};
pub(crate) use mend::{BYTE_ORDER_MARK, mended};
pub use models::{Model, ModelList};
pub(crate) use new_id::new_id;
pub(crate) use object::{Field, Object, json_text, rewritten};
pub(crate) use plain_content::plain_content;
pub use raw_json::RawJson;
pub(crate) use texts::texts;
pub use usage::Usage;

/// A JSON object whose fields Mana passes on without reading them.
pub type Extra = serde_json::Map<String, serde_json::Value>;
