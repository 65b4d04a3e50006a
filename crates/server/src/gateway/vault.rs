//! Providers' keys and the secrets of second factors at rest: sealed with a key from the data directory, so that a
//! copy of the database alone gives none of them away.

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::data_dir::DataDir;

/// The file in the data directory. Instances that share a database need the same one.
pub const FILE: &str = "settings.key";

/// Seals and opens.
pub struct Vault(LessSafeKey);

impl Vault {
    /// The data directory's, made on the first start.
    pub fn open(dir: &DataDir) -> Result<Vault> {
        let bytes = dir.secret(FILE, || {
            let mut bytes = vec![0; AES_256_GCM.key_len()];
            SystemRandom::new()
                .fill(&mut bytes)
                .map_err(|_| anyhow!("the system gives no random numbers"))?;
            Ok(bytes)
        })?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| {
            anyhow!(
                "{} is damaged; remove it, and enter the providers' keys again",
                dir.join(FILE).display()
            )
        })?;
        Ok(Vault(LessSafeKey::new(key)))
    }

    /// A secret as it may be stored: it opens under this name alone.
    pub fn seal(&self, name: &str, secret: &str) -> Result<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| anyhow!("the system gives no random numbers"))?;
        let mut sealed = secret.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| anyhow!("the key can't be sealed"))?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// The secret of a sealed one.
    pub fn unseal(&self, name: &str, sealed: &str) -> Result<String> {
        let wrong = || {
            anyhow!(
                "its key was sealed with another {FILE}; copy that file here, or enter the key again"
            )
        };
        let bytes = STANDARD.decode(sealed).map_err(|_| wrong())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut sealed = sealed.to_vec();
        let secret = self
            .0
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut sealed)
            .map_err(|_| wrong())?;
        String::from_utf8(secret.to_vec()).context("the sealed key is no text")
    }
}

impl mana_accounts::Seal for Vault {
    fn seal(&self, name: &str, secret: &str) -> Result<String> {
        Vault::seal(self, name, secret)
    }

    fn unseal(&self, name: &str, sealed: &str) -> Result<String> {
        Vault::unseal(self, name, sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_name_and_with_its_key_alone() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = DataDir::open(here.path()).unwrap();
        let sealed = Vault::open(&dir).unwrap().seal("openai", "hush").unwrap();
        assert!(!sealed.contains("hush"));
        let vault = Vault::open(&dir).unwrap();
        assert_eq!(vault.unseal("openai", &sealed).unwrap(), "hush");
        assert!(vault.unseal("groq", &sealed).is_err());
        assert!(vault.unseal("openai", "").is_err());
        let other = Vault::open(&DataDir::open(there.path()).unwrap()).unwrap();
        let told = other.unseal("openai", &sealed).unwrap_err().to_string();
        assert!(told.contains("settings.key"), "{told}");
    }
}
