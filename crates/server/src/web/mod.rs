//! The web app inside the binary: its files, and `index.html` for every address that is a page.

mod csp;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "../../web/build"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";

/// Folder of files that Vite names by their content.
const IMMUTABLE: &str = "_app/immutable/";

/// The web app with its content security policy.
#[derive(Debug, Clone)]
pub struct WebApp {
    policy: Arc<csp::Policy>,
}

impl WebApp {
    /// Reads the page's inline scripts, which the policy allows by their hashes.
    pub fn load() -> WebApp {
        let page = Files::get(INDEX).map(|file| String::from_utf8_lossy(&file.data).into_owned());
        let policy = csp::Policy::of(page.as_deref().unwrap_or_default());
        WebApp {
            policy: Arc::new(policy),
        }
    }

    /// Returns the policy. In a debug build the page lies on disk and may have changed.
    fn policy(&self) -> Arc<csp::Policy> {
        if cfg!(debug_assertions) {
            WebApp::load().policy
        } else {
            self.policy.clone()
        }
    }
}

/// Answers an address that no route of the API has.
pub fn serve(app: &WebApp, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_found();
    }
    let path = uri.path().trim_start_matches('/');
    let mut response = match Files::get(path) {
        Some(file) => asset(path, file, headers),
        None if is_page(path) => page(headers),
        None => return not_found(),
    };
    // Scripts have the policy too: a worker's policy is the one of its script.
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, app.policy().header(host));
    response
}

/// Whether the path is a page's: without a dot in its last part, so that a missing file doesn't turn into a page.
fn is_page(path: &str) -> bool {
    !path.starts_with("_app/") && !path.rsplit('/').next().unwrap_or_default().contains('.')
}

fn page(headers: &HeaderMap) -> Response {
    match Files::get(INDEX) {
        Some(file) => asset(INDEX, file, headers),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            Html(
                "<!doctype html><title>Mana</title><p>The web app isn't built. \
                 Run <code>cargo xtask serve</code>, which builds it.",
            ),
        )
            .into_response(),
    }
}

fn asset(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag: String = file.metadata.sha256_hash()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Weak, because the same file may be sent compressed.
    let etag = format!("W/\"{tag}\"");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|tags| tags.split(',').any(|tag| tag.trim() == etag))
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else if let Some(small) = compressed(path, headers) {
        let mut response = Response::new(Body::from(small.data));
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response
    } else {
        Response::new(Body::from(file.data))
    };
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, content_type(path, &file.metadata));
    fields.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(caching(path)),
    );
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    response
}

/// Returns the file as the web build compressed it, which takes longer and comes out smaller than compressing here.
fn compressed(path: &str, headers: &HeaderMap) -> Option<EmbeddedFile> {
    let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let brotli = accepted.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim() == "br" && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    });
    brotli.then(|| Files::get(&format!("{path}.br"))).flatten()
}

/// Returns the caching rule: files that are named by their content never change, others are revalidated each time.
fn caching(path: &str) -> &'static str {
    if path.starts_with(IMMUTABLE) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn content_type(path: &str, metadata: &rust_embed::Metadata) -> HeaderValue {
    let mime = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("webmanifest") => "application/manifest+json",
        _ => metadata.mimetype(),
    };
    let text = mime.starts_with("text/") || mime == "application/json";
    let charset = if text { "; charset=utf-8" } else { "" };
    HeaderValue::from_str(&format!("{mime}{charset}"))
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn not_found() -> Response {
    ApiError::not_found("There is nothing at this address; check it.").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_files_named_by_their_content_are_kept_for_ever_and_the_page_is_not() {
        assert!(caching("_app/immutable/chunks/a.js").contains("immutable"));
        for path in ["index.html", "service-worker.js", "_app/version.json"] {
            assert_eq!(caching(path), "no-cache", "{path}");
        }
    }

    #[test]
    fn web_pages_are_told_from_missing_files() {
        for page in ["", "todo", "companion/missions/0190-x", "login"] {
            assert!(is_page(page), "{page}");
        }
        for file in ["favicon.ico", "_app/immutable/gone", "fonts/a.woff2"] {
            assert!(!is_page(file), "{file}");
        }
    }
}
