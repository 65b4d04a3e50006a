//! A replica in Rust: what the browser is in TypeScript, for the command line and for tests.
//!
//! A [`Replica`] holds one person's records of one server in a [`Storage`], writes them whether or not there is a
//! network, and meets the server through a [`Transport`]. `mana-core` decides, also how a sync goes
//! ([`mana_core::sync`]). Only [`Env::system`] reads a clock and makes ids.

mod conflicts;
mod env;
mod follow;
mod http;
mod live;
mod memory;
mod proposals;
mod replica;
mod resync;
mod sqlite;
mod step;
mod storage;
mod succession;
mod sync;
mod transport;
mod undo;

pub use env::Env;
pub use follow::{Seen, follow};
pub use http::{Credentials, HttpTransport, Session};
pub use live::{Live, Notice};
pub use memory::MemoryStorage;
pub use replica::{DeviceError, Replica, Status, SyncError, Write};
pub use resync::Resynced;
pub use sqlite::SqliteStorage;
pub use step::SyncStep;
pub use storage::{Storage, StorageError, Transaction, Writes};
pub use transport::Transport;
