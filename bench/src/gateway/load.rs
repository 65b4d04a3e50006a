//! Requests at a constant rate, whether or not earlier requests are answered.
//!
//! Each of a fixed number of connections has its turns and a thread that sleeps until the next turn, so that no
//! asynchronous runtime delays the first byte of a request. The time of a request that starts late, because the
//! request before it is still under way, counts from the moment when it was due.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Connections that are kept open to each server.
pub const CONNECTIONS: u32 = 64;
/// A server that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time that the threads have to start.
const HEAD_START: Duration = Duration::from_millis(20);

/// A server under load.
pub struct Target {
    /// The name in the tables.
    pub name: &'static str,
    address: SocketAddr,
    bearer: String,
    model: &'static str,
}

/// The kind of request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An answer in one piece.
    Chat,
    /// An answer piece by piece.
    Stream,
}

/// How many requests, how fast.
#[derive(Clone, Copy)]
pub struct Pace {
    /// The kind of request.
    pub kind: Kind,
    /// Requests a second.
    pub rate: u32,
    /// How long.
    pub during: Duration,
}

/// The results of a load.
#[derive(Default)]
pub struct Fired {
    /// Times from the moment when a request was due to the end of its answer. A request that was not sent by the end of
    /// the load counts up to that end.
    pub whole: Vec<Duration>,
    /// Times to the first byte of the answer's body.
    pub first: Vec<Duration>,
    /// Right answers before the load's end.
    pub in_time: usize,
    /// Requests that were sent, warm-up included.
    pub sent: usize,
    /// Missing and wrong answers.
    pub failed: usize,
    /// Requests whose turn came only after the load's end, because the server was behind.
    pub unsent: usize,
    /// An example of the failures.
    pub why: Option<String>,
}

impl Fired {
    /// Adds the results of another load.
    pub fn add(&mut self, other: Fired) {
        self.whole.extend(other.whole);
        self.first.extend(other.first);
        self.in_time += other.in_time;
        self.sent += other.sent;
        self.failed += other.failed;
        self.unsent += other.unsent;
        self.why = self.why.take().or(other.why);
    }

    fn note(&mut self, due: Instant, end: Instant, answered: Result<Answered>) {
        self.sent += 1;
        match answered {
            Ok(answered) => {
                self.whole.push(answered.whole.duration_since(due));
                self.first.push(answered.first.duration_since(due));
                // The last turns end shortly after the load. A second later, the server counts as behind.
                self.in_time += usize::from(answered.whole <= end + Duration::from_secs(1));
            }
            Err(error) => {
                self.failed += 1;
                self.why.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
}

struct Answered {
    first: Instant,
    whole: Instant,
}

impl Target {
    /// A server at this address, called with this bearer token.
    pub fn new(
        name: &'static str,
        address: SocketAddr,
        bearer: impl Into<String>,
        model: &'static str,
    ) -> Target {
        Target {
            name,
            address,
            bearer: bearer.into(),
            model,
        }
    }

    /// Sends at this pace, after a request on each connection that isn't counted.
    pub fn fire(&self, pace: Pace) -> Fired {
        let request = self.request(pace.kind);
        let warm = Barrier::new(CONNECTIONS as usize);
        let began = Mutex::new(None);
        let total = u64::from(pace.rate) * pace.during.as_millis() as u64 / 1000;
        let every = Duration::from_secs(1) / pace.rate;
        let one = &|place: u32| {
            let mut connection = None;
            // A failure of the first request shows in the counted requests too.
            let _ = self.ask(&mut connection, &request, pace.kind);
            let mut fired = Fired {
                sent: 1,
                ..Fired::default()
            };
            warm.wait();
            let began = *began
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert_with(|| Instant::now() + HEAD_START);
            let end = began + pace.during;
            for turn in (u64::from(place)..total).step_by(CONNECTIONS as usize) {
                let due = began + every * u32::try_from(turn).unwrap_or(u32::MAX);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if Instant::now() > end {
                    fired.unsent += 1;
                    fired.whole.push(end.saturating_duration_since(due));
                    fired.first.push(end.saturating_duration_since(due));
                    continue;
                }
                let answered = self.ask(&mut connection, &request, pace.kind);
                fired.note(due, end, answered);
            }
            fired
        };
        let mut all = Fired::default();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..CONNECTIONS)
                .map(|place| scope.spawn(move || one(place)))
                .collect();
            for thread in threads {
                all.add(thread.join().expect("the load's threads don't panic"));
            }
        });
        all
    }

    /// Sends so many requests one after the other on one connection.
    pub fn ask_in_turn(&self, kind: Kind, requests: usize) -> Result<()> {
        let request = self.request(kind);
        let mut connection = None;
        for _ in 0..requests {
            self.ask(&mut connection, &request, kind)?;
        }
        Ok(())
    }

    fn request(&self, kind: Kind) -> Vec<u8> {
        let stream = kind == Kind::Stream;
        let body = format!(
            concat!(
                r#"{{"model":"{}","#,
                r#""messages":[{{"role":"user","content":"Say hello to everybody who waits for it."}}],"#,
                r#""max_tokens":64,"stream":{}}}"#
            ),
            self.model, stream
        );
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\n\
             authorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            self.bearer,
            body.len()
        )
        .into_bytes()
    }

    fn ask(
        &self,
        connection: &mut Option<TcpStream>,
        request: &[u8],
        kind: Kind,
    ) -> Result<Answered> {
        let stream = match connection {
            Some(stream) => stream,
            None => connection.insert(connect(self.address)?),
        };
        let answered = stream
            .write_all(request)
            .context("the request")
            .and_then(|()| read(stream, kind));
        if answered.is_err() {
            *connection = None;
        }
        answered
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads an answer to its end, and checks that it is the answer of `crabllm-bench`.
fn read(stream: &mut TcpStream, kind: Kind) -> Result<Answered> {
    let mut read = Vec::with_capacity(8 << 10);
    let mut buffer = [0; 8 << 10];
    let mut first = None;
    let mut head = None;
    loop {
        let count = stream.read(&mut buffer).context("the answer")?;
        if count == 0 {
            bail!("the connection was closed within the answer");
        }
        read.extend_from_slice(&buffer[..count]);
        if head.is_none() {
            head = Head::of(&read)?;
        }
        let Some(head) = &head else { continue };
        if read.len() > head.length {
            first.get_or_insert_with(Instant::now);
        }
        if head.is_complete(&read) {
            break;
        }
    }
    let wanted: &[u8] = match kind {
        Kind::Chat => b"This is a benchmark response.",
        Kind::Stream => b"data: [DONE]",
    };
    if !contains(&read, wanted) {
        bail!("another answer: {}", String::from_utf8_lossy(&read));
    }
    let whole = Instant::now();
    Ok(Answered {
        first: first.unwrap_or(whole),
        whole,
    })
}

struct Head {
    length: usize,
    /// None where the body comes in chunks.
    body: Option<usize>,
}

impl Head {
    /// None before it is complete.
    fn of(read: &[u8]) -> Result<Option<Head>> {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        if !text.starts_with("http/1.1 200") {
            bail!("{}", String::from_utf8_lossy(read));
        }
        let length = |line: &str| line.strip_prefix("content-length:")?.trim().parse().ok();
        Ok(Some(Head {
            length: end + 4,
            body: text.lines().find_map(length),
        }))
    }

    fn is_complete(&self, read: &[u8]) -> bool {
        match self.body {
            Some(body) => read.len() >= self.length + body,
            None => read.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that answers each request after a delay.
    fn server(answer: &'static str, delay: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                        thread::sleep(delay);
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\nThis is a benchmark response.";

    fn fire(answer: &'static str, delay: u64, kind: Kind, rate: u32) -> Fired {
        let target = Target::new("x", server(answer, Duration::from_millis(delay)), "k", "m");
        let during = Duration::from_millis(640);
        target.fire(Pace { kind, rate, during })
    }

    #[test]
    fn every_request_is_counted_once() {
        let fired = fire(GOOD, 0, Kind::Chat, 100);
        assert_eq!((fired.failed, fired.why.as_deref()), (0, None));
        assert_eq!(fired.whole.len(), 64);
        assert_eq!(fired.sent + fired.unsent, 64 + 64);
    }

    #[test]
    fn a_server_that_is_too_slow_is_not_flattered() {
        // Each connection has two turns of 320 ms; an answer takes 500 ms: the second turns come late.
        let mut fired = fire(GOOD, 500, Kind::Chat, 200);
        fired.whole.sort_unstable();
        assert_eq!(fired.whole.len(), 128);
        assert!(fired.whole[127] >= Duration::from_millis(600));
    }

    #[test]
    fn what_is_no_good_answer_is_a_failure() {
        let bad = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello";
        assert_eq!(fire(bad, 0, Kind::Chat, 100).failed, 64);
        let refused = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n";
        let fired = fire(refused, 0, Kind::Chat, 100);
        assert_eq!(fired.failed, 64);
        assert!(fired.why.unwrap().contains("429"));
    }

    #[test]
    fn a_stream_ends_with_its_last_chunk() {
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
        let fired = fire(chunks, 0, Kind::Stream, 100);
        assert_eq!((fired.failed, fired.why), (0, None));
        assert_eq!(fired.first.len(), 64);
    }
}
