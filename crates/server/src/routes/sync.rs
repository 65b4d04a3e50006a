//! `/sync/*`: push and pull.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::http::HeaderMap;
use mana_sync::{AcceptPush, Origin, Pull, PullParams, PushAnswer, PushBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiJson, ApiPath, ApiQuery, ApiResult, ErrorEnvelope};
use crate::http::body_limit;
use crate::limits::PushPermit;

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(push_all))
        .routes(routes!(push_app))
        .routes(routes!(pull))
}

/// A push of a signed-in person. The limits are taken before the body is read.
struct Push {
    caller: Caller,
    body: PushBody,
    _permit: PushPermit,
}

impl FromRequest<Arc<App>> for Push {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Push, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        match app.limits.push(&caller.user).await {
            Ok(permit) => Ok(Push {
                caller,
                body: ApiJson::from_request(request, app).await?.0,
                _permit: permit,
            }),
            Err(refused) => {
                body_limit::discard(request).await;
                Err(refused)
            }
        }
    }
}

/// Push changes of several apps, and pull what others changed
#[utoipa::path(post, path = "/sync", tag = "sync", security(("bearer" = [])), request_body = schema::PushBody,
    params(("X-Client-Id" = Option<String>, Header, description = "Overrides clientId")),
    responses(
        (status = 200, description = "Stored", body = schema::PushAnswer),
        (status = 400, body = ErrorEnvelope,
            description = "A change is invalid; details.index names it. Nothing was stored"),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 410, body = ErrorEnvelope,
            description = "The cursor is older than the kept log: take a snapshot. The changes were stored"),
        (status = 413, body = ErrorEnvelope,
            description = "Over 10 MB or 1,000 changes; details.maxBytes or details.maxChanges names the bound"),
        (status = 429, description = "Too many pushes; Retry-After says when to go on", body = ErrorEnvelope),
        (status = 503, body = ErrorEnvelope,
            description = "Too many pushes of this person wait already; Retry-After says when to go on"),
        (status = 507, body = ErrorEnvelope,
            description = "The disk is full, or the member keeps as much as the owner allows (`member_limit`)"),
    ))]
async fn push_all(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    sent: Push,
) -> ApiResult<Json<PushAnswer>> {
    push(&app, sent, &headers, None).await
}

/// Push changes of one app, and pull what others changed in it
#[utoipa::path(post, path = "/sync/{appId}", tag = "sync", security(("bearer" = [])), request_body = schema::PushBody,
    params(
        ("appId" = String, Path, description = "The module's id"),
        ("X-Client-Id" = Option<String>, Header, description = "Overrides clientId"),
    ),
    responses(
        (status = 200, description = "Stored", body = schema::PushAnswer),
        (status = 400, body = ErrorEnvelope,
            description = "A change is invalid; details.index names it. Nothing was stored"),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 410, body = ErrorEnvelope,
            description = "The cursor is older than the kept log: take a snapshot. The changes were stored"),
        (status = 413, body = ErrorEnvelope,
            description = "Over 10 MB or 1,000 changes; details.maxBytes or details.maxChanges names the bound"),
        (status = 429, description = "Too many pushes; Retry-After says when to go on", body = ErrorEnvelope),
        (status = 503, body = ErrorEnvelope,
            description = "Too many pushes of this person wait already; Retry-After says when to go on"),
        (status = 507, body = ErrorEnvelope,
            description = "The disk is full, or the member keeps as much as the owner allows (`member_limit`)"),
    ))]
async fn push_app(
    State(app): State<Arc<App>>,
    ApiPath(app_id): ApiPath<String>,
    headers: HeaderMap,
    sent: Push,
) -> ApiResult<Json<PushAnswer>> {
    push(&app, sent, &headers, Some(app_id)).await
}

/// Pull one table on from a cursor
#[utoipa::path(get, path = "/sync/{appId}/pull", tag = "sync", security(("bearer" = [])),
    params(
        ("appId" = String, Path, description = "The module's id"),
        ("collection" = String, Query, description = "The table"),
        ("since" = Option<String>, Query,
            description = "The cursor of the last answer; empty or missing: from the beginning"),
        ("limit" = Option<usize>, Query, description = "Rows to scan at most; 1,000 by default, and at most"),
        ("X-Client-Id" = Option<String>, Header, description = "Leaves out what this client pushed itself"),
    ),
    responses(
        (status = 200, description = "Changes after the cursor", body = schema::PushAnswer),
        (status = 400, description = "The cursor can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 410, description = "The cursor is older than the kept log: take a snapshot", body = ErrorEnvelope),
    ))]
async fn pull(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(app_id): ApiPath<String>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<PullParams>,
) -> ApiResult<Json<PushAnswer>> {
    let pull = Pull {
        app: Some(app_id),
        tables: vec![query.collection],
        since: query.since,
        limit: query.limit,
        client_id: client_id(&headers),
    };
    Ok(Json(
        app.sync.pull(&caller.scope(), pull, clock::now()).await?,
    ))
}

async fn push(
    app: &App,
    mut sent: Push,
    headers: &HeaderMap,
    app_id: Option<String>,
) -> ApiResult<Json<PushAnswer>> {
    let Push { caller, body, .. } = &mut sent;
    let limits = &app.member_limits;
    limits.check(&caller.user, &body.changes).await?;
    let push = AcceptPush {
        client_id: client_id(headers)
            .or(body.client_id.take())
            .unwrap_or_default(),
        app: app_id,
        changes: std::mem::take(&mut body.changes),
        since: body.since.take().unwrap_or_default(),
        schema_version: body.schema_version,
        fence: None,
        origin: Origin::Device,
    };
    Ok(Json(
        app.sync.accept(&caller.scope(), push, clock::now()).await?,
    ))
}

pub(super) fn client_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-client-id")?.to_str().ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}
