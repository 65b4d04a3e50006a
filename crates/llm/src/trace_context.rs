//! Traces of calls to providers: a client span for each request, and the headers that carry its context.

use std::sync::OnceLock;

use axum::http::{HeaderMap, Method, Uri};
use tracing::Span;

static ADD_HEADERS: OnceLock<fn(&mut HeaderMap)> = OnceLock::new();

/// Sets the function that adds the current span's context, such as `traceparent`, to every request to a provider. Once
/// a process; without it no header is added.
pub fn set_trace_headers(add: fn(&mut HeaderMap)) {
    ADD_HEADERS.get_or_init(|| add);
}

/// Adds the context of the span to a request's headers.
pub(crate) fn add_trace_headers(span: &Span, headers: &mut HeaderMap) {
    if let Some(add) = ADD_HEADERS.get() {
        span.in_scope(|| add(headers));
    }
}

/// Returns the span of a request to a provider, in OpenTelemetry's names for HTTP clients. The address' path and query
/// are left out: they may hold a key.
pub(crate) fn client_span(provider: &str, method: &Method, uri: &Uri) -> Span {
    tracing::info_span!(
        target: "trace",
        "provider",
        otel.name = method.as_str(),
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        gen_ai.provider.name = provider,
        http.request.method = method.as_str(),
        http.response.status_code = tracing::field::Empty,
        server.address = uri.host().unwrap_or_default(),
        server.port = uri.port_u16(),
    )
}
