//! `/auth/*`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use mana_accounts::SignUpRequest;
use mana_store::{Session, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Attempt, Caller, bearer, cookie};
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};
use crate::http::body_limit;

/// A request for an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignUp {
    /// The address to sign in with.
    email: String,
    /// At least 10 characters.
    password: String,
    /// The person's name.
    name: Option<String>,
    /// IANA name, such as `Europe/Berlin`.
    timezone: Option<String>,
    /// BCP 47 tag, such as `de`.
    locale: Option<String>,
    /// The token of the setup link, or of an invitation.
    invite: Option<String>,
}

/// Address and password.
#[derive(Deserialize, ToSchema)]
pub struct LogIn {
    email: String,
    password: String,
}

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

/// The account that is signed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The account's id.
    pub user_id: String,
    /// The address; empty for an account of a foreign issuer.
    pub email: String,
    /// The person's name; may be empty.
    pub name: String,
    /// IANA name.
    pub timezone: String,
    /// BCP 47 tag.
    pub locale: String,
    /// `owner` or `member`.
    pub role: String,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let router = OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(me))
        .routes(routes!(jwks))
        .merge(super::passwords::router())
        .merge(super::invitations::router());
    // Strangers send these bodies.
    body_limit::bound(router, body_limit::STRANGERS)
}

/// Make an account
#[utoipa::path(post, path = "/auth/signup", tag = "auth", request_body = SignUp, responses(
    (status = 201, description = "The account, signed in", body = SignedIn),
    (status = 400, description = "A field can't be used; details.field names it", body = ErrorEnvelope),
    (status = 403, description = "Sign-up is closed, or the invitation is invalid", body = ErrorEnvelope),
    (status = 409, description = "The address has an account already", body = ErrorEnvelope),
    (status = 413, description = "Over 16 KiB; details.maxBytes names the bound", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts", body = ErrorEnvelope),
))]
async fn sign_up(
    State(app): State<Arc<App>>,
    Attempt(attempt): Attempt,
    headers: HeaderMap,
    ApiJson(form): ApiJson<SignUp>,
) -> ApiResult<Response> {
    let request = SignUpRequest {
        email: form.email,
        password: form.password,
        name: form.name,
        timezone: form.timezone,
        locale: form.locale,
        invite: form.invite,
    };
    let user = app.auth.sign_up(request, attempt).await?;
    signed_in(&app, StatusCode::CREATED, &user, &headers).await
}

/// Sign in
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LogIn, responses(
    (status = 200, description = "Signed in", body = SignedIn),
    (status = 401, description = "Address or password is wrong", body = ErrorEnvelope),
    (status = 413, description = "Over 16 KiB; details.maxBytes names the bound", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts", body = ErrorEnvelope),
))]
async fn log_in(
    State(app): State<Arc<App>>,
    Attempt(attempt): Attempt,
    headers: HeaderMap,
    ApiJson(form): ApiJson<LogIn>,
) -> ApiResult<Response> {
    let LogIn { email, password } = form;
    let user = app.auth.sign_in(&email, password, attempt).await?;
    signed_in(&app, StatusCode::OK, &user, &headers).await
}

/// Get the next bearer token, by the session cookie
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", responses(
    (status = 200, description = "A new token", body = SignedIn),
    (status = 401, description = "The session has ended", body = ErrorEnvelope),
))]
async fn refresh(State(app): State<Arc<App>>, headers: HeaderMap) -> ApiResult<Response> {
    let secret = cookie::read(&headers).ok_or_else(ApiError::unauthorized)?;
    let session = app
        .auth
        .extend_session(secret)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    with_cookie(&app, StatusCode::OK, &session, secret, &headers)
}

/// Sign out: the session, its tokens and its sockets end
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses((status = 204, description = "Signed out")))]
async fn log_out(State(app): State<Arc<App>>, headers: HeaderMap) -> ApiResult<Response> {
    let auth = &app.auth;
    if let Some(claims) = bearer(&headers).and_then(|token| auth.own_claims(token)) {
        auth.end_session(&claims.sid).await?;
    }
    if let Some(secret) = cookie::read(&headers)
        && let Some(session) = auth.session(secret).await?
    {
        auth.end_session(&session.id).await?;
    }
    let removed = AppendHeaders([(
        header::SET_COOKIE,
        cookie::remove(app.config.server.is_https()),
    )]);
    Ok((StatusCode::NO_CONTENT, removed).into_response())
}

/// The account that is signed in
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses(
    (status = 200, description = "The account", body = Me),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn me(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<Me>> {
    let user = app
        .auth
        .accounts
        .user(&caller.user)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    let email = if user.password_hash.is_empty() {
        String::new()
    } else {
        user.email
    };
    Ok(Json(Me {
        user_id: user.id.0,
        email,
        name: user.name,
        timezone: user.timezone,
        locale: user.locale,
        role: user.role.as_str().to_owned(),
    }))
}

/// The public keys that tokens are signed with
#[utoipa::path(get, path = "/auth/jwks", tag = "auth", responses(
    (status = 200, description = "A JSON Web Key Set", body = Value),
))]
async fn jwks(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.auth.jwks())
}

async fn signed_in(
    app: &App,
    status: StatusCode,
    user: &User,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    let auth = &app.auth;
    // A browser has one session at a time: the earlier one ends.
    if let Some(secret) = cookie::read(headers)
        && let Some(earlier) = auth.session(secret).await?
    {
        auth.end_session(&earlier.id).await?;
    }
    let (session, secret) = auth.start_session(user).await?;
    with_cookie(app, status, &session, &secret, headers)
}

fn with_cookie(
    app: &App,
    status: StatusCode,
    session: &Session,
    secret: &str,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    let (token, expires_at) = app.auth.issue_token(session)?;
    let body = SignedIn {
        user_id: session.user_id.0.clone(),
        token,
        expires_at: expires_at.to_string(),
    };
    let known = cookie::read_device(headers).and_then(|token| app.auth.known_device(token));
    let device = app.auth.issue_device_token(&session.user_id, known)?;
    let secure = app.config.server.is_https();
    let keep = AppendHeaders([
        (header::SET_COOKIE, cookie::keep(secret, secure)),
        (header::SET_COOKIE, cookie::keep_device(&device, secure)),
        (
            header::CACHE_CONTROL,
            header::HeaderValue::from_static("no-store"),
        ),
    ]);
    Ok((status, keep, Json(body)).into_response())
}
