//! The errors of the verbs.

use sqlx::postgres::PgDatabaseError;

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
    /// The mission was written since the run looked at it: it is to look again.
    #[error("the mission was changed meanwhile; its result was not written")]
    Moved,
    /// As many runs of this person wait as may.
    #[error("{0} runs of yours wait already; let some of them end first")]
    TooManyRuns(usize),
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
    /// The database can't be reached.
    #[error("the database can't be reached; try again in a moment")]
    Unavailable,
    /// The schema is not up to date, and this role may not change it.
    #[error(
        "the role {role} may not change the database's schema; \
         run `mana migrate` with a role that may, then start again"
    )]
    MayNotMigrate {
        /// The role of the URL.
        role: String,
    },
    /// Row-level security would protect nobody.
    #[error(
        "the role {role} bypasses row-level security, and there is no role mana_app to take; \
         run `mana migrate` with a role that may create roles"
    )]
    RoleBypassesSecurity {
        /// The role of the connection.
        role: String,
    },
    /// There is no room for what was to be written.
    #[error(
        "the server's disk is full; free some space on it, devices keep their changes until then"
    )]
    DiskFull,
    /// Rows after this cursor have been dropped, so reading on from it would miss them.
    #[error(
        "the log no longer reaches back to this cursor; \
         take a snapshot and go on from its cursor, what waits to be sent stays good"
    )]
    ResyncRequired,
    /// A cursor that the store did not give.
    #[error(transparent)]
    InvalidCursor(#[from] InvalidCursor),
    /// Something stored cannot be read back.
    #[error("{what} in the database cannot be read: {source}")]
    Corrupt {
        /// The value that was being read.
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
        /// The error of the file system.
        source: std::io::Error,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Busy,
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => Self::Unavailable,
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let postgres = database.try_downcast_ref::<PgDatabaseError>().is_some();
                let known = if postgres {
                    of_postgres(&code)
                } else {
                    of_sqlite(&code)
                };
                known.unwrap_or(Self::Database(error))
            }
            _ => Self::Database(error),
        }
    }
}

/// The low byte of SQLite's extended codes is the kind: SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL.
fn of_sqlite(code: &str) -> Option<StoreError> {
    match code.parse::<u32>().ok()? & 0xff {
        5 | 6 => Some(StoreError::Busy),
        13 => Some(StoreError::DiskFull),
        _ => None,
    }
}

/// Postgres' SQLSTATE.
fn of_postgres(code: &str) -> Option<StoreError> {
    match code {
        // lock_not_available, deadlock_detected, serialization_failure, too_many_connections, query_canceled
        "55P03" | "40P01" | "40001" | "53300" | "57014" => Some(StoreError::Busy),
        "53100" => Some(StoreError::DiskFull),
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout,
        // read_only_sql_transaction (a standby)
        "57P01" | "57P02" | "57P03" | "25P03" | "25006" => Some(StoreError::Unavailable),
        // character_not_in_repertoire, untranslatable_character
        "22021" | "22P05" => Some(StoreError::Invalid(
            "there is a character that can't be stored, such as NUL; leave it out".to_owned(),
        )),
        code if code.starts_with("08") => Some(StoreError::Unavailable),
        _ => None,
    }
}
