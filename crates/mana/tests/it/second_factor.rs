//! The second step of a sign-in.

use reqwest::StatusCode;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::support::{Account, Home, PASSWORD, Server, assert_error, now_s};

const OWNER: &str = "owner@example.org";

/// The code of an app, some steps of 30 s from now.
fn code(secret: &str, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let app = Builder::new().with_secret(secret).build_noncompliant();
    app.generate((now_s() + 30 * steps).unsigned_abs())
        .to_string()
}

/// Codes are taken within a step before and after the present one: a test that shows three must not meet an end.
async fn at_the_beginning_of_a_step() {
    while now_s() % 30 > 15 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Adds a code app. Returns its secret and the recovery codes.
async fn add_app(owner: &Account) -> (String, Vec<String>) {
    let begun = owner
        .post("/auth/second-factor", json!({"password": PASSWORD}))
        .await;
    assert_eq!(begun.0, StatusCode::OK, "{}", begun.1);
    let secret = begun.1["secret"].as_str().unwrap().to_owned();
    let url = begun.1["url"].as_str().unwrap();
    assert!(
        url.starts_with("otpauth://totp/") && url.contains(&secret),
        "{url}"
    );
    let confirm = json!({"code": code(&secret, -1)});
    let (status, confirmed) = owner.post("/auth/second-factor/confirm", confirm).await;
    assert_eq!(status, StatusCode::OK, "{confirmed}");
    let codes = confirmed["recoveryCodes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned());
    (secret, codes.collect())
}

/// The challenge after the right password.
async fn challenge(server: &Server) -> String {
    let asked = server.sign_in(OWNER, PASSWORD).await.err().unwrap();
    assert_error(&asked, StatusCode::UNAUTHORIZED, "second_step_required");
    asked.1["error"]["details"]["challenge"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn step(server: &Server, challenge: &str, proof: Value) -> (StatusCode, Value) {
    let mut body = json!({"challenge": challenge});
    body.as_object_mut()
        .unwrap()
        .extend(proof.as_object().unwrap().clone());
    server.post("/auth/login/code", body).await
}

#[tokio::test]
async fn a_code_is_asked_after_the_password_and_taken_once() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    at_the_beginning_of_a_step().await;
    let wrong = owner
        .post("/auth/second-factor", json!({"password": "not this one"}))
        .await;
    assert_error(&wrong, StatusCode::BAD_REQUEST, "invalid_request");
    let (secret, codes) = add_app(&owner).await;
    assert_eq!(codes.len(), 10);
    let state = owner.get("/auth/second-factor").await.1;
    assert!(state["since"].is_string());
    assert_eq!(state["codesLeft"], 10);

    let first = challenge(&server).await;
    let replayed = step(&server, &first, json!({"code": code(&secret, -1)})).await;
    assert_error(&replayed, StatusCode::UNAUTHORIZED, "code_wrong");
    let now = code(&secret, 0);
    let (status, signed_in) = step(&server, &first, json!({"code": now})).await;
    assert_eq!(status, StatusCode::OK, "{signed_in}");
    assert_eq!(signed_in["userId"], owner.user_id.as_str());
    let replayed = step(&server, &challenge(&server).await, json!({"code": now})).await;
    assert_error(&replayed, StatusCode::UNAUTHORIZED, "code_wrong");
    let sessions = owner.get("/auth/sessions").await.1;
    assert_eq!(sessions[0]["proof"], "code");

    // The challenge opens nothing by itself, and nothing takes its place.
    let as_bearer = server
        .request(reqwest::Method::GET, "/auth/me")
        .bearer_auth(&first);
    assert_eq!(
        as_bearer.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let forged = step(&server, &owner.token, json!({"code": code(&secret, 1)})).await;
    assert_error(&forged, StatusCode::UNAUTHORIZED, "step_expired");
    let neither = step(&server, &first, json!({})).await;
    assert_error(&neither, StatusCode::BAD_REQUEST, "invalid_request");
    let remove = json!({"password": PASSWORD});
    let (status, _) = owner.post("/auth/second-factor/remove", remove).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(server.sign_in(OWNER, PASSWORD).await.is_ok());
    let old = step(&server, &first, json!({"code": code(&secret, 1)})).await;
    assert_error(&old, StatusCode::UNAUTHORIZED, "step_expired");
    server.stop().await;
    let database = std::fs::read(home.data().join("mana.db")).unwrap();
    let holds = |text: &str| {
        database
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(
        !holds(&secret) && !holds(&codes[0]),
        "both are stored sealed or hashed"
    );
    assert!(!home.log().contains(&secret) && !home.log().contains(&codes[0]));
}

#[tokio::test]
async fn a_recovery_code_lets_in_once_and_the_factor_can_be_taken_away() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    at_the_beginning_of_a_step().await;
    let (_, codes) = add_app(&owner).await;
    let written = codes[0].to_uppercase().replace('-', " ");
    let proof = json!({"recoveryCode": written});
    let (status, _) = step(&server, &challenge(&server).await, proof.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let again = step(&server, &challenge(&server).await, proof).await;
    assert_error(&again, StatusCode::UNAUTHORIZED, "code_wrong");
    assert_eq!(owner.get("/auth/second-factor").await.1["codesLeft"], 9);
    let renewed = owner
        .post(
            "/auth/second-factor/recovery-codes",
            json!({"password": PASSWORD}),
        )
        .await;
    assert_eq!(renewed.1["recoveryCodes"].as_array().unwrap().len(), 10);
    let old = step(
        &server,
        &challenge(&server).await,
        json!({"recoveryCode": codes[1]}),
    )
    .await;
    assert_error(&old, StatusCode::UNAUTHORIZED, "code_wrong");

    let reset = home.command(&["user", "reset", OWNER, "--second-factor"]);
    assert!({ reset }.output().await.unwrap().status.success());
    assert!(server.sign_in(OWNER, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn five_wrong_codes_close_the_second_step() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    at_the_beginning_of_a_step().await;
    let (secret, codes) = add_app(&owner).await;
    let challenge = challenge(&server).await;
    for _ in 0..5 {
        let wrong = step(&server, &challenge, json!({"code": "000000"})).await;
        assert_error(&wrong, StatusCode::UNAUTHORIZED, "code_wrong");
    }
    for right in [
        json!({"code": code(&secret, 0)}),
        json!({"recoveryCode": codes[0]}),
    ] {
        let closed = step(&server, &challenge, right).await;
        assert_error(&closed, StatusCode::TOO_MANY_REQUESTS, "rate_limited");
    }
    assert!(
        home.log()
            .contains("Second step of a sign-in failed from 127.0.0.1")
    );
}

#[tokio::test]
async fn a_trusted_device_is_not_asked_until_the_factor_is_another_one() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    at_the_beginning_of_a_step().await;
    let (secret, _) = add_app(&owner).await;
    let body = json!({"challenge": challenge(&server).await, "code": code(&secret, 0), "trustDevice": true});
    let request = server
        .request(reqwest::Method::POST, "/auth/login/code")
        .json(&body);
    let answer = request.send().await.unwrap();
    let set = answer.headers().get_all("set-cookie").iter();
    let trusted = set
        .map(|value| value.to_str().unwrap())
        .find(|set| set.starts_with("mana_trusted="))
        .unwrap();
    assert!(trusted.contains("; Path=/auth; HttpOnly"), "{trusted}");
    let cookie = trusted.split(';').next().unwrap().to_owned();
    let sign_in = async || {
        let body = json!({"email": OWNER, "password": PASSWORD});
        let request = server
            .request(reqwest::Method::POST, "/auth/login")
            .json(&body);
        request
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(sign_in().await, StatusCode::OK);
    let change = json!({"currentPassword": PASSWORD, "newPassword": "a kite over the harbour"});
    assert_eq!(owner.post("/auth/password", change).await.0, StatusCode::OK);
    let back = json!({"currentPassword": "a kite over the harbour", "newPassword": PASSWORD});
    assert_eq!(owner.post("/auth/password", back).await.0, StatusCode::OK);
    assert_eq!(
        sign_in().await,
        StatusCode::UNAUTHORIZED,
        "the password was another one meanwhile"
    );
}

/// A push that may be refused.
async fn push(account: &Account, id: &str) -> (StatusCode, Value) {
    let change = json!({"table": "tasks", "id": id, "op": "insert", "data": {"title": id}});
    let body = json!({"clientId": "c", "changes": [change]});
    account.post("/sync/todo", body).await
}

async fn set_rule(owner: &Account, from: Value) -> (StatusCode, Value) {
    let request = owner.request(reqwest::Method::PUT, "/auth/second-factor-rule");
    crate::support::send(request.json(&json!({"from": from}))).await
}

#[tokio::test]
async fn everyone_needs_a_second_factor_from_the_time_that_an_owner_sets() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let friend = server.sign_up("friend@example.org", None).await;
    let refused = set_rule(&friend, json!("2020-01-01T00:00:00Z")).await;
    assert_error(&refused, StatusCode::FORBIDDEN, "owner_only");
    let refused = set_rule(&owner, json!("2020-01-01T00:00:00Z")).await;
    assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_request");
    at_the_beginning_of_a_step().await;
    add_app(&owner).await;
    let refused = set_rule(&owner, json!("soon")).await;
    assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_request");

    // Announced: nobody is kept out yet.
    let later = "2099-01-01T00:00:00.000000Z";
    assert_eq!(
        set_rule(&owner, json!(later)).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(push(&friend, "a").await.0, StatusCode::OK);
    assert_eq!(
        friend.get("/auth/me").await.1["secondFactorNeededFrom"],
        later
    );
    assert_eq!(
        owner.get("/auth/me").await.1.get("secondFactorNeededFrom"),
        None
    );
    assert_eq!(owner.get("/auth/people").await.1["secondFactorFrom"], later);

    // In force: for the session that is there, and for a new one.
    let past = json!("2020-01-01T00:00:00Z");
    assert_eq!(set_rule(&owner, past).await.0, StatusCode::NO_CONTENT);
    let anew = server
        .sign_in("friend@example.org", PASSWORD)
        .await
        .unwrap();
    for session in [&friend, &anew] {
        let refused = push(session, "b").await;
        assert_error(&refused, StatusCode::FORBIDDEN, "second_factor_required");
        for read in [
            "/sync/todo/pull?collection=tasks",
            "/modules",
            "/ai/missions/m/runs",
        ] {
            let refused = session.get(read).await;
            assert_error(&refused, StatusCode::FORBIDDEN, "second_factor_required");
        }
        assert_eq!(session.get("/auth/me").await.0, StatusCode::OK);
        assert_eq!(session.get("/auth/sessions").await.0, StatusCode::OK);
    }
    let by_cookie = anew.by_cookie(reqwest::Method::GET, "/modules").await;
    assert_error(&by_cookie, StatusCode::FORBIDDEN, "second_factor_required");
    assert_eq!(push(&owner, "o").await.0, StatusCode::OK);

    // Once it is added, everything goes on at once, in both sessions; once it is removed, nothing does.
    at_the_beginning_of_a_step().await;
    add_app(&anew).await;
    assert_eq!(push(&friend, "b").await.0, StatusCode::OK);
    assert_eq!(push(&anew, "c").await.0, StatusCode::OK);
    let remove = json!({"password": PASSWORD});
    let (status, _) = anew.post("/auth/second-factor/remove", remove).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let refused = push(&friend, "d").await;
    assert_error(&refused, StatusCode::FORBIDDEN, "second_factor_required");

    // The rule outlives a restart, and an owner takes it back.
    server.stop().await;
    let server = home.start().await;
    let at = |account: &Account| Account {
        base: server.base.clone(),
        ..account.clone()
    };
    let (owner, friend) = (at(&owner), at(&friend));
    let refused = push(&friend, "d").await;
    assert_error(&refused, StatusCode::FORBIDDEN, "second_factor_required");
    assert_eq!(
        set_rule(&owner, Value::Null).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(push(&friend, "d").await.0, StatusCode::OK);
    let log = owner.get("/auth/audit").await.1;
    let entries = log["entries"].as_array().unwrap();
    let rules: Vec<_> = entries
        .iter()
        .filter(|entry| entry["event"] == "factor-rule-changed")
        .map(|entry| entry["detail"].as_str().unwrap())
        .collect();
    assert_eq!(rules.len(), 3, "{rules:?}");
    assert_eq!(rules[0], "off");
}

#[tokio::test]
async fn an_owner_asks_a_person_for_a_second_factor() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let friend = server.sign_up("friend@example.org", None).await;
    let address = format!("/auth/people/{}/second-factor-request", friend.user_id);
    let refused = friend.post(&address, json!({})).await;
    assert_error(&refused, StatusCode::FORBIDDEN, "owner_only");
    assert_eq!(
        friend.get("/auth/me").await.1.get("secondFactorAskedAt"),
        None
    );
    let (status, _) = owner.post(&address, json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(friend.get("/auth/me").await.1["secondFactorAskedAt"].is_string());
    let people = owner.get("/auth/people").await.1;
    assert!(
        people["people"][1]["secondFactorAskedAt"].is_string(),
        "{people}"
    );
    assert_eq!(people["people"][0].get("secondFactorAskedAt"), None);

    // A person who has one is not asked, and the request is gone.
    at_the_beginning_of_a_step().await;
    add_app(&friend).await;
    assert_eq!(
        friend.get("/auth/me").await.1.get("secondFactorAskedAt"),
        None
    );
    let people = owner.get("/auth/people").await.1;
    assert_eq!(people["people"][1].get("secondFactorAskedAt"), None);
    let refused = owner.post(&address, json!({})).await;
    assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_request");
    let nobody = owner
        .post("/auth/people/nobody/second-factor-request", json!({}))
        .await;
    assert_error(&nobody, StatusCode::NOT_FOUND, "not_found");
}
