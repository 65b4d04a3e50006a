//! `/auth/second-factor`: the code app and the recovery codes of whoever is signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::profile::account;
use crate::app::App;
use crate::auth::{AccountCaller, Attempt};
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};

/// The second factor of an account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Factor {
    /// Since when codes are asked for; left out where they are not.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Recovery codes that are left.
    codes_left: u64,
}

/// The present password.
#[derive(Deserialize, ToSchema)]
struct PasswordProof {
    /// The present password.
    password: String,
}

/// A second factor that has yet to be confirmed by a code.
#[derive(Serialize, ToSchema)]
struct FactorToConfirm {
    /// The secret in base32, for an app that can't scan.
    secret: String,
    /// The address that an app scans or opens, `otpauth://totp/…`.
    url: String,
}

/// A code of the app.
#[derive(Deserialize, ToSchema)]
struct FirstCode {
    /// Six digits.
    code: String,
}

/// New recovery codes. The server can't show them again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecoveryCodes {
    /// Each is good once.
    recovery_codes: Vec<String>,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(second_factor, begin_second_factor))
        .routes(routes!(confirm_second_factor))
        .routes(routes!(remove_second_factor))
        .routes(routes!(make_recovery_codes))
}

/// The second factor of the account
#[utoipa::path(get, path = "/auth/second-factor", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, description = "Whether codes are asked for, and how many recovery codes are left", body = Factor),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn second_factor(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
) -> ApiResult<Json<Factor>> {
    let state = app.auth.factor_state(&caller.user).await?;
    Ok(Json(Factor {
        since: state.map(|state| state.confirmed_at.to_string()),
        codes_left: state.map_or(0, |state| state.codes_left),
    }))
}

/// Make a second factor, which is asked for once it is confirmed
#[utoipa::path(post, path = "/auth/second-factor", tag = "auth", security(("bearer" = [])),
    request_body = PasswordProof, responses(
    (status = 200, description = "The secret, shown this once", body = FactorToConfirm),
    (status = 400, description = "The password is wrong, or there is a factor already", body = ErrorEnvelope),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts", body = ErrorEnvelope),
))]
async fn begin_second_factor(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
    Attempt(attempt): Attempt,
    headers: HeaderMap,
    ApiJson(form): ApiJson<PasswordProof>,
) -> ApiResult<Json<FactorToConfirm>> {
    let user = account(&app, &caller).await?;
    let host = host(&app, &headers);
    let made = app
        .auth
        .begin_factor(&user, form.password, &attempt, &host)
        .await?;
    Ok(Json(FactorToConfirm {
        secret: made.secret,
        url: made.url,
    }))
}

/// Confirm the second factor by its first code
#[utoipa::path(post, path = "/auth/second-factor/confirm", tag = "auth", security(("bearer" = [])),
    request_body = FirstCode, responses(
    (status = 200, description = "Codes are asked for from now on", body = RecoveryCodes),
    (status = 401, description = "Not signed in; or code_wrong, step_expired", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts, or five wrong codes in a row", body = ErrorEnvelope),
))]
async fn confirm_second_factor(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
    Attempt(attempt): Attempt,
    ApiJson(form): ApiJson<FirstCode>,
) -> ApiResult<Json<RecoveryCodes>> {
    let user = account(&app, &caller).await?;
    let recovery_codes = app.auth.confirm_factor(&user, &form.code, &attempt).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// Take the second factor away, with its recovery codes
#[utoipa::path(post, path = "/auth/second-factor/remove", tag = "auth", security(("bearer" = [])),
    request_body = PasswordProof, responses(
    (status = 204, description = "The password alone lets in"),
    (status = 400, description = "The password is wrong", body = ErrorEnvelope),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
    (status = 404, description = "There is none", body = ErrorEnvelope),
))]
async fn remove_second_factor(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
    Attempt(attempt): Attempt,
    ApiJson(form): ApiJson<PasswordProof>,
) -> ApiResult<StatusCode> {
    let user = account(&app, &caller).await?;
    match app
        .auth
        .remove_factor(&user, form.password, &attempt)
        .await?
    {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("There is no second factor.")),
    }
}

/// Make new recovery codes; earlier ones are good no more
#[utoipa::path(post, path = "/auth/second-factor/recovery-codes", tag = "auth", security(("bearer" = [])),
    request_body = PasswordProof, responses(
    (status = 200, description = "The codes, shown this once", body = RecoveryCodes),
    (status = 400, description = "The password is wrong, or there is no second factor", body = ErrorEnvelope),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn make_recovery_codes(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
    Attempt(attempt): Attempt,
    ApiJson(form): ApiJson<PasswordProof>,
) -> ApiResult<Json<RecoveryCodes>> {
    let user = account(&app, &caller).await?;
    let recovery_codes = app
        .auth
        .new_recovery_codes(&user, form.password, &attempt)
        .await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// The server's name for an app that holds codes of several.
fn host(app: &App, headers: &HeaderMap) -> String {
    let public = app.config.server.public_url.as_deref();
    let of_request = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = public
        .and_then(|url| url.split_once("://"))
        .map(|(_, host)| host)
        .or(of_request);
    host.unwrap_or_default().to_owned()
}
