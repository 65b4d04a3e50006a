//! The refusal of addresses that guess at keys.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mana_llm::{ErrorKind, GatewayError};

use crate::app::App;
use crate::error::ApiError;

/// Paths that a key opens.
const BY_KEY: [&str; 3] = ["/metrics", "/internal/", OF_PROGRAMS];
/// The gateway's paths, whose refusals have the shape that a program's client reads.
const OF_PROGRAMS: &str = "/v1/";

/// Refuses an address that guesses, and counts the keys that were refused.
pub async fn limit_key_guesses(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let (Some(ConnectInfo(peer)), true) = (peer, BY_KEY.iter().any(|by| path.starts_with(by)))
    else {
        return next.run(request).await;
    };
    let proxies = &app.config.server.trusted_proxies;
    let address = proxies.client_address(*peer, request.headers());
    if let Some(wait) = app.key_guesses.wait(address, Instant::now()) {
        let wait_s = wait.as_secs() + 1;
        let message = format!(
            "This address has shown too many wrong keys; try again in {wait_s} s with the right one."
        );
        if path.starts_with(OF_PROGRAMS) {
            let retry_after = Duration::from_secs(wait_s);
            let error = GatewayError::new(ErrorKind::TooManyCalls { retry_after }, message);
            return mana_llm::http::refuse(&error, path, request.headers());
        }
        return ApiError::slow_down(message, wait_s).into_response();
    }
    let response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        app.key_guesses.wrong(address, Instant::now());
    }
    response
}
