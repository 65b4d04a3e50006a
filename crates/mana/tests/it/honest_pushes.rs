//! Pushes that are refused say which change is at fault, on both databases alike; whatever is accepted can be moved.

use std::process::Output;

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Account, Answer, Home, Server, assert_error, send};

/// A server on each database, with its owner.
struct Databases(Vec<(&'static str, Home, Server, Account)>);

impl Databases {
    async fn new() -> Databases {
        let cluster = Cluster::shared();
        let url = cluster.url(&cluster.create());
        let mut all = Vec::new();
        for (name, home) in [
            ("sqlite", Home::new(&[])),
            ("postgres", Home::new(&[("DATABASE_URL", &url)])),
        ] {
            let (server, owner) = Server::with_owner(&home).await;
            all.push((name, home, server, owner));
        }
        Databases(all)
    }
}

async fn post_text(account: &Account, path: &str, body: String) -> Answer {
    let request = account
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .body(body);
    send(request).await
}

/// A push of three changes, of which the second is given as text.
fn beside(bad: &str) -> String {
    let good =
        |id: &str| json!({"table": "tasks", "id": id, "op": "insert", "data": {"title": id}});
    format!(
        r#"{{"clientId":"c","changes":[{},{bad},{}]}}"#,
        good("a"),
        good("b")
    )
}

fn with_title(title: &str) -> String {
    format!(r#"{{"table":"tasks","id":"x","op":"insert","data":{{"title":{title}}}}}"#)
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn sync_c2_values_that_cannot_be_stored_are_named_by_index() {
    let databases = Databases::new().await;
    let long = "y".repeat(257);
    let cases = [
        ("NUL in a value", with_title(r#""a\u0000b""#)),
        ("first half of a pair", with_title(r#""a\ud83d""#)),
        ("second half of a pair", with_title(r#""\ude00b""#)),
        ("half of a pair before a text", with_title(r#""\ud83dabc""#)),
        ("1e400", with_title("1e400")),
        ("-1e400", with_title("-1e400")),
        ("65 levels", with_title(&nested(66))),
        ("127 levels", with_title(&nested(127))),
        ("10,000 levels", with_title(&nested(10_000))),
        (
            "a long id",
            format!(
                r#"{{"table":"tasks","id":"{}","op":"delete"}}"#,
                "i".repeat(513)
            ),
        ),
        (
            "a long table",
            format!(r#"{{"table":"{long}","id":"x","op":"delete"}}"#),
        ),
        (
            "a long event id",
            format!(r#"{{"eventId":"{long}","table":"tasks","id":"x","op":"delete"}}"#),
        ),
        ("no object", "7".to_owned()),
    ];
    for (name, _home, _server, owner) in &databases.0 {
        for (what, bad) in &cases {
            let answer = post_text(owner, "/sync/todo", beside(bad)).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
            let details = &answer.1["error"]["details"];
            assert_eq!(details["index"], 1, "{name}: {what}");
            assert!(
                details["reason"].as_str().unwrap().len() > 20,
                "{name}: {what}"
            );
        }
        let in_app = [("NUL", "a\u{0}b".to_owned()), ("length", long.clone())];
        for (what, app) in &in_app {
            let change =
                json!({"appId": app, "table": "t", "id": "i", "op": "insert", "data": {"v": 1}});
            let good =
                json!({"appId": "todo", "table": "tasks", "id": "a", "op": "insert", "data": {}});
            let body = json!({"clientId": "c", "changes": [good, change]}).to_string();
            let answer = post_text(owner, "/sync", body).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
            assert_eq!(answer.1["error"]["details"]["index"], 1, "{name}: {what}");
        }
        assert_eq!(
            owner.pull("todo", "tasks").await,
            Vec::<Value>::new(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn sync_c2_a_name_in_the_address_is_checked_like_one_in_a_change() {
    let databases = Databases::new().await;
    let change = json!([{"table": "t", "id": "i", "op": "insert", "data": {"v": 1}}]);
    for (name, _home, _server, owner) in &databases.0 {
        for app in ["a%00b", &"y".repeat(300)] {
            let body = json!({"clientId": "c", "changes": change});
            let answer = owner.post(&format!("/sync/{app}"), body).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
            assert_eq!(answer.1["error"]["details"]["index"], 0, "{name}");
            let nothing = owner
                .post(
                    &format!("/sync/{app}"),
                    json!({"clientId": "c", "changes": []}),
                )
                .await;
            assert_error(&nothing, StatusCode::BAD_REQUEST, "invalid_request");
        }
        for path in [
            "/sync/a%00b/pull?collection=tasks",
            "/sync/todo/pull?collection=ta%00sks",
            "/sync/a%00b/snapshot",
            "/sync/todo/history?table=tasks&id=a%00b",
            "/sync/a%00b/stream",
            "/sync/todo/stream?clientId=a%00b",
            "/ai/missions/a%00b/runs",
        ] {
            let answer = owner.get(path).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_request");
        }
        let run = owner
            .post("/ai/missions/m/run", json!({"slot": "run:a\u{0}b"}))
            .await;
        assert_error(&run, StatusCode::BAD_REQUEST, "invalid_request");
    }
}

#[tokio::test]
async fn sync_s4_an_event_id_of_another_change_is_refused_by_index() {
    let databases = Databases::new().await;
    let named = |event: &str, id: &str, title: &str| {
        let data = json!({"title": title});
        json!({"eventId": event, "table": "tasks", "id": id, "op": "insert", "data": data})
    };
    for (name, _home, _server, owner) in &databases.0 {
        owner
            .push("todo", "c", json!([named("e1", "p1", "one")]))
            .await;
        let again = owner
            .push("todo", "d", json!([named("e1", "p1", "one")]))
            .await;
        assert_eq!(again["unchanged"], json!([]), "{name}");
        for other in [named("e1", "p2", "one"), named("e1", "p1", "two")] {
            let body = json!({"clientId": "c", "changes": [named("e2", "p3", "x"), other]});
            let answer = owner.post("/sync/todo", body).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
            assert_eq!(answer.1["error"]["details"]["index"], 1, "{name}");
        }
        assert_eq!(owner.pull("todo", "tasks").await.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn sync_s15_an_insert_of_a_removed_record_says_that_it_changed_nothing() {
    let databases = Databases::new().await;
    for (name, _home, _server, owner) in &databases.0 {
        let insert = |event: &str| {
            let data = json!({"title": "x"});
            json!({"eventId": event, "table": "tasks", "id": "t", "op": "insert", "data": data})
        };
        let first = owner.push("todo", "c", json!([insert("e1")])).await;
        assert_eq!(first["unchanged"], json!([]), "{name}");
        let delete = json!({"eventId": "e2", "table": "tasks", "id": "t", "op": "delete"});
        owner.push("todo", "c", json!([delete])).await;
        for _ in 0..2 {
            let again = owner.push("todo", "c", json!([insert("e3")])).await;
            assert_eq!(again["unchanged"], json!(["e3"]), "{name}");
        }
    }
}

#[tokio::test]
async fn sync_a_body_without_changes_is_refused_and_names_what_it_had() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    for (body, had) in [
        (json!({"clientId": "c", "change": []}), "`change`"),
        (
            json!({"clientId": "c", "Changes": [], "x": 1}),
            "`Changes`, `x`",
        ),
        (json!({"clientId": "c", "changes": null}), "nothing"),
        (json!({}), "nothing"),
        (json!([]), "an object"),
        (json!("changes"), "an object"),
        (json!({"clientId": "c", "changes": {}}), "a list of changes"),
    ] {
        for path in ["/sync/todo", "/sync"] {
            let answer = owner.post(path, body.clone()).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_request");
            let message = answer.1["error"]["message"].as_str().unwrap();
            assert!(message.contains(had), "{body}: {message}");
        }
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn sync_r6_whatever_was_accepted_can_be_imported() {
    let databases = Databases::new().await;
    // The largest change that the door lets pass; normalised it is larger.
    let filler = |most: usize| {
        let data = json!({"title": "x".repeat(most)});
        json!({"table": "tasks", "id": "big", "op": "insert", "data": data})
    };
    for (name, home, server, owner) in databases.0 {
        let mut most = 4 << 20;
        while owner
            .post(
                "/sync/todo",
                json!({"clientId": "c", "changes": [filler(most)]}),
            )
            .await
            .0
            != StatusCode::OK
        {
            most -= 1;
        }
        let deep: Value = serde_json::from_str(&nested(64)).unwrap();
        let odd = json!([
            {"table": "tasks", "id": "deep", "op": "insert", "data": {"title": deep, "__proto__": 1, "": null}},
        ]);
        let refused = owner
            .post("/sync/todo", json!({"clientId": "c", "changes": odd}))
            .await;
        assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_change");
        let edges = json!([
            {"table": "tasks", "id": "deep", "op": "insert", "data": {"title": deep, "__proto__": 1, " ": null}},
            {"table": "t".repeat(256), "id": "i".repeat(512), "op": "update", "eventId": "e".repeat(256),
                "fields": {"n".repeat(256): {"value": [1.7e308, 5e-324, -0.0, 9_007_199_254_740_993_u64]}},
                "more": {"kept": [1]}},
            {"table": "tasks", "id": "old", "op": "delete", "deletedAt": "0000-01-01T00:00:00Z"},
        ]);
        owner.push(&"a".repeat(256), "c", edges).await;
        server.stop().await;
        let file = home.dir.path().join("export.jsonl");
        let file = file.to_str().unwrap();
        let exported = home.command(&["export", file]).output().await.unwrap();
        assert!(exported.status.success(), "{name}: {}", said(&exported));
        let other = Home::new(&[]);
        let imported = other.command(&["import", file]).output().await.unwrap();
        assert!(imported.status.success(), "{name}: {}", said(&imported));
        assert!(
            said(&imported).contains("with 4 changes"),
            "{name}: {}",
            said(&imported)
        );
        let cluster = Cluster::shared();
        let url = cluster.url(&cluster.create());
        let other = Home::new(&[("DATABASE_URL", &url)]);
        let imported = other.command(&["import", file]).output().await.unwrap();
        assert!(imported.status.success(), "{name}: {}", said(&imported));
    }
}
