//! `/ws`: tells a device that there is something to pull, and how far a run is.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use mana_accounts::Claims;
use mana_store::UserId;
use mana_sync::{Notice, Subscription};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, interval, sleep_until, timeout};

use crate::app::App;
use crate::clock;
use crate::error::ApiPath;

/// How long a socket may stay silent about who it is.
const AUTH_WITHIN: Duration = Duration::from_secs(10);
/// How often a quiet peer is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// A peer that takes longer is gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// No message of a device is that large.
const MESSAGE_LIMIT_BYTES: usize = 64 * 1024;
/// What is read of a socket at once; messages are a token at most.
const READ_BUFFER_BYTES: usize = 4 * 1024;

const UNAUTHORIZED: u16 = 4401;
const TOO_MANY: u16 = 4429;
const GOING_AWAY: u16 = 1001;

/// The routes. OpenAPI has no words for sockets.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/ws", any(all))
        .route("/ws/{appId}", any(one))
}

async fn all(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    open(app, None, upgrade)
}

async fn one(
    State(app): State<Arc<App>>,
    ApiPath(app_id): ApiPath<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(app, Some(app_id), upgrade)
}

fn open(app: Arc<App>, app_id: Option<String>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        // The library's 128 KiB for each socket would be most of what an idle one costs.
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(MESSAGE_LIMIT_BYTES)
        .max_frame_size(MESSAGE_LIMIT_BYTES)
        .on_upgrade(move |mut socket| async move {
            let (code, reason) = match converse(&app, app_id.as_deref(), &mut socket).await {
                Ended::Gone => return,
                Ended::Unauthorized(reason) => (UNAUTHORIZED, reason),
                Ended::TooMany => (
                    TOO_MANY,
                    "Too many devices of this account are connected; close some of them.",
                ),
                Ended::Stopping => (GOING_AWAY, "The server stops; come back in a moment."),
            };
            let close = Message::Close(Some(CloseFrame {
                code,
                reason: reason.into(),
            }));
            let _ = timeout(SEND_WITHIN, socket.send(close)).await;
        })
}

enum Ended {
    Gone,
    Unauthorized(&'static str),
    TooMany,
    Stopping,
}

/// What a device says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Said {
    #[serde(rename_all = "camelCase")]
    Auth {
        token: String,
        #[serde(default)]
        client_id: Option<String>,
    },
    Ping,
    #[serde(other)]
    Unknown,
}

/// Who is at the other end.
struct Peer {
    claims: Claims,
    client_id: Option<String>,
    ends: Instant,
    notices: Subscription,
}

impl Peer {
    async fn authenticate(app: &App, token: &str, client_id: Option<String>) -> Option<Peer> {
        let claims = app.auth.check_token(token).await.ok()?;
        let left = (claims.exp * 1_000_000).saturating_sub(clock::now().0);
        Some(Peer {
            ends: Instant::now() + Duration::from_micros(left.max(0).unsigned_abs()),
            notices: app.sync.hub().subscribe(&UserId(claims.sub.clone())),
            claims,
            client_id,
        })
    }
}

async fn converse(app: &App, app_id: Option<&str>, socket: &mut WebSocket) -> Ended {
    // Heard from before the token is checked, so that no sign-out falls between.
    let mut ended_sessions = app.auth.ended_sessions();
    let mut peer = match timeout(AUTH_WITHIN, first_words(app, socket)).await {
        Ok(Ok(peer)) => peer,
        Ok(Err(ended)) => return ended,
        Err(_) => {
            return Ended::Unauthorized(
                "Nobody signed in within 10 s; send an auth message first.",
            );
        }
    };
    // Held for as long as the socket is open.
    let Some(_place) = app.limits.connect(&peer.claims.user()) else {
        return Ended::TooMany;
    };
    if say(socket, json!({ "type": "auth-ok" })).await.is_err() {
        return Ended::Gone;
    }
    let mut pings = interval(PING_EVERY);
    let mut silent = 0_u8;
    loop {
        let sent = tokio::select! {
            () = app.shutdown.cancelled() => return Ended::Stopping,
            () = sleep_until(peer.ends) => return Ended::Unauthorized("The token has ended; connect with a new one."),
            ended = ended_sessions.recv() => match app.auth.is_open_after(&peer.claims.sid, ended).await {
                true => Ok(()),
                false => return Ended::Unauthorized("You signed out."),
            },
            notice = peer.notices.recv() => tell(app, app_id, &peer, socket, notice).await,
            _ = pings.tick() => {
                silent += 1;
                if silent > 3 {
                    return Ended::Gone;
                }
                send(socket, Message::Ping(Vec::new().into())).await
            }
            message = socket.recv() => {
                silent = 0;
                match message {
                    Some(Ok(Message::Text(text))) => match answer(app, &mut peer, socket, &text).await {
                        Ok(()) => Ok(()),
                        Err(ended) => return ended,
                    },
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ended::Gone,
                    Some(Ok(_)) => Ok(()),
                }
            }
        };
        if sent.is_err() {
            return Ended::Gone;
        }
    }
}

async fn first_words(app: &App, socket: &mut WebSocket) -> Result<Peer, Ended> {
    loop {
        let message = tokio::select! {
            () = app.shutdown.cancelled() => return Err(Ended::Stopping),
            message = socket.recv() => message,
        };
        match message {
            Some(Ok(Message::Text(text))) => {
                return match serde_json::from_str(&text) {
                    Ok(Said::Auth { token, client_id }) => {
                        Peer::authenticate(app, &token, client_id)
                            .await
                            .ok_or(Ended::Unauthorized(
                                "The token is no good, or the sign-in has ended; sign in again.",
                            ))
                    }
                    _ => Err(Ended::Unauthorized(
                        "The first message must be an auth message with a token.",
                    )),
                };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(Ended::Gone),
        }
    }
}

async fn answer(
    app: &App,
    peer: &mut Peer,
    socket: &mut WebSocket,
    text: &str,
) -> Result<(), Ended> {
    let said = serde_json::from_str(text).unwrap_or(Said::Unknown);
    let reply = match said {
        Said::Ping => json!({ "type": "pong" }),
        Said::Auth { token, client_id } => {
            let again = Peer::authenticate(app, &token, client_id.or(peer.client_id.clone())).await;
            // The socket stays one person's; somebody else opens another.
            let again = again.filter(|again| again.claims.sub == peer.claims.sub);
            let again = again.ok_or(Ended::Unauthorized(
                "The token is no good, or another account's; connect anew.",
            ))?;
            // Notices that wait for this socket stay with it.
            peer.ends = again.ends;
            peer.claims = again.claims;
            peer.client_id = again.client_id;
            json!({ "type": "auth-ok" })
        }
        Said::Unknown => json!({ "type": "error", "error": {
            "code": "unknown_message", "message": "This message is unknown; send auth or ping.",
        } }),
    };
    say(socket, reply).await.map_err(|_| Ended::Gone)
}

async fn tell(
    app: &App,
    only: Option<&str>,
    peer: &Peer,
    socket: &mut WebSocket,
    notice: Notice,
) -> Result<(), ()> {
    let wanted = |app_id: &str| only.is_none_or(|only| only == app_id);
    match notice {
        Notice::Sync {
            app: app_id,
            tables,
            origin_client,
        } => {
            let own = origin_client.is_some() && origin_client == peer.client_id;
            if own || !wanted(&app_id) {
                return Ok(());
            }
            say(
                socket,
                json!({ "type": "sync-available", "appId": app_id, "tables": tables }),
            )
            .await
        }
        Notice::Run(progress) if wanted("ai") => {
            let mut message = json!(progress);
            message["type"] = json!("run");
            say(socket, message).await
        }
        Notice::Run(_) => Ok(()),
        Notice::Everything => {
            for manifest in app
                .registry
                .manifests()
                .iter()
                .filter(|manifest| wanted(&manifest.id))
            {
                let tables: Vec<_> = manifest.tables.keys().collect();
                say(
                    socket,
                    json!({ "type": "sync-available", "appId": manifest.id, "tables": tables }),
                )
                .await?;
            }
            Ok(())
        }
    }
}

async fn say(socket: &mut WebSocket, message: Value) -> Result<(), ()> {
    send(socket, Message::text(message.to_string())).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match timeout(SEND_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}
