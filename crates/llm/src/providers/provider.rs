//! The trait of every provider, and what its calls are given and give.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::Instant;

use crate::error::Result;
use crate::models::Facts;
use crate::wire::{
    ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model, Usage,
};

/// The limits of one call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When it has to be over; for a stream, when more of its answer has to be there.
    pub deadline: Instant,
    /// How long that was at the start.
    pub timeout: Duration,
    /// The longest silence within a stream that has begun.
    pub idle: Duration,
    /// The largest answer, or event of a stream.
    pub max_bytes: usize,
}

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// A chunk: the JSON of a `chat.completion.chunk`, as the upstream sent it.
    Data(Bytes),
    /// The tokens that the answer took so far; the last event of this kind counts.
    Usage {
        /// The tokens.
        usage: Usage,
        /// The chunk that says nothing else, for a caller who asked for it.
        chunk: Option<Bytes>,
    },
    /// An event in Anthropic's own words, for a caller who speaks that protocol too; what follows it says the same.
    Native(Bytes),
    /// The upstream shows that it is still there.
    KeepAlive,
}

/// The pieces of an answer. The end of the stream means that the answer is
/// complete; one that broke off ends with an error.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<StreamEvent>> + Send>>;

/// Something that answers. `request.model` is the provider's own name of the
/// model; dropping a future or a stream cancels the call.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Its name in `provider/model`.
    fn name(&self) -> &str;

    /// Facts that hold for all its models, whatever they are called.
    fn facts(&self) -> Facts;

    /// The fields of a request that change an answer, and that the provider has no word for.
    fn leaves_out(&self, request: &ChatRequest) -> Vec<&'static str> {
        let _ = request;
        Vec::new()
    }

    /// Whether a prompt is kept only where the request says so, and keeping it costs more than reading it.
    fn keeps_prompts_when_told(&self) -> bool {
        false
    }

    /// Answers in one piece.
    async fn chat(&self, request: ChatRequest, limits: Limits) -> Result<ChatCompletion>;

    /// Answers piece by piece.
    async fn chat_stream(&self, request: ChatRequest, limits: Limits) -> Result<EventStream>;

    /// Embeds.
    async fn embeddings(
        &self,
        request: EmbeddingsRequest,
        limits: Limits,
    ) -> Result<EmbeddingsResponse>;

    /// The models that it has now, in its own order.
    async fn models(&self, limits: Limits) -> Result<Vec<Model>>;

    /// The facts that it tells of one of its models beside its list.
    async fn model_facts(&self, model: &str, limits: Limits) -> Result<Facts> {
        let _ = (model, limits);
        Ok(Facts::default())
    }
}
