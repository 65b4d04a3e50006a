//! Connections, with bounds on how long a client may take to send a request, how large a request's head may be, and how
//! many connections an address may have.
//!
//! `axum::serve` waits for a request for ever, so clients that open connections and send nothing would use up the
//! server's file descriptors.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer as _;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::counted_stream::CountedStream;
use super::open_connections::{OpenConnection, OpenConnections};
use super::request_service::RequestService;
use super::trusted_proxies::TrustedProxies;

/// Bound of the first request's head, from the connection's start.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Bound of a further request's head, from the end of the request before: a connection may rest.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// Largest head of a request, and largest read buffer of a connection. The library's default is 400 KiB.
const HEAD_BYTES: usize = 64 * 1024;
/// Bound between two pieces of a request's body.
const PIECE_WITHIN: Duration = Duration::from_secs(60);
/// Pause after a connection that couldn't be accepted, such as for lack of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop` is cancelled, then until the requests under way have ended.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    connections: Arc<OpenConnections>,
    proxies: TrustedProxies,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES);
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer): (_, SocketAddr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "A connection could not be accepted: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Some(place) = connections.admit(peer.ip(), proxies.trusts(peer.ip())) else {
            tracing::debug!("A connection was refused: its address, or the server, has too many");
            continue;
        };
        // Small packets, such as notices and tokens of an answer, must not wait for others.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "A connection ended before its first request: {error}");
            continue;
        }
        let routes = Extension(ConnectInfo(peer)).layer(routes.clone());
        let routes = RequestService {
            inner: RequestBodyTimeoutLayer::new(PIECE_WITHIN).layer(routes),
            connection: place.connection().clone(),
        };
        let counted = place.connection().clone();
        let stream = TokioIo::new(CountedStream::new(stream, place));
        let connection = http
            .serve_connection(stream, TowerToHyperService::new(routes))
            .with_upgrades();
        let stopped = stop.clone();
        open.spawn(async move {
            let mut connection = pin!(connection);
            // An error on the connection concerns the client alone.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stopped.cancelled() => {}
                () = unused(&counted) => return,
                () = counted.closed() => {
                    // A connection that has had no request has nothing to finish.
                    if !counted.has_had_request() {
                        return;
                    }
                }
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Ends where a connection has had no request for too long.
async fn unused(connection: &OpenConnection) {
    sleep(FIRST_HEAD_WITHIN).await;
    if connection.has_had_request() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::http::open_connections::ConnectionBounds;

    async fn server() -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() })
                .post(|body: String| async move { body }),
        );
        let stop = CancellationToken::new();
        let bounds = ConnectionBounds {
            per_address: 8,
            idle_per_address: 4,
            total: 100,
        };
        let connections = OpenConnections::new(bounds);
        let proxies = TrustedProxies::parse("192.0.2.1").unwrap();
        tokio::spawn(serve(listener, routes, connections, proxies, stop.clone()));
        (address, stop)
    }

    async fn all(mut stream: TcpStream) -> String {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Paused time advances by itself while all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn connections_of_clients_that_stop_halfway_are_closed() {
        let (address, _stop) = server().await;
        for half in [
            "",
            "GET / HTTP/1.1\r\nHost: x\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
        ] {
            let mut slow = TcpStream::connect(address).await.unwrap();
            slow.write_all(half.as_bytes()).await.unwrap();
            let told = all(slow).await;
            assert!(!told.contains(" 200 "), "{told}");
        }
    }

    #[tokio::test]
    async fn connections_know_their_client_and_end_with_the_server() {
        let (address, stop) = server().await;
        let mut kept = TcpStream::connect(address).await.unwrap();
        kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 12];
        kept.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stop.cancel();
        assert!(all(kept).await.ends_with("127.0.0.1"));
        TcpStream::connect(address).await.unwrap_err();
    }

    async fn status(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(request).await;
        all(stream).await.chars().take(12).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn connections_without_a_first_request_are_closed_sooner_than_those_that_rest() {
        let (address, _stop) = server().await;
        let began = tokio::time::Instant::now();
        all(TcpStream::connect(address).await.unwrap()).await;
        assert_eq!(began.elapsed().as_secs(), FIRST_HEAD_WITHIN.as_secs());

        let began = tokio::time::Instant::now();
        let mut resting = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        resting.write_all(request).await.unwrap();
        assert!(all(resting).await.starts_with("HTTP/1.1 200"));
        assert_eq!(began.elapsed().as_secs(), HEAD_WITHIN.as_secs());
    }

    #[tokio::test]
    async fn connections_that_are_idle_keep_nobody_out() {
        let (address, _stop) = server().await;
        let mut idle = Vec::new();
        for _ in 0..50 {
            idle.push(TcpStream::connect(address).await.unwrap());
            assert_eq!(status(address).await, "HTTP/1.1 200");
        }
        // Requests under way count, and are not closed for others.
        let half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nha";
        let mut slow = Vec::new();
        for _ in 0..8 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(half).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            slow.push(stream);
        }
        assert_eq!(status(address).await, "");
        let mut first = slow.swap_remove(0);
        first.write_all(b"lf").await.unwrap();
        let mut answer = [0; 12];
        first.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        drop(first);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(status(address).await, "HTTP/1.1 200");
    }

    #[tokio::test]
    async fn connections_take_no_head_that_is_larger_than_any_browsers() {
        let (address, _stop) = server().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(HEAD_BYTES));
        let _ = stream.write_all(head.as_bytes()).await;
        assert!(all(stream).await.starts_with("HTTP/1.1 431"));
    }
}
