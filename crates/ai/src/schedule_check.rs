//! Checking the schedule for due times that lie beyond a mission's next occurrence: a clock was wrong once, the
//! server's or a device's, and the mission would wait for a time that is years away.

use mana_core::mission::{self, Mission};
use mana_core::{Map, Micros, RecordKey, ids};
use mana_store::{Scope, UserId};
use mana_sync::{AcceptPush, Origin};
use serde_json::{Value, json};

use crate::batch::ChangeBatch;
use crate::commit::CLIENT;
use crate::error::RunError;
use crate::parts::RunnerParts;
use crate::run_rows;

/// Missions that are looked at together.
const PAGE: u32 = 200;

/// A due time that is nearer comes by itself.
const NEAR: i64 = 24 * 60 * 60 * 1_000_000;

/// How far ahead of the clock occurrences may have run that are believed: the clock went back, and they must not run
/// twice. What ran later than this was run by a wrong clock.
const BELIEVED_AHEAD: i64 = 3 * NEAR;

/// Gives every mission whose due time lies beyond its next occurrence that occurrence.
pub(crate) async fn heal(parts: &RunnerParts, now: Micros) -> Result<(), RunError> {
    let mut after = None;
    loop {
        let page = parts
            .store
            .scheduled_beyond(now.plus(NEAR), after, PAGE)
            .await?;
        for (user, mission_id) in &page {
            heal_mission(parts, user, mission_id, now).await?;
        }
        match page.len() < PAGE as usize {
            true => return Ok(()),
            false => after = page.into_iter().next_back(),
        }
    }
}

async fn heal_mission(
    parts: &RunnerParts,
    user: &UserId,
    mission_id: &str,
    now: Micros,
) -> Result<(), RunError> {
    let scope = Scope::own(user);
    let key = RecordKey::new(mission::APP, mission::MISSIONS, mission_id);
    let (Some(state), Some(person)) = (
        parts.store.record(&scope, &key).await?,
        parts.accounts.user(user).await?,
    ) else {
        return Ok(());
    };
    let mission = Mission::parse(mission_id, &state.data);
    let next = mission::beyond_next(&mission, Some(&person.timezone), now);
    let Some(next) = next.filter(|_| mission.is_active()) else {
        return Ok(());
    };
    let newest = run_rows::newest_run(parts, &scope, mission_id).await?;
    let ahead = newest.map_or(0, |run| run_rows::told_until(&run).0.saturating_sub(now.0));
    if (1..=BELIEVED_AHEAD).contains(&ahead) {
        return Ok(());
    }
    tracing::warn!(
        mission = mission_id, user = %user,
        "the next run of mission {mission_id} lay beyond its next occurrence, as if written by a wrong clock; \
         it was set to that occurrence"
    );
    let seed = ids::derive(mission_id, &format!("heal:{}", now.0));
    let mut batch = ChangeBatch::new(parts, &scope, now, seed);
    let set = [
        ("nextRunAt".to_owned(), json!(next)),
        ("retrySlot".to_owned(), Value::Null),
    ];
    batch.mission(mission_id, Map::from_iter(set)).await?;
    let push = AcceptPush {
        since: now.to_string(),
        ..AcceptPush::new(Origin::Runner, CLIENT, batch.into_values())
    };
    parts.sync.accept(&scope, push, now).await?;
    Ok(())
}
