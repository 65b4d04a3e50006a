//! Groq: open models, fast.

use crate::providers::known_provider::{KnownProvider, family};
use crate::providers::openai::COMPATIBLE;
use crate::providers::openai::dialect::Dialect;

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "groq",
    label: "Groq",
    base_url: "https://api.groq.com/openai/v1",
    key: Some("GROQ_API_KEY"),
    dialect: Dialect {
        takes_thoughts: false,
        ..Dialect::USUAL
    },
    prefers: &[
        "openai/gpt-oss-120b",
        "llama-3.3-70b",
        "openai/gpt-oss",
        "llama-",
    ],
    models: &[family("llama-3.3", [true, false, false], 131_072)],
    ..COMPATIBLE
};
