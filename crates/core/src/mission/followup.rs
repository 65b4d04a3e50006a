//! The write that the server adds to a mission after a push has been merged into it.
//! Rules MISSIONS N1–N6.

use serde_json::{Value, json};

use super::{
    cadence::{self, Cadence, Occurrences, occurrences_between},
    record::Mission,
    slot,
    tables::{APP, MISSIONS},
};
use crate::Map;
use crate::actor::{Actor, SystemSource};
use crate::change::{ChangeError, Op};
use crate::ids;
use crate::merge::TableSchema;
use crate::prepare::{Prepare, Prepared, prepare};
use crate::record::{RecordKey, RecordState};
use crate::time::Micros;
use crate::zone::Zone;

/// A mission in the schedule: an id and times, no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// The mission.
    pub mission_id: String,
    /// When it is begun: when it is due, and its jitter after that.
    pub next_run_at: Micros,
    /// The slot that is run then: that of the time when it is due, or one that is tried again.
    pub slot: String,
}

/// The schedule's row for a mission's record; none unless it is active and
/// has a next run.
pub fn schedule_row(id: &str, state: &RecordState) -> Option<ScheduleRow> {
    let mission = Mission::parse(id, &state.data);
    if !mission.is_active() {
        return None;
    }
    let due = mission.next_run_at?;
    let retry = mission
        .retry_slot
        .clone()
        .filter(|slot| slot::is_valid(slot));
    Some(ScheduleRow {
        mission_id: id.to_owned(),
        next_run_at: match retry {
            Some(_) => due,
            None => due.plus(jitter(&mission, due)),
        },
        slot: retry.unwrap_or_else(|| slot::due(due)),
    })
}

/// How long after it is due an occurrence begins, in microseconds: the same on every replica, spread evenly below the
/// mission's `jitterMinutes`, and below half of the time to the occurrence after it, so that none is passed over.
pub fn jitter(mission: &Mission, due: Micros) -> i64 {
    let wanted = i64::from(mission.jitter_minutes.unwrap_or(0)) * 60_000_000;
    if wanted == 0 {
        return 0;
    }
    let next = cadence::next_after(&mission.cadence, &mission.zone(None), due);
    let most = next.map_or(wanted, |next| wanted.min((next.0 - due.0) / 2));
    let hash = ids::derive(&mission.id, &format!("jitter:{}", slot::due(due)));
    let hash = u32::from_str_radix(&hash[..8], 16).unwrap_or(0);
    ((i128::from(most) * i128::from(hash)) >> 32) as i64
}

/// The write that a push calls for when it made a mission or changed its
/// cadence, time zone or state without saying itself when the mission runs
/// next. `timezone` is the account's. None where nothing is to be written.
pub fn follow_up(
    schema: &TableSchema,
    id: &str,
    before: Option<&RecordState>,
    after: &RecordState,
    timezone: Option<&str>,
    now: Micros,
) -> Result<Option<Prepared>, ChangeError> {
    let set = writes(id, before, after, timezone, now);
    if set.is_empty() {
        return Ok(None);
    }
    let stamps: Vec<i64> = ["cadence", "timezone", "state", "deletedAt", "nextRunAt"]
        .iter()
        .map(|field| after.meta.get(*field).map_or(0, |stamp| stamp.at.0))
        .collect();
    let key = RecordKey::new(APP, MISSIONS, id);
    let write = Prepare {
        key: &key,
        op: Op::Update,
        set,
        state: Some(after),
        tick: now,
        at: None,
        stamps: Default::default(),
        seen: Default::default(),
        actor: Actor::system(SystemSource::Projection),
        event_id: ids::derive(id, &format!("follow-up:{}:{stamps:?}", now.0)),
    };
    prepare(schema, write).map(Some)
}

fn writes(
    id: &str,
    before: Option<&RecordState>,
    after: &RecordState,
    timezone: Option<&str>,
    now: Micros,
) -> Map {
    let value = |state: Option<&RecordState>, field: &str| {
        state
            .and_then(|state| state.data.get(field))
            .cloned()
            .unwrap_or(Value::Null)
    };
    let changed = |field: &str| value(before, field) != value(Some(after), field);
    let written = |field: &str| {
        before
            .and_then(|state| state.meta.get(field))
            .map(|stamp| stamp.at)
            != after.meta.get(field).map(|stamp| stamp.at)
    };

    let mission = Mission::parse(id, &after.data);
    let was_active = before.is_some_and(|state| Mission::parse(id, &state.data).is_active());
    let rescheduled = before.is_none()
        || ["cadence", "timezone", "state", "deletedAt"]
            .iter()
            .any(|f| changed(f));
    let given = written("nextRunAt") && mission.next_run_at.is_some();
    let given = given && !is_beyond_next(&mission, after, timezone, now);

    let mut set = Map::new();
    let mut put = |field: &str, new: Value| {
        if value(Some(after), field) != new {
            set.insert(field.to_owned(), new);
        }
    };
    if !given && (rescheduled || written("nextRunAt")) {
        let next = mission
            .is_active()
            .then(|| cadence::next_after(&mission.cadence, &mission.zone(timezone), now));
        put("nextRunAt", json!(next.flatten()));
    }
    // A new time is a new occurrence, unless the runner says in the same
    // write that it tries an old one again.
    if !written("retrySlot") && (rescheduled || written("nextRunAt")) {
        put("retrySlot", Value::Null);
    }
    if before.is_some() && mission.is_active() && !was_active {
        put(
            "failures",
            if mission.failures == 0 {
                value(Some(after), "failures")
            } else {
                json!(0)
            },
        );
        put("failedOn", Value::Null);
        put("pausedReason", Value::Null);
    }
    set
}

/// Whether a device wrote a next run that lies beyond the mission's next occurrence: the device's clock was wrong, or
/// the cadence is another one by now. The runner counts on from the occurrence that it ran, and is believed.
fn is_beyond_next(
    mission: &Mission,
    after: &RecordState,
    timezone: Option<&str>,
    now: Micros,
) -> bool {
    let author = after.meta.get("nextRunAt").map(|stamp| &stamp.actor);
    let is_own = matches!(author, Some(Actor::System { .. })) || mission.retry_slot.is_some();
    !is_own && beyond_next(mission, timezone, now).is_some()
}

/// The next occurrence of a mission whose next run lies beyond it, so that the next run is wrong. `timezone` is the
/// account's.
pub fn beyond_next(mission: &Mission, timezone: Option<&str>, now: Micros) -> Option<Micros> {
    let given = mission.next_run_at?;
    let next = cadence::next_after(&mission.cadence, &mission.zone(timezone), now)?;
    (given > next).then_some(next)
}

/// A mission's occurrences after `from` and up to `to`, both in the past, at most the `max` newest. An interval is
/// counted back from the mission's next run.
pub fn passed(
    mission: &Mission,
    zone: &dyn Zone,
    from: Micros,
    to: Micros,
    max: usize,
) -> Occurrences {
    let from = match (&mission.cadence, mission.next_run_at) {
        (Cadence::Interval { every_minutes }, Some(next)) => {
            let step = cadence::minutes(*every_minutes);
            Micros(from.0 - (from.0 - next.0).rem_euclid(step))
        }
        _ => from,
    };
    occurrences_between(&mission.cadence, zone, from, to, max)
}
