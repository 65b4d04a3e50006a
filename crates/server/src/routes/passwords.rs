//! `/auth/password`, `/auth/reset` and `/auth/sessions`: a person's own password and sessions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use mana_accounts::{AuditEvent, Origin};
use mana_store::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{AccountCaller, Attempt, Caller, ClientAddress};
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};
use crate::links;

/// Another password for the account that is signed in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordChange {
    /// The present password.
    current_password: String,
    /// At least 10 characters, and not easy to guess; details.fault of a refusal names the fault.
    new_password: String,
}

/// Another password, by the link that the operator gave.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordReset {
    /// The token of the link.
    token: String,
    /// At least 10 characters, and not easy to guess; details.fault of a refusal names the fault.
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
    /// When it was last used.
    #[schema(format = DateTime)]
    used_at: String,
    /// The browser and the system, such as `Firefox on Linux`; empty where unknown.
    device: String,
    /// The network address of the last use; empty where unknown.
    address: String,
    /// How the person proved who they are: `password`, `code`, `recovery-code` or `oidc`.
    proof: String,
    /// Whether this request belongs to it.
    current: bool,
}

/// Somebody who forgot the password.
#[derive(Deserialize, ToSchema)]
pub struct Forgotten {
    /// The account's address.
    email: String,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(change_password))
        .routes(routes!(forgot_password))
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
    AccountCaller(caller): AccountCaller,
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

/// Send a link by mail, with which the account's person sets another password
///
/// The answer is the same whether or not there is such an account, and comes before anything is sent.
#[utoipa::path(post, path = "/auth/forgot", tag = "auth", request_body = Forgotten, responses(
    (status = 202, description = "If there is such an account, a mail is on its way"),
    (status = 404, description = "This server sends no mail; its operator makes the link", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts", body = ErrorEnvelope),
))]
async fn forgot_password(
    State(app): State<Arc<App>>,
    Attempt(attempt): Attempt,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    ApiJson(form): ApiJson<Forgotten>,
) -> ApiResult<StatusCode> {
    let Some(mailer) = app.mailer.clone() else {
        return Err(ApiError::not_found(
            "This server sends no mail; ask its operator, who makes a link with `mana user reset`.",
        ));
    };
    let base = links::base(&app, peer, &headers);
    let taken = app.auth.take_forgotten(&form.email, &attempt)?;
    // Apart from the answer: neither its time nor its status tells whether there is an account.
    tokio::spawn(async move {
        match app.auth.forgotten_password(taken, &attempt).await {
            Ok(Some((user, token))) => {
                let link = format!("{base}/reset#token={token}");
                mailer.send_reset_link(&user, &link).await;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(error = %error, "A link of a password could not be made: {error}");
            }
        }
    });
    Ok(StatusCode::ACCEPTED)
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
    AccountCaller(caller): AccountCaller,
) -> ApiResult<Json<Vec<OpenSession>>> {
    let sessions = app.auth.sessions(&caller.user).await?;
    let sessions = sessions.into_iter().map(|session| OpenSession {
        current: session.id == caller.session,
        started_at: session.created_at.to_string(),
        expires_at: session.expires_at.to_string(),
        used_at: session.used_at.to_string(),
        device: session.device,
        address: session.address,
        proof: session.proof,
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
    AccountCaller(caller): AccountCaller,
    ClientAddress(address): ClientAddress,
) -> ApiResult<Json<SessionsEnded>> {
    let auth = &app.auth;
    let ended = auth
        .end_sessions(&caller.user, Some(&caller.session), None)
        .await?;
    if ended > 0 {
        note_ended(&app, &caller, address, ended).await;
    }
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
    AccountCaller(caller): AccountCaller,
    ClientAddress(address): ClientAddress,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    match app.auth.end_sessions(&caller.user, None, Some(&id)).await? {
        0 => Err(ApiError::not_found(
            "There is no such session; it has ended.",
        )),
        ended => {
            note_ended(&app, &caller, address, ended).await;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

async fn note_ended(app: &App, caller: &Caller, address: IpAddr, ended: usize) {
    let origin = Origin {
        actor: Some(caller.user.clone()),
        address: Some(address),
    };
    let user = Some(&caller.user);
    app.auth
        .note(AuditEvent::SessionEnded, &origin, user, ended.to_string())
        .await;
}

async fn account(app: &App, caller: &Caller) -> ApiResult<User> {
    let user = app.auth.accounts.user(&caller.user).await?;
    user.filter(|user| !user.password_hash.is_empty())
        .ok_or_else(ApiError::unauthorized)
}
