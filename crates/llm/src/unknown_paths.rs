//! Addresses below `/v1` that no route takes: those that only a slash sets apart from one are taken all the same, the
//! others are refused in the words that the caller's client reads.

use axum::Router;
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, routing};
use tower::ServiceExt as _;

use crate::refusal_shape::RefusalShape;

/// Paths of the protocols, without their `/v1`.
const OF_PROGRAMS: [&str; 7] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/messages",
    "/messages/count_tokens",
    "/models",
    "/responses",
];

/// The same routes, and an answer for every other address below `/v1`.
pub(crate) fn with_unknown_paths(routes: Router) -> Router {
    let known = routes.clone();
    let other = move |request: Request| answer(known.clone(), request);
    routes
        .route("/v1", routing::any(other.clone()))
        .route("/v1/", routing::any(other.clone()))
        .route("/v1/{*rest}", routing::any(other.clone()))
        // A base URL that ends with a slash.
        .route("//v1/{*rest}", routing::any(other))
}

async fn answer(known: Router, request: Request) -> Response {
    let path = request.uri().path();
    let plain = without_slashes(path);
    if plain == path {
        return nothing_at(path, request.headers());
    }
    let query = request.uri().query();
    let plain = match query {
        Some(query) => format!("{plain}?{query}"),
        None => plain,
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(plain).ok();
    let Ok(uri) = Uri::from_parts(parts) else {
        return nothing_at(request.uri().path(), request.headers());
    };
    // A new request, as this one carries the parts of the path by which it came here.
    let (parts, body) = request.into_parts();
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = parts.headers;
    let known = known
        .fallback(async |request: Request| nothing_at(request.uri().path(), request.headers()));
    match known.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A path with one slash where there are several, and none at its end.
fn without_slashes(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.flat_map(|part| ["/", part]).collect()
}

/// Says that there is nothing at a path of `/v1`.
fn nothing_at(path: &str, headers: &HeaderMap) -> Response {
    let message = match path {
        _ if path.starts_with("/v1/v1/") => format!(
            "There is nothing at {path}; this program adds /v1 by itself, so leave it out of its base URL."
        ),
        _ if path.starts_with("/v1/responses/") => format!(
            "There is nothing at {path}: responses are not stored here; send the whole conversation as `input` of \
             POST /v1/responses."
        ),
        _ => format!("There is nothing at {path}; check the address of the call."),
    };
    refusal(StatusCode::NOT_FOUND, "not_found", &message, path, headers)
}

/// Says that a path doesn't take a method.
pub(crate) async fn wrong_method(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let message = format!("{path} doesn't take {method}; check the method of the call.");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    refusal(status, "method_not_allowed", &message, path, &headers)
}

/// The refusal of a program whose base URL lacks its `/v1`; none for any other path, and for a browser.
#[must_use]
pub fn without_v1(path: &str, headers: &HeaderMap) -> Option<Response> {
    let accept = headers.get(axum::http::header::ACCEPT);
    let is_browser = accept.is_some_and(|accept| {
        let accept = accept.to_str().unwrap_or_default();
        accept.contains("text/html")
    });
    let plain = without_slashes(path);
    if is_browser || !OF_PROGRAMS.contains(&plain.as_str()) {
        return None;
    }
    let message = format!(
        "There is nothing at {path}; programs call /v1{plain}, so end their base URL with /v1."
    );
    Some(refusal(
        StatusCode::NOT_FOUND,
        "not_found",
        &message,
        path,
        headers,
    ))
}

/// A refusal as Anthropic's clients read it, where the caller is such a one, else as OpenAI's do.
fn refusal(
    status: StatusCode,
    code: &str,
    message: &str,
    path: &str,
    headers: &HeaderMap,
) -> Response {
    let body = RefusalShape::of(path, headers).body(status, code, message);
    (status, Json(body)).into_response()
}
