//! Gemini, through Google's OpenAI-compatible address.

use crate::providers::known_provider::{KnownProvider, cached, family, long, price};
use crate::providers::openai::COMPATIBLE;
use crate::providers::openai::dialect::Dialect;

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "gemini",
    label: "Gemini",
    base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
    key: Some("GEMINI_API_KEY"),
    dialect: Dialect {
        takes_thoughts: false,
        signs_calls: |model| !model.contains("gemini-1") && !model.contains("gemini-2"),
        ..Dialect::USUAL
    },
    prefers: &["models/gemini-2.5-flash", "models/gemini-", "gemini-"],
    models: &[family("gemini-", [true, true, true], 1_048_576)],
    prices: &[
        price("gemini-2.5-flash-lite", 0.1, 0.4),
        price("gemini-2.5-flash", 0.3, 2.5),
        price("gemini-2.5-pro", 1.25, 10.0),
    ],
    rates: &[
        cached("gemini-2.5", 0.1),
        long(cached("gemini-2.5-pro", 0.1), 200_000),
    ],
    ..COMPATIBLE
};
