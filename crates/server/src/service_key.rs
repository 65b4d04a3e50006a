//! The key for `/internal/*` and `/metrics`: its holder acts for the server itself.

use anyhow::Result;
use mana_llm::Secret;
use subtle::ConstantTimeEq as _;

use crate::data_dir::DataDir;
use crate::random;

/// The service key.
#[derive(Debug, Clone)]
pub struct ServiceKey(Secret);

impl ServiceKey {
    /// Returns the configured key, else the data directory's, which the first start makes.
    pub fn open(configured: Option<Secret>, dir: &DataDir) -> Result<ServiceKey> {
        if let Some(key) = configured {
            return Ok(ServiceKey::of(key));
        }
        let bytes = dir.secret("service.key", || Ok(random::secret().into_bytes()))?;
        Ok(ServiceKey(Secret::new(
            String::from_utf8_lossy(&bytes).trim(),
        )))
    }

    /// A key that is configured.
    pub fn of(key: Secret) -> ServiceKey {
        ServiceKey(key)
    }

    /// Whether the presented text is this key. The comparison takes constant time.
    pub fn is(&self, presented: &str) -> bool {
        self.0
            .expose()
            .as_bytes()
            .ct_eq(presented.as_bytes())
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_key_is_made_once_and_no_other_text_matches() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::open(root.path()).unwrap();
        let key = ServiceKey::open(None, &dir).unwrap();
        let text = std::fs::read_to_string(dir.join("service.key")).unwrap();
        assert!(key.is(&text));
        assert!(ServiceKey::open(None, &dir).unwrap().is(&text));
        for wrong in ["", "x", &text[1..], &format!("{text}x")] {
            assert!(!key.is(wrong), "{wrong}");
        }
        assert!(!format!("{key:?}").contains(&text));
    }
}
