//! The embedded backend: one file, one writer, readers beside it, one process.

mod append;
mod backup;
mod claim;
mod db;
mod log;
mod moving;
mod push;
mod restore;
mod retention;
mod space;
mod store;
mod under_way;
mod wal_sync;

pub use db::SqliteStore;
