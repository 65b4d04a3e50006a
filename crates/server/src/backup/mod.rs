//! Backups: a file with everything that a server is made of, proven after it was made.

pub mod before_upgrade;
mod file;
mod lines;
pub mod nightly;
mod prove;
mod sealed;
mod server_files;
pub mod status;
mod write;

pub use file::{BackupReader, MAGIC, is_backup};
pub use prove::{Proof, prove, prove_on};
pub use server_files::PutBack;
pub use write::{Made, Place, folder, make, write};

/// The end of the names of backups.
pub const EXTENSION: &str = "manabackup";
