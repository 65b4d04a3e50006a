//! The gateway over HTTP, as OpenAI's and Anthropic's clients expect it.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
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
use crate::protocols::messages::{self, MessagesRequest, MessagesWriter};
use crate::protocols::responses::ResponsesRequest;
use crate::protocols::{AnswerWriter, ChatWriter};
use crate::reason::SHOULD_RETRY;
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

/// Each route asks for its caller, and lets nobody else in.
impl FromRequestParts<Shared> for Caller {
    type Rejection = GatewayError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self> {
        for credential in credentials(parts.uri.path(), &parts.headers) {
            if let Some(caller) = shared.auth.caller(credential).await {
                return Ok(caller);
            }
        }
        Err(GatewayError::new(
            ErrorKind::Unauthorized,
            "No valid bearer; send `Authorization: Bearer …` with your token, a virtual key or the service key; \
             Anthropic's clients may send it as `x-api-key`",
        ))
    }
}

/// Anthropic's header for a key.
const API_KEY: &str = "x-api-key";
/// The paths on which Anthropic's clients call.
const OF_ANTHROPICS_CLIENTS: [&str; 2] = ["/v1/messages", "/v1/models"];

/// The credentials that a caller shows: a bearer, and where Anthropic's clients call also their own header.
fn credentials<'h>(path: &str, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> + use<'h> {
    let mut paths = OF_ANTHROPICS_CLIENTS.iter();
    let takes_key = paths.any(|known| path.starts_with(known));
    let key = headers.get(API_KEY).filter(|_| takes_key);
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
    caller: Caller,
    JsonBody(mut request, written): JsonBody<ChatRequest>,
) -> Result<Response> {
    request.written = Some(written);
    request.settle_limits()?;
    let wants_usage = request.wants_usage();
    let writer = |_: &ChatRequest| ChatWriter { wants_usage };
    answer(shared, &caller, request, writer).await
}

async fn responses(
    State(shared): State<Shared>,
    caller: Caller,
    JsonBody(request, _): JsonBody<ResponsesRequest>,
) -> Result<Response> {
    let (mut request, writer) = request.into_chat()?;
    request.settle_limits()?;
    answer(shared, &caller, request, |_| writer).await
}

/// Every failure is told in Anthropic's shape, also that of a caller who is not let in.
async fn messages(State(shared): State<Shared>, request: Request) -> Response {
    let answered = async {
        let (caller, request) = messages_call(&shared, request).await?;
        answer(shared, &caller, request, |request| {
            MessagesWriter::to(request, estimated_tokens(request))
        })
        .await
    };
    answered.await.unwrap_or_else(messages_refusal)
}

/// The tokens of a request. No provider is asked: each counts its own way, and the gateway reserves by this count.
async fn count_tokens(State(shared): State<Shared>, request: Request) -> Response {
    match messages_call(&shared, request).await {
        Ok((_, request)) => {
            let tokens = estimated_tokens(&request);
            Json(json!({ "input_tokens": tokens })).into_response()
        }
        Err(error) => messages_refusal(error),
    }
}

/// The caller of a request in Anthropic's shape, and the request in the gateway's words.
async fn messages_call(shared: &Shared, request: Request) -> Result<(Caller, ChatRequest)> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, shared).await?;
    let request = Request::from_parts(parts, body);
    let JsonBody(request, _) = JsonBody::<MessagesRequest>::from_request(request, shared).await?;
    let mut request = request.into_chat()?;
    refuse_empty(&request)?;
    request.settle_limits()?;
    Ok((caller, request))
}

fn estimated_tokens(request: &ChatRequest) -> u64 {
    CallEstimate::of_chat(request).prompt_tokens
}

fn messages_refusal(error: GatewayError) -> Response {
    let body = messages::refusal(&error);
    refused(&error, body)
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
    State(Shared { gateway, auth }): State<Shared>,
    caller: Caller,
    JsonBody(mut request, written): JsonBody<EmbeddingsRequest>,
) -> Result<Response> {
    request.written = Some(written);
    request.caller = caller.name();
    let mut meter = Meter::open(&gateway, &*auth, &caller, || {
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
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    let mut list = gateway.models().await;
    list.data.retain(|model| auth.may_see(&caller, &model.id));
    match messages::speaks_messages("", &headers) {
        true => Json(messages::listed(&list)).into_response(),
        false => Json(list).into_response(),
    }
}

async fn model(
    State(Shared { gateway, auth }): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let id = id.trim_matches('/');
    let listed = gateway.models().await.data;
    let found = listed.into_iter().find(|model| model.id == id);
    let found = found.filter(|model| auth.may_see(&caller, &model.id));
    let unknown = || {
        GatewayError::new(
            ErrorKind::UnknownModel,
            format!("There is no model {id}; GET /v1/models lists those that there are"),
        )
    };
    match (found, messages::speaks_messages("", &headers)) {
        (Some(model), true) => Json(messages::named(&model)).into_response(),
        (Some(model), false) => Json(model).into_response(),
        (None, true) => messages_refusal(unknown()),
        (None, false) => unknown().into_response(),
    }
}

async fn aliases(State(Shared { gateway, auth }): State<Shared>, caller: Caller) -> Json<Value> {
    let mut aliases = gateway.aliases().await;
    aliases.retain(|alias| auth.may_see(&caller, &alias.id));
    Json(json!({ "object": "list", "data": aliases }))
}

async fn health(State(Shared { gateway, .. }): State<Shared>, _: Caller) -> Response {
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
    type Rejection = GatewayError;

    async fn from_request(mut request: Request, shared: &Shared) -> Result<Self> {
        DefaultBodyLimit::max(MAX_REQUEST_BYTES).apply(&mut request);
        let body = Bytes::from_request(request, shared).await;
        let body = body.map(|body| match body.starts_with(BYTE_ORDER_MARK) {
            true => body.slice(BYTE_ORDER_MARK.len()..),
            false => body,
        });
        let written = body.as_ref().ok().cloned();
        parse(body).map(|read| Self(read, written.unwrap_or_default()))
    }
}

/// Reads a body; what is wrong with it is said in OpenAI's shape.
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
fn headers(resolved: &str, left_out: &[&str]) -> HeaderMap {
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

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        let body = self.body();
        refused(&self, body)
    }
}

/// The answer to a call that failed, whose body is written already.
fn refused(error: &GatewayError, body: Value) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = (status, Json(body)).into_response();
    if let Some(wait) = error.retry_after() {
        // Rounded up: a second early is a call for nothing.
        let seconds = wait.as_millis().div_ceil(1000);
        if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
    }
    if error.must_not_be_retried() {
        // OpenAI's clients make failed calls again by themselves, which multiplies the gateway's own attempts.
        let never = HeaderValue::from_static("false");
        response.headers_mut().insert(SHOULD_RETRY, never);
    }
    response
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
