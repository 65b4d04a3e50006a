//! People and the requests of their devices over HTTP.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use mana_core::Micros;
use mana_device::{Env, HttpTransport, Session};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::server::Server;

const PASSWORD: &str = "correct horse battery";

/// A person with an account, signed in.
#[derive(Clone)]
pub struct Person {
    /// The account.
    pub user_id: String,
    /// The address.
    pub email: String,
    /// The bearer token.
    pub token: String,
    /// The session's cookie.
    pub cookie: String,
}

impl Person {
    /// Makes an account.
    pub async fn sign_up(server: &Server, http: &Client, name: &str) -> Result<Person> {
        let email = format!("{name}@example.org");
        let body = json!({ "email": email, "password": PASSWORD });
        // Each sign-up comes from another address, because sign-ups from an address are limited.
        let number = fastrand::u32(..) & 0xff_ffff;
        let [_, a, b, c] = number.to_be_bytes();
        let response = http
            .post(format!("{}/auth/signup", server.base))
            .header("x-forwarded-for", format!("10.{a}.{b}.{c}"))
            .json(&body)
            .send()
            .await?;
        let (status, cookie) = (response.status(), cookie(&response));
        let body: Value = response.json().await?;
        if status != StatusCode::CREATED {
            bail!("no account for {email}: {body}");
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Ok(Person {
            user_id: text("userId"),
            email,
            token: text("token"),
            cookie: cookie.context("the answer sets no cookie")?,
        })
    }

    /// Takes a new token of the same session by the cookie.
    pub async fn refresh(&mut self, server: &Server, http: &Client) -> Result<()> {
        let request = http
            .post(format!("{}/auth/refresh", server.base))
            .header("cookie", &self.cookie);
        let body: Value = request.send().await?.error_for_status()?.json().await?;
        self.token = body["token"].as_str().context("a token")?.to_owned();
        Ok(())
    }

    /// The transport of a replica of this person.
    pub fn transport(&self, server: &Server) -> Result<HttpTransport> {
        let (_, cookie) = self.cookie.split_once('=').context("a cookie")?;
        let session = Session {
            url: server.base.clone(),
            user_id: self.user_id.clone(),
            email: self.email.clone(),
            cookie: cookie.to_owned(),
            token: self.token.clone(),
        };
        Ok(HttpTransport::resume(session, |_| ())?)
    }
}

fn cookie(response: &reqwest::Response) -> Option<String> {
    let set = response.headers().get("set-cookie")?.to_str().ok()?;
    Some(set.split(';').next()?.to_owned())
}

/// An HTTP client with connections of its own, for this machine.
pub fn http() -> Result<Client> {
    patient_http(Duration::from_secs(30))
}

/// The same, for answers that may take so long.
pub fn patient_http(timeout: Duration) -> Result<Client> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(timeout)
        .build()?)
}

/// The time.
pub fn now() -> Micros {
    (Env::system().now)()
}

/// Pushes a JSON array of changes to `todo` and returns the new cursor. After an error the server may have accepted the
/// push.
pub async fn push(
    http: &Client,
    base: &str,
    token: &str,
    client_id: &str,
    since: &str,
    changes: &str,
) -> Result<String> {
    let body = format!(
        r#"{{"clientId":"{client_id}","since":"{since}","schemaVersion":1,"changes":{changes}}}"#
    );
    let response = http
        .post(format!("{base}/sync/todo"))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?;
    let status = response.status();
    let answer: Value = response.json().await?;
    if status != StatusCode::OK {
        bail!("{status}: {answer}");
    }
    let cursor = answer["syncedUntil"].as_str().context("a cursor")?;
    Ok(cursor.to_owned())
}

/// A new id, as devices make them.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// So many new tasks of two fields, as the text of a push.
pub fn new_tasks(count: usize) -> String {
    let mut text = String::with_capacity(count * 220);
    text.push('[');
    for n in 0..count {
        if n > 0 {
            text.push(',');
        }
        let (event, id, at) = (new_id(), new_id(), now());
        text.push_str(&format!(
            concat!(
                r#"{{"eventId":"{event}","table":"tasks","id":"{id}","op":"insert","#,
                r#""data":{{"title":"Task number {n} of a batch","done":false}},"#,
                r#""at":"{at}","actor":{{"kind":"user"}}}}"#
            ),
            event = event,
            id = id,
            n = n,
            at = at
        ));
    }
    text.push(']');
    text
}

/// Text as a value of a URL's query.
pub fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
