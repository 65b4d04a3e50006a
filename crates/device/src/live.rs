//! The socket on which the server says that there is something to pull.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use mana_core::sync::{Refusal, TransportError};
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::http::{HttpTransport, offline};

const CONNECT: Duration = Duration::from_secs(10);

/// The server asks every 30 s whether anybody is there; longer silence means that nobody is, there.
const SILENCE: Duration = Duration::from_secs(95);

/// Notices are short; the library would keep 128 KiB for each direction.
const BUFFER_BYTES: usize = 4 * 1024;

/// Something happened at the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Notice {
    /// Another client committed.
    #[serde(rename_all = "camelCase")]
    SyncAvailable {
        /// In this app; none: anywhere.
        app_id: Option<String>,
    },
    /// A run went on.
    #[serde(rename_all = "camelCase")]
    Run {
        /// Of this mission.
        mission_id: String,
        /// How far it is.
        phase: String,
    },
    /// The sign-in was taken.
    AuthOk,
    /// Something that this version doesn't know.
    #[serde(other)]
    Other,
}

/// An open socket.
pub struct Live {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Live {
    /// Connects and signs in, with a new token where the old one has ended.
    pub async fn open(http: &HttpTransport) -> Result<Live, TransportError> {
        let connection_id = http.connection_id();
        let (url, token) = http.place().await;
        match Live::sign_in(&url, &token, connection_id).await {
            Err(TransportError::Refused(_)) => {
                let token = http.refresh(&token).await?;
                Live::sign_in(&url, &token, connection_id).await
            }
            other => other,
        }
    }

    async fn sign_in(url: &str, token: &str, connection_id: &str) -> Result<Live, TransportError> {
        let address = format!("{}/ws", url.replacen("http", "ws", 1));
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES);
        let connected = connect_async_with_config(&address, Some(config), true);
        let (socket, _) = timeout(CONNECT, connected)
            .await
            .map_err(|_| offline("it takes too long to answer"))?
            .map_err(|error| offline(&error.to_string()))?;
        let mut live = Live { socket };
        let auth = json!({ "type": "auth", "token": token, "connectionId": connection_id });
        let sent = live.socket.send(Message::text(auth.to_string())).await;
        sent.map_err(|error| offline(&error.to_string()))?;
        while live.next().await? != Notice::AuthOk {}
        Ok(live)
    }

    /// The next notice; pings are answered beside.
    pub async fn next(&mut self) -> Result<Notice, TransportError> {
        loop {
            let message = timeout(SILENCE, self.socket.next())
                .await
                .map_err(|_| offline("it has fallen silent"))?
                .ok_or_else(|| offline("the connection was closed"))?
                .map_err(|error| offline(&error.to_string()))?;
            match message {
                Message::Text(text) => {
                    return Ok(serde_json::from_str(&text).unwrap_or(Notice::Other));
                }
                Message::Close(Some(frame)) if u16::from(frame.code) == 4401 => {
                    let refusal = Refusal::new(401, "unauthorized", frame.reason.to_string());
                    return Err(TransportError::Refused(refusal));
                }
                Message::Close(_) => return Err(offline("the server closed the connection")),
                _ => {}
            }
        }
    }
}
