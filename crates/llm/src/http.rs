//! The gateway over HTTP, as OpenAI's and Anthropic's clients expect it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use mana_core::change::has_nul;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use crate::auth::{Auth, Caller};
pub use crate::call_usage::{CallEstimate, Ending, MeterGuard, Used};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::gateway::{Gateway, refuse_empty};
use crate::metered::Meter;
use crate::protocols::messages::{self, Betas, MessagesRequest, MessagesWriter};
use crate::protocols::responses::ResponsesRequest;
use crate::protocols::{AnswerWriter, ChatWriter};
use crate::refusal_shape::RefusalShape;
pub use crate::refusal_shape::refuse;
use crate::route::provider_of;
use crate::streaming;
pub use crate::unknown_paths::without_v1;
use crate::unknown_paths::{with_unknown_paths, wrong_method};
use crate::wire::{BYTE_ORDER_MARK, ChatRequest, EmbeddingsRequest};

/// Which model answered, as `provider/model`.
pub const RESOLVED: HeaderName = HeaderName::from_static("x-mana-llm-resolved");

/// Room for a few pictures.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// Names the fields of the request that the provider has no word for, so that the answer is without them.
pub const LEFT_OUT: HeaderName = HeaderName::from_static("x-mana-llm-left-out");

/// Says that the answer comes from the answer cache: `hit`.
pub const CACHE: HeaderName = HeaderName::from_static("x-mana-llm-cache");

#[derive(Clone)]
struct Shared {
    gateway: Arc<Gateway>,
    auth: Arc<dyn Auth>,
}

/// The routes under `/v1`.
pub fn router(gateway: Arc<Gateway>, auth: Arc<dyn Auth>) -> Router {
    let routes = Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/responses", post(responses))
        .route("/v1/embeddings", post(embeddings))
        .route("/v1/models", get(models))
        .route("/v1/models/{*id}", get(model))
        .route("/v1/aliases", get(aliases))
        .route("/v1/health", get(health))
        .method_not_allowed_fallback(wrong_method)
        .with_state(Shared { gateway, auth });
    with_unknown_paths(routes)
}

/// A caller who is let in, and the shape in which it reads refusals.
struct Entered {
    caller: Caller,
    shape: RefusalShape,
}

/// Each route asks for its caller, and lets nobody else in.
impl FromRequestParts<Shared> for Entered {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Response> {
        let path = parts.uri.path();
        let shape = RefusalShape::of(path, &parts.headers);
        for credential in credentials(path, &parts.headers) {
            if let Some(caller) = shared.auth.caller(credential).await {
                return Ok(Self { caller, shape });
            }
        }
        let stranger = GatewayError::new(
            ErrorKind::Unauthorized,
            "No valid bearer; send `Authorization: Bearer …` with your token, a virtual key or the service key; \
             Anthropic's clients may send it as `x-api-key`",
        );
        Err(shape.refusal(&stranger))
    }
}

/// The paths on which Anthropic's clients call.
const OF_ANTHROPICS_CLIENTS: [&str; 2] = [messages::PATH, "/v1/models"];

/// The credentials that a caller shows: a bearer, and where Anthropic's clients call also their own header.
fn credentials<'h>(path: &str, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> + use<'h> {
    let mut paths = OF_ANTHROPICS_CLIENTS.iter();
    let takes_key = paths.any(|known| path.starts_with(known));
    let key = headers.get(messages::API_KEY).filter(|_| takes_key);
    let key = key.and_then(|key| key.to_str().ok()).map(str::trim);
    let key = key.filter(|key| !key.is_empty());
    bearer(headers).into_iter().chain(key)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, bearer) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let bearer = bearer.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !bearer.is_empty()).then_some(bearer)
}

async fn chat(
    State(shared): State<Shared>,
    entered: Entered,
    JsonBody(mut request, written): JsonBody<ChatRequest>,
) -> Response {
    let answered = async {
        request.written = Some(written);
        request.settle_limits()?;
        let wants_usage = request.wants_usage();
        let writer = |_: &ChatRequest| ChatWriter { wants_usage };
        answer(shared, &entered.caller, request, writer).await
    };
    entered.shape.told(answered.await)
}

async fn responses(
    State(shared): State<Shared>,
    entered: Entered,
    JsonBody(request, _): JsonBody<ResponsesRequest>,
) -> Response {
    let answered = async {
        let (mut request, writer) = request.into_chat()?;
        request.settle_limits()?;
        answer(shared, &entered.caller, request, |_| writer).await
    };
    entered.shape.told(answered.await)
}

async fn messages(
    State(shared): State<Shared>,
    entered: Entered,
    headers: HeaderMap,
    JsonBody(request, _): JsonBody<MessagesRequest>,
) -> Response {
    let answered = async {
        let mut request = request.into_chat(Betas::of(&headers))?;
        request.settle_limits()?;
        answer(shared, &entered.caller, request, |request| {
            MessagesWriter::to(request, estimated_tokens(request))
        })
        .await
    };
    entered.shape.told(answered.await)
}

/// The tokens of a request. No provider is asked: each counts its own way, and the gateway reserves by this count.
async fn count_tokens(
    entered: Entered,
    headers: HeaderMap,
    JsonBody(request, _): JsonBody<MessagesRequest>,
) -> Response {
    let counted = || -> Result<Response> {
        let mut request = request.into_chat(Betas::of(&headers))?;
        refuse_empty(&request)?;
        request.settle_limits()?;
        let tokens = estimated_tokens(&request);
        Ok(Json(json!({ "input_tokens": tokens })).into_response())
    };
    entered.shape.told(counted())
}

fn estimated_tokens(request: &ChatRequest) -> u64 {
    CallEstimate::of_chat(request).prompt_tokens
}

/// Answers a request over its chain, in the words of a writer that is made for it.
async fn answer<W: AnswerWriter>(
    Shared { gateway, auth }: Shared,
    caller: &Caller,
    mut request: ChatRequest,
    writer: impl FnOnce(&ChatRequest) -> W,
) -> Result<Response> {
    refuse_empty(&request)?;
    let mut writer = writer(&request);
    let question = gateway.cache.key(&caller.name(), &request);
    if let Some(question) = &question
        && let Some(kept) = gateway.cache.get(question)
    {
        writer.answered_by(provider_of(&kept.resolved));
        let mut headers = headers(&kept.resolved, &kept.left_out);
        headers.insert(CACHE, HeaderValue::from_static("hit"));
        return Ok(whole(headers, writer.whole(&kept)?));
    }
    let mut meter =
        Meter::open(&gateway, &*auth, caller, || CallEstimate::of_chat(&request)).await?;
    request.bound = meter.bound();
    request.retry = true;
    request.caller = caller.name();
    if request.stream == Some(true) {
        let opening = async move { gateway.chat_stream(request).await };
        return streaming::answer(opening, meter, writer, headers).await;
    }
    match gateway.chat(request).await {
        Ok(answer) => {
            let bytes = answer.text_bytes();
            meter.answered(
                &answer.resolved,
                answer.usage.as_ref(),
                bytes,
                &answer.failed,
            );
            writer.answered_by(provider_of(&answer.resolved));
            let headers = headers(&answer.resolved, &answer.left_out);
            let response = whole(headers, writer.whole(&answer)?);
            if let Some(question) = question {
                gateway.cache.put(question, answer);
            }
            Ok(response)
        }
        Err(error) => Err(meter.failed(error)),
    }
}

async fn embeddings(
    State(shared): State<Shared>,
    Entered { caller, shape }: Entered,
    JsonBody(mut request, written): JsonBody<EmbeddingsRequest>,
) -> Response {
    request.written = Some(written);
    request.caller = caller.name();
    shape.told(embedded(shared, &caller, request).await)
}

async fn embedded(
    Shared { gateway, auth }: Shared,
    caller: &Caller,
    request: EmbeddingsRequest,
) -> Result<Response> {
    let mut meter = Meter::open(&gateway, &*auth, caller, || {
        CallEstimate::of_embeddings(&request)
    })
    .await?;
    match gateway.embeddings(request).await {
        Ok(answer) => {
            meter.answered(&answer.resolved, answer.usage.as_ref(), 0, &answer.failed);
            let headers = headers(&answer.resolved, &[]);
            match &answer.text {
                Some(text) => Ok(whole(headers, text.clone())),
                None => Ok((headers, Json(answer)).into_response()),
            }
        }
        Err(error) => Err(meter.failed(error)),
    }
}

async fn models(
    State(Shared { gateway, auth }): State<Shared>,
    Entered { caller, .. }: Entered,
    headers: HeaderMap,
) -> Response {
    let mut list = gateway.models().await;
    list.data.retain(|model| auth.may_see(&caller, &model.id));
    match headers.contains_key(messages::VERSION) {
        true => Json(messages::listed(&list)).into_response(),
        false => Json(list).into_response(),
    }
}

async fn model(
    State(Shared { gateway, auth }): State<Shared>,
    Entered { caller, shape }: Entered,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let id = id.trim_matches('/');
    let listed = gateway.models().await.data;
    let found = listed.into_iter().find(|model| model.id == id);
    let found = found.filter(|model| auth.may_see(&caller, &model.id));
    match (found, headers.contains_key(messages::VERSION)) {
        (Some(model), true) => Json(messages::named(&model)).into_response(),
        (Some(model), false) => Json(model).into_response(),
        (None, _) => shape.refusal(&GatewayError::new(
            ErrorKind::UnknownModel,
            format!("There is no model {id}; GET /v1/models lists those that there are"),
        )),
    }
}

async fn aliases(
    State(Shared { gateway, auth }): State<Shared>,
    Entered { caller, .. }: Entered,
) -> Json<Value> {
    let mut aliases = gateway.aliases().await;
    aliases.retain(|alias| auth.may_see(&caller, &alias.id));
    Json(json!({ "object": "list", "data": aliases }))
}

async fn health(State(Shared { gateway, .. }): State<Shared>, _: Entered) -> Response {
    Json(gateway.health()).into_response()
}

/// A whole answer, written already.
fn whole(headers: HeaderMap, text: Bytes) -> Response {
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (headers, json, text).into_response()
}

/// The body of a request, read and as it was written.
struct JsonBody<T>(T, Bytes);

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = Response;

    async fn from_request(mut request: Request, shared: &Shared) -> Result<Self, Response> {
        let shape = RefusalShape::of(request.uri().path(), request.headers());
        DefaultBodyLimit::max(MAX_REQUEST_BYTES).apply(&mut request);
        let body = Bytes::from_request(request, shared).await;
        let body = body.map(|body| match body.starts_with(BYTE_ORDER_MARK) {
            true => body.slice(BYTE_ORDER_MARK.len()..),
            false => body,
        });
        let written = body.as_ref().ok().cloned();
        match parse(body) {
            Ok(read) => Ok(Self(read, written.unwrap_or_default())),
            Err(error) => Err(shape.refusal(&error)),
        }
    }
}

/// Reads a body, or says what is wrong with it.
fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => GatewayError::new(
            ErrorKind::Http(413),
            format!(
                "The request is larger than {} MB; send less at once",
                MAX_REQUEST_BYTES >> 20
            ),
        ),
        _ => GatewayError::invalid(None, rejection.body_text()),
    })?;
    // Most bodies have no backslash; a searcher for the whole escape costs more to make than this.
    if memchr::memchr_iter(b'\\', &body).any(|at| body[at..].starts_with(b"\\u0000"))
        && serde_json::from_slice(&body).is_ok_and(|value| has_nul(&value))
    {
        return Err(GatewayError::invalid(
            None,
            "The request holds a NUL character (\\u0000); leave it out",
        ));
    }
    serde_json::from_slice(&body).map_err(|error| {
        GatewayError::invalid(
            None,
            format!("The body is not the JSON of such a request: {error}"),
        )
    })
}

/// The headers that say who answered, and how.
fn headers(resolved: &str, left_out: &[Cow<'static, str>]) -> HeaderMap {
    // Room for those that every answer gets: growing would touch each of them again.
    let mut headers = HeaderMap::with_capacity(16);
    if let Ok(value) = HeaderValue::from_bytes(resolved.as_bytes()) {
        headers.insert(RESOLVED, value);
    }
    if !left_out.is_empty()
        && let Ok(value) = HeaderValue::try_from(left_out.join(", "))
    {
        headers.insert(LEFT_OUT, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_read_in_any_case_and_nothing_else_is_one() {
        for (header, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer ", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
            assert_eq!(bearer(&headers), expected, "{header}");
        }
    }

    #[test]
    fn nul_is_refused_and_the_escape_as_text_is_not() {
        let request = |text: &'static str| parse::<Value>(Ok(Bytes::from_static(text.as_bytes())));
        assert!(request(r#"{"a": ["x\u0000"]}"#).is_err());
        assert!(request(r#"{"a": ["x\\u0000"]}"#).is_ok());
    }
}
