//! An attempt to sign in or up, counted before the request's body is read.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use mana_accounts::SignInAttempt;

use super::cookie;
use crate::app::App;
use crate::error::ApiError;

/// An attempt that the limits let through.
#[derive(Debug)]
pub struct Attempt(pub SignInAttempt);

impl FromRequestParts<Arc<App>> for Attempt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Attempt, ApiError> {
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, app).await;
        let ConnectInfo(peer) = peer.map_err(ApiError::internal)?;
        let proxies = &app.config.server.trusted_proxies;
        let address = proxies.client_address(peer, &parts.headers);
        let device = cookie::read_device(&parts.headers);
        Ok(Attempt(app.auth.begin_attempt(address, device)?))
    }
}
