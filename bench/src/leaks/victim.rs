//! The victim of the attempts.

use anyhow::Result;
use reqwest::Client;
use serde_json::{Value, json};

use crate::client::{Person, new_id, now};
use crate::server::Server;

/// A text in every value of the victim's, and in nothing that anybody else sends.
pub(super) const SECRET: &str = "the-victims-own-words";

/// The victim with everything that belongs to them. The attacker knows every id, but none of the values.
#[derive(Clone)]
pub(super) struct Victim {
    pub(super) person: Person,
    pub(super) records: Vec<(&'static str, &'static str, String)>,
    pub(super) events: Vec<String>,
    pub(super) mission: String,
    pub(super) cursors: Vec<String>,
}

impl Victim {
    /// Signs the victim up and writes thirty records and a mission.
    pub(super) async fn new(server: &Server, client: &Client) -> Result<Victim> {
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
        let fields = json!({ "title": SECRET, "objective": SECRET, "conceptMarkdown": SECRET,
            "cadence": {"kind": "manual"}, "state": "active" });
        let mission = json!({ "appId": "ai", "table": "aiMissions", "id": victim.mission, "eventId": event,
            "op": "insert", "data": fields });
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
