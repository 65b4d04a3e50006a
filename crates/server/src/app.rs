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
use crate::gateway::{KeyUses, Settings};
use crate::key_guesses::KeyGuesses;
use crate::limits::Limits;
use crate::mail::Mailer;
use crate::member_limits::MemberLimits;
use crate::readiness::ReadyProbe;
use crate::service_key::ServiceKey;
use crate::telemetry::meters::Meters;
use crate::web::WebApp;

/// Everything that a handler may need.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Accounts.
    pub auth: Auth,
    /// The key that opens `/internal/*` and `/metrics`.
    pub service_key: ServiceKey,
    /// The key that opens `/metrics` and nothing else.
    pub metrics_key: Option<ServiceKey>,
    /// Wrong keys of each address.
    pub key_guesses: KeyGuesses,
    /// Logs, records, the schedule and runs.
    pub store: Arc<dyn Store>,
    /// Budgets and usage of models.
    pub ledger: Arc<dyn Ledger>,
    /// The modules.
    pub registry: Arc<Registry>,
    /// The files in `modules/` that are left out, with the reason.
    pub rejected_modules: Vec<RejectedManifest>,
    /// Limits of one person.
    pub limits: Arc<Limits>,
    /// How much the members' logs hold.
    pub member_limits: MemberLimits,
    /// Push, pull and notices.
    pub sync: Arc<Sync>,
    /// The runner.
    pub runner: Arc<Runner>,
    /// The gateway to models.
    pub gateway: Arc<Gateway>,
    /// The owner's settings of models, and the virtual keys.
    pub llm: Settings,
    /// The web app.
    pub web: WebApp,
    /// The days on which virtual keys were last used.
    pub key_uses: KeyUses,
    /// Mail to people, where a mail server is configured.
    pub mailer: Option<Arc<Mailer>>,
    /// Counters and histograms.
    pub meters: Meters,
    /// The last look at whether the server can do its work.
    pub ready: ReadyProbe,
    /// Cancelled when the server stops; open sockets close then.
    pub shutdown: CancellationToken,
}
