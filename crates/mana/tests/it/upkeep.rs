//! The operator's commands, beside a running server and without one.

use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::{Account, Home, PASSWORD, Server, assert_error, mode, refused, run};

/// Runs a command that must succeed. Returns its output.
async fn done(home: &Home, arguments: &[&str]) -> String {
    let output = run(home, arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn title(id: &str, title: &str) -> Value {
    json!({ "table": "tasks", "id": id, "op": "update", "fields": {"title": {"value": title}} })
}

async fn pull(account: &Account, since: &str) -> (StatusCode, Value) {
    account
        .get(&format!(
            "/sync/todo/pull?collection=tasks&logEpoch=&since={since}"
        ))
        .await
}

#[tokio::test]
async fn sync_r3_compact_works_beside_the_server_and_a_device_behind_it_takes_a_snapshot() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    let first = owner
        .push("todo", "laptop", json!([title("t1", "first")]))
        .await;
    for text in ["second", "third"] {
        owner
            .push("todo", "laptop", json!([title("t1", text)]))
            .await;
    }
    let last = owner
        .push("todo", "laptop", json!([title("t2", "other")]))
        .await;
    assert_eq!(
        done(&home, &["compact"]).await,
        "Dropped 0 overwritten rows from 0 logs.\n",
        "nothing is 90 days old"
    );
    assert_eq!(
        done(&home, &["compact", "--before", "0d"]).await,
        "Dropped 2 overwritten rows from 1 logs.\n"
    );

    let cursor = |answer: &Value| answer["syncedUntil"].as_str().unwrap().to_owned();
    let behind = pull(&owner, &cursor(&first)).await;
    assert_error(&behind, StatusCode::GONE, "resync_required");
    let stream = owner
        .get(&format!(
            "/sync/todo/stream?logEpoch=&since={}",
            cursor(&first)
        ))
        .await;
    assert_error(&stream, StatusCode::GONE, "resync_required");
    // What it had not sent yet is kept, and its snapshot has it.
    let body = json!({ "clientId": "phone", "since": cursor(&first), "logEpoch": "",
        "changes": [title("t3", "waited")] });
    assert_error(
        &owner.post("/sync/todo", body.clone()).await,
        StatusCode::GONE,
        "resync_required",
    );
    let (_, snapshot) = owner.get("/sync/snapshot").await;
    let titles: Vec<_> = snapshot["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["data"]["title"])
        .collect();
    assert_eq!(titles, ["third", "other", "waited"]);
    let mut body = body;
    body["since"] = snapshot["syncedUntil"].clone();
    let (status, again) = owner.post("/sync/todo", body).await;
    assert_eq!(
        (status, &again["serverChanges"]),
        (StatusCode::OK, &json!([]))
    );

    assert_eq!(pull(&owner, &cursor(&last)).await.0, StatusCode::OK);
    let (_, all) = pull(&owner, "").await;
    assert_eq!(
        all["serverChanges"].as_array().unwrap().len(),
        3,
        "from the beginning is what is kept"
    );
    assert_eq!(
        done(&home, &["reproject", "--check"]).await,
        "3 records of 1 logs agree with their logs.\n"
    );
    let why = run(&home, &["compact", "--before", "soon"]).await;
    assert!(String::from_utf8_lossy(&why.stderr).contains("90d"));
}

#[tokio::test]
async fn sync_f5_records_that_were_taken_away_are_in_no_later_export_and_no_later_backup() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let removal = json!({ "table": "tasks", "id": "gone", "op": "delete" });
    let changes = json!([title("gone", "a secret"), removal, title("stands", "milk")]);
    owner.push("todo", "laptop", changes).await;
    let member = server.sign_up("other@example.org", None).await;
    let body = json!({ "records": [{ "app": "todo", "table": "tasks", "id": "gone" }] });
    let (status, answer) = member.post("/sync/forget", body.clone()).await;
    assert_eq!((status, &answer["forgotten"]), (StatusCode::OK, &json!([])));
    let (status, answer) = owner.post("/sync/forget", body.clone()).await;
    assert_eq!(
        (status, &answer["forgotten"]),
        (StatusCode::OK, &body["records"])
    );

    let file = home.data().join("all.jsonl");
    let path = file.to_str().unwrap();
    done(&home, &["export", path]).await;
    let exported = std::fs::read_to_string(&file).unwrap();
    assert!(exported.contains("milk") && !exported.contains("a secret"));

    let changes = json!([title("later", "another secret"), { "table": "tasks", "id": "later", "op": "delete" }]);
    owner.push("todo", "laptop", changes).await;
    let body = json!({ "records": [{ "app": "todo", "table": "tasks", "id": "later" }] });
    owner.post("/sync/forget", body).await;
    let holds_it = async || {
        pull(&owner, "")
            .await
            .1
            .to_string()
            .contains("another secret")
    };
    assert!(
        holds_it().await,
        "the rows stay for a while, for devices that are on their way"
    );
    let file = home.data().join("all.manabackup");
    done(&home, &["backup", file.to_str().unwrap()]).await;
    assert!(!holds_it().await, "a backup is made without them");
    assert!(pull(&owner, "").await.1.to_string().contains("milk"));
}

#[tokio::test]
async fn sync_r5_reproject_names_what_differs_and_puts_it_right() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let write = |element: &str| {
        json!({ "table": "things", "id": "one", "op": "update", "fields": {"parts": {"value":
        [{"id": element, "updatedAt": "2026-01-01T00:00:00Z", "secret": "hush"}]}} })
    };
    owner.push("kit", "laptop", json!([write("a")])).await;
    owner.push("kit", "laptop", json!([write("b")])).await;
    server.stop().await;
    assert_eq!(
        done(&home, &["reproject", "--check"]).await,
        "1 records of 1 logs agree with their logs.\n"
    );

    // A manifest that comes later says that these are parts of one list.
    home.add_module("kit.json", r#"{ "id": "kit", "version": 1, "route": "/kit", "icon": "notes", "order": 90,
        "name": {"en": "Kit", "de": "Satz"}, "description": {"en": "x", "de": "x"},
        "empty": {"title": {"en": "x", "de": "x"}, "body": {"en": "x", "de": "x"}, "action": {"en": "x", "de": "x"}},
        "tables": { "things": { "name": {"en": "Thing", "de": "Ding"}, "plural": {"en": "Things", "de": "Dinge"},
          "fields": { "title": {"type": "text", "label": {"en": "Title", "de": "Titel"}},
                      "parts": {"type": "keyedList", "label": {"en": "Parts", "de": "Teile"}, "list": {}} },
          "list": {"title": "title"} } }, "tools": [] }"#);
    let output = run(&home, &["reproject", "--check"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let named = String::from_utf8(output.stdout).unwrap();
    assert_eq!(named, format!("{} changed kit/things/one\n", owner.user_id));
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("hush"),
        "names, no content"
    );

    let corrected = done(&home, &["reproject"]).await;
    assert!(
        corrected.ends_with("1 places of 1 logs were corrected.\n"),
        "{corrected}"
    );
    assert_eq!(
        done(&home, &["reproject", "--check"]).await,
        "1 records of 1 logs agree with their logs.\n"
    );
    let server = home.start().await;
    let owner = server.sign_in("owner@example.org", PASSWORD).await.unwrap();
    let (_, snapshot) = owner.get("/sync/kit/snapshot").await;
    assert_eq!(
        snapshot["records"][0]["data"]["parts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn sync_r6_an_export_of_a_running_server_is_imported_by_another() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let member = server.sign_up("member@example.org", None).await;
    let first = owner
        .push("todo", "laptop", json!([title("t1", "Milk")]))
        .await;
    let mission = json!({ "table": "aiMissions", "id": "m", "op": "insert", "data":
        {"title": "x", "state": "active", "cadence": {"kind": "interval", "everyMinutes": 60}} });
    owner.push("ai", "laptop", json!([mission])).await;
    let many: Vec<_> = (0..2500)
        .map(|n| title(&format!("many {n}"), "é\u{2028}\""))
        .collect();
    for some in many.chunks(1000) {
        member.push("todo", "phone", json!(some)).await;
    }
    let file = home.dir.path().join("all.jsonl");
    let path = file.to_str().unwrap();
    done(&home, &["export", path]).await;
    assert_eq!(mode(&file), 0o600, "it holds password hashes");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains(&owner.token) && !text.contains(owner.cookie.split('=').nth(1).unwrap())
    );
    let only = done(&home, &["export", "--user", "Owner@example.org", "-"]).await;
    assert!(only.contains("owner@example.org") && !only.contains("member@example.org"));
    let nobody = refused(&home, &["export", "--user", "nobody@example.org", "-"]).await;
    assert!(nobody.contains("nobody@example.org"), "{nobody}");

    let elsewhere = Home::new(&[]);
    let said = done(&elsewhere, &["import", path]).await;
    assert!(
        said.ends_with("Imported 2 accounts with 2503 changes.\n"),
        "{said}"
    );
    assert!(
        said.contains("member@example.org is new: 2500 changes stored, 0 were there already.\n"),
        "{said}"
    );
    let again = done(&elsewhere, &["import", path]).await;
    assert!(
        again.contains(
            "member@example.org was there already: 0 changes stored, 2500 were there already.\n"
        ),
        "{again}"
    );
    done(&elsewhere, &["reproject", "--check"]).await;

    let there = elsewhere.start().await;
    let moved = there.sign_in("owner@example.org", PASSWORD).await.unwrap();
    assert_eq!(moved.user_id, owner.user_id);
    assert_eq!(there.get("/app/info").await.1["hasOwner"], true);
    let cursor = first["syncedUntil"].as_str().unwrap();
    for since in ["", cursor] {
        let (here, there) = (pull(&owner, since).await.1, pull(&moved, since).await.1);
        assert_eq!(here["serverChanges"], there["serverChanges"]);
        assert_eq!(
            here["syncedUntil"], there["syncedUntil"],
            "a device goes on with its cursor"
        );
    }
    let (here, there) = (
        owner.get("/sync/snapshot").await.1,
        moved.get("/sync/snapshot").await.1,
    );
    assert_eq!(here["records"], there["records"]);
    assert_eq!(there["records"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn sync_r6_from_sqlite_to_postgres_is_a_move_and_upkeep_goes_on_there() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let first = owner
        .push("todo", "laptop", json!([title("t1", "Milk")]))
        .await;
    for text in ["Oat milk", "Soy milk"] {
        owner
            .push("todo", "laptop", json!([title("t1", text)]))
            .await;
    }
    let (before, snapshot) = (
        pull(&owner, "").await.1,
        owner.get("/sync/snapshot").await.1,
    );
    server.stop().await;
    let file = home.dir.path().join("all.jsonl");
    done(&home, &["export", file.to_str().unwrap()]).await;

    let cluster = mana_test_postgres::Cluster::shared();
    let there = Home::new(&[("DATABASE_URL", &cluster.url(&cluster.create()))]);
    done(&there, &["import", file.to_str().unwrap()]).await;
    let server = there.start().await;
    let moved = server.sign_in("owner@example.org", PASSWORD).await.unwrap();
    let after = pull(&moved, "").await.1;
    assert_eq!(after["serverChanges"], before["serverChanges"]);
    assert_eq!(after["syncedUntil"], before["syncedUntil"]);
    let (_, records) = moved.get("/sync/snapshot").await;
    assert_eq!(records["records"], snapshot["records"]);
    let since = first["syncedUntil"].as_str().unwrap();
    let (_, rest) = pull(&moved, since).await;
    assert_eq!(rest["serverChanges"].as_array().unwrap().len(), 2);

    let compacted = done(&there, &["compact", "--before", "0d"]).await;
    assert_eq!(compacted, "Dropped 2 overwritten rows from 1 logs.\n");
    assert_error(
        &pull(&moved, since).await,
        StatusCode::GONE,
        "resync_required",
    );
    let (_, records) = moved.get("/sync/snapshot").await;
    assert_eq!(records["records"], snapshot["records"]);
    done(&there, &["reproject", "--check"]).await;
    server.stop().await;
}

#[tokio::test]
async fn sync_r6_a_file_that_is_not_whole_or_not_known_is_refused() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    owner
        .push(
            "todo",
            "laptop",
            json!([title("t1", "Milk"), title("t2", "Tea")]),
        )
        .await;
    server.stop().await;
    let text = done(&home, &["export", "-"]).await;
    let elsewhere = Home::new(&[]);
    let file = elsewhere.dir.path().join("x.jsonl");
    let path = file.to_str().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5);
    for (text, word) in [
        (String::new(), "is empty"),
        ("{}\n".to_owned(), "neither an export nor a backup"),
        (
            text.replacen("\"version\":1", "\"version\":2", 1),
            "version 2",
        ),
        (lines[..4].join("\n"), "cut off"),
        (text[..text.len() - 80].to_owned(), "Line"),
        (
            text.replacen("\"op\":\"update\"", "\"op\":\"explode\"", 1),
            "Line 3",
        ),
        (
            [lines[0], lines[2], lines[4]].join("\n"),
            "before any account",
        ),
    ] {
        std::fs::write(&file, &text).unwrap();
        let why = refused(&elsewhere, &["import", path]).await;
        assert!(why.contains(word), "{word}: {why}");
        let why = refused(&elsewhere, &["export", "-"]).await;
        assert!(
            why.contains("There is no database") || why.contains("has no account"),
            "nothing of the account stays: {why}"
        );
    }

    let mut process = elsewhere
        .command(&["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(text.as_bytes()).await.unwrap();
    drop(input);
    assert!(process.wait_with_output().await.unwrap().status.success());
    let back = done(&elsewhere, &["export", "-"]).await;
    let rest = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(rest(&back), rest(&text), "there and back, byte for byte");
}
