//! How a replica reaches the server.

use async_trait::async_trait;
use mana_core::sync::{PushAnswer, PushRequest, SnapshotPage, TransportError};

/// The two requests of a sync.
#[async_trait]
pub trait Transport: Send + Sync {
    /// `POST /sync`.
    async fn push(&self, request: &PushRequest) -> Result<PushAnswer, TransportError>;

    /// `GET /sync/snapshot`: the page after the one that named this token; the first page for an empty one.
    async fn snapshot(&self, after: &str) -> Result<SnapshotPage, TransportError>;
}
