//! OpenRouter: models of many makers behind one key. Its list of models says what they can do.

use crate::providers::known_provider::KnownProvider;
use crate::providers::openai::COMPATIBLE;
use crate::providers::openai::dialect::Dialect;

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "openrouter",
    label: "OpenRouter",
    base_url: "https://openrouter.ai/api/v1",
    key: Some("OPENROUTER_API_KEY"),
    dialect: Dialect {
        // OpenRouter leaves out what a model doesn't know, and hands marks on to those of Anthropic's.
        takes_effort: |_| true,
        keeps_cache_marks: true,
        ..Dialect::USUAL
    },
    prefers: &["openrouter/auto"],
    ..COMPATIBLE
};
