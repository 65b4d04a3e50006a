//! The data directory: private to its user, with the server's secrets and its lock.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::private_files::{create_private_dir, private_file, wider_than};

/// The keys that a server makes when it first starts, and without which its database can't be used as before.
pub const KEYS: [&str; 2] = ["token.key", "settings.key"];

/// Says what to do about a secret file that can't be used, and what follows where no copy is left.
pub fn lost_secret(name: &str) -> String {
    format!(
        "put it back from a backup; where there is none, remove it: then {}",
        consequence(name)
    )
}

/// Says what follows where a secret file is lost.
pub fn consequence(name: &str) -> &'static str {
    match name {
        "token.key" => "everybody signs in again",
        "settings.key" => {
            "providers' keys are entered again, and people with a second factor begin anew (`mana user reset \
             --second-factor`)"
        }
        _ => "the next start makes another one",
    }
}

/// The open data directory, locked for this process until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory (0700) if it is missing, and locks it.
    pub fn open(path: &Path) -> Result<DataDir> {
        create_private_dir(path).with_context(|| {
            format!(
                "The data directory {} can't be made; set MANA_DATA_DIR to one that this user may write",
                path.display()
            )
        })?;
        let lock = lock(&path.join("mana.lock"))?;
        Ok(DataDir {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Returns a path inside the directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the keys of an earlier start that lie here.
    pub fn keys(&self) -> Vec<&'static str> {
        let kept = KEYS.into_iter();
        kept.filter(|name| self.join(name).exists()).collect()
    }

    /// Logs which of the directory's files other users of the machine may read. An operator, or a tool of theirs, may
    /// have made the directory or put a copy back.
    pub fn name_wide_files(&self) {
        let files = KEYS
            .into_iter()
            .chain(["service.key", "mana.db", "mana.toml"])
            .map(|name| (self.join(name), 0o600));
        for (path, mode) in files.chain([(self.path.clone(), 0o700)]) {
            if let Some(wide) = wider_than(&path, mode) {
                tracing::warn!(
                    "Other users of this machine may read {0} (mode {wide:o}); run `chmod {mode:o} {0}`",
                    path.display()
                );
            }
        }
    }

    /// Returns the bytes of a secret file (0600), made by `make` if it is missing.
    pub fn secret(&self, name: &str, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let path = self.join(name);
        match fs::read(&path) {
            Ok(bytes) if !bytes.is_empty() => return Ok(bytes),
            // A secret is renamed into its place when it is whole, so another program emptied the file.
            Ok(_) => bail!("{} is empty; {}", path.display(), lost_secret(name)),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("{} can't be read", path.display())),
        }
        let bytes = make()?;
        // Written to another file and renamed, so that a crash leaves a whole file or none.
        let part = self.join(&format!("{name}.part"));
        let _ = fs::remove_file(&part);
        let written = (|| {
            let mut file = private_file().write(true).create_new(true).open(&part)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)
        })();
        written.with_context(|| format!("{} can't be written", path.display()))?;
        Ok(bytes)
    }
}

fn lock(path: &Path) -> Result<File> {
    let file = private_file()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("{} can't be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => bail!(
            "Another Mana server uses the data directory {}; stop it first, or set MANA_DATA_DIR to another directory",
            path.parent().unwrap_or(path).display()
        ),
        Err(fs::TryLockError::Error(e)) => {
            Err(e).with_context(|| format!("{} can't be locked", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_dir_is_private_and_its_secrets_stay() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/mana");
        let dir = DataDir::open(&path).unwrap();
        let first = dir.secret("service.key", || Ok(b"one".to_vec())).unwrap();
        let second = dir.secret("service.key", || Ok(b"two".to_vec())).unwrap();
        assert_eq!(
            (first.as_slice(), second.as_slice()),
            (&b"one"[..], &b"one"[..])
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o700);
            assert_eq!(mode(&path.join("service.key")), 0o600);
            assert_eq!(mode(&path.join("mana.lock")), 0o600);
        }
    }

    #[test]
    fn data_dir_has_one_server() {
        let root = tempfile::tempdir().unwrap();
        let first = DataDir::open(root.path()).unwrap();
        let message = DataDir::open(root.path()).unwrap_err().to_string();
        assert!(
            message.contains("Another Mana server") && message.contains("MANA_DATA_DIR"),
            "{message}"
        );
        drop(first);
        DataDir::open(root.path()).unwrap();
    }
}
