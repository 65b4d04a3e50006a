//! `GET /ready`: whether the server can do its work, with the reasons where it can't. `/health` says only that the
//! process answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mana_core::Micros;
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::backup::status::BackupStatus;
use crate::clock;
use crate::config::ServerRole;
use crate::disk_space;
use crate::error::sentence;
use crate::readiness::{Readiness, ReadyStatus};

/// How long an answer is given again, so that nobody keeps the database busy by asking.
const KEPT: Duration = Duration::from_secs(5);

/// How long the database may take to write a few bytes.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// How late a mission may begin before the schedule counts as stuck, in microseconds.
const LATE: i64 = 15 * 60 * 1_000_000;

/// The setting that is written to see whether the database takes writes.
const PROBE: &str = "ready";

/// Returns the route.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(ready))
}

/// Whether the server can do its work
#[utoipa::path(get, path = "/ready", tag = "app",
    responses(
        (status = 200, description = "The server is ready, or degraded for the given reasons", body = Readiness),
        (status = 503, description = "The server can't take requests, for the given reasons", body = Readiness),
    ))]
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let readiness = match app.shutdown.is_cancelled() {
        true => stopping(),
        false => known(&app).await,
    };
    let status = match readiness.status {
        ReadyStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ReadyStatus::Ready | ReadyStatus::Degraded => StatusCode::OK,
    };
    (status, Json(readiness))
}

fn well() -> Readiness {
    Readiness {
        status: ReadyStatus::Ready,
        reasons: Vec::new(),
        backup_age_s: None,
    }
}

fn stopping() -> Readiness {
    let mut readiness = well();
    readiness.add(
        ReadyStatus::Unavailable,
        "stopping",
        "The server is stopping.",
    );
    readiness
}

async fn known(app: &App) -> Readiness {
    let mut last = app.ready.0.lock().await;
    match &*last {
        Some((at, readiness)) if at.elapsed() < KEPT => readiness.clone(),
        _ => {
            let readiness = look(app).await;
            *last = Some((Instant::now(), readiness.clone()));
            readiness
        }
    }
}

async fn look(app: &App) -> Readiness {
    let mut readiness = well();
    let now = clock::now();
    let value = now.to_string();
    let write = app.auth.accounts.kv_put(PROBE, value.as_bytes());
    match timeout(WRITE_WITHIN, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            readiness.add(ReadyStatus::Unavailable, "database", sentence(&error));
        }
        Err(_) => readiness.add(
            ReadyStatus::Unavailable,
            "database",
            format!(
                "The database did not take a write in {} s.",
                WRITE_WITHIN.as_secs()
            ),
        ),
    }
    if let Some(disk) = disk_space::of(&app.config.data_dir) {
        disk_is_full(&mut readiness, disk);
    }
    backups(&mut readiness, app, now).await;
    if app.config.serves(ServerRole::Ai) && app.config.runner.tick_enabled {
        schedule(&mut readiness, app, now).await;
    }
    readiness
}

fn disk_is_full(readiness: &mut Readiness, disk: disk_space::DiskSpace) {
    if disk.is_full() {
        let message = "The disk of the data directory is full; free some space on it.";
        readiness.add(ReadyStatus::Unavailable, "disk", message);
    } else if disk.is_nearly_full() {
        let message = format!(
            "The disk of the data directory has {} MB left; free some space on it.",
            disk.free_bytes / 1_000_000
        );
        readiness.add(ReadyStatus::Degraded, "disk", message);
    }
}

async fn backups(readiness: &mut Readiness, app: &App, now: Micros) {
    // A database that can't be read is told already.
    let Ok((status, _)) = BackupStatus::read(&*app.auth.accounts).await else {
        return;
    };
    readiness.backup_age_s = status.age_s(now);
    // Where none are made by themselves, their operator has other means.
    if app.config.backup.folder.is_some()
        && let Some(problem) = status.problem(now)
    {
        readiness.add(ReadyStatus::Degraded, "backup", problem);
    }
}

async fn schedule(readiness: &mut Readiness, app: &App, now: Micros) {
    match app.store.next_wake().await {
        Ok(Some(at)) if at.0.saturating_add(LATE) < now.0 => {
            let minutes = (now.0 - at.0) / 60_000_000;
            readiness.add(
                ReadyStatus::Degraded,
                "schedule",
                format!("A mission has been due for {minutes} minutes and has not begun; look at the log."),
            );
        }
        Ok(_) => {}
        Err(error) => readiness.add(ReadyStatus::Unavailable, "database", sentence(&error)),
    }
}
