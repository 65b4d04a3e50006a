//! Answers kept for the same question again: opt-in, bounded, in this process or in Redis.
//!
//! Only where nothing is left to chance (`temperature` 0) and for the same
//! caller, so that nobody learns from an answer's haste what somebody else asked.

mod memory;
mod redis;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use self::memory::CacheEntry;
use self::redis::Shared;
use crate::config::CacheSettings;
use crate::wire::{ChatCompletion, ChatRequest};

/// Where answers are kept, if they are.
#[derive(Default)]
pub(crate) struct Cache(RwLock<Option<Arc<Place>>>);

enum Place {
    Memory(Mutex<CacheEntry>),
    Redis(Shared),
}

impl Cache {
    pub fn new(settings: Option<&CacheSettings>) -> Self {
        let cache = Self::default();
        cache.configure(settings);
        cache
    }

    /// Goes by these settings from now on, and forgets what this process kept.
    pub fn configure(&self, settings: Option<&CacheSettings>) {
        let place = settings.and_then(|settings| {
            let Some(url) = &settings.redis else {
                let life = Duration::from_secs(settings.seconds);
                return Some(Place::Memory(Mutex::new(CacheEntry::new(
                    settings.megabytes << 20,
                    life,
                ))));
            };
            match Shared::new(url.expose(), settings.seconds) {
                Ok(shared) => Some(Place::Redis(shared)),
                Err(error) => {
                    tracing::warn!("[llm.cache] keeps nothing: its `redis` can't be used: {error}");
                    None
                }
            }
        });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = place.map(Arc::new);
    }

    /// The key of a question, if its answer may be kept at all.
    pub fn key(&self, caller: &str, request: &ChatRequest) -> Option<String> {
        self.place()?;
        let certain = request.extra.get("temperature")?.as_f64()? == 0.0;
        let whole = request.stream != Some(true);
        (certain && whole)
            .then(|| serde_json::to_string(&(caller, request)).ok())
            .flatten()
    }

    /// The answer to a question, if it is kept.
    pub async fn get(&self, question: &str) -> Option<ChatCompletion> {
        match &*self.place()? {
            Place::Memory(kept) => kept
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(question),
            Place::Redis(shared) => shared.get(question).await,
        }
    }

    /// Keeps an answer.
    pub async fn put(&self, question: String, answer: ChatCompletion) {
        match self.place().as_deref() {
            Some(Place::Memory(kept)) => {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .put(question, answer);
            }
            Some(Place::Redis(shared)) => shared.put(&question, &answer).await,
            None => {}
        }
    }

    fn place(&self) -> Option<Arc<Place>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Secret, wire::Message};

    fn ask(text: &str, temperature: f64) -> ChatRequest {
        let mut request = ChatRequest::new("a/m", vec![Message::user(text)]);
        request
            .extra
            .insert("temperature".to_owned(), json!(temperature));
        request
    }

    fn settings(redis: Option<&str>) -> CacheSettings {
        CacheSettings {
            megabytes: 1,
            seconds: 60,
            redis: redis.map(Secret::new),
        }
    }

    #[tokio::test]
    async fn the_same_callers_same_certain_question_is_answered_again() {
        let cache = Cache::new(Some(&settings(None)));
        let key = cache.key("ada", &ask("x", 0.0)).unwrap();
        let answer = ChatCompletion::of_text("m", 0, "y".to_owned());
        cache.put(key.clone(), answer).await;
        assert_eq!(cache.get(&key).await.unwrap().text(), "y");
        for (caller, text) in [("bob", "x"), ("ada", "z")] {
            let other = cache.key(caller, &ask(text, 0.0)).unwrap();
            assert!(cache.get(&other).await.is_none());
        }
        assert_eq!(cache.key("ada", &ask("x", 0.5)), None);
        assert_eq!(cache.key("ada", &ChatRequest::new("a/m", Vec::new())), None);
        cache.configure(None);
        assert_eq!(cache.key("ada", &ask("x", 0.0)), None);
    }

    #[tokio::test]
    async fn a_redis_that_is_away_is_no_reason_to_wait_or_to_fail() {
        // Nobody listens at a port that was just given back.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let cache = Cache::new(Some(&settings(Some(&format!("redis://127.0.0.1:{port}/")))));
        let key = cache.key("ada", &ask("x", 0.0)).unwrap();
        let answer = ChatCompletion::of_text("m", 0, "y".to_owned());
        cache.put(key.clone(), answer).await;
        assert!(cache.get(&key).await.is_none());
        let cache = Cache::new(Some(&settings(Some("not an address"))));
        assert_eq!(cache.key("ada", &ask("x", 0.0)), None);
    }
}
