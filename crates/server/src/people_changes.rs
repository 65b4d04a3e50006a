//! Consequences of a change of a person in a running server: keys, limits and missions.

use std::sync::Arc;
use std::time::Duration;

use mana_accounts::{AuditEvent, CHANGES_PEOPLE, SessionEnded};
use mana_store::{User, UserId};

use crate::app::App;
use crate::error::{ApiError, ApiResult};

/// How often the server looks whether its operator, or an owner at another server, changed a person.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// An account was locked or opened, or is another's to pay: its keys, its limits, and when its missions run.
pub async fn changed(app: &App, user: &UserId) {
    app.member_limits.forget(user);
    refresh(app).await;
}

/// An account was deleted.
pub async fn gone(app: &App, user: &UserId) {
    changed(app, user).await;
}

/// The time zone of an account is another one: missions without one of their own follow.
pub async fn zone_changed(app: &App, user: &User) -> ApiResult<()> {
    app.llm.people_changed(&*app.auth.accounts).await;
    app.runner
        .follow_time_zone(user)
        .await
        .map_err(ApiError::internal)
}

async fn refresh(app: &App) {
    if let Err(error) = app.llm.read_keys().await {
        tracing::warn!("The virtual keys could not be read: {error:#}");
    }
    app.llm.people_changed(&*app.auth.accounts).await;
    app.sync.schedule_changed().notify_one();
}

/// Follows changes of people that this server did not make: by the operator's commands, which work beside the server
/// and can't tell it, and by owners at other servers on the database.
pub async fn follow(app: Arc<App>) {
    let accounts = &app.auth.accounts;
    let events = CHANGES_PEOPLE.map(AuditEvent::as_str);
    let mut seen = accounts.newest_act(&events).await.unwrap_or(0);
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        // A database that can't answer is told by whoever needs it.
        let Ok(newest) = accounts.newest_act(&events).await else {
            continue;
        };
        if newest != seen {
            seen = newest;
            read_factor_rule(&app).await;
            app.auth.announce(SessionEnded::Any);
            app.member_limits.forget_all();
            refresh(&app).await;
        }
    }
}

/// Reads whether everyone needs a second factor.
pub async fn read_factor_rule(app: &App) {
    if let Err(error) = app.auth.read_factor_rule().await {
        tracing::warn!("The rule of second factors could not be read: {error}");
    }
}
