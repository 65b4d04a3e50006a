//! The list of tables: what the application's role may reach, what row-level security guards, what an export carries,
//! and which rows go when a person is deleted.
//!
//! A migration that adds a table adds it here. The grants on Postgres are made from this list, and tests compare the
//! list with the catalogue of each database, and an import with what the list says.

use crate::sql::Dialect;

/// A table of Mana's schema.
pub(crate) struct Table {
    /// The table's name.
    pub name: &'static str,
    /// Whether its rows are a person's content. Postgres then guards them by row-level security that is forced.
    pub content: bool,
    /// The databases that have the table.
    pub on: On,
    /// The rows that are a person's.
    pub owned: Owned,
    /// The fate of the table's rows when an account moves to another server.
    pub export: Export,
}

/// The databases that have a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// SQLite and Postgres.
    Both,
    /// Postgres alone, because only there do rows come by SQL.
    Postgres,
}

impl On {
    /// Whether the database of a dialect has the table.
    pub fn has<D: Dialect>(self) -> bool {
        self == On::Both || D::TAKES_SQL_WRITERS
    }
}

/// The rows of a table that are one person's, and go with the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owned {
    /// None of them.
    Nobody,
    /// Rows with the account's id as `user_id`.
    ById,
    /// The account itself.
    Account,
    /// The secrets of resets.
    Secrets,
    /// Reservations that count in the person's account of the ledger.
    Reservations,
    /// The person's accounts of the ledger, by their names.
    LedgerAccounts,
    /// Entries about the person; entries of what the person did stay without the name.
    Audit,
}

/// How an export and an import treat a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    /// The rows are exported and stored again.
    Carried,
    /// The import makes the rows anew from what it carries.
    Rebuilt,
    /// The rows stay behind, for a reason.
    LeftBehind(&'static str),
}

use Export::{Carried, LeftBehind, Rebuilt};

const fn table(name: &'static str, content: bool, export: Export) -> Table {
    owned(name, content, export, Owned::ById)
}

const fn owned(name: &'static str, content: bool, export: Export, owned: Owned) -> Table {
    Table {
        name,
        content,
        on: On::Both,
        owned,
        export,
    }
}

const SIGN_IN: Export = LeftBehind("a sign-in holds for the server that gave it");
const SERVER: Export = LeftBehind("it belongs to the server, not to an account");
const IN_FLIGHT: Export = LeftBehind("it is over when the server stops, or is asked for again");
const USAGE: Export = LeftBehind("it was paid on the server that it was used on");
const BY_SQL: Export = LeftBehind("it holds what came by SQL and was not merged");

/// Every table that a migration makes.
pub(crate) const TABLES: [Table; 25] = [
    owned("users", false, Carried, Owned::Account),
    table("sessions", false, SIGN_IN),
    owned("secrets", false, SIGN_IN, Owned::Secrets),
    table("second_factors", false, SIGN_IN),
    table("recovery_codes", false, SIGN_IN),
    table("external_identities", false, SIGN_IN),
    owned("audit_log", false, SERVER, Owned::Audit),
    owned("deleted_accounts", false, SERVER, Owned::Nobody),
    owned("kv", false, SERVER, Owned::Nobody),
    table("sync_changes", true, Carried),
    table("records", true, Rebuilt),
    table("log_floors", false, Carried),
    table("log_epochs", false, Carried),
    table("client_pushes", false, IN_FLIGHT),
    table("mission_schedule", false, Rebuilt),
    table("run_requests", false, IN_FLIGHT),
    table("run_inputs", true, IN_FLIGHT),
    table(
        "run_debug",
        true,
        LeftBehind("debug records are short-lived"),
    ),
    table("mission_claims", false, IN_FLIGHT),
    owned("ledger_reservations", false, IN_FLIGHT, Owned::Reservations),
    owned("ledger_accounts", false, USAGE, Owned::LedgerAccounts),
    table("usage", false, USAGE),
    table("virtual_keys", false, SERVER),
    Table {
        on: On::Postgres,
        ..table("sync_refused", true, BY_SQL)
    },
    Table {
        on: On::Postgres,
        ..table("pending_folds", false, BY_SQL)
    },
];

/// The names of all tables, as SQL lists them.
pub(crate) fn names() -> String {
    TABLES.map(|table| table.name).join(", ")
}

/// The tables that an export leaves behind, each with the reason.
pub fn left_behind() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLES.iter().filter_map(|table| match table.export {
        Export::LeftBehind(reason) => Some((table.name, reason)),
        Export::Carried | Export::Rebuilt => None,
    })
}
