//! `mana upgrade`: a backup, then the steps of the schema; or all of that on a copy.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use mana_llm::Secret;

use super::there;
use crate::backup::{self, Place, Proof, before_upgrade};
use crate::config::{Config, Database};
use crate::data_dir::DataDir;
use crate::serve::migrate;

/// Makes a backup in the folder of backups, then brings the database up to date. A schema that is an earlier version's
/// is saved when the database is opened.
pub async fn upgrade(mut config: Config) -> Result<()> {
    there(&config).await?;
    // Beside a running server nothing can be upgraded, so nothing is saved either.
    drop(DataDir::open(&config.data_dir)?);
    config.backup.folder = Some(backup::folder(&config));
    config.backup.before_upgrade = true;
    if before_upgrade::missing_steps(&config).await?.is_none() {
        let made = backup::make(&config, Place::Folder).await?;
        println!("The state now is kept in {}.", made.path.display());
    }
    migrate(config).await
}

/// Upgrades a copy and compares every record of it with its log. The database itself is only read.
pub async fn rehearse_upgrade(config: Config, on: Option<String>) -> Result<()> {
    there(&config).await?;
    let on = match (&config.storage.database, on) {
        (Database::Sqlite(_), None) => None,
        (Database::Postgres { options, .. }, Some(url)) => {
            Some((Secret::new(url), options.clone()))
        }
        (Database::Sqlite(_), Some(_)) => {
            bail!("A rehearsal of a SQLite database needs no other database; leave out --on")
        }
        (Database::Postgres { .. }, None) => bail!(
            "A rehearsal of a Postgres database needs an empty one beside it: `createdb rehearsal`, then --on with its \
             URL"
        ),
    };
    let began = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("rehearsal-")
        .tempdir_in(&config.data_dir)
        .with_context(|| format!("No folder can be made in {}", config.data_dir.display()))?;
    let file = folder.path().join("copy");
    backup::write(&config, &file).await?;
    let proof = match on {
        None => backup::prove(&config, &file).await?,
        Some((url, options)) => backup::prove_on(&config, &file, &url, options).await?,
    };
    let Proof {
        schema: (before, after),
        rows,
        records,
        differing,
        ..
    } = proof;
    let seconds = began.elapsed().as_secs_f64();
    if differing > 0 {
        bail!(
            "After the steps {differing} places of the copy differ from their logs; run `mana reproject --check` on \
             the database itself, and keep the version that runs now"
        );
    }
    println!(
        "The copy went from step {before} of the schema to {after}: {rows} rows, {records} records agree with their \
         logs. It took {seconds:.1} s."
    );
    Ok(())
}
