//! Changes as server-sent events.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Account, Home, PATIENCE, Server, assert_error, send};

/// An open stream.
pub struct Stream {
    response: Response,
    text: String,
}

/// An event of a stream.
#[derive(Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Stream {
    async fn open(request: RequestBuilder) -> Stream {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/event-stream");
        assert!(
            response.headers().get("content-encoding").is_none(),
            "a compressor would hold events back"
        );
        Stream {
            response,
            text: String::new(),
        }
    }

    pub async fn of(account: &Account, path: &str) -> Stream {
        Stream::open(account.request(Method::GET, path)).await
    }

    /// Returns the next event; none when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        timeout(PATIENCE, self.read())
            .await
            .expect("something comes")
    }

    /// Waits for the next event.
    async fn beat(&mut self) -> Event {
        self.read().await.expect("the stream goes on")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start_matches(' ').to_owned())
                };
                let event = Event {
                    name: field("event:").unwrap(),
                    id: field("id:"),
                    data: serde_json::from_str(&field("data:").unwrap()).unwrap(),
                };
                self.text = rest.to_owned();
                return Some(event);
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    pub async fn changes(&mut self) -> Event {
        let mut event = self.next().await.expect("the stream goes on");
        while event.name == "heartbeat" {
            // On a machine that takes half a minute for it.
            event = self.next().await.expect("the stream goes on");
        }
        assert_eq!(event.name, "changes", "{event:?}");
        assert_eq!(event.id.as_deref(), event.data["syncedUntil"].as_str());
        event
    }
}

fn insert(table: &str, id: &str) -> Value {
    json!({ "table": table, "id": id, "op": "insert", "data": {"title": id} })
}

fn ids(event: &Event) -> Vec<&str> {
    let changes = event.data["changes"].as_array().unwrap();
    changes
        .iter()
        .map(|change| change["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn sync_s11_a_stream_brings_what_is_there_and_what_comes_and_resumes() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let other = server.sign_up("other@example.org", None).await;
    owner
        .push("todo", "laptop", json!([insert("tasks", "t1")]))
        .await;

    let path = "/sync/todo/stream?collections=tasks&clientId=phone";
    let mut stream = Stream::of(&owner, path).await;
    let first = stream.changes().await;
    assert_eq!(
        (ids(&first), &first.data["table"], &first.data["hasMore"]),
        (vec!["t1"], &json!("tasks"), &json!(false))
    );

    other
        .push("todo", "laptop", json!([insert("tasks", "theirs")]))
        .await;
    owner
        .push("todo", "phone", json!([insert("tasks", "own")]))
        .await;
    owner
        .push("todo", "laptop", json!([insert("lists", "l1")]))
        .await;
    owner
        .push("notes", "laptop", json!([insert("tasks", "n1")]))
        .await;
    owner
        .push("todo", "laptop", json!([insert("tasks", "t2")]))
        .await;
    let second = stream.changes().await;
    assert_eq!(ids(&second), ["t2"]);

    let again = owner
        .request(
            Method::GET,
            "/sync/todo/stream?collections=tasks&clientId=phone&since=",
        )
        .header("last-event-id", first.id.unwrap());
    assert_eq!(Stream::open(again).await.changes().await, second);

    let by_cookie = owner
        .http
        .get(format!(
            "{}/sync/todo/stream?since={}",
            owner.base,
            second.id.unwrap()
        ))
        .header("cookie", &owner.cookie);
    let mut by_cookie = Stream::open(by_cookie).await;
    owner
        .push(
            "todo",
            "laptop",
            json!([insert("tasks", "t3"), insert("lists", "l2")]),
        )
        .await;
    let (tasks, lists) = (by_cookie.changes().await, by_cookie.changes().await);
    assert_eq!((ids(&tasks), ids(&lists)), (vec!["t3"], vec!["l2"]));
    assert!(
        tasks.id < lists.id,
        "until the last table is sent, the cursor stays"
    );
}

#[tokio::test]
async fn sync_s11_a_slow_reader_gets_all_of_it() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    let mut stream = Stream::of(&owner, "/sync/todo/stream").await;
    let large = "x".repeat(40_000);
    for n in 0..10 {
        let changes: Vec<_> = (0..40)
            .map(|i| json!({ "table": "tasks", "id": format!("{n}-{i:02}"), "op": "insert", "data": {"notes": large} }))
            .collect();
        owner.push("todo", "laptop", json!(changes)).await;
    }
    // Nobody has read so far; 16 MB wait in the log and not in the server.
    let mut seen = Vec::new();
    while seen.len() < 400 {
        let event = stream.changes().await;
        seen.extend(ids(&event).into_iter().map(str::to_owned));
    }
    let all: Vec<_> = (0..10)
        .flat_map(|n| (0..40).map(move |i| format!("{n}-{i:02}")))
        .collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn sync_s11_a_stream_ends_with_its_right_and_with_the_server() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let with = |token: &str| {
        owner
            .http
            .get(format!("{}/sync/todo/stream", owner.base))
            .bearer_auth(token)
    };
    let mut short = Stream::open(with(&home.token_until(&owner, 2))).await;
    assert_eq!(short.next().await, None, "the token has ended");

    let mut signed_out = Stream::of(&owner, "/sync/todo/stream").await;
    let mut stays = Stream::of(
        &server
            .sign_in("owner@example.org", crate::support::PASSWORD)
            .await
            .unwrap(),
        "/sync/todo/stream",
    )
    .await;
    let (status, _) = owner.post("/auth/logout", json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(signed_out.next().await, None, "signed out");
    assert_error(
        &owner.get("/sync/todo/stream").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );

    server.signal("-TERM");
    assert_eq!(stays.next().await, None, "the server stops");
    assert_eq!(server.ended().await.code(), Some(0));
}

/// Takes half a minute, the time of a heartbeat.
#[tokio::test]
async fn sync_s11_a_quiet_stream_says_twice_a_minute_that_it_lives_and_where_it_is() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    let pushed = owner
        .push("todo", "phone", json!([insert("tasks", "own")]))
        .await;
    let mut stream = Stream::of(&owner, "/sync/todo/stream?clientId=phone").await;
    let beat = timeout(2 * PATIENCE, stream.beat()).await.unwrap();
    assert_eq!(beat.name, "heartbeat");
    assert_eq!(
        beat.id.as_deref(),
        pushed["syncedUntil"].as_str(),
        "what was passed over is passed"
    );
    assert!(beat.data["serverTime"].is_string());
}

#[tokio::test]
async fn sync_s11_what_is_wrong_is_said_before_the_stream() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    assert_error(
        &owner.get("/sync/todo/stream?since=1").await,
        StatusCode::BAD_REQUEST,
        "invalid_cursor",
    );
    assert_error(
        &server.get("/sync/todo/stream").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
}

#[tokio::test]
async fn sync_s12_too_many_connections_and_pushes_are_refused_with_a_time_to_come_back() {
    let home = Home::new(&[
        ("MANA_SIGNUP", "open"),
        ("MANA_CONNECTIONS_PER_USER", "2"),
        ("MANA_PUSHES_PER_MINUTE", "3"),
    ]);
    let (server, owner) = Server::with_owner(&home).await;
    let other = server.sign_up("other@example.org", None).await;
    let stream = Stream::of(&owner, "/sync/todo/stream").await;
    let mut socket = crate::ws::Socket::signed_in(&owner, "/ws", "phone").await;
    let refused = owner
        .request(Method::GET, "/sync/todo/stream")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.headers()["retry-after"], "60");
    assert_error(
        &owner.get("/sync/todo/stream").await,
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_connections",
    );
    let mut third = crate::ws::Socket::open(&server.base, "/ws").await;
    third
        .say(json!({ "type": "auth", "token": owner.token }))
        .await;
    assert_eq!(third.hear().await, Err(4429));
    socket
        .say(json!({ "type": "auth", "token": owner.token }))
        .await;
    assert_eq!(
        socket.hear().await.unwrap()["type"],
        "auth-ok",
        "who is in may renew"
    );
    Stream::of(&other, "/sync/todo/stream").await;
    drop(stream);
    // The server notices on its own time that the stream has gone.
    let again = async {
        loop {
            let answer = owner
                .request(Method::GET, "/sync/todo/stream")
                .send()
                .await
                .unwrap();
            if answer.status() == StatusCode::OK {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("a place comes free");

    let push = |account: &Account, id: &str| {
        let body = json!({ "clientId": "c", "changes": [insert("tasks", id)] });
        send(account.request(Method::POST, "/sync/todo").json(&body))
    };
    for id in ["a", "b", "c"] {
        assert_eq!(push(&owner, id).await.0, StatusCode::OK);
    }
    let refused = owner
        .request(Method::POST, "/sync")
        .json(&json!({ "clientId": "c", "changes": [] }));
    let refused = refused.send().await.unwrap();
    let wait_s: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=21).contains(&wait_s), "{wait_s}");
    assert_error(
        &push(&owner, "d").await,
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
    );
    assert_eq!(
        push(&other, "a").await.0,
        StatusCode::OK,
        "another person has their own"
    );
    assert_eq!(owner.pull("todo", "tasks").await.len(), 3);
}
