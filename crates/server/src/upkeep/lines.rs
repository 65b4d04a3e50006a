//! The lines of an export (spec/SYNC.md, R6).

use mana_core::{AdjustedStamp, Change, Micros};
use mana_store::{Cursor, LogRow, LoggedChange, PersonLimits, Role, User, UserId};
use serde::{Deserialize, Serialize};

/// Version of the file that this program writes, and the only version that it reads.
pub const VERSION: u64 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The kind of the file: `export`.
    pub mana: String,
    /// [`VERSION`].
    pub version: u64,
    /// Time of the export.
    pub exported_at: Micros,
    /// Version of the program that made the file.
    pub made_by: String,
}

/// A further line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// An account; the changes of its log follow.
    User(Box<Account>),
    /// A row of the log of the account above.
    Change(Box<Row>),
    /// The last line.
    End(End),
}

/// An account.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    id: UserId,
    email: String,
    name: String,
    password_hash: String,
    timezone: String,
    locale: String,
    role: Role,
    created_at: Micros,
    /// Since when nobody signs in to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked_at: Option<Micros>,
    /// The owner's limits of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<PersonLimits>,
    /// How far its log was compacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<Cursor>,
    /// The log's epoch, where it is not the account's id. An export of an earlier version has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
}

/// The identity of an account's log, as an import needs it.
pub struct LogHead {
    /// How far the log was compacted.
    pub floor: Cursor,
    /// Its epoch.
    pub epoch: String,
}

/// A row of a log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    created_at: Cursor,
    client_id: String,
    change: Change,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    adjusted: Vec<AdjustedStamp>,
}

/// Counts of the file's content.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Number of accounts.
    pub users: u64,
    /// Number of rows.
    pub changes: u64,
}

impl Account {
    /// Makes the line of an account.
    pub fn new(user: User, log: LogHead) -> Account {
        Account {
            floor: (log.floor > Cursor::BEGINNING).then_some(log.floor),
            epoch: (log.epoch != user.id.0).then_some(log.epoch),
            id: user.id,
            email: user.email,
            name: user.name,
            password_hash: user.password_hash,
            timezone: user.timezone,
            locale: user.locale,
            role: user.role,
            created_at: user.created_at,
            locked_at: user.locked_at,
            limits: user.limits,
        }
    }

    /// Returns the account, and what is to be known of its log.
    pub fn into_parts(self) -> (User, LogHead) {
        let log = LogHead {
            floor: self.floor.unwrap_or_default(),
            epoch: self.epoch.unwrap_or_else(|| self.id.0.clone()),
        };
        let user = User {
            id: self.id,
            email: self.email,
            name: self.name,
            password_hash: self.password_hash,
            timezone: self.timezone,
            locale: self.locale,
            role: self.role,
            created_at: self.created_at,
            locked_at: self.locked_at,
            limits: self.limits,
        };
        (user, log)
    }
}

impl From<LogRow> for Row {
    fn from(row: LogRow) -> Row {
        Row {
            created_at: row.logged.cursor,
            client_id: row.logged.client_id,
            change: row.logged.change,
            adjusted: row.adjusted,
        }
    }
}

impl From<Row> for LogRow {
    fn from(row: Row) -> LogRow {
        LogRow {
            logged: LoggedChange {
                change: row.change,
                client_id: row.client_id,
                cursor: row.created_at,
            },
            adjusted: row.adjusted,
        }
    }
}
