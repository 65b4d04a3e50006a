//! The base of links that people open.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};

use crate::app::App;

/// Returns the base of links: the configured one, else the address that the request came to.
pub fn base(app: &App, peer: SocketAddr, headers: &HeaderMap) -> String {
    let server = &app.config.server;
    let is_https = server.trusted_proxies.is_https(peer, headers);
    base_of(server.public_url.as_deref(), is_https, headers)
}

fn base_of(public_url: Option<&str>, is_https: bool, headers: &HeaderMap) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let scheme = if is_https { "https" } else { "http" };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitation_links_to_the_public_url_else_to_where_the_request_came() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "box:3050".parse().unwrap());
        assert_eq!(base_of(None, false, &headers), "http://box:3050");
        assert_eq!(base_of(None, true, &headers), "https://box:3050");
        let public = Some("https://mana.example.org");
        assert_eq!(base_of(public, false, &headers), "https://mana.example.org");
    }
}
