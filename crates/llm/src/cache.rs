//! Answers kept for the same question again: opt-in, in this process, bounded.
//!
//! Only where nothing is left to chance (`temperature` 0) and for the same
//! caller, so that nobody learns from an answer's haste what somebody else asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::CacheSettings;
use crate::wire::{ChatCompletion, ChatRequest};

/// The answers that are kept.
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    settings: Option<CacheSettings>,
    answers: HashMap<String, Entry>,
    /// The questions, oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

struct Entry {
    until: Instant,
    bytes: usize,
    answer: Arc<ChatCompletion>,
}

impl Cache {
    pub fn new(settings: Option<CacheSettings>) -> Self {
        Self(Mutex::new(Kept {
            settings,
            ..Kept::default()
        }))
    }

    /// Forgets everything, and goes by these settings from now on.
    pub fn configure(&self, settings: Option<CacheSettings>) {
        *self.kept() = Kept {
            settings,
            ..Kept::default()
        };
    }

    /// What a question is known by, if its answer may be kept at all.
    pub fn key(&self, caller: &str, request: &ChatRequest) -> Option<String> {
        self.kept().settings?;
        let certain = request.extra.get("temperature")?.as_f64()? == 0.0;
        let whole = request.stream != Some(true);
        (certain && whole)
            .then(|| serde_json::to_string(&(caller, request)).ok())
            .flatten()
    }

    /// The answer to a question, if it is kept.
    pub fn get(&self, key: &str) -> Option<Arc<ChatCompletion>> {
        let kept = self.kept();
        let entry = kept.answers.get(key)?;
        (Instant::now() < entry.until).then(|| entry.answer.clone())
    }

    /// Keeps an answer, and forgets the oldest for it.
    pub fn put(&self, key: String, answer: ChatCompletion) {
        let mut kept = self.kept();
        let Some(settings) = kept.settings else {
            return;
        };
        let room = settings.megabytes << 20;
        let text = serde_json::to_string(&answer).unwrap_or_default();
        let bytes = 2 * key.len() + text.len();
        if bytes > room {
            return;
        }
        kept.forget(&key);
        while kept.bytes + bytes > room
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.forget(&oldest);
        }
        kept.bytes += bytes;
        kept.order.push_back(key.clone());
        let entry = Entry {
            until: Instant::now() + Duration::from_secs(settings.seconds),
            bytes,
            answer: Arc::new(answer),
        };
        kept.answers.insert(key, entry);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, key: &str) {
        if let Some(entry) = self.answers.remove(key) {
            self.bytes -= entry.bytes;
            self.order.retain(|kept| kept != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::Message;

    fn ask(text: &str, temperature: f64) -> ChatRequest {
        let mut request = ChatRequest::new("a/m", vec![Message::user(text)]);
        request
            .extra
            .insert("temperature".to_owned(), json!(temperature));
        request
    }

    fn cache(seconds: u64) -> Cache {
        Cache::new(Some(CacheSettings {
            megabytes: 1,
            seconds,
        }))
    }

    #[test]
    fn the_same_callers_same_certain_question_is_answered_again() {
        let cache = cache(60);
        let key = cache.key("ada", &ask("x", 0.0)).unwrap();
        cache.put(key.clone(), ChatCompletion::of_text("m", 0, "y".to_owned()));
        assert_eq!(cache.get(&key).unwrap().text(), "y");
        assert!(
            cache
                .get(&cache.key("bob", &ask("x", 0.0)).unwrap())
                .is_none()
        );
        assert!(
            cache
                .get(&cache.key("ada", &ask("z", 0.0)).unwrap())
                .is_none()
        );
        assert_eq!(cache.key("ada", &ask("x", 0.5)), None);
        assert_eq!(cache.key("ada", &ChatRequest::new("a/m", Vec::new())), None);
        cache.configure(None);
        assert_eq!(cache.key("ada", &ask("x", 0.0)), None);
    }

    #[test]
    fn it_is_bounded_and_what_is_old_is_not_told() {
        let cache = cache(60);
        let keys: Vec<String> = (0..4)
            .map(|n| cache.key("ada", &ask(&n.to_string(), 0.0)).unwrap())
            .collect();
        for key in &keys {
            let answer = ChatCompletion::of_text("m", 0, "y".repeat(300 << 10));
            cache.put(key.clone(), answer);
        }
        let there: Vec<bool> = keys.iter().map(|key| cache.get(key).is_some()).collect();
        assert_eq!(there, [false, true, true, true]);
        assert!(cache.kept().bytes <= 1 << 20);

        let short = super::Cache::new(Some(CacheSettings {
            megabytes: 1,
            seconds: 0,
        }));
        short.put(
            keys[0].clone(),
            ChatCompletion::of_text("m", 0, String::new()),
        );
        assert!(short.get(&keys[0]).is_none());
    }
}
