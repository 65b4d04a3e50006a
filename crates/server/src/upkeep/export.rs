//! `mana export`: accounts with their logs, a line for each row, with a page in memory at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mana_store::{Cursor, Scope, User};
use serde::Serialize;

use super::lines::{Account, End, Head, Line, Row, VERSION};
use super::{Users, open};
use crate::clock;
use crate::config::Config;
use crate::storage::Upkeep;

/// Rows in a page.
const ROWS: usize = 1000;

/// Exports the account with this address, or all accounts.
pub async fn export(config: Config, user: Option<String>, file: PathBuf) -> Result<()> {
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
        let end = write(&upkeep, only, &mut out).await;
        end.and_then(|end| out.flush().map(|()| end).map_err(Into::into))
            .context("Standard output can't be written")?
    } else {
        to_file(&upkeep, only, &file)
            .await
            .with_context(|| format!("{} can't be written", file.display()))?
    };
    upkeep.store.close().await;
    eprintln!(
        "Exported {} accounts with {} changes.",
        end.users, end.changes
    );
    Ok(())
}

/// Writes another file and renames it, so that the file with the name is whole. Only its owner can read it.
async fn to_file(upkeep: &Upkeep, only: Option<User>, path: &Path) -> Result<End> {
    let part = path.with_added_extension("part");
    let _ = fs::remove_file(&part);
    let mut out = BufWriter::new(private(&part)?);
    let written = write(upkeep, only, &mut out).await;
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

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

async fn write(upkeep: &Upkeep, only: Option<User>, out: &mut impl Write) -> Result<End> {
    let head = Head {
        mana: "export".to_owned(),
        version: VERSION,
        exported_at: clock::now(),
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
    };
    put(out, &head)?;
    let mut end = End::default();
    match only {
        Some(user) => account(upkeep, user, out, &mut end).await?,
        None => {
            let mut users = Users::default();
            while let Some(user) = users.next(upkeep).await? {
                account(upkeep, user, out, &mut end).await?;
            }
        }
    }
    let counted = End {
        users: end.users,
        changes: end.changes,
    };
    put(out, &Line::End(counted))?;
    Ok(end)
}

async fn account(upkeep: &Upkeep, user: User, out: &mut impl Write, end: &mut End) -> Result<()> {
    let scope = Scope::own(&user.id);
    let mut page = upkeep
        .maintenance
        .export(&scope, Cursor::BEGINNING, ROWS)
        .await?;
    put(out, &Line::User(Account::new(user, page.floor)))?;
    end.users += 1;
    loop {
        let Some(last) = page.rows.last().map(|row| row.logged.cursor) else {
            return Ok(());
        };
        for row in page.rows {
            put(out, &Line::Change(Box::new(Row::from(row))))?;
            end.changes += 1;
        }
        if !page.has_more {
            return Ok(());
        }
        page = upkeep.maintenance.export(&scope, last, ROWS).await?;
    }
}

fn put(out: &mut impl Write, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    Ok(out.write_all(b"\n")?)
}
