//! The time from a write on a device to the same record on another device, which hears of it by its socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mana_core::manifest::Registry;
use mana_core::{Op, RecordKey};
use mana_device::{Env, HttpTransport, Live, MemoryStorage, Notice, Replica, Write};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::{Person, new_id};
use crate::server::Server;

const EVERY: Duration = Duration::from_millis(10);
/// How late tokio's timer may be.
const TIMER: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(60);

/// A device: a replica in memory, a connection, a socket.
struct Device {
    replica: Replica,
    http: HttpTransport,
}

impl Device {
    async fn new(server: &Server, person: &Person) -> Result<Device> {
        let storage = Arc::new(MemoryStorage::default());
        let registry = Arc::new(Registry::builtin());
        let replica = Replica::open(storage, registry, &person.user_id, Env::system()).await?;
        let http = person.transport(server)?;
        replica.sync(&http).await?;
        Ok(Device { replica, http })
    }
}

/// The time of each of so many writes, at a hundred a second, from the moment when the write is due to the moment when
/// the other replica, at the other of the two servers, has merged it. The wait for an earlier write counts.
pub async fn run(
    [server, other]: [&Server; 2],
    person: &Person,
    writes: usize,
) -> Result<Vec<Duration>> {
    let from = Device::new(server, person).await?;
    let to = Device::new(other, person).await?;
    let mut live = Live::open(&to.http).await?;
    let keys: Vec<RecordKey> = (0..writes)
        .map(|_| RecordKey::new("todo", "tasks", new_id()))
        .collect();

    let writing = async {
        let mut pace = interval(EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut due = Vec::with_capacity(writes);
        for (n, key) in keys.iter().enumerate() {
            let turn = Instant::from(pace.tick().await);
            // The timer is up to two milliseconds late. A longer delay comes from the write before.
            let late = turn.elapsed();
            due.push(if late < TIMER { turn + late } else { turn });
            let title = json!({ "title": format!("Write {n}"), "done": false });
            let write = Write {
                key: key.clone(),
                op: Op::Insert,
                set: title.as_object().cloned().unwrap_or_default(),
            };
            from.replica.write(vec![write]).await?;
            from.replica.sync(&from.http).await?;
        }
        anyhow::Ok(due)
    };
    let reading = async {
        let mut there = Vec::with_capacity(writes);
        while there.len() < writes {
            while !matches!(live.next().await?, Notice::SyncAvailable { .. }) {}
            to.replica.sync(&to.http).await?;
            let now = Instant::now();
            while there.len() < writes && to.replica.record(&keys[there.len()]).await?.is_some() {
                there.push(now);
            }
        }
        anyhow::Ok(there)
    };
    let Ok(both) = timeout(PATIENCE, async { tokio::try_join!(writing, reading) }).await else {
        bail!("{writes} writes are not on the other device within {PATIENCE:?}");
    };
    let (due, there) = both?;
    let ways = due.iter().zip(&there);
    Ok(ways
        .map(|(due, there)| there.duration_since(*due))
        .collect())
}
