//! What is on its way between devices and servers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mana_core::sync::{PushAnswer, PushRequest, SnapshotPage, TransportError};
use mana_device::Transport;
use tokio::sync::oneshot;

/// What a device hears in the end.
pub type Heard = Result<Said, TransportError>;

/// What a device asks.
#[derive(Debug, Clone)]
pub enum Asked {
    /// To take this and say what is new.
    Push(PushRequest),
    /// For a page of a snapshot.
    Snapshot(String),
}

/// What a server says.
#[derive(Debug, Clone)]
pub enum Said {
    /// To a push.
    Answer(PushAnswer),
    /// To the wish for a snapshot.
    Page(SnapshotPage),
}

/// Something on its way.
pub enum Packet {
    /// To a server.
    Request {
        /// From which device.
        device: usize,
        /// To which server.
        server: usize,
        /// What.
        asked: Asked,
        /// Where the device waits; none in a copy.
        reply: Option<oneshot::Sender<Heard>>,
    },
    /// Back.
    Answer {
        /// To which device.
        device: usize,
        /// From which server.
        server: usize,
        /// What.
        heard: Heard,
        /// Where the device waits.
        reply: Option<oneshot::Sender<Heard>>,
    },
}

/// The network: packets in no order.
pub type Net = Arc<Mutex<Vec<Packet>>>;

/// A tab's way to a server.
pub struct Line {
    /// The network.
    pub net: Net,
    /// From here.
    pub device: usize,
    /// To there.
    pub server: usize,
}

/// The connection broke.
pub fn broken() -> Heard {
    Err(TransportError::Offline("the connection broke".to_owned()))
}

impl Line {
    async fn ask(&self, asked: Asked) -> Heard {
        let (reply, heard) = oneshot::channel();
        let packet = Packet::Request {
            device: self.device,
            server: self.server,
            asked,
            reply: Some(reply),
        };
        self.net
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(packet);
        heard.await.unwrap_or_else(|_| broken())
    }
}

#[async_trait]
impl Transport for Line {
    async fn push(&self, push: &PushRequest) -> Result<PushAnswer, TransportError> {
        match self.ask(Asked::Push(push.clone())).await? {
            Said::Answer(answer) => Ok(answer),
            Said::Page(_) => unreachable!("a push is not answered with a page"),
        }
    }

    async fn snapshot(&self, after: &str) -> Result<SnapshotPage, TransportError> {
        match self.ask(Asked::Snapshot(after.to_owned())).await? {
            Said::Page(page) => Ok(page),
            Said::Answer(_) => unreachable!("a page is what was asked for"),
        }
    }
}
