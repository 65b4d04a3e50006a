//! `OLLAMA_HOST`, read as Ollama's own client reads it.

/// The base URL that Ollama's own client reads from `OLLAMA_HOST`: a host, a port, a URL, or
/// the address that the server listens on.
pub(super) fn base_url_of_host(host: &str) -> String {
    let host = host.trim().trim_matches(['"', '\'']).trim_end_matches('/');
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            (name, port)
        }
        _ => (authority, ""),
    };
    let name = match name {
        "" | "0.0.0.0" | "[::]" => "127.0.0.1",
        name => name,
    };
    let port = match (port, scheme, host.contains("://")) {
        ("", "https", _) => "443",
        ("", _, true) => "80",
        ("", ..) => "11434",
        (port, ..) => port,
    };
    let path = path.trim_end_matches("v1").trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{name}:{port}{slash}{path}/v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollama_host_is_read_as_ollama_reads_it() {
        for (host, base) in [
            ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            (":5", "http://127.0.0.1:5/v1"),
            ("http://box", "http://box:80/v1"),
            ("https://box/ollama/", "https://box:443/ollama/v1"),
            ("http://box:7/v1", "http://box:7/v1"),
            ("[::1]:7", "http://[::1]:7/v1"),
            ("[::1]", "http://[::1]:11434/v1"),
        ] {
            assert_eq!(base_url_of_host(host), base, "{host}");
        }
    }
}
