//! Keys, and how they stay out of everything that leaves the gateway.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem;
use regex::Regex;
use serde::Deserialize;

/// The text that stands where a secret stood.
pub const HIDDEN: &str = "[hidden]";

/// A key that prints itself as [`HIDDEN`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a key, without the white space around it that copying leaves.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self(key.as_ref().trim().to_owned())
    }

    /// The key itself, for the one header it belongs in.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Takes secrets out of what upstreams say: every configured key wherever it
/// appears, and in errors whatever looks like a key or a bearer.
#[derive(Default)]
pub struct Scrubber {
    keys: Vec<memmem::Finder<'static>>,
}

/// Shorter "keys" (`x`, `none`) are placeholders for servers that ask for
/// none; blanking them out would only garble answers.
const SHORTEST_KEY: usize = 8;

static LOOKS_SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?-u:\b)(?i:bearer|basic)[ \t:]+[A-Za-z0-9._~+/=*-]{6,}"#,
        r#"|(?-u:\b)(?i:api[-_]?key|authorization|x-api-key|token)["']?[ \t]*[:=][ \t]*["']?[A-Za-z0-9._~+/=*-]{8,}"#,
        r#"|(?-u:\b)(?:sk|pk|rk|gsk|xai|hf|nvapi|fw|tgp_v1)[-_][A-Za-z0-9_*-]{6,}"#,
        r#"|AIza[A-Za-z0-9_-]{16,}"#,
        r#"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"#,
    ))
    .expect("the pattern is a constant")
});

impl Scrubber {
    /// A scrubber for these keys.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a Secret>) -> Self {
        let keys = keys
            .into_iter()
            .filter(|key| key.0.len() >= SHORTEST_KEY)
            .map(|key| memmem::Finder::new(key.0.as_bytes()).into_owned())
            .collect();
        Self { keys }
    }

    /// A text for people: configured keys and whatever looks like one are hidden.
    pub fn text(&self, text: &str) -> String {
        let bytes = self.bytes(text.as_bytes().to_vec());
        let text = String::from_utf8_lossy(&bytes);
        LOOKS_SECRET.replace_all(&text, HIDDEN).into_owned()
    }

    /// An upstream's answer: configured keys are hidden, all else is untouched.
    pub fn bytes(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        for key in &self.keys {
            if key.find(&bytes).is_none() {
                continue;
            }
            let mut clean = Vec::with_capacity(bytes.len());
            let mut from = 0;
            for at in key.find_iter(&bytes) {
                clean.extend_from_slice(&bytes[from..at]);
                clean.extend_from_slice(HIDDEN.as_bytes());
                from = at + key.needle().len();
            }
            clean.extend_from_slice(&bytes[from..]);
            bytes = clean;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("hush hush"))),
            "Some([hidden])"
        );
    }

    #[test]
    fn configured_keys_vanish_from_answers_and_nothing_else_does() {
        let scrub = Scrubber::new([&Secret::new("correct-horse"), &Secret::new("x")]);
        assert_eq!(
            scrub.bytes(b"x correct-horse, correct-horse! sk-0123456789".to_vec()),
            b"x [hidden], [hidden]! sk-0123456789"
        );
    }

    #[test]
    fn whatever_looks_like_a_key_vanishes_from_errors() {
        let scrub = Scrubber::default();
        for (said, told) in [
            (
                "Incorrect API key provided: sk-proj-****abcd. See",
                "Incorrect API key provided: [hidden]. See",
            ),
            ("got Bearer abc.def-123456 here", "got [hidden] here"),
            (r#"{"api_key": "0123456789"}"#, r#"{"[hidden]"}"#),
            ("key AIzaSyA0123456789abcdefg no", "key [hidden] no"),
            (
                "jwt eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln no",
                "jwt [hidden] no",
            ),
            (
                "context of 128000 tokens: too long",
                "context of 128000 tokens: too long",
            ),
            (
                "model `task-runner-x` not found",
                "model `task-runner-x` not found",
            ),
        ] {
            assert_eq!(scrub.text(said), told);
        }
    }
}
