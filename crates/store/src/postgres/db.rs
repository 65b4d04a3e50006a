//! The connections of a store, and what else its verbs share.

use std::{sync::Arc, time::Duration};

use mana_core::manifest::Registry;
use sqlx::PgPool;
use tokio::sync::broadcast;

use super::gate::Gate;
use crate::StoreNotice;

/// The parts that the verbs work with.
pub(super) struct Db {
    pub registry: Arc<Registry>,
    pub pool: PgPool,
    pub wait: Duration,
    pub gate: Gate,
    /// This process, among those that hear each other's notices.
    pub instance: String,
    pub notices: broadcast::Sender<StoreNotice>,
}
