//! `/auth/*`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use mana_accounts::{SecondProof, SignUpRequest};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::signed_in::{
    CLEAR_DEVICE, CLEAR_SITE_DATA, Cookies, SignedIn, Start, signed_in, with_cookies,
};
use crate::app::App;
use crate::auth::{Attempt, ClientAddress, IsHttps, bearer, cookie, user_agent};
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};
use crate::http::body_limit;

/// A request for an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignUp {
    /// The address to sign in with.
    email: String,
    /// At least 10 characters, and not easy to guess; details.fault of a refusal names the fault.
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

/// The second step of a sign-in: one of the two codes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondStep {
    /// The challenge of the first step.
    challenge: String,
    /// The six digits of the app.
    code: Option<String>,
    /// A recovery code, which is good once.
    recovery_code: Option<String>,
    /// Whether this device is not asked again for 30 days.
    #[serde(default)]
    trust_device: bool,
}

/// A sign-out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SignOut {
    /// Whether the browser is told to drop everything that it holds of this server.
    #[serde(default)]
    clear_device: bool,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let router = OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(log_in))
        .routes(routes!(second_step))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(jwks))
        .merge(super::profile::router())
        .merge(super::passwords::router())
        .merge(super::second_factor::router())
        .merge(super::oidc::router())
        .merge(super::people::router())
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
    https: IsHttps,
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
    let user = app.auth.sign_up(request, &attempt).await?;
    let start = Start::new(StatusCode::CREATED, &user, "password");
    signed_in(&app, start, &attempt, &headers, https).await
}

/// Sign in
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LogIn, responses(
    (status = 200, description = "Signed in", body = SignedIn),
    (status = 401, description = "Address or password is wrong; or second_step_required, with details.challenge",
        body = ErrorEnvelope),
    (status = 403, description = "account_locked", body = ErrorEnvelope),
    (status = 413, description = "Over 16 KiB; details.maxBytes names the bound", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts", body = ErrorEnvelope),
))]
async fn log_in(
    State(app): State<Arc<App>>,
    Attempt(attempt): Attempt,
    https: IsHttps,
    headers: HeaderMap,
    ApiJson(form): ApiJson<LogIn>,
) -> ApiResult<Response> {
    let LogIn { email, password } = form;
    let trusted = cookie::read_trusted(&headers);
    let user = app
        .auth
        .sign_in(&email, password, &attempt, trusted)
        .await?;
    let start = Start::new(StatusCode::OK, &user, "password");
    signed_in(&app, start, &attempt, &headers, https).await
}

/// Complete a sign-in by a code
#[utoipa::path(post, path = "/auth/login/code", tag = "auth", request_body = SecondStep, responses(
    (status = 200, description = "Signed in", body = SignedIn),
    (status = 400, description = "There is no code", body = ErrorEnvelope),
    (status = 401, description = "code_wrong, or step_expired: begin anew", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts, or five wrong codes in a row", body = ErrorEnvelope),
))]
async fn second_step(
    State(app): State<Arc<App>>,
    Attempt(attempt): Attempt,
    https: IsHttps,
    headers: HeaderMap,
    ApiJson(form): ApiJson<SecondStep>,
) -> ApiResult<Response> {
    let proof = match (form.code, form.recovery_code) {
        (Some(code), None) => SecondProof::Code(code),
        (None, Some(code)) => SecondProof::RecoveryCode(code),
        _ => {
            return Err(ApiError::invalid(
                "The second step needs a code; send code or recoveryCode.",
            ));
        }
    };
    let auth = &app.auth;
    let (user, proof) = auth.second_step(&form.challenge, proof, &attempt).await?;
    let trust = match form.trust_device {
        true => auth.trust_device(&user).await?,
        false => None,
    };
    let start = Start {
        trust,
        ..Start::new(StatusCode::OK, &user, proof)
    };
    signed_in(&app, start, &attempt, &headers, https).await
}

/// Get the next bearer token, by the session cookie
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", responses(
    (status = 200, description = "A new token", body = SignedIn),
    (status = 401, description = "The session has ended", body = ErrorEnvelope),
))]
async fn refresh(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    https: IsHttps,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let secret = cookie::read(&headers).ok_or_else(ApiError::unauthorized)?;
    let step = app
        .auth
        .use_session(secret, address, user_agent(&headers))
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    let cookies = Cookies {
        secret: step.secret.as_deref(),
        trust: None,
    };
    with_cookies(
        &app,
        StatusCode::OK,
        &step.session,
        cookies,
        &headers,
        https,
    )
}

/// Sign out: the session, its tokens and its sockets end
#[utoipa::path(post, path = "/auth/logout", tag = "auth", request_body = Option<SignOut>, responses(
    (status = 204, description = "Signed out; with clearDevice, Clear-Site-Data empties the browser's copy"),
))]
async fn log_out(
    State(app): State<Arc<App>>,
    IsHttps(secure): IsHttps,
    headers: HeaderMap,
    form: Option<ApiJson<SignOut>>,
) -> ApiResult<Response> {
    let auth = &app.auth;
    if let Some(claims) = bearer(&headers).and_then(|token| auth.own_claims(token)) {
        auth.end_session(&claims.sid).await?;
    }
    if let Some(secret) = cookie::read(&headers)
        && let Some(session) = auth.session(secret).await?
    {
        auth.end_session(&session.id).await?;
    }
    let removed = AppendHeaders([(header::SET_COOKIE, cookie::remove(secure))]);
    let mut response = (StatusCode::NO_CONTENT, removed).into_response();
    if form.is_some_and(|form| form.0.clear_device) {
        let everything = HeaderValue::from_static(CLEAR_DEVICE);
        response.headers_mut().insert(CLEAR_SITE_DATA, everything);
    }
    Ok(response)
}

/// The public keys that tokens are signed with
#[utoipa::path(get, path = "/auth/jwks", tag = "auth", responses(
    (status = 200, description = "A JSON Web Key Set", body = Value),
))]
async fn jwks(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.auth.jwks())
}
