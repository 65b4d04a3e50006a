//! Records of occurrences that did not run. Occurrences in a row that were skipped or missed for the same reason have
//! one record, which names the first, the last and their number; its id is the first one's.

use mana_core::mission::{AiRun, RunStatus, slot};
use mana_core::{Map, Micros};
use mana_store::Scope;
use serde_json::Value;

use crate::batch::ChangeBatch;
use crate::error::RunError;
use crate::load::Run;
use crate::messages::{self, Reason};
use crate::parts::RunnerParts;

/// The figures of a reason that keep two rows apart.
const APART: [&str; 3] = ["of", "per", "measure"];

/// The reason of an occurrence that its person ended stands alone.
const ALONE: &str = "cancelled";

/// Adds the records of occurrences that did not run, in the order of their times.
pub(crate) struct RunRows<'r> {
    run: &'r Run<'r>,
    now: Micros,
    /// The latest time that the mission's newest record tells of.
    told_until: Option<Micros>,
    row: Option<Row>,
}

/// A record that further occurrences may join.
struct Row {
    record: AiRun,
    reason: Reason,
    first: Micros,
    last: Micros,
    count: u64,
    /// There are others that nobody counted.
    more: bool,
    changed: bool,
}

impl<'r> RunRows<'r> {
    /// Goes on from the mission's newest record.
    pub async fn after_newest(run: &'r Run<'r>, now: Micros) -> Result<Self, RunError> {
        let record = newest_run(run.parts(), &run.scope, &run.claim.mission_id)
            .await?
            // A record of a time to come is of a clock that was wrong.
            .filter(|record| record.started_at <= now);
        let told_until = record.as_ref().map(told_until);
        Ok(Self {
            run,
            now,
            told_until,
            row: record.and_then(Row::of),
        })
    }

    /// Adds an occurrence. `since`: it stands for others back to that time as well, which nobody counted.
    pub async fn add(
        &mut self,
        batch: &mut ChangeBatch<'_>,
        status: RunStatus,
        reason: Reason,
        at: Micros,
        since: Option<Micros>,
    ) -> Result<(), RunError> {
        if self.told_until.is_some_and(|told| at <= told)
            && (self.row.as_ref().is_some_and(|row| row.holds(at))
                || batch
                    .has_run(&self.run.claim.mission_id, &slot::due(at))
                    .await?)
        {
            return Ok(());
        }
        match &mut self.row {
            Some(row) if row.goes_on(status, &reason, at) => row.extend(reason, at),
            _ => {
                self.end(batch).await?;
                let record = occurrence_record(self.run, &slot::due(at), status, at, self.now);
                self.row = Some(Row {
                    record,
                    reason,
                    first: since.unwrap_or(at),
                    last: at,
                    count: 1,
                    more: since.is_some(),
                    changed: true,
                });
            }
        }
        Ok(())
    }

    /// Adds a record that stands alone, and ends the row before it.
    pub async fn add_alone(
        &mut self,
        batch: &mut ChangeBatch<'_>,
        record: AiRun,
    ) -> Result<(), RunError> {
        self.end(batch).await?;
        self.row = None;
        batch.run(&record, true, None).await
    }

    /// Adds an occurrence whose run may have been lost with a restore, by its own record. It is stamped with the
    /// occurrence's time, so that the record of a run that a device gives back wins. `since` as in [`Self::add`].
    pub async fn add_lost(
        &mut self,
        batch: &mut ChangeBatch<'_>,
        reason: Reason,
        at: Micros,
        since: Option<Micros>,
    ) -> Result<(), RunError> {
        self.end(batch).await?;
        self.row = None;
        let reason = match since {
            Some(first) => messages::row(&reason, (first, at), 1, true, &self.run.loaded.zone),
            None => reason,
        };
        let slot = slot::due(at);
        let record = occurrence_record(self.run, &slot, RunStatus::Missed, at, self.now);
        batch.run(&reason.on(record), false, Some(at)).await
    }

    /// Writes the row as it is.
    pub async fn end(&mut self, batch: &mut ChangeBatch<'_>) -> Result<(), RunError> {
        let Some(row) = self.row.as_mut().filter(|row| row.changed) else {
            return Ok(());
        };
        row.changed = false;
        let reason = match row.count {
            1 if !row.more => row.reason.clone(),
            _ => messages::row(
                &row.reason,
                (row.first, row.last),
                row.count,
                row.more,
                &self.run.loaded.zone,
            ),
        };
        let record = AiRun {
            finished_at: self.now,
            ..row.record.clone()
        };
        batch.run(&reason.on(record), true, None).await
    }
}

impl Row {
    /// The row that a record is; none for a record that no other occurrence may join.
    fn of(record: AiRun) -> Option<Row> {
        let told = matches!(record.status, RunStatus::Skipped | RunStatus::Missed);
        let code = record.code.clone().filter(|code| told && code != ALONE)?;
        let slot_time = slot::time(&record.slot).filter(|_| !slot::is_backfill(&record.slot))?;
        if record.tokens.is_some_and(|tokens| tokens > 0) {
            return None;
        }
        let details = record.details.as_ref();
        let at = |name: &str| Micros::parse(details?.get(name)?.as_str()?).ok();
        let number = |name: &str| details?.get(name)?.as_u64();
        Some(Row {
            first: at("first").unwrap_or(slot_time),
            last: at("last").unwrap_or(slot_time),
            count: number("count").unwrap_or(1),
            more: details.is_some_and(|details| details.contains_key("more")),
            reason: Reason {
                code,
                text: String::new(),
                details: record.details.clone(),
            },
            record,
            changed: false,
        })
    }

    /// Whether it tells of this occurrence already.
    fn holds(&self, at: Micros) -> bool {
        self.first <= at && at <= self.last
    }

    fn goes_on(&self, status: RunStatus, reason: &Reason, at: Micros) -> bool {
        let figure = |reason: &Reason, name: &str| reason.details.as_ref()?.get(name).cloned();
        self.record.status == status
            && self.reason.code == reason.code
            && reason.code != ALONE
            && at > self.last
            && APART
                .iter()
                .all(|name| figure(&self.reason, name) == figure(reason, name))
    }

    fn extend(&mut self, reason: Reason, at: Micros) {
        self.reason = reason;
        self.last = at;
        self.count += 1;
        self.changed = true;
    }
}

/// The mission's newest run record, where it can be read.
pub(crate) async fn newest_run(
    parts: &RunnerParts,
    scope: &Scope,
    mission_id: &str,
) -> Result<Option<AiRun>, RunError> {
    let runs = parts
        .store
        .runs_of_mission(scope, mission_id, None, 1)
        .await?;
    let newest = runs.into_iter().next();
    Ok(newest.and_then(|(_, state)| serde_json::from_value(Value::Object(state.data)).ok()))
}

/// The latest time that a record tells of.
pub(crate) fn told_until(record: &AiRun) -> Micros {
    let last = record
        .details
        .as_ref()
        .and_then(|details| details.get("last"));
    let last = last.and_then(|last| Micros::parse(last.as_str()?).ok());
    last.unwrap_or(record.started_at)
}

/// The record of an occurrence that didn't run, without its reason.
pub(crate) fn occurrence_record(
    run: &Run<'_>,
    slot: &str,
    status: RunStatus,
    at: Micros,
    now: Micros,
) -> AiRun {
    AiRun {
        mission_id: run.claim.mission_id.clone(),
        slot: slot.to_owned(),
        status,
        code: None,
        reason: None,
        details: None,
        started_at: at,
        finished_at: now,
        attempts: 0,
        tokens: None,
        cost: None,
        model: None,
        extra: Map::new(),
    }
}
