//! Counters and histograms of this process, in Prometheus' format.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::Response;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::Span;

use super::{TRACE_TARGET, continue_trace};

/// Upper bounds of the histograms' buckets, in seconds: from an index lookup to a slow model.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0,
];

/// Time between two moves of measured values into their buckets, whether or not anybody scrapes.
const DRAIN_EVERY: Duration = Duration::from_secs(10);

/// The process's meters.
#[derive(Clone)]
pub struct Meters(PrometheusHandle);

impl Meters {
    /// Installs the recorder. Once a process.
    pub fn install() -> Result<Meters> {
        let handle = PrometheusBuilder::new()
            .set_buckets(&BUCKETS)?
            .install_recorder()
            .context("another recorder of metrics is installed in this process")?;
        describe();
        Ok(Meters(handle))
    }

    /// Moves measured values into their buckets regularly, until it is aborted.
    pub async fn drain(self) {
        let mut every = tokio::time::interval(DRAIN_EVERY);
        loop {
            every.tick().await;
            self.0.run_upkeep();
        }
    }

    /// Returns all values in Prometheus' text format.
    pub fn text(&self, listeners: usize) -> String {
        gauge!("mana_sync_listeners").set(listeners as f64);
        self.0.render()
    }
}

/// A request that is being answered, measured by its route and not by its address, which holds ids.
pub struct Measured {
    /// None where no route has the address.
    route: Option<MatchedPath>,
    method: Method,
    began: Instant,
    span: Span,
}

impl Measured {
    /// Starts measuring a request.
    pub fn begin(request: &Request) -> Measured {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let method = request.method().clone();
        // OpenTelemetry's names for HTTP servers. The address is left out: the route says as much without its ids.
        let span = tracing::info_span!(
            target: TRACE_TARGET,
            "http",
            otel.name = format!("{method}{}{}", if route.is_some() { " " } else { "" }, route_name(&route)),
            otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            http.request.method = method.as_str(),
            http.route = route_name(&route),
            http.response.status_code = tracing::field::Empty,
        );
        continue_trace(&span, request.headers());
        Measured {
            route,
            method,
            began: Instant::now(),
            span,
        }
    }

    /// The span in which the request is answered.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Records the answer.
    pub fn end(self, response: &Response) {
        let status = response.status();
        self.span
            .record("http.response.status_code", u64::from(status.as_u16()));
        if status.is_server_error() {
            self.span.record("otel.status_code", "ERROR");
        }
        if let Some(route) = self.route {
            let labels = [
                ("route", route.as_str().to_owned()),
                ("method", self.method.as_str().to_owned()),
                ("status", status.as_str().to_owned()),
            ];
            histogram!("mana_http_seconds", &labels[..2])
                .record(self.began.elapsed().as_secs_f64());
            counter!("mana_http_answers_total", &labels).increment(1);
        }
    }
}

fn route_name(route: &Option<MatchedPath>) -> &str {
    route.as_ref().map_or("", MatchedPath::as_str)
}

fn describe() {
    for (name, what) in [
        (
            "mana_runner_pass_seconds",
            "The database's time for one look at the schedule",
        ),
        (
            "mana_runner_wake_seconds",
            "The database's time to say when the next run is due",
        ),
        (
            "mana_run_delay_seconds",
            "From a run's due time to its start",
        ),
        ("mana_run_seconds", "From a run's start to its end"),
        (
            "mana_planner_call_seconds",
            "One call to a model, waiting for a place included",
        ),
        ("mana_http_seconds", "One request, by route and method"),
    ] {
        describe_histogram!(name, Unit::Seconds, what);
    }
    for (name, what) in [
        ("mana_runner_passes_total", "Looks at the schedule"),
        ("mana_runner_claims_total", "Runs claimed"),
        (
            "mana_runner_takeovers_total",
            "Claims of runs that ended in the middle before",
        ),
        ("mana_runner_ticks_total", "Ticks that were asked for"),
        ("mana_runs_total", "Runs that ended, by outcome"),
        (
            "mana_run_failures_total",
            "Runs that failed or were not written, by reason",
        ),
        (
            "mana_planner_tokens_total",
            "Tokens that models counted for runs",
        ),
        (
            "mana_planner_errors_total",
            "Calls to models that failed, by reason",
        ),
        (
            "mana_llm_calls_total",
            "Calls of the gateway that ended, by provider and outcome",
        ),
        ("mana_backup_failures_total", "Nightly backups that failed"),
        (
            "mana_http_answers_total",
            "Answers, by route, method and status",
        ),
    ] {
        describe_counter!(name, what);
    }
    for (name, what) in [
        ("mana_backup_age_seconds", "Age of the last good backup"),
        ("mana_backup_bytes", "Size of the last good backup"),
        (
            "mana_backup_seconds",
            "Time that making and proving the last good backup took",
        ),
        ("mana_backup_failed", "Whether the last backup failed"),
        ("mana_runs_under_way", "Runs that this process is at"),
        (
            "mana_sync_listeners",
            "Sockets and streams that listen for changes",
        ),
    ] {
        describe_gauge!(name, what);
    }
}
