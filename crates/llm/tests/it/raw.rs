//! An upstream made by hand, for what a well-behaved mock server can't do:
//! drip, hang, break off, flood.

use std::future::Future;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A request's connection, its body already read.
pub struct Caller {
    stream: BufReader<TcpStream>,
}

/// Serves every connection with `answer`.
pub async fn serve<F>(answer: impl Fn(Caller) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut caller = Caller {
                stream: BufReader::new(stream),
            };
            caller.read_request().await;
            tokio::spawn(answer(caller));
        }
    });
    format!("http://{address}")
}

impl Caller {
    async fn read_request(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head
            .split("content-length:")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let length = length.map_or(0, |length| length.trim().parse().unwrap());
        let mut body = vec![0; length];
        let _ = self.stream.read_exact(&mut body).await;
    }

    /// Sends bytes; `false` once nobody takes them any more.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = self.stream.write_all(bytes.as_ref()).await;
        sent.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Begins a stream of events that ends with the connection.
    pub async fn begin_events(&mut self) -> bool {
        self.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            .await
    }

    /// Sends an event of a stream.
    pub async fn event(&mut self, data: &str) -> bool {
        self.send(format!("data: {data}\n\n")).await
    }

    /// Waits until the other side has hung up.
    pub async fn hung_up(&mut self) {
        let mut byte = [0];
        while matches!(self.stream.read(&mut byte).await, Ok(1..)) {}
    }
}

/// A chunk of an answer with this text.
pub fn chunk(text: &str) -> String {
    format!(
        r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#
    )
}

/// The last chunk of an answer.
pub const STOP: &str = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

/// An address that nobody else gets, where nobody listens until someone does.
pub fn reserve() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// An address where nobody ever listens.
pub fn nobody() -> String {
    let (socket, address) = reserve();
    // Kept until the end of the tests, so that no other test gets the port.
    std::mem::forget(socket);
    format!("http://{address}")
}
