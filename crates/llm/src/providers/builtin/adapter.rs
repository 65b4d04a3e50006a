//! `builtin/outline`: no model at all. The provider makes a plan from the bullet points of a mission's concept, which
//! come as data beside the messages, and says of itself that it is no AI.

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use mana_core::planner::outline;

use crate::error::{GatewayError, Result};
use crate::models::Facts;
use crate::providers::provider::{EventStream, Limits, Provider, StreamEvent};
use crate::wire::{ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model};

/// The name of the provider inside this program.
pub(crate) const BUILTIN: &str = "builtin";
/// Its one model.
pub(crate) const MODEL: &str = "outline";

/// The provider inside this program.
pub(crate) struct Outline;

fn answer(request: &ChatRequest) -> Result<ChatCompletion> {
    if request.model != MODEL {
        return Err(GatewayError::new(
            crate::ErrorKind::UnknownModel,
            format!(
                "There is no {BUILTIN}/{}; the only built-in one is {BUILTIN}/{MODEL}",
                request.model
            ),
        ));
    }
    let text = outline::answer(request.outline.as_deref());
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Ok(ChatCompletion::of_text(MODEL, now_s, text))
}

#[async_trait]
impl Provider for Outline {
    fn name(&self) -> &str {
        BUILTIN
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
        answer(&request)
    }

    async fn chat_stream(&self, request: ChatRequest, _: Limits) -> Result<EventStream> {
        let chunk = answer(&request)?.into_chunk().to_string();
        let event = StreamEvent::Data(Bytes::from(chunk));
        Ok(Box::pin(stream::iter([Ok(event)])))
    }

    async fn embeddings(&self, _: EmbeddingsRequest, _: Limits) -> Result<EmbeddingsResponse> {
        Err(GatewayError::invalid(
            Some("model"),
            "builtin/outline does not embed; name a provider's embedding model",
        ))
    }

    async fn models(&self, _: Limits) -> Result<Vec<Model>> {
        Ok(vec![Model::named(
            MODEL,
            "mana (no AI: it lists the bullet points of the concept)",
        )])
    }
}
