//! OpenAI, and what every provider shares that speaks its protocol.

mod adapter;
mod calls;
mod chat_form;
pub(crate) mod dialect;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod gathered;
mod reported;
mod stream;

use crate::providers::known_provider::{
    AddressVariable, CONCURRENCY, KnownProvider, Protocol, Rates, cached, family, long, price,
};
use crate::upstream::ProtocolHeaders;
use dialect::Dialect;

/// OpenAI's chat completions, as nearly everybody speaks them.
pub(crate) const PROTOCOL: Protocol = Protocol {
    name: "openai",
    label: "OpenAI Chat Completions",
    headers: ProtocolHeaders {
        fixed: &[],
        key: "authorization",
        key_prefix: "Bearer ",
    },
    connect: |upstream, dialect| Box::new(adapter::OpenAi::new(upstream, dialect)),
};

/// The values that a provider's row leaves out: OpenAI's protocol, and nothing of its own.
pub(crate) const COMPATIBLE: KnownProvider = KnownProvider {
    name: "",
    label: "",
    base_url: "",
    key: None,
    address: None,
    protocol: &PROTOCOL,
    host: None,
    dialect: Dialect::USUAL,
    concurrency: CONCURRENCY,
    is_local: false,
    prefers: &[],
    without_models: "",
    models: &[],
    prices: &[],
    rates: &[],
};

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "openai",
    label: "OpenAI",
    base_url: "https://api.openai.com/v1",
    key: Some("OPENAI_API_KEY"),
    address: Some(AddressVariable {
        name: "OPENAI_BASE_URL",
        unset: "OpenAI's own",
        read: str::to_owned,
    }),
    host: Some("openai.com"),
    dialect: Dialect {
        // OpenAI itself calls the bound of an answer by a newer name than others know.
        bound_field: |_| "max_completion_tokens",
        takes_temperature: |model| !dialect::thinks(model),
        knows_developer: true,
        is_openais: true,
        takes_thoughts: false,
        ..Dialect::USUAL
    },
    prefers: &["gpt-5-mini", "gpt-5", "gpt-4.1-mini", "gpt-4o-mini", "gpt-"],
    models: &[
        family("gpt-5", [true, true, true], 400_000),
        family("gpt-4.1", [true, true, true], 1_047_576),
        family("gpt-4o", [true, true, true], 128_000),
        family("gpt-oss", [true, true, false], 131_072),
        family("gpt-3.5", [true, false, false], 16_385),
        family("o3", [true, true, true], 200_000),
        family("o4", [true, true, true], 200_000),
    ],
    prices: &[
        price("gpt-5.5-pro", 30.0, 180.0),
        price("gpt-5.5", 5.0, 30.0),
        price("gpt-5.4-pro", 30.0, 180.0),
        price("gpt-5.4-nano", 0.2, 1.25),
        price("gpt-5.4-mini", 0.75, 4.5),
        price("gpt-5.4", 2.5, 15.0),
        price("gpt-5.2-pro", 21.0, 168.0),
        price("gpt-5.2", 1.75, 14.0),
        price("gpt-5.1", 1.25, 10.0),
        price("gpt-5-pro", 15.0, 120.0),
        price("gpt-5-nano", 0.05, 0.4),
        price("gpt-5-mini", 0.25, 2.0),
        price("gpt-5-codex", 1.25, 10.0),
        price("gpt-5-chat-latest", 1.25, 10.0),
        price("gpt-5", 1.25, 10.0),
        price("gpt-4.1-nano", 0.1, 0.4),
        price("gpt-4.1-mini", 0.4, 1.6),
        price("gpt-4.1", 2.0, 8.0),
        price("gpt-4o-mini", 0.15, 0.6),
        // Its first release was dearer.
        price("gpt-4o-2024-05-13", 5.0, 15.0),
        price("gpt-4o", 2.5, 10.0),
        price("text-embedding-3-small", 0.02, 0.0),
        price("text-embedding-3-large", 0.13, 0.0),
    ],
    rates: &[
        cached("gpt-5", 0.1),
        cached("gpt-5-pro", 1.0),
        cached("gpt-5.2-pro", 1.0),
        cached("gpt-5.4-mini", 0.1),
        cached("gpt-5.4-nano", 0.1),
        long(cached("gpt-5.4-pro", 1.0), 272_000),
        long(cached("gpt-5.4", 0.1), 272_000),
        long(cached("gpt-5.5-pro", 1.0), 272_000),
        Rates {
            priority: 2.5,
            ..long(cached("gpt-5.5", 0.1), 272_000)
        },
        cached("gpt-4.1", 0.25),
        cached("gpt-4o", 0.5),
        cached("gpt-4o-2024-05-13", 1.0),
        cached("o3", 0.25),
        cached("o4", 0.25),
    ],
    ..COMPATIBLE
};
