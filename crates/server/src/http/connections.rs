//! Connections, with a bound on how long a client may take to send a request.
//!
//! `axum::serve` waits for a request for ever, so clients that open connections and send nothing would use up the
//! server's file descriptors.

use std::net::SocketAddr;
use std::pin::pin;
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

/// Bound of a request's head, from the connection's start or the end of the request before.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// Bound between two pieces of a request's body.
const PIECE_WITHIN: Duration = Duration::from_secs(60);
/// Pause after a connection that couldn't be accepted, such as for lack of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop` is cancelled, then until the requests under way have ended.
pub async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN);
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
        // Small packets, such as notices and tokens of an answer, must not wait for others.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "A connection ended before its first request: {error}");
            continue;
        }
        let routes = Extension(ConnectInfo(peer)).layer(routes.clone());
        let routes = RequestBodyTimeoutLayer::new(PIECE_WITHIN).layer(routes);
        let connection = http
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
            .with_upgrades();
        let stopped = stop.clone();
        open.spawn(async move {
            let mut connection = pin!(connection);
            // An error on the connection concerns the client alone.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stopped.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn server() -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() })
                .post(|body: String| async move { body }),
        );
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, routes, stop.clone()));
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
}
