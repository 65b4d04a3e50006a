//! `mana import`: accounts with their logs from an export, each as a whole, with a batch in memory at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use mana_store::{LogRow, StoreError};

use super::lines::{Account, End, Head, Line, VERSION};
use super::open_or_make;
use crate::backup;
use crate::config::Config;
use crate::storage::Upkeep;

/// Longest line of an export.
const LINE_LIMIT_BYTES: u64 = 64 << 20;

/// Imports a file.
pub async fn import(config: Config, file: PathBuf) -> Result<()> {
    let mut lines = read_head(&file)?;
    let upkeep = open_or_make(&config).await?;
    let done = accounts(&upkeep, &mut lines).await;
    upkeep.store.close().await;
    tell(&done?);
    Ok(())
}

pub(super) fn tell(end: &End) {
    println!(
        "Imported {} accounts with {} changes.",
        end.users, end.changes
    );
}

/// Opens a file and checks its first line, before any database is made.
pub(super) fn read_head(file: &Path) -> Result<Lines> {
    let reader: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let named = || format!("{} can't be read", file.display());
        let open = File::open(file).with_context(named)?;
        if open.metadata().with_context(named)?.is_dir() {
            bail!("{} is a directory; name a file in it", file.display());
        }
        Box::new(BufReader::new(open))
    };
    let mut lines = Lines {
        reader,
        number: 0,
        put_back: None,
    };
    lines
        .head()
        .with_context(|| format!("{} can't be used", file.display()))?;
    Ok(lines)
}

pub(super) async fn accounts(upkeep: &Upkeep, lines: &mut Lines) -> Result<End> {
    let mut seen = End::default();
    loop {
        match lines.next()? {
            Line::User(account) => {
                seen.changes += one(upkeep, lines, *account).await?;
                seen.users += 1;
            }
            Line::Change(_) => bail!(
                "Line {} is a change before any account; the file isn't as `mana export` made it",
                lines.number
            ),
            Line::End(end) if end == seen => return Ok(end),
            Line::End(end) => bail!(
                "The file names {} accounts with {} changes at its end, and holds {} with {}; export it again. \
                 Accounts named above are whole as far as the file has them",
                end.users,
                end.changes,
                seen.users,
                seen.changes
            ),
        }
    }
}

/// Imports an account. Returns the number of its changes in the file.
async fn one(upkeep: &Upkeep, lines: &mut Lines, account: Account) -> Result<u64> {
    let (user, log) = account.into_parts();
    let email = user.email.clone();
    let (maintenance, epoch) = (&upkeep.maintenance, Some(log.epoch));
    let done = maintenance.import(user, log.floor, epoch, lines.rows());
    let done = done.await;
    let done = done.with_context(|| format!("The account {email} was not imported"))?;
    let made = match (done.account_made, done.made_member) {
        (false, _) => "was there already",
        (true, false) => "is new",
        (true, true) => "is new, and a member: this server has its owner",
    };
    println!(
        "{email} {made}: {} changes stored, {} were there already.",
        done.stored, done.present
    );
    Ok(done.stored + done.present)
}

/// Reads the file line by line.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    number: u64,
    put_back: Option<Line>,
}

impl Lines {
    fn head(&mut self) -> Result<()> {
        let text = self.text()?;
        let head: Option<Head> = serde_json::from_slice(&text).ok();
        let version = serde_json::from_slice::<serde_json::Value>(&text)
            .ok()
            .filter(|head| head["mana"] == "export")
            .and_then(|head| head["version"].as_u64());
        match (head, version) {
            (Some(_), Some(VERSION)) => Ok(()),
            (_, Some(version)) if version != VERSION => bail!(
                "The file is an export of version {version}, and this mana reads version {VERSION}; \
                 import it with the version of mana that made it"
            ),
            _ if text.is_empty() => bail!("The file is empty; give another one"),
            _ if text.starts_with(backup::MAGIC.as_bytes()) => {
                bail!("The file is a backup; put it back with `mana restore`, into an empty server")
            }
            _ => bail!(
                "The file is neither an export nor a backup of Mana, or its beginning is damaged; give one that \
                 `mana export` or `mana backup` made"
            ),
        }
    }

    fn next(&mut self) -> Result<Line> {
        if let Some(line) = self.put_back.take() {
            return Ok(line);
        }
        let text = self.text()?;
        if text.is_empty() {
            bail!(
                "The file ends after line {} without its end line, so it was cut off; export it again",
                self.number - 1
            );
        }
        serde_json::from_slice(&text).with_context(|| format!("Line {} can't be read", self.number))
    }

    fn text(&mut self) -> Result<Vec<u8>> {
        self.number += 1;
        let mut text = Vec::new();
        (&mut self.reader)
            .take(LINE_LIMIT_BYTES)
            .read_until(b'\n', &mut text)
            .with_context(|| format!("Line {} can't be read", self.number))?;
        if text.len() as u64 == LINE_LIMIT_BYTES {
            bail!("Line {} is longer than any line of an export", self.number);
        }
        Ok(text)
    }

    /// Returns the changes up to the next account or the end.
    fn rows(&mut self) -> BoxStream<'_, Result<LogRow, StoreError>> {
        stream::unfold(self, |lines| async move {
            match lines.next() {
                Ok(Line::Change(row)) => Some((Ok(LogRow::from(*row)), lines)),
                Ok(other) => {
                    lines.put_back = Some(other);
                    None
                }
                Err(error) => Some((Err(StoreError::Invalid(format!("{error:#}"))), lines)),
            }
        })
        .boxed()
    }
}
