//! A run as its person sees it: its phases, its cancellation, its debug record; and its meters as the operator sees
//! them.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::missions::push_due_mission;
use crate::support::{Account, Home, PATIENCE, Server, assert_error, send};
use crate::upstream::{Upstream, never, plans, step};
use crate::ws::Socket;

/// Returns the mission's runs, once they are as expected.
async fn runs_when(account: &Account, id: &str, as_wanted: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let (_, runs) = account.get(&format!("/ai/missions/{id}/runs")).await;
            if as_wanted(&runs) {
                return runs;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, wait)
        .await
        .expect("the runs come to that")
}

/// Waits until a run is in this phase.
async fn phase(socket: &mut Socket, phase: &str) -> Value {
    loop {
        let heard = socket.hear().await.unwrap();
        if heard["type"] == "run" && heard["phase"] == phase {
            return heard;
        }
    }
}

#[tokio::test]
async fn run_under_way_is_seen_and_cancelled_from_another_server() {
    let cluster = mana_test_postgres::Cluster::shared();
    let url = cluster.url(&cluster.create());
    let mut model = Upstream::new().await;
    model.answers("Shopping", never()).await;
    let home = model.home(&[("DATABASE_URL", &url), ("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    // It has no runner: what it shows and ends, another server does.
    let beside = Home::new(&[("DATABASE_URL", &url), ("MANA_ROLES", "auth,sync")]);
    let other = beside.start().await;
    let there = Account {
        base: other.base.clone(),
        ..owner.clone()
    };
    let mut phone = Socket::signed_in(&there, "/ws/ai", "phone").await;
    let slot = push_due_mission(&there, "m1", "Shopping").await;
    let (status, accepted) = there
        .post("/ai/missions/m1/run", json!({ "slot": slot }))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED);

    model.asked().await;
    let heard = phase(&mut phone, "thinking").await;
    assert_eq!(
        (&heard["slot"], &heard["missionId"]),
        (&json!(slot), &json!("m1"))
    );
    assert_eq!(heard["iterationId"], accepted["iterationId"]);
    assert!(heard["startedAt"].is_string(), "{heard}");
    let runs = runs_when(&there, "m1", |runs| {
        runs["running"][0]["phase"] == "thinking"
    })
    .await;
    assert_eq!(runs["running"][0]["slot"], slot);
    assert_eq!(runs["runs"], json!([]));

    let stranger = server.sign_up("friend@example.org", None).await;
    let path = format!("/ai/missions/m1/runs/{slot}/cancel");
    assert_error(
        &stranger.post(&path, json!({})).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    let nothing = there
        .post("/ai/missions/m1/runs/due:1/cancel", json!({}))
        .await;
    assert_error(&nothing, StatusCode::NOT_FOUND, "not_found");
    let (status, _) = there.post(&path, json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    phase(&mut phone, "cancelled").await;
    let runs = runs_when(&there, "m1", |runs| runs["runs"][0]["code"] == "cancelled").await;
    assert_eq!(runs["runs"][0]["status"], "skipped");
    assert_eq!(runs["running"], json!([]));
    let again = there.post(&path, json!({})).await;
    assert_error(&again, StatusCode::NOT_FOUND, "not_found");
    other.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn run_requests_of_a_person_are_bounded() {
    let mut model = Upstream::new().await;
    model.answers("Shopping", never()).await;
    let home = model.home(&[("MANA_RUNS_PER_USER", "1")]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Shopping").await;
    let ask = async || owner.post("/ai/missions/m1/run", json!({})).await;
    let mut taken = 0;
    let refused = loop {
        let answer = ask().await;
        if answer.0 != StatusCode::ACCEPTED {
            break answer;
        }
        taken += 1;
        if taken == 1 {
            model.asked().await;
        }
        assert!(taken <= 200, "there is no bound");
    };
    assert_eq!(taken, 200);
    assert_error(&refused, StatusCode::TOO_MANY_REQUESTS, "too_many_runs");
    let waiting = owner.get("/ai/missions/m1/runs").await.1["running"].clone();
    let waits = |run: &&Value| run["phase"] == "queued";
    assert_eq!(
        waiting.as_array().unwrap().iter().filter(waits).count(),
        199
    );
    server.kill().await;
}

#[tokio::test]
async fn run_debug_record_is_its_persons_and_only_if_switched_on() {
    let model = Upstream::new().await;
    let good = plans(json!([step("Buy milk", "The fridge is empty.")]));
    model.answers("Shopping", good).await;
    let home = model.home(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Shopping").await;
    server.tick(&home.service_key()).await;
    let runs = runs_when(&owner, "m1", |runs| runs["runs"][0]["status"] == "ran").await;
    let path = |id: &Value| format!("/ai/missions/m1/runs/{}/debug", id.as_str().unwrap());
    let first = owner.get(&path(&runs["runs"][0]["id"])).await;
    assert_error(&first, StatusCode::NOT_FOUND, "not_found");

    let on = json!([{ "table": "aiSettings", "id": "settings", "op": "insert", "data": {"debug": true} }]);
    owner.push("ai", "phone", on).await;
    let (_, asked) = owner.post("/ai/missions/m1/run", json!({})).await;
    let path = path(&asked["iterationId"]);
    runs_when(&owner, "m1", |runs| {
        runs["runs"].as_array().unwrap().len() == 2
    })
    .await;
    let record = timeout(PATIENCE, async {
        loop {
            // It is kept once the run is written.
            let (status, record) = owner.get(&path).await;
            if status == StatusCode::OK {
                return record;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let record = record.await.expect("the record is kept");
    let round = &record["record"]["rounds"][0];
    assert_eq!(round["tokens"], 3);
    assert!(
        round["answer"]
            .as_str()
            .unwrap()
            .contains("The fridge is empty.")
    );
    assert!(
        round["request"]["messages"]
            .to_string()
            .contains("Shopping")
    );
    assert!(!record.to_string().contains("hunter2"));
    let stranger = server.sign_up("friend@example.org", None).await;
    assert_error(
        &stranger.get(&path).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    let elsewhere = path.replace("m1", "m2");
    assert_error(
        &owner.get(&elsewhere).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    server.stop().await;
}

#[tokio::test]
async fn metrics_count_without_content_and_only_for_the_service_key() {
    let model = Upstream::new().await;
    let good = plans(json!([step("Buy milk", "The fridge is empty.")]));
    model.answers("Weekly shopping", good).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    push_due_mission(&owner, "m2", "Nobody answers").await;
    server.tick(&home.service_key()).await;
    for token in ["", "wrong", &owner.token] {
        let request = server.request(Method::GET, "/metrics").bearer_auth(token);
        assert_error(
            &send(request).await,
            StatusCode::UNAUTHORIZED,
            "unauthorized",
        );
    }
    let request = server.request(Method::GET, "/metrics");
    let answer = request
        .bearer_auth(home.service_key())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    for line in [
        "mana_runs_total{outcome=\"planned\"} 1",
        "mana_runs_total{outcome=\"failed\"} 1",
        "mana_runner_claims_total 2",
        "mana_runner_ticks_total 1",
        "mana_planner_tokens_total 3",
        "mana_runs_under_way 0",
        "mana_llm_calls_total{provider=",
        "mana_run_failures_total{code=",
        "mana_planner_call_seconds_bucket{le=\"0.5\"}",
        "mana_http_seconds_bucket{route=\"/sync/{appId}\",method=\"POST\",le=",
        "mana_sync_listeners 0",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    for content in ["shopping", "Nobody", "milk", "m1", "owner@", "hunter2"] {
        assert!(!text.contains(content), "{content} in {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn runs_are_listed_a_page_at_a_time_newest_first() {
    let model = Upstream::new().await;
    let good = plans(json!([step("Buy milk", "The fridge is empty.")]));
    model.answers("Weekly shopping", good).await;
    let (server, owner) = Server::with_owner(&model.home(&[])).await;
    push_due_mission(&owner, "m1", "Weekly shopping").await;
    for count in 1..=3 {
        owner.post("/ai/missions/m1/run", json!({})).await;
        runs_when(&owner, "m1", |runs| {
            runs["runs"].as_array().unwrap().len() == count
        })
        .await;
    }
    let ids = |page: &Value| -> Vec<String> {
        let runs = page["runs"].as_array().unwrap().iter();
        runs.map(|run| run["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, all) = owner.get("/ai/missions/m1/runs").await;
    assert_eq!((ids(&all).len(), &all["after"]), (3, &Value::Null));
    let mut seen = Vec::new();
    let mut path = "/ai/missions/m1/runs?limit=2".to_owned();
    for expected in [2, 1] {
        let (_, page) = owner.get(&path).await;
        assert_eq!(ids(&page).len(), expected);
        seen.extend(ids(&page));
        let after = page["after"].as_str().unwrap_or_default();
        assert_eq!(after.is_empty(), expected == 1);
        path = format!("/ai/missions/m1/runs?limit=2&after={after}");
    }
    assert_eq!(seen, ids(&all));
    let refused = owner.get("/ai/missions/m1/runs?after=nonsense").await;
    assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_cursor");
    server.stop().await;
}
