//! Middleware of every route: limits, headers, the envelope.

pub mod body_limit;
pub mod connections;
mod counted_stream;
pub mod open_connections;
pub mod open_files;
mod request_service;
pub mod trusted_proxies;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tracing::Instrument as _;

use crate::config::{CorsOrigins, ServerConfig};
use crate::error::ApiError;
use crate::telemetry::meters::Measured;

/// How long a browser keeps the answer to a preflight.
const PREFLIGHT_KEPT: Duration = Duration::from_secs(600);

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Wraps the routes that browsers use: other sites' pages can't write, and long answers are compressed.
pub fn guard<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    config: &ServerConfig,
) -> Router<S> {
    routes.layer(
        ServiceBuilder::new()
            .layer(CompressionLayer::new())
            .option_layer(cors(&config.cors_origins))
            .layer(same_origin(config))
            .layer(DefaultBodyLimit::max(body_limit::SIGNED_IN.max_bytes)),
    )
}

/// Wraps all routes in what every answer needs. A single layer does it, because each layer costs every call.
pub fn wrap<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    config: &ServerConfig,
) -> Router<S> {
    let https = config.is_https();
    routes.layer(from_fn(move |request: Request, next: Next| async move {
        let measured = Measured::begin(&request);
        let answer = next.run(request);
        let answer = AssertUnwindSafe(answer.instrument(measured.span().clone()));
        let mut response = answer.catch_unwind().await.unwrap_or_else(panicked);
        secure(&mut response, https);
        measured.end(&response);
        response
    }))
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or(panic.downcast_ref::<String>().map(String::as_str));
    ApiError::internal(text.unwrap_or("a handler panicked")).into_response()
}

/// Lets pages of these origins call, with a bearer or with the session's cookie.
fn cors(origins: &CorsOrigins) -> Option<CorsLayer> {
    let headers = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        HeaderName::from_static("last-event-id"),
        HeaderName::from_static("x-client-id"),
        HeaderName::from_static("x-connection-id"),
    ];
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ];
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins.headers())
            .allow_credentials(true)
            .allow_headers(headers)
            .allow_methods(methods)
            .expose_headers([header::RETRY_AFTER])
            .max_age(PREFLIGHT_KEPT)
    })
}

/// Lets programs in browsers call `/v1` from these origins. There a bearer alone counts, and no cookie, so that any
/// origin may be let in.
pub fn cors_of_programs(origins: &CorsOrigins) -> Option<CorsLayer> {
    let exposed = [
        header::RETRY_AFTER,
        mana_llm::http::RESOLVED,
        mana_llm::http::CACHE,
        mana_llm::http::LEFT_OUT,
        HeaderName::from_static("x-should-retry"),
    ];
    let allowed = match origins.has_any() {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(origins.headers()),
    };
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_headers(AllowHeaders::mirror_request())
            .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
            .expose_headers(exposed)
            .max_age(PREFLIGHT_KEPT)
    })
}

/// Refuses writes that another site's page makes a signed-in browser send. Routes with a key of their own need no such
/// guard.
fn same_origin(
    config: &ServerConfig,
) -> CsrfLayer<impl Fn(ProtectionError) -> Response + Clone + use<>> {
    let mut layer =
        CsrfLayer::new().with_insecure_bypass(|_, uri| uri.path().starts_with("/internal/"));
    for origin in config
        .public_url
        .as_deref()
        .into_iter()
        .chain(config.cors_origins.iter())
    {
        if let Ok(with_origin) = layer.clone().add_trusted_origin(origin) {
            layer = with_origin;
        }
    }
    layer.with_rejection_response(|_| {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "cross_origin",
            "The request came from another site's page; open Mana itself and try again.",
        )
        .into_response()
    })
}

fn secure(response: &mut Response, https: bool) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    // An answer that is no page may load nothing, should a browser show it as one.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
