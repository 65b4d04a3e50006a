//! Sockets.

use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{Account, Home, PATIENCE, Server};

pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn open(base: &str, path: &str) -> Socket {
        let url = format!("{}{path}", base.replace("http:", "ws:"));
        Socket(connect_async(url).await.unwrap().0)
    }

    /// Signed in, and told so.
    pub async fn signed_in(account: &Account, path: &str, client: &str) -> Socket {
        let mut socket = Socket::open(&account.base, path).await;
        socket
            .say(json!({ "type": "auth", "token": account.token, "clientId": client }))
            .await;
        assert_eq!(socket.hear().await.unwrap(), json!({ "type": "auth-ok" }));
        socket
    }

    pub async fn say(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next message, or the code that the socket was closed with.
    pub async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            match timeout(PATIENCE, self.0.next())
                .await
                .expect("something is said")
                .expect("it ends with a close")
                .unwrap()
            {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(frame.expect("a reason").code.into()),
                _ => {}
            }
        }
    }
}

fn task(id: &str) -> Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

#[tokio::test]
async fn ws_tells_the_other_devices_of_the_same_person_only() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let other = server.sign_up("other@example.org", None).await;
    let mut phone = Socket::signed_in(&owner, "/ws", "phone").await;
    let mut notes_only = Socket::signed_in(&owner, "/ws/notes", "tablet").await;
    let mut laptop = Socket::signed_in(&owner, "/ws", "laptop").await;
    let mut stranger = Socket::signed_in(&other, "/ws", "x").await;

    owner.push("todo", "laptop", task("t1")).await;
    let notice = json!({ "type": "sync-available", "appId": "todo", "tables": ["tasks"] });
    assert_eq!(phone.hear().await.unwrap(), notice);
    // Whoever must not hear of it hears the answer to a ping first.
    for socket in [&mut notes_only, &mut laptop, &mut stranger] {
        socket.say(json!({ "type": "ping" })).await;
        assert_eq!(socket.hear().await.unwrap(), json!({ "type": "pong" }));
    }
}

#[tokio::test]
async fn ws_ends_at_sign_out() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let second = server
        .sign_in("owner@example.org", crate::support::PASSWORD)
        .await
        .ok()
        .unwrap();
    let mut ends = Socket::signed_in(&owner, "/ws", "a").await;
    let mut stays = Socket::signed_in(&second, "/ws", "b").await;
    assert_eq!(
        owner.post("/auth/logout", json!({})).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(ends.hear().await, Err(4401));
    stays.say(json!({ "type": "ping" })).await;
    assert_eq!(stays.hear().await.unwrap(), json!({ "type": "pong" }));
}

#[tokio::test]
async fn ws_lets_nobody_in_without_a_good_token() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let mut bad = Socket::open(&server.base, "/ws").await;
    bad.say(json!({ "type": "auth", "token": "x" })).await;
    assert_eq!(bad.hear().await, Err(4401));
    let mut rude = Socket::open(&server.base, "/ws").await;
    rude.say(json!({ "type": "ping" })).await;
    assert_eq!(rude.hear().await, Err(4401));

    let mut good = Socket::signed_in(&owner, "/ws", "a").await;
    good.say(json!({ "type": "auth", "token": owner.token }))
        .await;
    assert_eq!(
        good.hear().await.unwrap()["type"],
        "auth-ok",
        "a socket may sign in again"
    );
    good.say(json!({ "type": "something" })).await;
    assert_eq!(good.hear().await.unwrap()["type"], "error");
}

#[tokio::test]
async fn ws_ends_with_its_token_unless_it_signs_in_again() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    let mut short = owner.clone();
    short.token = home.token_until(&owner, 2);
    let mut ends = Socket::signed_in(&short, "/ws", "a").await;
    let mut stays = Socket::signed_in(&short, "/ws", "b").await;
    stays
        .say(json!({ "type": "auth", "token": owner.token }))
        .await;
    assert_eq!(stays.hear().await.unwrap()["type"], "auth-ok");
    assert_eq!(ends.hear().await, Err(4401));
    stays.say(json!({ "type": "ping" })).await;
    assert_eq!(stays.hear().await.unwrap(), json!({ "type": "pong" }));
}

#[tokio::test]
async fn ws_that_never_says_who_it_is_ends() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let mut silent = Socket::open(&server.base, "/ws").await;
    assert_eq!(silent.hear().await, Err(4401));
}

#[tokio::test]
async fn ws_ends_when_the_server_stops() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let mut socket = Socket::signed_in(&owner, "/ws", "a").await;
    server.stop().await;
    assert_eq!(socket.hear().await, Err(1001));
}
