//! The file of a backup: a line of text, then lines of JSON, compressed, and sealed where there is a passphrase.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use mana_llm::Secret;
use mana_store::{
    BackupEntry, BackupOrigin, BackupSink, BackupSource, Cell, DatabaseKind, StoreError, TableHead,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::lines::{self, End, Head, Line, RowLine, VERSION};
use super::sealed::{KeyRecipe, SealedReader, SealedWriter};
use super::server_files::ServerFile;
use crate::clock;

/// The first words of the file.
pub const MAGIC: &str = "mana-backup 1 ";

/// The word after them in a file without a passphrase.
const PLAIN: &str = "plain";

/// Longest first line.
const FIRST_LINE_BYTES: u64 = 512;

/// Longest line of JSON.
const LINE_BYTES: u64 = 64 << 20;

/// Whether the file begins like a backup.
pub fn is_backup(path: &Path) -> bool {
    let mut begin = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == MAGIC.as_bytes()
}

enum Out {
    Plain(BufWriter<File>),
    Sealed(Box<SealedWriter<BufWriter<File>>>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(out) => out.write(bytes),
            Out::Sealed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(out) => out.flush(),
            Out::Sealed(out) => out.flush(),
        }
    }
}

/// Writes a backup.
pub struct BackupWriter {
    path: PathBuf,
    out: GzEncoder<Out>,
    files: Vec<ServerFile>,
    sum: Sha256,
    line: Vec<u8>,
    end: End,
    /// The table whose rows come.
    table: String,
}

impl BackupWriter {
    /// Begins a backup in an empty file.
    pub fn new(
        path: &Path,
        file: File,
        passphrase: Option<&Secret>,
        files: Vec<ServerFile>,
    ) -> Result<BackupWriter> {
        let mut file = BufWriter::new(file);
        let out = match passphrase {
            None => {
                file.write_all(format!("{MAGIC}{PLAIN}\n").as_bytes())?;
                Out::Plain(file)
            }
            Some(passphrase) => {
                let recipe = KeyRecipe::new()?;
                let first = format!("{MAGIC}{}\n", recipe.words());
                file.write_all(first.as_bytes())?;
                let sealed = SealedWriter::new(file, &recipe, passphrase, first.as_bytes())?;
                Out::Sealed(Box::new(sealed))
            }
        };
        Ok(BackupWriter {
            path: path.to_owned(),
            out: GzEncoder::new(out, Compression::fast()),
            files,
            sum: Sha256::new(),
            line: Vec::new(),
            end: End::default(),
            table: String::new(),
        })
    }

    /// Writes the end and brings the file to the disk. Returns the number of rows of each table.
    pub fn finish(mut self) -> Result<End> {
        self.end.sha256 = hex(&self.sum.clone().finalize());
        let end = self.end.clone();
        self.put(&Line::End(end.clone()))?;
        let file = match self.out.finish()? {
            Out::Plain(out) => out.into_inner()?,
            Out::Sealed(out) => out.finish()?.into_inner()?,
        };
        file.sync_all()?;
        Ok(end)
    }

    fn put(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.sum.update(&self.line);
        self.out.write_all(&self.line)
    }

    fn put_in_file(&mut self, line: &impl Serialize) -> mana_store::Result<()> {
        self.put(line).map_err(|error| StoreError::Io {
            path: self.path.display().to_string(),
            error,
        })
    }
}

impl BackupSink for BackupWriter {
    fn origin(&mut self, origin: BackupOrigin) -> mana_store::Result<()> {
        let head = Head {
            mana: "backup".to_owned(),
            version: VERSION,
            made_at: clock::now(),
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            database: origin.database.as_str().to_owned(),
            schema: origin.schema,
        };
        self.put_in_file(&head)?;
        for ServerFile { name, data } in std::mem::take(&mut self.files) {
            let data = STANDARD.encode(data);
            self.put_in_file(&Line::File { name, data })?;
        }
        Ok(())
    }

    fn table(&mut self, head: TableHead) -> mana_store::Result<()> {
        self.table.clone_from(&head.name);
        self.end.tables.insert(head.name.clone(), 0);
        self.put_in_file(&Line::Table {
            name: head.name,
            columns: head.columns,
        })
    }

    fn row(&mut self, cells: Vec<Cell>) -> mana_store::Result<()> {
        *self.end.tables.entry(self.table.clone()).or_default() += 1;
        self.put_in_file(&RowLine(&cells))
    }
}

/// Reads a backup, and checks what it reads.
pub struct BackupReader {
    /// The file's first line of JSON.
    pub head: Head,
    /// The database that it is of.
    pub origin: BackupOrigin,
    /// The files of the data directory.
    pub files: Vec<ServerFile>,
    from: BufReader<Box<dyn Read + Send>>,
    sum: Sha256,
    number: u64,
    seen: End,
    table: String,
    put_back: Option<BackupEntry>,
    ended: bool,
}

impl BackupReader {
    /// Opens a backup and reads up to its first table.
    pub fn open(path: &Path, passphrase: Option<&Secret>) -> Result<BackupReader> {
        let named = || format!("The backup {} can't be used", path.display());
        let file = File::open(path).with_context(named)?;
        if file.metadata().with_context(named)?.is_dir() {
            bail!("{} is a directory; name a backup in it", path.display());
        }
        BackupReader::begin(BufReader::new(file), passphrase).with_context(named)
    }

    /// Reads the file to its end. Fails where it is not whole.
    pub fn verify(path: &Path, passphrase: Option<&Secret>) -> Result<End> {
        let mut reader = BackupReader::open(path, passphrase)?;
        let named = || format!("The backup {} can't be used", path.display());
        while reader.entry().with_context(named)?.is_some() {}
        Ok(reader.seen)
    }

    fn begin(file: BufReader<File>, passphrase: Option<&Secret>) -> Result<BackupReader> {
        let mut from = BufReader::new(opened(file, passphrase)?);
        let line = read_line(&mut from, 1)?;
        let head: Head =
            serde_json::from_slice(&line).context("Line 1 can't be read; take another backup")?;
        if head.version != VERSION {
            bail!(
                "It is a backup of version {}, and this mana reads version {VERSION}; restore it with mana {}",
                head.version,
                head.made_by
            );
        }
        let database = DatabaseKind::parse(&head.database)
            .ok_or_else(|| anyhow!("It is of no database that Mana knows"))?;
        let mut reader = BackupReader {
            origin: BackupOrigin {
                database,
                schema: head.schema,
            },
            head,
            files: Vec::new(),
            from,
            sum: Sha256::new_with_prefix(&line),
            number: 1,
            seen: End::default(),
            table: String::new(),
            put_back: None,
            ended: false,
        };
        reader.put_back = reader.entry()?;
        Ok(reader)
    }

    fn entry(&mut self) -> Result<Option<BackupEntry>> {
        if let Some(entry) = self.put_back.take() {
            return Ok(Some(entry));
        }
        if self.ended {
            return Ok(None);
        }
        loop {
            self.number += 1;
            let line = read_line(&mut self.from, self.number)?;
            let strange = || format!("Line {} can't be read; take another backup", self.number);
            if line.starts_with(b"[") {
                let cells = lines::row(&line).with_context(strange)?;
                self.sum.update(&line);
                *self.seen.tables.entry(self.table.clone()).or_default() += 1;
                return Ok(Some(BackupEntry::Row(cells)));
            }
            match serde_json::from_slice(&line).with_context(strange)? {
                Line::File { name, data } => {
                    let data = STANDARD.decode(data).with_context(strange)?;
                    self.files.push(ServerFile { name, data });
                    self.sum.update(&line);
                }
                Line::Table { name, columns } => {
                    self.sum.update(&line);
                    self.table.clone_from(&name);
                    self.seen.tables.insert(name.clone(), 0);
                    return Ok(Some(BackupEntry::Table(TableHead { name, columns })));
                }
                Line::End(end) => return self.end(end).map(|()| None),
            }
        }
    }

    fn end(&mut self, end: End) -> Result<()> {
        self.seen.sha256 = hex(&self.sum.clone().finalize());
        if self.seen != end {
            bail!("Its checksum does not fit its content, so it is damaged; take another backup");
        }
        if !self.from.fill_buf().is_ok_and(<[u8]>::is_empty) {
            bail!("It goes on after its end, so it is damaged; take another backup");
        }
        self.ended = true;
        Ok(())
    }
}

/// Reads the line with this number, its end included.
fn read_line(from: &mut impl BufRead, number: u64) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(LINE_BYTES)
        .read_until(b'\n', &mut line)
        .with_context(|| format!("Line {number} can't be read; take another backup"))?;
    if line.last() != Some(&b'\n') {
        bail!(
            "It ends after line {} without its end line, so it was cut off; take another backup",
            number - 1
        );
    }
    Ok(line)
}

impl BackupSource for BackupReader {
    fn next(&mut self) -> mana_store::Result<Option<BackupEntry>> {
        self.entry()
            .map_err(|error| StoreError::Invalid(format!("{error:#}")))
    }
}

/// Reads the first line, and returns what reads the lines of JSON.
fn opened(mut file: BufReader<File>, passphrase: Option<&Secret>) -> Result<Box<dyn Read + Send>> {
    let mut first = Vec::new();
    (&mut file)
        .take(FIRST_LINE_BYTES)
        .read_until(b'\n', &mut first)?;
    let text = String::from_utf8_lossy(&first).into_owned();
    let Some(words) = text
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_suffix('\n'))
    else {
        bail!("It is no backup of this version of Mana; give a file that `mana backup` made");
    };
    if words == PLAIN {
        return Ok(Box::new(MultiGzDecoder::new(file)));
    }
    let Some(passphrase) = passphrase else {
        bail!(
            "It is sealed with a passphrase; set MANA_BACKUP_PASSPHRASE, or MANA_BACKUP_PASSPHRASE_FILE to a file that \
             holds it"
        );
    };
    let recipe = KeyRecipe::parse(words)?;
    let sealed = SealedReader::new(file, &recipe, passphrase, &first)?;
    Ok(Box::new(MultiGzDecoder::new(BufReader::new(sealed))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
