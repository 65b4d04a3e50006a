//! A mission, read from its record.

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::{
    budget::Budget,
    cadence::{self, Cadence},
    fields::{count, list, present, text},
    iteration::Iteration,
    lessons::Lesson,
};
use crate::{Map, json, problem::Problem, time::Micros, zone::time_zone};

/// Whether a mission runs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissionState {
    /// The mission runs when it is due.
    Active,
    /// The mission waits until a person resumes it.
    Paused,
    /// The mission has reached its objective.
    Done,
    /// Put away.
    Archived,
}

/// The rule for an occurrence that comes while proposals of the mission wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The occurrence is skipped.
    #[default]
    Skip,
    /// The mission runs; its new proposals wait beside the old ones.
    Allow,
    /// The mission runs; a plan without error replaces the proposals that wait.
    Replace,
}

impl Overlap {
    /// Reads the wire's word. None where it is unknown.
    pub fn parse(word: &str) -> Option<Overlap> {
        match word {
            "skip" => Some(Overlap::Skip),
            "allow" => Some(Overlap::Allow),
            "replace" => Some(Overlap::Replace),
            _ => None,
        }
    }

    /// The rule of a new mission: one that runs daily or more often replaces its plan.
    pub fn of_new(cadence: &Cadence) -> Overlap {
        match cadence::is_frequent(cadence) {
            true => Overlap::Replace,
            false => Overlap::Skip,
        }
    }
}

/// Something that a mission reads: a record, or with no id the table's
/// prompt query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The module, which is the app of its records.
    pub module: String,
    /// The table.
    pub table: String,
    /// The id of a record; none for all records that the manifest's query brings.
    pub id: Option<String>,
}

/// A mission, read from its record. Fields that can't be read are left out
/// and named in `problems`; reading never fails.
#[derive(Clone, Debug)]
pub struct Mission {
    /// The record's id.
    pub id: String,
    /// The title.
    pub title: String,
    /// The concept that the person wrote, in Markdown.
    pub concept_markdown: String,
    /// The objective, in a sentence.
    pub objective: String,
    /// The records that it reads.
    pub inputs: Vec<Input>,
    /// How often it runs.
    pub cadence: Cadence,
    /// Its own time zone, if it has one.
    pub timezone: Option<String>,
    /// Whether it runs by itself.
    pub state: MissionState,
    /// When it is due next.
    pub next_run_at: Option<Micros>,
    /// The slot that `next_run_at` tries again.
    pub retry_slot: Option<String>,
    /// Days in a row on which its runs failed for a reason of its own.
    pub failures: u32,
    /// The last of these days, on the mission's wall clock: `2026-11-20`.
    pub failed_on: Option<String>,
    /// Why the server paused it.
    pub paused_reason: Option<String>,
    /// The agent that it is given to.
    pub agent_id: Option<String>,
    /// The model that it asks for.
    pub model: Option<String>,
    /// Whether it runs while an earlier plan waits for review.
    pub overlap: Overlap,
    /// How late an occurrence may still be made up for.
    pub catch_up_minutes: Option<u32>,
    /// Within how many minutes after it is due an occurrence begins; at once where it isn't said.
    pub jitter_minutes: Option<u32>,
    /// The upper bounds of its spending.
    pub budget: Budget,
    /// Its iterations, oldest first.
    pub iterations: Vec<Iteration>,
    /// The lessons as they are stored; [`lessons`](super::lessons::lessons) has everything.
    pub lessons: Vec<Lesson>,
    /// Whether the record is deleted.
    pub deleted: bool,
    /// The fields that could not be read.
    pub problems: Vec<Problem>,
}

impl Mission {
    /// Reads a mission's data.
    pub fn parse(id: &str, data: &Map) -> Mission {
        let mut problems = Vec::new();
        let cadence = Cadence::parse(data.get("cadence")).unwrap_or_else(|problem| {
            problems.push(problem);
            Cadence::Manual
        });
        let state = state(data, &mut problems);
        let inputs = inputs(data, &mut problems);
        let mut iterations = Vec::new();
        for value in list(data, "iterations", &mut problems) {
            match Iteration::parse(value) {
                Ok(iteration) => iterations.push(iteration),
                Err(reason) => problems.push(Problem::new("iterations", "invalid", reason)),
            }
        }
        iterations.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        let next_run_at = match present(data, "nextRunAt") {
            None => None,
            Some(value) => json::from_value(value.clone()).unwrap_or_else(|_| {
                problems.push(Problem::new(
                    "nextRunAt",
                    "invalid",
                    "nextRunAt is not a time.",
                ));
                None
            }),
        };
        Mission {
            id: id.to_owned(),
            title: text(data, "title", &mut problems).unwrap_or_default(),
            concept_markdown: text(data, "conceptMarkdown", &mut problems).unwrap_or_default(),
            objective: text(data, "objective", &mut problems).unwrap_or_default(),
            inputs,
            cadence,
            timezone: text(data, "timezone", &mut problems).filter(|name| !name.trim().is_empty()),
            state,
            next_run_at,
            retry_slot: text(data, "retrySlot", &mut problems),
            failures: count(data, "failures", &mut problems).unwrap_or(0),
            failed_on: text(data, "failedOn", &mut problems),
            paused_reason: text(data, "pausedReason", &mut problems),
            agent_id: text(data, "agentId", &mut problems).filter(|id| !id.trim().is_empty()),
            model: text(data, "model", &mut problems).filter(|name| !name.trim().is_empty()),
            overlap: text(data, "overlap", &mut problems)
                .and_then(|word| Overlap::parse(&word))
                .unwrap_or_default(),
            catch_up_minutes: count(data, "catchUpMinutes", &mut problems),
            jitter_minutes: count(data, "jitterMinutes", &mut problems),
            budget: Budget::parse(data.get("budget"), &mut problems),
            iterations,
            lessons: list(data, "lessons", &mut problems)
                .iter()
                .filter_map(|value| json::from_value(value.clone()).ok())
                .collect(),
            deleted: present(data, "deletedAt").is_some(),
            problems,
        }
    }

    /// Whether the mission runs by itself.
    pub fn is_active(&self) -> bool {
        self.state == MissionState::Active && !self.deleted
    }

    /// The mission's time zone, else the account's, else UTC. A name that
    /// isn't known falls through to the next.
    pub fn zone(&self, account: Option<&str>) -> TimeZone {
        zone_of(self.timezone.as_deref(), account).1
    }

    /// The name of [`Mission::zone`].
    pub fn zone_name<'a>(&'a self, account: Option<&'a str>) -> &'a str {
        zone_of(self.timezone.as_deref(), account).0
    }

    /// The iteration with this id.
    pub fn iteration(&self, id: &str) -> Option<&Iteration> {
        self.iterations.iter().find(|iteration| iteration.id == id)
    }

    /// How many proposals of this mission wait for a decision.
    pub fn waiting(&self) -> usize {
        self.iterations.iter().map(Iteration::open_steps).sum()
    }
}

/// The first usable time zone of the mission's and the account's, else UTC.
fn zone_of<'a>(mission: Option<&'a str>, account: Option<&'a str>) -> (&'a str, TimeZone) {
    [mission, account]
        .into_iter()
        .flatten()
        .find_map(|name| time_zone(name).ok().map(|zone| (name, zone)))
        .unwrap_or(("UTC", TimeZone::UTC))
}

fn state(data: &Map, problems: &mut Vec<Problem>) -> MissionState {
    match data.get("state").and_then(Value::as_str) {
        Some("active") => MissionState::Active,
        Some("paused") => MissionState::Paused,
        Some("done") => MissionState::Done,
        Some("archived") => MissionState::Archived,
        None if present(data, "state").is_none() => MissionState::Active,
        _ => {
            problems.push(Problem::new(
                "state",
                "invalid",
                "The state must be active, paused, done or archived.",
            ));
            MissionState::Paused
        }
    }
}

fn inputs(data: &Map, problems: &mut Vec<Problem>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (index, value) in list(data, "inputs", problems).iter().enumerate() {
        let part = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        match (part("module"), part("table")) {
            (Some(module), Some(table)) => inputs.push(Input {
                module: module.to_owned(),
                table: table.to_owned(),
                id: part("id").map(str::to_owned),
            }),
            _ => problems.push(Problem::new(
                format!("inputs[{index}]"),
                "invalid",
                "An input names a module and a table.",
            )),
        }
    }
    inputs
}
