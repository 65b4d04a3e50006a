//! `cargo xtask bench instructions`: the instructions that a call takes, counted by callgrind. Unlike times they don't
//! depend on what else the machine does, so that two binaries can be compared on a busy one.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::task::block_in_place;

use super::load::{Kind, Target};
use super::systems::{MODEL, prepared};
use crate::report::{Bound, Report, number};
use crate::server::On;

/// Calls before those that count, in which caches are filled and connections opened.
const WARM_UP: usize = 50;
/// The share by which two runs of the same binary may differ.
const NOISE: f64 = 0.01;
/// The pieces of a streamed answer.
const PIECES: usize = 20;

/// Counts a call of each kind in both binaries. A figure may be no higher after than before.
pub async fn run(before: &Path, after: &Path, calls: usize) -> Result<Report> {
    let valgrind = valgrind()?;
    let upstream = upstream()?;
    let mut report = Report::default();
    for (kind, what) in [(Kind::Chat, "a call"), (Kind::Stream, "a streamed call")] {
        let before = a_call(before, &valgrind, upstream, kind, calls).await?;
        let after = a_call(after, &valgrind, upstream, kind, calls).await?;
        let change = 100.0 * (after / before - 1.0);
        report.add(
            format!("instructions of {what}"),
            after,
            "",
            Bound::AtMost(before * (1.0 + NOISE)),
            format!("before: {}; {change:+.1} %", number(before)),
        );
    }
    Ok(report)
}

/// The instructions of a call: those of twice as many calls less those of so many, so that start and end count nothing.
async fn a_call(
    binary: &Path,
    valgrind: &Path,
    upstream: SocketAddr,
    kind: Kind,
    calls: usize,
) -> Result<f64> {
    let (mut home, _, secret) = prepared(binary, On::Sqlite, upstream).await?;
    let dir = TempDir::new()?;
    let counts = dir.path().join("counts");
    let tool = [
        valgrind.to_string_lossy().into_owned(),
        "--tool=callgrind".to_owned(),
        "--quiet".to_owned(),
        format!("--callgrind-out-file={}", counts.display()),
    ];
    home.run_under(&tool);
    let mut totals = Vec::new();
    for calls in [calls, 2 * calls] {
        let server = home.start().await?;
        let address = server.address()?;
        let target = Target::new("Mana", address, secret.clone(), "default/bench-chat");
        block_in_place(|| target.ask_in_turn(kind, WARM_UP + calls))?;
        server.stop().await?;
        totals.push(total(&fs::read_to_string(&counts)?)?);
    }
    Ok((totals[1] - totals[0]) / calls as f64)
}

/// The sum in a file of callgrind's.
fn total(text: &str) -> Result<f64> {
    let mut sums = text.lines().filter_map(|line| {
        let sum = line
            .strip_prefix("totals:")
            .or(line.strip_prefix("summary:"))?;
        sum.trim().parse().ok()
    });
    sums.next_back().context("callgrind counted nothing")
}

/// The path of valgrind. A server under test gets an empty environment.
fn valgrind() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|place| place.join("valgrind"));
    places
        .find(|place| place.is_file())
        .context("valgrind is missing; run `apt-get install valgrind`")
}

/// A model's server that gives the same answer at once, all pieces of a stream in a single write.
fn upstream() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // A broken connection fails at the client, which tells it.
            thread::spawn(move || converse(stream));
        }
    });
    Ok(address)
}

fn converse(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::new();
    let mut buffer = [0; 8 << 10];
    loop {
        while let Some(length) = request_length(&read) {
            let request: Vec<u8> = read.drain(..length).collect();
            stream.write_all(answer(&request).as_bytes())?;
        }
        match stream.read(&mut buffer)? {
            0 => bail!("the gateway has closed the connection"),
            count => read.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The length of the first request in these bytes. None before it is complete.
fn request_length(read: &[u8]) -> Option<usize> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let body = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length = end + body.unwrap_or(0);
    (read.len() >= length).then_some(length)
}

fn answer(request: &[u8]) -> String {
    let request = String::from_utf8_lossy(request);
    if !request.starts_with("POST") {
        return whole(&format!(
            r#"{{"object":"list","data":[{{"id":"{MODEL}","object":"model"}}]}}"#
        ));
    }
    if !request.contains(r#""stream":true"#) {
        return whole(&format!(
            concat!(
                r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"{}","choices":[{{"index":0,"#,
                r#""message":{{"role":"assistant","content":"This is a benchmark response."}},"#,
                r#""finish_reason":"stop"}}],"#,
                r#""usage":{{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}}}"#,
            ),
            MODEL
        ));
    }
    let piece = |delta: &str, reason: &str| {
        format!(
            concat!(
                r#"data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"{}","#,
                r#""choices":[{{"index":0,"delta":{},"finish_reason":{}}}]}}"#,
                "\n\n"
            ),
            MODEL, delta, reason
        )
    };
    let mut events = piece(r#"{"role":"assistant","content":"This "}"#, "null").repeat(PIECES);
    events += &piece("{}", r#""stop""#);
    events += concat!(
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":10,"#,
        r#""completion_tokens":20,"total_tokens":30}}"#,
        "\n\ndata: [DONE]\n\n"
    );
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{events}\r\n0\r\n\r\n",
        events.len()
    )
}

fn whole(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_read_from_what_callgrind_writes() {
        let text = "version: 1\nevents: Ir\nsummary: 12\nfn=(1) x\n1 7\ntotals: 40\n";
        assert!((total(text).unwrap() - 40.0).abs() < 0.1);
        assert!((total("summary: 12").unwrap() - 12.0).abs() < 0.1);
        assert!(total("events: Ir").is_err());
    }

    #[test]
    fn every_call_is_answered_whole_and_in_pieces() {
        let target = Target::new("the upstream", upstream().unwrap(), "k", MODEL);
        for kind in [Kind::Chat, Kind::Stream] {
            target.ask_in_turn(kind, 3).unwrap();
        }
    }
}
