//! An HTTP upstream: every call has a deadline, every body a bound, and every
//! failure a plain sentence.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tower::timeout::error::Elapsed;
use tracing::Instrument as _;
use url::Url;

use crate::clients::{CONNECT, Clients, Transport};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::provider_config::ProviderConfig;
use crate::providers::Limits;
use crate::secret::Scrubber;
use crate::trace_context::{add_trace_headers, client_span};

/// Of an error's body no more than this is read, of its text no more is told.
const ERROR_BODY_BYTES: usize = 64 * 1024;
const REASON_CHARS: usize = 500;

/// An answer whose head is there.
pub(crate) type Answer = Response<Incoming>;

/// The user agent.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("mana/", env!("CARGO_PKG_VERSION")));

/// The headers that a protocol wants on every request.
pub(crate) struct ProtocolHeaders {
    /// Names and values that are always the same.
    pub fixed: &'static [(&'static str, &'static str)],
    /// The header that carries the key.
    pub key: &'static str,
    /// The text before the key in it.
    pub key_prefix: &'static str,
}

/// An upstream at a base URL.
pub(crate) struct Upstream {
    name: String,
    label: String,
    base: Url,
    /// The same, as a client takes it.
    uri: Uri,
    /// The headers of every request, with the key; or the fault of the key.
    headers: Result<HeaderMap>,
    transport: Transport,
    clients: Arc<Clients>,
    scrub: Arc<Scrubber>,
}

impl Upstream {
    /// An upstream for a provider; `label` is its name for people.
    pub fn new(
        config: &ProviderConfig,
        label: &str,
        protocol: &ProtocolHeaders,
        clients: Arc<Clients>,
        scrub: Arc<Scrubber>,
    ) -> Self {
        Self {
            name: config.name.clone(),
            label: label.to_owned(),
            base: config.base_url.clone(),
            uri: config.base_url.as_str().parse().unwrap_or_default(),
            headers: headers(config, label, protocol),
            transport: Transport::to(&config.base_url),
            clients,
            scrub,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, for people.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Posts JSON and reads the whole answer.
    pub async fn post(&self, uri: &Uri, body: Vec<u8>, limits: &Limits) -> Result<Bytes> {
        let response = self.open(uri, body, limits).await?;
        self.read(response, limits).await
    }

    /// Reads a page.
    pub async fn get(&self, uri: Uri, limits: &Limits) -> Result<Bytes> {
        let response = self.send(Method::GET, uri, None, limits).await?;
        self.read(response, limits).await
    }

    /// Posts JSON and gives the answer as soon as its head is there and good.
    pub async fn open(&self, uri: &Uri, body: Vec<u8>, limits: &Limits) -> Result<Answer> {
        self.send(Method::POST, uri.clone(), Some(body), limits)
            .await
    }

    /// An address below the base.
    pub fn uri(&self, path: &str) -> Uri {
        self.at(&format!("{}/{path}", self.uri.path().trim_end_matches('/')))
    }

    /// An address beside the base, should that end in `v1`.
    pub fn beside_v1(&self, path: &str) -> Uri {
        let base = self.uri.path().trim_end_matches('/');
        self.at(&format!("{}{path}", base.trim_end_matches("v1")))
    }

    /// Another path, with the base's query.
    fn at(&self, path: &str) -> Uri {
        let path = match self.uri.query() {
            Some(query) if !path.contains('?') => PathAndQuery::try_from(format!("{path}?{query}")),
            _ => PathAndQuery::try_from(path),
        };
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = path.ok();
        Uri::from_parts(parts).unwrap_or_default()
    }

    async fn send(
        &self,
        method: Method,
        uri: Uri,
        body: Option<Vec<u8>>,
        limits: &Limits,
    ) -> Result<Answer> {
        let client = self.clients.get(self.transport);
        let client = client.map_err(|error| self.unreachable(&error))?;
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone()?;
        let span = client_span(&self.name, request.method(), request.uri());
        add_trace_headers(&span, request.headers_mut());
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Full::from(body);
        }
        let response = timeout_at(
            limits.deadline,
            client.request(request).instrument(span.clone()),
        )
        .await
        .map_err(|_| self.too_slow(limits))?
        .map_err(|error| match error.is_connect() {
            true => self.unreachable(&error),
            false => self.cut_off(&error),
        })?;
        let status = response.status();
        span.record("http.response.status_code", status.as_u16());
        if status.is_success() {
            return Ok(response);
        }
        span.record("otel.status_code", "ERROR");
        Err(self.refused(response, limits).await)
    }

    /// The next piece of a body, until the deadline or for as long as silence
    /// is allowed.
    pub async fn chunk(
        &self,
        response: &mut Answer,
        until: Instant,
        limits: &Limits,
    ) -> Result<Option<Bytes>> {
        loop {
            match timeout_at(until, response.body_mut().frame()).await {
                Ok(Some(Ok(frame))) => {
                    // Trailers say nothing that anybody asked for.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(self.cut_off(&error)),
                Err(_) if until < limits.deadline => {
                    return Err(self.error(
                        ErrorKind::Timeout,
                        format!(
                            "{} sent nothing for {} and was given up",
                            self.label(),
                            human(limits.idle)
                        ),
                    ));
                }
                Err(_) => return Err(self.too_slow(limits)),
            }
        }
    }

    /// Reads a body up to the bound; one that says it is larger is not read at all.
    pub async fn read(&self, mut response: Answer, limits: &Limits) -> Result<Bytes> {
        let announced = response.body().size_hint().exact().unwrap_or(0);
        if announced > limits.max_bytes as u64 {
            return Err(self.too_large(limits));
        }
        let mut body = Vec::with_capacity(announced as usize);
        while let Some(chunk) = self.chunk(&mut response, limits.deadline, limits).await? {
            if body.len() + chunk.len() > limits.max_bytes {
                return Err(self.too_large(limits));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(self.clean(body))
    }

    /// The same bytes without configured keys.
    pub fn clean(&self, bytes: Vec<u8>) -> Bytes {
        self.scrub.bytes(bytes).into()
    }

    pub fn error(&self, kind: ErrorKind, message: String) -> GatewayError {
        GatewayError::new(kind, message).from_provider(&self.name)
    }

    pub fn too_large(&self, limits: &Limits) -> GatewayError {
        self.error(
            ErrorKind::TooLarge,
            format!(
                "{} sent an answer larger than {}, which was not read to its end",
                self.label(),
                bytes(limits.max_bytes)
            ),
        )
    }

    fn too_slow(&self, limits: &Limits) -> GatewayError {
        self.error(
            ErrorKind::Timeout,
            format!(
                "{} did not finish its answer within {}; a slow model needs a longer MANA_LLM_TIMEOUT_MS",
                self.label(),
                human(limits.timeout)
            ),
        )
    }

    /// An answer that is no JSON, or not the JSON that was asked for.
    pub fn bad_json(&self, wanted: &str, body: &[u8]) -> GatewayError {
        let got = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => "nothing".to_owned(),
            Some(b'{' | b'[') if serde_json::from_slice::<Value>(body).is_ok() => {
                format!("other JSON: {}", shorten(&String::from_utf8_lossy(body)))
            }
            Some(b'{' | b'[') => "JSON that is broken".to_owned(),
            Some(b'<') => "an HTML page".to_owned(),
            Some(_) => format!("text: {}", shorten(&String::from_utf8_lossy(body))),
        };
        self.error(
            ErrorKind::BadJson,
            format!("{} should have sent {wanted} and sent {got}", self.label()),
        )
    }

    /// A 2xx answer whose body is an error all the same.
    pub fn reported(&self, error: &Value) -> GatewayError {
        let status = error
            .get("code")
            .and_then(Value::as_u64)
            .filter(|code| (400..600).contains(code))
            .unwrap_or(502) as u16;
        let kind = match status {
            429 => ErrorKind::RateLimited { retry_after: None },
            status => ErrorKind::Http(status),
        };
        let reason = reason_of(error).unwrap_or_else(|| shorten(&error.to_string()));
        let mut told = self.error(
            kind,
            format!("{} reported an error: {reason}", self.label()),
        );
        told.upstream = Some(Box::new(error.clone()));
        told
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> GatewayError {
        let why = match causes(error).any(<dyn Error>::is::<Elapsed>) {
            true => format!("no connection within {}", human(CONNECT)),
            false => innermost(error),
        };
        self.error(
            ErrorKind::Connect,
            format!(
                "Can't reach {} at {} ({why}); check that it is running and that the address is right",
                self.label(),
                self.place()
            ),
        )
    }

    fn cut_off(&self, error: &(dyn Error + 'static)) -> GatewayError {
        self.error(
            ErrorKind::CutOff,
            format!(
                "The connection to {} at {} broke off before the answer was complete ({})",
                self.label(),
                self.place(),
                innermost(error)
            ),
        )
    }

    /// Host and port, for people.
    fn place(&self) -> String {
        match (self.base.host_str(), self.base.port_or_known_default()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => self.base.scheme().to_owned(),
        }
    }

    async fn refused(&self, mut response: Answer, limits: &Limits) -> GatewayError {
        let status = response.status();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        if status.is_redirection() {
            return self.error(
                ErrorKind::Http(status.as_u16()),
                format!(
                    "{} wants to send the request elsewhere ({status}); \
                     set its base URL to the final address, /v1 included",
                    self.label()
                ),
            );
        }
        let mut body = Vec::new();
        while body.len() < ERROR_BODY_BYTES {
            match self.chunk(&mut response, limits.deadline, limits).await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                _ => break,
            }
        }
        body.truncate(ERROR_BODY_BYTES);
        let said: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let inner = said.get("error").unwrap_or(&said);
        let reason = reason_of(inner).or_else(|| reason_of(&said)).or_else(|| {
            let text = String::from_utf8_lossy(&body);
            let text = text.trim();
            (!text.is_empty() && !text.starts_with('<')).then(|| shorten(text))
        });
        let kind = match status.as_u16() {
            429 => ErrorKind::RateLimited { retry_after },
            status => ErrorKind::Http(status),
        };
        let advice = match (status.as_u16(), retry_after) {
            (401 | 403, _) => format!("; check the key of {}", self.label()),
            (429, Some(wait)) => format!("; it asks to wait {}", human(wait)),
            _ => String::new(),
        };
        let reason = reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let mut error = self.error(
            kind,
            format!("{} answered {status}{reason}{advice}", self.label()),
        );
        error.upstream = inner.is_object().then(|| Box::new(inner.clone()));
        error
    }
}

/// The headers of every request to a provider.
fn headers(config: &ProviderConfig, label: &str, protocol: &ProtocolHeaders) -> Result<HeaderMap> {
    let accepted = HeaderValue::from_static("application/json, text/event-stream");
    let mut headers = HeaderMap::from_iter([(USER_AGENT, AGENT), (ACCEPT, accepted)]);
    for (name, value) in protocol.fixed {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let Some(key) = &config.key else {
        return Ok(headers);
    };
    let value = format!("{}{}", protocol.key_prefix, key.expose());
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        let why =
            format!("The key of {label} holds characters that a key can't have; copy it again");
        GatewayError::new(ErrorKind::Http(401), why).from_provider(&config.name)
    })?;
    value.set_sensitive(true);
    headers.insert(HeaderName::from_static(protocol.key), value);
    Ok(headers)
}

/// The reason in an error object, however the upstream spells it.
fn reason_of(error: &Value) -> Option<String> {
    let text = match error {
        Value::String(text) => text,
        _ => ["message", "detail", "error", "msg"]
            .iter()
            .find_map(|field| error.get(field)?.as_str())?,
    };
    Some(shorten(text))
}

/// Control characters go too: the text ends in logs and on screens.
fn shorten(text: &str) -> String {
    let mut chars = text.trim().chars();
    let short: String = (&mut chars)
        .take(REASON_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match chars.next() {
        Some(_) => short + "…",
        None => short,
    }
}

/// An error and what caused it, down to the first cause.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string);
    // "Connection refused (os error 111)": the number helps nobody.
    let text = text.unwrap_or_default();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_ascii_lowercase()
}

/// Seconds or a date, as the header may have either.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

pub(crate) fn human(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms < 1000 => format!("{ms} ms"),
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{:.1} s", ms as f64 / 1000.0),
    }
}

fn bytes(count: usize) -> String {
    match count {
        count if count >= 1 << 20 => format!("{} MB", count >> 20),
        count if count >= 1 << 10 => format!("{} kB", count >> 10),
        count => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let parse = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:50:37 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(parse("Sun, 06 Nov 1994 08:40:37 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("soon"), None);
        assert_eq!(parse("-1"), None);
    }

    #[test]
    fn the_reason_is_found_however_it_is_spelt() {
        for error in [
            serde_json::json!("no"),
            serde_json::json!({"message": "no"}),
            serde_json::json!({"detail": "no"}),
        ] {
            assert_eq!(reason_of(&error).as_deref(), Some("no"));
        }
        assert_eq!(shorten(&"ü".repeat(501)), format!("{}…", "ü".repeat(500)));
        assert_eq!(shorten("\0a\n\u{1b}[31mb "), " a  [31mb");
    }
}
