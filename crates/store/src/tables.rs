//! The list of tables: what the application's role may reach, what row-level security guards, and what an export
//! carries.
//!
//! A migration that adds a table adds it here. The grants on Postgres are made from this list, and tests compare the
//! list with the catalogue of each database, and an import with what the list says.

/// A table of Mana's schema.
pub(crate) struct Table {
    /// The table's name.
    pub name: &'static str,
    /// Whether its rows are a person's content. Postgres then guards them by row-level security that is forced.
    pub content: bool,
    /// The databases that have the table.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "compared with the catalogue by a test")
    )]
    pub on: On,
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
    Table {
        name,
        content,
        on: On::Both,
        export,
    }
}

const SIGN_IN: Export = LeftBehind("a sign-in holds for the server that gave it");
const SERVER: Export = LeftBehind("it belongs to the server, not to an account");
const IN_FLIGHT: Export = LeftBehind("it is over when the server stops, or is asked for again");
const USAGE: Export = LeftBehind("it was paid on the server that it was used on");
const BY_SQL: Export = LeftBehind("it holds what came by SQL and was not merged");

/// Every table that a migration makes.
pub(crate) const TABLES: [Table; 20] = [
    table("users", false, Carried),
    table("sessions", false, SIGN_IN),
    table("secrets", false, SIGN_IN),
    table("kv", false, SERVER),
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
    table("ledger_reservations", false, IN_FLIGHT),
    table("ledger_accounts", false, USAGE),
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
