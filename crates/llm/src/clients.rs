//! The HTTP clients. None follows a redirect: neither a prompt nor a key goes
//! where nobody sent it.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Url, redirect};

/// For a connection to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// The HTTP clients, made when first used: reading the machine's root
/// certificates takes time and memory that a server without a remote provider
/// never needs.
#[derive(Default)]
pub(crate) struct Clients {
    /// For plain HTTP on this machine: no proxy, no certificates.
    local: OnceLock<Client>,
    /// For HTTPS on this machine: no proxy.
    local_tls: OnceLock<Client>,
    /// For everything else, through the proxy that the environment names.
    remote: OnceLock<Client>,
}

impl Clients {
    /// The client for an address.
    pub fn get(&self, url: &Url) -> Result<&Client, reqwest::Error> {
        let cell = match (is_loopback(url), url.scheme()) {
            (true, "http") => &self.local,
            (true, _) => &self.local_tls,
            (false, _) => &self.remote,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        // An error means that a provider is already installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("mana/", env!("CARGO_PKG_VERSION")));
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        if std::ptr::eq(cell, &self.local) {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build()?;
        Ok(cell.get_or_init(|| client))
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_all_its_spellings() {
        for (url, loopback) in [
            ("http://127.0.0.1:1/", true),
            ("http://127.9.9.9/", true),
            ("http://localhost/", true),
            ("http://[::1]:1/", true),
            ("http://ollama:11434/", false),
            ("http://localhost.example.org/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }
}
