//! Features that a caller of Anthropic's protocol asks for by name, in the header `anthropic-beta`. Known
//! ones go up to Anthropic; the others are left out, and named in the answer.

use axum::http::{HeaderMap, HeaderName};

/// The header.
pub(crate) const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Features without their dates. Each changes how an answer is made, and none what a key of the owner's opens: stored
/// files and sandboxes are not among them.
const KNOWN: [&str; 25] = [
    "adaptive-thinking",
    "advanced-tool-use",
    "claude-code",
    "compact",
    "computer-use",
    "context-1m",
    "context-management",
    "effort",
    "extended-cache-ttl",
    "fast-mode",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "mcp-client",
    "model-context-window-exceeded",
    "output-128k",
    "output-300k",
    "pdfs",
    "prompt-caching",
    "redact-thinking",
    "structured-outputs",
    "task-budgets",
    "token-efficient-tools",
    "tool-examples",
    "tool-search-tool",
    "web-fetch",
];
/// Features that say how a caller signs in, or that this gateway has anyway.
const PASSED_OVER: [&str; 4] = [
    "message-batches",
    "oauth",
    "prompt-caching-scope",
    "token-counting",
];
/// The features of which Anthropic takes `context_management`.
const MANAGES_CONTEXT: [&str; 2] = ["context-management", "compact"];
/// The most names that are read.
const MOST_NAMES: usize = 40;
/// The longest name.
const MOST_CHARS: usize = 64;

/// The features of a request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Betas {
    /// The names that go up to Anthropic.
    pub known: Vec<String>,
    /// The names that are left out.
    pub unknown: Vec<String>,
}

impl Betas {
    /// The features that the headers of a request name.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut betas = Self::default();
        for value in headers.get_all(BETA) {
            let names = value.to_str().unwrap_or_default().split(',');
            names.for_each(|name| betas.add(name));
        }
        betas
    }

    /// Adds a feature.
    pub fn add(&mut self, name: &str) {
        let name = name.trim();
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let is_name = !name.is_empty() && name.len() <= MOST_CHARS && name.chars().all(is_letter);
        let all = || self.known.iter().chain(&self.unknown);
        let is_new = all().count() < MOST_NAMES && all().all(|other| other != name);
        let family = family(name);
        if !is_name || !is_new || PASSED_OVER.contains(&family) {
            return;
        }
        match KNOWN.contains(&family) {
            true => self.known.push(name.to_owned()),
            false => self.unknown.push(name.to_owned()),
        }
    }

    /// Whether Anthropic takes `context_management` with them.
    pub fn manage_context(&self) -> bool {
        let mut known = self.known.iter();
        known.any(|name| MANAGES_CONTEXT.contains(&family(name)))
    }
}

/// The name of a feature without its date.
fn family(name: &str) -> &str {
    let is_date = |part: &str| part.starts_with("20") && part.chars().all(|c| c.is_ascii_digit());
    let parts = name.split('-').take_while(|part| !is_date(part));
    let length: usize = parts.map(|part| part.len() + 1).sum();
    &name[..length.saturating_sub(1)]
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn names_are_read_from_every_header_and_told_apart() {
        let mut headers = HeaderMap::new();
        for value in [
            "claude-code-20250219, interleaved-thinking-2025-05-14,oauth-2025-04-20",
            "context-1m-2025-08-07,,context-1m-2025-08-07, pdfs",
            "made-up-2099-01-01,a b",
            "files-api-2025-04-14",
        ] {
            headers.append(BETA, HeaderValue::from_static(value));
        }
        let betas = Betas::of(&headers);
        let known = [
            "claude-code-20250219",
            "interleaved-thinking-2025-05-14",
            "context-1m-2025-08-07",
            "pdfs",
        ];
        assert_eq!(betas.known, known);
        assert_eq!(
            betas.unknown,
            ["made-up-2099-01-01", "files-api-2025-04-14"]
        );
        assert!(!betas.manage_context());
        let mut many = Betas::default();
        (0..100).for_each(|number| many.add(&format!("b{number}")));
        many.add("context-management-2025-06-27");
        assert_eq!((many.unknown.len(), many.known.len()), (MOST_NAMES, 0));
    }

    #[test]
    fn a_family_is_a_name_without_its_date() {
        for (name, expected) in [
            ("context-1m-2025-08-07", "context-1m"),
            ("claude-code-20250219", "claude-code"),
            ("pdfs", "pdfs"),
            ("2025-01-01", ""),
            ("", ""),
            ("output-300k-2026-03-24", "output-300k"),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }
}
