//! The proof of a backup: it is read to its end, restored into a SQLite file of its own, and every record of that file
//! is compared with a replay of its log.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use mana_core::Micros;
use mana_core::manifest::Registry;
use mana_llm::Secret;
use mana_store::{
    Accounts, Maintenance, PostgresOptions, PostgresStore, RestoreOptions, Restored, Scope,
    SharedDatabase as _, SqliteStore,
};
use tempfile::TempDir;

use super::file::BackupReader;
use super::server_files::PutBack;
use crate::config::Config;
use crate::modules;
use crate::private_files::create_private_dir;
use crate::users::Users;

/// The beginnings of the names of folders for proofs and rehearsals, in the data directory.
const FOLDER: &str = "proof-";
const OF_REHEARSALS: &str = "rehearsal-";

/// The outcome of a proof.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Time of the backup.
    pub made_at: Micros,
    /// The last step of the backup's schema, and that of this version's.
    pub schema: (i64, i64),
    /// Accounts.
    pub users: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Records, which were compared with their logs.
    pub records: u64,
    /// Places that differ from the logs.
    pub differing: u64,
}

/// Proves a file. The copy that it takes lies in the data directory, which is as private as the data, and is removed.
pub async fn prove(config: &Config, file: &Path) -> Result<Proof> {
    let mut begun = begin(config, file)?;
    let database = begun.folder.path().join("mana.db");
    let restored = SqliteStore::restore(&database, &mut begun.reader, begun.options).await?;
    begun.proof.schema.1 = SqliteStore::schema(&database).await?.unwrap_or_default();
    let store = SqliteStore::open(&database, begun.registry.clone()).await?;
    let proof = compare(&*store, begun.proof, restored).await;
    store.close().await;
    proof
}

/// Proves a file on an empty Postgres database, which keeps what is restored.
pub async fn prove_on(
    config: &Config,
    file: &Path,
    url: &Secret,
    options: PostgresOptions,
) -> Result<Proof> {
    let mut begun = begin(config, file)?;
    let restored = PostgresStore::restore(url.expose(), &mut begun.reader, begun.options).await?;
    begun.proof.schema.1 = PostgresStore::schema(url.expose()).await?;
    let store = PostgresStore::open(url.expose(), begun.registry.clone(), options).await?;
    let proof = compare(&*store, begun.proof, restored).await;
    store.close().await;
    proof
}

/// A proof before its rows are restored.
struct Begun {
    reader: BackupReader,
    registry: Arc<Registry>,
    options: RestoreOptions,
    proof: Proof,
    folder: TempDir,
}

fn begin(config: &Config, file: &Path) -> Result<Begun> {
    create_private_dir(&config.data_dir)
        .with_context(|| format!("{} can't be made", config.data_dir.display()))?;
    let folder = tempfile::Builder::new()
        .prefix(FOLDER)
        .tempdir_in(&config.data_dir)
        .with_context(|| format!("No folder can be made in {}", config.data_dir.display()))?;
    let reader = BackupReader::open(file, config.backup.passphrase.as_ref())?;
    // The modules of the backup say how its records are merged.
    PutBack::plan(folder.path(), &reader.files, None)?.write()?;
    let (registry, _) = modules::load(&folder.path().join("modules"));
    Ok(Begun {
        registry: Arc::new(registry),
        options: RestoreOptions {
            origin: reader.origin,
            epoch: None,
        },
        proof: Proof {
            made_at: reader.head.made_at,
            schema: (reader.origin.schema, 0),
            ..Proof::default()
        },
        reader,
        folder,
    })
}

/// Compares every record with its log.
async fn compare<S: Accounts + Maintenance>(
    store: &S,
    mut proof: Proof,
    restored: Restored,
) -> Result<Proof> {
    (proof.users, proof.rows) = (restored.users, restored.rows);
    for user in &restored.unprojected {
        store.reproject(&Scope::own(user)).await?;
    }
    let mut users = Users::default();
    while let Some(user) = users.next(store).await? {
        let checked = store.check(&Scope::own(&user.id)).await?;
        proof.records += checked.records;
        proof.differing += checked.differing;
    }
    Ok(proof)
}

/// Removes the folders of proofs that an earlier process did not finish.
pub fn forget_unfinished(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(FOLDER) || name.starts_with(OF_REHEARSALS) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
