//! `cargo xtask bench leaks`: random attempts of a signed-in person to read and to write another person's rows, in
//! every way that HTTP, sockets and SQL offer.

mod guesses;
mod over_http;
mod over_sql;
mod victim;

use std::path::Path;

use anyhow::{Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};

use crate::client::{Person, http};
use crate::server::{Home, On, Server};
use victim::{SECRET, Victim};

/// Makes so many attempts and returns a summary. Fails at the first leak.
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
        "{attempts} attempts on another person's rows ({http} over HTTP and sockets, {sql} by SQL as the application's \
         role), seed {seed}: 0 leaks, the rows unchanged"
    ))
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
    // A witness that sees none of the rows could not notice a change of them.
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
