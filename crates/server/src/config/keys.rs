//! Keys that an operator sets.

use std::collections::BTreeSet;

use mana_llm::Secret;

use super::source::{ConfigError, Source};
use crate::vault::SettingsKey;

/// Fewest characters of a key.
const SHORTEST: usize = 16;

/// Fewest different characters of a key.
const DIFFERENT: usize = 8;

/// Words of examples, which a key that somebody thought of begins with or is made of.
const OF_EXAMPLES: [&str; 8] = [
    "changeme",
    "change-me",
    "password",
    "secret",
    "example",
    "service-key",
    "letmein",
    "qwerty",
];

/// Reads a key, and refuses what could be guessed.
pub(super) fn strong(source: &Source, name: &'static str) -> Result<Option<Secret>, ConfigError> {
    let Some(key) = source.get(name) else {
        return Ok(None);
    };
    let Some(fault) = fault(&key) else {
        return Ok(Some(Secret::new(key)));
    };
    let otherwise = match name {
        "MANA_SERVICE_KEY" => "or unset it and Mana makes one",
        _ => "or unset it",
    };
    Err(ConfigError::new(
        name,
        format!(
            "{fault}, so it could be guessed; use a random one, such as `openssl rand -base64 32` prints, {otherwise}"
        ),
    ))
}

fn fault(key: &str) -> Option<String> {
    let small = key.to_lowercase();
    if key.len() < SHORTEST {
        return Some(format!("is shorter than {SHORTEST} characters"));
    }
    let characters: BTreeSet<char> = small.chars().collect();
    if characters.len() < DIFFERENT {
        return Some(format!("has fewer than {DIFFERENT} different characters"));
    }
    // The rest beside words of examples has to be a key by itself.
    let rest = OF_EXAMPLES
        .iter()
        .fold(small, |rest, word| rest.replace(word, ""));
    let steps = rest.as_bytes().windows(2);
    let counted = steps
        .filter(|pair| pair[1].wrapping_sub(pair[0]) == 1)
        .count();
    if rest.len() < SHORTEST || 2 * counted >= rest.len() {
        return Some("is made of words of examples, or counts up".to_owned());
    }
    None
}

/// Reads the settings key.
pub(super) fn settings(source: &Source) -> Result<Option<SettingsKey>, ConfigError> {
    let Some(text) = source.get("MANA_SETTINGS_KEY") else {
        return Ok(None);
    };
    SettingsKey::parse(&text).map(Some).ok_or_else(|| {
        ConfigError::new(
            "MANA_SETTINGS_KEY",
            "is no key of 32 bytes in Base64; use what `base64 settings.key` prints in the data directory of a server \
             on this database, or `openssl rand -base64 32` for a new one",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_be_guessed_are_refused() {
        for weak in [
            "short",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababab",
            "changeme-changeme-changeme",
            "my-secret-password-1",
            "0123456789abcdef",
            "abcdefghijklmnopqrstuvwx",
        ] {
            assert!(fault(weak).is_some(), "{weak}");
        }
        for strong in [
            "Zk3v9QmB1xT8wLr5",
            "d2f1c6a09b7e4d58a3c0",
            "correct horse battery staple",
        ] {
            assert_eq!(fault(strong), None, "{strong}");
        }
    }
}
