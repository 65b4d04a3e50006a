//! The owner lets people in by links.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Home, PASSWORD, Server, assert_error, now_s, send};

fn form(email: &str, link: &str) -> Value {
    let (_, token) = link.split_once("/join#token=").expect("a link to /join");
    json!({ "email": email, "password": PASSWORD, "invite": token })
}

#[tokio::test]
async fn invitation_lets_one_person_in_once() {
    let home = Home::new(&[("MANA_SIGNUP", "invite")]);
    let (server, owner) = Server::with_owner(&home).await;
    let (status, made) = send(owner.request(Method::POST, "/auth/invitations")).await;
    assert_eq!(status, StatusCode::CREATED);
    let link = made["link"].as_str().unwrap();
    assert!(link.starts_with(&server.base), "{link}");
    let listed = owner.get("/auth/invitations").await.1;
    let listed = listed["invitations"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    let wanted = [
        ("id", made["id"].clone()),
        ("expiresAt", made["expiresAt"].clone()),
        ("name", json!("")),
        ("role", json!("member")),
    ];
    for (field, value) in wanted {
        assert_eq!(listed[0][field], value, "{field}");
    }

    let signed_up = server
        .post("/auth/signup", form("guest@example.org", link))
        .await;
    assert_eq!(signed_up.0, StatusCode::CREATED);
    let guest = server.sign_in("guest@example.org", PASSWORD).await.unwrap();
    assert_eq!(guest.get("/auth/me").await.1["role"], "member");
    assert_eq!(
        owner.get("/auth/invitations").await.1,
        json!({ "invitations": [] })
    );
    let again = server
        .post("/auth/signup", form("other@example.org", link))
        .await;
    assert_error(&again, StatusCode::FORBIDDEN, "invite_invalid");
    server.stop().await;
    assert!(!home.log().contains(link.split_once('=').unwrap().1));
}

#[tokio::test]
async fn invitation_can_be_taken_back_and_ends_by_itself() {
    let home = Home::new(&[("MANA_SIGNUP", "invite")]);
    let (server, owner) = Server::with_owner(&home).await;
    let invite = |body: Value| owner.request(Method::POST, "/auth/invitations").json(&body);
    let (_, made) = send(invite(json!({ "days": 1 }))).await;
    let link = made["link"].as_str().unwrap();
    let until: jiff::Timestamp = made["expiresAt"].as_str().unwrap().parse().unwrap();
    let hours = (until.as_second() - now_s()) / 3600;
    assert!((23..=24).contains(&hours), "{hours}");

    let path = format!("/auth/invitations/{}", made["id"].as_str().unwrap());
    let (status, _) = send(owner.request(Method::DELETE, &path)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_error(
        &send(owner.request(Method::DELETE, &path)).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    let late = server
        .post("/auth/signup", form("late@example.org", link))
        .await;
    assert_error(&late, StatusCode::FORBIDDEN, "invite_invalid");
    for days in [0, -1, 91] {
        assert_error(
            &send(invite(json!({ "days": days }))).await,
            StatusCode::BAD_REQUEST,
            "invalid_request",
        );
    }
}

#[tokio::test]
async fn invitation_is_the_owners_alone_and_asks_for_a_server_that_takes_accounts() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, _) = Server::with_owner(&home).await;
    let member = server.sign_up("member@example.org", None).await;
    for (method, path) in [
        (Method::POST, "/auth/invitations"),
        (Method::GET, "/auth/invitations"),
        (Method::DELETE, "/auth/invitations/x"),
    ] {
        let refused = send(member.request(method.clone(), path)).await;
        assert_error(&refused, StatusCode::FORBIDDEN, "owner_only");
        let stranger = send(server.request(method, path)).await;
        assert_error(&stranger, StatusCode::UNAUTHORIZED, "unauthorized");
    }

    let closed = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&closed).await;
    let refused = send(owner.request(Method::POST, "/auth/invitations")).await;
    assert_error(&refused, StatusCode::FORBIDDEN, "signup_closed");
}
