//! The web app inside the binary: its files, and `index.html` for every address that is a page.

mod csp;

use std::io::Read as _;
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
        let page = plain(INDEX).map(|file| String::from_utf8_lossy(&file.data).into_owned());
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
    let mut response = match asset(path, headers) {
        Some(response) => response,
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
    asset(INDEX, headers).unwrap_or_else(|| {
        let missing = "<!doctype html><title>Mana</title><p>The web app isn't built. \
                       Run <code>cargo xtask serve</code>, which builds it.";
        (StatusCode::SERVICE_UNAVAILABLE, Html(missing)).into_response()
    })
}

/// A file as the web build left it. Of a file that compresses well only the compressed ones are kept: they are smaller
/// than what the server could make, and a third copy would only make the binary larger.
struct Stored {
    file: EmbeddedFile,
    encoding: Option<&'static str>,
}

/// The form of a file that a client takes, the smallest first.
fn stored(path: &str, headers: &HeaderMap) -> Option<Stored> {
    let encodings = [("br", "br"), ("gzip", "gz")];
    let compressed = encodings.iter().find_map(|&(encoding, ending)| {
        let file =
            Files::get(&format!("{path}.{ending}")).filter(|_| accepts(headers, encoding))?;
        let encoding = Some(encoding);
        Some(Stored { file, encoding })
    });
    compressed.or_else(|| {
        let file = plain(path)?;
        let encoding = None;
        Some(Stored { file, encoding })
    })
}

/// A file without compression, made from the compressed one where the build left no other.
fn plain(path: &str) -> Option<EmbeddedFile> {
    let file = Files::get(path);
    file.or_else(|| {
        let EmbeddedFile { data, metadata } = Files::get(&format!("{path}.gz"))?;
        let unpacked = unpack(&data);
        let data = unpacked
            .inspect_err(|error| tracing::error!("The web app's {path} can't be read: {error}"));
        Some(EmbeddedFile {
            data: data.ok()?.into(),
            metadata,
        })
    })
}

fn unpack(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(data).read_to_end(&mut plain)?;
    Ok(plain)
}

fn asset(path: &str, headers: &HeaderMap) -> Option<Response> {
    let Stored { file, encoding } = stored(path, headers)?;
    let tag: String = file.metadata.sha256_hash()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Weak, because a proxy may change the compression.
    let etag = format!("W/\"{tag}\"");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|tags| tags.split(',').any(|tag| tag.trim() == etag))
    });
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Response::new(Body::from(file.data)),
    };
    let fields = response.headers_mut();
    if let Some(encoding) = encoding.filter(|_| !known) {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    fields.insert(header::CONTENT_TYPE, content_type(path));
    fields.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(caching(path)),
    );
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    Some(response)
}

/// Whether a client takes an encoding.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        name.trim() == encoding && !refused
    })
}

/// Returns the caching rule: files that are named by their content never change, others are revalidated each time.
fn caching(path: &str) -> &'static str {
    if path.starts_with(IMMUTABLE) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn content_type(path: &str) -> HeaderValue {
    let guess = mime_guess::from_path(path).first_raw();
    let mime = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("webmanifest") => "application/manifest+json",
        _ => guess.unwrap_or("application/octet-stream"),
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
    fn web_files_are_sent_in_an_encoding_that_the_client_takes() {
        let takes = |value: &'static str, encoding| {
            let value = HeaderValue::from_static(value);
            accepts(
                &HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]),
                encoding,
            )
        };
        assert!(takes("gzip, deflate, br;q=1.0", "br") && takes("gzip, deflate", "gzip"));
        assert!(!takes("gzip, br;q=0", "br") && !takes("brotli", "br") && !takes("", "gzip"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));

        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"<!doctype html>").unwrap();
        assert_eq!(
            unpack(&packed.finish().unwrap()).unwrap(),
            b"<!doctype html>"
        );
        assert!(unpack(b"no gzip").is_err());
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
