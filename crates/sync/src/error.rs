//! Why a push or a pull was refused.

use mana_store::{InvalidCursor, StoreError};
use serde_json::{Value, json};

use crate::wire::MAX_CHANGES;

/// The reason for which a change or a state of a forgotten record is refused.
pub(crate) const FORGOTTEN: &str =
    "the record is forgotten: the server took it away for good; leave this out";

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
    /// The body is no push.
    #[error("{0}")]
    InvalidBody(String),
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
    /// The device is too old for what the log holds.
    #[error(
        "this device reads data of version {sent}, and yours are of version {needed}; update it, \
         what it has not sent stays on it until then"
    )]
    UpdateRequired {
        /// The version that the device knows.
        sent: u64,
        /// The version that the data need.
        needed: u64,
    },
    /// The cursor is none.
    #[error(transparent)]
    InvalidCursor(InvalidCursor),
    /// The text given to read a snapshot on from is no place in one.
    #[error(
        "`after` is not what this server answered with the last page; leave it out to begin a snapshot"
    )]
    InvalidPlace,
    /// A record that a device gives back is bad; leave it out and send the others again.
    #[error("record {index} was refused: {reason}. Nothing of this request was stored")]
    InvalidRecord {
        /// Which, from 0.
        index: usize,
        /// The fault of the record, and what to do.
        reason: String,
    },
    /// The record is forgotten.
    #[error("this record is forgotten: the server took it away for good, and its past with it")]
    Forgotten,
    /// The log takes nothing back.
    #[error(
        "this log takes nothing back: it was not restored within the last 30 days, or what is newer is to be discarded"
    )]
    GiveBackClosed,
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
            Self::InvalidBody(_) => "invalid_request",
            Self::InvalidClientId | Self::ServerClientId => "invalid_client_id",
            Self::TooManyChanges => "too_large",
            Self::SchemaVersion { .. } => "schema_version_too_new",
            Self::UpdateRequired { .. } => "update_required",
            Self::InvalidCursor(_) => "invalid_cursor",
            Self::InvalidPlace => "invalid_after",
            Self::InvalidRecord { .. } => "invalid_record",
            Self::GiveBackClosed => "give_back_closed",
            Self::Forgotten => "forgotten",
            Self::Store(StoreError::ResyncRequired(_)) => "resync_required",
            Self::Store(error) if error.may_pass() => "busy",
            Self::Interrupted => "busy",
            Self::Store(StoreError::Copied) => "copied",
            Self::Store(StoreError::DiskFull) => "disk_full",
            Self::Store(StoreError::NoRoom(_)) => "member_limit",
            Self::Store(StoreError::LeaseLost) => "lease_lost",
            Self::Store(_) => "internal",
        }
    }

    /// The HTTP status that fits.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidChange { .. }
            | Self::InvalidBody(_)
            | Self::InvalidClientId
            | Self::ServerClientId
            | Self::SchemaVersion { .. }
            | Self::UpdateRequired { .. }
            | Self::InvalidCursor(_)
            | Self::InvalidRecord { .. }
            | Self::InvalidPlace => 400,
            Self::GiveBackClosed => 409,
            Self::Forgotten => 404,
            Self::TooManyChanges => 413,
            Self::Store(StoreError::ResyncRequired(_)) => 410,
            Self::Store(StoreError::LeaseLost | StoreError::Copied) => 409,
            Self::Store(error) if error.may_pass() => 503,
            Self::Interrupted => 503,
            Self::Store(StoreError::DiskFull | StoreError::NoRoom(_)) => 507,
            Self::Store(_) => 500,
        }
    }

    /// The details that a program needs to act on the error.
    pub fn details(&self) -> Option<Value> {
        match self {
            Self::InvalidChange { index, reason } | Self::InvalidRecord { index, reason } => {
                Some(json!({ "index": index, "reason": reason }))
            }
            Self::TooManyChanges => Some(json!({ "maxChanges": MAX_CHANGES })),
            Self::SchemaVersion { sent, known } => Some(json!({ "sent": sent, "known": known })),
            Self::Store(StoreError::ResyncRequired(reason)) => {
                Some(json!({ "reason": reason.as_str() }))
            }
            Self::Store(StoreError::NoRoom(measure)) => {
                Some(json!({ "measure": measure.as_str() }))
            }
            Self::UpdateRequired { sent, needed } => {
                Some(json!({ "sent": sent, "needed": needed }))
            }
            _ => None,
        }
    }
}
