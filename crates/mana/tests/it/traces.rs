//! Traces: spans that reach a collector over OTLP, and trace context that crosses processes.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use reqwest::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::missions::push_due_mission;
use crate::support::{Home, PATIENCE, Server};
use crate::upstream::{Upstream, plans, step};

/// A collector that accepts everything.
struct Collector(MockServer);

impl Collector {
    async fn start() -> Collector {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/v1/traces"))
            .respond_with(ResponseTemplate::new(200))
            .mount(&server)
            .await;
        Collector(server)
    }

    /// Returns the spans that have arrived so far.
    async fn spans(&self) -> Vec<Span> {
        let requests = self.0.received_requests().await.unwrap();
        requests
            .iter()
            .map(|request| ExportTraceServiceRequest::decode(&request.body[..]).unwrap())
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    /// Waits for a span with this name, and returns all that have arrived.
    async fn spans_with(&self, name: &str) -> Vec<Span> {
        let spans = timeout(PATIENCE, async {
            loop {
                let spans = self.spans().await;
                if spans.iter().any(|span| span.name == name) {
                    return spans;
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        spans.await.expect("the span arrives")
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans
        .iter()
        .find(|span| span.name == name)
        .unwrap_or_else(|| panic!("{name} is among the spans"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns an attribute as text.
fn attribute(span: &Span, key: &str) -> String {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key);
    format!("{:?}", found.and_then(|attribute| attribute.value.as_ref()))
}

#[tokio::test]
async fn traces_reach_a_collector_without_content_and_go_on_at_the_provider() {
    let collector = Collector::start().await;
    let model = Upstream::new().await;
    let good = plans(json!([step("Buy milk", "The fridge is empty.")]));
    model.answers("Weekly shopping", good).await;
    let home = model.home(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.0.uri()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    server.tick(&home.service_key()).await;
    let spans = collector.spans_with("run").await;

    let (run, call) = (named(&spans, "run"), named(&spans, "model"));
    assert_eq!(
        (&call.trace_id, &call.parent_span_id),
        (&run.trace_id, &run.span_id)
    );
    assert_eq!(run.kind(), SpanKind::Internal);
    let request = spans
        .iter()
        .find(|span| span.kind() == SpanKind::Client && span.parent_span_id == call.span_id)
        .expect("the request to the provider is a client span below the call");
    // The provider was asked for its models' facts before.
    let (trace, span) = (hex(&request.trace_id), hex(&request.span_id));
    let parents = model.trace_parents().await;
    assert!(
        parents.contains(&format!("00-{trace}-{span}-01")),
        "{parents:?}"
    );
    let sign_up = named(&spans, "POST /auth/signup");
    assert_eq!(sign_up.kind(), SpanKind::Server);
    assert!(attribute(sign_up, "http.response.status_code").contains("201"));
    assert!(attribute(sign_up, "http.route").contains("/auth/signup"));

    let all = format!("{spans:?}");
    for content in ["shopping", "milk", "hunter2", &owner.token, "owner@"] {
        assert!(!all.contains(content), "{content} in {all}");
    }
    assert!(!home.log().contains("run{"), "spans stay out of the log");
    server.stop().await;
}

#[tokio::test]
async fn traces_that_wait_are_sent_when_the_server_stops() {
    let collector = Collector::start().await;
    let home = Home::new(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.0.uri())]);
    let server = home.start().await;
    for _ in 0..20 {
        server.get("/health").await;
    }
    server.stop().await;
    let spans = collector.spans().await;
    let sent = spans.iter().filter(|span| span.name == "GET /health");
    assert_eq!(sent.count(), 20, "{}", home.log());
}

#[tokio::test]
async fn traces_go_on_from_the_caller() {
    let collector = Collector::start().await;
    let home = Home::new(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.0.uri()),
        ("OTEL_SERVICE_NAME", "mana-at-home"),
    ]);
    let server = home.start().await;
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for parent in [caller, "nonsense"] {
        let request = server.request(Method::GET, "/health");
        request.header("traceparent", parent).send().await.unwrap();
    }
    server.stop().await;
    let spans = collector.spans().await;
    let mut traces: Vec<_> = spans
        .iter()
        .map(|span| (hex(&span.trace_id), hex(&span.parent_span_id)))
        .collect();
    traces.retain(|(_, parent)| !parent.is_empty());
    let expected = (
        "0af7651916cd43dd8448eb211c80319c".to_owned(),
        "b7ad6b7169203331".to_owned(),
    );
    assert_eq!((spans.len(), traces), (2, vec![expected]));
    let requests = collector.0.received_requests().await.unwrap();
    let resource = ExportTraceServiceRequest::decode(&requests[0].body[..]).unwrap();
    assert!(format!("{resource:?}").contains("mana-at-home"));
}

/// An exporter that the environment switches off, or can't configure, doesn't keep the server from starting.
#[tokio::test]
async fn traces_that_are_switched_off_or_misconfigured_are_not_sent() {
    let collector = Collector::start().await;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.0.uri());
    let off = Home::new(&[endpoint, ("OTEL_SDK_DISABLED", "true")]);
    let server = off.start().await;
    server.get("/health").await;
    server.stop().await;
    assert_eq!(collector.spans().await, []);

    let wrong = Home::new(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "no address")]);
    let server = wrong.start().await;
    server.stop().await;
    assert!(wrong.log().contains("OTEL_"), "{}", wrong.log());
}
