//! The answer cache of the gateway: opt-in, bounded in bytes and in time, inside the process.
//!
//! An answer is cached only where nothing is left to chance (`temperature` 0), and only for the same caller, so that
//! nobody learns from an answer's speed what another caller asked. Reasons: docs/decisions/answer-cache.md.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use quick_cache::sync::{Cache as Entries, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::time::Instant;

use crate::config::CacheSettings;
use crate::wire::{ChatCompletion, ChatRequest};

/// The usual size of an answer with its question. The table's estimate of its length follows from it.
const USUAL_BYTES: usize = 8 << 10;

/// The answer cache, which is off without settings.
#[derive(Default)]
pub(crate) struct Cache(RwLock<Option<Arc<Answers>>>);

/// The cached answers of one configuration, by question.
struct Answers {
    entries: Entries<String, CacheEntry, ByBytes>,
    /// How long an answer is valid.
    life: Duration,
}

/// A cached answer.
#[derive(Clone)]
struct CacheEntry {
    answer: Arc<ChatCompletion>,
    cached_at: Instant,
    /// The length of question and answer as JSON, in bytes; twice of an answer that is kept as it was written too.
    bytes: u64,
}

/// Weighs an entry by its size in bytes.
#[derive(Clone)]
struct ByBytes;

impl Weighter<String, CacheEntry> for ByBytes {
    fn weight(&self, _: &String, entry: &CacheEntry) -> u64 {
        entry.bytes
    }
}

impl Answers {
    fn new(settings: &CacheSettings) -> Self {
        let room = settings.megabytes.saturating_mul(1 << 20);
        // A single shard, because an answer may be a large part of the room, and each shard has only its share of it.
        let options = OptionsBuilder::new()
            .estimated_items_capacity(room / USUAL_BYTES)
            .weight_capacity(room as u64)
            .shards(1)
            .build()
            .expect("both capacities are set");
        Self {
            entries: Entries::with_options(
                options,
                ByBytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            life: Duration::from_secs(settings.seconds),
        }
    }

    /// Returns the answer to a question, unless it is too old, and drops an answer that is.
    fn get(&self, question: &str, now: Instant) -> Option<Arc<ChatCompletion>> {
        let is_valid = |entry: &CacheEntry| now.duration_since(entry.cached_at) < self.life;
        let entry = self.entries.get(question)?;
        if is_valid(&entry) {
            return Some(entry.answer);
        }
        self.entries.remove_if(question, |newest| !is_valid(newest));
        None
    }

    fn put(&self, question: String, answer: ChatCompletion, now: Instant) {
        let Ok(text) = serde_json::to_string(&answer) else {
            return;
        };
        let entry = CacheEntry {
            bytes: (question.len() + text.len() + as_written(&answer)) as u64,
            cached_at: now,
            answer: Arc::new(answer),
        };
        self.entries.insert(question, entry);
    }
}

/// The length of the texts of an answer that are kept as their upstream wrote them.
fn as_written(answer: &ChatCompletion) -> usize {
    let texts = [&answer.text, &answer.native];
    texts.into_iter().flatten().map(Bytes::len).sum()
}

impl Cache {
    pub fn new(settings: Option<&CacheSettings>) -> Self {
        let cache = Self::default();
        cache.configure(settings);
        cache
    }

    /// Applies other settings, and drops every cached answer.
    pub fn configure(&self, settings: Option<&CacheSettings>) {
        let answers = settings.map(|settings| Arc::new(Answers::new(settings)));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// Returns the key of a caller's question, if its answer may be cached at all.
    pub fn key(&self, caller: &str, request: &ChatRequest) -> Option<String> {
        self.answers()?;
        let certain = request.extra.get("temperature")?.as_f64()? == 0.0;
        let whole = request.stream != Some(true);
        (certain && whole)
            .then(|| serde_json::to_string(&(caller, request, &request.betas)).ok())
            .flatten()
    }

    /// Returns the answer to a question, if it is cached.
    pub fn get(&self, question: &str) -> Option<Arc<ChatCompletion>> {
        self.answers()?.get(question, Instant::now())
    }

    /// Caches an answer.
    pub fn put(&self, question: String, answer: ChatCompletion) {
        if let Some(answers) = self.answers() {
            answers.put(question, answer, Instant::now());
        }
    }

    fn answers(&self) -> Option<Arc<Answers>> {
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
    use crate::wire::Message;

    const MEGABYTE: CacheSettings = CacheSettings {
        megabytes: 1,
        seconds: 60,
    };

    fn ask(text: &str, temperature: f64) -> ChatRequest {
        let mut request = ChatRequest::new("a/m", vec![Message::user(text)]);
        request
            .extra
            .insert("temperature".to_owned(), json!(temperature));
        request
    }

    fn answer(bytes: usize) -> ChatCompletion {
        ChatCompletion::of_text("m", 0, "y".repeat(bytes))
    }

    #[test]
    fn the_same_callers_same_certain_question_is_answered_again() {
        let cache = Cache::new(Some(&MEGABYTE));
        let key = cache.key("ada", &ask("x", 0.0)).unwrap();
        cache.put(key.clone(), answer(1));
        assert_eq!(cache.get(&key).unwrap().text(), "y");
        for (caller, text) in [("bob", "x"), ("ada", "z")] {
            let other = cache.key(caller, &ask(text, 0.0)).unwrap();
            assert!(cache.get(&other).is_none());
        }
        assert_eq!(cache.key("ada", &ask("x", 0.5)), None);
        assert_eq!(cache.key("ada", &ChatRequest::new("a/m", Vec::new())), None);
        cache.configure(Some(&MEGABYTE));
        assert!(cache.get(&key).is_none(), "other settings, an empty cache");
        cache.configure(None);
        assert_eq!(cache.key("ada", &ask("x", 0.0)), None);
    }

    #[test]
    fn the_cached_answers_are_bounded_in_bytes() {
        let now = Instant::now();
        let room = 1 << 20;
        // Few large answers, many small ones, and both mixed.
        for sizes in [vec![300 << 10], vec![100], vec![100, 300 << 10, 20 << 10]] {
            let answers = Answers::new(&MEGABYTE);
            for n in 0..12_000 / sizes.len() {
                let size = sizes[n % sizes.len()];
                if size > 1000 && n > 20 {
                    continue;
                }
                answers.put(n.to_string(), answer(size), now);
                assert!(answers.entries.weight() <= room, "{sizes:?}: after {n}");
                assert!(
                    answers.get(&n.to_string(), now).is_some(),
                    "{sizes:?}: the newest answer is cached"
                );
            }
            assert!(
                answers.entries.weight() > room / 2,
                "{sizes:?}: room is used"
            );
            assert!(
                answers.get("0", now).is_none(),
                "{sizes:?}: an old one went"
            );
            answers.put("huge".to_owned(), answer(2 << 20), now);
            assert!(answers.get("huge", now).is_none(), "larger than the room");
            assert!(answers.entries.weight() <= room);
        }
        let none = Answers::new(&CacheSettings {
            megabytes: 0,
            ..MEGABYTE
        });
        none.put("0".to_owned(), answer(1), now);
        assert_eq!((none.entries.weight(), none.entries.len()), (0, 0));
    }

    #[test]
    fn a_cached_answer_is_given_for_its_seconds_and_then_dropped() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let answers = Answers::new(&MEGABYTE);
        answers.put("0".to_owned(), answer(1), now);
        assert!(answers.get("0", at(59)).is_some());
        assert!(answers.get("0", at(60)).is_none());
        assert_eq!((answers.entries.weight(), answers.entries.len()), (0, 0));

        // A question that is answered anew is valid anew.
        answers.put("0".to_owned(), answer(1), at(60));
        answers.put("0".to_owned(), answer(1), at(100));
        assert!(answers.get("0", at(159)).is_some());

        for (seconds, valid) in [(0, false), (u64::MAX, true)] {
            let answers = Answers::new(&CacheSettings {
                seconds,
                ..MEGABYTE
            });
            answers.put("0".to_owned(), answer(1), now);
            assert_eq!(answers.get("0", now).is_some(), valid, "{seconds} s");
        }
    }
}
