//! Errors of the HTTP interface, all in one shape: `{"error": {"code", "message", "details"?}}`.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::body_limit::{self, BodyLimit, BodyRefusal};

/// A handler's result.
pub type ApiResult<T> = Result<T, ApiError>;

/// An error as the caller sees it.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<Value>,
    retry_after_s: Option<u64>,
}

/// The shape of an error on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// The inside of the envelope.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The code, which programs match on.
    pub code: String,
    /// The problem and the remedy, for people.
    pub message: String,
    /// Details for programs, depending on the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl ApiError {
    /// Makes an error of a status, a code, and a message that says what to do.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            code,
            message: message.into(),
            details: None,
            retry_after_s: None,
        }
    }

    /// The request can't be used (400).
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// The caller is not signed in (401).
    pub fn unauthorized() -> ApiError {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "You are not signed in, or the sign-in has ended; sign in again.",
        )
    }

    /// The service key is missing or wrong (401); `header` is where it belongs.
    pub fn service_key(header: &str) -> ApiError {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            format!(
                "The service key is wrong or missing; send it as {header}. \
                 The file service.key in the data directory holds it."
            ),
        )
    }

    /// The address or the object doesn't exist (404).
    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// A rate limit is reached (429).
    pub fn slow_down(message: impl Into<String>, retry_after_s: u64) -> ApiError {
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
        error.retry_after_s = Some(retry_after_s.max(1));
        error
    }

    /// The person has too many open connections (429).
    pub fn too_many_connections() -> ApiError {
        let mut error = ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_connections",
            "Too many devices of this account are connected; close some, or try again in a minute.",
        );
        error.retry_after_s = Some(60);
        error
    }

    /// The request's body is over its bound (413).
    pub fn too_large(limit: BodyLimit) -> ApiError {
        let bound = match limit.max_bytes >> 20 {
            0 => format!("{} KiB", limit.max_bytes >> 10),
            mebibytes => format!("{mebibytes} MB"),
        };
        let message = format!("The request is over {bound}; send it in smaller parts.");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
            .with_details(serde_json::json!({ "maxBytes": limit.max_bytes }))
    }

    /// The request's body took too long (408).
    pub fn too_slow(limit: BodyLimit) -> ApiError {
        let message = format!(
            "The request took longer than {} s to arrive; send it again, in smaller parts.",
            limit.within.as_secs()
        );
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
    }

    /// A fault that the caller can't help (500). The cause is logged here, once, and not sent.
    pub fn internal(error: impl fmt::Display) -> ApiError {
        tracing::error!(error = %error, "A request failed: {error}");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong in the server; try again, and look at its log if it stays.",
        )
    }

    /// A lock or the database is unavailable for a moment (503).
    pub fn busy() -> ApiError {
        let mut error = ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "The server is busy; try again in a moment.",
        );
        error.retry_after_s = Some(1);
        error
    }

    /// The server's disk is full (507). Its operator is told once a minute, not with every request.
    fn disk_full(error: &mana_store::StoreError) -> ApiError {
        static TOLD: SeldomTold = SeldomTold::new();
        TOLD.tell(|| tracing::error!("The disk is full: writes are refused until there is room"));
        ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk_full",
            sentence(error),
        )
    }

    /// Returns the code, which programs match on.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Adds details for programs.
    pub fn with_details(mut self, details: Value) -> ApiError {
        self.details = Some(details);
        self
    }
}

/// Keeps a cause that every request meets from filling the log.
struct SeldomTold(Mutex<Option<Instant>>);

impl SeldomTold {
    /// How long the same is not told again.
    const AGAIN_AFTER: Duration = Duration::from_secs(60);

    const fn new() -> SeldomTold {
        SeldomTold(Mutex::new(None))
    }

    fn tell(&self, what: impl FnOnce()) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() > Self::AGAIN_AFTER) {
            *last = Some(Instant::now());
            what();
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorEnvelope {
            error: ErrorBody {
                code: self.code.to_owned(),
                message: self.message,
                details: self.details,
            },
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<BodyRefusal> for ApiError {
    fn from(refusal: BodyRefusal) -> ApiError {
        match refusal {
            BodyRefusal::TooLarge(limit) => ApiError::too_large(limit),
            BodyRefusal::TooSlow(limit) => ApiError::too_slow(limit),
            BodyRefusal::Broken(error) => {
                ApiError::invalid(format!("The request can't be read: {error}."))
            }
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> ApiError {
        ApiError::invalid(format!(
            "The request can't be read: {}.",
            rejection.body_text().trim_end_matches('.')
        ))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::invalid(format!(
            "The query can't be read: {}.",
            rejection.body_text()
        ))
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> ApiError {
        ApiError::invalid(format!(
            "The address can't be read: {}.",
            rejection.body_text()
        ))
    }
}

impl From<mana_store::StoreError> for ApiError {
    fn from(error: mana_store::StoreError) -> ApiError {
        use mana_store::StoreError::{
            AccountLocked, Busy, CodeWrong, DiskFull, EmailTaken, InvalidCursor, LastOwner,
            NoAccess, NoSuchUser, OwnerExists, SecretInvalid, TooManyRuns, Unavailable,
        };
        match error {
            Busy => ApiError::busy(),
            Unavailable(_) | NoAccess { .. } => {
                static TOLD: SeldomTold = SeldomTold::new();
                TOLD.tell(|| tracing::error!(error = %error, "A request failed: {error}"));
                ApiError::busy()
            }
            DiskFull => ApiError::disk_full(&error),
            EmailTaken => ApiError::new(StatusCode::CONFLICT, "email_taken", sentence(&error)),
            TooManyRuns(_) => ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_runs",
                sentence(&error),
            ),
            OwnerExists => ApiError::new(StatusCode::CONFLICT, "owner_exists", sentence(&error)),
            LastOwner => ApiError::new(StatusCode::CONFLICT, "last_owner", sentence(&error)),
            AccountLocked => {
                ApiError::new(StatusCode::FORBIDDEN, "account_locked", sentence(&error))
            }
            CodeWrong => ApiError::new(StatusCode::UNAUTHORIZED, "code_wrong", sentence(&error)),
            // A write of somebody whose account was deleted meanwhile.
            NoSuchUser => ApiError::unauthorized(),
            SecretInvalid => {
                ApiError::new(StatusCode::FORBIDDEN, "invite_invalid", sentence(&error))
            }
            InvalidCursor(_) => {
                ApiError::new(StatusCode::BAD_REQUEST, "invalid_cursor", sentence(&error))
            }
            error => ApiError::internal(error),
        }
    }
}

impl From<mana_accounts::AccountError> for ApiError {
    fn from(error: mana_accounts::AccountError) -> ApiError {
        use mana_accounts::AccountError as Account;
        let message = error.to_string();
        match error {
            Account::Unauthorized => ApiError::unauthorized(),
            Account::WrongCredentials => {
                ApiError::new(StatusCode::UNAUTHORIZED, "wrong_credentials", message)
            }
            Account::SignupClosed(_) => {
                ApiError::new(StatusCode::FORBIDDEN, "signup_closed", message)
            }
            Account::TooManyInvitations { .. } => {
                ApiError::new(StatusCode::CONFLICT, "too_many_invitations", message)
            }
            Account::InvalidField { field, .. } => {
                ApiError::invalid(message).with_details(serde_json::json!({ "field": field }))
            }
            Account::WeakPassword { field, fault, .. } => ApiError::invalid(message)
                .with_details(serde_json::json!({ "field": field, "fault": fault })),
            Account::SecondStep { challenge } => {
                let status = StatusCode::UNAUTHORIZED;
                ApiError::new(status, "second_step_required", message)
                    .with_details(serde_json::json!({ "challenge": challenge }))
            }
            Account::FactorRequired => {
                ApiError::new(StatusCode::FORBIDDEN, "second_factor_required", message)
            }
            Account::StepExpired => {
                ApiError::new(StatusCode::UNAUTHORIZED, "step_expired", message)
            }
            Account::Provider(_) => {
                ApiError::new(StatusCode::UNAUTHORIZED, "provider_failed", message)
            }
            Account::TooManyAttempts { retry_after_s } => {
                ApiError::slow_down(message, retry_after_s)
            }
            Account::IssuerUnavailable => ApiError::busy(),
            Account::Store(error) => error.into(),
            Account::Internal(_) => ApiError::internal(message),
        }
    }
}

impl From<mana_sync::SyncError> for ApiError {
    fn from(error: mana_sync::SyncError) -> ApiError {
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match (status, error) {
            (
                StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::INSUFFICIENT_STORAGE
                | StatusCode::INTERNAL_SERVER_ERROR,
                mana_sync::SyncError::Store(error),
            ) => error.into(),
            (StatusCode::SERVICE_UNAVAILABLE, _) => ApiError::busy(),
            (status, error) => {
                let shown = ApiError::new(status, error.code(), sentence(&error));
                match error.details() {
                    Some(details) => shown.with_details(details),
                    None => shown,
                }
            }
        }
    }
}

/// Returns an error's text as a sentence.
pub fn sentence(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let mut sentence: String = chars
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    sentence.push_str(chars.as_str());
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// A JSON body within the bounds of its route, whose rejection has the envelope.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<T, S> FromRequest<S> for ApiJson<T>
where
    T: serde::de::DeserializeOwned,
    S: Send + std::marker::Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = json_body(request).await?;
        if has_escaped_nul(&bytes) {
            return Err(ApiError::invalid(
                "The request holds a NUL character (\\u0000); leave it out.",
            ));
        }
        Ok(ApiJson(Json::from_bytes(&bytes)?.0))
    }
}

/// The body of a request that says that it is JSON.
pub async fn json_body(request: Request) -> Result<Vec<u8>, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The request isn't JSON; send it with the header 'Content-Type: application/json'.",
        ));
    }
    Ok(body_limit::read(request).await?)
}

/// Whether a text of the JSON holds a NUL character, which is written as an escape there.
fn has_escaped_nul(json: &[u8]) -> bool {
    let mut escaped = json.iter().enumerate().filter(|(_, byte)| **byte == b'\\');
    // Of two backslashes the second is escaped, and begins nothing.
    while let Some((at, _)) = escaped.next() {
        match json.get(at + 1) {
            Some(b'\\') => {
                escaped.next();
            }
            Some(b'u') if json[at + 2..].starts_with(b"0000") => return true,
            _ => {}
        }
    }
    false
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl<T, S> axum::extract::OptionalFromRequest<S> for ApiJson<T>
where
    T: serde::de::DeserializeOwned,
    S: Send + std::marker::Sync,
{
    type Rejection = ApiError;

    /// Returns none for a request without a body.
    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        if request
            .headers()
            .get(header::CONTENT_LENGTH)
            .is_none_or(|length| length == "0")
            && request.headers().get(header::TRANSFER_ENCODING).is_none()
        {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state)
            .await
            .map(Some)
    }
}

/// A query string whose rejection has the envelope.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

/// Path parameters whose rejection has the envelope.
#[derive(Debug)]
pub struct ApiPath<T>(pub T);

/// Path parameters that may hold any character; the handler checks them.
#[derive(Debug, axum::extract::FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct RawApiPath<T>(pub T);

impl<T, S> FromRequestParts<S> for ApiQuery<T>
where
    T: serde::de::DeserializeOwned,
    S: Send + std::marker::Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        refuse_nul(parts.uri.query().unwrap_or_default())?;
        let Query(query) = Query::from_request_parts(parts, state).await?;
        Ok(ApiQuery(query))
    }
}

impl<T, S> FromRequestParts<S> for ApiPath<T>
where
    T: serde::de::DeserializeOwned + Send,
    S: Send + std::marker::Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        refuse_nul(parts.uri.path())?;
        let Path(path) = Path::from_request_parts(parts, state).await?;
        Ok(ApiPath(path))
    }
}

/// Refuses a part of an address that holds a NUL character, which no database stores or looks for.
fn refuse_nul(encoded: &str) -> Result<(), ApiError> {
    match encoded.contains("%00") {
        true => Err(ApiError::invalid(
            "The address holds a NUL character (%00); leave it out.",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mana_store::StoreError;

    use super::*;

    #[test]
    fn a_full_disk_is_507_whoever_meets_it() {
        let full = || StoreError::DiskFull;
        for error in [
            ApiError::from(full()),
            ApiError::from(mana_accounts::AccountError::from(full())),
            ApiError::from(mana_sync::SyncError::Store(full())),
        ] {
            assert_eq!(
                (error.status, error.code()),
                (StatusCode::INSUFFICIENT_STORAGE, "disk_full")
            );
            assert!(error.message.ends_with('.'), "{}", error.message);
        }
    }
}
