//! The loop: a due mission becomes an iteration exactly once, even across crashes.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::process::BOOKS;
use crate::support::{Account, Home, Server, assert_error, send};
use crate::upstream::{Upstream, never, plans, says, step};
use crate::ws::Socket;

/// Pushes a mission that was due a minute ago, and is again tomorrow. Returns the due slot.
pub async fn push_due_mission(account: &Account, id: &str, title: &str) -> String {
    let due = mana_core::Micros::from_millis(now_ms() - 60_000);
    let data = json!({
        "title": title, "conceptMarkdown": format!("- {title}"), "objective": "To be done with it.", "inputs": [],
        "cadence": { "kind": "interval", "everyMinutes": 1440 }, "timezone": "Europe/Berlin", "state": "active",
        "nextRunAt": due, "overlap": "allow", "iterations": [],
    });
    let change = json!([{ "table": "aiMissions", "id": id, "op": "insert", "data": data }]);
    account.push("ai", "laptop", change).await;
    format!("due:{}", due.millis())
}

pub fn now_ms() -> i64 {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since_epoch.as_millis()).unwrap()
}

/// Whether the next run lies ahead.
pub fn moved_on(next: &Value) -> bool {
    next.as_str()
        .is_some_and(|next| mana_core::Micros::parse(next).unwrap().millis() > now_ms())
}

/// Returns the mission's iterations, oldest first, and its next run.
pub async fn mission(account: &Account, id: &str) -> (Vec<Value>, Value) {
    let mut iterations: Vec<Value> = Vec::new();
    let mut next = Value::Null;
    for change in account
        .pull("ai", "aiMissions")
        .await
        .iter()
        .filter(|change| change["id"] == id)
    {
        let written = |field: &str| match &change["fields"][field]["value"] {
            Value::Null => change["data"][field].clone(),
            value => value.clone(),
        };
        for iteration in written("iterations").as_array().into_iter().flatten() {
            iterations.retain(|known| known["id"] != iteration["id"]);
            iterations.push(iteration.clone());
        }
        if change["fields"].get("nextRunAt").is_some() {
            next = written("nextRunAt");
        }
    }
    (iterations, next)
}

/// Returns the only iteration of the due slot, which must have succeeded.
async fn assert_planned_once(account: &Account, id: &str, slot: &str) -> Value {
    let (iterations, next) = mission(account, id).await;
    assert_eq!(iterations.len(), 1, "{iterations:?}");
    let iteration = &iterations[0];
    assert_eq!(iteration["slot"], slot);
    assert_eq!(iteration["error"], Value::Null, "{iteration}");
    assert!(moved_on(&next), "the next run moved on: {next}");
    iteration.clone()
}

fn good() -> wiremock::ResponseTemplate {
    plans(json!([step("Buy milk", "The fridge is empty.")]))
}

#[tokio::test]
async fn mission_due_becomes_an_iteration_with_a_rationale() {
    let mut model = Upstream::new().await;
    model.answers("Weekly shopping", good()).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let slot = push_due_mission(&owner, "m1", "Weekly shopping").await;
    let mut phone = Socket::signed_in(&owner, "/ws/ai", "phone").await;

    let (status, report) = server.tick(&home.service_key()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(report["dueMissionCount"], 1, "{report}");
    assert_eq!(report["plansWrittenBack"], 1, "{report}");
    assert_eq!(report["errors"], json!([]), "{report}");

    let iteration = assert_planned_once(&owner, "m1", &slot).await;
    assert_eq!(iteration["source"], "server");
    let planned = &iteration["plan"][0];
    assert_eq!(
        planned["intent"],
        json!({ "kind": "toolCall", "toolName": "create_task", "params": { "title": "Buy milk" } })
    );
    assert_eq!(planned["rationale"], "The fridge is empty.");
    assert_eq!(planned["status"], "planned");
    let asked = model.asked().await;
    assert_eq!(asked["model"], "test-model");

    let mut heard = Vec::new();
    while !heard
        .iter()
        .any(|message: &Value| message["type"] == "sync-available")
    {
        heard.push(phone.hear().await.unwrap());
    }
    let told = heard
        .iter()
        .any(|message| message["type"] == "run" && message["iterationId"] == iteration["id"]);
    assert!(told, "{heard:?}");
    let (_, runs) = owner.get("/ai/missions/m1/runs").await;
    assert_eq!(runs["runs"][0]["status"], "ran");
    assert_eq!(runs["runs"][0]["id"], iteration["id"]);

    let (_, second) = server.tick(&home.service_key()).await;
    assert_eq!(second["dueMissionCount"], 0, "{second}");
    assert_planned_once(&owner, "m1", &slot).await;
    assert_eq!(model.asked_unseen(), 0);
    server.stop().await;
    for secret in [
        "Weekly shopping",
        "Buy milk",
        "hunter2",
        owner.token.as_str(),
        "owner@example.org",
    ] {
        assert!(
            !home.log().contains(secret),
            "{secret} is in the log: {}",
            home.log()
        );
    }
}

#[tokio::test]
async fn mission_two_ticks_at_once_one_says_so() {
    let mut model = Upstream::new().await;
    model
        .answers("Shopping", good().set_delay(Duration::from_millis(500)))
        .await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let slot = push_due_mission(&owner, "m1", "Shopping").await;
    let key = home.service_key();
    let first = server.tick(&key);
    let second = async {
        model.asked().await;
        assert_eq!(server.get("/health").await.1["tick"]["running"], true);
        server.tick(&key).await
    };
    let ((_, first), (status, second)) = tokio::join!(first, second);
    assert_eq!(status, StatusCode::OK);
    assert_eq!(second["errors"], json!(["overlap-skipped"]));
    assert_eq!(first["plansWrittenBack"], 1, "{first}");
    assert_planned_once(&owner, "m1", &slot).await;
}

#[tokio::test]
async fn mission_killed_between_plan_and_write_is_planned_once() {
    let mut model = Upstream::new().await;
    model.answers("Shopping", never()).await;
    let home = model.home(&[]);
    let (server, mut owner) = Server::with_owner(&home).await;
    let slot = push_due_mission(&owner, "m1", "Shopping").await;
    let request = server
        .request(Method::POST, "/internal/tick")
        .header("x-service-key", home.service_key());
    let tick = tokio::spawn(request.send());
    model.asked().await;
    server.kill().await;
    assert!(tick.await.unwrap().is_err(), "nobody is left to answer");

    model.reset().await;
    model.answers("Shopping", good()).await;
    let server = home.start().await;
    owner.base.clone_from(&server.base);
    assert_eq!(
        mission(&owner, "m1").await.0,
        Vec::<Value>::new(),
        "a run that is under way is not in the log"
    );
    let (_, report) = server.tick(&home.service_key()).await;
    assert_eq!(report["plansWrittenBack"], 1, "{report}");
    assert_planned_once(&owner, "m1", &slot).await;
}

#[tokio::test]
async fn mission_killed_right_after_the_write_is_planned_once() {
    let mut model = Upstream::new().await;
    model.answers("Shopping", good()).await;
    let home = model.home(&[]);
    let (server, mut owner) = Server::with_owner(&home).await;
    let slot = push_due_mission(&owner, "m1", "Shopping").await;
    let mut phone = Socket::signed_in(&owner, "/ws/ai", "phone").await;
    let request = server
        .request(Method::POST, "/internal/tick")
        .header("x-service-key", home.service_key());
    let tick = tokio::spawn(request.send());
    while phone.hear().await.unwrap()["type"] != "sync-available" {}
    server.kill().await;
    let _ = tick.await.unwrap();
    model.asked().await;

    let server = home.start().await;
    owner.base.clone_from(&server.base);
    assert_planned_once(&owner, "m1", &slot).await;
    let (_, report) = server.tick(&home.service_key()).await;
    assert_eq!(report["plansWrittenBack"], 0, "{report}");
    assert_planned_once(&owner, "m1", &slot).await;
    assert_eq!(model.asked_unseen(), 0, "the model is not asked again");
}

#[tokio::test]
async fn mission_stopped_during_a_run_is_planned_once_later() {
    let mut model = Upstream::new().await;
    model.answers("Shopping", never()).await;
    let home = model.home(&[]);
    let (server, mut owner) = Server::with_owner(&home).await;
    let slot = push_due_mission(&owner, "m1", "Shopping").await;
    let request = server
        .request(Method::POST, "/internal/tick")
        .header("x-service-key", home.service_key());
    let tick = tokio::spawn(request.send());
    model.asked().await;
    server.stop().await;
    let _ = tick.await.unwrap();

    model.reset().await;
    model.answers("Shopping", good()).await;
    let server = home.start().await;
    owner.base.clone_from(&server.base);
    let (_, report) = server.tick(&home.service_key()).await;
    assert_eq!(report["plansWrittenBack"], 1, "{report}");
    assert_planned_once(&owner, "m1", &slot).await;
}

#[tokio::test]
async fn mission_due_runs_by_itself_while_nobody_is_there() {
    let model = Upstream::new().await;
    model.answers("Shopping", good()).await;
    let home = model.home(&[("TICK_ENABLED", "true")]);
    let (_server, owner) = Server::with_owner(&home).await;
    let mut phone = Socket::signed_in(&owner, "/ws/ai", "phone").await;
    let slot = push_due_mission(&owner, "m1", "Shopping").await;
    // The laptop's own push, then the runner's, or both in one notice.
    while mission(&owner, "m1").await.0.is_empty() {
        while phone.hear().await.unwrap()["type"] != "sync-available" {}
    }
    assert_planned_once(&owner, "m1", &slot).await;
}

#[tokio::test]
async fn mission_runs_now_and_asking_twice_is_asking_once() {
    let mut model = Upstream::new().await;
    model.answers("Shopping", good()).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Shopping").await;
    let mut phone = Socket::signed_in(&owner, "/ws", "phone").await;
    let slot = "run:0190a0b0-0000-7000-8000-000000000001";
    let (status, accepted) = owner
        .post("/ai/missions/m1/run", json!({ "slot": slot }))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    assert_eq!(accepted["slot"], slot);
    loop {
        let heard = phone.hear().await.unwrap();
        if heard["type"] == "run" && heard["phase"] == "finished" {
            assert_eq!(heard["iterationId"], accepted["iterationId"]);
            break;
        }
    }
    let again = owner
        .post("/ai/missions/m1/run", json!({ "slot": slot }))
        .await;
    assert_eq!(again, (status, accepted.clone()));
    // Whatever was queued has had its turn once another run has ended.
    let (status, other) = send(owner.request(Method::POST, "/ai/missions/m1/run")).await;
    assert_eq!(
        status,
        StatusCode::ACCEPTED,
        "a body is not needed: {other}"
    );
    loop {
        let heard = phone.hear().await.unwrap();
        if heard["type"] == "run"
            && heard["phase"] == "finished"
            && heard["iterationId"] == other["iterationId"]
        {
            break;
        }
    }
    let (iterations, _) = mission(&owner, "m1").await;
    let of_slot = iterations
        .iter()
        .filter(|iteration| iteration["slot"] == slot)
        .count();
    assert_eq!((of_slot, iterations.len()), (1, 2), "{iterations:?}");
    model.asked().await;
    model.asked().await;
    assert_eq!(model.asked_unseen(), 0);

    assert_error(
        &owner.post("/ai/missions/none/run", json!({})).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    let future = owner
        .post(
            "/ai/missions/m1/run",
            json!({ "slot": "due:99999999999999" }),
        )
        .await;
    assert_error(&future, StatusCode::BAD_REQUEST, "invalid_slot");
    drop(server);
}

#[tokio::test]
async fn mission_may_use_a_dropped_in_module() {
    let model = Upstream::new().await;
    let book = json!({ "summary": "Read it", "toolName": "add_book", "params": { "title": "Solaris" },
        "rationale": "You like the sea." });
    model.answers("add_book", plans(json!([book]))).await;
    let home = model.home(&[]);
    home.add_module("books.json", BOOKS);
    let (server, owner) = Server::with_owner(&home).await;
    let slot = push_due_mission(&owner, "m1", "Read more").await;
    server.tick(&home.service_key()).await;
    let iteration = assert_planned_once(&owner, "m1", &slot).await;
    assert_eq!(
        iteration["plan"][0]["intent"]["toolName"], "add_book",
        "{iteration}"
    );
}

#[tokio::test]
async fn mission_without_a_model_gets_an_outline_that_says_so() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let slot = push_due_mission(&owner, "m1", "Shopping").await;
    let (_, report) = server.tick(&home.service_key()).await;
    assert_eq!(report["plansWrittenBack"], 1, "{report}");
    let iteration = assert_planned_once(&owner, "m1", &slot).await;
    assert_eq!(iteration["model"], "builtin/outline");
    let (_, info) = owner.get("/app/info").await;
    assert_eq!(info["model"]["outline"], true, "{info}");
    assert_eq!(info["model"]["mana/reasoning"], "builtin/outline");
}

#[tokio::test]
async fn tick_needs_the_service_key() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let key = home.service_key();
    for wrong in ["", "wrong", &key[1..], &owner.token] {
        assert_error(
            &server.tick(wrong).await,
            StatusCode::UNAUTHORIZED,
            "unauthorized",
        );
    }
    let missing = server.post("/internal/tick", json!({})).await;
    assert_error(&missing, StatusCode::UNAUTHORIZED, "unauthorized");
    let bearer = server
        .request(Method::POST, "/internal/tick")
        .bearer_auth(&key);
    assert_eq!(
        send(bearer).await.0,
        StatusCode::UNAUTHORIZED,
        "the header is its own"
    );
}

#[tokio::test]
async fn gateway_answers_whoever_has_a_bearer() {
    let mut model = Upstream::new().await;
    model.answers("Hello", says("Hi there")).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let body =
        json!({ "model": "mana/reasoning", "messages": [{ "role": "user", "content": "Hello" }] });
    for bearer in [owner.token.clone(), home.service_key()] {
        let request = server
            .request(Method::POST, "/v1/chat/completions")
            .bearer_auth(bearer)
            .json(&body);
        let (status, answer) = send(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["choices"][0]["message"]["content"], "Hi there");
        model.asked().await;
    }
    let refused = server.post("/v1/chat/completions", body).await;
    assert_eq!(refused.0, StatusCode::UNAUTHORIZED);
    assert!(refused.1["error"]["type"].is_string(), "{refused:?}");
    let (status, models) = owner.get("/v1/models").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        models["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == "builtin/outline"),
        "{models}"
    );
}
