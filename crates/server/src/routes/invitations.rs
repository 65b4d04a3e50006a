//! `/auth/invitations`: links by which the owner lets people in, each good for one account and some days.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Owner;
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};

/// What is wanted of an invitation.
#[derive(Default, Deserialize, ToSchema)]
struct Invite {
    /// For how many days it is good: 1 to 90, 7 if missing.
    days: Option<i64>,
}

/// An invitation as it is shown the one time it is made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewInvitation {
    id: String,
    /// To be handed to whoever is invited. It can't be shown again.
    link: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// An invitation that nobody has used yet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OpenInvitation {
    id: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(make_invitation, list_invitations))
        .routes(routes!(withdraw_invitation))
}

/// Make a link that lets one person in; for the owner
#[utoipa::path(post, path = "/auth/invitations", tag = "auth", security(("bearer" = [])),
    request_body = Option<Invite>, responses(
    (status = 201, description = "The link; it is shown this once", body = NewInvitation),
    (status = 400, description = "Not so many days", body = ErrorEnvelope),
    (status = 403, description = "Not the owner, or sign-up is closed", body = ErrorEnvelope),
))]
async fn make_invitation(
    State(app): State<Arc<App>>,
    _: Owner,
    headers: HeaderMap,
    wish: Option<ApiJson<Invite>>,
) -> ApiResult<(StatusCode, Json<NewInvitation>)> {
    let days = wish.and_then(|wish| wish.0.days);
    let (invitation, secret) = app.auth.create_invitation(days).await?;
    let base = base(app.config.server.public_url.as_deref(), &headers);
    let made = NewInvitation {
        id: invitation.id,
        // In the fragment, so that it never reaches a log.
        link: format!("{base}/join#token={secret}"),
        expires_at: invitation.expires_at.to_string(),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// The invitations that nobody has used yet; for the owner
#[utoipa::path(get, path = "/auth/invitations", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, description = "First the one that ends first", body = Vec<OpenInvitation>),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn list_invitations(
    State(app): State<Arc<App>>,
    _: Owner,
) -> ApiResult<Json<Vec<OpenInvitation>>> {
    let open = app.auth.invitations().await?;
    let open = open.into_iter().map(|one| OpenInvitation {
        id: one.id,
        expires_at: one.expires_at.to_string(),
    });
    Ok(Json(open.collect()))
}

/// Take an invitation back; for the owner
#[utoipa::path(delete, path = "/auth/invitations/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = String, Path)), responses(
    (status = 204, description = "Its link lets nobody in any more"),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
    (status = 404, description = "There is none, such as after it was used", body = ErrorEnvelope),
))]
async fn withdraw_invitation(
    State(app): State<Arc<App>>,
    _: Owner,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    if app.auth.withdraw_invitation(&id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found(
        "There is no such invitation; it was used, taken back or has ended.",
    ))
}

/// The base of links: what is configured, else where the request came to.
fn base(public_url: Option<&str>, headers: &HeaderMap) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = match text("x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    let host = text(header::HOST.as_str()).unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitation_links_to_the_public_url_else_to_where_the_request_came() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "box:3050".parse().unwrap());
        assert_eq!(base(None, &headers), "http://box:3050");
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert_eq!(base(None, &headers), "https://box:3050");
        let public = Some("https://mana.example.org");
        assert_eq!(base(public, &headers), "https://mana.example.org");
    }
}
