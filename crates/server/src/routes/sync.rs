//! `/sync/*`: push and pull.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::http::HeaderMap;
use mana_store::{KnownLog, Scope};
use mana_sync::{
    AcceptPush, JoinAnswer, JoinBody, Origin, Pull, PullParams, PushAnswer, PushBody, SyncError,
};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiPath, ApiQuery, ApiResult, ErrorEnvelope, RawApiPath, json_body};
use crate::http::body_limit;
use crate::limits::PushPermit;

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(push_all))
        .routes(routes!(join))
        .routes(routes!(push_app))
        .routes(routes!(pull))
}

/// The body of a signed-in person's push. The limits are taken before the body is read.
struct Push<B = PushBody> {
    caller: Caller,
    body: B,
    _permit: PushPermit,
}

/// A body that is read from JSON by itself.
trait ParsedBody: Sized {
    fn parse(body: &[u8]) -> Result<Self, SyncError>;
}

impl ParsedBody for PushBody {
    fn parse(body: &[u8]) -> Result<PushBody, SyncError> {
        PushBody::parse(body)
    }
}

impl ParsedBody for JoinBody {
    fn parse(body: &[u8]) -> Result<JoinBody, SyncError> {
        JoinBody::parse(body)
    }
}

impl<B: ParsedBody> FromRequest<Arc<App>> for Push<B> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Push<B>, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        match app.limits.push(&caller.user).await {
            Ok(permit) => Ok(Push {
                caller,
                body: B::parse(&json_body(request).await?)?,
                _permit: permit,
            }),
            Err(refused) => {
                body_limit::discard(request).await;
                Err(refused)
            }
        }
    }
}

/// Push changes of several apps, and pull what others changed
#[utoipa::path(post, path = "/sync", tag = "sync", security(("bearer" = [])), request_body = schema::PushBody,
    params(
        ("X-Client-Id" = Option<String>, Header, description = "Overrides clientId"),
        ("X-Connection-Id" = Option<String>, Header,
            description = "The `connectionId` of the caller's socket, which is not told of this push"),
    ),
    responses(
        (status = 200, description = "Stored", body = schema::PushAnswer),
        (status = 400, body = ErrorEnvelope,
            description = "A change is invalid, or its eventId stands for another one; details.index names it. \
                Nothing was stored"),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 409, body = ErrorEnvelope,
            description = "`copied`: the push's number was seen with other changes; take another client id"),
        (status = 410, body = ErrorEnvelope,
            description = "The log has another epoch, no row at the cursor, or dropped rows after it: take a snapshot; \
                details.reason says which. The changes were stored"),
        (status = 413, body = ErrorEnvelope,
            description = "Over 10 MB or 1,000 changes; details.maxBytes or details.maxChanges names the bound"),
        (status = 429, description = "Too many pushes; Retry-After says when to go on", body = ErrorEnvelope),
        (status = 503, body = ErrorEnvelope,
            description = "Too many pushes of this person wait already; Retry-After says when to go on"),
        (status = 507, body = ErrorEnvelope,
            description = "The disk is full, or the member keeps as much as the owner allows (`member_limit`)"),
    ))]
async fn push_all(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    sent: Push,
) -> ApiResult<Json<PushAnswer>> {
    let (_, answer) = push(&app, sent, &headers, None).await?;
    Ok(Json(answer))
}

/// Push changes of one app, and pull what others changed in it
#[utoipa::path(post, path = "/sync/{appId}", tag = "sync", security(("bearer" = [])), request_body = schema::PushBody,
    params(
        ("appId" = String, Path, description = "The module's id"),
        ("X-Client-Id" = Option<String>, Header, description = "Overrides clientId"),
    ),
    responses(
        (status = 200, description = "Stored", body = schema::PushAnswer),
        (status = 400, body = ErrorEnvelope,
            description = "A change is invalid, or its eventId stands for another one; details.index names it. \
                Nothing was stored"),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 409, body = ErrorEnvelope,
            description = "`copied`: the push's number was seen with other changes; take another client id"),
        (status = 410, body = ErrorEnvelope,
            description = "The log has another epoch, no row at the cursor, or dropped rows after it: take a snapshot; \
                details.reason says which. The changes were stored"),
        (status = 413, body = ErrorEnvelope,
            description = "Over 10 MB or 1,000 changes; details.maxBytes or details.maxChanges names the bound"),
        (status = 429, description = "Too many pushes; Retry-After says when to go on", body = ErrorEnvelope),
        (status = 503, body = ErrorEnvelope,
            description = "Too many pushes of this person wait already; Retry-After says when to go on"),
        (status = 507, body = ErrorEnvelope,
            description = "The disk is full, or the member keeps as much as the owner allows (`member_limit`)"),
    ))]
async fn push_app(
    State(app): State<Arc<App>>,
    // A name that can't be stored is named with the first change, like one in a change.
    RawApiPath(app_id): RawApiPath<String>,
    headers: HeaderMap,
    sent: Push,
) -> ApiResult<Json<PushAnswer<Value>>> {
    let (scope, answer) = push(&app, sent, &headers, Some(app_id)).await?;
    Ok(Json(app.sync.for_first_client(&scope, answer).await?))
}

/// Give back records that the log lost
///
/// Open where answers say `giveBack`: for 30 days after a restore, or after a device named a cursor that the log does
/// not have. States are joined by the merge; the same state twice is stored once.
#[utoipa::path(post, path = "/sync/join", tag = "sync", security(("bearer" = [])), request_body = schema::JoinBody,
    params(("X-Client-Id" = Option<String>, Header, description = "Overrides clientId")),
    responses(
        (status = 200, description = "Joined", body = schema::JoinAnswer),
        (status = 400, body = ErrorEnvelope,
            description = "A record is invalid; details.index names it. Nothing was stored"),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 409, description = "The log takes nothing back (`give_back_closed`)", body = ErrorEnvelope),
        (status = 410, description = "The log has another epoch: take a snapshot", body = ErrorEnvelope),
        (status = 413, body = ErrorEnvelope,
            description = "Over 10 MB or 1,000 records; details.maxBytes or details.maxChanges names the bound"),
        (status = 429, description = "Too many pushes; Retry-After says when to go on", body = ErrorEnvelope),
        (status = 507, body = ErrorEnvelope,
            description = "The disk is full, or the member keeps as much as the owner allows (`member_limit`)"),
    ))]
async fn join(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    sent: Push<JoinBody>,
) -> ApiResult<Json<JoinAnswer>> {
    let Push {
        caller, mut body, ..
    } = sent;
    let limits = &app.member_limits;
    let allowance = limits.allowance(&caller.user, &body.records).await?;
    body.room = allowance.room();
    let client_id = client_id(&headers).or(body.client_id.take());
    let scope = caller.scope();
    let client_id = client_id.unwrap_or_default();
    let joined = app.sync.join(&scope, client_id, body, clock::now()).await;
    let answer = joined.map_err(|error| allowance.refusal(error))?;
    allowance.settled(answer.grown);
    Ok(Json(answer))
}

/// Pull one table on from a cursor
#[utoipa::path(get, path = "/sync/{appId}/pull", tag = "sync", security(("bearer" = [])),
    params(
        ("appId" = String, Path, description = "The module's id"),
        ("collection" = String, Query, description = "The table"),
        ("since" = Option<String>, Query,
            description = "The cursor of the last answer; empty or missing: from the beginning"),
        ("limit" = Option<usize>, Query, description = "Rows to scan at most; 1,000 by default, and at most"),
        ("logEpoch" = Option<String>, Query,
            description = "The log's epoch. Without it the cursor is never refused: where it names no row, the \
                answer begins at the start of the kept log"),
        ("X-Client-Id" = Option<String>, Header, description = "Leaves out what this client pushed itself"),
    ),
    responses(
        (status = 200, description = "Changes after the cursor", body = schema::PushAnswer),
        (status = 400, description = "The cursor can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 410, body = ErrorEnvelope,
            description = "The log has another epoch, no row at the cursor, or dropped rows after it: take a snapshot; \
                details.reason says which"),
    ))]
async fn pull(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(app_id): ApiPath<String>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<PullParams>,
) -> ApiResult<Json<PushAnswer<Value>>> {
    let pull = Pull {
        app: Some(app_id),
        tables: vec![query.collection],
        since: query.since,
        limit: query.limit,
        client_id: client_id(&headers),
        known: known(query.log_epoch, None)?,
    };
    let scope = caller.scope();
    let answer = app.sync.pull(&scope, pull, clock::now()).await?;
    Ok(Json(app.sync.for_first_client(&scope, answer).await?))
}

async fn push(
    app: &App,
    mut sent: Push,
    headers: &HeaderMap,
    app_id: Option<String>,
) -> ApiResult<(Scope, PushAnswer)> {
    let Push { caller, body, .. } = &mut sent;
    let limits = &app.member_limits;
    let allowance = limits.allowance(&caller.user, &body.changes).await?;
    let push = AcceptPush {
        client_id: client_id(headers)
            .or(body.client_id.take())
            .unwrap_or_default(),
        app: app_id,
        changes: std::mem::take(&mut body.changes),
        since: body.since.take().unwrap_or_default(),
        schema_version: body.schema_version,
        known: known(body.log_epoch.take(), body.log_end.take())?,
        fence: None,
        connection: header(headers, "x-connection-id"),
        number: body.push_number,
        origin: Origin::Device,
        room: allowance.room(),
    };
    let scope = caller.scope();
    let accepted = app.sync.accept(&scope, push, clock::now()).await;
    let answer = accepted.map_err(|error| allowance.refusal(error))?;
    allowance.settled(answer.grown);
    Ok((scope, answer))
}

/// The log as a client knows it; none where it names no epoch.
pub(super) fn known(
    epoch: Option<String>,
    end: Option<String>,
) -> Result<Option<KnownLog>, SyncError> {
    let Some(epoch) = epoch else {
        return Ok(None);
    };
    let end = end.unwrap_or_default().parse();
    let end = end.map_err(SyncError::InvalidCursor)?;
    Ok(Some(KnownLog { epoch, end }))
}

pub(super) fn client_id(headers: &HeaderMap) -> Option<String> {
    header(headers, "x-client-id")
}

/// The value of a header; an empty one counts as missing.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}
