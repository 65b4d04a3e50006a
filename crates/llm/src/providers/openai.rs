//! Any upstream that speaks OpenAI's protocol: OpenAI, Ollama, vLLM, llama.cpp,
//! Groq, OpenRouter, another gateway.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tokio::time::Instant;

use super::{Capabilities, EventStream, Limits, Provider, StreamEvent};
use crate::catalog::{ANTHROPIC, OLLAMA};
use crate::config::ProviderConfig;
use crate::error::{ErrorKind, Result};
use crate::secret::Secret;
use crate::sse::{Decoder, Frame};
use crate::upstream::Upstream;
use crate::wire::{ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model};

/// An OpenAI-compatible provider.
pub(crate) struct OpenAi {
    upstream: Arc<Upstream>,
    key: Option<Secret>,
}

impl OpenAi {
    pub fn new(config: &ProviderConfig, upstream: Upstream) -> Self {
        Self {
            upstream: upstream.into(),
            key: config.key.clone(),
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

    /// Anthropic answers chats in OpenAI's protocol, but lists its models only
    /// to its own headers.
    fn listing_headers(&self) -> Option<HeaderMap> {
        let key = self.key.as_ref().filter(|_| self.name() == ANTHROPIC)?;
        let mut value = HeaderValue::try_from(key.expose()).ok()?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", value);
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        Some(headers)
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn name(&self) -> &str {
        self.upstream.name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            vision: true,
            embeddings: true,
        }
    }

    async fn chat(&self, mut request: ChatRequest, limits: Limits) -> Result<ChatCompletion> {
        request.stream = None;
        request.extra.remove("stream_options");
        let body = self
            .upstream
            .post("chat/completions", json(&request), &limits)
            .await?;
        self.completion(&body)
    }

    async fn chat_stream(&self, mut request: ChatRequest, limits: Limits) -> Result<EventStream> {
        request.stream = Some(true);
        let response = self
            .upstream
            .open("chat/completions", json(&request), &limits)
            .await?;
        if !is_event_stream(&response) {
            // A server that does not stream answers in one piece.
            let body = self.upstream.read(response, &limits).await?;
            let chunk = self.completion(&body)?.into_chunk();
            let event = StreamEvent::Data(Bytes::from(json(&chunk)));
            return Ok(Box::pin(stream::iter([Ok(event)])));
        }
        let reading = Reading {
            upstream: self.upstream.clone(),
            response,
            decoder: Decoder::new(limits.max_bytes),
            limits,
            begun: false,
            finished: false,
            wire_ended: false,
            over: false,
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
            .post("embeddings", json(&request), &limits)
            .await?;
        self.parse(&body, "embeddings")
    }

    async fn models(&self, limits: Limits) -> Result<Vec<Model>> {
        let listed = self
            .upstream
            .get(self.upstream.url("models"), self.listing_headers(), &limits)
            .await;
        let body = match listed {
            Err(error) if self.name() == OLLAMA && error.kind == ErrorKind::Http(404) => {
                // Before it spoke OpenAI's protocol in full, Ollama listed only here.
                let mut url = self.upstream.url("");
                let path = url
                    .path()
                    .trim_end_matches('/')
                    .trim_end_matches("v1")
                    .to_owned();
                url.set_path(&format!("{path}api/tags"));
                self.upstream.get(url, None, &limits).await?
            }
            listed => listed?,
        };
        let bad = || self.upstream.bad_json("a list of models", &body);
        let said: Value = serde_json::from_slice(&body).map_err(|_| bad())?;
        let items = match &said {
            Value::Array(items) => items,
            said => match (&said["data"], &said["models"]) {
                (Value::Array(items), _) | (_, Value::Array(items)) => items,
                // Ollama says so when it has none.
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

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("wire types are made of strings and JSON values")
}

fn is_event_stream(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        })
}

/// A stream that is being read.
struct Reading {
    upstream: Arc<Upstream>,
    response: Response,
    decoder: Decoder,
    limits: Limits,
    /// The first chunk is there; before it, a slow model has until the deadline.
    begun: bool,
    /// A choice said why it stopped, so that a missing `[DONE]` is forgiven.
    finished: bool,
    wire_ended: bool,
    over: bool,
}

/// What the gateway reads of a chunk; the bytes go on as they are.
#[derive(Deserialize)]
struct Peek {
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    choices: Option<Vec<PeekChoice>>,
}

#[derive(Deserialize)]
struct PeekChoice {
    #[serde(default)]
    finish_reason: Option<IgnoredAny>,
}

impl Reading {
    /// The next event; `None` once the answer is complete.
    async fn next(&mut self) -> Result<Option<StreamEvent>> {
        loop {
            let frame = self
                .decoder
                .next()
                .map_err(|_| self.upstream.too_large(&self.limits))?;
            match frame {
                Some(Frame::Comment) => return Ok(Some(StreamEvent::KeepAlive)),
                Some(Frame::Data(data)) if data.trim_ascii() == b"[DONE]" => return Ok(None),
                Some(Frame::Data(data)) => return self.event(data).map(Some),
                None if self.wire_ended && self.finished => return Ok(None),
                None if self.wire_ended => {
                    return Err(self.upstream.error(
                        ErrorKind::CutOff,
                        format!("{} ended its answer in the middle", self.upstream.label()),
                    ));
                }
                None => self.fill().await?,
            }
        }
    }

    async fn fill(&mut self) -> Result<()> {
        let until = match self.begun {
            true => self.limits.deadline.min(Instant::now() + self.limits.idle),
            false => self.limits.deadline,
        };
        match self
            .upstream
            .chunk(&mut self.response, until, &self.limits)
            .await?
        {
            Some(chunk) => self.decoder.push(&chunk),
            None => {
                self.decoder.end();
                self.wire_ended = true;
            }
        }
        Ok(())
    }

    fn event(&mut self, data: Bytes) -> Result<StreamEvent> {
        self.begun = true;
        let data = self.upstream.clean(data.into());
        let peek: Peek = serde_json::from_slice(&data).map_err(|_| {
            self.upstream
                .bad_json("a piece of a chat completion", &data)
        })?;
        if let Some(error) = &peek.error {
            return Err(self.upstream.reported(error));
        }
        self.finished |= peek
            .choices
            .iter()
            .flatten()
            .any(|choice| choice.finish_reason.is_some());
        Ok(StreamEvent::Data(data))
    }
}
