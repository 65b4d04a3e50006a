//! Virtual keys: what a program shows instead of a provider's key. Each may be held to models, to a rate and to
//! budgets. The keys themselves are stored as SHA-256 only.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use mana_core::Micros;
use mana_store::{Ledger, StoreError, UserId, VirtualKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// How every key begins, so that a leaked one is recognised.
pub const PREFIX: &str = "mana-";

/// A call must not wait for the database to know in which zone its window begins. Who moves is followed in a minute.
const ZONE_KEPT_US: i64 = 60 * 1_000_000;

/// What a key may do. Whatever is left out is not limited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct KeySettings {
    /// What the key is for.
    pub name: String,
    /// Models that it may ask for: names, aliases, or all of a provider's, as `openai/*`. Empty for every one.
    pub models: Vec<String>,
    /// Calls a minute.
    #[schema(value_type = Option<u32>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens of requests and answers in a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// US dollars in a window. A model whose price isn't known can't be asked then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<f64>,
    /// How long a window is: `day` or `month`, of the time zone of the account that pays.
    pub window: Window,
    /// When the key ends, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Micros>,
}

/// How long a budget lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// From midnight to midnight.
    #[default]
    Day,
    /// From the first to the first.
    Month,
}

/// A key that can be shown.
pub struct Key {
    /// Its id, which is no secret.
    pub id: String,
    /// Who pays.
    pub user: UserId,
    /// What it may do.
    pub settings: KeySettings,
    /// When it was made.
    pub created_at: Micros,
    rate: Option<DefaultDirectRateLimiter>,
    /// The time zone of the account that pays, and when it was read.
    zone: Mutex<Option<(Micros, String)>>,
}

impl Key {
    /// Whether a model, or an alias, is among those that it may ask for.
    pub fn may(&self, model: &str) -> bool {
        let models = &self.settings.models;
        models.is_empty()
            || models
                .iter()
                .any(|allowed| match allowed.strip_suffix('*') {
                    Some(start) => model.starts_with(start),
                    None => allowed == model,
                })
    }

    /// The time zone of the account that pays, unless it was read so long ago that it may be another one.
    pub fn zone(&self, now: Micros) -> Option<String> {
        let zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, zone) = zone.as_ref()?;
        (now.0 - read_at.0 < ZONE_KEPT_US).then(|| zone.clone())
    }

    /// Keeps the time zone that was read now.
    pub fn keep_zone(&self, now: Micros, zone: &str) {
        *self.zone.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, zone.to_owned()));
    }

    /// Takes one call; else how long to wait for it.
    pub fn take(&self) -> Result<(), Duration> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        rate.check()
            .map_err(|refused| refused.wait_time_from(DefaultClock::default().now()))
    }
}

/// All of them, in memory: a call must not wait for the database to be let in.
#[derive(Default)]
pub struct Keys(RwLock<Known>);

#[derive(Default)]
struct Known {
    by_hash: HashMap<Vec<u8>, Arc<Key>>,
    by_id: HashMap<String, Arc<Key>>,
}

impl Keys {
    /// Reads them again. One that stays the same keeps count of its rate.
    pub async fn read(&self, ledger: &dyn Ledger) -> Result<(), StoreError> {
        let stored = ledger.keys().await?;
        let mut known = Known::default();
        let before = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .clone();
        for (hash, stored) in stored {
            let settings: KeySettings = match serde_json::from_value(stored.settings.clone()) {
                Ok(settings) => settings,
                Err(error) => {
                    tracing::error!(key = %stored.id, "The virtual key {} can't be read and is not let in: {error}", stored.id);
                    continue;
                }
            };
            let same = before
                .get(&stored.id)
                .filter(|key| key.settings == settings);
            let key = same
                .cloned()
                .unwrap_or_else(|| Arc::new(key_of(stored, settings)));
            known.by_id.insert(key.id.clone(), key.clone());
            known.by_hash.insert(hash, key);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// The key that was shown, if it is good now.
    pub fn shown(&self, secret: &str, now: Micros) -> Option<Arc<Key>> {
        if !secret.starts_with(PREFIX) {
            return None;
        }
        // Found by its hash: how long that takes says nothing of any key.
        let hash = Sha256::digest(secret).to_vec();
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.by_hash.get(&hash)?;
        let ended = key.settings.expires_at.is_some_and(|end| end <= now);
        (!ended).then(|| key.clone())
    }

    /// The key with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Key>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.by_id.get(id).cloned()
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Arc<Key>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known.by_id.values().cloned().collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }
}

fn key_of(stored: VirtualKey, settings: KeySettings) -> Key {
    Key {
        id: stored.id,
        user: stored.user,
        created_at: stored.created_at,
        rate: settings
            .requests_per_minute
            .map(|most| RateLimiter::direct(Quota::per_minute(most))),
        zone: Mutex::default(),
        settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_ask_for_its_models_alone() {
        let with = |models: &[&str]| {
            let settings = KeySettings {
                models: models.iter().map(|model| (*model).to_owned()).collect(),
                ..KeySettings::default()
            };
            let stored = VirtualKey {
                id: "k".to_owned(),
                user: UserId("me".to_owned()),
                settings: serde_json::Value::Null,
                created_at: Micros(0),
            };
            key_of(stored, settings)
        };
        assert!(with(&[]).may("anything"));
        let some = with(&["openai/*", "mana/reasoning"]);
        assert!(some.may("openai/gpt-5") && some.may("mana/reasoning"));
        assert!(!some.may("groq/x") && !some.may("mana/vision") && !some.may("openai"));
    }
}
