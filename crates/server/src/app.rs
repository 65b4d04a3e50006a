//! The server's parts in one place.

use std::sync::Arc;

use mana_accounts::Auth;
use mana_ai::Runner;
use mana_core::manifest::{Registry, RejectedManifest};
use mana_llm::Gateway;
use mana_store::{Ledger, Store};
use mana_sync::Sync;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::gateway::Settings;
use crate::limits::Limits;
use crate::service_key::ServiceKey;
use crate::telemetry::meters::Meters;
use crate::web::WebApp;

/// Everything a handler may need.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Accounts.
    pub auth: Auth,
    /// Who acts for the server itself.
    pub service_key: ServiceKey,
    /// The log and the records.
    pub store: Arc<dyn Store>,
    /// What models cost, by whom.
    pub ledger: Arc<dyn Ledger>,
    /// The modules.
    pub registry: Arc<Registry>,
    /// The files in `modules/` that are broken.
    pub rejected_modules: Vec<RejectedManifest>,
    /// How much one person may do at a time.
    pub limits: Arc<Limits>,
    /// Push, pull and notices.
    pub sync: Arc<Sync>,
    /// The runner.
    pub runner: Arc<Runner>,
    /// The models.
    pub gateway: Arc<Gateway>,
    /// What the owner sets about them, and the virtual keys.
    pub llm: Settings,
    /// The web app.
    pub web: WebApp,
    /// What is counted and measured.
    pub meters: Meters,
    /// Ends when the server does; open sockets close then.
    pub shutdown: CancellationToken,
}
