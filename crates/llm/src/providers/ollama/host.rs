//! `OLLAMA_HOST`, read as Ollama's own client reads it.

use std::net::IpAddr;

/// The port of Ollama, wherever none can be read.
const PORT: &str = "11434";

/// The base URL that Ollama's own client reads from `OLLAMA_HOST`: a host, a port, a URL, or
/// the address that the server listens on.
pub(super) fn base_url_of_host(host: &str) -> String {
    let host = host.trim().trim_matches(['"', '\'']).trim();
    let (scheme, rest) = host.split_once("://").unwrap_or(match host {
        "ollama.com" => ("https", host),
        _ => ("", host),
    });
    let scheme = scheme.to_ascii_lowercase();
    let (scheme, usual) = match scheme.as_str() {
        "" => ("http", PORT),
        "http" => ("http", "80"),
        "https" => ("https", "443"),
        other => (other, PORT),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = name_and_port(authority);
    // Ollama takes its usual port for a number that can't be one.
    let port = port.filter(|port| port.parse::<u16>().is_ok());
    let port = port.unwrap_or(usual);
    let path = path.trim_matches('/');
    let path = match path {
        "v1" => "",
        path => path.strip_suffix("/v1").unwrap_or(path),
    };
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{name}:{port}{slash}{path}/v1")
}

/// A name as a URL has it, and what stands behind its colon.
fn name_and_port(authority: &str) -> (String, Option<&str>) {
    let bare = authority.trim_matches(['[', ']']);
    let (name, port) = match (bare.parse::<IpAddr>(), authority.rsplit_once(':')) {
        (Err(_), Some((name, port))) => (name, Some(port)),
        _ => (authority, None),
    };
    let name = name.trim_matches(['[', ']']);
    // The address on which a server listens for everybody is here.
    let name = match name.parse() {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ if name.is_empty() => "127.0.0.1".to_owned(),
        _ => name.to_owned(),
    };
    (name, port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider_config::base_url_of;

    #[test]
    fn ollama_host_is_read_as_ollama_reads_it() {
        for (host, base) in [
            ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0:5", "http://127.0.0.1:5/v1"),
            ("1.2.3.4", "http://1.2.3.4:11434/v1"),
            ("1.2.3.4:", "http://1.2.3.4:11434/v1"),
            ("box", "http://box:11434/v1"),
            (":5", "http://127.0.0.1:5/v1"),
            (":", "http://127.0.0.1:11434/v1"),
            (":66000", "http://127.0.0.1:11434/v1"),
            (":-1", "http://127.0.0.1:11434/v1"),
            ("box:many", "http://box:11434/v1"),
            ("http://box", "http://box:80/v1"),
            ("HTTP://box", "http://box:80/v1"),
            ("http://box:66000", "http://box:80/v1"),
            ("https://box", "https://box:443/v1"),
            ("https://box/ollama/", "https://box:443/ollama/v1"),
            ("https://box:8443/a/b/v1", "https://box:8443/a/b/v1"),
            ("http://box:7/v1", "http://box:7/v1"),
            ("http://box:7/v1/", "http://box:7/v1"),
            ("ollama.com", "https://ollama.com:443/v1"),
            ("::1", "http://[::1]:11434/v1"),
            ("[::1]", "http://[::1]:11434/v1"),
            ("[::1]:7", "http://[::1]:7/v1"),
            ("[::1]:66000", "http://[::1]:11434/v1"),
            ("::", "http://127.0.0.1:11434/v1"),
            ("[::]:7", "http://127.0.0.1:7/v1"),
            ("fe80::1", "http://[fe80::1]:11434/v1"),
            ("http://[::1]", "http://[::1]:80/v1"),
            (" 1.2.3.4 ", "http://1.2.3.4:11434/v1"),
            ("\"1.2.3.4\"", "http://1.2.3.4:11434/v1"),
            (" \" 1.2.3.4 \" ", "http://1.2.3.4:11434/v1"),
            ("'1.2.3.4'", "http://1.2.3.4:11434/v1"),
            ("' http://box:7 '", "http://box:7/v1"),
        ] {
            assert_eq!(base_url_of_host(host), base, "{host}");
            base_url_of(base, "OLLAMA_HOST").unwrap();
        }
    }
}
