//! A provider for tests: it answers what it was told to answer.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use super::provider::{EventStream, Limits, Provider, StreamEvent};
use crate::error::Result;
use crate::models::Facts;
use crate::wire::{ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model};

pub(crate) struct Dummy {
    pub name: &'static str,
    /// The outcome of every chat: the text of an answer, or a failure.
    pub answer: Result<&'static str>,
    /// Chats wait here until there is a permit.
    pub gate: Option<std::sync::Arc<tokio::sync::Semaphore>>,
    /// Listings wait here until there is a permit.
    pub listing_gate: Option<std::sync::Arc<tokio::sync::Semaphore>>,
}

impl Dummy {
    pub fn new(name: &'static str, answer: Result<&'static str>) -> Self {
        Self {
            name,
            answer,
            gate: None,
            listing_gate: None,
        }
    }
}

#[async_trait]
impl Provider for Dummy {
    fn name(&self) -> &str {
        self.name
    }

    fn facts(&self) -> Facts {
        Facts {
            tools: Some(false),
            json_schema: Some(false),
            vision: Some(false),
            embeddings: Some(false),
            context_tokens: None,
        }
    }

    async fn chat(&self, request: ChatRequest, _: Limits) -> Result<ChatCompletion> {
        if let Some(gate) = &self.gate {
            gate.acquire()
                .await
                .expect("a test never closes its gate")
                .forget();
        }
        let text = self.answer.clone()?.to_owned();
        Ok(ChatCompletion::of_text(&request.model, 0, text))
    }

    async fn chat_stream(&self, request: ChatRequest, limits: Limits) -> Result<EventStream> {
        let first = self.chat(request, limits).await;
        let event =
            first.map(|answer| StreamEvent::Data(Bytes::from(answer.into_chunk().to_string())));
        Ok(Box::pin(stream::iter([event])))
    }

    async fn embeddings(&self, _: EmbeddingsRequest, _: Limits) -> Result<EmbeddingsResponse> {
        unreachable!("the gateway asks only what the capabilities promise")
    }

    async fn models(&self, _: Limits) -> Result<Vec<Model>> {
        if let Some(gate) = &self.listing_gate {
            gate.acquire()
                .await
                .expect("a test never closes its gate")
                .forget();
        }
        let mut model = Model::named("m", self.name);
        model.extra.insert("context_length".to_owned(), 9.into());
        Ok(vec![model])
    }
}
