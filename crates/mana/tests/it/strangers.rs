//! Load from strangers and from other members of the server.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Account, Home, PASSWORD, Server, assert_error, send};

/// No peer of these tests is a trusted proxy, as behind no proxy at all.
const NO_PROXY: (&str, &str) = ("MANA_TRUSTED_PROXIES", "192.0.2.1");

async fn connect(server: &Server) -> TcpStream {
    let address = server.base.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

async fn all(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

fn tasks(count: usize) -> Vec<Value> {
    let task = |n| json!({"table": "tasks", "id": format!("t{n}"), "op": "insert", "data": {"title": "x"}});
    (0..count).map(task).collect()
}

#[tokio::test]
async fn bodies_of_strangers_are_small_and_quick() {
    let home = Home::new(&[NO_PROXY]);
    let (server, _) = Server::with_owner(&home).await;
    for path in ["/auth/login", "/auth/signup"] {
        let body = json!({"email": "a@example.org", "password": "x".repeat(16 * 1024)});
        let answer = server.post(path, body).await;
        assert_error(&answer, StatusCode::PAYLOAD_TOO_LARGE, "too_large");
        assert_eq!(answer.1["error"]["details"]["maxBytes"], 16 * 1024);
    }
    // A body that is announced and does not come is not waited for longer than its bound.
    let began = Instant::now();
    let mut answers = Vec::new();
    for length in [9_900_038, 100] {
        let mut stream = connect(&server).await;
        let head = format!(
            "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        answers.push(tokio::spawn(all(stream)));
    }
    for (answer, status) in answers.into_iter().zip(["413", "408"]) {
        let said = answer.await.unwrap();
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
    }
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    server.stop().await;
}

#[tokio::test]
async fn limits_of_an_address_are_taken_before_its_bodies_are_read() {
    let home = Home::new(&[NO_PROXY]);
    let (server, _) = Server::with_owner(&home).await;
    let mut refused = 0;
    for _ in 0..70 {
        let request = server.request(Method::POST, "/auth/login");
        let answer = send(request.header("content-type", "application/json").body("{")).await;
        refused += usize::from(answer.0 == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(
        refused >= 5,
        "unreadable bodies count as attempts: {refused}"
    );
    server.stop().await;
}

#[tokio::test]
async fn idle_connections_of_a_stranger_keep_nobody_out() {
    let home = Home::new(&[NO_PROXY]);
    let (server, _) = Server::with_owner(&home).await;
    let mut idle = Vec::new();
    for _ in 0..700 {
        idle.push(connect(&server).await);
    }
    let began = Instant::now();
    assert_eq!(server.get("/health").await.0, StatusCode::OK);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    // The oldest were closed for the newest.
    assert_eq!(all(idle.remove(0)).await, "");
    drop(idle);
    server.stop().await;
}

#[tokio::test]
async fn guessing_at_an_account_locks_neither_its_device_nor_other_addresses_out() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let sign_in = async |from: &str, password: &str, cookie: Option<&str>| {
        let mut request = server
            .request(Method::POST, "/auth/login")
            .header("x-forwarded-for", from)
            .json(&json!({"email": "owner@example.org", "password": password}));
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    };
    let first = sign_in("192.0.2.1", PASSWORD, None).await;
    let cookies = first.headers().get_all("set-cookie").iter();
    let device = cookies
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .find(|cookie| cookie.starts_with("mana_device="))
        .expect("a device's cookie")
        .to_owned();
    for _ in 0..12 {
        sign_in("192.0.2.9", "wrong password", None).await;
    }
    let at_the_guesser = sign_in("192.0.2.9", PASSWORD, None).await.status();
    assert_eq!(at_the_guesser, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(sign_in("192.0.2.2", PASSWORD, None).await.status(), 200);
    assert_eq!(
        sign_in("192.0.2.9", PASSWORD, Some(&device)).await.status(),
        200
    );

    // Many addresses together exhaust the account for strangers, not for its device.
    for host in 10..30 {
        for _ in 0..6 {
            // Too long to be anybody's, so that no time is spent on hashing it.
            sign_in(&format!("198.51.100.{host}"), &"x".repeat(2000), None).await;
        }
    }
    let stranger = sign_in("203.0.113.1", PASSWORD, None).await.status();
    assert_eq!(stranger, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        sign_in("203.0.113.1", PASSWORD, Some(&device))
            .await
            .status(),
        200
    );
    // The cookie opens nothing.
    let by_device = server
        .request(Method::GET, "/auth/me")
        .header("cookie", &device);
    assert_error(
        &send(by_device).await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
    let token = device.strip_prefix("mana_device=").unwrap();
    let as_bearer = server.request(Method::GET, "/auth/me").bearer_auth(token);
    assert_error(
        &send(as_bearer).await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
    drop(owner);
    server.stop().await;
}

#[tokio::test]
async fn sync_s12_a_push_has_at_most_a_thousand_changes() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    for count in [1001, 90_000] {
        let body = json!({"clientId": "c", "changes": tasks(count)});
        let answer = owner.post("/sync/todo", body).await;
        assert_error(&answer, StatusCode::PAYLOAD_TOO_LARGE, "too_large");
        assert_eq!(answer.1["error"]["details"]["maxChanges"], 1000);
    }
    owner.push("todo", "c", json!(tasks(1000))).await;
    server.stop().await;
}

#[tokio::test]
async fn sync_s12_a_person_who_overloads_is_refused_and_a_neighbour_is_not() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let neighbour = server.sign_up("neighbour@example.org", None).await;
    let text = json!({"clientId": "c", "changes": tasks(1000)}).to_string();
    let mut pushes = Vec::new();
    for n in 0..60 {
        let request = owner
            .request(Method::POST, "/sync/todo")
            .header("content-type", "application/json")
            .header("x-client-id", format!("c{n}"))
            .body(text.clone());
        pushes.push(tokio::spawn(async move { request.send().await.unwrap() }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for n in 0..5 {
        one_push(&neighbour, n).await;
    }
    let mut busy = 0;
    for push in pushes {
        let answer = push.await.unwrap();
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            assert!(answer.headers().contains_key("retry-after"));
            busy += 1;
        } else {
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
    assert!(busy > 0, "the person who overloads is told so");
    server.stop().await;
}

async fn one_push(neighbour: &Account, n: usize) {
    let task =
        json!([{"table": "tasks", "id": format!("n{n}"), "op": "insert", "data": {"title": "x"}}]);
    let began = Instant::now();
    neighbour.push("todo", "n", task).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn sync_s13_a_device_signs_neither_as_the_server_nor_as_its_runner() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let iteration = |source: Option<&str>| {
        let mut one = json!({"id": "x", "startedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:01Z",
            "plan": [{"id": "s", "index": 0, "summary": "Tidy up", "rationale": "You asked for it",
                "status": "planned",
                "intent": {"kind": "toolCall", "toolName": "delete_task", "params": {"taskId": "t1"}}}]});
        if let Some(source) = source {
            one["source"] = json!(source);
            one["updatedAt"] = json!("2026-01-01T00:00:02Z");
        }
        json!([{"table": "aiMissions", "id": "m", "op": "update", "fields": {"iterations": {"value": [one]}}}])
    };
    owner.push("ai", "c", iteration(None)).await;
    let body = json!({"clientId": "c", "changes": iteration(Some("server"))});
    let answer = owner.post("/sync/ai", body).await;
    assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
    assert_eq!(answer.1["error"]["details"]["index"], 0);
    let actor = json!({"kind": "system", "source": "projection"});
    let forged = json!([{"table": "tasks", "id": "t", "op": "delete", "actor": actor}]);
    let answer = owner
        .post("/sync/todo", json!({"clientId": "c", "changes": forged}))
        .await;
    assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
    server.stop().await;
}

#[tokio::test]
async fn sync_s12_a_member_keeps_no_more_than_the_owner_allows() {
    let home = Home::new(&[
        ("MANA_SIGNUP", "open"),
        ("MANA_MEMBER_MB", "1"),
        ("MANA_MEMBER_RECORDS", "1200"),
    ]);
    let (server, owner) = Server::with_owner(&home).await;
    let member = server.sign_up("member@example.org", None).await;
    let long = |id: &str| json!([{"table": "notes", "id": id, "op": "insert", "data": {"body": "x".repeat(600_000)}}]);
    member.push("todo", "c", json!(tasks(1000))).await;
    let more: Vec<Value> = (0..300)
        .map(|n| json!({"table": "tasks", "id": format!("m{n}"), "op": "insert", "data": {"title": "x"}}))
        .collect();
    let answer = member
        .post("/sync/todo", json!({"clientId": "c", "changes": more}))
        .await;
    assert_error(&answer, StatusCode::INSUFFICIENT_STORAGE, "member_limit");
    assert_eq!(answer.1["error"]["details"]["measure"], "records");
    member.push("notes", "c", long("a")).await;
    let answer = member
        .post(
            "/sync/notes",
            json!({"clientId": "c", "changes": long("b")}),
        )
        .await;
    assert_error(&answer, StatusCode::INSUFFICIENT_STORAGE, "member_limit");
    assert_eq!(answer.1["error"]["details"]["measure"], "bytes");
    let removal = json!([{"table": "notes", "id": "a", "op": "delete"}]);
    member.push("notes", "c", removal).await;
    for id in ["a", "b", "c"] {
        owner.push("notes", "c", long(id)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn sync_s12_a_members_limit_counts_what_a_push_really_adds() {
    let home = Home::new(&[("MANA_SIGNUP", "open"), ("MANA_MEMBER_RECORDS", "3")]);
    let (server, _owner) = Server::with_owner(&home).await;
    let member = server.sign_up("member@example.org", None).await;
    let change = |op: &str, id: &str| match op {
        "update" => {
            json!({"table": "tasks", "id": id, "op": op, "fields": {"title": {"value": "x"}}})
        }
        "insert" => json!({"table": "tasks", "id": id, "op": op, "data": {"title": "x"}}),
        _ => json!({"table": "tasks", "id": id, "op": op}),
    };
    member
        .push(
            "todo",
            "c",
            json!([change("update", "a"), change("insert", "b")]),
        )
        .await;
    let refused = async |changes: Value| {
        let answer = member
            .post("/sync/todo", json!({"clientId": "c", "changes": changes}))
            .await;
        assert_error(&answer, StatusCode::INSUFFICIENT_STORAGE, "member_limit");
        let details = &answer.1["error"]["details"];
        assert_eq!(
            (&details["measure"], &details["limit"]),
            (&json!("records"), &json!(3))
        );
    };
    for op in ["insert", "update", "delete"] {
        refused(json!([change(op, "x"), change(op, "y")])).await;
    }
    // Records that are there count no further, and what was refused counts not at all.
    for _ in 0..5 {
        member
            .push(
                "todo",
                "c",
                json!([change("update", "a"), change("update", "b")]),
            )
            .await;
    }
    member
        .push("todo", "c", json!([change("delete", "c")]))
        .await;
    refused(json!([change("delete", "d")])).await;
    member
        .push("todo", "c", json!([change("delete", "a")]))
        .await;
    server.stop().await;
}
