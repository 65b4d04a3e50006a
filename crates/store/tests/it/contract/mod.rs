//! The contract of every backend: many small cases, each given a store of its own.
//!
//! A backend calls `contract!` with an async function that returns a new store and whatever has to live as long as it.
//! The build script finds the cases: every `pub async fn` of a file in this folder, but of `support`.

pub mod accounts;
pub mod audit;
pub mod claims;
pub mod concurrent;
pub mod epochs;
pub mod forget;
pub mod ledger;
pub mod log;
pub mod merge;
pub mod missions;
pub mod moving;
pub mod people;
pub mod postponed;
pub mod push;
pub mod retention;
pub mod room;
pub mod runs;
pub mod scopes;
pub mod second_factors;
pub mod snapshot;
pub mod support;
pub mod usage;

include!(concat!(env!("OUT_DIR"), "/contract_cases.rs"));
