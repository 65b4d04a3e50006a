//! The caller's address and scheme, behind a reverse proxy or not.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Networks of the reverse proxies whose `X-Forwarded-*` headers count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads a list with commas between its entries: networks such as `10.0.0.0/8`, and addresses.
    ///
    /// # Errors
    ///
    /// The first entry that is neither.
    pub fn parse(text: &str) -> Result<TrustedProxies, String> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let address = entry.parse::<IpAddr>().map(IpNet::from);
                address
                    .or_else(|_| entry.parse())
                    .map_err(|_| entry.to_owned())
            })
            .collect::<Result<_, _>>()
            .map(TrustedProxies)
    }

    /// Returns the caller's address: the peer's, or, behind trusted proxies, the last address of `X-Forwarded-For`
    /// that is no trusted proxy's itself. Anybody can write the addresses before that one.
    pub fn client_address(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip();
        let lines: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        for address in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            if !self.trusts(client) {
                break;
            }
            let Ok(address) = address.trim().parse() else {
                break;
            };
            client = address;
        }
        client
    }

    /// Whether the caller used HTTPS, as far as a trusted proxy says so.
    pub fn is_https(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        self.trusts(peer.ip())
            && headers
                .get("x-forwarded-proto")
                .is_some_and(|scheme| scheme == "https")
    }

    /// Whether an address is a trusted proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[&str]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|line| ("x-forwarded-for".parse().unwrap(), line.parse().unwrap()));
        lines.collect()
    }

    #[test]
    fn client_address_is_the_last_one_that_no_trusted_proxy_has() {
        let proxies = TrustedProxies::parse("127.0.0.0/8, ::1, 10.0.0.0/8,2001:db8::/32").unwrap();
        let headers = forwarded(&["10.9.9.9, 192.0.2.7"]);
        for (peer, client) in [
            ("127.0.0.1:9", "192.0.2.7"),
            ("[::1]:9", "192.0.2.7"),
            ("[::ffff:127.0.0.1]:9", "192.0.2.7"),
            ("10.1.2.3:9", "192.0.2.7"),
            ("[2001:db8::5]:9", "192.0.2.7"),
            ("198.51.100.4:9", "198.51.100.4"),
        ] {
            let address = proxies.client_address(peer.parse().unwrap(), &headers);
            assert_eq!(address.to_string(), client, "{peer}");
        }
        let peer = "10.1.2.3:9".parse().unwrap();
        for (lines, client) in [
            (&["203.0.113.9", "192.0.2.7, 10.4.4.4"][..], "192.0.2.7"),
            (&["192.0.2.7, nonsense"], "10.1.2.3"),
            (&["192.0.2.7, nonsense, 10.4.4.4"], "10.4.4.4"),
            (&["10.5.5.5, 10.4.4.4"], "10.5.5.5"),
            (&[], "10.1.2.3"),
        ] {
            let address = proxies.client_address(peer, &forwarded(lines));
            assert_eq!(address.to_string(), client, "{lines:?}");
        }
    }

    #[test]
    fn scheme_is_taken_from_a_trusted_proxy_only() {
        let proxies = TrustedProxies::parse("10.0.0.0/8").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert!(proxies.is_https("10.0.0.1:9".parse().unwrap(), &headers));
        assert!(!proxies.is_https("127.0.0.1:9".parse().unwrap(), &headers));
    }
}
