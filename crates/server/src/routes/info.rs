//! The facts that a page needs first: `/health`, `/app/info`, `/modules`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mana_core::manifest::Manifest;
use mana_store::Role;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;
use crate::config::ServerRole;
use crate::error::{ApiError, ApiResult, ErrorEnvelope};
use crate::links;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Health of the server.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`: a server that can't answer answers nothing.
    status: &'static str,
    ok: bool,
    service: &'static str,
    version: &'static str,
    tick: Tick,
}

/// The runner's state.
#[derive(Serialize, ToSchema)]
struct Tick {
    /// Whether missions run by themselves.
    enabled: bool,
    /// Whether a mission is being run.
    running: bool,
}

/// Facts that a page may know before anybody signs in, and a few more for signed-in people.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AppInfo {
    version: &'static str,
    /// `open`, `invite` or `closed`.
    signup: &'static str,
    /// Whether the server has been set up.
    has_owner: bool,
    /// The name of the OpenID provider by which people may sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    /// The address of the server where it is HTTPS: a browser that has the page from elsewhere keeps no sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    secure_url: Option<String>,
    /// The address by which another device reaches the server; left out where it listens on its own machine alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_url: Option<String>,
    /// Whether the server sends a link to somebody who forgot the password.
    mails_links: bool,
    /// For signed-in people: the model of each alias, and `outline`: whether missions are planned without an AI.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, Value>>)]
    model: Option<Map<String, Value>>,
    /// For the owner: files in `modules/` that are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_modules: Option<Vec<RejectedModule>>,
}

/// A manifest that is left out.
#[derive(Serialize, ToSchema)]
struct RejectedModule {
    /// The file's name in `modules/`.
    file: String,
    /// The faulty line and the remedy.
    reason: String,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(info))
        .routes(routes!(manifests))
}

/// Health of the server
#[utoipa::path(get, path = "/health", tag = "app",
    responses((status = 200, description = "The server is well", body = Health)))]
async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    let ai = app.config.serves(ServerRole::Ai);
    Json(Health {
        status: "ok",
        ok: true,
        service: "mana",
        version: VERSION,
        tick: Tick {
            enabled: ai && app.config.runner.tick_enabled,
            running: ai && app.runner.is_running(),
        },
    })
}

/// Facts about this server
#[utoipa::path(get, path = "/app/info", tag = "app", security((), ("bearer" = [])),
    responses((status = 200, description = "The facts", body = AppInfo)))]
async fn info(
    State(app): State<Arc<App>>,
    caller: Result<Caller, ApiError>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> ApiResult<Json<AppInfo>> {
    let accounts = &app.auth.accounts;
    let user = match caller {
        Ok(caller) => accounts.user(&caller.user).await?,
        Err(_) => None,
    };
    let is_owner = user.as_ref().is_some_and(|user| user.role == Role::Owner);
    let rejected = || {
        let files = app.rejected_modules.iter();
        files
            .map(|rejected| RejectedModule {
                file: rejected.file.clone(),
                reason: rejected.reason.clone(),
            })
            .collect()
    };
    let model = match user {
        Some(_) => Some(models(&app).await),
        None => None,
    };
    Ok(Json(AppInfo {
        version: VERSION,
        signup: app.config.auth.signup.as_str(),
        has_owner: accounts.owner_exists().await?,
        provider: app.auth.provider_name().map(str::to_owned),
        secure_url: (app.config.server.is_https())
            .then(|| app.config.server.public_url.clone())
            .flatten(),
        device_url: links::for_other_devices(&app, peer, &headers),
        mails_links: app.mailer.is_some(),
        model,
        rejected_modules: is_owner.then(rejected),
    }))
}

/// Alias of the model of missions that name none.
const PLANNER: &str = "mana/reasoning";

async fn models(app: &App) -> Map<String, Value> {
    let aliases = app.gateway.aliases().await;
    let outline = aliases
        .iter()
        .any(|alias| alias.id == PLANNER && alias.resolved.as_deref() == Some("builtin/outline"));
    let resolved = aliases
        .into_iter()
        .map(|alias| (alias.id, json!(alias.resolved)));
    resolved
        .chain([("outline".to_owned(), json!(outline))])
        .collect()
}

/// The modules: their tables, labels and tools
#[utoipa::path(get, path = "/modules", tag = "app", security(("bearer" = [])),
    params(("X-Schema-Version" = Option<u64>, Header,
        description = "The version of the data's shape that the reader knows. Manifests for readers of version 1, and \
            for those that say nothing, have no `aliases`, because these readers refuse a key that they don't know")),
    responses(
        (status = 200, description = "The manifests, hidden ones too", body = Vec<Manifest>),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
    ))]
async fn manifests(State(app): State<Arc<App>>, _caller: Caller, headers: HeaderMap) -> Response {
    let json = HeaderValue::from_static("application/json");
    let version = headers.get("x-schema-version");
    let version: Option<u64> = version.and_then(|version| version.to_str().ok()?.parse().ok());
    let manifests = match version {
        Some(2..) => app.registry.to_json(),
        _ => app.registry.to_json_without_aliases(),
    };
    ([(header::CONTENT_TYPE, json)], manifests).into_response()
}
