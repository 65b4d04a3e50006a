//! Every row of every table, as a backup holds it: alike on both databases, so that a backup of either can be restored
//! into the other.

use mana_core::Micros;

use crate::{Result, UserId};

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    Null,
    /// A number, a truth value (0 or 1), or a time in microseconds since the epoch.
    Integer(i64),
    /// Text, or JSON as text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The kind of a column's values that are not null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// [`Cell::Integer`].
    Integer,
    /// [`Cell::Text`].
    Text,
    /// [`Cell::Bytes`].
    Bytes,
}

impl Cell {
    /// Whether a column of the kind takes the value.
    pub(crate) fn fits(&self, kind: CellKind) -> bool {
        match self {
            Cell::Null => true,
            Cell::Integer(_) => kind == CellKind::Integer,
            Cell::Text(_) => kind == CellKind::Text,
            Cell::Bytes(_) => kind == CellKind::Bytes,
        }
    }

    /// Bytes that the value takes in memory, about.
    pub(crate) fn size(&self) -> usize {
        match self {
            Cell::Null | Cell::Integer(_) => 8,
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
        }
    }
}

/// The kind of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A SQLite file.
    Sqlite,
    /// A Postgres database.
    Postgres,
}

impl DatabaseKind {
    /// The word in a backup.
    pub fn as_str(self) -> &'static str {
        match self {
            DatabaseKind::Sqlite => "sqlite",
            DatabaseKind::Postgres => "postgres",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<DatabaseKind> {
        [DatabaseKind::Sqlite, DatabaseKind::Postgres]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// The database that a backup is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupOrigin {
    /// Its kind.
    pub database: DatabaseKind,
    /// The last step of its schema.
    pub schema: i64,
}

/// A table, before its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableHead {
    /// The table's name.
    pub name: String,
    /// The names of its columns, in the order of the values of its rows.
    pub columns: Vec<String>,
}

/// A taker of all rows of a database, in one consistent state.
pub trait BackupSink: Send {
    /// Takes the origin, once, before anything else.
    fn origin(&mut self, origin: BackupOrigin) -> Result<()>;
    /// Takes the head of the next table.
    fn table(&mut self, head: TableHead) -> Result<()>;
    /// Takes a row of the last table.
    fn row(&mut self, cells: Vec<Cell>) -> Result<()>;
}

/// The next part of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupEntry {
    /// A table.
    Table(TableHead),
    /// A row of the last table.
    Row(Vec<Cell>),
}

/// A giver of the rows of a backup.
pub trait BackupSource: Send {
    /// Returns the next part; none after the last.
    fn next(&mut self) -> Result<Option<BackupEntry>>;
}

/// The further tasks of a restore beside storing the rows.
#[derive(Debug, Clone, Copy)]
pub struct RestoreOptions {
    /// The database that the backup is of.
    pub origin: BackupOrigin,
    /// The other epoch that each log is to begin; none to keep every row as it is, as a proof does.
    pub epoch: Option<RestoredEpoch>,
}

/// The epoch that a restore begins.
#[derive(Debug, Clone, Copy)]
pub struct RestoredEpoch {
    /// The time of the restore.
    pub now: Micros,
    /// Devices are to drop what they have beyond the backup, instead of giving it back.
    pub discard_newer: bool,
}

/// The outcome of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rows stored.
    pub rows: u64,
    /// Accounts, each of which has a log.
    pub users: u64,
    /// Accounts with rows that came by SQL and were not in the projections yet: their logs are to be projected anew.
    pub unprojected: Vec<UserId>,
}

/// Columns that one database has and the other one lacks, with the value that they get in a restore from the other one.
/// Every other such column gets its default.
pub(crate) const FILLED: [(&str, &str, &str); 1] = [("sync_changes", "folded", "true")];

/// The table whose rows say whose log has rows that are not in the projections.
pub(crate) const FOLDED: (&str, &str) = ("sync_changes", "folded");

/// Quotes a name for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the place of each column of the file's table in the columns of the target, none where the target lacks it.
/// Only a database of the other kind may lack a column.
pub(crate) fn placed(
    head: &TableHead,
    target: &[String],
    same_kind: bool,
) -> Result<Vec<Option<usize>>> {
    let place = |column: &String| {
        let place = target.iter().position(|known| known == column);
        match place {
            None if same_kind => Err(invalid(format!(
                "the backup's table {} has a column {column} that its schema lacks; the file was not made by Mana",
                head.name
            ))),
            place => Ok(place),
        }
    };
    head.columns.iter().map(place).collect()
}

pub(crate) fn invalid(message: String) -> crate::StoreError {
    crate::StoreError::Invalid(message)
}

/// A row before any table, or of another length than its table's columns.
pub(crate) fn check_row(head: Option<&TableHead>, cells: &[Cell]) -> Result<()> {
    match head {
        Some(head) if head.columns.len() == cells.len() => Ok(()),
        _ => Err(invalid(
            "the backup has a row that fits no table; make another backup, or take an earlier one"
                .to_owned(),
        )),
    }
}

/// Refuses a backup of a newer schema than this version knows.
pub(crate) fn check_schema(origin: BackupOrigin, known: i64) -> Result<()> {
    if origin.schema > known {
        return Err(crate::StoreError::NewerBackup {
            version: origin.schema,
        });
    }
    Ok(())
}
