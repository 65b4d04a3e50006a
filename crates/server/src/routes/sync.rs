//! `/sync/*`: push and pull.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use mana_sync::{AcceptPush, Origin, Pull, PullParams, PushAnswer, PushBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiJson, ApiPath, ApiQuery, ApiResult, ErrorEnvelope};

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(push_all))
        .routes(routes!(push_app))
        .routes(routes!(pull))
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
        (status = 413, description = "Over 10 MB", body = ErrorEnvelope),
        (status = 429, description = "Too many pushes; Retry-After says when to go on", body = ErrorEnvelope),
    ))]
async fn push_all(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    ApiJson(body): ApiJson<PushBody>,
) -> ApiResult<Json<PushAnswer>> {
    push(&app, &caller, &headers, None, body).await
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
        (status = 413, description = "Over 10 MB", body = ErrorEnvelope),
        (status = 429, description = "Too many pushes; Retry-After says when to go on", body = ErrorEnvelope),
    ))]
async fn push_app(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(app_id): ApiPath<String>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<PushBody>,
) -> ApiResult<Json<PushAnswer>> {
    push(&app, &caller, &headers, Some(app_id), body).await
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
    caller: &Caller,
    headers: &HeaderMap,
    app_id: Option<String>,
    body: PushBody,
) -> ApiResult<Json<PushAnswer>> {
    app.limits.push(&caller.user)?;
    let push = AcceptPush {
        client_id: client_id(headers).or(body.client_id).unwrap_or_default(),
        app: app_id,
        changes: body.changes,
        since: body.since.unwrap_or_default(),
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
