//! The content security policy of the page: its own files, its own server, and only the inline code of the build.

use axum::http::HeaderValue;

use crate::random::sha256_base64;

/// The policy of one build of the page.
#[derive(Debug)]
pub struct Policy {
    scripts: String,
    styles: String,
}

impl Policy {
    /// Makes the policy that allows exactly the inline scripts and styles of this page.
    pub fn of(page: &str) -> Policy {
        Policy {
            scripts: hashes(page, "script"),
            styles: hashes(page, "style"),
        }
    }

    /// Returns the header's value. Older browsers don't count web sockets as `'self'`, so the host is named.
    pub fn header(&self, host: Option<&str>) -> HeaderValue {
        let sockets = host
            .filter(|host| is_host(host))
            .map(|host| format!(" ws://{host} wss://{host}"))
            .unwrap_or_default();
        let text = format!(
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{}; style-src 'self'{}; \
             style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; \
             connect-src 'self'{sockets}; object-src 'none'; base-uri 'self'; \
             form-action 'self'; frame-ancestors 'none'",
            self.scripts, self.styles,
        );
        HeaderValue::from_str(&text).expect("hashes and a checked host are visible ASCII")
    }
}

/// Whether the text is a host: it comes from the request and goes into the policy.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
}

/// Returns ` 'sha256-…'` for each inline element of a name.
fn hashes(page: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut found = String::new();
    let mut rest = page;
    while let Some(start) = rest.find(&open) {
        rest = &rest[start + open.len()..];
        let Some((attributes, after)) = rest.split_once('>') else {
            break;
        };
        let Some((content, after)) = after.split_once(close.as_str()) else {
            break;
        };
        if !attributes.contains("src=") && !content.is_empty() {
            // A browser hashes the text as parsed, and parsing turns CRLF into LF.
            found += &format!(
                " 'sha256-{}'",
                sha256_base64(content.replace("\r\n", "\n").as_bytes())
            );
        }
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csp_allows_the_pages_own_inline_scripts_and_no_others() {
        let page = "<script>alert('Hello, world.');</script><script src=\"/a.js\"></script><style>p{}</style>";
        let header = Policy::of(page).header(Some("mana.example:3050"));
        let text = header.to_str().unwrap();
        // The example of the specification.
        assert!(
            text.contains("'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"),
            "{text}"
        );
        assert_eq!(text.matches("sha256-").count(), 2, "{text}");
        assert!(
            text.contains("connect-src 'self' ws://mana.example:3050 wss://mana.example:3050;"),
            "{text}"
        );
        let scripts = text
            .split(';')
            .find(|part| part.trim().starts_with("script-src "))
            .unwrap();
        assert!(
            !scripts.contains("unsafe-inline") && !scripts.contains("'unsafe-eval'"),
            "{scripts}"
        );
    }

    #[test]
    fn csp_takes_no_words_from_the_request() {
        let header = Policy::of("").header(Some("evil; script-src *"));
        assert!(!header.to_str().unwrap().contains("evil"));
    }
}
