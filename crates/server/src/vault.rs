//! Secrets in the database: sealed with a key from outside it, so that a copy of the database alone gives none of them
//! away, and signs in nobody.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mana_llm::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::data_dir::{DataDir, lost_secret};

/// The file in the data directory. Instances that share a database need the same one.
pub const FILE: &str = "settings.key";

/// Seals and opens.
pub struct Vault(LessSafeKey);

impl Vault {
    /// The configured key's, else the data directory's, which the first start makes.
    pub fn open(dir: &DataDir, configured: Option<&SettingsKey>) -> Result<Vault> {
        let bytes = match configured {
            Some(key) => key.bytes(),
            None => dir.secret(FILE, || {
                let mut bytes = vec![0; AES_256_GCM.key_len()];
                SystemRandom::new()
                    .fill(&mut bytes)
                    .map_err(|_| anyhow!("the system gives no random numbers"))?;
                Ok(bytes)
            })?,
        };
        Vault::of(&dir.join(FILE), &bytes)
    }

    /// The configured key's, else the data directory's, for a command beside a running server. Nothing is made.
    pub fn read(dir: &Path, configured: Option<&SettingsKey>) -> Result<Vault> {
        let path = dir.join(FILE);
        let bytes = match configured {
            Some(key) => key.bytes(),
            None => fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?,
        };
        Vault::of(&path, &bytes)
    }

    fn of(path: &Path, bytes: &[u8]) -> Result<Vault> {
        let key = UnboundKey::new(&AES_256_GCM, bytes)
            .map_err(|_| anyhow!("{} is damaged; {}", path.display(), lost_secret(FILE)))?;
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

/// A settings key that is configured: `settings.key` in Base64, for servers that share a database and no directory.
#[derive(Debug, Clone)]
pub struct SettingsKey(Secret);

impl SettingsKey {
    /// Reads the key; none where the text is no key.
    pub fn parse(text: &str) -> Option<SettingsKey> {
        let bytes = STANDARD.decode(text).ok()?;
        (bytes.len() == AES_256_GCM.key_len()).then(|| SettingsKey(Secret::new(text)))
    }

    /// The bytes of the key, as the file holds them.
    pub fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(self.0.expose()).unwrap_or_default()
    }
}

/// The mark of a sealed value where earlier versions kept it open.
const SEALED: &[u8] = b"sealed:";

/// Returns the key that tokens are signed with from its setting, and the setting as it is to be kept where it is not
/// sealed yet.
pub fn open_signing_key(
    vault: &Vault,
    name: &str,
    kept: &[u8],
) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let Some(sealed) = kept.strip_prefix(SEALED) else {
        return Ok((kept.to_owned(), Some(seal_signing_key(vault, name, kept)?)));
    };
    let opened = std::str::from_utf8(sealed)
        .ok()
        .and_then(|sealed| vault.unseal(name, sealed).ok())
        .and_then(|text| STANDARD.decode(text).ok());
    match opened {
        Some(key) => Ok((key, None)),
        None => bail!(
            "The key that tokens are signed with was sealed with another {FILE} than this server's. Copy {FILE} of \
             the server that made this database into this data directory, or set MANA_SETTINGS_KEY to it \
             (`base64 {FILE}`); where it is lost, run DELETE FROM kv WHERE key = '{name}' on the \
             database; then everybody signs in again"
        ),
    }
}

/// Returns the setting of the key that tokens are signed with.
pub fn seal_signing_key(vault: &Vault, name: &str, key: &[u8]) -> Result<Vec<u8>> {
    let sealed = vault.seal(name, &STANDARD.encode(key))?;
    Ok([SEALED, sealed.as_bytes()].concat())
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
        let sealed = Vault::open(&dir, None)
            .unwrap()
            .seal("openai", "hush")
            .unwrap();
        assert!(!sealed.contains("hush"));
        let vault = Vault::open(&dir, None).unwrap();
        assert_eq!(vault.unseal("openai", &sealed).unwrap(), "hush");
        assert!(vault.unseal("groq", &sealed).is_err());
        assert!(vault.unseal("openai", "").is_err());
        let other = Vault::open(&DataDir::open(there.path()).unwrap(), None).unwrap();
        let told = other.unseal("openai", &sealed).unwrap_err().to_string();
        assert!(told.contains("settings.key"), "{told}");
    }

    #[test]
    fn signing_key_is_sealed_once_and_opens_with_the_settings_key_alone() {
        let configured = SettingsKey::parse(&STANDARD.encode([7; 32])).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let dir = DataDir::open(dir.path()).unwrap();
        let vault = Vault::open(&dir, Some(&configured)).unwrap();
        assert!(!dir.join(FILE).exists());
        let (key, sealed) = open_signing_key(&vault, "token.key", b"\x30key").unwrap();
        let sealed = sealed.expect("it was open");
        assert_eq!(key, b"\x30key");
        assert!(!sealed.windows(3).any(|part| part == b"key"));
        let (again, kept) = open_signing_key(&vault, "token.key", &sealed).unwrap();
        assert_eq!((again, kept), (key, None));
        let other = Vault::open(&dir, None).unwrap();
        let told = open_signing_key(&other, "token.key", &sealed).unwrap_err();
        assert!(told.to_string().contains("MANA_SETTINGS_KEY"), "{told}");
        for wrong in ["", "short", "?", &STANDARD.encode([7; 16])] {
            assert!(SettingsKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
