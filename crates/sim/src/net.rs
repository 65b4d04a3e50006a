//! The packets between devices and servers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mana_core::sync::{
    JoinRequest, PushAnswer, PushRequest, SnapshotPage, SnapshotRequest, TransportError,
};
use mana_device::Transport;
use tokio::sync::oneshot;

/// A request of a device.
#[derive(Debug, Clone)]
pub enum Request {
    /// `POST /sync`.
    Push(PushRequest),
    /// `GET /sync/snapshot`.
    Snapshot(SnapshotRequest),
    /// `POST /sync/join`.
    Join(JoinRequest),
}

/// A response of a server.
#[derive(Debug, Clone)]
pub enum Response {
    /// The answer to a push.
    Answer(PushAnswer),
    /// A page of a snapshot.
    Page(SnapshotPage),
    /// States were taken back; the log's end after it.
    Joined(String),
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
            _ => unreachable!("a push is answered as a push"),
        }
    }

    async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotPage, TransportError> {
        match self.send(Request::Snapshot(request.clone())).await? {
            Response::Page(page) => Ok(page),
            _ => unreachable!("a page is asked for"),
        }
    }

    async fn join(&self, request: &JoinRequest) -> Result<String, TransportError> {
        match self.send(Request::Join(request.clone())).await? {
            Response::Joined(log_end) => Ok(log_end),
            _ => unreachable!("what is given back is taken or not"),
        }
    }
}

/// A request and its reply, as a line of a trace.
pub fn described(device: usize, server: usize, request: &Request, reply: &Reply) -> String {
    let request = match request {
        Request::Push(push) => {
            let sent: Vec<&str> = push
                .changes
                .iter()
                .filter_map(|change| change.event_id())
                .collect();
            format!("pushes [{}] since {:?}", sent.join(", "), push.since)
        }
        Request::Snapshot(asked) => format!(
            "asks for a snapshot after {:?}, knowing of {:?}",
            asked.after, asked.log_end
        ),
        Request::Join(join) => format!("gives back {} records", join.records.len()),
    };
    let reply = match reply {
        Ok(Response::Answer(answer)) => format!(
            "{} changes up to {}, {} stamps set back, {} conflicts",
            answer.server_changes.len(),
            answer.synced_until,
            answer.adjusted.len(),
            answer.conflicts.len()
        ),
        Ok(Response::Joined(_)) => "taken".to_owned(),
        Ok(Response::Page(page)) => {
            format!("{} records at {}", page.records.len(), page.synced_until)
        }
        Err(error) => error.to_string(),
    };
    format!("device {device} {request} at server {server} → {reply}")
}
