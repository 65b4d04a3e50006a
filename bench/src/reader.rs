//! A device that reads a person's log page by page, and makes sure that each change comes once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use reqwest::Client;
use serde_json::Value;
use tokio::time::sleep;

use crate::client::{escape, http};

const PATIENCE: Duration = Duration::from_secs(60);

/// A reader with a cursor.
pub struct Reader {
    /// The number of the log's person, as the caller counts.
    pub of: usize,
    http: Client,
    rng: Rng,
    since: String,
    /// The event ids that were read.
    pub seen: BTreeSet<String>,
}

impl Reader {
    /// A reader at the beginning of the log.
    pub fn new(of: usize, rng: Rng) -> Result<Reader> {
        Ok(Reader {
            of,
            http: http()?,
            rng,
            since: String::new(),
            seen: BTreeSet::new(),
        })
    }

    /// Reads beside the writers, until told to stop or the server is gone.
    pub async fn follow(
        mut self,
        base: String,
        token: String,
        stop: Arc<AtomicBool>,
    ) -> Result<Reader> {
        while !stop.load(Ordering::Relaxed) {
            if self.page(&base, &token).await?.is_none() {
                break;
            }
        }
        Ok(self)
    }

    /// Reads to the log's end.
    pub async fn read_on(&mut self, base: &str, token: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.page(base, token).await? {
                Some(true) => {}
                Some(false) => return Ok(()),
                None if Instant::now() < until => sleep(Duration::from_millis(50)).await,
                None => bail!("the server doesn't answer a reader"),
            }
        }
    }

    /// Reads a page from the cursor. Returns whether there is more, or none where the server doesn't answer.
    async fn page(&mut self, base: &str, token: &str) -> Result<Option<bool>> {
        let limit = self.rng.u32(1..=500);
        let request = self
            .http
            .get(format!(
                "{base}/sync/todo/pull?collection=tasks&since={}&limit={limit}",
                escape(&self.since)
            ))
            .bearer_auth(token);
        let Ok(response) = request.send().await else {
            return Ok(None);
        };
        if response.status().is_server_error() {
            return Ok(None);
        }
        let status = response.status();
        let Ok(answer) = response.json::<Value>().await else {
            return Ok(None);
        };
        ensure!(
            status.is_success(),
            "a reader is refused: {status} {answer}"
        );
        for change in answer["serverChanges"].as_array().context("changes")? {
            let event = change["eventId"].as_str().context("an event id")?;
            ensure!(
                self.seen.insert(event.to_owned()),
                "the change {event} was read twice"
            );
        }
        self.since = answer["syncedUntil"]
            .as_str()
            .context("a cursor")?
            .to_owned();
        Ok(answer["hasMore"].as_bool())
    }
}
