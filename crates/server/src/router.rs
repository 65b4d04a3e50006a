//! Which routes the server has.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::config::Role;
use crate::error::ApiError;
use crate::{http, routes, web};

/// First parts of the paths that belong to programs: an unknown path below them is an error, not a page.
const API: [&str; 11] = [
    "ai", "app", "auth", "health", "internal", "llm", "metrics", "modules", "sync", "v1", "ws",
];

/// Returns the documented routes of the served roles.
pub fn api(serves: impl Fn(Role) -> bool) -> OpenApiRouter<Arc<App>> {
    let mut router = OpenApiRouter::new()
        .merge(routes::info::router())
        .merge(routes::metrics::router());
    if serves(Role::Auth) {
        router = router.merge(routes::auth::router());
    }
    if serves(Role::Sync) {
        router = router
            .merge(routes::sync::router())
            .merge(routes::snapshot::router())
            .merge(routes::stream::router())
            .merge(routes::runs::router());
    }
    if serves(Role::Ai) {
        router = router.merge(routes::internal::router());
    }
    if serves(Role::Llm) {
        router = router.merge(routes::models::router());
    }
    router
}

/// Returns all routes with what every answer goes through.
pub fn router(app: Arc<App>) -> Router {
    let (mut router, _) = api(|role| app.config.serves(role)).split_for_parts();
    if app.config.serves(Role::Sync) {
        router = router.merge(routes::ws::router());
    }
    let mut router = http::guard(
        router
            .fallback(elsewhere)
            .method_not_allowed_fallback(wrong_method),
        &app.config.server,
    );
    if app.config.serves(Role::Llm) {
        router = router.merge(routes::llm::router(&app).method_not_allowed_fallback(wrong_method));
    }
    http::wrap(router, &app.config.server).with_state(app)
}

/// Answers every address that no route takes.
async fn elsewhere(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    let first = path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    if API.contains(&first) || !app.config.serves(Role::Web) {
        return ApiError::not_found(format!("There is nothing at {path}; check the address."))
            .into_response();
    }
    web::serve(&app.web, request.method(), request.uri(), request.headers())
}

async fn wrong_method(request: Request) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!(
            "{} doesn't take {}; check the method.",
            request.uri().path(),
            request.method()
        ),
    )
}
