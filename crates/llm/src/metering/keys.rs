//! Virtual keys, which programs show instead of a provider's key. Each may be held to models, to a rate and to budgets.
//! The secrets are stored as SHA-256 only.

use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
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

/// The settings of a key. A limit that is left out does not apply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct KeySettings {
    /// The purpose of the key.
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

/// A virtual key.
pub struct Key {
    /// The id, which is no secret.
    pub id: String,
    /// The account that pays.
    pub user: UserId,
    /// The limits.
    pub settings: KeySettings,
    /// The time of its creation.
    pub created_at: Micros,
    rate: Option<DefaultDirectRateLimiter>,
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

    /// Takes one call from the rate, or returns the wait until there is one.
    pub fn take(&self) -> Result<(), Duration> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        rate.check()
            .map_err(|refused| refused.wait_time_from(DefaultClock::default().now()))
    }
}

/// All virtual keys, in memory: a call must not wait for the database to be let in.
///
/// A change of keys, and a reading of all of them, has the turn from its question to the database to the change in
/// memory. Otherwise a list that was read before a key was deleted could replace the one without it, and the key would
/// stay valid.
pub struct Keys {
    ledger: Arc<dyn Ledger>,
    known: RwLock<Known>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    by_hash: HashMap<Vec<u8>, Arc<Key>>,
    by_id: HashMap<String, Arc<Key>>,
}

impl Known {
    fn insert(&mut self, hash: Vec<u8>, key: Arc<Key>) {
        self.by_id.insert(key.id.clone(), key.clone());
        self.by_hash.insert(hash, key);
    }

    /// Replaces the limits of a key. False where it is not known.
    fn replace(&mut self, id: &str, settings: KeySettings) -> bool {
        let known = self.by_hash.iter().find(|(_, key)| key.id == id);
        let Some((hash, key)) = known.map(|(hash, key)| (hash.clone(), key.clone())) else {
            return false;
        };
        let stored = VirtualKey {
            id: key.id.clone(),
            user: key.user.clone(),
            settings: serde_json::Value::Null,
            created_at: key.created_at,
        };
        self.insert(hash, Arc::new(key_of(stored, settings)));
        true
    }

    fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
        self.by_hash.retain(|_, key| key.id != id);
    }
}

impl Keys {
    /// No keys until they are read.
    pub fn new(ledger: Arc<dyn Ledger>) -> Arc<Keys> {
        Arc::new(Keys {
            ledger,
            known: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Reads all keys. A key that stays the same keeps the count of its rate.
    ///
    /// # Errors
    ///
    /// The ledger can't be read; the keys stay as they were.
    pub async fn read(self: &Arc<Self>) -> Result<(), StoreError> {
        let keys = self.clone();
        detached(async move {
            let _turn = keys.turn.lock().await;
            keys.read_in_turn().await
        })
        .await
    }

    async fn read_in_turn(&self) -> Result<(), StoreError> {
        let stored = self.ledger.keys().await?;
        let before = self.known().by_id.clone();
        let mut known = Known::default();
        for (hash, stored) in stored {
            let settings: KeySettings = match serde_json::from_value(stored.settings.clone()) {
                Ok(settings) => settings,
                Err(error) => {
                    tracing::error!(
                        key = %stored.id,
                        %error,
                        "virtual key {} can't be read and is not let in: {error}",
                        stored.id,
                    );
                    continue;
                }
            };
            let same = before
                .get(&stored.id)
                .filter(|key| key.settings == settings);
            let key = same
                .cloned()
                .unwrap_or_else(|| Arc::new(key_of(stored, settings)));
            known.insert(hash, key);
        }
        *self.known_mut() = known;
        Ok(())
    }

    /// Keeps a new key, whose secret is stored as its hash alone.
    ///
    /// # Errors
    ///
    /// The ledger can't be written.
    pub async fn create(
        self: &Arc<Self>,
        stored: VirtualKey,
        settings: KeySettings,
        secret: String,
    ) -> Result<Arc<Key>, StoreError> {
        let keys = self.clone();
        detached(async move {
            let _turn = keys.turn.lock().await;
            keys.ledger.create_key(stored.clone(), &secret).await?;
            let key = Arc::new(key_of(stored, settings));
            keys.known_mut().insert(hash(&secret), key.clone());
            Ok(key)
        })
        .await
    }

    /// Replaces what a key may do. `None` where there is no such key.
    ///
    /// # Errors
    ///
    /// The ledger can't be written.
    pub async fn update(
        self: &Arc<Self>,
        id: String,
        settings: KeySettings,
    ) -> Result<Option<Arc<Key>>, StoreError> {
        let keys = self.clone();
        detached(async move {
            let _turn = keys.turn.lock().await;
            let stored = serde_json::json!(settings);
            if !keys.ledger.update_key(&id, stored).await? {
                keys.known_mut().remove(&id);
                return Ok(None);
            }
            if !keys.known_mut().replace(&id, settings) {
                // Another instance has made it.
                keys.read_in_turn().await?;
            }
            Ok(keys.get(&id))
        })
        .await
    }

    /// Forgets a key: once this returns, nobody gets in with it. False where there was no such key.
    ///
    /// # Errors
    ///
    /// The ledger can't be written; the key stays.
    pub async fn delete(self: &Arc<Self>, id: String) -> Result<bool, StoreError> {
        let keys = self.clone();
        detached(async move {
            let _turn = keys.turn.lock().await;
            let deleted = keys.ledger.delete_key(&id).await?;
            // Nothing is read again here: a database that fails now must not keep the key alive.
            keys.known_mut().remove(&id);
            Ok(deleted)
        })
        .await
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key with this secret, unless it has expired.
    pub fn shown(&self, secret: &str, now: Micros) -> Option<Arc<Key>> {
        if !secret.starts_with(PREFIX) {
            return None;
        }
        // Found by the hash: the time that takes says nothing about any key.
        let hash = hash(secret);
        let known = self.known();
        let key = known.by_hash.get(&hash)?;
        let ended = key.settings.expires_at.is_some_and(|end| end <= now);
        (!ended).then(|| key.clone())
    }

    /// The key with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Key>> {
        let known = self.known();
        known.by_id.get(id).cloned()
    }

    /// All keys, oldest first.
    pub fn all(&self) -> Vec<Arc<Key>> {
        let known = self.known();
        let mut all: Vec<_> = known.by_id.values().cloned().collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }
}

/// Runs to its end even where the caller goes away: the database and the memory change together.
async fn detached<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(output) => output,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

fn key_of(stored: VirtualKey, settings: KeySettings) -> Key {
    Key {
        id: stored.id,
        user: stored.user,
        created_at: stored.created_at,
        rate: settings
            .requests_per_minute
            .map(|most| RateLimiter::direct(Quota::per_minute(most))),
        settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metering::test_ledger::TestLedger;

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

    fn stored(ledger: &TestLedger, id: &str) -> VirtualKey {
        VirtualKey {
            id: id.to_owned(),
            user: ledger.user.clone(),
            settings: serde_json::json!(KeySettings::default()),
            created_at: Micros(0),
        }
    }

    async fn keys() -> (Arc<TestLedger>, Arc<Keys>) {
        let ledger = TestLedger::new().await;
        (ledger.clone(), Keys::new(ledger))
    }

    #[tokio::test]
    async fn a_key_is_deleted_though_a_list_with_it_was_being_read() {
        let (ledger, keys) = keys().await;
        let secret = || "mana-secret".to_owned();
        keys.create(stored(&ledger, "k"), KeySettings::default(), secret())
            .await
            .unwrap();
        ledger.hold_reads();
        let reading = tokio::spawn({
            let keys = keys.clone();
            async move { keys.read().await }
        });
        ledger.has_read().await;
        // The list that holds the key is read; the key goes before the list arrives.
        let deleting = tokio::spawn({
            let keys = keys.clone();
            async move { keys.delete("k".to_owned()).await }
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        ledger.let_reads_go();
        reading.await.unwrap().unwrap();
        assert!(deleting.await.unwrap().unwrap());
        assert!(keys.shown(&secret(), Micros(0)).is_none());
        assert!(keys.get("k").is_none());
    }

    #[tokio::test]
    async fn a_key_is_deleted_though_the_keys_can_not_be_read_and_the_caller_goes_away() {
        let (ledger, keys) = keys().await;
        let secret = || "mana-secret".to_owned();
        for go_away in [false, true] {
            keys.create(stored(&ledger, "k"), KeySettings::default(), secret())
                .await
                .unwrap();
            assert!(keys.shown(&secret(), Micros(0)).is_some());
            ledger.fail_reads(true);
            let deleting = keys.delete("k".to_owned());
            if go_away {
                let given_up = tokio::time::timeout(Duration::ZERO, deleting).await;
                drop(given_up);
                let until = tokio::time::Instant::now() + Duration::from_secs(20);
                while keys.get("k").is_some() && tokio::time::Instant::now() < until {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            } else {
                assert!(deleting.await.unwrap());
            }
            assert!(keys.shown(&secret(), Micros(0)).is_none());
            ledger.fail_reads(false);
            keys.read().await.unwrap();
            assert!(keys.shown(&secret(), Micros(0)).is_none());
        }
    }

    #[tokio::test]
    async fn another_instance_learns_of_changes_when_it_reads() {
        let (ledger, here) = keys().await;
        let there = Keys::new(ledger.clone());
        let secret = "mana-secret".to_owned();
        here.create(stored(&ledger, "k"), KeySettings::default(), secret.clone())
            .await
            .unwrap();
        let named = KeySettings {
            name: "new".to_owned(),
            ..KeySettings::default()
        };
        let key = there.update("k".to_owned(), named).await.unwrap().unwrap();
        assert_eq!(key.settings.name, "new");
        here.read().await.unwrap();
        assert_eq!(here.get("k").unwrap().settings.name, "new");
        assert!(here.delete("k".to_owned()).await.unwrap());
        assert!(!there.delete("k".to_owned()).await.unwrap());
        assert!(there.shown(&secret, Micros(0)).is_none());
    }
}
