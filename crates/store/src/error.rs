//! What can go wrong below the verbs.

use crate::InvalidCursor;

/// The result of a verb.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a verb did nothing. A verb that fails has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The run was taken over or given up, so its plan must not be written.
    #[error("the run's claim is no longer held; its result was not written")]
    LeaseLost,
    /// Somebody has this e-mail address.
    #[error("an account with this e-mail address exists; sign in instead")]
    EmailTaken,
    /// There is an owner already.
    #[error("this server has its owner already; sign in instead")]
    OwnerExists,
    /// The single-use secret is unknown, used or expired.
    #[error("the link is not valid any more; ask for a new one")]
    SecretInvalid,
    /// No such account.
    #[error("the account does not exist")]
    NoSuchUser,
    /// Another process has the database open.
    #[error(
        "another mana process is using {0}; stop it first, or give this one another MANA_DATA_DIR"
    )]
    InUse(String),
    /// The database is busy for longer than one should wait.
    #[error("the database is busy; try again in a moment")]
    Busy,
    /// There is no room for what was to be written.
    #[error(
        "the server's disk is full; free some space on it, devices keep their changes until then"
    )]
    DiskFull,
    /// Rows after this cursor have been dropped, so reading on from it would miss them.
    #[error(
        "the log no longer reaches back to this cursor; take a snapshot and go on from its cursor, what waits to be sent stays good"
    )]
    ResyncRequired,
    /// A cursor that the store did not give.
    #[error(transparent)]
    InvalidCursor(#[from] InvalidCursor),
    /// Something stored cannot be read back.
    #[error("{what} in the database cannot be read: {source}")]
    Corrupt {
        /// What was being read.
        what: &'static str,
        /// Why it could not be read.
        source: serde_json::Error,
    },
    /// Two changes of one push, or a change and the rules of the table, do not go together.
    #[error("{0}")]
    Invalid(String),
    /// The database itself failed.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What happened.
        source: std::io::Error,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => return Self::Busy,
            sqlx::Error::Database(database) => database.code(),
            _ => None,
        };
        // The low byte of SQLite's extended codes is the kind: SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL.
        match code
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff)
        {
            Some(5 | 6) => Self::Busy,
            Some(13) => Self::DiskFull,
            _ => Self::Database(error),
        }
    }
}
