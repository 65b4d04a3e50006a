//! Whether a database is there and holds Mana's tables, found out without making or changing anything.

/// The contents of a database, before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseContents {
    /// There is no file at the path.
    Missing,
    /// The file or the database is there, without Mana's tables: new, empty, or copied without its write-ahead log.
    Empty,
    /// Mana's tables are there.
    Tables,
}

impl DatabaseContents {
    /// Contents by whether Mana's tables were found.
    pub(crate) fn of(has_tables: bool) -> Self {
        match has_tables {
            true => Self::Tables,
            false => Self::Empty,
        }
    }
}
