//! Missions of people, their due times, and their run records.

use anyhow::{Context, Result, bail};
use mana_core::Micros;
use reqwest::Client;
use serde_json::{Value, json};

use crate::client::{Person, escape, new_id, now};
use crate::server::Server;

/// The service key of the servers under test.
pub const SERVICE_KEY: &str = "the key of a bench, no secret";

/// A record of a run, as a device gets it.
#[derive(Debug, Clone)]
pub struct Run {
    /// The mission's id.
    pub mission_id: String,
    /// The slot of the occurrence.
    pub slot: String,
    /// `ran`, `skipped`, `missed` or `failed`.
    pub status: String,
    /// The reason for programs.
    pub code: String,
    /// When it began.
    pub started: Micros,
    /// When it ended.
    pub finished: Micros,
}

/// Writes missions that run every day, first at these times.
pub async fn write(
    http: &Client,
    base: &str,
    person: &Person,
    due: &[(String, Micros)],
) -> Result<()> {
    for due in due.chunks(100) {
        let written = now();
        let change = |(id, at): &(String, Micros)| {
            json!({"eventId": new_id(), "appId": "ai", "table": "aiMissions", "id": id, "op": "insert", "at": written,
                "actor": {"kind": "user"}, "data": {
                    "title": format!("Mission {id}"), "objective": "Get on with it.", "state": "active",
                    "conceptMarkdown": "- Think it over\n- Do it", "nextRunAt": at,
                    "cadence": {"kind": "interval", "everyMinutes": 1440}}})
        };
        let changes: Vec<Value> = due.iter().map(change).collect();
        let body =
            json!({"clientId": "bench", "since": "", "schemaVersion": 1, "changes": changes});
        let answer = http
            .post(format!("{base}/sync"))
            .bearer_auth(&person.token)
            .json(&body)
            .send()
            .await?;
        if !answer.status().is_success() {
            bail!("missions were refused: {}", answer.text().await?);
        }
    }
    Ok(())
}

/// Every run record of a person, and how many iterations each of their missions has.
pub async fn outcome(
    http: &Client,
    server: &Server,
    person: &Person,
) -> Result<(Vec<Run>, Vec<(String, usize)>)> {
    let mut runs = Vec::new();
    let mut iterations = Vec::new();
    let mut after = String::new();
    loop {
        let url = format!(
            "{}/sync/ai/snapshot?limit=1000&after={}",
            server.base,
            escape(&after)
        );
        let answer = http.get(url).bearer_auth(&person.token).send().await?;
        let page: Value = answer.error_for_status()?.json().await?;
        for record in page["records"].as_array().context("records")? {
            let data = &record["data"];
            match record["table"].as_str() {
                Some("aiRuns") => runs.push(run(data)?),
                Some("aiMissions") => {
                    let made = data["iterations"].as_array().map_or(0, Vec::len);
                    iterations.push((text(record, "id"), made));
                }
                _ => {}
            }
        }
        match page["after"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return Ok((runs, iterations)),
        }
    }
}

fn run(data: &Value) -> Result<Run> {
    let time = |name: &str| -> Result<Micros> {
        let text = data[name].as_str().context("a time")?;
        Micros::parse(text).map_err(|_| anyhow::anyhow!("{text} is no time"))
    };
    Ok(Run {
        mission_id: text(data, "missionId"),
        slot: text(data, "slot"),
        status: text(data, "status"),
        code: text(data, "code"),
        started: time("startedAt")?,
        finished: time("finishedAt")?,
    })
}

/// A text field of an answer; empty where it has none.
pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The sum of a server's metric over all its labels.
pub async fn meter(http: &Client, server: &Server, name: &str) -> Result<f64> {
    let answer = http
        .get(format!("{}/metrics", server.base))
        .bearer_auth(SERVICE_KEY)
        .send()
        .await?;
    let text = answer.error_for_status()?.text().await?;
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with([' ', '{']) {
            return None;
        }
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    Ok(values.sum())
}
