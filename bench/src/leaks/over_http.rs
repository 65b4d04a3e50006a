//! Attempts over HTTP: every route that knows a user, and the sockets.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::guesses::{choose, forged, guess};
use super::victim::{SECRET, Victim};
use crate::client::{Person, http, new_id};
use crate::server::Server;

const AT_ONCE: u64 = 8;
/// A socket is tried once in so many requests.
const SOCKET_EVERY: u64 = 50;
const PATIENCE: Duration = Duration::from_secs(30);
/// The attacker's token is renewed after so many requests, because it expires.
const REFRESH_EVERY: u64 = 5_000;

pub async fn run(
    server: &Server,
    victim: &Victim,
    attacker: &Person,
    attempts: u64,
    seed: u64,
) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    let mut trying = JoinSet::new();
    for n in 0..AT_ONCE {
        let share = attempts / AT_ONCE + u64::from(n < attempts % AT_ONCE);
        let one = Attacker {
            base: server.base.clone(),
            http: http()?,
            victim: victim.clone(),
            attacker: attacker.clone(),
            rng: rng.fork(),
        };
        trying.spawn(one.attempts(share));
    }
    while let Some(done) = trying.join_next().await {
        done?.with_context(|| format!("seed {seed}"))?;
    }
    Ok(())
}

struct Attacker {
    base: String,
    http: Client,
    victim: Victim,
    attacker: Person,
    rng: Rng,
}

impl Attacker {
    async fn attempts(mut self, count: u64) -> Result<()> {
        for n in 1..=count {
            if n % SOCKET_EVERY == 0 {
                self.socket().await?;
            } else {
                self.request().await?;
            }
            if n % REFRESH_EVERY == 0 {
                let request = self.http.post(format!("{}/auth/refresh", self.base));
                let request = request.header("cookie", &self.attacker.cookie);
                let body: Value = request.send().await?.error_for_status()?.json().await?;
                self.attacker.token = body["token"].as_str().context("a token")?.to_owned();
            }
        }
        Ok(())
    }

    async fn request(&mut self) -> Result<()> {
        let guess = guess(&mut self.rng, &self.victim, &self.attacker);
        let url = format!("{}{}", self.base, guess.path);
        let mut request = self.http.request(guess.method, url);
        for (name, value) in &guess.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &guess.body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let headers = format!("{:?}", response.headers());
        let text = response.text().await?;
        // An internal error is no refusal. A busy server answers 429 or 503.
        ensure!(
            !status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE,
            "{} answers {status}: {text}",
            guess.path
        );
        let shown = [
            SECRET,
            &self.victim.person.email,
            &self.victim.person.cookie,
        ]
        .iter()
        .any(|secret| text.contains(*secret) || headers.contains(*secret));
        ensure!(
            !shown,
            "{} with {:?} and {:?} answers what is the victim's: {text}",
            guess.path,
            guess.headers,
            guess.body
        );
        Ok(())
    }

    /// Opens a socket as the attacker with the victim's client id, or as nobody, while the victim's device commits.
    async fn socket(&mut self) -> Result<()> {
        let place = self.base.replacen("http", "ws", 1);
        let path = choose(&mut self.rng, &["/ws", "/ws/todo", "/ws/ai", "/ws/notes"]);
        let (mut socket, _) = connect_async(format!("{place}{path}")).await?;
        let honest = self.rng.bool();
        let token = match honest {
            true => self.attacker.token.clone(),
            false => forged(&mut self.rng, &self.victim, &self.attacker),
        };
        let user = &self.victim.person.user_id;
        let auth =
            json!({ "type": "auth", "token": token, "clientId": "victims-phone", "userId": user });
        socket.send(Message::text(auth.to_string())).await?;
        let first = timeout(PATIENCE, socket.next()).await?;
        // A refused connection may end without a message.
        let Some(Ok(first)) = first else {
            ensure!(!honest, "a socket with a good token is closed: {first:?}");
            return Ok(());
        };
        match (&first, honest) {
            (Message::Text(text), true) => ensure!(text.contains("auth-ok"), "{text}"),
            (Message::Close(_), false) => return Ok(()),
            _ => bail!("a socket with the token {token} is answered {first:?}"),
        }
        // The victim repeats a commit, so that the log stays as it is.
        let again =
            json!({ "type": "auth", "token": forged(&mut self.rng, &self.victim, &self.attacker) });
        let ping = json!({ "type": "ping", "missionId": self.victim.mission, "eventId": new_id() });
        socket.send(Message::text(ping.to_string())).await?;
        socket.send(Message::text(again.to_string())).await?;
        loop {
            let Some(Ok(message)) = timeout(PATIENCE, socket.next()).await? else {
                return Ok(());
            };
            match message {
                Message::Close(_) => return Ok(()),
                Message::Text(text) => {
                    ensure!(
                        !text.contains(SECRET),
                        "a socket hears what is the victim's: {text}"
                    );
                    let heard: Value = serde_json::from_str(&text)?;
                    ensure!(
                        heard["type"] != "auth-ok",
                        "a socket was taken over with a forged token"
                    );
                }
                _ => {}
            }
        }
    }
}
