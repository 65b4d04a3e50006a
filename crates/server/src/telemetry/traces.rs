//! Traces over OTLP, for whoever sets `OTEL_EXPORTER_OTLP_ENDPOINT`: how long requests, runs and calls to models take,
//! by ids and codes, never by content. OTLP's JSON over HTTP is small enough to be written here; its crates are not.
//!
//! What is traced are spans of the target [`TARGET`]. Without the variable nobody asks for them, and they cost nothing.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The target of spans that are traced.
pub const TARGET: &str = "trace";

/// Spans that wait to be sent; more are dropped, for a collector that is down must not fill the memory.
const WAITING: usize = 4_096;

/// Spans in one request.
const BATCH: usize = 512;

/// How long a span waits for others to be sent with.
const SEND_EVERY: Duration = Duration::from_secs(5);

/// How long the collector may take.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Hands ended spans on.
pub struct Traces(mpsc::Sender<Value>);

/// Sends what [`Traces`] hands on, once [`run`](Exporter::run).
pub struct Exporter {
    url: String,
    spans: mpsc::Receiver<Value>,
}

/// Between the start, where the layer is installed, and the server, which sends.
static EXPORTER: Mutex<Option<Exporter>> = Mutex::new(None);

impl Traces {
    /// A layer that traces, if the environment names a collector.
    pub fn from_env() -> Option<Traces> {
        let base = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok()?;
        let base = base.trim().trim_end_matches('/');
        if base.is_empty() {
            return None;
        }
        let (sender, spans) = mpsc::channel(WAITING);
        let exporter = Exporter {
            url: format!("{base}/v1/traces"),
            spans,
        };
        *EXPORTER.lock().unwrap_or_else(PoisonError::into_inner) = Some(exporter);
        Some(Traces(sender))
    }
}

impl Exporter {
    /// The one that the installed layer hands on to.
    pub fn take() -> Option<Exporter> {
        EXPORTER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Sends until it is aborted.
    pub async fn run(mut self) {
        // An error means that it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = match reqwest::Client::builder().timeout(SEND_WITHIN).build() {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!("Traces can't be sent: {error}");
                return;
            }
        };
        let mut failing = false;
        loop {
            tokio::time::sleep(SEND_EVERY).await;
            loop {
                let mut batch = Vec::new();
                while batch.len() < BATCH
                    && let Ok(span) = self.spans.try_recv()
                {
                    batch.push(span);
                }
                if batch.is_empty() {
                    break;
                }
                let sent = client.post(&self.url).json(&envelope(batch)).send().await;
                let failed = sent.and_then(reqwest::Response::error_for_status).err();
                // Said once, not for every batch; the address may hold a secret.
                if let (Some(error), false) = (&failed, failing) {
                    let error = error
                        .status()
                        .map_or("it can't be reached".to_owned(), |status| {
                            status.to_string()
                        });
                    tracing::warn!("Traces are lost, the collector doesn't take them: {error}");
                }
                failing = failed.is_some();
            }
        }
    }
}

fn envelope(spans: Vec<Value>) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", "mana"), text("service.version", version)] },
        "scopeSpans": [{ "scope": { "name": "mana" }, "spans": spans }],
    }] })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A span that goes on.
struct Going {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    began: u128,
    attributes: Vec<Value>,
}

impl<S> Layer<S> for Traces
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            let going = extensions.get::<Going>()?;
            Some((going.trace, going.id))
        });
        let mut going = Going {
            trace: parent.map_or_else(|| uuid::Uuid::now_v7().as_u128(), |parent| parent.0),
            id: uuid::Uuid::now_v7().as_u64_pair().1,
            parent: parent.map(|parent| parent.1),
            began: now(),
            attributes: Vec::new(),
        };
        attributes.record(&mut Attribute(&mut going.attributes));
        span.extensions_mut().insert(going);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(going) = span.extensions_mut().get_mut::<Going>() {
            values.record(&mut Attribute(&mut going.attributes));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let Some(going) = span.extensions_mut().remove::<Going>() else {
            return;
        };
        let mut ended = json!({
            "traceId": format!("{:032x}", going.trace), "spanId": format!("{:016x}", going.id),
            "name": span.name(), "kind": 1,
            "startTimeUnixNano": going.began.to_string(), "endTimeUnixNano": now().to_string(),
            "attributes": going.attributes,
        });
        if let Some(parent) = going.parent {
            ended["parentSpanId"] = json!(format!("{parent:016x}"));
        }
        // Full: the collector is slow or away.
        let _ = self.0.try_send(ended);
    }
}

/// Nanoseconds since the epoch.
fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_nanos()
}

/// Collects a span's fields.
struct Attribute<'a>(&'a mut Vec<Value>);

impl Visit for Attribute<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push(text(field.name(), value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = json!({ "intValue": value.to_string() });
        self.0.push(json!({ "key": field.name(), "value": value }));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(text(field.name(), &format!("{value:?}")));
    }
}
