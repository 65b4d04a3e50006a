//! Anthropic's Messages API, natively: what is asked in OpenAI's words is put
//! into Anthropic's, and back. Blocks and fields that are Anthropic's own pass
//! through as they are (`cache_control`, `thinking`, server tools), and what it
//! thought comes back as `reasoning_content` and `thinking_blocks`.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::Uri;
use bytes::Bytes;
use futures_util::stream as streams;
use serde_json::Value;

use super::answer::{completion, is_plain};
use super::{request, stream};
use crate::error::{GatewayError, Result};
use crate::events::{self, Opened};
use crate::models::Facts;
use crate::protocols::messages::BETA;
use crate::providers::provider::{EventStream, Limits, Provider, StreamEvent};
use crate::upstream::Upstream;
use crate::wire::{
    CallerProtocol, ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model,
    mended,
};

/// A provider that speaks Anthropic's protocol.
pub(crate) struct Anthropic {
    upstream: Arc<Upstream>,
    messages: Uri,
}

impl Anthropic {
    pub fn new(upstream: Upstream) -> Self {
        Self {
            messages: upstream.uri("messages"),
            upstream: upstream.into(),
        }
    }

    fn parse(&self, body: &[u8], wanted: &str) -> Result<Value> {
        let value: Value = serde_json::from_slice(body)
            .or_else(|_| serde_json::from_slice(&mended(body)))
            .map_err(|_| self.upstream.bad_json(wanted, body))?;
        match value["type"].as_str() {
            Some("error") => Err(self.upstream.reported(&value["error"])),
            _ => Ok(value),
        }
    }

    fn completion(&self, body: &[u8], by_schema: Option<&str>) -> Result<ChatCompletion> {
        let message = self.parse(body, "a message")?;
        completion(&message, by_schema).ok_or_else(|| self.upstream.bad_json("a message", body))
    }
}

#[async_trait]
impl Provider for Anthropic {
    fn name(&self) -> &str {
        self.upstream.name()
    }

    fn facts(&self) -> Facts {
        Facts {
            tools: Some(true),
            json_schema: Some(true),
            vision: Some(true),
            embeddings: Some(false),
            context_tokens: None,
        }
    }

    fn leaves_out(&self, request: &ChatRequest) -> Vec<&'static str> {
        request::left_out(request)
    }

    fn keeps_prompts_when_told(&self) -> bool {
        true
    }

    async fn chat(&self, mut request: ChatRequest, limits: Limits) -> Result<ChatCompletion> {
        let model = request.model.clone();
        let betas = std::mem::take(&mut request.betas);
        let speaks_messages = request.protocol == CallerProtocol::Messages;
        let body = request::body(request, false)?;
        let sent = self.upstream.chat_body(&model, bytes(&body));
        let answer = self
            .upstream
            .open_naming(&self.messages, &model, sent, (BETA, &betas), &limits)
            .await?;
        let answer = self.upstream.read(answer, &limits).await?;
        let mut completion = self.completion(&answer, body.answer.as_deref())?;
        // An answer by schema has come through a tool that the caller knows nothing of.
        let is_native = speaks_messages && body.answer.is_none();
        let is_plain = || serde_json::from_slice(&answer).is_ok_and(|said| is_plain(&said));
        completion.native = (is_native && is_plain()).then_some(answer);
        Ok(completion)
    }

    async fn chat_stream(&self, mut request: ChatRequest, limits: Limits) -> Result<EventStream> {
        let model = request.model.clone();
        let betas = std::mem::take(&mut request.betas);
        let speaks_messages = request.protocol == CallerProtocol::Messages;
        let body = request::body(request, true)?;
        let sent = self.upstream.chat_body(&model, bytes(&body));
        let response = self
            .upstream
            .open_naming(&self.messages, &model, sent, (BETA, &betas), &limits)
            .await?;
        let events = match events::open(&self.upstream, response, limits).await? {
            Opened::Events(events) => *events,
            Opened::Whole(whole) => {
                let answer = self.completion(&whole, body.answer.as_deref())?;
                let usage = answer.usage.clone().unwrap_or_default();
                let data = StreamEvent::Data(Bytes::from(answer.into_chunk().to_string()));
                let usage = StreamEvent::Usage { usage, chunk: None };
                return Ok(Box::pin(streams::iter([Ok(data), Ok(usage)])));
            }
        };
        let tells_native = speaks_messages && body.answer.is_none();
        Ok(stream::chunks(events, body.answer, tells_native))
    }

    async fn embeddings(&self, _: EmbeddingsRequest, _: Limits) -> Result<EmbeddingsResponse> {
        Err(GatewayError::invalid(
            Some("model"),
            format!(
                "{} does not embed; name another provider's embedding model",
                self.upstream.label()
            ),
        ))
    }

    async fn models(&self, limits: Limits) -> Result<Vec<Model>> {
        let body = self
            .upstream
            .get(self.upstream.uri("models?limit=1000"), &limits)
            .await?;
        let listed = self.parse(&body, "a list of models")?;
        let Some(items) = listed["data"].as_array() else {
            return Err(self.upstream.bad_json("a list of models", &body));
        };
        let ids = items.iter().filter_map(|item| item["id"].as_str());
        Ok(ids.map(|id| Model::named(id, self.name())).collect())
    }
}

fn bytes(body: &request::Body) -> Vec<u8> {
    serde_json::to_vec(body).expect("a body is made of JSON")
}
