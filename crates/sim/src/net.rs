//! What is on its way between devices and servers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mana_device::{Answer, Push, Transport, TransportError};
use tokio::sync::oneshot;

/// What a device hears in the end.
pub type Heard = Result<Answer, TransportError>;

/// Something on its way.
pub enum Packet {
    /// To a server.
    Request {
        /// From which device.
        device: usize,
        /// To which server.
        server: usize,
        /// What.
        push: Push,
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

#[async_trait]
impl Transport for Line {
    async fn push(&self, push: &Push) -> Heard {
        let (reply, heard) = oneshot::channel();
        let packet = Packet::Request {
            device: self.device,
            server: self.server,
            push: push.clone(),
            reply: Some(reply),
        };
        self.net
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(packet);
        heard.await.unwrap_or_else(|_| broken())
    }
}
