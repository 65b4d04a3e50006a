//! `/sync/{appId}/history`: a record's past by field.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use mana_sync::{HistoryAnswer, HistoryParams};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiPath, ApiQuery, ApiResult, ErrorEnvelope};

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(history))
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
