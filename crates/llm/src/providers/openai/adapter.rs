//! Any upstream that speaks OpenAI's protocol: OpenAI, Ollama, vLLM, llama.cpp,
//! Groq, OpenRouter, another gateway. Fields that Mana doesn't know pass through.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::Uri;
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::dialect::Dialect;
use crate::error::{ErrorKind, Result};
use crate::events::{Events, is_event_stream};
use crate::models::Facts;
use crate::providers::provider::{EventStream, Limits, Provider, StreamEvent};
use crate::sse::Frame;
use crate::upstream::Upstream;
use crate::wire::{
    ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model, Usage, lenient_usage,
};

/// An OpenAI-compatible provider.
pub(crate) struct OpenAi {
    upstream: Arc<Upstream>,
    chat: Uri,
    embeddings: Uri,
    dialect: Dialect,
}

impl OpenAi {
    pub fn new(upstream: Upstream, dialect: Dialect) -> Self {
        Self {
            chat: upstream.uri("chat/completions"),
            embeddings: upstream.uri("embeddings"),
            upstream: upstream.into(),
            dialect,
        }
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8], wanted: &str) -> Result<T> {
        if let Ok(value) = serde_json::from_slice(body) {
            return Ok(value);
        }
        // Some report an error under status 200.
        if let Ok(Value::Object(map)) = serde_json::from_slice(body)
            && let Some(error) = map.get("error").filter(|error| !error.is_null())
        {
            return Err(self.upstream.reported(error));
        }
        Err(self.upstream.bad_json(wanted, body))
    }

    fn completion(&self, body: &[u8]) -> Result<ChatCompletion> {
        self.parse(body, "a chat completion")
    }

    /// Bounds an answer that the caller left unbounded.
    fn bound(&self, request: &mut ChatRequest) {
        if let Some(bound) = request.bound.filter(|_| request.max_tokens().is_none()) {
            let field = self.dialect.bound_field.to_owned();
            request.extra.insert(field, bound.into());
        }
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn name(&self) -> &str {
        self.upstream.name()
    }

    fn facts(&self) -> Facts {
        Facts {
            json_schema: self.dialect.holds_any_model_to_schema.then_some(true),
            ..Facts::default()
        }
    }

    async fn chat(&self, mut request: ChatRequest, limits: Limits) -> Result<ChatCompletion> {
        request.stream = None;
        self.bound(&mut request);
        request.extra.remove("stream_options");
        let body = self
            .upstream
            .post(&self.chat, bytes(&request), &limits)
            .await?;
        self.completion(&body)
    }

    async fn chat_stream(&self, mut request: ChatRequest, limits: Limits) -> Result<EventStream> {
        request.stream = Some(true);
        self.bound(&mut request);
        if self.dialect.asks_for_usage {
            let options = request.extra.entry("stream_options").or_insert(json!({}));
            if let Some(options) = options.as_object_mut() {
                options.insert("include_usage".to_owned(), true.into());
            }
        }
        let response = self
            .upstream
            .open(&self.chat, bytes(&request), &limits)
            .await?;
        if !is_event_stream(&response) {
            // A server that does not stream answers in one piece.
            let body = self.upstream.read(response, &limits).await?;
            let answer = self.completion(&body)?;
            let usage = answer
                .usage
                .clone()
                .map(|usage| StreamEvent::Usage { usage, chunk: None });
            let data = StreamEvent::Data(Bytes::from(bytes(&answer.into_chunk())));
            let events = [Some(data), usage].into_iter().flatten().map(Ok);
            return Ok(Box::pin(stream::iter(events.collect::<Vec<_>>())));
        }
        let reading = Reading {
            events: Events::new(self.upstream.clone(), response, limits),
            finished: false,
            over: false,
            usage: None,
        };
        Ok(Box::pin(stream::unfold(
            reading,
            |mut reading| async move {
                if reading.over {
                    return None;
                }
                let event = reading.next().await;
                reading.over = !matches!(event, Ok(Some(_)));
                Some((event.transpose()?, reading))
            },
        )))
    }

    async fn embeddings(
        &self,
        request: EmbeddingsRequest,
        limits: Limits,
    ) -> Result<EmbeddingsResponse> {
        let body = self
            .upstream
            .post(&self.embeddings, bytes(&request), &limits)
            .await?;
        self.parse(&body, "embeddings")
    }

    async fn models(&self, limits: Limits) -> Result<Vec<Model>> {
        let listed = self
            .upstream
            .get(self.upstream.uri("models"), &limits)
            .await;
        let body = match (listed, self.dialect.earlier_list) {
            (Err(error), Some(path)) if error.kind == ErrorKind::Http(404) => {
                let earlier = self.upstream.beside_v1(path);
                self.upstream.get(earlier, &limits).await?
            }
            (listed, _) => listed?,
        };
        let bad = || self.upstream.bad_json("a list of models", &body);
        let said: Value = serde_json::from_slice(&body).map_err(|_| bad())?;
        let items = match &said {
            Value::Array(items) => items,
            said => match (&said["data"], &said["models"]) {
                (Value::Array(items), _) | (_, Value::Array(items)) => items,
                // Some, such as Ollama, say so when they have none.
                (Value::Null, _) if said["object"] == "list" => return Ok(Vec::new()),
                _ => return Err(bad()),
            },
        };
        Ok(items.iter().filter_map(model).collect())
    }
}

/// A model, by whichever field names it.
fn model(item: &Value) -> Option<Model> {
    if let Ok(model) = serde_json::from_value(item.clone()) {
        return Some(model);
    }
    let id = ["id", "name", "model"]
        .iter()
        .find_map(|field| item.get(field)?.as_str())?;
    Some(Model::named(id, ""))
}

fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("wire types are made of strings and JSON values")
}

/// A stream that is being read.
struct Reading {
    events: Events,
    /// A choice said why it stopped, so that a missing `[DONE]` is forgiven.
    finished: bool,
    over: bool,
    /// The usage that the last chunk carried beside its piece of the answer.
    usage: Option<Usage>,
}

/// The fields of a chunk that the gateway reads; the bytes go on as they are.
#[derive(Deserialize)]
struct Peek {
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    choices: Option<Vec<PeekChoice>>,
    #[serde(default, deserialize_with = "lenient_usage")]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct PeekChoice {
    #[serde(default)]
    finish_reason: Option<IgnoredAny>,
}

impl Reading {
    /// The next event; `None` once the answer is complete.
    async fn next(&mut self) -> Result<Option<StreamEvent>> {
        if let Some(usage) = self.usage.take() {
            return Ok(Some(StreamEvent::Usage { usage, chunk: None }));
        }
        match self.events.next().await? {
            Some(Frame::Comment) => Ok(Some(StreamEvent::KeepAlive)),
            Some(Frame::Data(data)) if data.trim_ascii() == b"[DONE]" => Ok(None),
            Some(Frame::Data(data)) => self.event(data).map(Some),
            None if self.finished => Ok(None),
            None => {
                let upstream = &self.events.upstream;
                Err(upstream.error(
                    ErrorKind::CutOff,
                    format!("{} ended its answer in the middle", upstream.label()),
                ))
            }
        }
    }

    fn event(&mut self, data: Bytes) -> Result<StreamEvent> {
        let upstream = &self.events.upstream;
        let peek: Peek = serde_json::from_slice(&data)
            .map_err(|_| upstream.bad_json("a piece of a chat completion", &data))?;
        if let Some(error) = &peek.error {
            return Err(upstream.reported(error));
        }
        self.finished |= peek
            .choices
            .iter()
            .flatten()
            .any(|choice| choice.finish_reason.is_some());
        match peek.usage {
            Some(usage) if peek.choices.iter().flatten().next().is_none() => {
                Ok(StreamEvent::Usage {
                    usage,
                    chunk: Some(data),
                })
            }
            usage => {
                self.usage = usage;
                Ok(StreamEvent::Data(data))
            }
        }
    }
}
