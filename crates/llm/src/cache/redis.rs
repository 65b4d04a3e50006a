//! Answers kept in Redis, for instances that share them.
//!
//! A cache is never why a call fails or waits: what Redis doesn't say at once it doesn't know, and while it is away
//! nobody asks it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands as _, Client, RedisResult};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::wire::ChatCompletion;

/// How long Redis has for an answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long it isn't asked after it didn't answer.
const AWAY: Duration = Duration::from_secs(5);

/// The start of its keys.
const PREFIX: &str = "mana:llm:";

/// The connection to it, which comes back by itself.
pub(super) struct Shared {
    connection: ConnectionManager,
    seconds: u64,
    away_until: Mutex<Option<Instant>>,
}

impl Shared {
    /// Connects at the first question. Only an address that is none is an error.
    pub fn new(url: &str, seconds: u64) -> Result<Self, String> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let connection = Client::open(url)
            .and_then(|client| client.get_connection_manager_lazy(config))
            .map_err(|error| error.to_string())?;
        Ok(Self {
            connection,
            seconds,
            away_until: Mutex::default(),
        })
    }

    /// The answer to a question, if it is kept.
    pub async fn get(&self, question: &str) -> Option<ChatCompletion> {
        let mut connection = self.connection()?;
        let kept: RedisResult<Option<String>> = connection.get(key(question)).await;
        let (resolved, answer): (String, ChatCompletion) =
            serde_json::from_str(&self.heard(kept)??).ok()?;
        Some(ChatCompletion { resolved, ..answer })
    }

    /// Keeps an answer. How much Redis keeps in all is its own `maxmemory`.
    pub async fn put(&self, question: &str, answer: &ChatCompletion) {
        let Some(mut connection) = self.connection() else {
            return;
        };
        let Ok(text) = serde_json::to_string(&(&answer.resolved, answer)) else {
            return;
        };
        let seconds = self.seconds.max(1);
        let kept: RedisResult<()> = connection.set_ex(key(question), text, seconds).await;
        self.heard(kept);
    }

    fn connection(&self) -> Option<ConnectionManager> {
        let until = *self.away();
        until
            .is_none_or(|until| until < Instant::now())
            .then(|| self.connection.clone())
    }

    /// The answer of Redis. After none, nobody asks for a while.
    fn heard<T>(&self, answer: RedisResult<T>) -> Option<T> {
        let until = match &answer {
            Ok(_) => None,
            Err(_) => Some(Instant::now() + AWAY),
        };
        let before = std::mem::replace(&mut *self.away(), until);
        if let (Err(error), None) = (&answer, before) {
            tracing::warn!("the cache of [llm.cache] is away and left out meanwhile: {error}");
        }
        answer.ok()
    }

    fn away(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.away_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// No question is readable in the names of the keys.
fn key(question: &str) -> String {
    let digest = Sha256::digest(question.as_bytes());
    digest
        .iter()
        .fold(PREFIX.to_owned(), |key, byte| format!("{key}{byte:02x}"))
}
