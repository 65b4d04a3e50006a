//! `/sync/{appId}/history`: a record's past by field. `/sync/changes`: the changes since a moment.
//! `/sync/forget`: removed records taken away for good.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use mana_sync::{
    ChangesSinceAnswer, ChangesSinceParams, ForgetAnswer, ForgetBody, HistoryAnswer, HistoryParams,
};
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
        .routes(routes!(history))
        .routes(routes!(changes_since))
        .routes(routes!(forget))
}

/// The past of one record: who wrote what to which field, and when
#[utoipa::path(get, path = "/sync/{appId}/history", tag = "sync", security(("bearer" = [])),
    params(
        ("appId" = String, Path, description = "The module's id"),
        ("table" = String, Query, description = "The record's table"),
        ("id" = String, Query, description = "The record's id"),
        ("field" = Option<String>, Query, description = "The only field to tell of; missing: all"),
        ("before" = Option<String>, Query, description = "The `before` of the page before; missing: from the newest"),
        ("limit" = Option<usize>, Query, description = "Changes at most; 100 by default, 1,000 at most"),
    ),
    responses(
        (status = 200, body = schema::HistoryAnswer,
            description = "A page, newest first; go on with `before` while `hasMore`. Empty for an unknown record"),
        (status = 400, description = "`before` can't be read, or `table` or `id` is missing", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "The record is forgotten", body = ErrorEnvelope),
    ))]
async fn history(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(app_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<HistoryParams>,
) -> ApiResult<Json<HistoryAnswer>> {
    let scope = caller.scope();
    Ok(Json(
        app.sync
            .history(&scope, app_id, query, clock::now())
            .await?,
    ))
}

/// Changes since a moment, of every author, with the values that they replaced
#[utoipa::path(get, path = "/sync/changes", tag = "sync", security(("bearer" = [])),
    params(
        ("since" = Option<String>, Query, description = "The moment, as a time; missing: all that the log keeps"),
        ("before" = Option<String>, Query, description = "The `before` of the page before; missing: from the newest"),
        ("limit" = Option<usize>, Query, description = "Changes at most; 100 by default, and at most"),
    ),
    responses(
        (status = 200, body = schema::ChangesSinceAnswer,
            description = "A page, newest first; go on with `before` while `hasMore`. Without the missions' records"),
        (status = 400, description = "`since` or `before` can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
    ))]
async fn changes_since(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiQuery(query): ApiQuery<ChangesSinceParams>,
) -> ApiResult<Json<ChangesSinceAnswer>> {
    let scope = caller.scope();
    Ok(Json(
        app.sync.changes_since(&scope, query, clock::now()).await?,
    ))
}

/// Take removed records away for good, from the log and from every device
#[utoipa::path(post, path = "/sync/forget", tag = "sync", security(("bearer" = [])),
    request_body = schema::ForgetBody,
    responses(
        (status = 200, body = schema::ForgetAnswer,
            description = "The records that are gone, and those that stay because they are not removed"),
        (status = 400, description = "The body can't be read, or names more than 1,000 records", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
    ))]
async fn forget(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiJson(body): ApiJson<ForgetBody>,
) -> ApiResult<Json<ForgetAnswer>> {
    let scope = caller.scope();
    Ok(Json(
        app.sync.forget(&scope, body.records, clock::now()).await?,
    ))
}
