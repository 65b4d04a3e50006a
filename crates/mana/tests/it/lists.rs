//! Lists of what owners make: bounded, and read a page at a time.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::support::{Account, Home, PASSWORD, Server, assert_error, send};

/// A server whose owner has made as many keys and invitations as there may be: one of each by the API, the others by
/// SQL, of which seven each have the same time.
async fn full() -> (Home, Server, Account) {
    let home = Home::new(&[("MANA_SIGNUP", "invite")]);
    let (server, owner) = Server::with_owner(&home).await;
    for (path, body) in [
        ("/llm/keys", json!({ "name": "first" })),
        ("/auth/invitations", json!({ "days": 1 })),
    ] {
        assert_eq!(owner.post(path, body).await.0, StatusCode::CREATED);
    }
    server.stop().await;
    let path = home.data().join("mana.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    let fill = "
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
        INSERT INTO virtual_keys (id, secret_hash, user_id, settings, created_at)
        SELECT 'k' || i, randomblob(32), user_id, settings, created_at + i / 7 FROM virtual_keys, n;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499)
        INSERT INTO secrets (secret_hash, purpose, expires_at, label, role, created_at)
        SELECT randomblob(32), purpose, expires_at + i / 7, 'guest ' || i, role, created_at
        FROM secrets, n WHERE purpose = 'invite';";
    connection.execute(fill).await.unwrap();
    connection.close().await.unwrap();
    let server = home.start().await;
    let owner = server.sign_in("owner@example.org", PASSWORD).await.unwrap();
    (home, server, owner)
}

/// The ids of a list, page by page.
async fn pages(owner: &Account, path: &str, name: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Value::Null;
    loop {
        let after = next.as_str().unwrap_or_default();
        let (status, page) = owner.get(&format!("{path}?after={after}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let entries = page[name].as_array().unwrap().iter();
        let ids = entries.map(|entry| entry["id"].as_str().unwrap().to_owned());
        pages.push(ids.collect());
        next = page["next"].clone();
        if next.is_null() {
            return pages;
        }
    }
}

#[tokio::test]
async fn lists_of_keys_and_invitations_are_bounded_and_read_a_page_at_a_time() {
    let (_home, server, owner) = full().await;
    for (path, name, most, body) in [
        ("/llm/keys", "keys", 1_000, json!({ "name": "one more" })),
        ("/auth/invitations", "invitations", 500, json!({})),
    ] {
        let pages = pages(&owner, path, name).await;
        assert!(pages.iter().all(|page| page.len() == 100), "{path}");
        let ids: Vec<String> = pages.concat();
        assert_eq!(ids.len(), most, "{path}");
        assert_eq!(BTreeSet::from_iter(&ids).len(), most, "{path}: each once");

        let refused = owner.post(path, body.clone()).await;
        assert_error(&refused, StatusCode::CONFLICT, &format!("too_many_{name}"));
        let said = refused.1["error"]["message"].as_str().unwrap();
        assert!(said.contains(&most.to_string()), "{said}");
        let gone = owner.request(Method::DELETE, &format!("{path}/{}", ids[most - 1]));
        assert_eq!(send(gone).await.0, StatusCode::NO_CONTENT);
        assert_eq!(owner.post(path, body).await.0, StatusCode::CREATED);

        let odd = owner.get(&format!("{path}?after=x")).await;
        assert_error(&odd, StatusCode::BAD_REQUEST, "invalid_cursor");
    }
    server.stop().await;
}
