//! `/ai/missions/{id}/*`: run now, and what ran.

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
use crate::error::{ApiError, ApiJson, ApiPath, ApiResult, ErrorEnvelope};

/// How long before it is due a device may ask for a slot, its clock's error included.
const CLOCK_SLACK_US: i64 = 60 * 1_000_000;

/// What to run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct RunBody {
    /// `run:<uuid>` of one's own choice, or a due slot, `due:<ms>`. A new one when left out.
    slot: Option<String>,
    /// The mission's inputs as the device has them, unsynced changes too.
    resolved_inputs: Option<Value>,
}

/// The run that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunAccepted {
    /// The id that its iteration will have.
    iteration_id: String,
    /// The occurrence.
    slot: String,
}

/// The mission's runs.
#[derive(Debug, Serialize, ToSchema)]
struct Runs {
    /// Those that wait or are under way; no record says so yet.
    running: Vec<Running>,
    /// Newest first.
    runs: Vec<Run>,
}

/// A run that waits or is under way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Running {
    /// The id that its iteration will have.
    iteration_id: String,
    /// The occurrence.
    slot: String,
    /// `queued`, `reading`, `thinking` or `writing`.
    phase: &'static str,
    /// Since when somebody is at it; none while it waits.
    started_at: Option<Micros>,
}

/// What went to the model in a run, and what came back. Texts that are too long are cut.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunDebug {
    /// The iteration.
    iteration_id: String,
    /// When the run ended.
    at: Micros,
    /// The mission, the slot, and `rounds`: for each call the request, the answer or the error, the model, the
    /// tokens and how long it took.
    record: Value,
}

/// One occurrence.
#[derive(Debug, Serialize, ToSchema)]
struct Run {
    /// Its iteration's id.
    id: String,
    /// The occurrence's record.
    #[serde(flatten)]
    #[schema(value_type = mana_core::mission::AiRun)]
    data: Map<String, Value>,
}

/// The routes.
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
        (status = 202, description = "It will run; asking again for the slot is asking once", body = RunAccepted),
        (status = 400, description = "The slot is none", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "No such mission here", body = ErrorEnvelope),
        (status = 429, description = "Too many runs of yours wait", body = ErrorEnvelope),
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

/// Take a run back that waits, or end the one that is under way
#[utoipa::path(post, path = "/ai/missions/{id}/runs/{slot}/cancel", tag = "ai", security(("bearer" = [])),
    params(("id" = String, Path, description = "The mission's id"), ("slot" = String, Path, description = "The run's slot")),
    responses(
        (status = 202, description = "It ends; the record of its occurrence says so"),
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

/// What went to the model in a run, for who has switched that on
#[utoipa::path(get, path = "/ai/missions/{id}/runs/{iterationId}/debug", tag = "ai", security(("bearer" = [])),
    params(("id" = String, Path, description = "The mission's id"), ("iterationId" = String, Path, description = "The run's iteration")),
    responses(
        (status = 200, description = "The record", body = RunDebug),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "None is kept: the newest fifty are, of runs made while it was switched on", body = ErrorEnvelope),
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

/// What ran, was skipped, was missed or failed, and what is under way
#[utoipa::path(get, path = "/ai/missions/{id}/runs", tag = "ai", security(("bearer" = [])),
    params(("id" = String, Path, description = "The mission's id")),
    responses(
        (status = 200, description = "The runs", body = Runs),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "No such mission here", body = ErrorEnvelope),
    ))]
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(mission_id): ApiPath<String>,
) -> ApiResult<Json<Runs>> {
    mission(&app, &caller, &mission_id).await?;
    let records = app.store.records(&caller.scope(), "ai", "aiRuns").await?;
    let mut runs: Vec<Run> = records
        .into_iter()
        .filter(|(_, state)| {
            !state.is_deleted()
                && state.data.get("missionId").and_then(Value::as_str) == Some(&mission_id)
        })
        .map(|(id, state)| Run {
            id,
            data: state.data,
        })
        .collect();
    let started = |run: &Run| {
        run.data
            .get("startedAt")
            .and_then(Value::as_str)
            .and_then(|at| Micros::parse(at).ok())
    };
    runs.sort_by_key(|run| std::cmp::Reverse(started(run)));
    let running = app.store.running(&caller.scope(), &mission_id).await?;
    let running = running.into_iter().map(|one| Running {
        iteration_id: one.iteration_id,
        slot: one.slot,
        phase: one.phase.as_str(),
        started_at: one.started_at,
    });
    Ok(Json(Runs {
        running: running.collect(),
        runs,
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

/// When the slot is due. A tab may ask for it a moment before that.
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
            // Written in one way only, or one occurrence would have two ids.
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
