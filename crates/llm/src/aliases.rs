//! The aliases that are always there.

/// The prefix of aliases.
pub(crate) const ALIAS: &str = "mana";

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
