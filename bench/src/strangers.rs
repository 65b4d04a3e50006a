//! `cargo xtask bench strangers`: the server's memory and a neighbour's pushes, while strangers and another member of
//! the server load it.
//!
//! The load comes from 127.0.0.1 and the neighbour from 127.0.0.2; neither is a trusted proxy. The server starts with
//! the soft bound of open files that systemd gives, 1,024.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use reqwest::{Client, StatusCode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::client::{Person, http, new_id, new_tasks};
use crate::report::{Bound, Report, load, percentile};
use crate::server::{Home, On, Server};

/// Soft bound of open files under systemd.
const FILES: u64 = 1024;
/// Time between two pushes of the neighbour.
const PUSH_EVERY: Duration = Duration::from_millis(100);
/// Bound of the neighbour's 99th percentile, in milliseconds.
const P99_MS: f64 = 500.0;
/// Memory over twice the idle server's that a load may take, in MiB.
const MEMORY_MIB: f64 = 100.0;

/// A kind of load.
#[derive(Clone, Copy)]
enum Load {
    None,
    /// Sign-ins whose bodies never end.
    Bodies,
    /// Connections that send nothing.
    Connections,
    /// Pushes of 90,000 changes, in a loop.
    OversizedPushes,
    /// Pushes of 1,000 changes, in a loop.
    FullPushes,
    All,
}

impl Load {
    const EACH: [(Load, &'static str); 5] = [
        (Load::Bodies, "40 sign-ins without an end"),
        (Load::Connections, "1,005 idle connections"),
        (
            Load::OversizedPushes,
            "3 clients that push 90,000 changes at once",
        ),
        (
            Load::FullPushes,
            "3 clients that push 1,000 changes at once",
        ),
        (Load::All, "all of it together"),
    ];

    fn has(self, other: Load) -> bool {
        matches!(self, Load::All) || std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// The neighbour's pushes during a load, and the server's memory.
struct Seen {
    times: Vec<Duration>,
    refused: usize,
    memory: f64,
}

/// Measures for so many seconds a load.
pub async fn run(binary: &Path, on: On, seconds: u64) -> Result<Report> {
    let mut home = Home::new(binary, on)?;
    home.set("MANA_TRUSTED_PROXIES", "192.0.2.1");
    let server = start(&home).await?;
    let client = http()?;
    let attacker = Person::sign_up(&server, &client, "attacker").await?;
    let neighbour = Person::sign_up(&server, &client, "neighbour").await?;

    let mut report = Report::default();
    let quiet = measure(&server, Load::None, &attacker, &neighbour, seconds).await?;
    let idle = quiet.memory;
    add(&mut report, "no load", quiet, Bound::None, idle);
    for (kind, name) in Load::EACH {
        let seen = measure(&server, kind, &attacker, &neighbour, seconds).await?;
        let bound = Bound::AtMost(2.0 * idle + MEMORY_MIB);
        add(&mut report, name, seen, bound, idle);
    }
    report.note(format!(
        "{seconds} s a load, the neighbour pushes ten times a second; load average {}",
        load()
    ));
    server.kill().await?;
    Ok(report)
}

fn add(report: &mut Report, name: &str, mut seen: Seen, memory: Bound, idle: f64) {
    let pushes = seen.times.len() + seen.refused;
    report.add(
        format!("{name}: memory"),
        seen.memory,
        "MiB",
        memory,
        format!("idle: {idle:.1} MiB"),
    );
    if seen.times.is_empty() {
        report.miss(format!("{name}: no push of the neighbour was answered"));
    } else {
        let beside = format!("p50: {:.1} ms", percentile(&mut seen.times, 0.5));
        let p99 = percentile(&mut seen.times, 0.99);
        let name = format!("{name}: neighbour's push, p99");
        report.add(name, p99, "ms", Bound::AtMost(P99_MS), beside);
    }
    #[allow(clippy::cast_precision_loss)]
    report.add(
        format!("{name}: neighbour's pushes refused"),
        seen.refused as f64,
        "",
        Bound::AtMost(0.0),
        format!("of {pushes}"),
    );
}

/// Starts the server as systemd would. The bound is this process's own for a moment.
async fn start(home: &Home) -> Result<Server> {
    let own = getrlimit(Resource::Nofile);
    let small = Rlimit {
        current: Some(FILES),
        maximum: own.maximum,
    };
    setrlimit(Resource::Nofile, small)?;
    let server = home.start().await;
    let large = Rlimit {
        current: own.maximum,
        maximum: own.maximum,
    };
    setrlimit(Resource::Nofile, large)?;
    server
}

async fn measure(
    server: &Server,
    kind: Load,
    attacker: &Person,
    neighbour: &Person,
    seconds: u64,
) -> Result<Seen> {
    let mut loads = JoinSet::new();
    let address = server.base.trim_start_matches("http://").to_owned();
    if kind.has(Load::Bodies) {
        for _ in 0..40 {
            loads.spawn(endless_body(address.clone()));
        }
    }
    if kind.has(Load::Connections) {
        for _ in 0..1005 {
            loads.spawn(idle_connection(address.clone()));
        }
    }
    let flood = |body: Body| -> Result<_> {
        let (base, token) = (server.base.clone(), attacker.token.clone());
        Ok(looped_pushes(http()?, base, token, body))
    };
    if kind.has(Load::OversizedPushes) {
        let body = push_body(&new_id(), 90_000);
        for _ in 0..3 {
            loads.spawn(flood(Body::Same(body.clone().into()))?);
        }
    }
    if kind.has(Load::FullPushes) {
        for _ in 0..3 {
            loads.spawn(flood(Body::New(1000))?);
        }
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let seen = neighbour_pushes(server, neighbour, until).await;
    loads.shutdown().await;
    // The server notices that its clients are gone.
    sleep(Duration::from_secs(1)).await;
    seen
}

async fn neighbour_pushes(server: &Server, person: &Person, until: Instant) -> Result<Seen> {
    // A certificate store takes a second to read, and none is needed.
    let client = Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)))
        .timeout(Duration::from_secs(30))
        .build()?;
    let mut seen = Seen {
        times: Vec::new(),
        refused: 0,
        memory: 0.0,
    };
    let id = new_id();
    let mut pace = interval(PUSH_EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        pace.tick().await;
        let (body, began) = (push_body(&id, 1), Instant::now());
        let answer = client
            .post(format!("{}/sync/todo", server.base))
            .bearer_auth(&person.token)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status() == StatusCode::OK => {
                answer.bytes().await?;
                seen.times.push(began.elapsed());
            }
            _ => seen.refused += 1,
        }
        seen.memory = seen.memory.max(server.memory()?);
    }
    Ok(seen)
}

fn push_body(client_id: &str, changes: usize) -> String {
    let changes = new_tasks(changes);
    // The future has no rows, so that the answer is short.
    format!(
        r#"{{"clientId":"{client_id}","since":"2100-01-01T00:00:00Z","schemaVersion":1,"changes":{changes}}}"#
    )
}

/// Sends all but the last two bytes of a body of ten megabytes, as far as the server takes it, then nothing. Begins
/// again when the server has had enough.
async fn endless_body(address: String) {
    const LENGTH: usize = 9_900_038;
    let piece = vec![b' '; 64 * 1024];
    loop {
        let send = async {
            let mut stream = TcpStream::connect(&address).await?;
            let head = format!(
                "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Content-Length: {LENGTH}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            let mut left = LENGTH - 2;
            while left > 0 {
                let some = left.min(piece.len());
                stream.write_all(&piece[..some]).await?;
                left -= some;
            }
            closed(stream).await
        };
        pause_after(send.await).await;
    }
}

async fn idle_connection(address: String) {
    loop {
        let hold = async { closed(TcpStream::connect(&address).await?).await };
        pause_after(hold.await).await;
    }
}

/// Waits until the server closes a connection.
async fn closed(mut stream: TcpStream) -> std::io::Result<()> {
    let mut byte = [0; 256];
    while stream.read(&mut byte).await? > 0 {}
    Ok(())
}

/// A client that is turned away comes again, but no faster than a second: the bench must not measure itself.
async fn pause_after(_ended: std::io::Result<()>) {
    sleep(Duration::from_secs(1)).await;
}

/// The push that a client repeats.
enum Body {
    /// The same body each time: it is refused.
    Same(Arc<str>),
    /// So many new changes: repeated ones would not be written again.
    New(usize),
}

async fn looped_pushes(client: Client, base: String, token: String, body: Body) {
    let id = new_id();
    loop {
        let text = match &body {
            Body::Same(text) => text.to_string(),
            Body::New(changes) => push_body(&id, *changes),
        };
        let push = client
            .post(format!("{base}/sync/todo"))
            .bearer_auth(&token)
            .header("content-type", "application/json")
            .body(text);
        if let Ok(answer) = push.send().await {
            // The answer is read so that the connection can be used again.
            let _ = answer.bytes().await;
        }
    }
}
