//! The errors of the verbs.

use sqlx::{
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgDatabaseError},
};

use mana_core::record::too_large;

use crate::{InvalidCursor, LogMeasure, database_errors, file_remedy};

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
    /// A record that was to be forgotten is not removed.
    #[error("the record was brought back meanwhile; nothing was forgotten")]
    Stands,
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
    /// Nobody may sign in to the account.
    #[error("this account is locked; ask the owner of the server to open it")]
    AccountLocked,
    /// No other owner of the server could sign in.
    #[error("this is the last owner of the server; make somebody else an owner first")]
    LastOwner,
    /// The second factor, or what was shown for it, does not fit.
    #[error("the code is wrong or was used before; wait for the next one")]
    CodeWrong,
    /// Too many wrong codes were shown.
    #[error("there were too many wrong codes; try again later")]
    CodesClosed {
        /// Until when no code is looked at.
        until: mana_core::Micros,
    },
    /// Another process has the database open.
    #[error(
        "another mana process is using {0}; stop it first, or give this one another MANA_DATA_DIR"
    )]
    InUse(String),
    /// The database is busy for longer than one should wait.
    #[error("the database is busy; try again in a moment")]
    Busy,
    /// The database can't be reached, for this reason.
    #[error("the database can't be reached ({0}); try again in a moment")]
    Unavailable(String),
    /// The database, or the file system under it, does not let this process in, or does not let it write.
    #[error("the database can't be used: {cause}; {remedy}")]
    NoAccess {
        /// The cause, as the database tells it.
        cause: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// The database could not hold every character.
    #[error(
        "the database's encoding is {0}, which can't hold every character; make one with \
         `createdb --encoding=UTF8 --template=template0`, and name it in DATABASE_URL"
    )]
    Encoding(String),
    /// A first connection to the database could not be made.
    #[error("no connection to the database at {address}: {cause}; {remedy}")]
    CannotConnect {
        /// Host and port.
        address: String,
        /// The cause, as the network or the server tells it.
        cause: String,
        /// The remedy.
        remedy: &'static str,
        /// Whether the database may only start later than this process.
        may_start_later: bool,
    },
    /// The database was written by a newer version.
    #[error(
        "the database was written by a newer version of Mana (this one does not know step {version} of its schema); \
         start that version again, or put back the backup from before the upgrade"
    )]
    NewerDatabase {
        /// The first unknown step.
        version: i64,
    },
    /// A backup was made by a newer version.
    #[error(
        "the backup was made by a newer version of Mana (this one does not know step {version} of its schema); \
         restore it with that version"
    )]
    NewerBackup {
        /// The last step of the backup's schema.
        version: i64,
    },
    /// A restore would meet accounts that are there.
    #[error(
        "the database has accounts already; restore into an empty one, or move this one away first"
    )]
    HasAccounts,
    /// The file is damaged.
    #[error(
        "the database is damaged: {0}; stop Mana, keep a copy of its files, and put a backup back \
         (`mana export` saves the accounts that can still be read)"
    )]
    Damaged(String),
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
    /// Reading on from this cursor would miss rows.
    #[error("{}; take a snapshot and go on from its cursor, what waits to be sent stays good", because(*.0))]
    ResyncRequired(ResyncReason),
    /// A change of a push has the event id of another change, in the log or earlier in the push.
    #[error("change {index} has the event id of another change; give it an id of its own")]
    EventIdTaken {
        /// Which, from 0.
        index: usize,
    },
    /// A change, by its event id, is about a record that is forgotten.
    #[error("the change {event_id} is about a record that is forgotten; leave it out")]
    Forgotten {
        /// The change.
        event_id: String,
    },
    /// A change, by its event id, would make its record larger than one may be.
    #[error("{}", too_large(*.bytes))]
    RecordTooLarge {
        /// The change.
        event_id: String,
        /// The size that the record would have.
        bytes: usize,
    },
    /// The push would add more to the log than it may.
    #[error("the log has no room for the {} of this push", .0.as_str())]
    NoRoom(LogMeasure),
    /// The number of a push was seen before, with other changes: two devices push under one client id.
    #[error(
        "this number of a push was used before, with other changes: another copy of this device pushes, too; \
         take another client id, read a snapshot and push again"
    )]
    Copied,
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
    #[error("the database failed: {}", database_errors::cause(.0))]
    Database(sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("step {version} of the database's schema failed: {cause}; nothing of it was kept")]
    Migration {
        /// The step, 0 where none is known.
        version: i64,
        /// The cause.
        cause: String,
    },
    /// The file system failed.
    #[error("{path}: {error}{}", file_remedy(error).map(|remedy| format!("; {remedy}")).unwrap_or_default())]
    Io {
        /// The file.
        path: String,
        /// The error of the file system.
        error: std::io::Error,
    },
}

/// Why a device has to take a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResyncReason {
    /// The device knows another log: this one was restored, or is another server's.
    Epoch {
        /// The device knows of an end that came after this log's last restore and is not in it: the log was rolled
        /// back past a later restore.
        rolled_back: bool,
    },
    /// Rows after the cursor have been dropped.
    Compacted,
    /// The cursor names no row of the log.
    Unknown {
        /// Nor does the furthest end that the device knows: the log was rolled back, or is another server's.
        rolled_back: bool,
    },
}

impl ResyncReason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ResyncReason::Epoch { .. } => "epoch",
            ResyncReason::Compacted => "compacted",
            ResyncReason::Unknown { .. } => "unknown",
        }
    }
}

fn because(reason: ResyncReason) -> &'static str {
    match reason {
        ResyncReason::Epoch { .. } => {
            "the log is another one than this device knows, as after a restore"
        }
        ResyncReason::Compacted => "the log no longer reaches back to this cursor",
        ResyncReason::Unknown { .. } => "the log has no row at this cursor, as after a rollback",
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Busy,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(database_errors::cause(&error))
            }
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let postgres = database.try_downcast_ref::<PgDatabaseError>().is_some();
                let known = if postgres {
                    of_postgres(&code, &error)
                } else {
                    of_sqlite(&code, &error)
                };
                known.unwrap_or(Self::Database(error))
            }
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    /// Whether the same verb may succeed later without any change to what was asked.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Unavailable(_) | Self::NoAccess { .. }
        )
    }

    /// A connection to Postgres that could not be made.
    pub(crate) fn cannot_connect(options: &PgConnectOptions, error: &sqlx::Error) -> Self {
        let (remedy, may_start_later) = database_errors::remedy(options, error);
        Self::CannotConnect {
            address: match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            },
            cause: database_errors::cause(error),
            remedy,
            may_start_later,
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        let failed = |version, cause| Self::Migration { version, cause };
        match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                Self::NewerDatabase { version }
            }
            MigrateError::Execute(error) => error.into(),
            MigrateError::ExecuteMigration(error, version) => match Self::from(error) {
                Self::Database(error) => failed(version, database_errors::cause(&error)),
                known => known,
            },
            MigrateError::VersionMismatch(version) => failed(
                version,
                "the step was applied in another form than this version of Mana has it".to_owned(),
            ),
            other => failed(0, other.to_string()),
        }
    }
}

/// SQLITE_IOERR_SHMSIZE: there is no room for the index of the write-ahead log.
const NO_ROOM_FOR_INDEX: u32 = 4874;

/// The low byte of SQLite's extended codes is the kind: SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_IOERR,
/// SQLITE_CORRUPT, SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_NOTADB.
fn of_sqlite(code: &str, error: &sqlx::Error) -> Option<StoreError> {
    let cause = || database_errors::cause(error);
    let no_access = |remedy| {
        let cause = cause();
        Some(StoreError::NoAccess { cause, remedy })
    };
    let code = code.parse::<u32>().ok()?;
    match code & 0xff {
        5 | 6 => Some(StoreError::Busy),
        8 => no_access(database_errors::READ_ONLY_FILE),
        10 if code == NO_ROOM_FOR_INDEX => Some(StoreError::DiskFull),
        10 => no_access(database_errors::FAILING_DISK),
        11 | 26 => Some(StoreError::Damaged(cause())),
        13 => Some(StoreError::DiskFull),
        14 => no_access(database_errors::CLOSED_FILE),
        _ => None,
    }
}

/// Postgres' SQLSTATE.
fn of_postgres(code: &str, error: &sqlx::Error) -> Option<StoreError> {
    let unavailable = || Some(StoreError::Unavailable(database_errors::cause(error)));
    match code {
        // lock_not_available, deadlock_detected, serialization_failure, too_many_connections, query_canceled
        "55P03" | "40P01" | "40001" | "53300" | "57014" => Some(StoreError::Busy),
        "53100" => Some(StoreError::DiskFull),
        // read_only_sql_transaction
        "25006" => Some(StoreError::NoAccess {
            cause: database_errors::cause(error),
            remedy: database_errors::READ_ONLY_SERVER,
        }),
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout
        "57P01" | "57P02" | "57P03" | "25P03" => unavailable(),
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => Some(StoreError::Damaged(database_errors::cause(error))),
        // character_not_in_repertoire, untranslatable_character
        "22021" | "22P05" => Some(StoreError::Invalid(
            "there is a character that can't be stored, such as NUL; leave it out".to_owned(),
        )),
        code if code.starts_with("08") => unavailable(),
        _ => None,
    }
}
