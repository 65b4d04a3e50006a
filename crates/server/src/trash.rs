//! Removed records are taken away 90 days after their removal (spec/SYNC.md, F5), once a day.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mana_store::{Maintenance, Scope};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::App;
use crate::clock;
use crate::users::Users;

/// Time from the start of the server to the first look: a start is busy enough.
const FIRST_LOOK: Duration = Duration::from_secs(10 * 60);

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks into the trash of every account, until it is aborted. Several servers on one database may do it at once.
pub async fn run(app: Arc<App>, maintenance: Arc<dyn Maintenance>) {
    let mut every = interval_at(Instant::now() + FIRST_LOOK, LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = look(&app, &*maintenance).await {
            tracing::warn!("The trash could not be emptied; it is tried again tomorrow: {error:#}");
        }
    }
}

async fn look(app: &App, maintenance: &dyn Maintenance) -> Result<()> {
    let mut users = Users::default();
    while let Some(user) = users.next(&*app.auth.accounts).await? {
        let scope = Scope::own(&user.id);
        let emptied = app
            .sync
            .empty_trash(maintenance, &scope, clock::now())
            .await;
        match emptied {
            Ok(0) => {}
            Ok(records) => tracing::info!(
                user_id = %user.id,
                records,
                "Removed records of {} were taken away after 90 days", user.id
            ),
            Err(error) => tracing::warn!(
                user_id = %user.id,
                error = %error,
                "The trash of {} could not be emptied: {error}", user.id
            ),
        }
    }
    Ok(())
}
