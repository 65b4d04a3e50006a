//! Traces over OTLP (HTTP, protobuf), by OpenTelemetry's own exporter.
//!
//! Spans of the target `trace` are exported: requests, runs and calls to models, by ids
//! and codes, never by content. The standard `OTEL_*` variables configure the exporter, the batches, the sampler and
//! the resource. Trace context crosses processes as the W3C's `traceparent`, in both directions.

use std::env;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Value;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::collector::COLLECTOR_VARIABLES;

/// How long the last spans may take to reach the collector when the process stops.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// The exporter of this process's spans.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the exporter if the environment names a collector. A configuration that can't be used is told in the
    /// result, and nothing is traced then.
    pub fn from_env() -> Option<Result<Traces, String>> {
        if !is_configured() {
            return None;
        }
        // An error means that a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder().with_http().build();
        Some(exporter.map_err(|error| error.to_string()).map(|exporter| {
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_resource(resource())
                .build();
            Traces(provider)
        }))
    }

    /// Returns the layer that turns `tracing`'s spans into OpenTelemetry's.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("mana"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
    }

    /// Sends the spans that wait, and stops the exporter. Blocks; must not be called on a runtime's thread.
    pub fn flush(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_WITHIN) {
            tracing::warn!(error = %error, "The last traces could not be sent: {error}");
        }
    }
}

/// Whether the environment names a collector and doesn't switch traces off.
fn is_configured() -> bool {
    let set = |name: &str| env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|text| text.trim() == value);
    COLLECTOR_VARIABLES.into_iter().any(set)
        && !is("OTEL_SDK_DISABLED", "true")
        && !is("OTEL_TRACES_EXPORTER", "none")
}

/// Returns the resource of the environment (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), with Mana's name and
/// version where it says nothing.
fn resource() -> Resource {
    let from_env = Resource::builder().build();
    let name = from_env.get(&"service.name".into());
    let is_named =
        matches!(&name, Some(Value::String(name)) if !name.as_str().starts_with("unknown_service"));
    let mut builder = Resource::builder();
    if !is_named {
        builder = builder.with_service_name("mana");
    }
    if from_env.get(&"service.version".into()).is_none() {
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        builder = builder.with_attribute(version);
    }
    builder.build()
}

/// Makes a request's span a child of the caller's, if the request carries a `traceparent`.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    if context.span().span_context().is_valid() {
        // An error means that the span isn't traced.
        let _ = span.set_parent(context);
    }
}

/// Adds the current span's `traceparent` to a request that this process makes.
pub fn add_trace_headers(headers: &mut HeaderMap) {
    let context = Span::current().context();
    TraceContextPropagator::new().inject_context(&context, &mut HeadersMut(headers));
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
