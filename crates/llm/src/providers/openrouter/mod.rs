//! OpenRouter: models of many makers behind one key. Its list of models says what they can do.

use crate::providers::known_provider::KnownProvider;
use crate::providers::openai::COMPATIBLE;

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "openrouter",
    label: "OpenRouter",
    base_url: "https://openrouter.ai/api/v1",
    key: Some("OPENROUTER_API_KEY"),
    prefers: &["openrouter/auto"],
    ..COMPATIBLE
};
