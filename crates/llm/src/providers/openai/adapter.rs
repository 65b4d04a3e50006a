//! Any upstream that speaks OpenAI's protocol: OpenAI, Ollama, vLLM, llama.cpp,
//! Groq, OpenRouter, another gateway. Fields that Mana doesn't know pass through.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::http::Uri;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::chat_form;
use super::dialect::{Dialect, OwnProtocol};
use super::gathered::gathered;
use super::reported::reported;
use crate::error::{ErrorKind, Result};
use crate::events::{self, Opened};
use crate::models::Facts;
use crate::providers::ollama::native;
use crate::providers::provider::{EventStream, Limits, Provider, StreamEvent};
use crate::upstream::Upstream;
use crate::wire::{
    CallerProtocol, ChatCompletion, ChatRequest, EmbeddingsRequest, EmbeddingsResponse, Model,
    Read, completion, mended,
};

/// An OpenAI-compatible provider.
pub(crate) struct OpenAi {
    upstream: Arc<Upstream>,
    chat: Uri,
    embeddings: Uri,
    dialect: Dialect,
    /// The server's own protocol, as its list of models has shown it.
    own: OnceLock<OwnProtocol>,
}

impl OpenAi {
    pub fn new(upstream: Upstream, dialect: Dialect) -> Self {
        Self {
            chat: upstream.uri("chat/completions"),
            embeddings: upstream.uri("embeddings"),
            upstream: upstream.into(),
            own: dialect.own.map_or_else(OnceLock::new, OnceLock::from),
            dialect,
        }
    }

    /// Reads an answer, also one that is only nearly JSON, and gives the text of it that is passed on.
    fn read<T>(
        &self,
        body: Bytes,
        wanted: &str,
        read: impl Fn(&[u8]) -> Option<Read<T>>,
    ) -> Result<(T, Bytes)> {
        let passed = |read: Read<T>, body: Bytes| {
            let text = read.changed.map_or(body, Bytes::from);
            (read.value, text)
        };
        if let Some(read) = read(&body) {
            return Ok(passed(read, body));
        }
        let mended = Bytes::from(mended(&body));
        if let Some(read) = read(&mended) {
            return Ok(passed(read, mended));
        }
        // Some report an error under status 200.
        if let Some(error) = reported(&mended) {
            return Err(self.upstream.reported(&error));
        }
        Err(self.upstream.bad_json(wanted, &body))
    }

    fn completion(&self, body: Bytes, model: &str) -> Result<ChatCompletion> {
        // Some stream although nobody asked them to, or write a line of JSON for each piece.
        let body = match body.trim_ascii_start().first() {
            Some(b'{') if !is_lines(&body) => body,
            _ => gathered(&body).unwrap_or(body),
        };
        let read = |body: &[u8]| completion(body, model).filter(|_| reported(body).is_none());
        let (mut answer, text) = self.read(body, "a chat completion", read)?;
        answer.text = Some(text);
        let tier = answer
            .extra
            .get("service_tier")
            .filter(|tier| tier.is_string());
        if let (Some(usage), Some(tier)) = (&mut answer.usage, tier) {
            usage.extra.insert("service_tier".to_owned(), tier.clone());
        }
        Ok(answer)
    }

    /// The window with which a request is asked in Ollama's own protocol; none where it passes as it is.
    fn own_window(&self, request: &ChatRequest) -> Option<u64> {
        let is_ollama = self.own.get() == Some(&OwnProtocol::Ollama);
        let window = request.window.filter(|_| is_ollama);
        window.filter(|_| native::can_ask(request))
    }

    async fn chat_in_window(
        &self,
        request: ChatRequest,
        window: u64,
        limits: &Limits,
    ) -> Result<ChatCompletion> {
        let uri = self.upstream.beside_v1("api/chat");
        let model = request.model.clone();
        let body = bytes(&native::body(request, window));
        let body = self.upstream.chat_body(&model, body);
        let body = self.upstream.post(&uri, &model, body, limits).await?;
        let said: Value = serde_json::from_slice(&mended(&body)).unwrap_or_default();
        let answer = native::completion(&said);
        answer.ok_or_else(|| match said.get("error") {
            Some(error) => self.upstream.reported(error),
            None => self.upstream.bad_json("a chat answer", &body),
        })
    }

    /// An answer that came in one piece, as a stream.
    fn one_piece(answer: ChatCompletion) -> EventStream {
        let usage = answer
            .usage
            .clone()
            .map(|usage| StreamEvent::Usage { usage, chunk: None });
        let data = StreamEvent::Data(Bytes::from(bytes(&answer.into_chunk())));
        let events = [Some(data), usage].into_iter().flatten().map(Ok);
        Box::pin(stream::iter(events.collect::<Vec<_>>()))
    }

    /// Brings a request of another protocol into the form that the server takes.
    fn bring_into_form(&self, request: &mut ChatRequest) -> Result<()> {
        match request.protocol {
            CallerProtocol::Chat => Ok(()),
            _ => chat_form::plain(request, &self.dialect),
        }
    }

    /// Puts a request into the words of the server: the name of its bound, the freedom of its words, and the role of
    /// its instructions.
    fn put_into_dialect(&self, request: &mut ChatRequest) {
        if !self.dialect.knows_developer {
            request.rename_role("developer", "system");
        }
        let usual = request.usual_temperature;
        if let Some(usual) = usual.filter(|_| (self.dialect.takes_temperature)(&request.model)) {
            let temperature = request.extra.entry("temperature");
            temperature.or_insert(usual.into());
        }
        request.bound_answer((self.dialect.bound_field)(&request.model));
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

    fn leaves_out(&self, request: &ChatRequest) -> Vec<&'static str> {
        match request.protocol {
            CallerProtocol::Chat => Vec::new(),
            _ => chat_form::left_out(request, &self.dialect),
        }
    }

    async fn chat(&self, mut request: ChatRequest, limits: Limits) -> Result<ChatCompletion> {
        self.bring_into_form(&mut request)?;
        if let Some(window) = self.own_window(&request) {
            return self.chat_in_window(request, window, &limits).await;
        }
        request.stream = None;
        self.put_into_dialect(&mut request);
        request.extra.remove("stream_options");
        let model = &request.model;
        let body = self.upstream.chat_body(model, request.body());
        let body = self.upstream.post(&self.chat, model, body, &limits).await?;
        self.completion(body, &request.model)
    }

    async fn chat_stream(&self, mut request: ChatRequest, limits: Limits) -> Result<EventStream> {
        self.bring_into_form(&mut request)?;
        if let Some(window) = self.own_window(&request) {
            let answer = self.chat_in_window(request, window, &limits).await?;
            return Ok(Self::one_piece(answer));
        }
        request.stream = Some(true);
        self.put_into_dialect(&mut request);
        self.dialect.ask_for_usage(&mut request.extra);
        let model = &request.model;
        let body = self.upstream.chat_body(model, request.body());
        let response = self.upstream.open(&self.chat, model, body, &limits).await?;
        let events = match events::open(&self.upstream, response, limits).await? {
            Opened::Events(events) => *events,
            Opened::Whole(body) => {
                return Ok(Self::one_piece(self.completion(body, &request.model)?));
            }
        };
        // Of the best of many, only so many come back.
        let answers = request.extra.get("n").and_then(Value::as_u64).unwrap_or(1);
        Ok(super::stream::pieces(events, request.model, answers))
    }

    async fn embeddings(
        &self,
        request: EmbeddingsRequest,
        limits: Limits,
    ) -> Result<EmbeddingsResponse> {
        let model = &request.model;
        let body = self.upstream.model_body(model, request.body());
        let body = self
            .upstream
            .post(&self.embeddings, model, body, &limits)
            .await?;
        let (mut answer, text) = self.read(body, "embeddings", EmbeddingsResponse::read)?;
        answer.text = Some(text);
        Ok(answer)
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
        let models: Vec<Model> = items.iter().filter_map(model).collect();
        if let Some(own) = OwnProtocol::of_list(&models) {
            let _ = self.own.set(own);
        }
        Ok(models)
    }

    async fn model_facts(&self, model: &str, limits: Limits) -> Result<Facts> {
        let json = |body: Bytes| serde_json::from_slice::<Value>(&body).unwrap_or_default();
        match self.own.get() {
            Some(OwnProtocol::Ollama) => {
                let show = self.upstream.beside_v1("api/show");
                let asked = bytes(&json!({ "model": model }));
                let shown = json(self.upstream.post(&show, model, asked, &limits).await?);
                let loaded = self
                    .upstream
                    .get(self.upstream.beside_v1("api/ps"), &limits);
                let loaded = loaded.await.map(json).unwrap_or_default();
                Ok(native::facts(model, &shown, &loaded))
            }
            Some(OwnProtocol::LlamaCpp) => {
                let props = self.upstream.get(self.upstream.beside_v1("props"), &limits);
                let props = json(props.await?);
                let window = &props["default_generation_settings"]["n_ctx"];
                Ok(Facts {
                    context_tokens: window.as_u64().filter(|tokens| *tokens > 0),
                    // It holds any model to a schema by a grammar.
                    json_schema: Some(true),
                    ..Facts::default()
                })
            }
            None => Ok(Facts::default()),
        }
    }
}

/// Whether a body holds several lines that are each an object.
fn is_lines(body: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', body).unwrap_or(body.len());
    let (first, rest) = body.split_at(end);
    let begins = |text: &[u8]| text.trim_ascii_start().first() == Some(&b'{');
    first.trim_ascii_end().ends_with(b"}") && begins(first) && begins(rest)
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
