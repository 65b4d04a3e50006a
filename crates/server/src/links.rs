//! The base of links that people open.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

use crate::app::App;

/// Returns the base of links: the configured one, else the address that the request came to.
pub fn base(app: &App, peer: SocketAddr, headers: &HeaderMap) -> String {
    let server = &app.config.server;
    let is_https = server.trusted_proxies.is_https(peer, headers);
    base_of(server.public_url.as_deref(), is_https, headers)
}

/// Returns the address by which another device, such as a phone, reaches this server: the configured one, else the one
/// that the request came to, else this machine's in its network. None where the server listens on this machine alone.
pub fn for_other_devices(app: &App, peer: SocketAddr, headers: &HeaderMap) -> Option<String> {
    let known = base(app, peer, headers);
    let address = known.split_once("://")?.1.parse::<Authority>().ok()?;
    if !is_of_this_machine(address.host()) {
        return Some(known);
    }
    if app.config.server.listen.ip().is_loopback() {
        return None;
    }
    let machine = SocketAddr::new(address_in_network()?, address.port_u16().unwrap_or(80));
    Some(format!("http://{machine}"))
}

/// Whether a host is the name that a machine has for itself.
fn is_of_this_machine(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    match ip {
        Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Returns the address from which this machine reaches others. Choosing a peer for datagrams asks the routing table,
/// and sends nothing (192.0.2.0/24 is for documents, RFC 5737).
fn address_in_network() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
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
    fn a_machine_has_names_for_itself() {
        for own in [
            "localhost",
            "mana.localhost",
            "127.0.0.1",
            "127.1.2.3",
            "[::1]",
            "0.0.0.0",
        ] {
            assert!(is_of_this_machine(own), "{own}");
        }
        for other in [
            "mana.lan",
            "192.168.1.2",
            "[fe80::1]",
            "localhost.example.org",
        ] {
            assert!(!is_of_this_machine(other), "{other}");
        }
    }

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
