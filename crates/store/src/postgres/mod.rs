//! The backend for many processes: one Postgres, row-level security, a lock for each log, notices between servers.

mod access;
mod append;
mod backup;
mod claim;
mod db;
mod gate;
mod lock;
mod log;
mod moving;
mod notices;
mod notify;
mod pending;
mod progress;
mod push;
mod restore;
mod retention;
mod schema;
mod store;

pub use schema::{PostgresState, UpgradeTurn};
pub use store::{PostgresOptions, PostgresStore};
