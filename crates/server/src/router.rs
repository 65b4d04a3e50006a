//! Which routes the server has.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use mana_core::paths::{ABSENT_PATHS, PROGRAM_PATHS};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::auth::limit_key_guesses;
use crate::config::ServerRole;
use crate::error::ApiError;
use crate::{http, routes, web};

/// Returns the documented routes of the served roles.
pub fn api(serves: impl Fn(ServerRole) -> bool) -> OpenApiRouter<Arc<App>> {
    let mut router = OpenApiRouter::new()
        .merge(routes::info::router())
        .merge(routes::ready::router())
        .merge(routes::metrics::router());
    if serves(ServerRole::Auth) {
        router = router.merge(routes::auth::router());
    }
    if serves(ServerRole::Sync) {
        router = router
            .merge(routes::sync::router())
            .merge(routes::snapshot::router())
            .merge(routes::history::router())
            .merge(routes::stream::router())
            .merge(routes::runs::router());
    }
    if serves(ServerRole::Ai) {
        router = router.merge(routes::internal::router());
    }
    if serves(ServerRole::Llm) {
        router = router.merge(routes::models::router());
    }
    router
}

/// Returns all routes with what every answer goes through.
pub fn router(app: Arc<App>) -> Router {
    let (mut router, _) = api(|role| app.config.serves(role)).split_for_parts();
    if app.config.serves(ServerRole::Sync) {
        router = router.merge(routes::ws::router());
    }
    let mut router = http::guard(
        router
            .fallback(elsewhere)
            .method_not_allowed_fallback(wrong_method),
        &app.config.server,
    );
    if app.config.serves(ServerRole::Llm) {
        let programs = routes::llm::router(&app);
        router = router.merge(
            match http::cors_of_programs(&app.config.server.api_cors_origins) {
                Some(cors) => programs.layer(cors),
                None => programs,
            },
        );
    }
    let guesses = middleware::from_fn_with_state(app.clone(), limit_key_guesses);
    http::wrap(router.layer(guesses), &app.config.server).with_state(app)
}

/// Answers every address that no route takes.
async fn elsewhere(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    let first = path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    let is_program = PROGRAM_PATHS.contains(&first) || ABSENT_PATHS.contains(&first);
    if !is_program
        && app.config.serves(ServerRole::Llm)
        && let Some(refused) = mana_llm::http::without_v1(path, request.headers())
    {
        return refused;
    }
    if is_program || !app.config.serves(ServerRole::Web) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use mana_core::manifest::Registry;
    use mana_core::paths::{FILE_PATHS, PAGE_PATHS};

    use super::*;

    const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");

    /// Parts that OpenAPI doesn't describe: the gateway's own interface and sockets.
    const NOT_IN_OPENAPI: [&str; 2] = ["v1", "ws"];

    fn set<'a>(parts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        parts.into_iter().map(str::to_owned).collect()
    }

    fn first_part(path: &str) -> &str {
        let path = path.trim_start_matches('/');
        path.split('/').next().unwrap_or(path)
    }

    fn read(name: &str) -> String {
        fs::read_to_string(Path::new(WEB).join(name)).unwrap()
    }

    /// Returns the text between two marks.
    fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
        let (_, rest) = text
            .split_once(before)
            .unwrap_or_else(|| panic!("{before}"));
        rest.split_once(after)
            .unwrap_or_else(|| panic!("{after}"))
            .0
    }

    /// Returns the names of the folders in a folder.
    fn folders(path: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(path).unwrap().flatten();
        entries
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn paths_of_the_router_are_the_program_paths() {
        let document = crate::openapi::document();
        let documented = document.paths.paths.keys().map(|path| first_part(path));
        let routes = set(documented.chain(NOT_IN_OPENAPI));
        assert_eq!(routes, set(PROGRAM_PATHS));
    }

    #[test]
    fn paths_of_the_service_worker_and_the_dev_proxy_are_the_program_paths() {
        let worker = read("src/service-worker.ts");
        assert_eq!(
            set(between(&worker, r"/^\/(", ")").split('|')),
            set(PROGRAM_PATHS)
        );
        let vite = read("vite.config.ts");
        let proxied = between(&vite, "const api = [", "]").split(',');
        let proxied = proxied.map(|path| first_part(path.trim().trim_matches('\'')));
        assert_eq!(set(proxied.chain(["ws"])), set(PROGRAM_PATHS));
    }

    /// A page of a module, such as `todo`, is the module's route.
    #[test]
    fn paths_of_the_web_app_are_the_page_paths_and_routes_of_modules() {
        let routes = Path::new(WEB).join("src/routes");
        let groups = folders(&routes).into_iter();
        let pages: BTreeSet<String> = groups
            .flat_map(|name| match name.starts_with('(') {
                true => folders(&routes.join(name)),
                false => [name].into(),
            })
            .filter(|name| !name.starts_with('['))
            .collect();
        let registry = Registry::builtin();
        let modules = registry.manifests().iter();
        let modules = set(modules.filter_map(|module| Some(first_part(module.route.as_deref()?))));
        let own: BTreeSet<String> = pages.difference(&modules).cloned().collect();
        assert_eq!(own, set(PAGE_PATHS));
        let mut files = folders(&Path::new(WEB).join("static"));
        files.insert("_app".to_owned());
        assert_eq!(files, set(FILE_PATHS));
    }
}
