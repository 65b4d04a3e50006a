//! The answers that sign a browser in, or empty it.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mana_accounts::SignInAttempt;
use mana_store::{Session, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{IsHttps, cookie};
use crate::error::ApiResult;

/// Tells a browser what to drop (<https://www.w3.org/TR/clear-site-data/>). Cookies go by their own header: the device
/// stays known.
pub const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// Everything but cookies.
pub const CLEAR_DEVICE: &str = r#""cache", "storage""#;

/// A bearer token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// The account.
    pub user_id: String,
    /// For the header `Authorization: Bearer`.
    pub token: String,
    /// End of the token; a client asks for the next one before that.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// A sign-in that was proved.
pub struct Start<'s> {
    /// The answer's status.
    pub status: StatusCode,
    /// The account.
    pub user: &'s User,
    /// How it was proved.
    pub proof: &'s str,
    /// The token by which the device is not asked for a second step.
    pub trust: Option<String>,
}

impl<'s> Start<'s> {
    /// Makes one of a device that is not trusted.
    pub fn new(status: StatusCode, user: &'s User, proof: &'s str) -> Start<'s> {
        Start {
            status,
            user,
            proof,
            trust: None,
        }
    }
}

/// Starts a session and answers with its bearer and its cookies.
pub async fn signed_in(
    app: &App,
    start: Start<'_>,
    attempt: &SignInAttempt,
    headers: &HeaderMap,
    https: IsHttps,
) -> ApiResult<Response> {
    let auth = &app.auth;
    // A browser has one session at a time: the earlier one ends.
    if let Some(secret) = cookie::read(headers)
        && let Some(earlier) = auth.session(secret).await?
    {
        auth.end_session(&earlier.id).await?;
    }
    let (session, secret) = auth.start_session(start.user, attempt, start.proof).await?;
    let cookies = Cookies {
        secret: Some(&secret),
        trust: start.trust.as_deref(),
    };
    with_cookies(app, start.status, &session, cookies, headers, https)
}

/// Secrets that the browser is to keep; what is none stays as it is.
pub struct Cookies<'s> {
    /// The session's secret.
    pub secret: Option<&'s str>,
    /// The token of a trusted device.
    pub trust: Option<&'s str>,
}

/// Answers with a session's bearer and the secrets that the browser is to keep.
pub fn with_cookies(
    app: &App,
    status: StatusCode,
    session: &Session,
    cookies: Cookies<'_>,
    headers: &HeaderMap,
    IsHttps(secure): IsHttps,
) -> ApiResult<Response> {
    let (token, expires_at) = app.auth.issue_token(session)?;
    let body = SignedIn {
        user_id: session.user_id.0.clone(),
        token,
        expires_at: expires_at.to_string(),
    };
    let known = cookie::read_device(headers).and_then(|token| app.auth.known_device(token));
    let device = app.auth.issue_device_token(&session.user_id, known)?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let mut response = (status, no_store, Json(body)).into_response();
    let cookies = [
        cookies.secret.map(|secret| cookie::keep(secret, secure)),
        Some(cookie::keep_device(&device, secure)),
        cookies
            .trust
            .map(|trust| cookie::keep_trusted(trust, secure)),
    ];
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
