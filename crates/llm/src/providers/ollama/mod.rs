//! Ollama: models on this machine, looked for unasked.

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod host;
pub(crate) mod native;

use crate::providers::known_provider::{AddressVariable, KnownProvider, family};
use crate::providers::openai::COMPATIBLE;
use crate::providers::openai::dialect::{Dialect, OwnProtocol};

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "ollama",
    label: "Ollama",
    base_url: "http://127.0.0.1:11434/v1",
    address: Some(AddressVariable {
        name: "OLLAMA_HOST",
        unset: "looked for on 127.0.0.1:11434",
        read: host::base_url_of_host,
    }),
    dialect: Dialect {
        holds_any_model_to_schema: true,
        // Before it spoke OpenAI's protocol in full, Ollama listed only here.
        earlier_list: Some("api/tags"),
        own: Some(OwnProtocol::Ollama),
        ..Dialect::USUAL
    },
    concurrency: 1,
    is_local: true,
    without_models: "; run `ollama pull llama3.2`, or another model that you like",
    models: &[
        family("llama3.1", [true, false, false], 0),
        family("llama3.2-vision", [false, false, true], 0),
        family("llama3.2", [true, false, false], 0),
        family("llama3.3", [true, false, false], 0),
        family("llama4", [true, false, true], 0),
        family("qwen2.5vl", [false, false, true], 0),
        family("qwen2.5", [true, false, false], 0),
        family("qwen3-vl", [true, false, true], 0),
        family("qwen3", [true, false, false], 0),
        family("mistral", [true, false, false], 0),
        family("gemma3", [false, false, true], 0),
        family("llava", [false, false, true], 0),
        family("phi4-mini", [true, false, false], 0),
        family("deepseek-r1", [false, false, false], 0),
    ],
    ..COMPATIBLE
};
