//! Telemetry of the server: log lines, meters and traces.

mod collector;
pub mod meters;
#[cfg(feature = "otlp")]
mod otlp;

use std::io::IsTerminal as _;

use axum::http::HeaderMap;
use tracing::Span;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Target of the spans that are traced. Without a collector nobody asks for them, and they cost nothing.
pub const TRACE_TARGET: &str = "trace";

/// Prefix of the targets of all of Mana's crates: `mana`, `mana_server`, `mana_ai` and so on.
const OWN_TARGETS: &str = "mana";

/// The process's subscriber. Dropping it sends the traces that wait, so it must outlive the runtime.
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    traces: Option<otlp::Traces>,
}

impl Telemetry {
    /// Installs the process's subscriber: plain lines on standard error, and traces where a collector is configured.
    /// `RUST_LOG` sets the level of lines, for example `info,mana_ai=debug`.
    pub fn install() -> Telemetry {
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_filter(level_of_lines());
        let registry = tracing_subscriber::registry().with(lines);
        #[cfg(feature = "otlp")]
        {
            let (traces, problem) = match otlp::Traces::from_env() {
                Some(Ok(traces)) => (Some(traces), None),
                Some(Err(problem)) => (None, Some(problem)),
                None => (None, None),
            };
            // An absent layer would enable every span, were it not for its filter.
            let level = match traces {
                Some(_) => LevelFilter::INFO,
                None => LevelFilter::OFF,
            };
            let filter = Targets::new().with_target(TRACE_TARGET, level);
            let layer = traces.as_ref().map(otlp::Traces::layer);
            registry.with(layer.with_filter(filter)).init();
            if let Some(problem) = problem {
                tracing::warn!("Traces can't be sent; correct the OTEL_ variables: {problem}");
            }
            if traces.is_some() {
                mana_llm::set_trace_headers(otlp::add_trace_headers);
            }
            Telemetry { traces }
        }
        #[cfg(not(feature = "otlp"))]
        {
            registry.init();
            if let Some(variable) = collector::COLLECTOR_VARIABLES
                .into_iter()
                .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
            {
                tracing::warn!(
                    "{variable} is set, but this binary has no traces; build it with --features otlp"
                );
            }
            Telemetry {}
        }
    }
}

#[cfg(feature = "otlp")]
impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = &self.traces {
            traces.flush();
        }
    }
}

/// Makes a request's span a child of the caller's, if the request carries a `traceparent` and traces are sent.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    #[cfg(feature = "otlp")]
    if !span.is_disabled() {
        otlp::continue_trace(span, headers);
    }
    #[cfg(not(feature = "otlp"))]
    let _ = (span, headers);
}

/// Returns the filter of log lines: `RUST_LOG`, else information of Mana's own crates and warnings of the others.
fn level_of_lines() -> Targets {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.is_empty());
    wanted
        .and_then(|text| text.parse::<Targets>().ok())
        .unwrap_or_else(|| {
            Targets::new()
                .with_default(LevelFilter::WARN)
                .with_target(TRACE_TARGET, LevelFilter::OFF)
                .with_target(OWN_TARGETS, LevelFilter::INFO)
        })
}
