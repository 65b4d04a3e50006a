//! Mistral: OpenAI's protocol without fields that Mistral doesn't know.

use crate::providers::known_provider::{KnownProvider, family};
use crate::providers::openai::COMPATIBLE;
use crate::providers::openai::dialect::Dialect;

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "mistral",
    label: "Mistral",
    base_url: "https://api.mistral.ai/v1",
    key: Some("MISTRAL_API_KEY"),
    host: Some("mistral.ai"),
    dialect: Dialect {
        // Mistral refuses fields that it doesn't know, and tells the usage unasked.
        asks_for_usage: false,
        takes_thoughts: false,
        ..Dialect::USUAL
    },
    prefers: &[
        "mistral-medium-latest",
        "mistral-large-latest",
        "mistral-small-latest",
    ],
    models: &[
        family("pixtral", [true, true, true], 128_000),
        family("mistral-", [true, true, false], 128_000),
        family("magistral", [true, true, false], 128_000),
        family("ministral", [true, true, false], 128_000),
        family("codestral", [true, true, false], 256_000),
    ],
    ..COMPATIBLE
};
