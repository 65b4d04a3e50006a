//! Together: open models.

use crate::providers::known_provider::KnownProvider;
use crate::providers::openai::COMPATIBLE;

pub(crate) const PROVIDER: KnownProvider = KnownProvider {
    name: "together",
    label: "Together",
    base_url: "https://api.together.xyz/v1",
    key: Some("TOGETHER_API_KEY"),
    prefers: &[
        "openai/gpt-oss-120b",
        "meta-llama/Llama-3.3-70B",
        "meta-llama/",
    ],
    ..COMPATIBLE
};
