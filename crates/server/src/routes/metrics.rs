//! `/metrics`: counters and histograms of this process, for the holder of the metrics key or the service key.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::bearer;
use crate::backup::status::BackupStatus;
use crate::clock;
use crate::error::{ApiError, ApiResult, ErrorEnvelope};

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Counters and histograms of this process, in Prometheus' text format
#[utoipa::path(get, path = "/metrics", tag = "internal",
    params(("Authorization" = String, Header, description = "Bearer and the metrics key, or the service key")),
    responses(
        (status = 200, description = "The meters", body = String, content_type = "text/plain"),
        (status = 401, description = "The key is wrong or missing", body = ErrorEnvelope),
        (status = 429, description = "The address has shown too many wrong keys", body = ErrorEnvelope),
    ))]
async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> ApiResult<Response> {
    let shown = bearer(&headers).unwrap_or_default();
    let by_metrics_key = app.metrics_key.as_ref().is_some_and(|key| key.is(shown));
    if !app.service_key.is(shown) && !by_metrics_key {
        return Err(ApiError::service_key("Authorization: Bearer"));
    }
    if let Ok((status, _)) = BackupStatus::read(&*app.auth.accounts).await {
        status.measure(clock::now());
    }
    let text = app.meters.text(app.sync.hub().listeners());
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
