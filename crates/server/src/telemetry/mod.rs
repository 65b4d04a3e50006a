//! What the server says about itself: log lines, meters and traces.

pub mod meters;
pub mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::traces::Traces;

/// Prefix of the targets of all of Mana's crates: `mana`, `mana_server`, `mana_ai` and so on.
const OWN_TARGETS: &str = "mana";

/// Installs the process's subscriber: plain lines on standard error, and traces where a collector is configured.
/// `RUST_LOG` sets the level of lines, for example `info,mana_ai=debug`.
pub fn install() {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.is_empty());
    let filter = wanted
        .and_then(|text| text.parse::<Targets>().ok())
        .unwrap_or_else(|| {
            Targets::new()
                .with_default(LevelFilter::WARN)
                .with_target(traces::TARGET, LevelFilter::OFF)
                .with_target(OWN_TARGETS, LevelFilter::INFO)
        });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(filter);
    let traces = Traces::from_env();
    // An absent layer would enable every span, were it not for its filter.
    let wanted = match traces {
        Some(_) => LevelFilter::INFO,
        None => LevelFilter::OFF,
    };
    let filter = Targets::new().with_target(traces::TARGET, wanted);
    tracing_subscriber::registry()
        .with(lines)
        .with(traces.with_filter(filter))
        .init();
}
