//! Facts about providers and models that Mana knows beforehand. Data only: a new
//! provider or a better pick is a line here.

/// A provider that is found by its usual environment variable.
pub(crate) struct Known {
    /// Its name in `provider/model`.
    pub name: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// The variable that holds its key.
    pub key: &'static str,
    /// The variable that replaces its address.
    pub url: Option<&'static str>,
    /// Its address.
    pub base: &'static str,
    /// Which of its many models to take where nobody chose, best first, by the
    /// start of their names.
    pub prefer: &'static [&'static str],
}

/// In the order in which an alias looks for a provider.
pub(crate) const KNOWN: &[Known] = &[
    Known {
        name: "openai",
        label: "OpenAI",
        key: "OPENAI_API_KEY",
        url: Some("OPENAI_BASE_URL"),
        base: "https://api.openai.com/v1",
        prefer: &["gpt-5-mini", "gpt-5", "gpt-4.1-mini", "gpt-4o-mini", "gpt-"],
    },
    Known {
        name: ANTHROPIC,
        label: "Anthropic",
        key: "ANTHROPIC_API_KEY",
        url: None,
        base: "https://api.anthropic.com/v1",
        prefer: &["claude-sonnet", "claude-"],
    },
    Known {
        name: "groq",
        label: "Groq",
        key: "GROQ_API_KEY",
        url: None,
        base: "https://api.groq.com/openai/v1",
        prefer: &[
            "openai/gpt-oss-120b",
            "llama-3.3-70b",
            "openai/gpt-oss",
            "llama-",
        ],
    },
    Known {
        name: "openrouter",
        label: "OpenRouter",
        key: "OPENROUTER_API_KEY",
        url: None,
        base: "https://openrouter.ai/api/v1",
        prefer: &["openrouter/auto"],
    },
    Known {
        name: "together",
        label: "Together",
        key: "TOGETHER_API_KEY",
        url: None,
        base: "https://api.together.xyz/v1",
        prefer: &[
            "openai/gpt-oss-120b",
            "meta-llama/Llama-3.3-70B",
            "meta-llama/",
        ],
    },
    Known {
        name: "mistral",
        label: "Mistral",
        key: "MISTRAL_API_KEY",
        url: None,
        base: "https://api.mistral.ai/v1",
        prefer: &[
            "mistral-medium-latest",
            "mistral-large-latest",
            "mistral-small-latest",
        ],
    },
    Known {
        name: "gemini",
        label: "Gemini",
        key: "GEMINI_API_KEY",
        url: None,
        base: "https://generativelanguage.googleapis.com/v1beta/openai",
        prefer: &["models/gemini-2.5-flash", "models/gemini-", "gemini-"],
    },
];

/// Anthropic, which speaks a protocol of its own.
pub(crate) const ANTHROPIC: &str = "anthropic";
/// The provider on the same machine, served one call at a time.
pub(crate) const OLLAMA: &str = "ollama";
/// The provider that `MANA_LLM_URL` names.
pub(crate) const DEFAULT: &str = "default";
/// The provider inside this program.
pub(crate) const BUILTIN: &str = "builtin";
/// The prefix of aliases.
pub(crate) const ALIAS: &str = "mana";

/// The abilities of models whose names begin like this.
pub(crate) struct KnownModel {
    pub start: &'static str,
    pub tools: bool,
    pub json_schema: bool,
    pub vision: bool,
    pub context_tokens: Option<u64>,
}

const fn model(
    start: &'static str,
    [tools, json_schema, vision]: [bool; 3],
    context_tokens: u64,
) -> KnownModel {
    KnownModel {
        start,
        tools,
        json_schema,
        vision,
        context_tokens: if context_tokens == 0 {
            None
        } else {
            Some(context_tokens)
        },
    }
}

/// The first that fits counts. `[tools, JSON schema, vision]`, and tokens of
/// context (0: it depends on how it is run).
pub(crate) const FACTS: &[KnownModel] = &[
    model("gpt-5", [true, true, true], 400_000),
    model("gpt-4.1", [true, true, true], 1_047_576),
    model("gpt-4o", [true, true, true], 128_000),
    model("gpt-oss", [true, true, false], 131_072),
    model("gpt-3.5", [true, false, false], 16_385),
    model("o3", [true, true, true], 200_000),
    model("o4", [true, true, true], 200_000),
    model("claude-", [true, true, true], 200_000),
    model("gemini-", [true, true, true], 1_048_576),
    model("pixtral", [true, true, true], 128_000),
    model("mistral-", [true, true, false], 128_000),
    model("magistral", [true, true, false], 128_000),
    model("ministral", [true, true, false], 128_000),
    model("codestral", [true, true, false], 256_000),
    model("llama-3.3", [true, false, false], 131_072),
    model("llama3.1", [true, false, false], 0),
    model("llama3.2-vision", [false, false, true], 0),
    model("llama3.2", [true, false, false], 0),
    model("llama3.3", [true, false, false], 0),
    model("llama4", [true, false, true], 0),
    model("qwen2.5vl", [false, false, true], 0),
    model("qwen2.5", [true, false, false], 0),
    model("qwen3-vl", [true, false, true], 0),
    model("qwen3", [true, false, false], 0),
    model("mistral", [true, false, false], 0),
    model("gemma3", [false, false, true], 0),
    model("llava", [false, false, true], 0),
    model("phi4-mini", [true, false, false], 0),
    model("deepseek-r1", [false, false, false], 0),
];

/// List prices in US dollars per million tokens of the request and of the
/// answer, by the model's name, as of November 2026. A start: the owner's own
/// table counts before them, and what isn't in either has no price.
pub(crate) const PRICES: &[(&str, f64, f64)] = &[
    ("gpt-5.5-pro", 30.0, 180.0),
    ("gpt-5.5", 5.0, 30.0),
    ("gpt-5.4-pro", 30.0, 180.0),
    ("gpt-5.4-nano", 0.2, 1.25),
    ("gpt-5.4-mini", 0.75, 4.5),
    ("gpt-5.4", 2.5, 15.0),
    ("gpt-5.2-pro", 21.0, 168.0),
    ("gpt-5.2", 1.75, 14.0),
    ("gpt-5.1", 1.25, 10.0),
    ("gpt-5-pro", 15.0, 120.0),
    ("gpt-5-nano", 0.05, 0.4),
    ("gpt-5-mini", 0.25, 2.0),
    ("gpt-5-codex", 1.25, 10.0),
    ("gpt-5-chat-latest", 1.25, 10.0),
    ("gpt-5", 1.25, 10.0),
    ("gpt-4.1-nano", 0.1, 0.4),
    ("gpt-4.1-mini", 0.4, 1.6),
    ("gpt-4.1", 2.0, 8.0),
    ("gpt-4o-mini", 0.15, 0.6),
    // Its first release was dearer.
    ("gpt-4o-2024-05-13", 5.0, 15.0),
    ("gpt-4o", 2.5, 10.0),
    ("claude-haiku-4-5", 1.0, 5.0),
    ("claude-sonnet-5-5", 2.0, 10.0),
    ("claude-sonnet-5", 2.0, 10.0),
    ("claude-sonnet-4-6", 3.0, 15.0),
    ("claude-sonnet-4-5", 3.0, 15.0),
    ("claude-sonnet-4-0", 3.0, 15.0),
    ("claude-sonnet-4", 3.0, 15.0),
    ("claude-opus-5-5", 4.0, 20.0),
    ("claude-opus-5", 5.0, 25.0),
    ("claude-opus-4-8", 5.0, 25.0),
    ("claude-opus-4-7", 5.0, 25.0),
    ("claude-opus-4-6", 5.0, 25.0),
    ("claude-opus-4-5", 5.0, 25.0),
    ("claude-opus-4-1", 15.0, 75.0),
    ("claude-opus-4-0", 15.0, 75.0),
    ("claude-opus-4", 15.0, 75.0),
    ("gemini-2.5-flash-lite", 0.1, 0.4),
    ("gemini-2.5-flash", 0.3, 2.5),
    ("gemini-2.5-pro", 1.25, 10.0),
    ("text-embedding-3-small", 0.02, 0.0),
    ("text-embedding-3-large", 0.13, 0.0),
];

/// An alias for a purpose.
pub(crate) struct Purpose {
    /// The name that a caller asks for.
    pub alias: &'static str,
    /// A model whose name holds one of these is taken before others.
    pub hints: &'static [&'static str],
}

/// The aliases that are always there.
pub(crate) const PURPOSES: &[Purpose] = &[
    Purpose {
        alias: "mana/fast-text",
        hints: &[],
    },
    Purpose {
        alias: "mana/long-form",
        hints: &[],
    },
    Purpose {
        alias: "mana/structured",
        hints: &[],
    },
    Purpose {
        alias: "mana/reasoning",
        hints: &[],
    },
    Purpose {
        alias: "mana/vision",
        hints: &[
            "vision", "llava", "-vl", "vl:", "pixtral", "gemma3", "llama4", "gpt-5", "gpt-4o",
            "gpt-4.1", "claude", "gemini",
        ],
    },
];

/// Parts of names of models that don't chat.
const NOT_FOR_CHAT: &[&str] = &[
    "embed",
    "bge-",
    "minilm",
    "e5-",
    "rerank",
    "moderation",
    "guard",
    "whisper",
    "tts",
    "audio",
    "transcribe",
    "speech",
    "voice",
    "realtime",
    "dall-e",
    "image",
    "imagen",
    "veo",
    "sora",
    "stable-diffusion",
    "flux",
    "ocr",
    "babbage",
    "davinci",
    "computer-use",
    "aqa",
    "-instruct-0914",
];

/// A provider as a sentence names it, in the middle of one.
pub(crate) fn label(provider: &str) -> &str {
    match provider {
        // Nobody gave it that name.
        DEFAULT => "the model’s server",
        OLLAMA => "Ollama",
        name => KNOWN
            .iter()
            .find(|known| known.name == name)
            .map_or(name, |known| known.label),
    }
}

/// Whether a model of this name answers chats.
pub(crate) fn chats(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    !NOT_FOR_CHAT.iter().any(|part| model.contains(part))
}

/// The first suitable model: by the alias' hints, then by what is preferred of
/// this provider, then in the provider's own order.
pub(crate) fn pick<'a>(provider: &str, hints: &[&str], models: &'a [String]) -> Option<&'a str> {
    let prefer = KNOWN
        .iter()
        .find(|known| known.name == provider)
        .map_or(&[][..], |known| known.prefer);
    let suitable: Vec<&str> = models
        .iter()
        .map(String::as_str)
        .filter(|model| chats(model))
        .collect();
    let preferred = |candidates: &[&'a str]| {
        prefer
            .iter()
            .find_map(|start| {
                candidates
                    .iter()
                    .copied()
                    .find(|model| model.starts_with(start))
            })
            .or_else(|| candidates.first().copied())
    };
    let hinted: Vec<&str> = suitable
        .iter()
        .copied()
        .filter(|model| hints.iter().any(|hint| model.contains(hint)))
        .collect();
    preferred(&hinted).or_else(|| preferred(&suitable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(models: &[&str]) -> Vec<String> {
        models.iter().map(|model| (*model).to_owned()).collect()
    }

    #[test]
    fn the_pick_chats_and_is_the_preferred_one() {
        let ollama = names(&["nomic-embed-text:latest", "llama3.2:3b", "llava:7b"]);
        assert_eq!(pick("ollama", &[], &ollama), Some("llama3.2:3b"));
        assert_eq!(pick("ollama", &["llava"], &ollama), Some("llava:7b"));
        let openai = names(&["gpt-3.5-turbo", "whisper-1", "gpt-4o-mini"]);
        assert_eq!(pick("openai", &[], &openai), Some("gpt-4o-mini"));
        assert_eq!(pick("ollama", &[], &names(&["bge-m3"])), None);
    }
}
