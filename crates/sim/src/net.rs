//! The packets between devices and servers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mana_core::sync::{PushAnswer, PushRequest, SnapshotPage, TransportError};
use mana_device::Transport;
use tokio::sync::oneshot;

/// A request of a device.
#[derive(Debug, Clone)]
pub enum Request {
    /// `POST /sync`.
    Push(PushRequest),
    /// `GET /sync/snapshot`, by the token of the page.
    Snapshot(String),
}

/// A response of a server.
#[derive(Debug, Clone)]
pub enum Response {
    /// The answer to a push.
    Answer(PushAnswer),
    /// A page of a snapshot.
    Page(SnapshotPage),
}

/// The end of a request, as a device sees it.
pub type Reply = Result<Response, TransportError>;

/// A request or a reply on its way.
pub enum Packet {
    /// A request on its way to a server.
    Request {
        /// The device that asks.
        device: usize,
        /// The server that is asked.
        server: usize,
        /// The request.
        request: Request,
        /// The waiting device; none in a copy.
        reply_to: Option<oneshot::Sender<Reply>>,
    },
    /// A reply on its way to a device.
    Reply {
        /// The device that asked.
        device: usize,
        /// The server that replies.
        server: usize,
        /// The reply.
        reply: Reply,
        /// The waiting device; none in a copy.
        reply_to: Option<oneshot::Sender<Reply>>,
    },
}

/// The network: packets in no order.
pub type Net = Arc<Mutex<Vec<Packet>>>;

/// A tab's connection to a server.
pub struct Connection {
    /// The network.
    pub net: Net,
    /// The tab's device.
    pub device: usize,
    /// The server.
    pub server: usize,
}

/// The reply of a connection that broke.
pub fn broken() -> Reply {
    Err(TransportError::Offline("the connection broke".to_owned()))
}

impl Connection {
    async fn send(&self, request: Request) -> Reply {
        let (reply_to, reply) = oneshot::channel();
        let packet = Packet::Request {
            device: self.device,
            server: self.server,
            request,
            reply_to: Some(reply_to),
        };
        self.net
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(packet);
        reply.await.unwrap_or_else(|_| broken())
    }
}

#[async_trait]
impl Transport for Connection {
    async fn push(&self, request: &PushRequest) -> Result<PushAnswer, TransportError> {
        match self.send(Request::Push(request.clone())).await? {
            Response::Answer(answer) => Ok(answer),
            Response::Page(_) => unreachable!("a push is not answered with a page"),
        }
    }

    async fn snapshot(&self, after: &str) -> Result<SnapshotPage, TransportError> {
        match self.send(Request::Snapshot(after.to_owned())).await? {
            Response::Page(page) => Ok(page),
            Response::Answer(_) => unreachable!("a page is not answered with an answer to a push"),
        }
    }
}
