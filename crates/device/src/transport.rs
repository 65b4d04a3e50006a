//! How a replica reaches the server.

use async_trait::async_trait;
use mana_core::sync::{
    JoinRequest, PushAnswer, PushRequest, SnapshotPage, SnapshotRequest, TransportError,
};

/// The requests of a sync.
#[async_trait]
pub trait Transport: Send + Sync {
    /// `POST /sync`.
    async fn push(&self, request: &PushRequest) -> Result<PushAnswer, TransportError>;

    /// `GET /sync/snapshot`.
    async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotPage, TransportError>;

    /// `POST /sync/join`. Returns the log's end after it; empty where the server is older.
    async fn join(&self, request: &JoinRequest) -> Result<String, TransportError>;
}
