//! Pushes that are refused say which change is at fault, on both databases alike; whatever is accepted can be moved.

use std::process::Output;

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Account, Answer, Home, Server, assert_error, on_both_databases, run, send};

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
    let databases = on_both_databases().await;
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
    for (name, _home, _server, owner) in &databases {
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
async fn sync_c2_names_authors_and_further_fields_are_checked_like_values() {
    let databases = on_both_databases().await;
    let insert = |id: &str, data: &str, more: &str| {
        format!(r#"{{"table":"tasks","id":"{id}","op":"insert","data":{data}{more}}}"#)
    };
    let author = |value: &str| {
        let more = format!(r#","actor":{{"kind":"bot","note":{value}}}"#);
        insert("x", r#"{"title":"x"}"#, &more)
    };
    let further = |value: &str| insert("x", r#"{"title":"x"}"#, &format!(r#","more":{value}"#));
    let half = r"\ud83d";
    let bad = [
        insert("x", &format!(r#"{{"a{half}":1}}"#), ""),
        insert("x", &format!(r#"{{"a":{{"b":[{{"{half}":1}}]}}}}"#), ""),
        format!(
            r#"{{"table":"tasks","id":"x","op":"update",
                "fields":{{"{half}":{{"value":1,"updatedAt":"2026-11-28T17:00:00Z"}}}}}}"#
        ),
        insert(half, r#"{"title":"x"}"#, ""),
        format!(r#"{{"table":"ta{half}","id":"x","op":"insert","data":{{"title":"x"}}}}"#),
        insert("x", r#"{"title":"x"}"#, &format!(r#","eventId":"{half}""#)),
        insert("x", r#"{"title":"x"}"#, &format!(r#","{half}":1"#)),
        insert("x", r#"{"a\u0000":1}"#, ""),
        insert("x", r#"{"a":{"\u0000":1}}"#, ""),
        insert("x", r#"{"":1}"#, ""),
        author(&format!(r#""{half}""#)),
        author(&format!(r#"{{"{half}":1}}"#)),
        author(r#""\u0000""#),
        author("1e400"),
        author(&nested(65)),
        further(&format!(r#"{{"{half}":1}}"#)),
        further(r#"{"\u0000":1}"#),
        further("[-1e400]"),
        further(&nested(66)),
    ];
    let good = [
        insert("pair", r#"{"a\ud83d\ude00":"\ud83d\ude00"}"#, ""),
        insert("deep", &format!(r#"{{"title":{}}}"#, nested(65)), ""),
        author(&nested(64)),
        further(&nested(65)),
    ];
    for (name, _home, _server, owner) in &databases {
        for bad in &bad {
            let answer = post_text(owner, "/sync/todo", beside(bad)).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
            assert_eq!(
                answer.1["error"]["details"]["index"],
                1,
                "{name}: {}",
                &bad[..bad.len().min(200)]
            );
        }
        assert_eq!(owner.pull("todo", "tasks").await, Vec::<Value>::new());
        for good in &good {
            let answer = post_text(owner, "/sync/todo", beside(good)).await;
            assert_eq!(answer.0, StatusCode::OK, "{name}: {}", answer.1);
        }
        let kept = owner.pull("todo", "tasks").await;
        let pair = kept.iter().find(|change| change["id"] == "pair").unwrap();
        assert_eq!(pair["data"]["a\u{1f600}"], "\u{1f600}", "{name}");
    }
}

#[tokio::test]
async fn sync_c2_a_name_in_the_address_is_checked_like_one_in_a_change() {
    let databases = on_both_databases().await;
    let change = json!([{"table": "t", "id": "i", "op": "insert", "data": {"v": 1}}]);
    for (name, _home, _server, owner) in &databases {
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
    let databases = on_both_databases().await;
    let named = |event: &str, id: &str, title: &str| {
        let data = json!({"title": title});
        json!({"eventId": event, "table": "tasks", "id": id, "op": "insert", "data": data})
    };
    for (name, _home, _server, owner) in &databases {
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
async fn sync_s4_an_event_id_twice_in_one_push_counts_once_where_the_change_is_the_same() {
    let databases = on_both_databases().await;
    let named = |app: &str, id: &str| {
        json!({"eventId": "twice", "appId": app, "table": "tasks", "id": id, "op": "insert",
            "data": {"title": "x"}})
    };
    let delete =
        json!({"eventId": "twice", "appId": "todo", "table": "tasks", "id": "a", "op": "delete"});
    for (name, _home, _server, owner) in &databases {
        for other in [named("todo", "b"), named("notes", "a"), delete.clone()] {
            let body = json!({"clientId": "c", "changes": [named("todo", "a"), other]});
            let answer = owner.post("/sync", body).await;
            assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
            assert_eq!(answer.1["error"]["details"]["index"], 1, "{name}");
        }
        assert_eq!(owner.pull("todo", "tasks").await.len(), 0, "{name}");
        // Without ids, as the first client sends them, equal changes have one id.
        let nameless = json!({"table": "tasks", "id": "n", "op": "insert", "data": {"title": "x"}});
        for _ in 0..2 {
            let same =
                json!({"clientId": "c", "changes": [named("todo", "a"), named("todo", "a")]});
            assert_eq!(owner.post("/sync", same).await.0, StatusCode::OK, "{name}");
            owner.push("todo", "c", json!([nameless, nameless])).await;
        }
        assert_eq!(owner.pull("todo", "tasks").await.len(), 2, "{name}");
    }
}

#[tokio::test]
async fn sync_r7_a_cursor_of_another_account_is_noticed_and_serves_nothing_of_it() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    for env in [vec![], vec![("DATABASE_URL", url.as_str())]] {
        let mut home = Home::new(&env);
        home.set("MANA_SIGNUP", "open");
        let (server, owner) = Server::with_owner(&home).await;
        let member = server.sign_up("member@example.org", None).await;
        for n in 0..3 {
            let task = json!([{"table": "tasks", "id": format!("t{n}"), "op": "insert", "data": {"title": "x"}}]);
            owner.push("todo", "c", task.clone()).await;
            member.push("todo", "c", task).await;
        }
        let of = async |account: &Account| {
            let body = json!({"clientId": "d", "changes": []});
            account.post("/sync", body).await.1
        };
        let (own, foreign) = (of(&owner).await, of(&member).await);
        for (epoch, reason) in [
            (&own["logEpoch"], "unknown"),
            (&foreign["logEpoch"], "epoch"),
        ] {
            let body = json!({"clientId": "d", "since": foreign["syncedUntil"], "logEpoch": epoch, "changes": [
                {"eventId": "e", "appId": "todo", "table": "tasks", "id": "new", "op": "insert", "data": {}}]});
            let refused = owner.post("/sync", body).await;
            assert_error(&refused, StatusCode::GONE, "resync_required");
            assert_eq!(refused.1["error"]["details"]["reason"], reason);
        }
        // Without an epoch, as the first client asks: the log from its start.
        let since = foreign["syncedUntil"].as_str().unwrap();
        let path = format!("/sync/todo/pull?collection=tasks&since={since}");
        let (status, body) = owner.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let served = body["serverChanges"].as_array().unwrap();
        let mut ids: Vec<_> = served.iter().map(|change| change["id"].as_str()).collect();
        ids.dedup();
        assert_eq!(ids[..3], [Some("t0"), Some("t1"), Some("t2")]);
        server.stop().await;
    }
}

#[tokio::test]
async fn sync_s15_an_insert_of_a_removed_record_says_that_it_changed_nothing() {
    let databases = on_both_databases().await;
    for (name, _home, _server, owner) in &databases {
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
    let databases = on_both_databases().await;
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
        for (name, _home, _server, owner) in &databases {
            for path in ["/sync/todo", "/sync"] {
                let answer = owner.post(path, body.clone()).await;
                assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_request");
                let message = answer.1["error"]["message"].as_str().unwrap();
                assert!(message.contains(had), "{name}, {body}: {message}");
            }
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
    let databases = on_both_databases().await;
    // The largest change that the door lets pass; normalised it is larger.
    let filler = |most: usize| {
        let data = json!({"title": "x".repeat(most)});
        json!({"table": "tasks", "id": "big", "op": "insert", "data": data})
    };
    for (name, home, server, owner) in databases {
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

/// Numbers at the bounds of doubles and of integers, and the ways to write them.
const NUMBERS: &str = "[-0,-0.0,0.1,1e18,1E2,100.0,1.7976931348623157e308,5e-324,9007199254740991,9007199254740993,\
    9007199254740993.0,18446744073709551615,18446744073709551616,-9223372036854775809,123456789012345678901234567890]";

/// The lines of an export behind its head, with every number as the double that it stands for (M7).
async fn exported(home: &Home) -> Vec<Value> {
    let file = home.dir.path().join("numbers.jsonl");
    let output = run(home, &["export", file.to_str().unwrap()]).await;
    assert!(output.status.success(), "{}", said(&output));
    let lines = std::fs::read_to_string(&file).unwrap();
    let lines = lines.lines().skip(1);
    lines
        .map(|line| mana_core::merge::normalize(&serde_json::from_str(line).unwrap()))
        .collect()
}

#[tokio::test]
async fn sync_r6_numbers_at_their_bounds_are_the_same_on_the_other_database() {
    let changes = format!(
        r#"{{"clientId":"c","changes":[
            {{"eventId":"1","table":"tasks","id":"a","op":"insert","data":{{"title":"x","n":{NUMBERS}}}}},
            {{"eventId":"2","table":"tasks","id":"a","op":"update",
                "fields":{{"n":{{"value":{{"deep":{NUMBERS}}},"updatedAt":"2026-11-28T17:00:00Z"}}}}}},
            {{"eventId":"3","table":"tasks","id":"b","op":"insert","data":{{"title":"x"}},
                "actor":{{"kind":"bot","n":{NUMBERS}}},"more":{NUMBERS}}}]}}"#
    );
    let mut snapshots = Vec::new();
    for (name, home, server, owner) in on_both_databases().await {
        for _ in 0..2 {
            let answer = post_text(&owner, "/sync/todo", changes.clone()).await;
            assert_eq!(answer.0, StatusCode::OK, "{name}: {}", answer.1);
        }
        assert_eq!(
            owner.pull("todo", "tasks").await.len(),
            3,
            "{name}: a replay is one"
        );
        let mut records = owner.get("/sync/todo/snapshot").await.1["records"].take();
        for record in records.as_array_mut().unwrap() {
            for meta in record["meta"].as_object_mut().unwrap().values_mut() {
                meta["at"] = Value::Null;
            }
        }
        snapshots.push(records.to_string());
        server.stop().await;
        let lines = exported(&home).await;
        let file = home.dir.path().join("numbers.jsonl");
        let cluster = Cluster::shared();
        let url = cluster.url(&cluster.create());
        let other = match name {
            "sqlite" => Home::new(&[("DATABASE_URL", &url)]),
            _ => Home::new(&[]),
        };
        let imported = run(&other, &["import", file.to_str().unwrap()]).await;
        assert!(imported.status.success(), "{name}: {}", said(&imported));
        assert_eq!(exported(&other).await, lines, "{name}");
        let checked = run(&other, &["reproject", "--check"]).await;
        assert!(
            said(&checked).contains("2 records of 1 logs agree"),
            "{}",
            said(&checked)
        );
    }
    assert_eq!(snapshots[0], snapshots[1], "records byte for byte");
}
