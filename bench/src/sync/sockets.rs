//! Devices that are connected and idle.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::client::{Person, http, new_tasks, push};
use crate::report::{Bound, Report, number};
use crate::server::{Home, On, Server};

const PEOPLE: usize = 100;
/// Files that the process needs beside the sockets.
const BESIDE: u64 = 500;
/// How many connect at once.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn measure(report: &mut Report, binary: &Path, on: On, wanted: usize) -> Result<()> {
    // The server inherits the limit.
    let may = files(wanted as u64 + BESIDE)?;
    let count = wanted.min(usize::try_from(may.saturating_sub(BESIDE))?);
    if count < wanted {
        report.note(format!(
            "{count} sockets instead of {wanted}: RLIMIT_NOFILE allows {may} files."
        ));
    }
    let home = Home::new(binary, on)?;
    let server = home.start().await?;
    let client = http()?;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::sign_up(&server, &client, &format!("socket{n}")).await?);
    }
    // Hashing passwords takes memory that the process keeps, so the sockets are measured on a fresh process.
    let after_sign_ups = server.memory()?;
    server.kill().await?;
    let server = home.start().await?;
    push(
        &client,
        &server.base,
        &people[0].token,
        "busy",
        "",
        &new_tasks(1),
    )
    .await?;
    let before = server.memory()?;

    let mut sockets = Vec::with_capacity(count);
    let mut opening = JoinSet::new();
    for n in 0..count {
        if opening.len() == AT_ONCE {
            sockets.push(opening.join_next().await.context("one opens")???);
        }
        let token = people[n % PEOPLE].token.clone();
        let address = server.base.clone();
        opening.spawn(async move {
            open(&address, &token)
                .await
                .with_context(|| format!("socket {n}"))
        });
    }
    while let Some(opened) = opening.join_next().await {
        sockets.push(opened??);
    }
    sleep(Duration::from_secs(3)).await;
    let memory = server.memory()?;
    let heard = told(&server, &client, &people[0], &mut sockets).await?;
    let each = (memory - before) * 1024.0 / f64::from(u32::try_from(count)?);
    report.add(
        format!(
            "memory of the server with {} idle sockets",
            number(f64::from(u32::try_from(count)?))
        ),
        memory,
        "MiB",
        Bound::AtMost(250.0),
        format!(
            "{} MiB without them, {} KiB each; then one write told {heard} of them. \
             After {PEOPLE} sign-ups, before a restart: {} MiB",
            number(before),
            number(each),
            number(after_sign_ups)
        ),
    );
    server.kill().await
}

type Socket = WebSocketStream<TcpStream>;

async fn open(base: &str, token: &str) -> Result<Socket> {
    let place = base.trim_start_matches("http://");
    let stream = TcpStream::connect(place).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(1024);
    let (mut socket, _) =
        client_async_with_config(format!("ws://{place}/ws"), stream, Some(config)).await?;
    let auth = json!({ "type": "auth", "token": token, "clientId": "idle" });
    socket.send(Message::text(auth.to_string())).await?;
    match hear(&mut socket).await? {
        message if message["type"] == "auth-ok" => Ok(socket),
        other => bail!("the server takes no socket: {other}"),
    }
}

async fn hear(socket: &mut Socket) -> Result<Value> {
    loop {
        let message = timeout(PATIENCE, socket.next()).await?;
        match message.context("the socket was closed")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(reason) => bail!("the socket was closed: {reason:?}"),
            _ => {}
        }
    }
}

/// Writes as a person. Every socket of that person must hear of the write, which shows that idle sockets are alive.
async fn told(
    server: &Server,
    http: &reqwest::Client,
    person: &Person,
    sockets: &mut [Socket],
) -> Result<usize> {
    let told = (0..sockets.len()).filter(|n| n % PEOPLE == 0).count();
    push(http, &server.base, &person.token, "busy", "", &new_tasks(1)).await?;
    let mut heard = 0;
    // Sockets open side by side, so their order doesn't tell their person.
    let all: Vec<_> = sockets.iter_mut().map(hear_soon).collect();
    for message in futures_util::future::join_all(all)
        .await
        .into_iter()
        .flatten()
    {
        if message["type"] != "sync-available" {
            bail!("a socket hears {message}");
        }
        heard += 1;
    }
    if heard != told {
        bail!("{heard} of {told} sockets were told of a write");
    }
    Ok(heard)
}

async fn hear_soon(socket: &mut Socket) -> Option<Value> {
    timeout(Duration::from_secs(3), hear(socket))
        .await
        .ok()?
        .ok()
}

/// Raises the limit of open files as far as wanted and allowed, and returns it.
fn files(wanted: u64) -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return Ok(current);
    }
    let raised = wanted.min(hard);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(raised),
            maximum: limit.maximum,
        },
    )?;
    Ok(raised)
}
