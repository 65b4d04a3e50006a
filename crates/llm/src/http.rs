//! The gateway over HTTP, as OpenAI's clients expect it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use mana_core::change::has_nul;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::ChatStream;
pub use crate::auth::{Auth, Caller};
pub use crate::call_usage::{CallEstimate, Ending, MeterGuard, Used};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::gateway::{Gateway, refuse_empty};
use crate::metered::Meter;
use crate::providers::StreamEvent;
use crate::wire::{ChatRequest, EmbeddingsRequest, ModelList};

/// Which model answered, as `provider/model`.
pub const RESOLVED: HeaderName = HeaderName::from_static("x-mana-llm-resolved");

/// Room for a few pictures.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// Says that the answer comes from the answer cache: `hit`.
pub const CACHE: HeaderName = HeaderName::from_static("x-mana-llm-cache");

#[derive(Clone)]
struct Shared {
    gateway: Arc<Gateway>,
    auth: Arc<dyn Auth>,
}

/// The routes under `/v1`.
pub fn router(gateway: Arc<Gateway>, auth: Arc<dyn Auth>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/embeddings", post(embeddings))
        .route("/v1/models", get(models))
        .route("/v1/models/{*id}", get(model))
        .route("/v1/aliases", get(aliases))
        .route("/v1/health", get(health))
        .with_state(Shared { gateway, auth })
}

/// Each route asks for its caller, and lets nobody else in.
impl FromRequestParts<Shared> for Caller {
    type Rejection = GatewayError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self> {
        let caller = match bearer(&parts.headers) {
            Some(bearer) => shared.auth.caller(bearer).await,
            None => None,
        };
        caller.ok_or_else(|| {
            GatewayError::new(
                ErrorKind::Unauthorized,
                "No valid bearer; send `Authorization: Bearer …` with your token, a virtual key or the service key",
            )
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, bearer) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let bearer = bearer.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !bearer.is_empty()).then_some(bearer)
}

async fn chat(
    State(Shared { gateway, auth }): State<Shared>,
    caller: Caller,
    JsonBody(mut request): JsonBody<ChatRequest>,
) -> Result<Response> {
    refuse_empty(&request)?;
    let question = gateway.cache.key(&caller.name(), &request);
    if let Some(question) = &question
        && let Some(kept) = gateway.cache.get(question)
    {
        let mut headers = resolved(&kept.resolved);
        headers.insert(CACHE, HeaderValue::from_static("hit"));
        return Ok((headers, Json(&*kept)).into_response());
    }
    let mut meter = Meter::open(&gateway, &*auth, &caller, || {
        CallEstimate::of_chat(&request)
    })
    .await?;
    request.bound = meter.bound();
    request.retry = true;
    if request.stream == Some(true) {
        let wants_usage = request.wants_usage();
        return match gateway.chat_stream(request).await {
            Ok(answer) => {
                meter.failed_before(&answer.failed);
                Ok(streamed(answer, meter, wants_usage))
            }
            Err(error) => Err(meter.failed(error)),
        };
    }
    match gateway.chat(request).await {
        Ok(answer) => {
            let bytes = answer.text().len();
            meter.answered(
                &answer.resolved,
                answer.usage.as_ref(),
                bytes,
                &answer.failed,
            );
            let response = (resolved(&answer.resolved), Json(&answer)).into_response();
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
    JsonBody(request): JsonBody<EmbeddingsRequest>,
) -> Result<Response> {
    let mut meter = Meter::open(&gateway, &*auth, &caller, || {
        CallEstimate::of_embeddings(&request)
    })
    .await?;
    match gateway.embeddings(request).await {
        Ok(answer) => {
            meter.answered(&answer.resolved, answer.usage.as_ref(), 0, &answer.failed);
            Ok((resolved(&answer.resolved), Json(answer)).into_response())
        }
        Err(error) => Err(meter.failed(error)),
    }
}

async fn models(State(Shared { gateway, auth }): State<Shared>, caller: Caller) -> Json<ModelList> {
    let mut list = gateway.models().await;
    list.data.retain(|model| auth.may_see(&caller, &model.id));
    Json(list)
}

async fn model(
    State(Shared { gateway, auth }): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let listed = gateway.models().await.data;
    let found = listed.into_iter().find(|model| model.id == id);
    match found.filter(|model| auth.may_see(&caller, &model.id)) {
        Some(model) => Ok(Json(model).into_response()),
        None => Err(GatewayError::new(
            ErrorKind::UnknownModel,
            format!("There is no model {id}; GET /v1/models lists those that there are"),
        )),
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

/// The body of a request.
struct JsonBody<T>(T);

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = GatewayError;

    async fn from_request(mut request: Request, shared: &Shared) -> Result<Self> {
        DefaultBodyLimit::max(MAX_REQUEST_BYTES).apply(&mut request);
        parse(Bytes::from_request(request, shared).await).map(JsonBody)
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

fn resolved(name: &str) -> HeaderMap {
    // Room for those that every answer gets: growing would touch each of them again.
    let mut headers = HeaderMap::with_capacity(16);
    if let Ok(value) = HeaderValue::from_bytes(name.as_bytes()) {
        headers.insert(RESOLVED, value);
    }
    headers
}

/// Frames every piece as it comes. An answer that fails midway ends with an
/// error event and without `[DONE]`, so that nobody takes it for complete.
fn streamed(answer: ChatStream, meter: Meter, wants_usage: bool) -> Response {
    let mut headers = resolved(&answer.resolved);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let pieces = stream::unfold(Some((answer, meter)), move |state| async move {
        let (mut answer, mut meter) = state?;
        let frame = loop {
            match answer.next().await {
                Some(Ok(StreamEvent::Data(data))) => {
                    meter.piece(&answer.resolved, &data);
                    break frame(&data);
                }
                Some(Ok(StreamEvent::Usage { usage, chunk })) => {
                    meter.usage(&answer.resolved, &usage);
                    if let Some(chunk) = chunk.filter(|_| wants_usage) {
                        break frame(&chunk);
                    }
                }
                Some(Ok(StreamEvent::KeepAlive)) => break Bytes::from_static(b":\n\n"),
                Some(Err(error)) => {
                    let error = meter.broke_off(error);
                    return Some((frame(error.body().to_string().as_bytes()), None));
                }
                None => {
                    meter.complete();
                    return Some((frame(b"[DONE]"), None));
                }
            }
        };
        Some((frame, Some((answer, meter))))
    });
    let mut response = Response::new(Body::from_stream(pieces.map(Ok::<_, Infallible>)));
    *response.headers_mut() = headers;
    response
}

/// An event. Data of several lines stays one event.
fn frame(data: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(data.len() + 8);
    for line in data.split(|byte| *byte == b'\n') {
        frame.extend_from_slice(b"data: ");
        frame.extend_from_slice(line);
        frame.push(b'\n');
    }
    frame.push(b'\n');
    frame.into()
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = (status, Json(self.body())).into_response();
        if let Some(wait) = self.retry_after() {
            // Rounded up: a second early is a call for nothing.
            let seconds = wait.as_millis().div_ceil(1000);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
        }
        if matches!(self.kind, ErrorKind::OverBudget | ErrorKind::Forbidden) {
            // OpenAI's clients try a 429 again by themselves, which helps nobody here.
            response
                .headers_mut()
                .insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
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
