//! `/auth/invitations`: links by which the owner lets people in, each valid for one account and some days.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use mana_store::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{ActingOwner, Owner};
use crate::error::{ApiError, ApiJson, ApiQuery, ApiResult, ErrorEnvelope};
use crate::links;
use crate::routes::list_cursor;

/// Invitations in a page.
const PAGE: usize = 100;

/// Settings of a new invitation.
#[derive(Default, Deserialize, ToSchema)]
struct Invite {
    /// Days that the link is valid for: 1 to 90, 7 by default.
    days: Option<i64>,
    /// The name by which the invitation is listed.
    name: Option<String>,
    /// The role that it gives: `owner` or `member`, which is the default.
    role: Option<String>,
}

/// A new invitation. Its link is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewInvitation {
    id: String,
    /// The link for the invited person. The server can't show it again.
    link: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// An invitation that nobody has used yet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OpenInvitation {
    id: String,
    /// The name by which it is listed; may be empty.
    name: String,
    /// The role that it gives.
    role: String,
    /// When it was made.
    #[schema(format = DateTime)]
    made_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Invitations that nobody has used yet.
#[derive(Serialize, ToSchema)]
struct OpenInvitations {
    /// The earliest end first.
    invitations: Vec<OpenInvitation>,
    /// Where the next page begins; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which invitations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct InvitationsQuery {
    /// `next` of the page before.
    after: Option<String>,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(make_invitation, list_invitations))
        .routes(routes!(withdraw_invitation))
}

/// Make a link that lets one person in; for the owner
#[utoipa::path(post, path = "/auth/invitations", tag = "auth", security(("bearer" = [])),
    request_body = Option<Invite>, responses(
    (status = 201, description = "The link; it is shown this once", body = NewInvitation),
    (status = 400, description = "The number of days is out of range", body = ErrorEnvelope),
    (status = 403, description = "Not the owner, or sign-up is closed", body = ErrorEnvelope),
    (status = 409, description = "As many are open as there may be", body = ErrorEnvelope),
))]
async fn make_invitation(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    wish: Option<ApiJson<Invite>>,
) -> ApiResult<(StatusCode, Json<NewInvitation>)> {
    let wish = wish.map(|wish| wish.0).unwrap_or_default();
    let role = match wish.role.as_deref() {
        None => Role::Member,
        Some(word) => Role::parse(word)
            .ok_or_else(|| ApiError::invalid("The role is unknown; use owner or member."))?,
    };
    let name = wish.name.unwrap_or_default();
    let (invitation, secret) = app
        .auth
        .create_invitation(&origin, wish.days, &name, role)
        .await?;
    let base = links::base(&app, peer, &headers);
    let made = NewInvitation {
        id: invitation.id,
        // The token is in the fragment, so it never reaches a log.
        link: format!("{base}/join#token={secret}"),
        expires_at: invitation.expires_at.to_string(),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// The invitations that nobody has used yet; for the owner
#[utoipa::path(get, path = "/auth/invitations", tag = "auth", security(("bearer" = [])),
    params(InvitationsQuery), responses(
    (status = 200, description = "A page of unused invitations", body = OpenInvitations),
    (status = 400, description = "`after` can't be read", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn list_invitations(
    State(app): State<Arc<App>>,
    _: Owner,
    ApiQuery(query): ApiQuery<InvitationsQuery>,
) -> ApiResult<Json<OpenInvitations>> {
    let after = list_cursor::read_exact(query.after.as_deref())?;
    let after = after.as_ref().map(|(end, id)| (*end, id.as_str()));
    let open = app.auth.invitations(after, PAGE + 1).await?;
    let (open, next) = list_cursor::page(open, PAGE, |last| {
        (last.expires_at.to_string(), last.id.clone())
    });
    let open = open.into_iter().map(|invitation| OpenInvitation {
        id: invitation.id,
        name: invitation.label,
        role: invitation.role.as_str().to_owned(),
        made_at: invitation.created_at.to_string(),
        expires_at: invitation.expires_at.to_string(),
    });
    let invitations = open.collect();
    Ok(Json(OpenInvitations { invitations, next }))
}

/// Withdraw an invitation; for the owner
#[utoipa::path(delete, path = "/auth/invitations/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path)), responses(
    (status = 204, description = "The link is no longer valid"),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
    (status = 404, description = "No such invitation, for example after its use", body = ErrorEnvelope),
))]
async fn withdraw_invitation(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    if app.auth.withdraw_invitation(&origin, &id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found(
        "There is no such invitation; it was used, withdrawn or has ended.",
    ))
}
