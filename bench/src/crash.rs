//! `cargo xtask bench crash`: repeated `kill -9` under load.
//!
//! Eight devices push and four readers follow their cursors when the server, the database or both are killed. After the
//! restart each reader goes on from its cursor: every acknowledged change must come, and none twice. Changes that were
//! not acknowledged are pushed again unchanged, as a device does, and must then be there once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use mana_core::manifest::Registry;
use mana_device::{Env, MemoryStorage, Replica};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;

use crate::client::{Person, http, new_id, now, push};
use crate::reader::Reader;
use crate::server::{Home, On, Server};

const PEOPLE: usize = 4;
const WRITERS_EACH: usize = 2;
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_BATCH: usize = 40;

/// A push, which stays the same when it is repeated.
struct Batch {
    events: Vec<String>,
    text: String,
}

/// A device that writes records of its own.
struct Writer {
    of: usize,
    client_id: String,
    http: Client,
    rng: Rng,
    since: String,
    /// The title that each record ends with.
    titles: BTreeMap<String, String>,
    acknowledged: Vec<String>,
    pending: Option<Batch>,
}

/// Kills so many times and returns a summary. Fails at the first loss.
pub async fn run(binary: &Path, on: On, times: u32, seed: u64) -> Result<String> {
    let mut rng = Rng::with_seed(seed);
    let home = Home::new(binary, on)?;
    let client = http()?;
    let mut server = home.start().await?;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::sign_up(&server, &client, &format!("person{n}")).await?);
    }
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for n in 0..PEOPLE * WRITERS_EACH {
        writers.push(Writer::new(n % PEOPLE, n, rng.fork())?);
    }
    for of in 0..PEOPLE {
        readers.push(Reader::new(of, rng.fork())?);
    }

    let (mut servers, mut databases) = (0, 0);
    for round in 0..times {
        (writers, readers, server) = {
            let stop = Arc::new(AtomicBool::new(false));
            let place = Arc::new((server.base.clone(), people.clone()));
            let mut writing = JoinSet::new();
            for writer in writers {
                writing.spawn(writer.load(place.clone(), stop.clone()));
            }
            let mut reading = JoinSet::new();
            for reader in readers {
                let token = people[reader.of].token.clone();
                reading.spawn(reader.follow(server.base.clone(), token, stop.clone()));
            }
            sleep(Duration::from_micros(rng.u64(1_000..250_000))).await;
            // Both, or either of them.
            let what = if on == On::Postgres { rng.u8(0..3) } else { 0 };
            let survivor = if what == 1 {
                Some(server)
            } else {
                server.kill().await?;
                servers += 1;
                None
            };
            if let Some(cluster) = home.cluster().filter(|_| what > 0) {
                block_in_place(|| cluster.kill());
                databases += 1;
            }
            stop.store(true, Ordering::Relaxed);
            let writers = writing.join_all().await;
            let readers = reading
                .join_all()
                .await
                .into_iter()
                .collect::<Result<Vec<_>>>()?;
            if let Some(cluster) = home.cluster().filter(|_| what > 0) {
                block_in_place(|| cluster.restart());
            }
            let server = match survivor {
                Some(server) => server,
                None => restart(&home, &mut rng).await?,
            };
            (writers, readers, server)
        };
        let check = check(&server, &client, &mut people, &mut writers, &mut readers);
        check.await.with_context(|| {
            format!(
                "seed {seed}, kill {} of {times}; the server's log ends:\n{}",
                round + 1,
                tail(&home.log())
            )
        })?;
    }

    let mut records = 0;
    for (of, person) in people.iter().enumerate() {
        let own = writers.iter().filter(|writer| writer.of == of);
        let titles = own.flat_map(|writer| writer.titles.clone()).collect();
        records += end(&server, person, &titles).await?;
    }
    let changes: usize = readers.iter().map(|reader| reader.seen.len()).sum();
    server.kill().await?;
    Ok(format!(
        "{times} times `kill -9` under load ({servers} of the server, {databases} of Postgres), seed {seed}: \
         {changes} acknowledged changes of {records} records, 0 lost, 0 doubled"
    ))
}

/// Starts the server, and sometimes kills it again while it starts.
async fn restart(home: &Home, rng: &mut Rng) -> Result<Server> {
    if rng.u8(0..5) == 0 {
        let starting =
            tokio::time::timeout(Duration::from_micros(rng.u64(100..15_000)), home.start());
        // A start that is dropped half-way kills the process.
        if let Ok(started) = starting.await {
            started?.kill().await?;
        }
    }
    let until = Instant::now() + PATIENCE;
    loop {
        match home.start().await {
            Ok(server) => return Ok(server),
            // A server that was killed a moment ago may still hold the lock.
            Err(_) if Instant::now() < until => sleep(Duration::from_millis(20)).await,
            Err(error) => return Err(error),
        }
    }
}

async fn check(
    server: &Server,
    client: &Client,
    people: &mut [Person],
    writers: &mut [Writer],
    readers: &mut [Reader],
) -> Result<()> {
    for person in people.iter_mut() {
        patiently(async || person.clone().refresh(server, client).await).await?;
        person.refresh(server, client).await?;
    }
    // Acknowledged changes must be there before anybody pushes again.
    for reader in readers.iter_mut() {
        reader
            .read_on(&server.base, &people[reader.of].token)
            .await?;
        for writer in writers.iter().filter(|writer| writer.of == reader.of) {
            let lost = writer
                .acknowledged
                .iter()
                .find(|event| !reader.seen.contains(*event));
            ensure!(lost.is_none(), "the acknowledged change {lost:?} is lost");
        }
    }
    for writer in writers.iter_mut() {
        let token = people[writer.of].token.clone();
        if let Some(batch) = writer.pending.take() {
            writer.since = patiently(async || {
                push(
                    &writer.http,
                    &server.base,
                    &token,
                    &writer.client_id,
                    &writer.since,
                    &batch.text,
                )
                .await
            })
            .await?;
            writer.acknowledged.extend(batch.events);
        }
    }
    for reader in readers.iter_mut() {
        reader
            .read_on(&server.base, &people[reader.of].token)
            .await?;
        let own = writers.iter().filter(|writer| writer.of == reader.of);
        let acknowledged: usize = own.map(|writer| writer.acknowledged.len()).sum();
        ensure!(
            reader.seen.len() == acknowledged,
            "{acknowledged} changes were acknowledged, the log has {}",
            reader.seen.len()
        );
    }
    Ok(())
}

/// Fails unless a new device has every record as its last writer left it. Returns how many there are.
async fn end(server: &Server, person: &Person, titles: &BTreeMap<String, String>) -> Result<usize> {
    let storage = Arc::new(MemoryStorage::default());
    let registry = Arc::new(Registry::builtin());
    let replica = Replica::open(storage, registry, &person.user_id, Env::system()).await?;
    replica.sync(&person.transport(server)?).await?;
    let there: BTreeMap<String, String> = replica
        .records("todo", "tasks")
        .await?
        .into_iter()
        .map(|(id, state)| {
            let title = state.data.get("title").and_then(Value::as_str);
            (id, title.unwrap_or_default().to_owned())
        })
        .collect();
    ensure!(
        there == *titles,
        "a new device's records are not what was written"
    );
    Ok(there.len())
}

/// Repeats an operation until it succeeds, because a database takes a while to recover.
async fn patiently<T>(mut tried: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        match tried().await {
            Ok(done) => return Ok(done),
            Err(_) if Instant::now() < until => sleep(Duration::from_millis(50)).await,
            Err(error) => return Err(error),
        }
    }
}

type Place = Arc<(String, Vec<Person>)>;

impl Writer {
    fn new(of: usize, n: usize, rng: Rng) -> Result<Writer> {
        Ok(Writer {
            of,
            client_id: format!("writer-{n}"),
            http: http()?,
            rng,
            since: String::new(),
            titles: BTreeMap::new(),
            acknowledged: Vec::new(),
            pending: None,
        })
    }

    /// Pushes until a push fails, which is pending then.
    async fn load(mut self, place: Place, stop: Arc<AtomicBool>) -> Writer {
        let (base, people) = &*place;
        while !stop.load(Ordering::Relaxed) {
            let batch = self.pending.take().unwrap_or_else(|| self.batch());
            let token = &people[self.of].token;
            match push(
                &self.http,
                base,
                token,
                &self.client_id,
                &self.since,
                &batch.text,
            )
            .await
            {
                Ok(cursor) => {
                    self.since = cursor;
                    self.acknowledged.extend(batch.events);
                }
                Err(_) => {
                    self.pending = Some(batch);
                    break;
                }
            }
        }
        self
    }

    /// New tasks, and new titles of earlier ones.
    fn batch(&mut self) -> Batch {
        let mut events = Vec::new();
        let mut changes = Vec::new();
        for _ in 0..self.rng.usize(1..=LONGEST_BATCH) {
            let event = new_id();
            let title = format!("Written by {event}");
            let known = match self.titles.len() {
                0 => None,
                // Any record: ids end in random bits.
                _ if self.rng.bool() => self
                    .titles
                    .range(new_prefix(&mut self.rng)..)
                    .next()
                    .map(|(id, _)| id.clone()),
                _ => None,
            };
            let at = now();
            changes.push(match &known {
                Some(id) => json!({ "eventId": event, "table": "tasks", "id": id, "op": "update",
                    "fields": { "title": { "value": title, "updatedAt": at } } }),
                None => json!({ "eventId": event, "table": "tasks", "id": uuid::Uuid::new_v4(), "op": "insert",
                    "data": { "title": title, "done": false }, "at": at }),
            });
            let id = changes[changes.len() - 1]["id"]
                .as_str()
                .unwrap_or_default();
            self.titles.insert(id.to_owned(), title);
            events.push(event);
        }
        Batch {
            events,
            text: Value::Array(changes).to_string(),
        }
    }
}

fn new_prefix(rng: &mut Rng) -> String {
    format!("{:08x}", rng.u32(..))
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(10).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
