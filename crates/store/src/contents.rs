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

/// The steps of the schema that a database lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingSteps {
    /// The last step that it has.
    pub from: i64,
    /// The last step that this version knows.
    pub to: i64,
}

impl MissingSteps {
    /// The steps from one to another; none where there are none, as in a database of a later version.
    pub(crate) fn between(from: i64, to: i64) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }
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
