//! The command line as a person uses it: the real binary, against the real server.

use std::process::{Output, Stdio};

use mana_test_postgres::Cluster;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

use crate::{
    missions::{mission, push_due_mission},
    support::{Account, Home, PASSWORD, PATIENCE, Server},
    upstream::{Upstream, plans, step},
};

/// A person's machine, which is not the server's.
pub struct Machine(TempDir);

impl Machine {
    pub async fn signed_in(server: &Server) -> Machine {
        let machine = Machine(TempDir::new().unwrap());
        let (out, err) = machine.does(&["login", &server.base]).await;
        assert!(
            out.contains("Signed in at") && out.contains("owner@example.org"),
            "{out}"
        );
        assert_eq!(err, "");
        machine
    }

    /// A backup of the machine, put on another one.
    pub fn copied(&self) -> Machine {
        let copy = Machine(TempDir::new().unwrap());
        copy_files(self.0.path(), copy.0.path());
        copy
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mana"));
        command
            .args(arguments)
            .env_clear()
            .env("MANA_DATA_DIR", self.0.path())
            .env("MANA_EMAIL", "owner@example.org")
            .env("MANA_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        timeout(PATIENCE, self.command(arguments).output())
            .await
            .unwrap()
            .unwrap()
    }

    /// Runs a command that must succeed. Returns standard output and standard error.
    pub async fn does(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        (text(output.stdout), text(output.stderr))
    }

    /// Runs a command that must fail. Returns standard error.
    pub async fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        text(output.stderr)
    }
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_files(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A home whose servers all listen at the same address.
pub fn home() -> Home {
    home_on(None)
}

/// The same, on this database of Postgres if one is given.
pub fn home_on(url: Option<&str>) -> Home {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let mut env = vec![("MANA_LISTEN", address.as_str())];
    env.extend(url.map(|url| ("DATABASE_URL", url)));
    Home::new(&env)
}

/// Starts a server whose model plans a step for the mission "Weekly shopping". Returns it with its owner.
async fn shopping() -> (Upstream, Home, Server, Account) {
    let model = Upstream::new().await;
    let plan = json!([step("Buy milk", "The fridge is empty.")]);
    model.answers("Weekly shopping", plans(plan)).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    (model, home, server, owner)
}

#[tokio::test]
async fn cli_works_offline_and_sends_what_waits() {
    let home = home();
    let (server, owner) = Server::with_owner(&home).await;
    let machine = Machine::signed_in(&server).await;
    #[cfg(unix)]
    for entry in std::fs::read_dir(machine.0.path().join("cli")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(crate::support::mode(&path), 0o600, "{}", path.display());
    }
    server.stop().await;

    let add = ["add", "todo", "title=Buy milk", "estimateMinutes=30"];
    let (out, err) = machine.does(&add).await;
    assert!(out.contains("Buy milk"), "{out}");
    assert!(
        err.contains("Offline") && err.contains("1 change waits to be sent"),
        "{err}"
    );
    let (out, _) = machine.does(&["list", "todo"]).await;
    assert!(out.contains("[ ] Buy milk"), "{out}");

    let server = home.start().await;
    let (out, err) = machine.does(&["list", "todo", "--json"]).await;
    assert_eq!(err, "");
    let records: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        records[0]["data"],
        json!({ "title": "Buy milk", "estimateMinutes": 30 })
    );
    let log = owner.pull("todo", "tasks").await;
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(log[0]["data"]["title"], "Buy milk");
    assert_eq!(log[0]["actor"], json!({ "kind": "user" }));
    server.stop().await;
}

#[tokio::test]
async fn cli_names_every_field_that_does_not_fit() {
    let home = home();
    let (server, _) = Server::with_owner(&home).await;
    let machine = Machine::signed_in(&server).await;
    let err = machine
        .refuses(&["add", "todo", "dueDate=tomorrow", "estimateMinutes=long"])
        .await;
    for field in ["title: ", "dueDate: ", "estimateMinutes: "] {
        assert!(err.contains(field), "{err}");
    }
    let err = machine.refuses(&["add", "cooking", "title=Soup"]).await;
    assert!(
        err.contains("no module cooking") && err.contains("todo"),
        "{err}"
    );
    let (out, err) = machine.does(&["list"]).await;
    assert_eq!((out.trim(), err.as_str()), ("Nothing here yet.", ""));
    let nobody = Machine(TempDir::new().unwrap());
    let err = nobody.refuses(&["inbox"]).await;
    assert!(err.contains("mana login URL"), "{err}");
    server.stop().await;
}

#[tokio::test]
async fn cli_decides_proposals_with_the_reason_in_the_log() {
    let model = Upstream::new().await;
    let plan = json!([
        step("Buy milk", "The fridge is empty."),
        step("Buy a cow", "Milk runs out.")
    ]);
    model.answers("Weekly shopping", plans(plan)).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    server.tick(&home.service_key()).await;
    let machine = Machine::signed_in(&server).await;

    let (out, _) = machine.does(&["inbox"]).await;
    for part in [
        "1. ",
        "Buy milk",
        "The fridge is empty.",
        "2. ",
        "Weekly shopping",
    ] {
        assert!(out.contains(part), "{part} is in {out}");
    }
    let hashes = hashes(&out);
    let (out, err) = machine.does(&["approve", "1", "--yes", &hashes[0]]).await;
    assert!(out.contains("Approved") && err.is_empty(), "{out}{err}");
    let (out, _) = machine
        .does(&["reject", "2", "--reason", "No garden."])
        .await;
    assert!(out.contains("Rejected"), "{out}");
    let err = machine
        .refuses(&["approve", "1", "--yes", &hashes[0]])
        .await;
    assert!(err.contains("already decided"), "{err}");

    let iteration = mission(&owner, "m1").await.0.pop().unwrap();
    let tasks = owner.pull("todo", "tasks").await;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!(tasks[0]["data"]["title"], "Buy milk");
    let decided: Vec<Value> = owner
        .pull("ai", "aiMissions")
        .await
        .iter()
        .flat_map(|change| {
            change["fields"]["iterations"]["value"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .filter_map(|iteration| iteration["plan"].as_array().cloned())
        .flatten()
        .filter(|step| step["decidedAt"].is_string())
        .collect();
    assert_eq!(decided.len(), 2, "{decided:?}");
    assert_eq!(decided[0]["status"], "approved");
    let actor = json!({ "kind": "ai", "missionId": "m1", "iterationId": iteration["id"],
        "rationale": "The fridge is empty.", "principalId": "default", "displayName": "Mana",
        "stepId": decided[0]["id"] });
    assert_eq!(tasks[0]["actor"], actor);
    assert_eq!(
        (&decided[1]["status"], &decided[1]["feedback"]),
        (&json!("rejected"), &json!("No garden."))
    );
    let (out, _) = machine.does(&["inbox"]).await;
    assert_eq!(out.trim(), "Nothing waits for you.");
    server.stop().await;
}

/// The hashes that the inbox printed, in its order.
pub fn hashes(inbox: &str) -> Vec<String> {
    let hashes = inbox
        .lines()
        .filter_map(|line| line.trim().strip_prefix("hash "));
    hashes.map(str::to_owned).collect()
}

#[tokio::test]
async fn cli_approves_what_was_shown_and_nothing_else() {
    let model = Upstream::new().await;
    let plan = json!([
        step("Buy milk", "The fridge is empty."),
        step("Buy a cow", "Milk runs out."),
        step("Buy hay", "Cows eat.")
    ]);
    model.answers("Weekly shopping", plans(plan)).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    server.tick(&home.service_key()).await;
    let machine = Machine::signed_in(&server).await;
    let (out, _) = machine.does(&["inbox"]).await;
    let hashes = hashes(&out);
    assert_eq!(hashes.len(), 3, "{out}");
    let at = |part: &str| {
        out.find(part)
            .unwrap_or_else(|| panic!("{part} is in {out}"))
    };
    assert!(
        at("Title: Buy milk") < at("Done: no"),
        "the manifest's order: {out}"
    );

    let err = machine.refuses(&["approve", "1"]).await;
    assert!(
        err.contains("Nobody is here to ask") && err.contains("--yes HASH"),
        "{err}"
    );
    let err = machine
        .refuses(&["approve", "1", "--yes", &hashes[1]])
        .await;
    assert!(err.contains("is not what has this hash"), "{err}");
    let both = [hashes[0].as_str(), "0000"].join(",");
    let err = machine
        .refuses(&["approve", "1", "2", "--hash", &both])
        .await;
    assert!(err.contains("Buy a cow is not what has this hash"), "{err}");
    let usage = machine.run(&["approve", "1", "--yes"]).await;
    assert_eq!(
        usage.status.code(),
        Some(2),
        "--yes needs a hash: {usage:?}"
    );
    let refused = machine.run(&["approve", "2", "--json"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(owner.pull("todo", "tasks").await, Vec::<Value>::new());

    let two = [hashes[0].as_str(), &hashes[2]].join(",");
    let (out, _) = machine.does(&["approve", "1", "3", "--yes", &two]).await;
    for part in [
        "Title: Buy milk",
        "Title: Buy hay",
        "Approved: New task: Buy milk",
        "Approved: New task: Buy hay",
    ] {
        assert!(out.contains(part), "{part} is in {out}");
    }
    assert_eq!(owner.pull("todo", "tasks").await.len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn cli_watch_tells_what_comes() {
    let (_model, home, server, owner) = shopping().await;
    let machine = Machine::signed_in(&server).await;
    let mut watch = machine.command(&["watch", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = async || -> Value {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.expect("it goes on")).unwrap()
    };
    let first = next().await;
    assert_eq!(
        (&first["event"], &first["inbox"]),
        (&json!("synced"), &json!(0)),
        "{first}"
    );
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    server.tick(&home.service_key()).await;
    loop {
        let event = next().await;
        assert_ne!(event["event"], "waiting", "{event}");
        if event["inbox"] == 1 {
            assert_eq!(
                event["new"][0]["rationale"], "The fridge is empty.",
                "{event}"
            );
            break;
        }
    }
    watch.kill().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn cli_backfill_asks_for_what_did_not_run() {
    let model = Upstream::new().await;
    let good = plans(json!([step("Buy milk", "The fridge is empty.")]));
    model.answers("Every morning", good).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let machine = Machine::signed_in(&server).await;
    let data = json!({"title": "Every morning", "objective": "x", "state": "active", "timezone": "Asia/Tokyo",
        "cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}});
    let change = json!([{ "table": "aiMissions", "id": "m1", "op": "insert", "data": data }]);
    owner.push("ai", "laptop", change).await;

    let (out, _) = machine
        .does(&["backfill", "Every morning", "--since", "3d", "--json"])
        .await;
    let asked: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(asked["missionId"], "m1");
    let slots: Vec<&str> = asked["asked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["slot"].as_str().unwrap())
        .collect();
    assert_eq!(slots.len(), 3, "{out}");
    assert!(slots.iter().all(|slot| slot.starts_with("backfill:")));
    let all_ran = async {
        loop {
            let (_, runs) = owner.get("/ai/missions/m1/runs").await;
            let ran = runs["runs"].as_array().unwrap().iter();
            if ran.filter(|run| run["status"] == "ran").count() == 3 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, all_ran).await.unwrap();
    let (out, _) = machine.does(&["backfill", "m1", "--since", "3d"]).await;
    assert!(out.starts_with("Nothing to backfill"), "{out}");
    let refused = machine
        .refuses(&["backfill", "nothing", "--since", "3d"])
        .await;
    assert!(refused.contains("there is no mission nothing"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn cli_undo_shows_what_it_would_do_and_does_that_after_a_yes() {
    let (_model, home, server, owner) = shopping().await;
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    server.tick(&home.service_key()).await;
    let machine = Machine::signed_in(&server).await;
    let (out, _) = machine.does(&["undo"]).await;
    assert!(out.contains("No mission has done anything"), "{out}");
    let (out, _) = machine.does(&["inbox"]).await;
    machine
        .does(&["approve", "1", "--yes", &hashes(&out)[0]])
        .await;
    let (out, _) = machine.does(&["undo"]).await;
    assert!(out.contains("1. ") && out.contains("Buy milk"), "{out}");

    let (out, _) = machine.does(&["undo", "1"]).await;
    assert!(
        out.contains("which the mission made") && out.contains("Nothing has been undone yet"),
        "{out}"
    );
    let (out, _) = machine.does(&["list", "todo"]).await;
    assert!(out.contains("Buy milk"), "it was only shown: {out}");
    let (out, _) = machine.does(&["undo", "1", "--yes"]).await;
    assert!(out.contains("Undone."), "{out}");
    let (out, _) = machine.does(&["list", "todo"]).await;
    assert!(!out.contains("Buy milk"), "{out}");
    let status = mission(&owner, "m1").await.0[0]["plan"][0]["status"].clone();
    assert_eq!(status, "undone");
    let log = owner.pull("todo", "tasks").await;
    assert_eq!(log.last().unwrap()["op"], "delete", "{log:?}");
    let err = machine.refuses(&["undo", "7"]).await;
    assert!(err.contains("no number 7"), "{err}");
    server.stop().await;
}

#[tokio::test]
async fn cli_tells_records_by_their_own_names_and_isolates_them() {
    let model = Upstream::new().await;
    let plan = json!([{ "summary": "Harmless tidying", "toolName": "update_task", "rationale": "So.",
        "params": { "taskId": "t1", "notes": "line 1\nline 2", "title": "תשלום 1000" } }]);
    model.answers("Weekly shopping", plans(plan)).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let task = json!({ "table": "tasks", "id": "t1", "op": "insert",
        "data": { "title": "Pay \u{202e}Bob", "notes": "old 0.0004" } });
    owner.push("todo", "phone", json!([task])).await;
    let machine = Machine::signed_in(&server).await;
    let mut watch = machine.command(&["watch"]).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = async || {
        timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    };
    assert!(next().await.contains("nothing waits"));
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    server.tick(&home.service_key()).await;
    let told = loop {
        let line = next().await;
        if line.contains("new:") {
            break line;
        }
    };
    watch.kill().await.unwrap();
    let (inbox, _) = machine.does(&["inbox"]).await;
    let (approved, _) = machine
        .does(&["approve", "1", "--yes", &hashes(&inbox)[0]])
        .await;
    for said in [&told, &inbox, &approved] {
        assert!(said.contains(": Pay [U+202E]Bob"), "{said}");
    }
    let (listed, _) = machine.does(&["undo"]).await;
    let (shown, _) = machine.does(&["undo", "1"]).await;
    let (undone, _) = machine.does(&["undo", "1", "--yes"]).await;
    for said in [&listed, &shown, &undone] {
        assert!(said.contains("Task \u{2068}תשלום 1000\u{2069}"), "{said}");
    }
    for whole in ["line 1", "line 2", "old 0.0004", "Pay [U+202E]Bob"] {
        assert!(shown.contains(whole), "{whole}: {shown}");
    }
    for said in [&told, &inbox, &approved, &listed, &shown, &undone] {
        assert!(!said.contains("Harmless tidying"), "{said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn cli_fetches_before_it_approves_and_overwrites_nothing_unseen() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    for env in [vec![], vec![("DATABASE_URL", url.as_str())]] {
        let model = Upstream::new().await;
        let plan = json!([{ "summary": "s", "toolName": "update_task", "rationale": "So.",
        "params": { "taskId": "t1", "notes": "AI text" } }]);
        model.answers("Weekly shopping", plans(plan)).await;
        let home = model.home(&env);
        let (server, owner) = Server::with_owner(&home).await;
        let task = json!({ "table": "tasks", "id": "t1", "op": "insert",
        "data": { "title": "Essay", "notes": "first draft" } });
        owner.push("todo", "phone", json!([task])).await;
        push_due_mission(&owner, "m1", "Weekly shopping").await;
        server.tick(&home.service_key()).await;
        let machine = Machine::signed_in(&server).await;
        let (out, _) = machine.does(&["inbox"]).await;
        let hashes = self::hashes(&out);
        let mine = "two hours of my own work, written on the phone";
        let edit = json!({ "table": "tasks", "id": "t1", "op": "update", "fields": { "notes": { "value": mine } } });
        owner.push("todo", "phone", json!([edit])).await;
        let err = machine
            .refuses(&["approve", "1", "--yes", &hashes[0]])
            .await;
        assert!(err.contains("changed since") && err.contains(mine), "{err}");
        let (out, _) = machine.does(&["list", "todo", "--json"]).await;
        assert!(out.contains(mine) && !out.contains("AI text"), "{out}");
        // The same change on other values is another proposal: the hash that was read does not carry it out.
        let err = machine
            .refuses(&["approve", "1", "--yes", &hashes[0]])
            .await;
        assert!(err.contains("is not what has this hash"), "{err}");
        // Without the server the decision is made on what is here, and the command says so.
        let (out, _) = machine.does(&["inbox"]).await;
        let renewed = self::hashes(&out);
        assert_ne!(renewed, hashes);
        let (told, _) = machine.does(&["inbox", "--json"]).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told[0]["hash"], json!(renewed[0]));
        server.stop().await;
        let (out, err) = machine.does(&["approve", "1", "--yes", &renewed[0]]).await;
        assert!(out.contains("Approved"), "{out}");
        assert!(
            err.contains("Offline") && err.contains("not known here"),
            "{err}"
        );
    }
}
