//! Making a backup: written beside its place, proven, and only then given its name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use mana_core::Micros;
use mana_store::{PostgresStore, SqliteStore};

use super::file::BackupWriter;
use super::prove::{Proof, prove};
use super::{EXTENSION, server_files};
use crate::clock;
use crate::config::{Config, Database};
use crate::private_files::{create_private_dir, private_file};
use crate::remedies::refuse_directory;

/// The extension of a backup whose records differ from their logs. It is kept, and counts for nothing.
const UNPROVEN: &str = "unproven";

/// The beginnings of the names of backups in a folder: of days, and before upgrades. Neither kind drops the other.
const PREFIX: &str = "mana-";
const BEFORE_UPGRADE: &str = "before-upgrade-from-step-";

/// The place of a backup.
#[derive(Debug, Clone)]
pub enum Place {
    /// This file.
    File(PathBuf),
    /// The folder of backups, by the time.
    Folder,
    /// The folder of backups, by the step of the schema. A start that is repeated keeps one file, and no other step's
    /// is dropped for it.
    BeforeUpgrade(i64),
}

/// There is no account, so there was nothing to save.
#[derive(Debug, thiserror::Error)]
#[error("The database {0} has no account, so there was nothing to save")]
pub struct NothingToSave(String);

/// A backup that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The file.
    pub path: PathBuf,
    /// When it was made.
    pub at: Micros,
    /// Its size.
    pub bytes: u64,
    /// The proof.
    pub proof: Proof,
    /// How long making and proving took, in seconds.
    pub seconds: f64,
}

/// Makes a backup of the whole server. In the folder of backups the oldest go once as many as are to be kept are there.
pub async fn make(config: &Config, place: Place) -> Result<Made> {
    let (began, at) = (Instant::now(), clock::now());
    let (path, kind) = match place {
        Place::File(file) => (file, None),
        Place::Folder => (
            named(config, &format!("{PREFIX}{}", of_time(at)))?,
            Some(PREFIX),
        ),
        Place::BeforeUpgrade(step) => (
            named(config, &format!("{BEFORE_UPGRADE}{step:04}"))?,
            Some(BEFORE_UPGRADE),
        ),
    };
    refuse_directory(&path, &format!("mana.{EXTENSION}"))?;
    let part = path.with_added_extension("part");
    let written = write(config, &part)
        .await
        .with_context(|| format!("The backup {} was not made", path.display()));
    let proof = match written {
        Ok(()) => proven(config, &part, &path).await,
        Err(error) => Err(error),
    };
    let done = proof.and_then(|proof| {
        let bytes = fs::metadata(&part)?.len();
        fs::rename(&part, &path)
            .and_then(|()| sync_folder(&path))
            .with_context(|| format!("{} can't be written", path.display()))?;
        Ok(Made {
            path: path.clone(),
            at,
            bytes,
            proof,
            seconds: began.elapsed().as_secs_f64(),
        })
    });
    match (&done, kind) {
        (Ok(_), Some(kind)) => drop_oldest(config, &path, kind),
        (Ok(_), None) => {}
        (Err(_), _) => {
            let _ = fs::remove_file(&part);
        }
    }
    done
}

/// Writes a backup to a new file. Nothing is proven.
pub async fn write(config: &Config, part: &Path) -> Result<()> {
    let _ = fs::remove_file(part);
    let file = private_file().write(true).create_new(true).open(part);
    let file = file.with_context(|| format!("{} can't be made", part.display()))?;
    let files = server_files::collect(config)?;
    let passphrase = config.backup.passphrase.as_ref();
    let mut writer = BackupWriter::new(part, file, passphrase, files)?;
    match &config.storage.database {
        Database::Sqlite(path) => SqliteStore::back_up(path, &mut writer).await?,
        Database::Postgres { url, .. } => {
            PostgresStore::back_up(url.expose(), &mut writer).await?;
        }
    }
    let end = writer.finish()?;
    if end.tables.get("users").is_none_or(|users| *users == 0) {
        return Err(NothingToSave(config.storage.database.name()).into());
    }
    Ok(())
}

/// Proves the new file. A file that is whole, of a database whose records differ from their logs, is kept under
/// another name: it replaces no good one, and is better than none.
async fn proven(config: &Config, part: &Path, path: &Path) -> Result<Proof> {
    let proof = prove(config, part)
        .await
        .with_context(|| format!("The backup {} could not be proven", path.display()))?;
    if proof.differing > 0 {
        let aside = path.with_extension(UNPROVEN);
        fs::rename(part, &aside)
            .with_context(|| format!("{} can't be written", aside.display()))?;
        bail!(
            "{} places of the backup differ from their logs, as in the database itself; run `mana reproject --check`. \
             The file is kept as {}, and counts for no backup",
            proof.differing,
            aside.display()
        );
    }
    Ok(proof)
}

/// Returns the path of a new backup in the folder of backups, which is made (0700) if it is missing.
fn named(config: &Config, name: &str) -> Result<PathBuf> {
    let folder = folder(config);
    create_private_dir(&folder)
        .with_context(|| format!("The folder {} can't be made", folder.display()))?;
    Ok(folder.join(format!("{name}.{EXTENSION}")))
}

fn of_time(at: Micros) -> String {
    let seconds = Timestamp::from_microsecond(at.0).unwrap_or_default();
    seconds.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The folder of backups: the configured one, or that in the data directory.
pub fn folder(config: &Config) -> PathBuf {
    let configured = config.backup.folder.clone();
    configured.unwrap_or_else(|| config.data_dir.join("backups"))
}

/// Removes the oldest backups of a kind beyond those that are to be kept, files that an earlier process did not finish,
/// and all but the newest that is not proven. Names that Mana does not give are left alone.
fn drop_oldest(config: &Config, newest: &Path, kind: &str) {
    let names = fs::read_dir(folder(config)).into_iter().flatten();
    let mut files: Vec<PathBuf> = names
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(kind))
        })
        .collect();
    files.sort();
    let ends = |path: &Path, end: &str| path.extension().is_some_and(|found| found == end);
    let (good, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|path| ends(path, EXTENSION));
    let keep = config.backup.keep.get() as usize;
    let old = good.iter().take(good.len().saturating_sub(keep));
    let part = format!(".{EXTENSION}.part");
    let unfinished = others
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(&part));
    let unproven: Vec<_> = others.iter().filter(|path| ends(path, UNPROVEN)).collect();
    let unproven = unproven.iter().rev().skip(1).copied();
    for path in old.chain(unfinished).chain(unproven) {
        if path != newest
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(error = %error, "{} could not be removed: {error}", path.display());
        }
    }
}

/// Brings a file's name to the disk.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
