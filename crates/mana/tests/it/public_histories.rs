//! Histories from public bug reports about other programs that sync, on both databases.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Account, assert_error, on_both_databases, send};

fn insert(table: &str, id: &str, data: &Value) -> Value {
    json!({ "table": table, "id": id, "op": "insert", "data": data })
}

fn title(id: &str, title: &str, at: &str) -> Value {
    json!({ "table": "tasks", "id": id, "op": "update",
        "fields": { "title": { "value": title, "updatedAt": at } } })
}

/// The values of a record as the snapshot of its app has them.
async fn stored(account: &Account, app: &str, table: &str, id: &str) -> Value {
    let (status, mut body) = account.get(&format!("/sync/{app}/snapshot")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let records = body["records"].as_array_mut().unwrap();
    let found = records
        .iter_mut()
        .find(|record| record["table"] == table && record["id"] == id);
    found.expect("it is stored")["data"].take()
}

#[tokio::test]
async fn sync_m3_pushes_out_of_order_replays_and_a_slow_clock_end_alike_and_say_what_lost() {
    for (name, _home, _server, owner) in on_both_databases().await {
        let times = ["01", "02", "03"].map(|second| format!("2026-11-28T17:00:{second}Z"));
        let writes: Vec<Value> = (times.iter().enumerate())
            .map(|(n, at)| title("t", &format!("Title {n}"), at))
            .collect();
        for n in [2, 0, 1, 2, 0] {
            owner.push("todo", "c", json!([writes[n]])).await;
        }
        assert_eq!(
            stored(&owner, "todo", "tasks", "t").await["title"],
            "Title 2"
        );
        // The same event from two clients is one.
        let mut event = insert("tasks", "e", &json!({ "title": "x" }));
        event["eventId"] = json!("e1");
        for client in ["one", "two"] {
            owner.push("todo", client, json!([event])).await;
        }
        // A clock in 2010 loses, and the answer says so.
        let mut slow = title("t", "By a slow clock", "2010-01-01T00:00:00Z");
        slow["eventId"] = json!("slow");
        let answer = owner.push("todo", "slow", json!([slow])).await;
        assert_eq!(answer["unchanged"], json!(["slow"]), "{name}");
        // A record that comes and goes within a push.
        let gone = json!([
            insert("tasks", "g", &json!({ "title": "x" })),
            { "table": "tasks", "id": "g", "op": "delete" },
        ]);
        owner.push("todo", "c", gone).await;
        assert_ne!(
            stored(&owner, "todo", "tasks", "g").await["deletedAt"],
            Value::Null
        );
        // The same cursor asked for twice is answered alike.
        let pull = "/sync/todo/pull?collection=tasks&since=&limit=2";
        let (one, again) = (owner.get(pull).await.1, owner.get(pull).await.1);
        for part in ["serverChanges", "syncedUntil", "hasMore"] {
            assert_eq!(one[part], again[part], "{name}");
        }
        assert_eq!(owner.pull("todo", "tasks").await.len(), 7, "{name}");
    }
}

#[tokio::test]
async fn sync_m9_names_that_look_alike_or_mean_something_elsewhere_stay_what_they_are() {
    for (name, _home, _server, owner) in on_both_databases().await {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        let odd = [
            "__proto__",
            "constructor",
            "toString",
            "hasOwnProperty",
            "length",
        ];
        let mut tasks = vec![
            insert("tasks", composed, &json!({ "title": "composed" })),
            insert("tasks", decomposed, &json!({ "title": "decomposed" })),
            insert("tasks", "id", &json!({ "title": "in todo" })),
            insert("lists", "id", &json!({ "title": "in lists" })),
        ];
        for id in odd {
            tasks.push(insert("tasks", id, &json!({ id: { id: 1 } })));
        }
        owner.push("todo", "c", json!(tasks)).await;
        owner
            .push(
                "notes",
                "c",
                json!([insert("tasks", "id", &json!({ "title": "in notes" }))]),
            )
            .await;
        for (app, table, id, title) in [
            ("todo", "tasks", composed, "composed"),
            ("todo", "tasks", decomposed, "decomposed"),
            ("todo", "tasks", "id", "in todo"),
            ("todo", "lists", "id", "in lists"),
            ("notes", "tasks", "id", "in notes"),
        ] {
            assert_eq!(
                stored(&owner, app, table, id).await["title"],
                title,
                "{name}: {app}"
            );
        }
        for id in odd {
            assert_eq!(
                stored(&owner, "todo", "tasks", id).await[id][id],
                1,
                "{name}: {id}"
            );
        }
    }
}

#[tokio::test]
async fn sync_c2_odd_versions_and_times_are_taken_or_refused_alike() {
    let versions = [
        ("0", None),
        ("3", None),
        ("null", None),
        ("4", Some("schema_version_too_new")),
        ("-1", Some("invalid_request")),
        ("1.5", Some("invalid_request")),
        ("\"1\"", Some("invalid_request")),
    ];
    let times = [
        ("2026-11-28T17:00:00Z", true),
        ("2026-11-28t17:00:00z", true),
        ("2026-11-28 17:00:00Z", true),
        ("2026-11-28T17:00:00.1234567+05:30", true),
        ("0000-01-01T00:00:00Z", true),
        ("2026-11-28T17:00:00", false),
        ("2026-11-28", false),
        ("2026-02-30T00:00:00Z", false),
        ("2026-11-28T24:00:00Z", false),
        ("2026-11-28T17:00:00+99:00", false),
        ("10000-01-01T00:00:00Z", false),
        ("1764349200", false),
        ("Sat, 28 Nov 2026 17:00:00 GMT", false),
        ("", false),
    ];
    for (name, _home, _server, owner) in on_both_databases().await {
        for (version, code) in versions {
            let body = format!(r#"{{"clientId":"c","schemaVersion":{version},"changes":[]}}"#);
            let request = owner.request(Method::POST, "/sync/todo");
            let request = request.header("content-type", "application/json");
            let answer = send(request.body(body)).await;
            match code {
                Some(code) => assert_error(&answer, StatusCode::BAD_REQUEST, code),
                None => assert_eq!(answer.0, StatusCode::OK, "{name}: {version}"),
            }
        }
        for (time, good) in times {
            let body = json!({ "clientId": "c", "changes": [title("t", time, time)] });
            let answer = owner.post("/sync/todo", body).await;
            match good {
                true => assert_eq!(answer.0, StatusCode::OK, "{name}: {time}: {}", answer.1),
                false => assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change"),
            }
        }
    }
}
