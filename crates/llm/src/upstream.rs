//! An HTTP upstream: every call has a deadline, every body a bound, and every failure a plain sentence.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, PROXY_AUTHORIZATION, USER_AGENT};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::proxy::matcher::Matcher;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout, timeout_at};
use tower::timeout::error::Elapsed;
use tracing::Instrument as _;
use url::Url;

use crate::clients::{CONNECT, Clients, Transport, proxy_authorization};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::extra::{Extra, add_names};
use crate::inflate::{Inflate, Unreadable};
use crate::provider_config::ProviderConfig;
use crate::providers::Limits;
use crate::reason::{causes, innermost, reason_of, retry_after, said_retry, shorten};
use crate::secret::Scrubber;
use crate::trace_context::{add_trace_headers, client_span};
use crate::wire::mend_half_pairs;

/// Of an error's body no more than this is read.
const ERROR_BODY_BYTES: usize = 64 * 1024;
/// How long it is asked whether a base URL lacks its `/v1`.
const V1_PATIENCE: Duration = Duration::from_secs(2);

/// An answer whose head is there.
pub(crate) struct Answer {
    response: Response<Incoming>,
    inflate: Inflate,
    /// The start of the body, read to see what it holds.
    ahead: Option<Bytes>,
}

impl Answer {
    fn new(response: Response<Incoming>) -> Self {
        let inflate = Inflate::of(response.headers());
        Self {
            response,
            inflate,
            ahead: None,
        }
    }

    /// Puts a piece back, to be read again.
    pub fn put_back(&mut self, piece: Bytes) {
        self.ahead = Some(piece);
    }
}

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
    /// Headers and fields that the owner adds.
    extra: Extra,
    /// Whether there is an API below `/v1` of the base, where that was asked.
    has_v1: OnceCell<bool>,
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
        let uri = config.base_url.as_str().parse().unwrap_or_default();
        let transport = Transport::to(&config.base_url);
        let mut headers = headers(config, label, protocol);
        if transport == Transport::Remote
            && let Ok(headers) = &mut headers
            && let Some(shown) = proxy_authorization(&uri, &Matcher::from_env())
        {
            headers.insert(PROXY_AUTHORIZATION, shown);
        }
        Self {
            name: config.name.clone(),
            label: label.to_owned(),
            base: config.base_url.clone(),
            uri,
            headers,
            extra: config.extra.clone(),
            has_v1: OnceCell::new(),
            transport,
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

    /// Posts JSON that is about a model, and reads the whole answer.
    pub async fn post(
        &self,
        uri: &Uri,
        model: &str,
        body: Vec<u8>,
        limits: &Limits,
    ) -> Result<Bytes> {
        let response = self.open(uri, model, body, limits).await?;
        self.read(response, limits).await
    }

    /// The body of a chat, with the fields that the owner adds for the provider and for the model.
    pub fn chat_body(&self, model: &str, body: Vec<u8>) -> Vec<u8> {
        self.model_body(model, self.extra.own().add_fields(body))
    }

    /// The body of another request about a model, with the fields that the owner adds for it.
    pub fn model_body(&self, model: &str, body: Vec<u8>) -> Vec<u8> {
        match self.extra.of_model(model) {
            Some(extra) => extra.add_fields(body),
            None => body,
        }
    }

    /// Reads a page.
    pub async fn get(&self, uri: Uri, limits: &Limits) -> Result<Bytes> {
        let response = self.send(Method::GET, uri, "", None, None, limits).await?;
        self.read(response, limits).await
    }

    /// Posts JSON and gives the answer as soon as its head is there and good.
    pub async fn open(
        &self,
        uri: &Uri,
        model: &str,
        body: Vec<u8>,
        limits: &Limits,
    ) -> Result<Answer> {
        self.send(Method::POST, uri.clone(), model, Some(body), None, limits)
            .await
    }

    /// The same with names in a header, beside those that the owner has in it.
    pub async fn open_naming(
        &self,
        uri: &Uri,
        model: &str,
        body: Vec<u8>,
        names: (HeaderName, &[String]),
        limits: &Limits,
    ) -> Result<Answer> {
        let post = Method::POST;
        self.send(post, uri.clone(), model, Some(body), Some(names), limits)
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
        model: &str,
        body: Option<Vec<u8>>,
        names: Option<(HeaderName, &[String])>,
        limits: &Limits,
    ) -> Result<Answer> {
        let client = self.clients.get(self.transport);
        let client = client.map_err(|error| self.unreachable(&error))?;
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone()?;
        if let Some(extra) = self.extra.of_model(model) {
            extra.add_headers(request.headers_mut());
        }
        if let Some((header, names)) = names {
            add_names(request.headers_mut(), header, names);
        }
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
        let answer = Answer::new(response);
        if status.is_success() {
            return Ok(answer);
        }
        span.record("otel.status_code", "ERROR");
        Err(self.refused(answer, limits).await)
    }

    /// The next piece of a body, until the deadline or for as long as silence
    /// is allowed.
    pub async fn chunk(
        &self,
        answer: &mut Answer,
        until: Instant,
        limits: &Limits,
    ) -> Result<Option<Bytes>> {
        if let Some(ahead) = answer.ahead.take() {
            return Ok(Some(ahead));
        }
        loop {
            match timeout_at(until, answer.response.body_mut().frame()).await {
                Ok(Some(Ok(frame))) => {
                    // Trailers say nothing that anybody asked for.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let inflate = &mut answer.inflate;
                    let begun = inflate.begin(&data);
                    begun.map_err(|error| self.unreadable(&error, limits))?;
                    if inflate.is_plain() {
                        return Ok(Some(data));
                    }
                    let taken = inflate.take(&data, limits.max_bytes);
                    let taken = taken.map_err(|error| self.unreadable(&error, limits))?;
                    if !taken.is_empty() {
                        return Ok(Some(taken.into()));
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
    pub async fn read(&self, mut answer: Answer, limits: &Limits) -> Result<Bytes> {
        let announced = answer.response.body().size_hint().exact().unwrap_or(0);
        if announced > limits.max_bytes as u64 {
            return Err(self.too_large(limits));
        }
        let mut body = Vec::with_capacity(announced as usize);
        while let Some(chunk) = self.chunk(&mut answer, limits.deadline, limits).await? {
            if body.len() + chunk.len() > limits.max_bytes {
                return Err(self.too_large(limits));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(self.clean(body))
    }

    /// The same bytes without configured keys and halves of surrogate pairs.
    pub fn clean(&self, bytes: Vec<u8>) -> Bytes {
        mend_half_pairs(self.scrub.bytes(bytes)).into()
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

    fn unreadable(&self, why: &Unreadable, limits: &Limits) -> GatewayError {
        let how = match why {
            Unreadable::TooLarge => return self.too_large(limits),
            Unreadable::Coding(name) => {
                format!("compressed in a way that was not asked for ({name})")
            }
            Unreadable::Broken => "compressed, and the compression is broken".to_owned(),
        };
        let message = format!("{} sent an answer that is {how}", self.label());
        self.error(ErrorKind::BadJson, message)
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
            Some(b'<') => match self.uri.path() {
                "/" => "an HTML page; does its base URL lack /v1?".to_owned(),
                _ => "an HTML page".to_owned(),
            },
            Some(_) => format!("text: {}", shorten(&String::from_utf8_lossy(body))),
        };
        self.error(
            ErrorKind::BadJson,
            format!("{} should have sent {wanted} and sent {got}", self.label()),
        )
    }

    /// A 2xx answer whose body is an error all the same.
    pub fn reported(&self, error: &Value) -> GatewayError {
        let code = |field: &str| match error.get(field)? {
            Value::String(text) => text.trim().parse().ok(),
            code => code.as_u64(),
        };
        let codes = ["code", "status", "status_code"].into_iter();
        let status = codes
            .filter_map(code)
            .find(|code| (400..600).contains(code))
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

    /// The base URL with `/v1` behind it.
    fn with_v1(&self) -> String {
        let mut url = self.base.clone();
        url.set_query(None);
        format!("{}/v1", url.as_str().trim_end_matches('/'))
    }

    /// Whether the base URL lacks its `/v1`: it names none, and there is a list of models below one. Asked once.
    async fn has_v1(&self) -> bool {
        if self
            .uri
            .path()
            .split('/')
            .any(|part| part.starts_with("v1"))
        {
            return false;
        }
        let ask = async || -> Option<bool> {
            let mut request = Request::new(Full::default());
            *request.uri_mut() = self.uri("v1/models");
            *request.headers_mut() = self.headers.clone().ok()?;
            let client = self.clients.get(self.transport).ok()?;
            let answer = timeout(V1_PATIENCE, client.request(request))
                .await
                .ok()?
                .ok()?;
            let is_json = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/json");
            let kind = answer.headers().get(CONTENT_TYPE);
            let is_page = answer.status().is_success() && kind.is_some_and(is_json);
            Some(is_page || matches!(answer.status().as_u16(), 401 | 403))
        };
        let asked = self
            .has_v1
            .get_or_init(async || ask().await.unwrap_or(false));
        *asked.await
    }

    /// Host and port, for people.
    fn place(&self) -> String {
        match (self.base.host_str(), self.base.port_or_known_default()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => self.base.scheme().to_owned(),
        }
    }

    async fn refused(&self, mut answer: Answer, limits: &Limits) -> GatewayError {
        let status = answer.response.status();
        let headers = answer.response.headers();
        let retry_after = retry_after(headers, SystemTime::now());
        let said_retry = said_retry(headers);
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
            match self.chunk(&mut answer, limits.deadline, limits).await {
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
            (404 | 405, _) if self.has_v1().await => format!(
                "; there is an API at {}, so set the base URL to that",
                self.with_v1()
            ),
            (429 | 503, Some(wait)) => format!("; it asks to wait {}", human(wait)),
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
        let wait = retry_after.filter(|_| status.as_u16() == 503);
        error.wait_millis = wait.and_then(|wait| u32::try_from(wait.as_millis()).ok());
        error.said_retry = said_retry;
        error
    }
}

/// The headers of every request to a provider.
fn headers(config: &ProviderConfig, label: &str, protocol: &ProtocolHeaders) -> Result<HeaderMap> {
    let accepted = HeaderValue::from_static("application/json, text/event-stream");
    // Where a request says nothing of it, any compression is fine.
    let plain = HeaderValue::from_static("identity");
    let mut headers = HeaderMap::from_iter([
        (USER_AGENT, AGENT),
        (ACCEPT, accepted),
        (ACCEPT_ENCODING, plain),
    ]);
    for (name, value) in protocol.fixed {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let Some(key) = &config.key else {
        config.extra.own().add_headers(&mut headers);
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
    config.extra.own().add_headers(&mut headers);
    Ok(headers)
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
