//! Correcting due times: those that lie beyond a mission's next occurrence because a clock was wrong once, and those of
//! missions that follow their person into another time zone.

use mana_core::mission::{self, Cadence, Mission};
use mana_core::{Map, Micros, RecordKey, ids};
use mana_store::{Scope, User, UserId};
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

/// Gives the missions of a person that have no time zone of their own their next occurrence in the person's: the
/// account's time zone has changed. Intervals don't look at a clock on the wall, and a run that is tried again keeps
/// its time.
pub(crate) async fn follow_time_zone(
    parts: &RunnerParts,
    person: &User,
    now: Micros,
) -> Result<(), RunError> {
    let user = &person.id;
    let scope = Scope::own(user);
    let mut after = (user.clone(), String::new());
    loop {
        let place = Some(after.clone());
        let page = parts
            .store
            .scheduled_beyond(Micros(i64::MIN), place, PAGE)
            .await?;
        let is_last = page.len() < PAGE as usize;
        for (whose, mission_id) in page {
            if whose != *user {
                return Ok(());
            }
            follow_mission(parts, &scope, person, &mission_id, now).await?;
            after = (whose, mission_id);
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn follow_mission(
    parts: &RunnerParts,
    scope: &Scope,
    person: &User,
    mission_id: &str,
    now: Micros,
) -> Result<(), RunError> {
    let key = RecordKey::new(mission::APP, mission::MISSIONS, mission_id);
    let Some(state) = parts.store.record(scope, &key).await? else {
        return Ok(());
    };
    let mission = Mission::parse(mission_id, &state.data);
    let is_by_the_wall = !matches!(mission.cadence, Cadence::Manual | Cadence::Interval { .. });
    let follows = mission.is_active()
        && is_by_the_wall
        && mission.timezone.is_none()
        && mission.retry_slot.is_none();
    let zone = mission.zone(Some(&person.timezone));
    let next = mission::cadence::next_after(&mission.cadence, &zone, now);
    let Some(next) = next.filter(|next| follows && Some(*next) != mission.next_run_at) else {
        return Ok(());
    };
    set_next_run(parts, scope, mission_id, next, ("zone", now)).await
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
    set_next_run(parts, &scope, mission_id, next, ("heal", now)).await
}

/// Writes when a mission runs next, as the server, for a reason and at a time.
async fn set_next_run(
    parts: &RunnerParts,
    scope: &Scope,
    mission_id: &str,
    next: Micros,
    (reason, now): (&str, Micros),
) -> Result<(), RunError> {
    let seed = ids::derive(mission_id, &format!("{reason}:{}", now.0));
    let mut batch = ChangeBatch::new(parts, scope, now, seed);
    let set = [
        ("nextRunAt".to_owned(), json!(next)),
        ("retrySlot".to_owned(), Value::Null),
    ];
    batch.mission(mission_id, Map::from_iter(set)).await?;
    let push = AcceptPush {
        since: now.to_string(),
        ..AcceptPush::new(Origin::Runner, CLIENT, batch.into_values())
    };
    parts.sync.accept(scope, push, now).await?;
    Ok(())
}
