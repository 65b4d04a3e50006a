//! The owner's settings of models, over those of `mana.toml` and the environment; and the authenticator of `/v1`.

mod auth;
mod extra;
mod key_uses;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use mana_llm::metering::Metering;
use mana_llm::{Gateway, LlmConfig, LlmSettings, ModelSettings, ProviderSettings};
use mana_store::{Accounts, Ledger};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock;
use crate::config::{Config, ConfigError};
use crate::data_dir::DataDir;
use crate::error::{ApiError, ApiResult, sentence};
use crate::vault::Vault;

pub use auth::GatewayAuth;
pub use extra::{SavedExtra, forget_headers};
pub use key_uses::KeyUses;

/// The key of the settings in the store.
const SAVED: &str = "llm.settings";
/// How often a change is tried again where another instance has written the settings meanwhile.
const CHANGE_ATTEMPTS: u32 = 10;
/// The pause before the second attempt; each further one waits that much longer.
const CHANGE_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// The settings that the owner has saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Saved {
    /// Providers by name; each takes the place of one of that name in `mana.toml`.
    pub providers: BTreeMap<String, SavedProvider>,
    /// Chains by alias.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Prices and abilities, by `provider/model`.
    pub models: BTreeMap<String, ModelSettings>,
    /// Headers and fields that are added to requests, by `provider` or `provider/model`.
    pub extra: BTreeMap<String, SavedExtra>,
    /// Whether members' own tokens may call models; none where the server's settings decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_may_call: Option<bool>,
}

/// A provider as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SavedProvider {
    /// The protocol, where it isn't what the name says.
    pub api: Option<String>,
    /// The address; may be missing for a known provider.
    pub base_url: Option<String>,
    /// The key, sealed.
    pub sealed_key: Option<String>,
    /// The models to use, best first; empty for all.
    pub models: Vec<String>,
    /// For one whole call, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Calls at the same time at most.
    pub concurrency: Option<usize>,
}

/// The gateway's settings, and who may come in.
pub struct Settings {
    /// Virtual keys, and what calls are charged.
    pub metering: Arc<Metering>,
    gateway: Arc<Gateway>,
    accounts: Arc<dyn Accounts>,
    vault: Vault,
    /// The file and the environment, as they were read last and were good.
    config: Mutex<Config>,
    /// The fault of the saved settings or of the file, where an earlier one is still in use.
    problem: Mutex<Option<String>>,
    /// Held during a change.
    turn: tokio::sync::Mutex<()>,
}

impl Settings {
    /// Reads the saved settings, and makes the gateway. Settings that can't be used are left out, and reported.
    pub async fn open(
        config: &Config,
        dir: &DataDir,
        accounts: Arc<dyn Accounts>,
        ledger: Arc<dyn Ledger>,
    ) -> Result<(Settings, Arc<Gateway>)> {
        let vault = Vault::open(dir, config.server.settings_key.as_ref())?;
        let saved = read(&*accounts).await?;
        let (first, problem) = match effective(config, &saved, &vault) {
            Ok(llm) => (llm, None),
            Err(error) => (config.llm.clone(), Some(error.to_string())),
        };
        if let Some(problem) = &problem {
            tracing::error!("The saved settings of models can't be used: {problem}");
        }
        let gateway = Gateway::from_config(first);
        let members = config.limits.members;
        let settings = Settings {
            metering: Arc::new(Metering::new(
                ledger,
                accounts.clone(),
                members.models,
                clock::now,
            )),
            gateway: gateway.clone(),
            accounts,
            vault,
            config: Mutex::new(config.clone()),
            problem: Mutex::new(problem),
            turn: tokio::sync::Mutex::new(()),
        };
        settings.let_members_call(config, &saved);
        settings.read_keys().await?;
        Ok((settings, gateway))
    }

    /// The settings that the owner has saved.
    pub async fn saved(&self) -> ApiResult<Saved> {
        read(&*self.accounts).await.map_err(ApiError::internal)
    }

    /// The fault, where an earlier configuration is still in use.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// Changes the saved settings. A change that can't be used is refused with its reason, and nothing changes.
    ///
    /// The settings are replaced only if nobody else has written them since they were read; else `change` is applied
    /// again to what is saved by then, so that no instance loses another's change.
    pub async fn change(
        &self,
        change: impl Fn(&mut Saved, &Vault) -> ApiResult<()> + Send,
    ) -> ApiResult<()> {
        let _turn = self.turn.lock().await;
        for attempt in 0..CHANGE_ATTEMPTS {
            // An instance that lost the race waits, so that a busy one can't win ten times in a row.
            tokio::time::sleep(CHANGE_PAUSE * attempt).await;
            let before = self.accounts.kv_get(SAVED).await?;
            let mut saved = parse(before.as_deref()).map_err(ApiError::internal)?;
            change(&mut saved, &self.vault)?;
            let config = lock(&self.config).clone();
            let llm = effective(&config, &saved, &self.vault).map_err(|error| refused(&error))?;
            let text = serde_json::to_vec(&saved).map_err(ApiError::internal)?;
            let replaced = self.accounts.kv_replace(SAVED, before.as_deref(), &text);
            if replaced.await? {
                self.gateway.reload(&llm);
                self.let_members_call(&config, &saved);
                *lock(&self.problem) = None;
                return Ok(());
            }
        }
        Err(ApiError::internal(anyhow::anyhow!(
            "the settings of models are changed too often at the same time"
        )))
    }

    /// Whether members' own tokens may call models now.
    pub fn members_may_call(&self) -> bool {
        self.metering.members_may_call()
    }

    fn let_members_call(&self, config: &Config, saved: &Saved) {
        let of_server = config.limits.members.may_call_models;
        let may = match (config.member_api_is_fixed(), saved.members_may_call) {
            (false, Some(may)) => may,
            _ => of_server,
        };
        self.metering.let_members_call(may);
    }

    /// Seals a provider's key.
    pub fn seal(vault: &Vault, provider: &str, key: &str) -> ApiResult<String> {
        vault.seal(provider, key).map_err(ApiError::internal)
    }

    /// Reads `mana.toml` again. Where it is broken, the last good one stays, and why is said.
    pub async fn reload_file(&self) {
        match Config::load() {
            Ok(config) => {
                *lock(&self.config) = config;
                self.refresh().await;
                tracing::info!("Read the configuration of models again");
            }
            Err(error) => {
                tracing::error!(
                    "The configuration was not read again, the last good one stays: {error}"
                );
                *lock(&self.problem) = Some(error.to_string());
            }
        }
    }

    /// Takes over what was saved, here or by another instance.
    pub async fn refresh(&self) {
        let _turn = self.turn.lock().await;
        if let Err(error) = self.read_keys().await {
            tracing::warn!("The virtual keys could not be read: {error:#}");
        }
        let config = lock(&self.config).clone();
        let read = read(&*self.accounts).await;
        let read = read.and_then(|saved| Ok((effective(&config, &saved, &self.vault)?, saved)));
        match read {
            Ok((llm, saved)) => {
                self.gateway.reload(&llm);
                self.let_members_call(&config, &saved);
                *lock(&self.problem) = None;
            }
            Err(error) => {
                tracing::error!(
                    "The settings of models can't be used, the last good ones stay: {error:#}"
                );
                *lock(&self.problem) = Some(format!("{error:#}"));
            }
        }
    }

    /// Takes over that accounts have changed: their limits, and when their days begin.
    pub async fn people_changed(&self, people: &dyn mana_store::People) {
        // Where it isn't known, each account is read.
        let limits_people = people.limits_people().await.unwrap_or(true);
        self.metering.people_changed(limits_people);
    }

    /// Reads the virtual keys.
    pub async fn read_keys(&self) -> Result<()> {
        let read = self.metering.keys.read().await;
        read.context("The virtual keys can't be read")
    }
}

/// The refusal of a change. Its details name the fault for programs, and say it without the name of the setting.
fn refused(error: &ConfigError) -> ApiError {
    let shown = ApiError::invalid(format!("{error}."));
    let Some(fault) = error.of_gateway() else {
        return shown;
    };
    let mut details = json!({ "code": fault.code, "problem": sentence(&fault.problem) });
    if let Some(field) = fault.field {
        details["field"] = field.into();
    }
    shown.with_details(details)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(accounts: &dyn Accounts) -> Result<Saved> {
    parse(accounts.kv_get(SAVED).await?.as_deref())
}

fn parse(saved: Option<&[u8]>) -> Result<Saved> {
    let Some(saved) = saved else {
        return Ok(Saved::default());
    };
    serde_json::from_slice(saved)
        .context("The saved settings of models are broken; save them again")
}

/// Returns the providers of models with the owner's saved settings, for a command that looks at a server.
pub async fn saved_config(config: &Config, accounts: &dyn Accounts) -> Result<LlmConfig> {
    let saved = read(accounts).await?;
    let vault = Vault::read(&config.data_dir, config.server.settings_key.as_ref())?;
    Ok(effective(config, &saved, &vault)?)
}

/// The saved settings over the file's, and the environment over both.
fn effective(config: &Config, saved: &Saved, vault: &Vault) -> Result<LlmConfig, ConfigError> {
    let mut over = LlmSettings::default();
    for (name, provider) in &saved.providers {
        let key = match &provider.sealed_key {
            Some(sealed) => {
                Some(
                    vault
                        .unseal(name, sealed)
                        .map_err(|error| mana_llm::ConfigError {
                            setting: format!("provider {name}"),
                            problem: error.to_string(),
                            code: "sealed_key",
                            field: None,
                        })?,
                )
            }
            None => None,
        };
        let settings = ProviderSettings {
            api: provider.api.clone(),
            base_url: provider.base_url.clone(),
            key: key.map(mana_llm::Secret::new),
            models: provider.models.clone(),
            timeout_ms: provider.timeout_ms,
            concurrency: provider.concurrency,
        };
        over.providers.insert(name.clone(), settings);
    }
    over.aliases.clone_from(&saved.aliases);
    over.models.clone_from(&saved.models);
    for (name, extra) in &saved.extra {
        over.extra.insert(name.clone(), extra.opened(vault, name)?);
    }
    config.llm_under(over)
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use mana_core::manifest::Registry;
    use mana_store::SqliteStore;

    use super::*;

    #[tokio::test]
    async fn instances_that_change_settings_at_the_same_time_lose_none() {
        let config = Config::load().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let dir = DataDir::open(dir.path()).unwrap();
        let store = SqliteStore::memory(Arc::new(Registry::builtin()))
            .await
            .unwrap();
        let mut instances = Vec::new();
        for _ in 0..2 {
            let opened = Settings::open(&config, &dir, store.clone(), store.clone()).await;
            instances.push(opened.unwrap().0);
        }
        let aliases: Vec<String> = (0..20).map(|n| format!("mana/alias-{n}")).collect();
        let changes = aliases.iter().enumerate().map(|(n, alias)| {
            instances[n % 2].change(move |saved, _| {
                let chain = vec!["builtin/outline".to_owned()];
                saved.aliases.insert(alias.clone(), chain);
                Ok(())
            })
        });
        for changed in join_all(changes).await {
            changed.unwrap();
        }
        let saved = instances[0].saved().await.ok().unwrap();
        assert_eq!(saved.aliases.len(), aliases.len());
    }
}
