//! Accounts over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Home, PASSWORD, Server, assert_error, send};

const OWNER: &str = "owner@example.org";

#[tokio::test]
async fn setup_link_makes_the_owner_once() {
    let home = Home::new(&[]);
    let mut server = home.start().await;
    let token = server.setup_token().await;
    let (_, info) = server.get("/app/info").await;
    assert_eq!(
        (&info["hasOwner"], &info["signup"]),
        (&json!(false), &json!("closed"))
    );

    let form = |email: &str, invite: Value| json!({ "email": email, "password": PASSWORD, "invite": invite });
    let refused = server
        .post("/auth/signup", form("a@example.org", Value::Null))
        .await;
    assert_error(&refused, StatusCode::FORBIDDEN, "signup_closed");
    let refused = server
        .post("/auth/signup", form("a@example.org", json!("guess")))
        .await;
    assert_error(&refused, StatusCode::FORBIDDEN, "invite_invalid");

    let owner = server.sign_up(" Ada@Example.ORG ", Some(&token)).await;
    let (status, me) = owner.get("/auth/me").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(me["email"], "ada@example.org");
    assert_eq!(me["role"], "owner");
    assert_eq!(me["timezone"], "Europe/Berlin");
    assert_eq!(me["userId"], owner.user_id.as_str());
    assert_eq!(server.get("/app/info").await.1["hasOwner"], true);

    let again = server
        .post("/auth/signup", form("b@example.org", json!(token)))
        .await;
    assert_error(&again, StatusCode::FORBIDDEN, "signup_closed");
    server.stop().await;
    // The token was told on standard output alone, and only its hash is kept.
    assert!(!home.log().contains(&token));
    let database = std::fs::read(home.data().join("mana.db")).unwrap();
    assert!(
        !database
            .windows(token.len())
            .any(|bytes| bytes == token.as_bytes())
    );
}

#[tokio::test]
async fn setup_link_is_a_new_one_at_each_start_until_it_is_used() {
    let home = Home::new(&[]);
    let mut first = home.start().await;
    let old = first.setup_token().await;
    first.stop().await;
    let mut second = home.start().await;
    let new = second.setup_token().await;
    assert_ne!(old, new);
    let form = json!({ "email": "a@example.org", "password": PASSWORD, "invite": old });
    assert_error(
        &second.post("/auth/signup", form).await,
        StatusCode::FORBIDDEN,
        "invite_invalid",
    );
    second.sign_up("a@example.org", Some(&new)).await;
}

#[tokio::test]
async fn signup_two_at_once_with_the_setup_link_make_one_owner() {
    let home = Home::new(&[]);
    let mut server = home.start().await;
    let token = server.setup_token().await;
    let form = |email: &str| json!({ "email": email, "password": PASSWORD, "invite": token });
    let (one, two) = tokio::join!(
        server.post("/auth/signup", form("a@example.org")),
        server.post("/auth/signup", form("b@example.org")),
    );
    let made = [&one, &two]
        .iter()
        .filter(|(status, _)| *status == StatusCode::CREATED)
        .count();
    assert_eq!(made, 1, "{one:?} {two:?}");
}

#[tokio::test]
async fn signup_open_makes_members_also_before_the_owner() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let mut server = home.start().await;
    let member = server.sign_up("m@example.org", None).await;
    assert_eq!(member.get("/auth/me").await.1["role"], "member");
    let token = server.setup_token().await;
    let owner = server.sign_up("o@example.org", Some(&token)).await;
    assert_eq!(owner.get("/auth/me").await.1["role"], "owner");
    let form = json!({ "email": "M@example.org", "password": PASSWORD });
    assert_error(
        &server.post("/auth/signup", form).await,
        StatusCode::CONFLICT,
        "email_taken",
    );
}

#[tokio::test]
async fn signup_says_which_field_is_wrong() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let server = home.start().await;
    for (field, form) in [
        ("email", json!({ "email": "ada", "password": PASSWORD })),
        (
            "password",
            json!({ "email": "a@example.org", "password": "123456789" }),
        ),
        (
            "timezone",
            json!({ "email": "a@example.org", "password": PASSWORD, "timezone": "Mars/Base" }),
        ),
        (
            "locale",
            json!({ "email": "a@example.org", "password": PASSWORD, "locale": "../en" }),
        ),
    ] {
        let refused = server.post("/auth/signup", form).await;
        assert_error(&refused, StatusCode::BAD_REQUEST, "invalid_request");
        assert_eq!(refused.1["error"]["details"]["field"], field);
    }
    assert_error(
        &server.post("/auth/signup", json!({ "email": 1 })).await,
        StatusCode::BAD_REQUEST,
        "invalid_request",
    );
    let form = server
        .request(Method::POST, "/auth/signup")
        .header("content-type", "text/plain")
        .body("{}");
    assert_error(
        &send(form).await,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
    );
}

#[tokio::test]
async fn session_goes_from_sign_in_to_sign_out() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    assert!(
        owner.set_cookie.contains("; HttpOnly; SameSite=Lax"),
        "{}",
        owner.set_cookie
    );
    assert!(
        !owner.set_cookie.contains("Secure"),
        "the public URL is not https"
    );

    let refused = server
        .sign_in("owner@example.org", "wrong password")
        .await
        .err()
        .unwrap();
    assert_error(&refused, StatusCode::UNAUTHORIZED, "wrong_credentials");
    let unknown = server
        .sign_in("nobody@example.org", PASSWORD)
        .await
        .err()
        .unwrap();
    assert_eq!(unknown, refused, "whether there is an account is not told");

    let other = server
        .sign_in("OWNER@example.org", PASSWORD)
        .await
        .ok()
        .unwrap();
    let (status, fresh) = other.by_cookie(Method::POST, "/auth/refresh").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(fresh["userId"], owner.user_id.as_str());
    assert_eq!(
        other.by_cookie(Method::GET, "/auth/me").await.0,
        StatusCode::OK
    );

    assert_eq!(
        other.by_cookie(Method::POST, "/auth/logout").await.0,
        StatusCode::NO_CONTENT
    );
    for answer in [
        other.by_cookie(Method::POST, "/auth/refresh").await,
        other.by_cookie(Method::GET, "/auth/me").await,
        other.get("/auth/me").await,
        server.get("/auth/me").await,
    ] {
        assert_error(&answer, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    assert_eq!(
        owner.get("/auth/me").await.0,
        StatusCode::OK,
        "the other session goes on"
    );
    assert_eq!(
        owner.post("/auth/logout", json!({})).await.0,
        StatusCode::NO_CONTENT,
        "a bearer alone can sign out too"
    );
    assert_error(
        &owner.get("/auth/me").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
}

#[tokio::test]
async fn session_survives_a_restart() {
    let home = Home::new(&[]);
    let (server, mut owner) = Server::with_owner(&home).await;
    server.stop().await;
    let server = home.start().await;
    owner.base.clone_from(&server.base);
    assert_eq!(owner.get("/auth/me").await.0, StatusCode::OK);
    assert_eq!(
        owner.by_cookie(Method::POST, "/auth/refresh").await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn session_cookie_is_secure_behind_https() {
    let home = Home::new(&[("MANA_PUBLIC_URL", "https://mana.example.org/")]);
    let mut server = home.start().await;
    assert_eq!(server.base, "https://mana.example.org");
    let token = server.setup_token().await;
    // The proxy that ends TLS reaches the server at its own address.
    let log = home.log();
    let address = log.split("Mana listens on ").nth(1).unwrap();
    server.base = format!("http://{}", address.lines().next().unwrap().trim());
    let owner = server.sign_up("owner@example.org", Some(&token)).await;
    assert!(
        owner.set_cookie.ends_with("; Secure"),
        "{}",
        owner.set_cookie
    );
    let headers = server
        .request(Method::GET, "/health")
        .send()
        .await
        .unwrap()
        .headers()
        .clone();
    assert!(headers.contains_key("strict-transport-security"));
    let refresh = server
        .request(Method::POST, "/auth/refresh")
        .header("cookie", &owner.cookie)
        .header("origin", "https://mana.example.org");
    assert_eq!(
        send(refresh).await.0,
        StatusCode::OK,
        "its own origin is known"
    );
}

#[tokio::test]
async fn session_cookie_is_of_this_host_alone_where_a_trusted_proxy_speaks_https() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    assert!(owner.set_cookie.starts_with("mana_session=") && !owner.set_cookie.contains("Secure"));
    let body = json!({"email": "owner@example.org", "password": PASSWORD});
    let by_proxy = |path: &str| {
        let request = server.request(Method::POST, path);
        request.header("x-forwarded-proto", "https")
    };
    let answer = by_proxy("/auth/login").json(&body).send().await.unwrap();
    let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        set.starts_with("__Host-mana_session=")
            && set.contains("; Path=/;")
            && set.ends_with("; Secure"),
        "{set}"
    );
    let cookie = set.split(';').next().unwrap();
    // A neighbour's cookie of the plain name stands before it, and changes nothing.
    let both = format!("{}; {cookie}", owner.cookie);
    let refreshed = by_proxy("/auth/refresh").header("cookie", both);
    assert_eq!(send(refreshed).await.0, StatusCode::OK);
    let out = by_proxy("/auth/logout")
        .header("cookie", cookie)
        .send()
        .await
        .unwrap();
    let removed = out.headers()["set-cookie"].to_str().unwrap();
    assert!(removed.starts_with("__Host-mana_session=;"), "{removed}");
    let ended = by_proxy("/auth/refresh").header("cookie", cookie);
    assert_error(&send(ended).await, StatusCode::UNAUTHORIZED, "unauthorized");

    // Two plain ones of different people: neither is believed.
    let friend = server
        .sign_in("owner@example.org", PASSWORD)
        .await
        .ok()
        .unwrap();
    let two = format!("{}; {}", owner.cookie, friend.cookie);
    let tossed = server
        .request(Method::POST, "/auth/refresh")
        .header("cookie", two);
    assert_error(
        &send(tossed).await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
}

#[tokio::test]
async fn session_cookie_is_no_use_to_another_site() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let from = |name: &str, value: &str| {
        server
            .request(Method::POST, "/auth/refresh")
            .header("cookie", &owner.cookie)
            .header(name, value)
    };
    assert_error(
        &send(from("sec-fetch-site", "cross-site")).await,
        StatusCode::FORBIDDEN,
        "cross_origin",
    );
    assert_error(
        &send(from("origin", "https://evil.example")).await,
        StatusCode::FORBIDDEN,
        "cross_origin",
    );
    assert_eq!(
        send(from("sec-fetch-site", "same-origin")).await.0,
        StatusCode::OK
    );
    assert_eq!(send(from("origin", &server.base)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn signin_is_limited_by_account() {
    let home = Home::new(&[]);
    let (server, _) = Server::with_owner(&home).await;
    let mut refused = None;
    for _ in 0..20 {
        match server
            .sign_in("owner@example.org", "wrong password")
            .await
            .err()
            .unwrap()
        {
            (StatusCode::UNAUTHORIZED, _) => {}
            answer => {
                refused = Some(answer);
                break;
            }
        }
    }
    assert_error(
        &refused.expect("guessing is stopped"),
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
    );
    let body = json!({ "email": "owner@example.org", "password": PASSWORD });
    let response = server
        .request(Method::POST, "/auth/login")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "the right password too: guessing gets no answer"
    );
    let wait: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[tokio::test]
async fn token_that_has_ended_is_refused() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    let mut late = owner.clone();
    late.token = home.token_until(&owner, -1);
    assert_error(
        &late.get("/auth/me").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
    late.token = home.token_until(&owner, 60);
    assert_eq!(late.get("/auth/me").await.0, StatusCode::OK);
}

#[tokio::test]
async fn token_can_be_checked_by_the_key_set() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let (_, keys) = server.get("/auth/jwks").await;
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");
    assert_eq!(keys["keys"][0].get("d"), None, "the private part stays");
    let mut forged = owner.clone();
    forged.token.replace_range(forged.token.len() - 4.., "AAAA");
    assert_error(
        &forged.get("/auth/me").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
}

/// Behind two proxies that are trusted, each client has a bucket of its own (without the setting, all share one).
#[tokio::test]
async fn auth_limits_are_by_client_behind_trusted_proxies() {
    let home = Home::new(&[("MANA_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")]);
    let server = home.start().await;
    let log_in = async |client: &str| {
        // Too long for an account, so no password is hashed.
        let email = format!("{}@example.org", "a".repeat(300));
        let request = server
            .request(Method::POST, "/auth/login")
            .header("x-forwarded-for", format!("{client}, 10.0.0.5"))
            .json(&json!({ "email": email, "password": PASSWORD }));
        send(request).await.0
    };
    for _ in 0..60 {
        assert_eq!(log_in("192.0.2.1").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(log_in("192.0.2.1").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(log_in("192.0.2.2").await, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn a_password_is_changed_and_the_other_sessions_end() {
    let home = Home::new(&[]);
    let (server, laptop) = Server::with_owner(&home).await;
    let phone = server.sign_in(OWNER, PASSWORD).await.unwrap();
    let change =
        |current: &str, new: &str| json!({ "currentPassword": current, "newPassword": new });
    let wrong = laptop
        .post("/auth/password", change("not this one", "another password"))
        .await;
    assert_error(&wrong, StatusCode::BAD_REQUEST, "invalid_request");
    assert_eq!(wrong.1["error"]["details"]["field"], "currentPassword");
    let short = laptop
        .post("/auth/password", change(PASSWORD, "short"))
        .await;
    assert_error(&short, StatusCode::BAD_REQUEST, "invalid_request");
    let (_, sessions) = laptop.get("/auth/sessions").await;
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let (status, changed) = laptop
        .post("/auth/password", change(PASSWORD, "another password"))
        .await;
    assert_eq!((status, &changed["ended"]), (StatusCode::OK, &json!(1)));
    assert_eq!(laptop.get("/auth/me").await.0, StatusCode::OK);
    assert_eq!(phone.get("/auth/me").await.0, StatusCode::UNAUTHORIZED);
    server.sign_in(OWNER, "another password").await.unwrap();
    let (_, sessions) = laptop.get("/auth/sessions").await;
    let other = sessions
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["current"] == false)
        .unwrap();
    let path = format!("/auth/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(
        send(laptop.request(Method::DELETE, &path)).await.0,
        StatusCode::NO_CONTENT
    );
    assert_error(
        &send(laptop.request(Method::DELETE, &path)).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    server.stop().await;
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_the_operators_link_once() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let listed = home.command(&["user", "list"]).output().await.unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains(OWNER));
    let unknown = home
        .command(&["user", "reset", "nobody@example.org"])
        .output()
        .await
        .unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    let link = home
        .command(&["user", "reset", OWNER])
        .output()
        .await
        .unwrap();
    let link = String::from_utf8(link.stdout).unwrap();
    let (_, token) = link.trim().split_once("/reset#token=").unwrap();
    let reset = |token: &str| json!({ "token": token, "newPassword": "another password" });
    let mut other = token.to_owned();
    other.replace_range(token.len() - 4.., "AAAA");
    assert_error(
        &server.post("/auth/reset", reset(&other)).await,
        StatusCode::FORBIDDEN,
        "invite_invalid",
    );
    assert_eq!(
        server.post("/auth/reset", reset(token)).await.0,
        StatusCode::OK
    );
    assert_error(
        &server.post("/auth/reset", reset(token)).await,
        StatusCode::FORBIDDEN,
        "invite_invalid",
    );
    assert_eq!(owner.get("/auth/me").await.0, StatusCode::UNAUTHORIZED);
    server.sign_in(OWNER, "another password").await.unwrap();
    server.stop().await;
}
