//! Backups that are made by themselves, once a day.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use mana_core::Micros;
use mana_store::Maintenance;
use metrics::counter;

use super::status::BackupStatus;
use super::{Place, make, prove};
use crate::app::App;
use crate::clock;
use crate::config::Config;
use crate::remedies::with_remedy;
use crate::storage::drop_forgotten;

/// Time between two looks whether a backup is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long after a failure the next attempt is made, in microseconds.
const AGAIN_AFTER: i64 = 60 * 60 * 1_000_000;

/// Makes the backup of each day, until it is aborted. Of several servers on one database, one makes it.
pub async fn run(app: Arc<App>, maintenance: Arc<dyn Maintenance>) {
    if app.config.backup.folder.is_none() {
        return;
    }
    prove::forget_unfinished(&app.config.data_dir);
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        if let Err(error) = look(&app, &*maintenance).await {
            tracing::warn!("Whether a backup is due could not be found out: {error:#}");
        }
    }
}

async fn look(app: &App, maintenance: &dyn Maintenance) -> Result<()> {
    let accounts = &app.auth.accounts;
    let (mut status, read) = BackupStatus::read(&**accounts).await?;
    let now = clock::now();
    if status.since.0 == 0 {
        (status.since, status.attempted_at) = (now, now);
        status.replace(&**accounts, read.as_deref()).await?;
        return Ok(());
    }
    if !is_due(&status, app.config.backup.at, &TimeZone::system(), now) {
        return Ok(());
    }
    status.attempted_at = now;
    if !status.replace(&**accounts, read.as_deref()).await? {
        return Ok(());
    }
    drop_forgotten(&**accounts, maintenance).await;
    let outcome = match apart(app.config.clone()).await {
        Ok(made) => {
            let (file, bytes) = (made.path.display(), made.bytes);
            tracing::info!(
                bytes,
                elapsed_s = made.seconds,
                "The backup {file} was made and proven"
            );
            BackupStatus::remember(accounts.clone(), Ok(&made)).await
        }
        Err(error) => {
            counter!("mana_backup_failures_total").increment(1);
            let message = with_remedy(&error);
            tracing::error!(error = %message, "The nightly backup failed; earlier ones are untouched: {message}");
            BackupStatus::remember(accounts.clone(), Err(message)).await
        }
    };
    outcome.context("The outcome of the backup can't be stored")
}

/// Makes a backup on a thread of its own: compressing it must not keep requests waiting.
async fn apart(config: Config) -> Result<super::Made> {
    let (done, made) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("backup".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let made = match runtime {
                Ok(runtime) => runtime.block_on(make(&config, Place::Folder)),
                Err(error) => Err(error.into()),
            };
            let _ = done.send(made);
        })?;
    made.await.context("The backup's thread has ended")?
}

/// Whether the time of a day's backup has come since the last attempt, or an hour has passed since a failure.
fn is_due(status: &BackupStatus, at: civil::Time, zone: &TimeZone, now: Micros) -> bool {
    if status.failure.is_some() && now.0.saturating_sub(status.attempted_at.0) >= AGAIN_AFTER {
        return true;
    }
    let last = last_time(at, zone, now);
    last.is_some_and(|last| status.attempted_at < last)
}

/// The last time that the clock showed this time of day.
fn last_time(at: civil::Time, zone: &TimeZone, now: Micros) -> Option<Micros> {
    let now = Timestamp::from_microsecond(now.0).ok()?;
    let today = now.to_zoned(zone.clone()).date();
    let of_day = |day: civil::Date| day.to_datetime(at).to_zoned(zone.clone()).ok();
    let of_today = of_day(today)?;
    let last = match of_today.timestamp() <= now {
        true => of_today,
        false => of_day(today.yesterday().ok()?)?,
    };
    Some(Micros(last.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        Micros(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn backup_is_due_once_a_day_and_again_after_a_failure() {
        let (zone, time) = (TimeZone::UTC, civil::time(3, 30, 0, 0));
        let mut status = BackupStatus {
            since: at("2026-11-01T12:00:00Z"),
            attempted_at: at("2026-11-01T12:00:00Z"),
            ..BackupStatus::default()
        };
        let due = |status: &BackupStatus, now| is_due(status, time, &zone, at(now));
        assert!(!due(&status, "2026-11-01T23:00:00Z"));
        assert!(!due(&status, "2026-11-02T03:29:59Z"));
        assert!(due(&status, "2026-11-02T03:30:00Z"));
        // A machine that was off at night.
        assert!(due(&status, "2026-11-02T09:00:00Z"));
        status.attempted_at = at("2026-11-02T03:30:10Z");
        assert!(!due(&status, "2026-11-02T09:00:00Z"));
        status.failure = Some("full".to_owned());
        assert!(!due(&status, "2026-11-02T04:00:00Z"));
        assert!(due(&status, "2026-11-02T04:30:10Z"));
    }
}
