//! `/auth/password`, `/auth/reset` and `/auth/sessions`: a person's own password and sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mana_store::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Attempt, Caller};
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};

/// Another password for the account that is signed in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordChange {
    /// The present password.
    current_password: String,
    /// At least 10 characters.
    new_password: String,
}

/// Another password, by the link that the operator gave.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordReset {
    /// The token of the link.
    token: String,
    /// At least 10 characters.
    new_password: String,
}

/// How many sessions ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsEnded {
    /// The sessions of other devices that have to sign in again.
    ended: usize,
}

/// A session of the account that is signed in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenSession {
    /// Names the session; no secret.
    id: String,
    /// When somebody signed in.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ends, unless it is used before.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Whether this request belongs to it.
    current: bool,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(change_password))
        .routes(routes!(reset_password))
        .routes(routes!(list_sessions, end_other_sessions))
        .routes(routes!(end_session))
}

/// Change the password; every other session of the account ends
#[utoipa::path(post, path = "/auth/password", tag = "auth", security(("bearer" = [])), request_body = PasswordChange,
    responses(
        (status = 200, description = "The password is another one", body = SessionsEnded),
        (status = 400, description = "A field can't be used; details.field names it", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 429, description = "Too many attempts", body = ErrorEnvelope),
    ))]
async fn change_password(
    State(app): State<Arc<App>>,
    caller: Caller,
    Attempt(attempt): Attempt,
    ApiJson(form): ApiJson<PasswordChange>,
) -> ApiResult<Json<SessionsEnded>> {
    let user = account(&app, &caller).await?;
    let PasswordChange {
        current_password,
        new_password,
    } = form;
    let ended = app
        .auth
        .change_password(
            &user,
            &caller.session,
            current_password,
            new_password,
            attempt,
        )
        .await?;
    Ok(Json(SessionsEnded { ended }))
}

/// Set another password by a link; every session of the account ends
#[utoipa::path(post, path = "/auth/reset", tag = "auth", request_body = PasswordReset, responses(
    (status = 200, description = "The password is another one; sign in with it", body = SessionsEnded),
    (status = 400, description = "A field can't be used; details.field names it", body = ErrorEnvelope),
    (status = 403, description = "The link is unknown, used or has ended", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts", body = ErrorEnvelope),
))]
async fn reset_password(
    State(app): State<Arc<App>>,
    Attempt(attempt): Attempt,
    ApiJson(form): ApiJson<PasswordReset>,
) -> ApiResult<Json<SessionsEnded>> {
    let PasswordReset {
        token,
        new_password,
    } = form;
    let ended = app
        .auth
        .reset_password(&token, new_password, attempt)
        .await?;
    Ok(Json(SessionsEnded { ended }))
}

/// The sessions of the account, the newest first
#[utoipa::path(get, path = "/auth/sessions", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, description = "The sessions that have not ended", body = Vec<OpenSession>),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn list_sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> ApiResult<Json<Vec<OpenSession>>> {
    let sessions = app.auth.sessions(&caller.user).await?;
    let sessions = sessions.into_iter().map(|session| OpenSession {
        current: session.id == caller.session,
        started_at: session.created_at.to_string(),
        expires_at: session.expires_at.to_string(),
        id: session.id,
    });
    Ok(Json(sessions.collect()))
}

/// End every other session of the account
#[utoipa::path(delete, path = "/auth/sessions", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, description = "The other sessions have ended", body = SessionsEnded),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn end_other_sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> ApiResult<Json<SessionsEnded>> {
    let auth = &app.auth;
    let ended = auth
        .end_sessions(&caller.user, Some(&caller.session), None)
        .await?;
    Ok(Json(SessionsEnded { ended }))
}

/// End a session of the account
#[utoipa::path(delete, path = "/auth/sessions/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path)), responses(
    (status = 204, description = "The session has ended"),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
    (status = 404, description = "No such session of this account", body = ErrorEnvelope),
))]
async fn end_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    match app.auth.end_sessions(&caller.user, None, Some(&id)).await? {
        0 => Err(ApiError::not_found(
            "There is no such session; it has ended.",
        )),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

async fn account(app: &App, caller: &Caller) -> ApiResult<User> {
    let user = app.auth.accounts.user(&caller.user).await?;
    user.filter(|user| !user.password_hash.is_empty())
        .ok_or_else(ApiError::unauthorized)
}
