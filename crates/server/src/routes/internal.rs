//! `/internal/*`: routes for the holder of the service key.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use mana_ai::TickReport;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema;
use crate::app::App;
use crate::error::{ApiError, ApiResult, ErrorEnvelope};

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(tick))
}

/// Run what is due now; answers when those runs have ended
#[utoipa::path(post, path = "/internal/tick", tag = "internal",
    params(("X-Service-Key" = String, Header, description = "The service key")),
    responses(
        (status = 200, description = "Result of the tick", body = schema::TickReport),
        (status = 401, description = "The key is wrong or missing", body = ErrorEnvelope),
        (status = 429, description = "The address has shown too many wrong keys", body = ErrorEnvelope),
    ))]
async fn tick(State(app): State<Arc<App>>, headers: HeaderMap) -> ApiResult<Json<TickReport>> {
    let presented = headers
        .get("x-service-key")
        .and_then(|key| key.to_str().ok())
        .unwrap_or_default();
    if !app.service_key.is(presented) {
        return Err(ApiError::service_key("X-Service-Key"));
    }
    Ok(Json(app.runner.tick().await))
}
