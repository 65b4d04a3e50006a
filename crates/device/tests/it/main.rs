//! A replica over each storage, against the real sync over a database in memory.

mod conflicts;
mod consent;
mod first_client;
mod rejoin;
mod replica;
mod storage;
mod succession;
mod support;
