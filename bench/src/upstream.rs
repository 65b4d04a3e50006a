//! A model that answers every prompt with the same plan, over HTTP, after a delay.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use mana_core::Micros;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::now;

/// How the model behaves.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How long an answer takes at least.
    pub delay: Duration,
    /// The longest additional time, evenly spread.
    pub spread: Duration,
    /// How many of a hundred calls fail with 500.
    pub failures: u8,
}

impl Manner {
    /// A model that always takes the same time and never fails.
    pub fn after(delay: Duration) -> Manner {
        Manner {
            delay,
            spread: Duration::ZERO,
            failures: 0,
        }
    }
}

/// The requests so far.
#[derive(Default)]
struct Asked {
    calls: AtomicU64,
    first: Mutex<BTreeMap<String, Micros>>,
}

impl Asked {
    /// Notes a prompt, by the title that [`missions::write`](crate::missions::write) gives.
    fn note(&self, request: &[u8]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(request);
        let Some((_, rest)) = text.split_once("Title: Mission ") else {
            return;
        };
        let id: String = rest
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        self.first().entry(id).or_insert_with(now);
    }

    fn first(&self) -> MutexGuard<'_, BTreeMap<String, Micros>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The model's server, which ends when this is dropped.
pub struct Upstream {
    /// The base URL, `/v1` included.
    pub url: String,
    asked: Arc<Asked>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port of this machine.
    pub async fn start(manner: Manner, seed: u64) -> Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let asked = Arc::new(Asked::default());
        let noted = asked.clone();
        let accepting = tokio::spawn(async move {
            let mut rng = Rng::with_seed(seed);
            while let Ok((stream, _)) = listener.accept().await {
                // A broken connection is counted by the client.
                tokio::spawn(converse(stream, manner, rng.fork(), noted.clone()));
            }
        });
        Ok(Upstream {
            url,
            asked,
            accepting,
        })
    }

    /// Prompts so far.
    pub fn calls(&self) -> u64 {
        self.asked.calls.load(Ordering::Relaxed)
    }

    /// When each mission's first prompt came, by this process's clock.
    pub fn first_calls(&self) -> BTreeMap<String, Micros> {
        self.asked.first().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn converse(
    mut stream: TcpStream,
    manner: Manner,
    mut rng: Rng,
    asked: Arc<Asked>,
) -> Result<()> {
    let mut read = Vec::new();
    loop {
        let (is_prompt, length) = loop {
            if let Some(request) = head(&read) {
                break request;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        while read.len() < length {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        if is_prompt {
            asked.note(&read[..length]);
        }
        read.drain(..length);
        let (status, body) = if is_prompt {
            let spread = u64::try_from(manner.spread.as_millis())?;
            sleep(manner.delay + Duration::from_millis(rng.u64(0..=spread))).await;
            match rng.u8(0..100) < manner.failures {
                true => (
                    "500 Internal Server Error",
                    json!({"error": {"message": "out of luck"}}),
                ),
                false => ("200 OK", plan()),
            }
        } else {
            (
                "200 OK",
                json!({"object": "list", "data": [{"id": "stub", "object": "model"}]}),
            )
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Whether the first request in these bytes is a prompt, and its length. None before the whole head has arrived.
fn head(read: &[u8]) -> Option<(bool, usize)> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let body = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    Some((head.starts_with("post "), end + body))
}

fn plan() -> serde_json::Value {
    let plan = json!({"summary": "One thing.", "steps": [{"summary": "Make a task", "toolName": "create_task",
        "params": {"title": "Think it over"}, "rationale": "The mission asks for it."}]});
    let text = format!("```json\n{plan}\n```");
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "stub",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980}
    })
}
