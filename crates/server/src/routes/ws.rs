//! `/ws`: sockets that tell a device when there are changes to pull, and the phase of its runs.

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

/// How long a socket may take to authenticate.
const AUTH_WITHIN: Duration = Duration::from_secs(10);
/// Time between two pings.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long a message may take to be sent; a client that takes longer counts as gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Largest message of a client; a token is far smaller.
const MESSAGE_LIMIT_BYTES: usize = 64 * 1024;
/// Size of a socket's read buffer; the largest message is a token.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Unanswered pings after which a client counts as gone.
const PINGS_UNANSWERED: u8 = 3;

const UNAUTHORIZED: u16 = 4401;
const TOO_MANY: u16 = 4429;
const GOING_AWAY: u16 = 1001;

/// Returns the routes. OpenAPI can't describe sockets.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/ws", any(all_apps))
        .route("/ws/{appId}", any(one_app))
}

async fn all_apps(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    open(app, None, upgrade)
}

async fn one_app(
    State(app): State<Arc<App>>,
    ApiPath(app_id): ApiPath<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(app, Some(app_id), upgrade)
}

fn open(app: Arc<App>, app_id: Option<String>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        // The library's default of 128 KiB would be most of an idle socket's memory.
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(MESSAGE_LIMIT_BYTES)
        .max_frame_size(MESSAGE_LIMIT_BYTES)
        .on_upgrade(move |mut socket| async move {
            let (code, reason) = match serve(&app, app_id.as_deref(), &mut socket).await {
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

/// Reasons why a socket is closed.
enum Ended {
    Gone,
    Unauthorized(&'static str),
    TooMany,
    Stopping,
}

/// A message of a client.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum ClientMessage {
    #[serde(rename_all = "camelCase")]
    Auth {
        token: String,
        #[serde(default)]
        client_id: Option<String>,
        #[serde(default)]
        connection_id: Option<String>,
    },
    Ping,
    #[serde(other)]
    Unknown,
}

/// Names under which a client pushes, as far as it gives them.
#[derive(Clone, Default)]
struct Names {
    client_id: Option<String>,
    connection_id: Option<String>,
}

impl Names {
    fn has(&self, sender: Option<&String>) -> bool {
        sender.is_some()
            && [&self.client_id, &self.connection_id]
                .into_iter()
                .any(|name| name.as_ref() == sender)
    }

    /// Returns these names, and the other's where one is left out here.
    fn or(self, other: &Names) -> Names {
        Names {
            client_id: self.client_id.or_else(|| other.client_id.clone()),
            connection_id: self.connection_id.or_else(|| other.connection_id.clone()),
        }
    }
}

/// An authenticated client.
struct Session {
    claims: Claims,
    /// The names under which it pushes: its client id on the routes of an app, the id of the connection on `/sync`.
    names: Names,
    ends: Instant,
    notices: Subscription,
}

impl Session {
    async fn authenticate(app: &App, token: &str, names: Names) -> Option<Session> {
        let claims = app.auth.check_token(token).await.ok()?;
        let left = (claims.exp * 1_000_000).saturating_sub(clock::now().0);
        Some(Session {
            ends: Instant::now() + Duration::from_micros(left.max(0).unsigned_abs()),
            notices: app.sync.hub().subscribe(&UserId(claims.sub.clone())),
            claims,
            names,
        })
    }
}

async fn serve(app: &App, app_id: Option<&str>, socket: &mut WebSocket) -> Ended {
    // Subscribed before the token is checked, so that no sign-out is missed.
    let mut ended_sessions = app.auth.ended_sessions();
    let mut session = match timeout(AUTH_WITHIN, authenticate(app, socket)).await {
        Ok(Ok(session)) => session,
        Ok(Err(ended)) => return ended,
        Err(_) => {
            return Ended::Unauthorized(
                "Nobody signed in within 10 s; send an auth message first.",
            );
        }
    };
    // Held for as long as the socket is open.
    let Some(_permit) = app.limits.connect(&session.claims.user()) else {
        return Ended::TooMany;
    };
    if send_json(socket, json!({ "type": "auth-ok" }))
        .await
        .is_err()
    {
        return Ended::Gone;
    }
    let mut pings = interval(PING_EVERY);
    let mut unanswered = 0_u8;
    loop {
        let sent = tokio::select! {
            () = app.shutdown.cancelled() => return Ended::Stopping,
            () = sleep_until(session.ends) => {
                return Ended::Unauthorized("The token has ended; connect with a new one.");
            }
            ended = ended_sessions.recv() => match app.auth.is_open_after(&session.claims.sid, ended).await {
                true => Ok(()),
                false => return Ended::Unauthorized("You signed out."),
            },
            notice = session.notices.recv() => forward(app, app_id, &session, socket, notice).await,
            _ = pings.tick() => {
                unanswered += 1;
                if unanswered > PINGS_UNANSWERED {
                    return Ended::Gone;
                }
                send(socket, Message::Ping(Vec::new().into())).await
            }
            message = socket.recv() => {
                unanswered = 0;
                match message {
                    Some(Ok(Message::Text(text))) => match answer(app, &mut session, socket, &text).await {
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

async fn authenticate(app: &App, socket: &mut WebSocket) -> Result<Session, Ended> {
    loop {
        let message = tokio::select! {
            () = app.shutdown.cancelled() => return Err(Ended::Stopping),
            message = socket.recv() => message,
        };
        match message {
            Some(Ok(Message::Text(text))) => {
                return match serde_json::from_str(&text) {
                    Ok(ClientMessage::Auth {
                        token,
                        client_id,
                        connection_id,
                    }) => {
                        let names = Names {
                            client_id,
                            connection_id,
                        };
                        Session::authenticate(app, &token, names)
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
    session: &mut Session,
    socket: &mut WebSocket,
    text: &str,
) -> Result<(), Ended> {
    let message = serde_json::from_str(text).unwrap_or(ClientMessage::Unknown);
    let reply = match message {
        ClientMessage::Ping => json!({ "type": "pong" }),
        ClientMessage::Auth {
            token,
            client_id,
            connection_id,
        } => {
            let names = Names {
                client_id,
                connection_id,
            };
            let again = Session::authenticate(app, &token, names.or(&session.names)).await;
            // The socket stays with one account; another account opens its own.
            let again = again.filter(|again| again.claims.sub == session.claims.sub);
            let again = again.ok_or(Ended::Unauthorized(
                "The token is no good, or another account's; connect anew.",
            ))?;
            // The subscription is kept: notices may be waiting in it.
            session.ends = again.ends;
            session.claims = again.claims;
            session.names = again.names;
            json!({ "type": "auth-ok" })
        }
        ClientMessage::Unknown => json!({ "type": "error", "error": {
            "code": "unknown_message", "message": "This message is unknown; send auth or ping.",
        } }),
    };
    send_json(socket, reply).await.map_err(|_| Ended::Gone)
}

async fn forward(
    app: &App,
    only: Option<&str>,
    session: &Session,
    socket: &mut WebSocket,
    notice: Notice,
) -> Result<(), ()> {
    let wanted = |app_id: &str| only.is_none_or(|only| only == app_id);
    match notice {
        Notice::Sync {
            app: app_id,
            tables,
            sender,
        } => {
            if session.names.has(sender.as_ref()) || !wanted(&app_id) {
                return Ok(());
            }
            send_json(
                socket,
                json!({ "type": "sync-available", "appId": app_id, "tables": tables }),
            )
            .await
        }
        Notice::Run(progress) if wanted("ai") => {
            let mut message = json!(progress);
            message["type"] = json!("run");
            send_json(socket, message).await
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
                send_json(
                    socket,
                    json!({ "type": "sync-available", "appId": manifest.id, "tables": tables }),
                )
                .await?;
            }
            Ok(())
        }
    }
}

async fn send_json(socket: &mut WebSocket, message: Value) -> Result<(), ()> {
    send(socket, Message::text(message.to_string())).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match timeout(SEND_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}
