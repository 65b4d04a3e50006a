//! The verbs whose SQL is one text on SQLite and on Postgres.
//!
//! Both databases number their parameters as `$1`, and both know `ON CONFLICT`, `RETURNING` and row values, so most
//! statements are shared as they are. [`Dialect`] holds the few words that differ, and [`Backend`] gives the
//! connections. A verb that is written here exists once; `sqlite/` and `postgres/` hold what is truly theirs.

pub(crate) mod accounts;
mod audit;
mod backend;
pub(crate) mod client_pushes;
mod connection;
pub(crate) mod deleted;
mod dialect;
mod ledger;
mod people;
pub(crate) mod records;
mod runs;
pub(crate) mod schedule;
mod second_factors;
mod settings;
mod statement;

pub(crate) use backend::Backend;
pub(crate) use connection::{Connection, columns};
pub(crate) use dialect::Dialect;
pub(crate) use statement::{composed, forgotten_state, sql};
