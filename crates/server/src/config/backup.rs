//! Settings of backups.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use jiff::civil;
use mana_llm::Secret;

use super::source::{ConfigError, Source};
use super::values::{boolean, count};

/// Fewest characters of a passphrase.
const SHORTEST: usize = 12;

/// Backups.
#[derive(Debug, Clone)]
pub struct BackupConfig {
    /// The folder of the backups of each day; none where they are not made by themselves.
    pub folder: Option<PathBuf>,
    /// The time of day at which they are made, by the machine's time zone.
    pub at: civil::Time,
    /// How many are kept.
    pub keep: NonZeroU32,
    /// Whether a schema is upgraded only after the state before was saved, where there is a folder.
    pub before_upgrade: bool,
    /// The passphrase that seals them.
    pub passphrase: Option<Secret>,
}

/// Reads the settings of backups; `usual` is the folder where none is set.
pub(super) fn of(source: &Source, usual: Option<PathBuf>) -> Result<BackupConfig, ConfigError> {
    Ok(BackupConfig {
        folder: folder(source, usual)?,
        at: time(source)?,
        keep: count(source, "MANA_BACKUP_KEEP")?,
        before_upgrade: boolean(source, "MANA_BACKUP_BEFORE_UPGRADE")?,
        passphrase: passphrase(source)?,
    })
}

fn folder(source: &Source, usual: Option<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    match source.get("MANA_BACKUP_DIR") {
        None => Ok(usual),
        Some(text) if text == "off" => Ok(None),
        Some(text) if Path::new(&text).is_absolute() => Ok(Some(PathBuf::from(text))),
        Some(text) => Err(ConfigError::new(
            "MANA_BACKUP_DIR",
            format!("'{text}' is no absolute path; use one, such as /var/backups/mana, or off"),
        )),
    }
}

fn time(source: &Source) -> Result<civil::Time, ConfigError> {
    let text = source.effective("MANA_BACKUP_AT");
    civil::Time::strptime("%H:%M", &text).map_err(|_| {
        ConfigError::new(
            "MANA_BACKUP_AT",
            format!("'{text}' is no time of day; use hours and minutes, such as 03:30"),
        )
    })
}

fn passphrase(source: &Source) -> Result<Option<Secret>, ConfigError> {
    match source.get("MANA_BACKUP_PASSPHRASE") {
        Some(text) if text.chars().count() < SHORTEST => Err(ConfigError::new(
            "MANA_BACKUP_PASSPHRASE",
            format!(
                "is shorter than {SHORTEST} characters, so it could be guessed; use a longer one"
            ),
        )),
        text => Ok(text.map(Secret::new)),
    }
}
