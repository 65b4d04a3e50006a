//! A replica in Rust: what the browser is in TypeScript, for the command line and for tests.
//!
//! A [`Replica`] holds one person's records of one server in a [`Storage`], writes them whether or not there is a
//! network, and meets the server through a [`Transport`]. What decides is `mana-core`; how a round of syncing goes
//! is [`engine`], a pure step. Nothing here reads a clock or makes an id but [`Env::system`].

pub mod engine;
mod env;
mod follow;
mod http;
mod live;
mod memory;
mod proposals;
mod replica;
mod sqlite;
mod storage;
mod transport;
mod undo;

pub use env::Env;
pub use follow::{Seen, follow};
pub use http::{Credentials, HttpTransport, Session};
pub use live::{Live, Notice};
pub use memory::MemoryStorage;
pub use replica::{DeviceError, Replica, Status, SyncError, Write};
pub use sqlite::SqliteStorage;
pub use storage::{Meta, SetAside, Storage, StorageError, Transaction, Waiting, Writes};
pub use transport::{Answer, Page, Push, Refusal, Transport, TransportError};
