//! Why a run, or a correction of due times, left nothing in the log.

use mana_store::StoreError;
use mana_sync::SyncError;

/// Why a run could not be committed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The push was refused.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// A change that the rules of its table refuse.
    #[error("{0}")]
    Change(String),
}

impl RunError {
    /// The reason of a change that is refused however often it is tried.
    pub fn refused_change(&self) -> Option<&str> {
        match self {
            Self::Change(reason) | Self::Sync(SyncError::InvalidChange { reason, .. }) => {
                Some(reason)
            }
            _ => None,
        }
    }

    /// Whether the mission was written between reading it and the push, so that another attempt can succeed.
    pub fn is_moved(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Moved) | Self::Sync(SyncError::Store(StoreError::Moved))
        )
    }

    /// The code of the error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(StoreError::LeaseLost)
            | Self::Sync(SyncError::Store(StoreError::LeaseLost)) => "lease-lost",
            Self::Store(_) => "store",
            Self::Sync(error) => error.code(),
            Self::Change(_) => "invalid-change",
        }
    }
}
