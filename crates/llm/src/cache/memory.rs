//! Answers kept in this process.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::ChatCompletion;

/// The answers that are kept.
pub(super) struct CacheEntry {
    /// All of them together at most, in bytes.
    room: usize,
    /// How long one is good.
    life: Duration,
    answers: HashMap<String, Entry>,
    /// The questions, oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

struct Entry {
    until: Instant,
    bytes: usize,
    answer: ChatCompletion,
}

impl CacheEntry {
    pub fn new(room: usize, life: Duration) -> Self {
        Self {
            room,
            life,
            answers: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The answer to a question, if it is kept.
    pub fn get(&self, question: &str) -> Option<ChatCompletion> {
        let entry = self.answers.get(question)?;
        (Instant::now() < entry.until).then(|| entry.answer.clone())
    }

    /// Keeps an answer, and forgets the oldest for it.
    pub fn put(&mut self, question: String, answer: ChatCompletion) {
        let text = serde_json::to_string(&answer).unwrap_or_default();
        let bytes = 2 * question.len() + text.len();
        if bytes > self.room {
            return;
        }
        self.forget(&question);
        while self.bytes + bytes > self.room
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(&oldest);
        }
        self.bytes += bytes;
        self.order.push_back(question.clone());
        let entry = Entry {
            until: Instant::now() + self.life,
            bytes,
            answer,
        };
        self.answers.insert(question, entry);
    }

    fn forget(&mut self, question: &str) {
        if let Some(entry) = self.answers.remove(question) {
            self.bytes -= entry.bytes;
            self.order.retain(|kept| kept != question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_what_is_old_is_not_told() {
        let mut kept = CacheEntry::new(1 << 20, Duration::from_secs(60));
        for n in 0..4 {
            let answer = ChatCompletion::of_text("m", 0, "y".repeat(300 << 10));
            kept.put(n.to_string(), answer);
        }
        let there = [0, 1, 2, 3].map(|n| kept.get(&n.to_string()).is_some());
        assert_eq!(there, [false, true, true, true]);
        assert!(kept.bytes <= 1 << 20);

        let mut short = CacheEntry::new(1 << 20, Duration::ZERO);
        let answer = ChatCompletion::of_text("m", 0, String::new());
        short.put("0".to_owned(), answer);
        assert!(short.get("0").is_none());
    }
}
