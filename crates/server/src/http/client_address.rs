//! The address of a caller, behind a reverse proxy or not.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// Returns the caller's address. A reverse proxy on the same machine says whom it speaks for.
pub fn client_address(peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    if !peer.ip().is_loopback() {
        return peer.ip();
    }
    headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        // The last entry is the proxy's own; anybody can write the earlier ones.
        .and_then(|value| value.rsplit(',').next())
        .and_then(|address| address.trim().parse().ok())
        .unwrap_or(peer.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_address_trusts_a_proxy_on_this_machine_only() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "10.9.9.9, 192.0.2.7".parse().unwrap());
        let address = |peer: &str| client_address(peer.parse().unwrap(), &headers).to_string();
        assert_eq!(address("127.0.0.1:9"), "192.0.2.7");
        assert_eq!(address("198.51.100.4:9"), "198.51.100.4");
    }
}
