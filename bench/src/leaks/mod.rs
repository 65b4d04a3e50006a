//! `cargo xtask bench leaks`: somebody signed in tries to read and to write another person's rows, in every way that
//! the doors offer, at random.

mod guesses;
mod over_http;
mod over_sql;

use std::path::Path;

use anyhow::{Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};

use crate::client::{Person, http, new_id, now};
use crate::server::{Home, On, Server};

/// In every value of the victim's, and in nothing that anybody else sends.
const SECRET: &str = "the-victims-own-words";

/// What belongs to the victim: the attacker knows every id of it, and the values not.
#[derive(Clone)]
pub(crate) struct Victim {
    person: Person,
    records: Vec<(&'static str, &'static str, String)>,
    events: Vec<String>,
    mission: String,
    cursors: Vec<String>,
}

/// Tries so many times and says what was found; fails at the first leak.
pub async fn run(binary: &Path, on: On, attempts: u64, seed: u64) -> Result<String> {
    let home = Home::new(binary, on)?;
    let server = home.start().await?;
    let client = http()?;
    let victim = Victim::new(&server, &client).await?;
    let attacker = Person::sign_up(&server, &client, "attacker").await?;
    let before = everything(&server, &client, &victim.person).await?;

    let by_sql = match on {
        On::Sqlite => 0,
        On::Postgres => attempts / 2,
    };
    over_http::run(&server, &victim, &attacker, attempts - by_sql, seed).await?;
    if by_sql > 0 {
        over_sql::run(&home, &victim, &attacker, by_sql, seed).await?;
    }
    let after = everything(&server, &client, &victim.person).await?;
    ensure!(before == after, "the victim's log is not what it was");
    server.kill().await?;
    let (http, sql) = (attempts - by_sql, by_sql);
    Ok(format!(
        "{attempts} attempts on another person's rows ({http} over HTTP and sockets, {sql} by SQL as the application's role), seed {seed}: 0 leaks, the rows unchanged"
    ))
}

impl Victim {
    async fn new(server: &Server, client: &Client) -> Result<Victim> {
        let person = Person::sign_up(server, client, "victim").await?;
        let mut victim = Victim {
            mission: new_id(),
            records: Vec::new(),
            events: Vec::new(),
            cursors: Vec::new(),
            person,
        };
        for n in 0..30 {
            let (app, table, field) = [
                ("todo", "tasks", "title"),
                ("notes", "notes", "body"),
                ("goals", "goals", "title"),
            ][n % 3];
            let (id, event) = (new_id(), new_id());
            let change = json!({ "appId": app, "table": table, "id": id, "eventId": event, "op": "insert",
                "data": { field: format!("{SECRET} {n}") }, "at": now() });
            victim.records.push((app, table, id));
            victim.write(server, client, change, event).await?;
        }
        let event = new_id();
        let mission = json!({ "appId": "ai", "table": "aiMissions", "id": victim.mission, "eventId": event, "op": "insert",
            "data": { "title": SECRET, "objective": SECRET, "conceptMarkdown": SECRET, "cadence": {"kind": "manual"}, "state": "active" } });
        victim
            .records
            .push(("ai", "aiMissions", victim.mission.clone()));
        victim.write(server, client, mission, event).await?;
        Ok(victim)
    }

    async fn write(
        &mut self,
        server: &Server,
        client: &Client,
        change: Value,
        event: String,
    ) -> Result<()> {
        let request = client
            .post(format!("{}/sync", server.base))
            .bearer_auth(&self.person.token)
            .json(&json!({ "clientId": "victims-phone", "since": "", "schemaVersion": 1, "changes": [change] }));
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        self.events.push(event);
        self.cursors.push(
            answer["syncedUntil"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        );
        Ok(())
    }
}

/// The whole log of a person, as another device reads it.
async fn everything(server: &Server, client: &Client, person: &Person) -> Result<Vec<Value>> {
    let mut person = person.clone();
    person.refresh(server, client).await?;
    let request = client
        .post(format!("{}/sync", server.base))
        .bearer_auth(&person.token)
        .json(&json!({ "clientId": "witness", "since": "", "schemaVersion": 1, "changes": [] }));
    let answer: Value = request.send().await?.error_for_status()?.json().await?;
    ensure!(answer["hasMore"] == false, "the victim's log has grown");
    let changes = answer["serverChanges"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    // The witness must see what the attacker must not, or the test couldn't fail.
    ensure!(
        changes.len() >= 31
            && Value::from(changes.clone())
                .to_string()
                .matches(SECRET)
                .count()
                >= 31,
        "the victim doesn't see its own rows"
    );
    Ok(changes)
}
