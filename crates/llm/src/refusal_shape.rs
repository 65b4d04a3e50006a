//! The shape in which a caller reads refusals.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::{GatewayError, Result, openai_type};
use crate::protocols::messages::{API_KEY, PATH, VERSION, refusal, refusal_body};
use crate::reason::SHOULD_RETRY;

/// The shape of refusals, by the protocol that a caller's client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalShape {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

impl RefusalShape {
    /// The shape for a caller. Anthropic's clients call the paths of their protocol, name its version, or show their
    /// key in a header of its own.
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        let is_anthropics = path.starts_with(PATH)
            || headers.contains_key(VERSION)
            || headers.contains_key(API_KEY);
        match is_anthropics {
            true => Self::Anthropic,
            false => Self::OpenAi,
        }
    }

    /// An answer, or the refusal of the call.
    pub fn told(self, answered: Result<Response>) -> Response {
        answered.unwrap_or_else(|error| self.refusal(&error))
    }

    /// The refusal of a call.
    pub fn refusal(self, error: &GatewayError) -> Response {
        let body = match self {
            Self::OpenAi => error.body(),
            Self::Anthropic => refusal(error),
        };
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

    /// The body of a refusal that is no gateway's.
    pub fn body(self, status: StatusCode, code: &str, message: &str) -> Value {
        match self {
            Self::OpenAi => json!({ "error": {
                "message": message, "type": openai_type(status.as_u16()), "param": null, "code": code } }),
            Self::Anthropic => refusal_body(status.as_u16(), message),
        }
    }
}

/// A refusal of a call below `/v1` that a server makes itself, in the words that the caller's client reads.
#[must_use]
pub fn refuse(error: &GatewayError, path: &str, headers: &HeaderMap) -> Response {
    RefusalShape::of(path, headers).refusal(error)
}
