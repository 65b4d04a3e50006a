//! An attempt to sign in or up, counted before the request's body is read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
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
        let address = client_address(parts, app).await?;
        let device = cookie::read_device(&parts.headers);
        let begun = app
            .auth
            .begin_attempt(address, device, user_agent(&parts.headers))?;
        Ok(Attempt(begun))
    }
}

/// The network address that a request came from.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<ClientAddress, ApiError> {
        Ok(ClientAddress(client_address(parts, app).await?))
    }
}

async fn client_address(parts: &mut Parts, app: &Arc<App>) -> Result<IpAddr, ApiError> {
    let peer = peer(parts, app).await?;
    let proxies = &app.config.server.trusted_proxies;
    Ok(proxies.client_address(peer, &parts.headers))
}

async fn peer(parts: &mut Parts, app: &Arc<App>) -> Result<SocketAddr, ApiError> {
    let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, app).await;
    let ConnectInfo(peer) = peer.map_err(ApiError::internal)?;
    Ok(peer)
}

/// Whether the request came by HTTPS: by the configured address, or as a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub struct IsHttps(pub bool);

impl FromRequestParts<Arc<App>> for IsHttps {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<IsHttps, ApiError> {
        let peer = peer(parts, app).await?;
        let server = &app.config.server;
        Ok(IsHttps(
            server.is_https() || server.trusted_proxies.is_https(peer, &parts.headers),
        ))
    }
}

/// The browser's name for itself.
pub fn user_agent(headers: &HeaderMap) -> &str {
    let agent = headers.get(header::USER_AGENT);
    agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default()
}
