//! `/sync/{appId}/stream`: changes as server-sent events, at the reader's pace.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{self, Stream};
use mana_accounts::SessionEnded;
use mana_sync::{Follow, Followed, Follower, SyncError};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, Interval, interval_at, sleep_until};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sync::{client_id, known};
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiPath, ApiQuery, ApiResult, ErrorEnvelope, sentence};
use crate::limits::ConnectionPermit;

/// Time between two heartbeats.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(30);

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(follow))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    #[serde(default)]
    collections: String,
    #[serde(default)]
    since: String,
    client_id: Option<String>,
    log_epoch: Option<String>,
}

/// Follow an app's changes as server-sent events
#[utoipa::path(get, path = "/sync/{appId}/stream", tag = "sync", security(("bearer" = [])),
    params(
        ("appId" = String, Path, description = "The module's id"),
        ("collections" = Option<String>, Query, description = "Tables, with commas between them; missing: all"),
        ("since" = Option<String>, Query,
            description = "The cursor of the last answer; empty or missing: from the beginning"),
        ("clientId" = Option<String>, Query,
            description = "Leaves out what this client pushes itself; X-Client-Id overrides it"),
        ("logEpoch" = Option<String>, Query,
            description = "The log's epoch. Without it the cursor is never refused"),
        ("Last-Event-ID" = Option<String>, Header,
            description = "The last event's id, to go on after it; overrides since"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "`event: changes` with `{table, changes, syncedUntil, hasMore}`, and `event: heartbeat` \
                every 30 s; each event's id is the cursor to resume from. `event: error` with an error envelope \
                before a stream that can't go on ends"),
        (status = 400, description = "The cursor can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 410, body = ErrorEnvelope,
            description = "The log has another epoch, no row at the cursor, or dropped rows after it: take a snapshot; \
                details.reason says which"),
        (status = 429, description = "Too many sockets and streams of this account are open", body = ErrorEnvelope),
    ))]
async fn follow(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(app_id): ApiPath<String>,
    headers: HeaderMap,
    ApiQuery(params): ApiQuery<Params>,
) -> ApiResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let permit = app
        .limits
        .connect(&caller.user)
        .ok_or_else(ApiError::too_many_connections)?;
    // Subscribed before the session is checked again, so that no sign-out is missed.
    let ended_sessions = app.auth.ended_sessions();
    if !app.auth.is_open(&caller.session).await {
        return Err(ApiError::unauthorized());
    }
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    let tables = params.collections.split(',').map(str::trim);
    let follow = Follow {
        app: Some(app_id),
        tables: tables
            .filter(|table| !table.is_empty())
            .map(str::to_owned)
            .collect(),
        since: resumed.map_or(params.since, str::to_owned),
        client_id: client_id(&headers).or(params.client_id),
        known: known(params.log_epoch, None)?,
    };
    let follower = app.sync.follow(&caller.scope(), follow).await?;
    let left = caller.until.0.saturating_sub(clock::now().0);
    let reader = Reader {
        follower,
        ended_sessions,
        ends: Instant::now() + Duration::from_micros(left.max(0).unsigned_abs()),
        heartbeat: interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY),
        caller,
        app,
        _permit: permit,
    };
    // The next event is made when the reader has taken the last one, so a slow reader holds one page in memory.
    Ok(Sse::new(stream::unfold(Some(reader), next)))
}

/// A stream's state between two events.
struct Reader {
    app: Arc<App>,
    caller: Caller,
    follower: Follower,
    ended_sessions: Receiver<SessionEnded>,
    ends: Instant,
    heartbeat: Interval,
    _permit: ConnectionPermit,
}

async fn next(reader: Option<Reader>) -> Option<(Result<Event, Infallible>, Option<Reader>)> {
    let mut reader = reader?;
    loop {
        tokio::select! {
            biased;
            () = reader.app.shutdown.cancelled() => return None,
            () = sleep_until(reader.ends) => return None,
            ended = reader.ended_sessions.recv() => {
                if !reader.app.auth.is_open_after(&reader.caller.session, ended).await {
                    return None;
                }
            }
            followed = reader.follower.next() => {
                let event = match followed {
                    Ok(followed) => changes(&reader, followed).await,
                    Err(error) => Err(error),
                };
                return Some(match event {
                    Ok(event) => (Ok(event), Some(reader)),
                    Err(error) => (Ok(failed(&error)), None),
                });
            }
            _ = reader.heartbeat.tick() => {
                let id = reader.follower.cursor().to_string();
                let now = json!({ "serverTime": clock::now() }).to_string();
                let event = Event::default().event("heartbeat").id(id).data(now);
                return Some((Ok(event), Some(reader)));
            }
        }
    }
}

async fn changes(reader: &Reader, followed: Followed) -> Result<Event, SyncError> {
    let sync = &reader.app.sync;
    let changes = followed.changes;
    let changes = sync
        .first_client_changes(&reader.caller.scope(), changes)
        .await?;
    let data = json!({
        "table": followed.table,
        "changes": changes,
        "syncedUntil": followed.synced_until,
        "hasMore": followed.has_more,
    });
    Ok(Event::default()
        .event("changes")
        .id(followed.synced_until.to_string())
        .data(data.to_string()))
}

/// Returns the last event of a stream that failed, with the envelope that an answer would have.
fn failed(error: &SyncError) -> Event {
    let data = match error.status() {
        500 => {
            tracing::error!("A stream failed: {error}");
            json!({ "code": "internal", "message": "Something went wrong in the server; connect again." })
        }
        _ => json!({ "code": error.code(), "message": sentence(error) }),
    };
    Event::default()
        .event("error")
        .data(json!({ "error": data }).to_string())
}
