//! The server's parts in one place, and the routes that use them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mana_ai::Runner;
use mana_core::manifest::{Registry, Rejected};
use mana_llm::Gateway;
use mana_store::{Ledger, Store};
use mana_sync::Sync;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::auth::{self, Auth, ServiceKey};
use crate::config::{Config, Role};
use crate::error::ApiError;
use crate::gateway::Settings;
use crate::limits::Limits;
use crate::meters::Meters;
use crate::web::{self, WebApp};
use crate::{http, routes};

/// Everything a handler may need.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Accounts.
    pub auth: Auth,
    /// Who acts for the server itself.
    pub service_key: ServiceKey,
    /// The log and the records.
    pub store: Arc<dyn Store>,
    /// What models cost, by whom.
    pub ledger: Arc<dyn Ledger>,
    /// The modules.
    pub registry: Arc<Registry>,
    /// The files in `modules/` that are broken.
    pub rejected_modules: Vec<Rejected>,
    /// How much one person may do at a time.
    pub limits: Arc<Limits>,
    /// Push, pull and notices.
    pub sync: Arc<Sync>,
    /// The runner.
    pub runner: Arc<Runner>,
    /// The models.
    pub gateway: Arc<Gateway>,
    /// What the owner sets about them, and the virtual keys.
    pub llm: Settings,
    /// The web app.
    pub web: WebApp,
    /// What is counted and measured.
    pub meters: Meters,
    /// Ends when the server does; open sockets close then.
    pub shutdown: CancellationToken,
}

/// First parts of a path that belong to programs: what is unknown below them is an error, not a page.
const API: [&str; 11] = [
    "ai", "app", "auth", "health", "internal", "llm", "metrics", "modules", "sync", "v1", "ws",
];

/// The documented routes of the roles that are served.
pub fn api(serves: impl Fn(Role) -> bool) -> OpenApiRouter<Arc<App>> {
    let mut router = OpenApiRouter::new()
        .merge(routes::info::router())
        .merge(routes::metrics::router());
    if serves(Role::Auth) {
        router = router.merge(auth::router());
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

/// The whole server.
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

/// Takes every address that no route takes.
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
