//! Why a push or a pull was refused.

use mana_store::{InvalidCursor, StoreError};
use serde_json::{Value, json};

use crate::wire::MAX_CHANGES;

/// A refusal. Nothing of a refused push is stored.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// A change is bad; set it aside and send the others again.
    #[error("change {index} was refused: {reason}. Nothing of this push was stored")]
    InvalidChange {
        /// Which, from 0.
        index: usize,
        /// The fault of the change, and what to do.
        reason: String,
    },
    /// Nobody can tell who pushes.
    #[error(
        "the client's id is missing or too long; send clientId, or the header X-Client-Id, with up to 256 characters"
    )]
    InvalidClientId,
    /// The client's id is the server's own.
    #[error("this client's id is the server's own; send another one, such as a random UUID")]
    ServerClientId,
    /// The push has more changes than a push may have.
    #[error("the push has more than {MAX_CHANGES} changes; send them in several pushes")]
    TooManyChanges,
    /// The device is ahead of this server.
    #[error(
        "schemaVersion {sent} is newer than this server's {known}; update the server, the device keeps its changes"
    )]
    SchemaVersion {
        /// The version that the device has.
        sent: u64,
        /// The newest version that this server knows.
        known: u64,
    },
    /// The cursor is none.
    #[error(transparent)]
    InvalidCursor(InvalidCursor),
    /// The text given to read a snapshot on from is no place in one.
    #[error(
        "`after` is not what this server answered with the last page; leave it out to begin a snapshot"
    )]
    InvalidPlace,
    /// The store failed, or refused the run's claim.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The push was torn down, with its process, before it was known what became of it.
    #[error("the server is stopping; try again in a moment")]
    Interrupted,
}

impl SyncError {
    /// The code on the wire.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidChange { .. } => "invalid_change",
            Self::InvalidClientId | Self::ServerClientId => "invalid_client_id",
            Self::TooManyChanges => "too_large",
            Self::SchemaVersion { .. } => "schema_version_too_new",
            Self::InvalidCursor(_) => "invalid_cursor",
            Self::InvalidPlace => "invalid_after",
            Self::Store(StoreError::ResyncRequired) => "resync_required",
            Self::Store(StoreError::Busy | StoreError::Unavailable) | Self::Interrupted => "busy",
            Self::Store(StoreError::DiskFull) => "disk_full",
            Self::Store(StoreError::LeaseLost) => "lease_lost",
            Self::Store(_) => "internal",
        }
    }

    /// The HTTP status that fits.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidChange { .. }
            | Self::InvalidClientId
            | Self::ServerClientId
            | Self::SchemaVersion { .. }
            | Self::InvalidCursor(_)
            | Self::InvalidPlace => 400,
            Self::TooManyChanges => 413,
            Self::Store(StoreError::ResyncRequired) => 410,
            Self::Store(StoreError::LeaseLost) => 409,
            Self::Store(StoreError::Busy | StoreError::Unavailable) | Self::Interrupted => 503,
            Self::Store(StoreError::DiskFull) => 507,
            Self::Store(_) => 500,
        }
    }

    /// The details that a program needs to act on the error.
    pub fn details(&self) -> Option<Value> {
        match self {
            Self::InvalidChange { index, reason } => {
                Some(json!({ "index": index, "reason": reason }))
            }
            Self::TooManyChanges => Some(json!({ "maxChanges": MAX_CHANGES })),
            Self::SchemaVersion { sent, known } => Some(json!({ "sent": sent, "known": known })),
            _ => None,
        }
    }
}
