//! `/ai/missions/{id}/*`: running a mission now, and its runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mana_core::ids::iteration_id;
use mana_core::{Micros, RecordKey};
use mana_store::RunRequest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiJson, ApiPath, ApiQuery, ApiResult, ErrorEnvelope};
use crate::routes::list_cursor;

/// How long before its due time a device may request a slot, to allow for its clock's error.
const CLOCK_SLACK_US: i64 = 60 * 1_000_000;

/// Runs in a page by default.
const PAGE: u32 = 100;
/// Runs in a page at most.
const PAGE_MAX: u32 = 500;

/// A request for a run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct RunBody {
    /// `run:<uuid>` of the client's choice, or a due slot, `due:<ms>`. A new one by default.
    slot: Option<String>,
    /// The mission's inputs as the device has them, unsynced changes too.
    resolved_inputs: Option<Value>,
}

/// The requested run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunAccepted {
    /// Id of the iteration that the run will write.
    iteration_id: String,
    /// The occurrence.
    slot: String,
}

/// A page of the mission's runs.
#[derive(Debug, Serialize, ToSchema)]
struct Runs {
    /// Runs that wait or are under way, on every page.
    running: Vec<Running>,
    /// Ended, skipped and missed runs, newest first.
    runs: Vec<Run>,
    /// Where the next page begins; null after the last page.
    #[schema(required = true)]
    after: Option<String>,
}

/// A run that waits or is under way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Running {
    /// Id of the iteration that the run will write.
    iteration_id: String,
    /// The occurrence.
    slot: String,
    /// `queued`, `reading`, `thinking` or `writing`.
    phase: &'static str,
    /// Start of the run; none while it waits.
    started_at: Option<Micros>,
}

/// Requests to the model in a run, and its answers. Long texts are cut.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunDebug {
    /// The iteration.
    iteration_id: String,
    /// End of the run.
    at: Micros,
    /// The mission, the slot, and `rounds`: for each call the request, the answer or the error, the model, the
    /// tokens and how long it took.
    record: Value,
}

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListParams {
    after: Option<String>,
    limit: Option<u32>,
}

/// The record of an occurrence.
#[derive(Debug, Serialize, ToSchema)]
struct Run {
    /// Id of the occurrence's iteration.
    id: String,
    /// The occurrence's record.
    #[serde(flatten)]
    #[schema(value_type = mana_core::mission::AiRun)]
    data: Map<String, Value>,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(run_now))
        .routes(routes!(list))
        .routes(routes!(cancel))
        .routes(routes!(debug))
}

/// Run a mission now, or a due slot of it
#[utoipa::path(post, path = "/ai/missions/{id}/run", tag = "ai", security(("bearer" = [])), request_body = RunBody,
    params(("id" = String, Path, description = "The mission's id")),
    responses(
        (status = 202, description = "The run is requested; a repeated request for the slot has no effect",
            body = RunAccepted),
        (status = 400, description = "The slot can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "No such mission here", body = ErrorEnvelope),
        (status = 429, description = "Too many runs of this person wait", body = ErrorEnvelope),
    ))]
async fn run_now(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(mission_id): ApiPath<String>,
    body: Option<ApiJson<RunBody>>,
) -> ApiResult<(StatusCode, Json<RunAccepted>)> {
    let body = body.map(|ApiJson(body)| body).unwrap_or_default();
    mission(&app, &caller, &mission_id).await?;
    let now = clock::now();
    let (slot, not_before) = match body.slot.filter(|slot| !slot.is_empty()) {
        Some(slot) => {
            let due = checked_slot(&slot, now)?;
            (slot, due.max(now))
        }
        None => (format!("run:{}", uuid::Uuid::now_v7()), now),
    };
    let iteration_id = iteration_id(&mission_id, &slot);
    let request = RunRequest {
        mission_id,
        slot: slot.clone(),
        iteration_id: iteration_id.clone(),
        not_before,
        inputs: body.resolved_inputs,
    };
    app.sync.request_run(&caller.scope(), request).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(RunAccepted { iteration_id, slot }),
    ))
}

/// Withdraw a waiting run, or end a run under way
#[utoipa::path(post, path = "/ai/missions/{id}/runs/{slot}/cancel", tag = "ai", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The mission's id"),
        ("slot" = String, Path, description = "The run's slot"),
    ),
    responses(
        (status = 202, description = "The run ends; the record of its occurrence says so"),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "No such mission here, or nothing runs under that slot", body = ErrorEnvelope),
    ))]
async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath((mission_id, slot)): ApiPath<(String, String)>,
) -> ApiResult<StatusCode> {
    mission(&app, &caller, &mission_id).await?;
    match app
        .sync
        .cancel_run(&caller.scope(), &mission_id, &slot)
        .await?
    {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(ApiError::not_found(
            "Nothing runs or waits under this slot; it may have ended just now.",
        )),
    }
}

/// Get the debug record of a run, if the person has switched that on
#[utoipa::path(get, path = "/ai/missions/{id}/runs/{iterationId}/debug", tag = "ai", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The mission's id"),
        ("iterationId" = String, Path, description = "The run's iteration"),
    ),
    responses(
        (status = 200, description = "The record", body = RunDebug),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope,
            description = "No such record: the newest fifty are kept, of runs made while it was switched on"),
    ))]
async fn debug(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath((mission_id, iteration_id)): ApiPath<(String, String)>,
) -> ApiResult<Json<RunDebug>> {
    let kept = app.store.debug(&caller.scope(), &iteration_id).await?;
    match kept.filter(|kept| kept.body["missionId"] == mission_id.as_str()) {
        Some(kept) => Ok(Json(RunDebug {
            iteration_id,
            at: kept.at,
            record: kept.body,
        })),
        None => Err(ApiError::not_found(
            "No debug record of this run is kept; switch it on in the settings before a run.",
        )),
    }
}

/// List runs: ended, skipped and missed ones a page at a time, and those under way
#[utoipa::path(get, path = "/ai/missions/{id}/runs", tag = "ai", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The mission's id"),
        ("after" = Option<String>, Query,
            description = "The `after` of the page before; missing: from the newest run"),
        ("limit" = Option<u32>, Query, description = "Runs at most; 100 by default, at most 500"),
    ),
    responses(
        (status = 200, description = "A page; go on with `after` while it isn't null", body = Runs),
        (status = 400, description = "`after` can't be read", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "No such mission here", body = ErrorEnvelope),
    ))]
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(mission_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<ListParams>,
) -> ApiResult<Json<Runs>> {
    mission(&app, &caller, &mission_id).await?;
    let scope = caller.scope();
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let before = list_cursor::read(query.after.as_deref())?;
    // A further run tells whether there is another page.
    let records = app
        .store
        .runs_of_mission(&scope, &mission_id, before, limit + 1)
        .await?;
    let (records, after) = list_cursor::page(records, limit as usize, |(id, state)| {
        let started = state.data.get("startedAt").and_then(Value::as_str);
        (started.unwrap_or_default().to_owned(), id.clone())
    });
    let runs = records.into_iter().map(|(id, state)| Run {
        id,
        data: state.data,
    });
    let running = app.store.running(&scope, &mission_id).await?;
    let running = running.into_iter().map(|run| Running {
        iteration_id: run.iteration_id,
        slot: run.slot,
        phase: run.phase.as_str(),
        started_at: run.started_at,
    });
    Ok(Json(Runs {
        running: running.collect(),
        runs: runs.collect(),
        after,
    }))
}

async fn mission(app: &App, caller: &Caller, id: &str) -> ApiResult<()> {
    let key = RecordKey {
        app: "ai".to_owned(),
        table: "aiMissions".to_owned(),
        id: id.to_owned(),
    };
    let record = app.store.record(&caller.scope(), &key).await?;
    match record {
        Some(state) if !state.is_deleted() => Ok(()),
        _ => Err(ApiError::not_found(
            "There is no such mission here; sync it first if it was just made.",
        )),
    }
}

/// Returns the slot's due time. A tab may request it a moment before.
fn checked_slot(slot: &str, now: Micros) -> ApiResult<Micros> {
    let bad = |message: &str| {
        Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_slot",
            message,
        ))
    };
    let no_slot =
        "This is no slot; use run:<uuid> or due:<milliseconds since 1970>, or leave it out.";
    match slot.split_once(':') {
        Some(("run", id)) if uuid::Uuid::try_parse(id).is_ok() => Ok(now),
        Some(("due" | "backfill", text)) => match text.parse::<i64>() {
            // Only the canonical form is accepted, or one occurrence would have two ids.
            Ok(ms) if ms >= 0 && ms.to_string() == text => match Micros::from_millis(ms) {
                due if due > now.plus(CLOCK_SLACK_US) => {
                    bad("This slot isn't due yet; leave the slot out to run the mission now.")
                }
                due => Ok(due),
            },
            _ => bad(no_slot),
        },
        _ => bad(no_slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_slot_is_one_of_the_kinds_and_not_in_the_future() {
        let now = Micros::from_millis(1_000_000);
        let check = |slot: &str| checked_slot(slot, now).map(Micros::millis).ok();
        assert_eq!(
            check("run:0190a0b0-0000-7000-8000-000000000000"),
            Some(1_000_000)
        );
        assert_eq!(check("due:1000000"), Some(1_000_000));
        assert_eq!(check("due:1059999"), Some(1_059_999), "a moment ahead");
        assert_eq!(check("backfill:5"), Some(5));
        for bad in [
            "",
            "run:",
            "run:x",
            "due:",
            "due:-1",
            "due:01",
            "due:+1",
            "due:1e3",
            "due:1060001",
            "later",
            "due:99999999999999999999",
        ] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }
}
