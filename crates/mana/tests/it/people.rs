//! Owners' care of people, profiles, the audit log, and leaving.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Account, Home, PASSWORD, Server, assert_error, send};

const MEMBER: &str = "member@example.org";

async fn with_member(home: &Home) -> (Server, Account, Account) {
    let (server, owner) = Server::with_owner(home).await;
    let member = server.sign_up(MEMBER, None).await;
    (server, owner, member)
}

async fn change(owner: &Account, id: &str, change: Value) -> (StatusCode, Value) {
    let path = format!("/auth/people/{id}");
    send(owner.request(Method::PATCH, &path).json(&change)).await
}

fn events(audit: &Value) -> Vec<&str> {
    let entries = audit["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["event"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_owner_sees_people_and_nobody_else_does() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (_server, owner, member) = with_member(&home).await;
    let (status, page) = owner.get("/auth/people").await;
    assert_eq!(status, StatusCode::OK);
    let people = page["people"].as_array().unwrap();
    assert_eq!(people.len(), 2);
    assert_eq!(
        (
            &people[1]["email"],
            &people[1]["role"],
            &people[1]["sessions"]
        ),
        (&json!(MEMBER), &json!("member"), &json!(1))
    );
    assert!(people[1]["seenAt"].is_string());
    let own = format!("/auth/people/{}", member.user_id);
    for (method, path) in [
        (Method::GET, "/auth/people"),
        (Method::GET, "/auth/audit"),
        (Method::PATCH, own.as_str()),
        (Method::DELETE, own.as_str()),
    ] {
        let request = member.request(method, path).json(&json!({"role": "owner"}));
        assert_error(&send(request).await, StatusCode::FORBIDDEN, "owner_only");
    }
}

#[tokio::test]
async fn a_locked_person_is_out_at_once_and_comes_back_when_opened() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner, member) = with_member(&home).await;
    let (status, _) = change(&owner, &member.user_id, json!({"locked": true})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for answer in [
        member.get("/auth/me").await,
        member.by_cookie(Method::POST, "/auth/refresh").await,
        member
            .post("/sync/todo", json!({"clientId": "c", "changes": []}))
            .await,
    ] {
        assert_error(&answer, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let refused = server.sign_in(MEMBER, PASSWORD).await.err().unwrap();
    assert_error(&refused, StatusCode::FORBIDDEN, "account_locked");
    let wrong = server.sign_in(MEMBER, "not this one").await.err().unwrap();
    assert_error(&wrong, StatusCode::UNAUTHORIZED, "wrong_credentials");
    change(&owner, &member.user_id, json!({"locked": false})).await;
    assert!(server.sign_in(MEMBER, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_second_owner_is_made_and_the_last_one_stays() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (_server, owner, member) = with_member(&home).await;
    for last in [json!({"role": "member"}), json!({"locked": true})] {
        let refused = change(&owner, &owner.user_id, last).await;
        assert_error(&refused, StatusCode::CONFLICT, "last_owner");
    }
    let leave = owner
        .post("/auth/delete", json!({"password": PASSWORD}))
        .await;
    assert_error(&leave, StatusCode::CONFLICT, "last_owner");
    change(&owner, &member.user_id, json!({"role": "owner"})).await;
    assert_eq!(member.get("/auth/people").await.0, StatusCode::OK);
    let (status, _) = change(&member, &owner.user_id, json!({"role": "member"})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let refused = owner.get("/auth/people").await;
    assert_error(&refused, StatusCode::FORBIDDEN, "owner_only");
}

#[tokio::test]
async fn limits_of_one_person_hold_for_that_person() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (_server, owner, member) = with_member(&home).await;
    let task = |id: &str| {
        json!({"clientId": "c", "changes": [
            {"table": "tasks", "id": id, "op": "insert", "data": {"title": id}}]})
    };
    assert_eq!(member.post("/sync/todo", task("a")).await.0, StatusCode::OK);
    change(&owner, &member.user_id, json!({"limits": {"records": 1}})).await;
    let refused = member.post("/sync/todo", task("b")).await;
    assert_error(&refused, StatusCode::INSUFFICIENT_STORAGE, "member_limit");
    let listed = owner.get("/auth/people").await.1;
    assert_eq!(listed["people"][1]["limits"], json!({"records": 1}));
    change(&owner, &member.user_id, json!({"limits": null})).await;
    assert_eq!(member.post("/sync/todo", task("b")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn who_leaves_leaves_nothing_and_the_password_is_asked() {
    let home = Home::new(&[("MANA_SIGNUP", "open"), ("TICK_ENABLED", "true")]);
    let (server, owner, member) = with_member(&home).await;
    let secret = "a title that nobody else has";
    member
        .push(
            "todo",
            "c",
            json!([{"table": "tasks", "id": "t", "op": "insert", "data": {"title": secret}}]),
        )
        .await;
    member
        .push(
            "ai",
            "c",
            json!([{"table": "aiMissions", "id": "m", "op": "insert", "data": {"title": secret,
                "state": "active", "cadence": {"kind": "interval", "everyMinutes": 1}}}]),
        )
        .await;
    let wrong = member
        .post("/auth/delete", json!({"password": "not this one"}))
        .await;
    assert_error(&wrong, StatusCode::BAD_REQUEST, "invalid_request");
    assert_eq!(member.get("/auth/me").await.0, StatusCode::OK);
    let left = member
        .request(Method::POST, "/auth/delete")
        .json(&json!({"password": PASSWORD}));
    let left = left.send().await.unwrap();
    assert_eq!(left.status(), StatusCode::NO_CONTENT);
    assert_eq!(left.headers()["clear-site-data"], r#""cache", "storage""#);

    assert_error(
        &member.get("/auth/me").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
    let late = member
        .post("/sync/todo", json!({"clientId": "c", "changes": []}))
        .await;
    assert_error(&late, StatusCode::UNAUTHORIZED, "unauthorized");
    let gone = server.sign_in(MEMBER, PASSWORD).await.err().unwrap();
    assert_error(&gone, StatusCode::UNAUTHORIZED, "wrong_credentials");
    let tick = server.tick(&home.service_key()).await.1;
    assert_eq!(
        (&tick["dueMissionCount"], &tick["errors"]),
        (&json!(0), &json!([]))
    );
    let people = owner.get("/auth/people").await.1;
    assert_eq!(people["people"].as_array().unwrap().len(), 1);
    let audit = owner.get("/auth/audit").await.1;
    assert!(events(&audit).contains(&"account-deleted"));
    assert!(!audit.to_string().contains(&member.user_id));
    server.stop().await;
    for file in ["mana.db", "mana.db-wal"] {
        let Ok(bytes) = std::fs::read(home.data().join(file)) else {
            continue;
        };
        for left in [secret, MEMBER, member.user_id.as_str()] {
            let found = bytes
                .windows(left.len())
                .any(|part| part == left.as_bytes());
            assert!(!found, "{file} still has {left:?}");
        }
    }
    assert!(!home.log().contains(secret) && !home.log().contains(MEMBER));
}

#[tokio::test]
async fn an_owner_deletes_somebody_else_and_not_themself() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (_server, owner, member) = with_member(&home).await;
    let delete = |id: &str| {
        let path = format!("/auth/people/{id}");
        send(owner.request(Method::DELETE, &path))
    };
    let own = delete(&owner.user_id).await;
    assert_error(&own, StatusCode::BAD_REQUEST, "invalid_request");
    assert_eq!(delete(&member.user_id).await.0, StatusCode::NO_CONTENT);
    let again = delete(&member.user_id).await;
    assert_error(&again, StatusCode::NOT_FOUND, "not_found");
    let out = member.get("/auth/me").await;
    assert_error(&out, StatusCode::UNAUTHORIZED, "unauthorized");
}

#[tokio::test]
async fn a_profile_changes_and_missions_follow_the_time_zone() {
    let home = Home::new(&[("MANA_SIGNUP", "open"), ("TICK_ENABLED", "false")]);
    let (server, _owner, member) = with_member(&home).await;
    let daily = json!({"kind": "daily", "atHour": 9, "atMinute": 0});
    let mission = |id: &str, zone: Value| {
        json!({"table": "aiMissions", "id": id, "op": "insert",
            "data": {"title": id, "state": "active", "cadence": daily, "timezone": zone}})
    };
    let missions = json!([
        mission("follows", Value::Null),
        mission("stays", json!("America/Lima"))
    ]);
    member.push("ai", "c", missions).await;
    let hours = async || {
        let (_, page) = member.get("/sync/ai/snapshot").await;
        let hour = |id: &str| {
            let records = page["records"].as_array().unwrap();
            let record = records.iter().find(|record| record["id"] == id).unwrap();
            record["data"]["nextRunAt"].as_str().unwrap()[11..16].to_owned()
        };
        (hour("follows"), hour("stays"))
    };
    let before = hours().await;
    assert!(
        ["07:00", "08:00"].contains(&before.0.as_str()),
        "{before:?} in Berlin"
    );
    assert_eq!(before.1, "14:00");
    let change = |body: Value| send(member.request(Method::PATCH, "/auth/me").json(&body));
    let (status, me) =
        change(json!({"name": "  Mem  Ber ", "timezone": "Asia/Tokyo", "locale": "de"})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&me["name"], &me["timezone"], &me["locale"]),
        (&json!("Mem Ber"), &json!("Asia/Tokyo"), &json!("de"))
    );
    assert_eq!(hours().await, ("00:00".to_owned(), "14:00".to_owned()));

    let unproved = change(json!({"email": "new@example.org"})).await;
    assert_error(&unproved, StatusCode::BAD_REQUEST, "invalid_request");
    assert_eq!(unproved.1["error"]["details"]["field"], "password");
    let (status, _) = change(json!({"email": "New@Example.org", "password": PASSWORD})).await;
    assert_eq!(status, StatusCode::OK);
    assert!(server.sign_in("new@example.org", PASSWORD).await.is_ok());
    let taken = change(json!({"email": "owner@example.org", "password": PASSWORD})).await;
    assert_error(&taken, StatusCode::CONFLICT, "email_taken");
    let unknown = change(json!({"nickname": "x"})).await;
    assert_error(&unknown, StatusCode::BAD_REQUEST, "invalid_request");
}

#[tokio::test]
async fn lookalikes_and_hidden_characters_get_no_account() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, _owner, member) = with_member(&home).await;
    for (field, email, name) in [
        ("email", "owner@example.org\u{200b}", ""),
        ("email", "owner@example.org\u{202e}", ""),
        ("email", "\u{43e}wner@example.org", ""),
        ("name", "fine@example.org", "Le\u{202e}na"),
        ("name", "fine@example.org", "Mana"),
    ] {
        let form = json!({"email": email, "password": PASSWORD, "name": name});
        let refused = server.post("/auth/signup", form).await;
        assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_request");
        assert_eq!(
            refused.1["error"]["details"]["field"], field,
            "{email:?} {name:?}"
        );
    }
    let wide = json!({"email": "ｍｅｍｂｅｒ@example.org", "password": PASSWORD});
    let taken = server.post("/auth/signup", wide).await;
    assert_error(&taken, StatusCode::CONFLICT, "email_taken");
    let rename = |who: &Account, name: &str| {
        send(
            who.request(Method::PATCH, "/auth/me")
                .json(&json!({"name": name})),
        )
    };
    assert_eq!(rename(&member, "Lena").await.0, StatusCode::OK);
    let other = server.sign_up("other@example.org", None).await;
    let lookalike = rename(&other, "L\u{435}na").await;
    assert_error(&lookalike, StatusCode::BAD_REQUEST, "invalid_request");
}

#[tokio::test]
async fn a_password_that_is_guessed_soon_is_refused_wherever_one_is_set() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, _owner, member) = with_member(&home).await;
    let refused_as = |answer: &(StatusCode, Value), field: &str, fault: &str| {
        assert_error(answer, StatusCode::BAD_REQUEST, "invalid_request");
        let details = &answer.1["error"]["details"];
        assert_eq!(
            (&details["field"], &details["fault"]),
            (&json!(field), &json!(fault))
        );
    };
    for weak in ["1234567890", "password12", "aaaaaaaaaaaa"] {
        let form = json!({"email": "a@example.org", "password": weak});
        let fault = if weak.starts_with('a') {
            "repeat"
        } else {
            "common"
        };
        refused_as(&server.post("/auth/signup", form).await, "password", fault);
    }
    let change = json!({"currentPassword": PASSWORD, "newPassword": "qwertyuiop"});
    refused_as(
        &member.post("/auth/password", change).await,
        "newPassword",
        "common",
    );
    let link = home
        .command(&["user", "reset", MEMBER])
        .output()
        .await
        .unwrap();
    let link = String::from_utf8(link.stdout).unwrap();
    let token = link.trim().split_once("#token=").unwrap().1;
    let reset = json!({"token": token, "newPassword": "member@example.org"});
    let refused = server.post("/auth/reset", reset).await;
    assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_request");
    let reset = json!({"token": token, "newPassword": "a kite over the harbour"});
    assert_eq!(server.post("/auth/reset", reset).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_audit_log_tells_the_door_and_no_secrets() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner, member) = with_member(&home).await;
    let typed = "hunter2 in the wrong field";
    let _ = server.sign_in(MEMBER, "not the password").await;
    let _ = server.sign_in(typed, "whatever else").await;
    change(&owner, &member.user_id, json!({"locked": true})).await;
    let _ = server.sign_in(MEMBER, PASSWORD).await;
    let invite = send(
        owner
            .request(Method::POST, "/auth/invitations")
            .json(&json!({"name": "Ola"})),
    )
    .await;
    assert_eq!(invite.0, StatusCode::CREATED);
    let audit = owner.get("/auth/audit?limit=8").await.1;
    assert_eq!(
        events(&audit),
        [
            "invitation-made",
            "sign-in-locked",
            "account-locked",
            "sign-in-failed",
            "sign-in-failed",
            "sign-in",
            "account-made",
            "sign-in"
        ]
    );
    let entries = audit["entries"].as_array().unwrap();
    assert_eq!(entries[2]["actor"]["name"], "owner@example.org");
    assert_eq!(entries[2]["subject"]["id"], member.user_id.as_str());
    assert_eq!(entries[3].get("subject"), None, "nobody has this address");
    assert_eq!(entries[4]["subject"]["id"], member.user_id.as_str());
    assert_eq!(entries[4]["address"], "127.0.0.1");
    let next = audit["next"].as_i64().unwrap();
    let earlier = owner.get(&format!("/auth/audit?before={next}")).await.1;
    assert!(events(&earlier).contains(&"account-made"));
    let log = home.log();
    // The filter of deploy/fail2ban matches these lines.
    assert!(log.contains("Sign-in failed from 127.0.0.1"), "{log}");
    assert!(!log.contains(MEMBER));
    for secret in [typed, "hunter2", "not the password", PASSWORD] {
        assert!(
            !log.contains(secret) && !audit.to_string().contains(secret),
            "{secret}"
        );
    }
}

/// The status of a refresh by a cookie, and the next cookie where the answer sets one.
async fn refresh(server: &Server, cookie: &str) -> (StatusCode, Option<String>) {
    let request = server.request(Method::POST, "/auth/refresh");
    let answer = request.header("cookie", cookie).send().await.unwrap();
    let set = answer.headers().get_all("set-cookie").iter();
    let mut set = set.map(|value| value.to_str().unwrap().to_owned());
    let next = set.find(|set| set.starts_with("mana_session="));
    let next = next.map(|set| set.split(';').next().unwrap().to_owned());
    (answer.status(), next)
}

#[tokio::test]
async fn the_secret_of_a_session_changes_once_a_day_and_an_old_one_ends_it() {
    let mut home = Home::new(&[("MANA_CLOCK_SKEW_MS", "-86400000")]);
    let (server, owner) = Server::with_owner(&home).await;
    let first = owner.cookie.clone();
    assert_eq!(refresh(&server, &first).await, (StatusCode::OK, None));
    server.stop().await;
    home.set("MANA_CLOCK_SKEW_MS", "0");
    let server = home.start().await;
    let (_, second) = refresh(&server, &first).await;
    let second = second.expect("another secret");
    assert_ne!(first, second);
    // Another tab, which did not hear of the second one yet.
    assert_eq!(refresh(&server, &first).await, (StatusCode::OK, None));
    server.stop().await;
    home.set("MANA_CLOCK_SKEW_MS", "86400000");
    let server = home.start().await;
    let (_, third) = refresh(&server, &second).await;
    let third = third.expect("a third secret");
    let stolen = refresh(&server, &first).await;
    assert_eq!(stolen.0, StatusCode::UNAUTHORIZED, "two have the session");
    assert_eq!(refresh(&server, &third).await.0, StatusCode::UNAUTHORIZED);
    assert!(
        home.log()
            .contains("an old secret of it was shown from 127.0.0.1")
    );
}

#[tokio::test]
async fn a_sign_out_tells_the_browser_to_empty_the_device_where_that_is_wanted() {
    let home = Home::new(&[]);
    let (server, _owner) = Server::with_owner(&home).await;
    for (body, empties) in [(json!({}), false), (json!({"clearDevice": true}), true)] {
        let account = server
            .sign_in("owner@example.org", PASSWORD)
            .await
            .ok()
            .unwrap();
        let out = account.request(Method::POST, "/auth/logout").json(&body);
        let out = out.send().await.unwrap();
        assert_eq!(out.status(), StatusCode::NO_CONTENT);
        assert_eq!(out.headers().contains_key("clear-site-data"), empties);
    }
}

#[tokio::test]
async fn the_operator_adds_locks_promotes_and_deletes_beside_the_server() {
    let home = Home::new(&[("MANA_SIGNUP", "closed")]);
    let (server, owner) = Server::with_owner(&home).await;
    let run = async |arguments: &[&str]| {
        let output = home.command(arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout) + &text(output.stderr),
        )
    };
    let (made, link) = run(&["user", "add", "New@Example.org", "--name", "Nora"]).await;
    assert!(made, "{link}");
    let token = link
        .split_once("#token=")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap();
    let reset = json!({"token": token, "newPassword": PASSWORD});
    assert_eq!(server.post("/auth/reset", reset).await.0, StatusCode::OK);
    let nora = server
        .sign_in("new@example.org", PASSWORD)
        .await
        .ok()
        .unwrap();
    assert_eq!(nora.get("/auth/me").await.1["name"], "Nora");

    assert!(run(&["user", "lock", "new@example.org"]).await.0);
    // The server sees it within its look at what its operator did.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while nora.get("/auth/me").await.0 != StatusCode::UNAUTHORIZED {
        assert!(std::time::Instant::now() < until, "the lock is not seen");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let refused = server
        .sign_in("new@example.org", PASSWORD)
        .await
        .err()
        .unwrap();
    assert_error(&refused, StatusCode::FORBIDDEN, "account_locked");
    let (_, listed) = run(&["user", "list"]).await;
    assert!(
        listed.contains("new@example.org  member") && listed.contains("locked"),
        "{listed}"
    );
    assert!(run(&["user", "unlock", "new@example.org"]).await.0);
    assert!(run(&["user", "promote", "new@example.org"]).await.0);
    let nora = server
        .sign_in("new@example.org", PASSWORD)
        .await
        .ok()
        .unwrap();
    assert_eq!(nora.get("/auth/people").await.0, StatusCode::OK);
    assert!(
        run(&["user", "promote", "new@example.org", "--member"])
            .await
            .0
    );
    let (done, said) = run(&["user", "delete", "owner@example.org", "--yes"]).await;
    assert!(!done && said.contains("last owner"), "{said}");
    let (done, said) = run(&["user", "delete", "new@example.org"]).await;
    assert!(!done && said.contains("--yes"), "{said}");
    assert!(run(&["user", "delete", "new@example.org", "--yes"]).await.0);
    let (done, said) = run(&["user", "lock", "new@example.org"]).await;
    assert!(!done && said.contains("No account"), "{said}");
    let audit = owner.get("/auth/audit").await.1;
    assert_eq!(events(&audit)[0], "account-deleted");
    assert_eq!(audit["entries"][0].get("address"), None);
}
