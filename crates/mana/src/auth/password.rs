//! Passwords: argon2id, off the async threads, few at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::{ApiError, ApiResult};

/// What OWASP advises at least: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Checked for an address without an account, so that the time to answer doesn't tell. It fits no password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bWFuYS1ub2JvZHktaGVyZQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    // Each hash takes 19 MiB for a moment; more at once would only queue for the processor.
    at_once: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords {
            at_once: Semaphore::new(2),
        }
    }
}

impl Passwords {
    /// The password's hash in PHC format.
    pub async fn hash(&self, password: String) -> ApiResult<String> {
        let _permit = self.at_once.acquire().await.map_err(ApiError::internal)?;
        spawn_blocking(move || {
            argon2id()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
        })
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)
    }

    /// Whether the password fits. Takes as long where there is no account.
    pub async fn verify(&self, password: String, hash: Option<String>) -> ApiResult<bool> {
        let _permit = self.at_once.acquire().await.map_err(ApiError::internal)?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        spawn_blocking(move || {
            let parsed = PasswordHash::new(&hash)
                .map_err(|_| ApiError::internal("a stored password hash can't be read"))?;
            Ok(argon2id()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok()
                && known)
        })
        .await
        .map_err(ApiError::internal)?
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
    async fn password_hash_is_argon2id_and_fits_its_password_only() {
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
    async fn password_nobodys_hash_costs_the_same_and_never_fits() {
        let parsed = PasswordHash::new(NOBODY).unwrap();
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
