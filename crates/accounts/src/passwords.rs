//! Passwords: argon2id, off the async threads, few at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::{AccountError, Result};

/// OWASP's least parameters for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hash that is checked for an unknown address, so that the time to answer doesn't tell that there is no account. No
/// password matches it.
const UNKNOWN_ACCOUNT: &str = "$argon2id$v=19$m=19456,t=2,p=1$bWFuYS1ub2JvZHktaGVyZQ$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    /// Each hash takes 19 MiB for a moment; more at once would only queue for the processor.
    permits: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords {
            permits: Semaphore::new(2),
        }
    }
}

impl Passwords {
    /// Hashes a password. Returns the hash in PHC format.
    pub async fn hash(&self, password: String) -> Result<String> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(AccountError::internal)?;
        spawn_blocking(move || {
            argon2id()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
        })
        .await
        .map_err(AccountError::internal)?
        .map_err(AccountError::internal)
    }

    /// Whether the password matches the hash. Takes as long where there is no account.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(AccountError::internal)?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| UNKNOWN_ACCOUNT.to_owned());
        spawn_blocking(move || {
            let parsed = PasswordHash::new(&hash)
                .map_err(|_| AccountError::internal("a stored password hash can't be read"))?;
            Ok(argon2id()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok()
                && known)
        })
        .await
        .map_err(AccountError::internal)?
    }
}

fn argon2id() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).expect("the constants are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn password_hash_is_argon2id_and_matches_its_password_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            passwords
                .verify("correct horse".to_owned(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("battery staple".to_owned(), Some(hash))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn password_of_unknown_account_costs_the_same_and_never_matches() {
        let parsed = PasswordHash::new(UNKNOWN_ACCOUNT).unwrap();
        assert_eq!(
            Params::try_from(&parsed).unwrap(),
            argon2id().params().clone()
        );
        assert!(
            !Passwords::default()
                .verify(String::new(), None)
                .await
                .unwrap()
        );
    }
}
