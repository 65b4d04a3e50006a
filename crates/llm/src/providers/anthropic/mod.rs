//! Anthropic, which speaks a protocol of its own.

mod adapter;
mod answer;
mod blocks;
mod call_ids;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod messages;
mod model;
mod request;
mod schema;
mod schema_tool;
mod stream;
mod thinking;

use crate::providers::known_provider::{KnownProvider, Protocol, cached, family, long, price};
use crate::providers::openai::COMPATIBLE;
use crate::upstream::ProtocolHeaders;

/// Anthropic's Messages.
const PROTOCOL: Protocol = Protocol {
    name: "anthropic",
    label: "Anthropic Messages",
    headers: ProtocolHeaders {
        // The protocol has had one version since 2023.
        fixed: &[("anthropic-version", "2023-06-01")],
        key: "x-api-key",
        key_prefix: "",
    },
    connect: |upstream, _| Box::new(adapter::Anthropic::new(upstream)),
};

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "anthropic",
    label: "Anthropic",
    base_url: "https://api.anthropic.com/v1",
    key: Some("ANTHROPIC_API_KEY"),
    protocol: &PROTOCOL,
    prefers: &["claude-sonnet", "claude-"],
    models: &[family("claude-", [true, true, true], 200_000)],
    prices: &[
        price("claude-haiku-4-5", 1.0, 5.0),
        price("claude-sonnet-5-5", 2.0, 10.0),
        price("claude-sonnet-5", 2.0, 10.0),
        price("claude-sonnet-4-6", 3.0, 15.0),
        price("claude-sonnet-4-5", 3.0, 15.0),
        price("claude-sonnet-4-0", 3.0, 15.0),
        price("claude-sonnet-4", 3.0, 15.0),
        price("claude-opus-5-5", 4.0, 20.0),
        price("claude-opus-5", 5.0, 25.0),
        price("claude-opus-4-8", 5.0, 25.0),
        price("claude-opus-4-7", 5.0, 25.0),
        price("claude-opus-4-6", 5.0, 25.0),
        price("claude-opus-4-5", 5.0, 25.0),
        price("claude-opus-4-1", 15.0, 75.0),
        price("claude-opus-4-0", 15.0, 75.0),
        price("claude-opus-4", 15.0, 75.0),
    ],
    rates: &[
        cached("claude-", 0.1),
        cached("claude-sonnet-4-6", 0.1),
        long(cached("claude-sonnet-4", 0.1), 200_000),
    ],
    ..COMPATIBLE
};
