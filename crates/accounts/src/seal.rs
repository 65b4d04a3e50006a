//! Sealing secrets at rest, by a key that the server holds.

/// Seals secrets before they are stored. The server implements it over its settings key.
pub trait Seal: Send + Sync {
    /// Seals a secret; it opens under this name alone.
    ///
    /// # Errors
    ///
    /// The system gives no randomness.
    fn seal(&self, name: &str, secret: &str) -> anyhow::Result<String>;

    /// Opens a sealed secret.
    ///
    /// # Errors
    ///
    /// The secret was sealed with another key, or under another name.
    fn unseal(&self, name: &str, sealed: &str) -> anyhow::Result<String>;
}
