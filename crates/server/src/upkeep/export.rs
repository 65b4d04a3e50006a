//! `mana export`: accounts with their logs, a line for each row, with a page in memory at a time.

use std::fs;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mana_store::{Cursor, Scope, StoreError, User};
use serde::Serialize;

use super::lines::{Account, End, Head, Line, LogHead, Row, VERSION};
use super::open;
use crate::clock;
use crate::config::Config;
use crate::private_files::private_file;
use crate::remedies::refuse_directory;
use crate::storage::Upkeep;
use crate::users::Users;

/// Rows in a page.
const ROWS: usize = 1000;

/// Exports the account with this address, or all accounts.
pub async fn export(config: Config, user: Option<String>, file: PathBuf) -> Result<()> {
    refuse_directory(&file, "mana.jsonl")?;
    let upkeep = open(&config).await?;
    let only = match user {
        None => None,
        Some(email) => match upkeep.accounts.user_by_email(&email).await? {
            Some(user) => Some(user),
            None => bail!("No account has the e-mail address {email}; check how it is written"),
        },
    };
    let end = if file == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        let end = write(&config, &upkeep, only, &std::env::temp_dir(), &mut out).await;
        end.and_then(|end| out.flush().map(|()| end).map_err(Into::into))
            .context("Standard output can't be written")?
    } else {
        to_file(&config, &upkeep, only, &file)
            .await
            .with_context(|| format!("{} can't be written", file.display()))?
    };
    upkeep.store.close().await;
    eprintln!(
        "Exported {} accounts with {} changes.",
        end.users, end.changes
    );
    tell_what_stays();
    if !end.left_out.is_empty() {
        bail!(
            "These accounts can't be read whole and are not in the file: {}",
            end.left_out.join(", ")
        );
    }
    Ok(())
}

/// Says what an export has not: it is for moving accounts, and no backup.
fn tell_what_stays() {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (table, reason) in mana_store::left_behind() {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, tables)) => tables.push(table),
            None => reasons.push((reason, vec![table])),
        }
    }
    let reasons: Vec<_> = reasons
        .into_iter()
        .map(|(reason, tables)| format!("{} ({reason})", tables.join(", ")))
        .collect();
    eprintln!(
        "Not in the file: keys, modules, mana.toml; {}. `mana backup` saves everything.",
        reasons.join("; ")
    );
}

/// The extent of an export.
#[derive(Default)]
struct Exported {
    users: u64,
    changes: u64,
    /// The addresses of accounts that can't be read.
    left_out: Vec<String>,
}

/// Writes another file and renames it, so that the file with the name is whole. Only its owner can read it.
async fn to_file(
    config: &Config,
    upkeep: &Upkeep,
    only: Option<User>,
    path: &Path,
) -> Result<Exported> {
    let part = path.with_added_extension("part");
    let _ = fs::remove_file(&part);
    let mut out = BufWriter::new(private_file().write(true).create_new(true).open(&part)?);
    let beside = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let written = write(config, upkeep, only, beside, &mut out).await;
    let end = written.and_then(|end| {
        out.into_inner()?.sync_all()?;
        fs::rename(&part, path)?;
        Ok(end)
    });
    if end.is_err() {
        let _ = fs::remove_file(&part);
    }
    end
}

async fn write(
    config: &Config,
    upkeep: &Upkeep,
    only: Option<User>,
    beside: &Path,
    out: &mut impl Write,
) -> Result<Exported> {
    let head = Head {
        mana: "export".to_owned(),
        version: VERSION,
        exported_at: clock::now(),
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
    };
    put(out, &head)?;
    let mut end = Exported::default();
    match only {
        Some(user) => account(upkeep, user, beside, out, &mut end).await?,
        None => {
            let mut users = Users::default();
            while let Some(user) = users.next(&*upkeep.accounts).await? {
                account(upkeep, user, beside, out, &mut end).await?;
            }
            users.some(config)?;
        }
    }
    if end.users == 0 {
        bail!("No account can be read; put a backup back");
    }
    let counted = End {
        users: end.users,
        changes: end.changes,
    };
    put(out, &Line::End(counted))?;
    Ok(end)
}

/// Writes an account. An account that can't be read is left out whole, and does not keep the others from being saved.
async fn account(
    upkeep: &Upkeep,
    user: User,
    beside: &Path,
    out: &mut impl Write,
    end: &mut Exported,
) -> Result<()> {
    let mut lines = tempfile::tempfile_in(beside)
        .with_context(|| format!("No temporary file can be made in {}", beside.display()))?;
    let email = user.email.clone();
    let read = rows(upkeep, user, &mut BufWriter::new(&lines)).await;
    match read {
        Ok(changes) => {
            lines.rewind()?;
            io::copy(&mut lines, out)?;
            end.users += 1;
            end.changes += changes;
        }
        Err(Unread::Store(error)) if error.may_pass() => return Err(error.into()),
        Err(Unread::Store(error)) => {
            eprintln!("{email} is left out: {error}");
            end.left_out.push(email);
        }
        Err(Unread::Io(error)) => return Err(error),
    }
    Ok(())
}

/// Why the lines of an account are not written.
enum Unread {
    /// The database does not give them.
    Store(StoreError),
    /// There is no room for them.
    Io(anyhow::Error),
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Unread::Store(error)
    }
}

async fn rows(upkeep: &Upkeep, user: User, out: &mut impl Write) -> Result<u64, Unread> {
    let scope = Scope::own(&user.id);
    // Forgotten records are in no new file (SYNC F5).
    upkeep.maintenance.drop_forgotten(&scope).await?;
    let mut page = upkeep
        .maintenance
        .export(&scope, Cursor::BEGINNING, ROWS)
        .await?;
    let log = LogHead {
        floor: page.floor,
        epoch: page.epoch.clone(),
    };
    put(out, &Line::User(Box::new(Account::new(user, log)))).map_err(Unread::Io)?;
    let mut changes = 0;
    loop {
        let last = page.rows.last().map(|row| row.logged.cursor);
        for row in page.rows {
            put(out, &Line::Change(Box::new(Row::from(row)))).map_err(Unread::Io)?;
            changes += 1;
        }
        let Some(last) = last.filter(|_| page.has_more) else {
            break;
        };
        page = upkeep.maintenance.export(&scope, last, ROWS).await?;
    }
    out.flush().map_err(|error| Unread::Io(error.into()))?;
    Ok(changes)
}

fn put(out: &mut impl Write, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    Ok(out.write_all(b"\n")?)
}
