//! Tokens of a foreign issuer, which is a real HTTP server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Answer, Home, PASSWORD, Server, assert_error, now_s, send};

/// A foreign issuer: its keys, and the server that publishes them.
struct Issuer {
    http: MockServer,
}

/// A key pair of the issuer.
struct Key {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Key {
    fn new(id: &'static str) -> Key {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Key { id, pair }
    }

    fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": x })
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": "EdDSA", "kid": self.id }), claims)
    }

    fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(head.as_bytes()));
        format!("{head}.{signature}")
    }
}

impl Issuer {
    async fn start() -> Issuer {
        Issuer {
            http: MockServer::start().await,
        }
    }

    fn home(&self) -> Home {
        let url = format!("{}/jwks", self.http.uri());
        Home::new(&[
            ("MANA_JWKS_URL", &url),
            ("MANA_JWT_ISSUER", "https://issuer.example"),
            ("MANA_JWT_AUDIENCE", "mana"),
        ])
    }

    async fn answer(&self, answer: ResponseTemplate) {
        self.http.reset().await;
        Mock::given(path("/jwks"))
            .respond_with(answer)
            .mount(&self.http)
            .await;
    }

    async fn publish(&self, keys: &[&Key]) {
        // A key for somebody else is no reason to refuse the set.
        let mut set = vec![json!({ "kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB" })];
        set.extend(keys.iter().map(|key| key.public()));
        self.answer(ResponseTemplate::new(200).set_body_json(json!({ "keys": set })))
            .await;
    }

    async fn asked(&self) -> usize {
        self.http.received_requests().await.unwrap().len()
    }
}

fn claims(subject: &str) -> Value {
    let now = now_s();
    json!({
        "sub": subject, "iss": "https://issuer.example", "aud": ["other", "mana"], "iat": now, "exp": now + 600,
        "zoneinfo": "Europe/Berlin", "locale": "de", "name": "Ada",
    })
}

fn with(mut claims: Value, field: &str, value: Value) -> Value {
    claims[field] = value;
    claims
}

async fn me(server: &Server, token: &str) -> Answer {
    send(server.request(Method::GET, "/auth/me").bearer_auth(token)).await
}

#[tokio::test]
async fn issuer_token_is_good_and_its_first_makes_a_member() {
    let issuer = Issuer::start().await;
    let key = Key::new("k1");
    issuer.publish(&[&key]).await;
    let home = issuer.home();
    let (server, owner) = Server::with_owner(&home).await;
    let token = key.sign(&claims("issuer|ada"));
    let (status, ada) = me(&server, &token).await;
    assert_eq!(status, StatusCode::OK, "{ada}");
    assert_eq!(
        ada,
        json!({ "userId": "issuer|ada", "email": "", "name": "Ada", "timezone": "Europe/Berlin",
            "locale": "de", "role": "member" })
    );
    // She has a log of her own, and sees nobody else's.
    let change =
        json!({ "table": "tasks", "id": "t1", "op": "insert", "data": { "title": "Milk" } });
    let push = json!({ "clientId": "c", "since": "", "changes": [change] });
    let sync = |token: &str| {
        server
            .request(Method::POST, "/sync/todo")
            .bearer_auth(token)
    };
    let (status, _) = send(sync(&token).json(&push)).await;
    assert_eq!(status, StatusCode::OK);
    let pulled = owner.get("/sync/todo/pull?collection=tasks&since=").await.1;
    assert_eq!(pulled["serverChanges"], json!([]));
    // Accounts of this server go on as before; hers has no password.
    assert_eq!(owner.get("/auth/me").await.0, StatusCode::OK);
    for password in ["", PASSWORD] {
        let refused = server.sign_in("issuer issuer|ada", password).await.err();
        assert_error(
            &refused.unwrap(),
            StatusCode::UNAUTHORIZED,
            "wrong_credentials",
        );
    }
    let plain = json!({ "sub": "bare", "iss": "https://issuer.example", "aud": "mana", "exp": now_s() + 60,
        "zoneinfo": "Mars/Base", "locale": "../en" });
    let (_, bare) = me(&server, &key.sign(&plain)).await;
    assert_eq!(
        (&bare["timezone"], &bare["locale"]),
        (&json!("UTC"), &json!("en"))
    );
    assert_eq!(issuer.asked().await, 1, "its keys are kept");
}

#[tokio::test]
async fn issuer_token_that_is_not_wholly_right_is_refused() {
    let issuer = Issuer::start().await;
    let (key, stranger) = (Key::new("k1"), Key::new("k1"));
    issuer.publish(&[&key]).await;
    let home = issuer.home();
    let server = home.start().await;
    let now = now_s();
    let good = claims("ada");
    assert_eq!(me(&server, &key.sign(&good)).await.0, StatusCode::OK);
    let mut unnamed = good.clone();
    unnamed.as_object_mut().unwrap().remove("aud");
    for (what, token) in [
        ("another key", stranger.sign(&good)),
        (
            "another issuer",
            key.sign(&with(good.clone(), "iss", json!("https://else.example"))),
        ),
        (
            "another audience",
            key.sign(&with(good.clone(), "aud", json!("else"))),
        ),
        ("no audience", key.sign(&unnamed)),
        (
            "ended",
            key.sign(&with(good.clone(), "exp", json!(now - 60))),
        ),
        (
            "not yet",
            key.sign(&with(good.clone(), "nbf", json!(now + 600))),
        ),
        ("nobody", key.sign(&with(good.clone(), "sub", json!("")))),
        ("a NUL", key.sign(&with(good.clone(), "sub", json!("a\0b")))),
        (
            "too long",
            key.sign(&with(good.clone(), "sub", json!("a".repeat(129)))),
        ),
        (
            "no algorithm",
            key.sign_as(&json!({ "alg": "none", "kid": "k1" }), &good),
        ),
        (
            "another algorithm",
            key.sign_as(&json!({ "alg": "HS256", "kid": "k1" }), &good),
        ),
    ] {
        let refused = me(&server, &token).await;
        assert_eq!(refused.0, StatusCode::UNAUTHORIZED, "{what}");
    }
    let unnamed_key = key.sign_as(&json!({ "alg": "EdDSA" }), &good);
    assert_eq!(me(&server, &unnamed_key).await.0, StatusCode::OK);
}

#[tokio::test]
async fn issuer_is_asked_for_an_unknown_key_once_a_minute_at_most() {
    let issuer = Issuer::start().await;
    let (old, new) = (Key::new("old"), Key::new("new"));
    issuer.publish(&[&old]).await;
    let home = issuer.home();
    let server = home.start().await;
    let tokens: Vec<String> = (0..8).map(|_| new.sign(&claims("ada"))).collect();
    // The first asks and learns of the old key; the others come too soon to ask again.
    let refused =
        futures_util::future::join_all(tokens.iter().map(|token| me(&server, token))).await;
    assert!(
        refused
            .iter()
            .all(|(status, _)| *status == StatusCode::UNAUTHORIZED)
    );
    assert_eq!(issuer.asked().await, 1);
    assert_eq!(
        me(&server, &old.sign(&claims("ada"))).await.0,
        StatusCode::OK
    );
    assert_eq!(issuer.asked().await, 1);
}

#[tokio::test]
async fn issuer_that_gives_no_keys_is_a_pause_and_nobody_else_notices() {
    let key = Key::new("k1");
    let large = format!("{{\"keys\": [], \"pad\": \"{}\"}}", "x".repeat(200_000));
    for (answer, reason) in [
        (ResponseTemplate::new(500), "500"),
        (
            ResponseTemplate::new(200).set_body_string(large),
            "larger than",
        ),
        (
            ResponseTemplate::new(200).set_body_string("<html>"),
            "no JSON",
        ),
        (
            ResponseTemplate::new(302).insert_header("location", "/elsewhere"),
            "no JSON",
        ),
    ] {
        let issuer = Issuer::start().await;
        issuer.answer(answer).await;
        let home = issuer.home();
        let (server, owner) = Server::with_owner(&home).await;
        let away = me(&server, &key.sign(&claims("ada"))).await;
        assert_error(&away, StatusCode::SERVICE_UNAVAILABLE, "busy");
        assert_eq!(owner.get("/auth/me").await.0, StatusCode::OK);
        server.stop().await;
        assert!(home.log().contains(reason), "{reason}: {}", home.log());
        assert!(!home.log().contains(&issuer.http.uri()));
    }
}

#[tokio::test]
async fn issuer_account_that_an_owner_deletes_does_not_come_back_with_its_next_token() {
    let issuer = Issuer::start().await;
    let key = Key::new("k1");
    issuer.publish(&[&key]).await;
    let mut home = issuer.home();
    home.set("MANA_SIGNUP", "closed");
    let (server, owner) = Server::with_owner(&home).await;
    let token = key.sign(&claims("ada"));
    assert_eq!(me(&server, &token).await.0, StatusCode::OK);
    let deleted = owner.request(Method::DELETE, "/auth/people/ada");
    let (status, said) = send(deleted).await;
    assert!(status.is_success(), "{said}");
    for token in [token, key.sign(&claims("ada"))] {
        let refused = me(&server, &token).await;
        assert_error(&refused, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let (_, people) = owner.get("/auth/people").await;
    assert!(!people.to_string().contains("ada"), "{people}");
}
