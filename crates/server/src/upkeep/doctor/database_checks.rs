//! The checks that need the database.

use std::path::Path;

use mana_llm::Gateway;
use mana_store::{DatabaseContents, PostgresStore, Scope, SqliteStore};

use super::findings::{Finding, Findings, Patient};
use crate::backup::status::BackupStatus;
use crate::clock;
use crate::clock_check::{ClockDoubt, doubt};
use crate::config::{Config, Database, ServerRole};
use crate::gateway;
use crate::remedies::with_remedy;
use crate::storage::{Upkeep, contents, is_current};
use crate::users::Users;

/// How late a mission may begin before it counts as stuck, in microseconds.
const LATE: i64 = 15 * 60 * 1_000_000;

/// The oldest version of PostgreSQL that Mana runs on.
const OLDEST_POSTGRES: i32 = 140_000;

/// Whether the database is there and has this version's schema, so that opening it changes nothing.
pub(super) async fn can_be_opened(config: &Config, findings: &mut Findings<'_>) -> bool {
    let name = config.storage.database.name();
    match contents(config).await {
        Err(error) => {
            findings.problem(with_remedy(&error), "put right what the message names");
            return false;
        }
        Ok(DatabaseContents::Tables) => {}
        Ok(DatabaseContents::Missing | DatabaseContents::Empty) => {
            findings.problem(
                format!("the database {name} holds nothing"),
                "set MANA_DATA_DIR or DATABASE_URL to the server's own, put a backup back, or start a new server",
            );
            return false;
        }
    }
    match is_current(config).await {
        Ok(true) => {
            findings.ok(format!("{name} is there, and its schema is this version's"));
            roles(config, findings).await
        }
        Ok(false) => {
            findings.warn(
                format!("the schema of the database {name} is another version's"),
                "run `mana upgrade`, which makes a backup first (`mana upgrade --rehearse` tries it on a copy)",
            );
            false
        }
        Err(error) => {
            findings.problem(error.to_string(), "put right what the message names");
            false
        }
    }
}

/// Runs the checks.
pub(super) async fn run(patient: &Patient, all: &mut Vec<Finding>) {
    let config = &patient.config;
    integrity(
        patient,
        &mut Findings {
            check: "integrity",
            all,
        },
    )
    .await;
    let Some(upkeep) = &patient.upkeep else {
        for check in ["clock", "backups", "providers", "missions"] {
            Findings { check, all }.skip("the database could not be opened");
        }
        return;
    };
    time(
        upkeep,
        &mut Findings {
            check: "clock",
            all,
        },
    )
    .await;
    backups(
        config,
        upkeep,
        &mut Findings {
            check: "backups",
            all,
        },
    )
    .await;
    providers(
        config,
        upkeep,
        &mut Findings {
            check: "providers",
            all,
        },
    )
    .await;
    missions(
        config,
        upkeep,
        &mut Findings {
            check: "missions",
            all,
        },
    )
    .await;
}

/// Whether the roles of a Postgres database are as they have to be. Opening it would put them right, and a command that
/// looks changes nothing.
async fn roles(config: &Config, findings: &mut Findings<'_>) -> bool {
    let Database::Postgres { url, .. } = &config.storage.database else {
        return true;
    };
    let state = match PostgresStore::state(url.expose()).await {
        Ok(found) => found,
        Err(error) => {
            findings.problem(error.to_string(), "put right what the message names");
            return false;
        }
    };
    let major = state.version / 10_000;
    if state.version < OLDEST_POSTGRES {
        findings.problem(
            format!("the server is PostgreSQL {major}"),
            "upgrade it to 14 or newer",
        );
    }
    if state.encoding != "UTF8" {
        findings.warn(
            format!(
                "the database's encoding is {}, which can't hold every character",
                state.encoding
            ),
            "run `mana backup`, make a database with `createdb --encoding=UTF8 --template=template0`, and `mana \
             restore` into it",
        );
    }
    if state.is_read_only {
        findings.problem(
            "the database takes no writes",
            "name the primary and no standby in DATABASE_URL, and a database without default_transaction_read_only",
        );
    }
    match state.lacks_grants {
        true => findings.problem(
            "the role mana_app is missing, can't be taken, or lacks a grant",
            "run `mana migrate` with the tables' owner; from 16 on: GRANT mana_app TO owner",
        ),
        false => findings.ok(format!("mana_app has its grants, on PostgreSQL {major}")),
    }
    !state.lacks_grants
}

async fn integrity(patient: &Patient, findings: &mut Findings<'_>) {
    if let Database::Sqlite(path) = &patient.config.storage.database
        && path.exists()
    {
        let remedy = "stop Mana, keep a copy of its files, and put a backup back (`mana export` saves the accounts \
            that can still be read)";
        match SqliteStore::quick_check(path).await {
            Ok(faults) if faults.is_empty() => findings.ok("the file's pages are sound"),
            Ok(faults) => findings.problem(faults.join("; "), remedy),
            Err(error) => findings.problem(error.to_string(), remedy),
        }
    }
    let Some(upkeep) = &patient.upkeep else {
        return;
    };
    if !patient.deep {
        findings.skip("records were not compared with their logs; --deep does");
        return;
    }
    match compare(upkeep).await {
        Ok((records, 0)) => findings.ok(format!("{records} records agree with their logs")),
        Ok((_, differing)) => findings.problem(
            format!("{differing} places differ from their logs"),
            "run `mana reproject --check`, which names them, then `mana reproject`",
        ),
        Err(error) => findings.problem(
            format!("{error:#}"),
            "run `mana export`, which saves the accounts that can be read and names the others",
        ),
    }
}

async fn compare(upkeep: &Upkeep) -> anyhow::Result<(u64, u64)> {
    let (mut users, mut records, mut differing) = (Users::default(), 0, 0);
    while let Some(user) = users.next(&*upkeep.accounts).await? {
        let checked = upkeep.maintenance.check(&Scope::own(&user.id)).await?;
        records += checked.records;
        differing += checked.differing;
    }
    Ok((records, differing))
}

async fn time(upkeep: &Upkeep, findings: &mut Findings<'_>) {
    let read = async {
        clock::synchronize(&*upkeep.store).await?;
        upkeep.store.newest_time().await
    };
    let newest = match read.await {
        Ok(newest) => newest,
        Err(error) => {
            findings.problem(error.to_string(), "put right what the message names");
            return;
        }
    };
    match doubt(newest, clock::now()) {
        None => findings.ok("the clock fits the newest row"),
        Some(doubt @ ClockDoubt::Behind { .. }) => {
            findings.problem(doubt.to_string(), ClockDoubt::REMEDY);
        }
        Some(doubt @ ClockDoubt::Ahead { .. }) => {
            findings.warn(doubt.to_string(), ClockDoubt::REMEDY)
        }
    }
}

async fn backups(config: &Config, upkeep: &Upkeep, findings: &mut Findings<'_>) {
    let Some(folder) = &config.backup.folder else {
        findings.warn(
            "no backups are made by themselves",
            "set MANA_BACKUP_DIR to a folder on another disk, or run `mana backup` from a timer",
        );
        return;
    };
    let status = match BackupStatus::read(&*upkeep.accounts).await {
        Ok((status, _)) => status,
        Err(error) => {
            findings.problem(format!("{error:#}"), "put right what the message names");
            return;
        }
    };
    if let Some(problem) = status.problem(clock::now()) {
        findings.problem(
            problem,
            format!("run `mana backup`, and see to {}", folder.display()),
        );
        return;
    }
    if let Database::Sqlite(path) = &config.storage.database
        && on_one_disk(path, folder)
    {
        findings.warn(
            format!(
                "{} is on the disk of the database, and is lost with it",
                folder.display()
            ),
            "set MANA_BACKUP_DIR to a folder on another disk, or copy the files elsewhere",
        );
    }
    match status.last {
        Some(last) => findings.ok(format!("the last one is of {}: {}", last.at, last.file)),
        None => findings.ok(format!("the first one is made at {}", config.backup.at)),
    }
}

/// Whether both places are there, on one file system.
#[cfg(unix)]
fn on_one_disk(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let disk = |path: &Path| std::fs::metadata(path).ok().map(|file| file.dev());
    disk(one).is_some_and(|one| disk(other) == Some(one))
}

/// Whether both places are on one file system, which other systems don't tell.
#[cfg(not(unix))]
fn on_one_disk(_: &Path, _: &Path) -> bool {
    false
}

async fn providers(config: &Config, upkeep: &Upkeep, findings: &mut Findings<'_>) {
    let llm = match gateway::saved_config(config, &*upkeep.accounts).await {
        Ok(llm) => llm,
        Err(error) => {
            findings.problem(
                format!("{error:#}"),
                "correct the setting under Settings → Models and providers, or put settings.key back",
            );
            return;
        }
    };
    let gateway = Gateway::from_config(llm);
    gateway.models().await;
    let providers = gateway.health().providers;
    for provider in &providers {
        let name = &provider.name;
        match (provider.state, &provider.reason) {
            ("down", reason) => findings.warn(
                format!(
                    "{name} can't be asked: {}",
                    reason.as_deref().unwrap_or("no reason is known")
                ),
                "check its address and key under Settings → Models and providers, and that it runs",
            ),
            ("absent", _) => findings.skip(format!("{name} was looked for and is not there")),
            ("unknown", _) => findings.skip(format!("{name} was not asked: its models are named")),
            _ => findings.ok(format!("{name} answers")),
        }
    }
    if !providers.iter().any(|provider| provider.state != "absent") {
        findings.warn(
            "no provider of models is configured, so missions plan without an AI",
            "name one under Settings → Models and providers",
        );
    }
}

async fn missions(config: &Config, upkeep: &Upkeep, findings: &mut Findings<'_>) {
    if !config.serves(ServerRole::Ai) || !config.runner.tick_enabled {
        findings.skip("this server runs no missions");
        return;
    }
    let now = clock::now();
    match upkeep.store.next_wake().await {
        Ok(Some(at)) if at.0.saturating_add(LATE) < now.0 => findings.warn(
            format!(
                "a mission has been due for {} minutes and has not begun",
                (now.0 - at.0) / 60_000_000
            ),
            "start the server if it is stopped; else look at its log for the mission's id",
        ),
        Ok(_) => findings.ok("none is overdue"),
        Err(error) => findings.problem(error.to_string(), "put right what the message names"),
    }
}
