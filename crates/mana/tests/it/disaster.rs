//! The disaster drill: a month of data, the machine is lost, last night's backup goes to an empty machine. Minutes are
//! printed (`cargo test -p mana --test it disaster -- --nocapture`).

use std::collections::BTreeSet;
use std::time::Instant;

use mana_core::Micros;
use mana_test_postgres::Cluster;
use serde_json::{Value, json};

use crate::cli::Machine;
use crate::missions::{now_ms, push_due_mission};
use crate::support::{Account, Home, Server};
use crate::upstream::{Upstream, plans, step};

/// Days of data, and changes of each.
const DAYS: i64 = 30;
const A_DAY: i64 = 200;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Pushes a month: tasks that are made, changed and done, with the stamps of their days.
async fn live_a_month(owner: &Account) {
    for day in 0..DAYS {
        let at = |n: i64| Micros::from_millis(now_ms() - (DAYS - day) * DAY_MS + n * 1000);
        let changes: Vec<Value> = (0..A_DAY)
            .map(|n| {
                let id = format!("task-{day}-{}", n / 4);
                match n % 4 {
                    0 => json!({ "table": "tasks", "id": id, "op": "insert", "at": at(n),
                        "data": { "title": format!("Task {n} of day {day}") } }),
                    _ => json!({ "table": "tasks", "id": id, "op": "update",
                        "fields": { "title": { "value": format!("{n} of {day}, again"), "updatedAt": at(n) } } }),
                }
            })
            .collect();
        owner.push("todo", "laptop", changes.into()).await;
    }
}

async fn does(home: &Home, arguments: &[&str]) -> String {
    let output = home.command(arguments).output().await.expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The titles of a machine's tasks.
async fn titles(machine: &Machine) -> Vec<String> {
    let (out, _) = machine.does(&["list", "todo", "--all", "--json"]).await;
    let records: Vec<Value> = serde_json::from_str(&out).expect("records");
    let title = |record: &Value| {
        record["data"]["title"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let mut titles: Vec<String> = records.iter().map(title).collect();
    titles.sort();
    titles
}

/// The ids of the mission's iterations, each of which must be there once.
async fn iterations(owner: &Account) -> BTreeSet<String> {
    let (mut ids, mut after, mut more) = (Vec::new(), String::new(), true);
    while more {
        let (_, page) = owner
            .get(&format!("/sync/snapshot?limit=500&after={after}"))
            .await;
        for record in page["records"].as_array().expect("records") {
            if record["table"] == "aiMissions" {
                let iterations = record["data"]["iterations"].as_array().expect("a list");
                ids.extend(
                    iterations
                        .iter()
                        .map(|iteration| iteration["id"].to_string()),
                );
            }
        }
        more = page["hasMore"].as_bool().expect("a word");
        after = page["after"].as_str().unwrap_or_default().to_owned();
    }
    let once: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(once.len(), ids.len(), "{ids:?}");
    once
}

/// The lost server's address is the new one's: devices know no other.
fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").to_string()
}

async fn drill(lost: Option<String>, found: Option<String>) {
    let name = |url: &Option<String>| if url.is_some() { "Postgres" } else { "SQLite" };
    let upstream = Upstream::new().await;
    upstream
        .answers("", plans(json!([step("Buy milk", "Why not.")])))
        .await;
    let address = free_address();
    let home = |url: &Option<String>| {
        // The settings key comes with the backup.
        let mut settings = vec![("MANA_LISTEN", address.as_str()), ("MANA_SETTINGS_KEY", "")];
        if let Some(url) = url {
            settings.push(("DATABASE_URL", url));
        }
        upstream.home(&settings)
    };

    // A month, with a mission that ran.
    let machine_lost = home(&lost);
    let (server, owner) = Server::with_owner(&machine_lost).await;
    live_a_month(&owner).await;
    push_due_mission(&owner, "m", "Milk").await;
    assert!(
        server
            .tick(&machine_lost.service_key())
            .await
            .0
            .is_success()
    );
    let before = iterations(&owner).await;
    assert_eq!(before.len(), 1);
    let (phone, laptop) = (
        Machine::signed_in(&server).await,
        Machine::signed_in(&server).await,
    );
    let at_night = titles(&phone).await;
    assert_eq!(at_night.len() as i64, DAYS * A_DAY / 4);
    assert_eq!(titles(&laptop).await, at_night);

    // The night's backup, then a morning that only the devices know.
    let safe = tempfile::tempdir().expect("another disk");
    let file = safe.path().join("night.manabackup");
    let file = file.to_str().expect("a path");
    let began = Instant::now();
    let made: Value = serde_json::from_str(&does(&machine_lost, &["backup", "--json", file]).await)
        .expect("JSON");
    let backup_s = began.elapsed().as_secs_f64();
    for (machine, title) in [
        (&phone, "title=Morning of the phone"),
        (&laptop, "title=Morning of the laptop"),
    ] {
        machine.does(&["add", "todo", title]).await;
    }
    let morning = {
        titles(&phone).await;
        titles(&laptop).await;
        titles(&phone).await
    };
    assert_eq!(morning.len(), at_night.len() + 2);
    server.kill().await;
    drop(machine_lost);

    // An empty machine.
    let began = Instant::now();
    let machine_found = home(&found);
    does(&machine_found, &["restore", file]).await;
    let restored_s = began.elapsed().as_secs_f64();
    let again = safe.path().join("again.manabackup");
    let again = does(
        &machine_found,
        &["backup", "--json", again.to_str().expect("a path")],
    )
    .await;
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(
        (&again["accounts"], &again["records"]),
        (&made["accounts"], &made["records"])
    );
    let began_again = Instant::now();
    let server = machine_found.start().await;
    let owner = Account {
        base: server.base.clone(),
        ..owner
    };
    let serving_s = restored_s + began_again.elapsed().as_secs_f64();

    // Devices that were ahead give back; nothing is doubled.
    for machine in [&phone, &laptop, &phone] {
        titles(machine).await;
    }
    assert_eq!(titles(&phone).await, morning);
    assert_eq!(titles(&laptop).await, morning);
    assert_eq!(titles(&Machine::signed_in(&server).await).await, morning);
    let proven = does(&machine_found, &["reproject", "--check"]).await;
    assert!(proven.contains("agree"), "{proven}");

    // Missions go on: what ran before the backup does not run again, and the next occurrence runs once.
    assert!(
        server
            .tick(&machine_found.service_key())
            .await
            .0
            .is_success()
    );
    assert_eq!(iterations(&owner).await, before);
    push_due(&owner).await;
    for _ in 0..2 {
        assert!(
            server
                .tick(&machine_found.service_key())
                .await
                .0
                .is_success()
        );
    }
    let after = iterations(&owner).await;
    assert_eq!(after.len(), 2);
    assert!(after.is_superset(&before));
    server.stop().await;
    println!(
        "{} to {}: {} rows, {} bytes; backup and proof {backup_s:.1} s; lost machine to serving {serving_s:.1} s \
         ({:.2} min)",
        name(&lost),
        name(&found),
        made["rows"],
        made["bytes"],
        serving_s / 60.0
    );
}

/// Makes the mission due again, as the passing of a day would.
async fn push_due(owner: &Account) {
    let (due, now) = (
        Micros::from_millis(now_ms() - 1000),
        Micros::from_millis(now_ms()),
    );
    let change = json!([{ "table": "aiMissions", "id": "m", "op": "update",
        "fields": { "nextRunAt": { "value": due, "updatedAt": now } } }]);
    owner.push("ai", "laptop", change).await;
}

#[tokio::test]
async fn disaster_on_sqlite_costs_minutes_and_no_data() {
    drill(None, None).await;
}

#[tokio::test]
async fn disaster_on_postgres_costs_minutes_and_no_data() {
    let cluster = Cluster::shared();
    let url = || Some(cluster.url(&cluster.create()));
    drill(url(), url()).await;
}

#[tokio::test]
async fn disaster_of_a_small_server_moves_to_postgres() {
    let cluster = Cluster::shared();
    drill(None, Some(cluster.url(&cluster.create()))).await;
}
