//! `cargo xtask bench order`: many writers of the same logs, by HTTP and by SQL. Some hold their transaction, some of
//! them for long, and some roll it back. A reader that follows a cursor meanwhile must have read every committed row
//! once, and no other row (SYNC S1).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use sqlx::{Connection, Executor, PgConnection};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Person, http, new_id, now, push};
use crate::reader::Reader;
use crate::server::{Home, On, Server};

const PEOPLE: usize = 8;
/// Writers of each person. Every second writer uses SQL.
const WRITERS: usize = 8;
const READERS: usize = 2;
const LONGEST_BATCH: usize = 100;
/// How long a program holds its transaction: a moment, except for every hundredth.
const HOLD: Duration = Duration::from_millis(200);
const LONG_HOLD: Duration = Duration::from_secs(5);

/// Writes so many changes and returns a summary. Fails at the first row that is missing, doubled or not committed.
pub async fn run(binary: &Path, changes: usize, seed: u64) -> Result<String> {
    let mut rng = Rng::with_seed(seed);
    let home = Home::new(binary, On::Postgres)?;
    let server = home.start().await?;
    let client = http()?;
    let left: Arc<Vec<AtomicUsize>> = Arc::new(
        (0..PEOPLE)
            .map(|_| AtomicUsize::new(changes / PEOPLE))
            .collect(),
    );
    let stop = Arc::new(AtomicBool::new(false));
    let mut people = Vec::new();
    let mut writing = JoinSet::new();
    let mut reading = JoinSet::new();
    for of in 0..PEOPLE {
        let person = Person::sign_up(&server, &client, &format!("person{of}")).await?;
        for _ in 0..READERS {
            let reader = Reader::new(of, rng.fork())?;
            let token = person.token.clone();
            reading.spawn(reader.follow(server.base.clone(), token, stop.clone()));
        }
        for n in 0..WRITERS {
            let writer = Writer {
                of,
                client_id: format!("writer-{n}"),
                left: left.clone(),
                rng: rng.fork(),
                found: Found::default(),
            };
            if n % 2 == 0 {
                writing.spawn(writer.by_http(server.base.clone(), person.token.clone()));
            } else {
                let connection = program(&home).await?;
                writing.spawn(writer.by_sql(connection, person.user_id.clone()));
            }
        }
        people.push(person);
    }

    let mut all: Vec<Found> = (0..PEOPLE).map(|_| Found::default()).collect();
    while let Some(done) = writing.join_next().await {
        let (of, found) = done??;
        all[of].add(found);
    }
    stop.store(true, Ordering::Relaxed);
    let mut readers = Vec::new();
    while let Some(done) = reading.join_next().await {
        readers.push(done??);
    }
    for reader in &mut readers {
        let person = &mut people[reader.of];
        person.refresh(&server, &client).await?;
        reader.read_on(&server.base, &person.token).await?;
        let expected = &all[reader.of].committed;
        let missing = expected.difference(&reader.seen).next();
        let ghost = reader.seen.difference(expected).next();
        ensure!(missing.is_none(), "{missing:?} was committed and not read");
        ensure!(ghost.is_none(), "{ghost:?} was read and not committed");
    }
    finish(&home, server, &all, readers.len(), seed).await
}

async fn finish(
    home: &Home,
    server: Server,
    all: &[Found],
    readers: usize,
    seed: u64,
) -> Result<String> {
    server.kill().await?;
    home.check().await?;
    let count = |of: fn(&Found) -> usize| all.iter().map(of).sum::<usize>();
    Ok(format!(
        "{} writers of {PEOPLE} logs, seed {seed}: {} changes committed ({} by SQL; \
         {} transactions held, {} of them for {} s; {} given up; \
         {} pushes answered 503 or 429 and sent again); \
         {readers} readers have every row once; the records are what a replay gives",
        PEOPLE * WRITERS,
        count(|found| found.committed.len()),
        count(|found| found.by_sql),
        count(|found| found.held),
        count(|found| found.long),
        LONG_HOLD.as_secs(),
        count(|found| found.given_up),
        count(|found| found.again),
    ))
}

/// The results of a writer.
#[derive(Default)]
struct Found {
    committed: BTreeSet<String>,
    by_sql: usize,
    held: usize,
    long: usize,
    given_up: usize,
    again: usize,
}

impl Found {
    fn add(&mut self, other: Found) {
        self.committed.extend(other.committed);
        self.by_sql += other.by_sql;
        self.held += other.held;
        self.long += other.long;
        self.given_up += other.given_up;
        self.again += other.again;
    }
}

struct Writer {
    of: usize,
    client_id: String,
    /// The changes that are still to be written, of each person.
    left: Arc<Vec<AtomicUsize>>,
    rng: Rng,
    found: Found,
}

impl Writer {
    /// The next share of the remaining changes. None where nothing remains.
    fn take(&mut self) -> Option<Vec<String>> {
        let wanted = self.rng.usize(1..=LONGEST_BATCH);
        let mut taken = 0;
        let less = |left: usize| {
            taken = left.min(wanted);
            (taken > 0).then(|| left - taken)
        };
        let left = &self.left[self.of];
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .ok()?;
        Some((0..taken).map(|_| new_id()).collect())
    }

    /// Pushes over HTTP. A push that was not accepted is sent again unchanged.
    async fn by_http(mut self, base: String, token: String) -> Result<(usize, Found)> {
        let http = http()?;
        let mut since = String::new();
        while let Some(events) = self.take() {
            let changes: Vec<String> = events.iter().map(|event| change(event)).collect();
            let text = format!("[{}]", changes.join(","));
            let mut tries = 0;
            since = loop {
                match push(&http, &base, &token, &self.client_id, &since, &text).await {
                    Ok(cursor) => break cursor,
                    Err(error) => {
                        tries += 1;
                        ensure!(tries < 200, "a push is never taken: {error:#}");
                        self.found.again += 1;
                        sleep(Duration::from_millis(self.rng.u64(20..200))).await;
                    }
                }
            };
            self.found.committed.extend(events);
        }
        Ok((self.of, self.found))
    }

    /// Inserts by SQL as another program would, holds the transaction, and commits it or rolls it back.
    async fn by_sql(mut self, mut to: PgConnection, user: String) -> Result<(usize, Found)> {
        while let Some(events) = self.take() {
            let mut tx = to.begin().await?;
            sqlx::query("SELECT set_config('app.current_user_id', $1, true)")
                .bind(&user)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO sync_changes (app_id, table_name, record_id, user_id, op, data, field_timestamps,
                                          client_id, schema_version, event_id)
                 SELECT 'todo', 'tasks', gen_random_uuid(), $1, 'insert', '{\"title\": \"By SQL\"}',
                        jsonb_build_object('title', $2), $3, 1, e.id
                 FROM unnest($4::text[]) AS e (id)",
            )
            .bind(&user)
            .bind(now().to_string())
            .bind(&self.client_id)
            .bind(&events)
            .execute(&mut *tx)
            .await?;
            let long = self.rng.u8(0..100) == 0;
            sleep(match long {
                true => LONG_HOLD,
                false => HOLD.mul_f64(self.rng.f64()),
            })
            .await;
            self.found.held += 1;
            self.found.long += usize::from(long);
            if self.rng.u8(0..10) == 0 {
                tx.rollback().await?;
                self.found.given_up += 1;
                self.left[self.of].fetch_add(events.len(), Ordering::Relaxed);
            } else {
                tx.commit().await?;
                self.found.by_sql += events.len();
                self.found.committed.extend(events);
            }
        }
        Ok((self.of, self.found))
    }
}

fn change(event: &str) -> String {
    let (id, at) = (new_id(), now());
    format!(
        r#"{{"eventId":"{event}","table":"tasks","id":"{id}","op":"insert","data":{{"title":"By HTTP"}},"at":"{at}"}}"#
    )
}

/// A program that writes by SQL, with the application's role.
async fn program(home: &Home) -> Result<PgConnection> {
    let cluster = home.cluster().context("this needs Postgres")?;
    let name = home.database().context("this needs Postgres")?;
    let mut connection = PgConnection::connect(&cluster.url(name)).await?;
    connection.execute("SET ROLE mana_app").await?;
    Ok(connection)
}
