//! The HTTP clients. None follows a redirect: neither a prompt nor a key goes
//! where nobody sent it.
//!
//! hyper's own pool and no client above it: what that adds to each call is more
//! than all that the gateway does.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Uri};
use bytes::Bytes;
use http_body_util::Full;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{
    ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream,
};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{self, Connected, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service};
use url::Url;

/// For a connection to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// A connection that nobody uses is kept for so long.
const IDLE: Duration = Duration::from_secs(90);
/// How often a silent connection is asked whether its peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A client, with its connections.
pub(crate) type Client = hyper_util::client::legacy::Client<
    BoxCloneSyncService<Uri, MaybeHttpsStream<Connection>, BoxError>,
    Full<Bytes>,
>;

/// To an upstream, or to it through a proxy: encrypted where the proxy itself is reached by TLS.
pub(crate) struct Connection {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    /// The proxy reads the requests, so each names the whole address.
    is_read_by_proxy: bool,
}

impl Connection {
    fn to_peer(stream: MaybeHttpsStream<TokioIo<TcpStream>>) -> Self {
        Self {
            stream,
            is_read_by_proxy: false,
        }
    }
}

impl connect::Connection for Connection {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.is_read_by_proxy)
    }
}

impl Read for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }
}

/// The clients, made when first used: reading the machine's root
/// certificates takes time and memory that a server without a remote provider
/// never needs.
#[derive(Default)]
pub(crate) struct Clients {
    /// For plain HTTP on this machine: no proxy, no certificates.
    local: OnceLock<Client>,
    /// For HTTPS on this machine: no proxy.
    local_tls: OnceLock<Client>,
    /// For everything else, through the proxy that the environment names.
    remote: OnceLock<Client>,
}

/// Which client an address takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Local,
    LocalTls,
    Remote,
}

impl Transport {
    /// To an address.
    pub fn to(base: &Url) -> Self {
        match (is_loopback(base), base.scheme()) {
            (true, "http") => Self::Local,
            (true, _) => Self::LocalTls,
            (false, _) => Self::Remote,
        }
    }
}

impl Clients {
    /// The client for addresses that take this transport.
    pub fn get(&self, transport: Transport) -> Result<&Client, rustls::Error> {
        let cell = match transport {
            Transport::Local => &self.local,
            Transport::LocalTls => &self.local_tls,
            Transport::Remote => &self.remote,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        // An error means that a provider is already installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ClientConfig::builder();
        let tls = match transport {
            Transport::Local => config
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth(),
            _ => config.try_with_platform_verifier()?.with_no_client_auth(),
        };
        let dialer = Dialer::new(tls.clone(), transport == Transport::Remote);
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(BoxCloneSyncService::new(Timeout::new(
                over(tls, dialer),
                CONNECT,
            )));
        Ok(cell.get_or_init(|| client))
    }
}

/// Makes connections: to the upstream itself, or to it through the proxy that
/// the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`).
#[derive(Clone)]
pub(crate) struct Dialer {
    dial: HttpsConnector<HttpConnector>,
    tcp: HttpConnector,
    proxies: Option<Arc<Matcher>>,
}

impl Dialer {
    fn new(tls: ClientConfig, proxied: bool) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        Self {
            dial: over(tls, tcp.clone()),
            tcp,
            proxies: proxied.then(|| Arc::new(Matcher::from_env())),
        }
    }

    fn proxy(&self, to: &Uri) -> Option<Intercept> {
        self.proxies.as_ref()?.intercept(to)
    }
}

/// HTTP/1.1 over TLS over these connections, where the address says so.
fn over<C>(tls: ClientConfig, connections: C) -> HttpsConnector<C> {
    HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connections)
}

impl Service<Uri> for Dialer {
    type Response = Connection;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.proxy(&to) else {
            let connection = self.tcp.call(to);
            return Box::pin(async {
                let stream = MaybeHttpsStream::Http(connection.await?);
                Ok(Connection::to_peer(stream))
            });
        };
        if to.scheme() == Some(&Scheme::HTTP) {
            // Many proxies make tunnels to the port of TLS alone.
            let dialled = self.dial.call(proxy.uri().clone());
            return Box::pin(async {
                Ok(Connection {
                    stream: dialled.await?,
                    is_read_by_proxy: true,
                })
            });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.dial.clone());
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        Box::pin(async move { Ok(Connection::to_peer(tunnel.call(to).await?)) })
    }
}

/// The credentials that a proxy wants in each request that it reads: the name and password of the environment.
pub(crate) fn proxy_authorization(to: &Uri, proxies: &Matcher) -> Option<HeaderValue> {
    let is_read = to.scheme() == Some(&Scheme::HTTP);
    let proxy = proxies.intercept(to).filter(|_| is_read)?;
    proxy.basic_auth().cloned()
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;

    #[test]
    fn loopback_is_known_in_all_its_spellings() {
        for (url, loopback) in [
            ("http://127.0.0.1:1/", true),
            ("http://127.9.9.9/", true),
            ("http://localhost/", true),
            ("http://[::1]:1/", true),
            ("http://ollama:11434/", false),
            ("http://localhost.example.org/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }

    /// A proxy that grants what it is asked for, and the heads of so many requests to it.
    async fn proxy(requests: usize) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://ada:secret@{}", proxy.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for _ in 0..requests {
                let (stream, _) = proxy.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    stream.read_line(&mut head).await.unwrap();
                }
                let granted = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(granted).await.unwrap();
                asked.push(head);
            }
            asked
        });
        (at, asked)
    }

    fn tls() -> ClientConfig {
        ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    }

    fn through(at: String) -> Dialer {
        let mut dialer = Dialer::new(tls(), false);
        let matcher = Matcher::builder().all(at).no("inside.example").build();
        dialer.proxies = Some(Arc::new(matcher));
        dialer
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel_to_an_upstream_with_tls() {
        let (at, asked) = proxy(2).await;
        let mut dialer = through(at);
        for to in ["https://a.example/v1", "https://c.example:81/v1"] {
            dialer.call(to.parse().unwrap()).await.unwrap();
        }
        let wanted = ["a.example:443", "c.example:81"];
        for (head, to) in asked.await.unwrap().iter().zip(wanted) {
            let line = format!("CONNECT {to} HTTP/1.1\r\n");
            assert!(head.starts_with(&line), "{head}");
            let shown = "Proxy-Authorization: Basic YWRhOnNlY3JldA==";
            assert!(head.contains(shown), "{head}");
        }
        let inside = "https://inside.example/".parse().unwrap();
        assert!(dialer.proxy(&inside).is_none());
    }

    #[tokio::test]
    async fn a_proxy_gets_requests_to_an_upstream_without_tls_with_their_whole_address() {
        let (at, asked) = proxy(2).await;
        let dialer = through(at);
        let proxies = dialer.proxies.clone().unwrap();
        let client: Client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(BoxCloneSyncService::new(Timeout::new(
                over(tls(), dialer),
                CONNECT,
            )));
        let wanted = ["http://b.example/v1/models", "http://c.example:81/v1?a=1"];
        for to in wanted {
            client.get(to.parse().unwrap()).await.unwrap();
        }
        for (head, to) in asked.await.unwrap().iter().zip(wanted) {
            assert!(
                head.starts_with(&format!("GET {to} HTTP/1.1\r\n")),
                "{head}"
            );
        }
        let shown = |to: &str| proxy_authorization(&to.parse().unwrap(), &proxies);
        assert_eq!(
            shown("http://b.example/v1").unwrap(),
            "Basic YWRhOnNlY3JldA=="
        );
        assert_eq!(shown("https://b.example/v1"), None, "the tunnel shows it");
        assert_eq!(shown("http://inside.example/v1"), None);
    }
}
