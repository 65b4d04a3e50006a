//! Many changes over HTTP.

use std::time::Instant;

use anyhow::Result;
use reqwest::Client;
use tokio::task::JoinSet;

use crate::client::{Person, http, new_tasks, push};
use crate::server::Server;

/// Changes in a push, for the best throughput.
pub const BATCH: usize = 100;

/// A device that only writes, with a log, an account and a connection of its own.
#[derive(Clone)]
pub struct Writer {
    pub person: Person,
    pub http: Client,
    client_id: String,
    since: String,
}

impl Writer {
    pub async fn new(server: &Server, name: &str) -> Result<Writer> {
        let http = http()?;
        Ok(Writer {
            person: Person::sign_up(server, &http, name).await?,
            http,
            client_id: format!("bench-{name}"),
            since: String::new(),
        })
    }

    /// Pushes new tasks, so many at once, one push after the other.
    pub async fn write(&mut self, base: &str, tasks: usize, batch: usize) -> Result<()> {
        for _ in 0..tasks / batch {
            let changes = new_tasks(batch);
            self.since = push(
                &self.http,
                base,
                &self.person.token,
                &self.client_id,
                &self.since,
                &changes,
            )
            .await?;
        }
        Ok(())
    }
}

/// Changes a second that all writers together get acknowledged, from the first push to the last answer.
pub async fn run(
    server: &Server,
    writers: &mut [Writer],
    changes: usize,
    batch: usize,
) -> Result<f64> {
    let share = changes / writers.len() / batch * batch;
    let base = server.base.clone();
    let began = Instant::now();
    let mut pushing = JoinSet::new();
    for (at, writer) in writers.iter().enumerate() {
        let (mut writer, base) = (writer.clone(), base.clone());
        pushing.spawn(async move {
            writer.write(&base, share, batch).await?;
            anyhow::Ok((at, writer))
        });
    }
    while let Some(done) = pushing.join_next().await {
        let (at, writer) = done??;
        writers[at] = writer;
    }
    let acknowledged = u32::try_from(share * writers.len())?;
    Ok(f64::from(acknowledged) / began.elapsed().as_secs_f64())
}
