//! The shapes of a mission's record for OpenAPI, where serde can't say them: the parser reads these by hand, so that
//! one bad field is named and the rest still counts. The test below holds the two together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{budget::Budget, lessons::Lesson, record::Overlap};
use crate::{policy::Overrides, time::Micros};

/// The record of an agent. A field may be null where nothing is to be said.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentData {
    /// The agent's name.
    pub name: String,
    /// The agent's mark: a character or two.
    pub avatar: Option<String>,
    /// The agent's purpose, in a line.
    pub role: Option<String>,
    /// How it works, in Markdown.
    pub system_prompt: Option<String>,
    /// The agent's memory, in Markdown.
    pub memory: Option<String>,
    /// The agent's permissions, where they differ from the modules' own policy.
    pub policy: Option<Overrides>,
    /// The model that it asks.
    pub model: Option<String>,
    /// The budget of all the agent's missions together.
    pub budget: Option<Budget>,
    /// How many of its missions may run at a time.
    pub concurrency: Option<u32>,
}

/// The record of a person's settings for missions; its id is `settings`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsData {
    /// The budget of all the person's missions together.
    pub budget: Option<Budget>,
    /// Prompts and answers are kept for a look behind the scenes.
    pub debug: Option<bool>,
    /// The most steps that a run may propose, 1 to 20; else 5.
    pub max_steps: Option<u32>,
    /// The most proposals of one mission that may wait, 1 to 200; else 25.
    pub max_open_proposals: Option<u32>,
}

/// The record of a mission without its iterations. A field may be null where nothing is to be said.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissionData {
    /// The mission's name.
    pub title: String,
    /// The person's concept, in Markdown.
    pub concept_markdown: String,
    /// The mission's aim, in a sentence.
    pub objective: String,
    /// The records that the mission reads.
    pub inputs: Vec<MissionInput>,
    /// How often it runs.
    pub cadence: Cadence,
    /// Its own time zone; else the account's counts.
    pub timezone: Option<String>,
    /// Whether it runs by itself.
    pub state: MissionState,
    /// When it is due next. Server and device write it.
    pub next_run_at: Option<Micros>,
    /// The agent that it is given to; else the default one.
    pub agent_id: Option<String>,
    /// The model that it asks for.
    pub model: Option<String>,
    /// Whether it runs while an earlier plan waits for review.
    pub overlap: Option<Overlap>,
    /// How late an occurrence may still be made up for.
    pub catch_up_minutes: Option<u32>,
    /// Within how many minutes after it is due an occurrence begins.
    pub jitter_minutes: Option<u32>,
    /// The mission's budget.
    pub budget: Option<Budget>,
    /// The slot that `nextRunAt` tries again. Written by the server.
    pub retry_slot: Option<String>,
    /// Days in a row on which its runs failed for a reason of its own. Written by the server.
    pub failures: Option<u32>,
    /// The last of these days. Written by the server.
    pub failed_on: Option<String>,
    /// Why the server paused it.
    pub paused_reason: Option<String>,
    /// The lessons. The server keeps them; a person takes them back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub lessons: Vec<Lesson>,
}

/// A record, or with no id the table's prompt query, that a mission reads.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MissionInput {
    /// The module.
    pub module: String,
    /// The table.
    pub table: String,
    /// The id of a single record; without it all records that the manifest's query brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// How often a mission runs, on the wall clock of its time zone.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Cadence {
    /// Only when a person asks for it.
    Manual,
    /// Every so many minutes.
    #[schema(rename_all = "camelCase")]
    Interval {
        /// Minutes between two occurrences, at least 1.
        every_minutes: u32,
    },
    /// Every day.
    #[schema(rename_all = "camelCase")]
    Daily {
        /// The hour, 0 to 23.
        at_hour: u32,
        /// The minute, 0 to 59; 0 when left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        at_minute: Option<u32>,
    },
    /// Once a week.
    #[schema(rename_all = "camelCase")]
    Weekly {
        /// The day, Sunday is 0.
        day_of_week: u32,
        /// The hour, 0 to 23.
        at_hour: u32,
        /// The minute, 0 to 59; 0 when left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        at_minute: Option<u32>,
    },
    /// By a cron expression.
    Cron {
        /// Five fields, or a nickname such as `@daily`.
        expression: String,
    },
}

/// Where a mission stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MissionState {
    /// The mission runs when due.
    Active,
    /// The mission waits until a person resumes it.
    Paused,
    /// The mission has reached its aim.
    Done,
    /// Put away.
    Archived,
}

/// The effect of a step. A kind of a later version is kept, and not carried out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Intent {
    /// Call a tool of a module.
    #[schema(rename_all = "camelCase")]
    ToolCall {
        /// The tool's name.
        tool_name: String,
        /// Its parameters.
        params: BTreeMap<String, Value>,
    },
    /// Say something; there is nothing to decide.
    Note {
        /// The text of the note.
        body: String,
    },
}

/// Where a plan was made.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IterationSource {
    /// By the runner.
    Server,
    /// In a tab.
    Browser,
}

/// The outcome of an iteration.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverallStatus {
    /// A step is open.
    AwaitingReview,
    /// A step was approved, or there was nothing to do.
    Approved,
    /// No step was approved.
    Rejected,
    /// There is no plan.
    Failed,
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;
    use crate::{Map, mission, mission::check_mission, policy::Policy};

    fn mission(cadence: Cadence) -> MissionData {
        MissionData {
            title: "Week".to_owned(),
            concept_markdown: "Plan it".to_owned(),
            objective: "A quiet Monday".to_owned(),
            inputs: vec![MissionInput {
                module: "todo".to_owned(),
                table: "tasks".to_owned(),
                id: Some("t1".to_owned()),
            }],
            cadence,
            timezone: Some("Europe/Berlin".to_owned()),
            state: MissionState::Done,
            next_run_at: Some(Micros(5)),
            agent_id: Some("a1".to_owned()),
            model: Some("m1".to_owned()),
            overlap: Some(Overlap::Allow),
            catch_up_minutes: Some(7),
            jitter_minutes: Some(5),
            budget: Some(Budget {
                tokens_per_day: Some(8),
                ..Budget::default()
            }),
            retry_slot: Some("due:1".to_owned()),
            failures: Some(2),
            failed_on: Some("2026-11-20".to_owned()),
            paused_reason: Some("paused".to_owned()),
            lessons: vec![Lesson::default()],
        }
    }

    #[test]
    fn schema_of_a_mission_is_what_the_parser_reads() {
        let cadences = [
            Cadence::Manual,
            Cadence::Interval { every_minutes: 30 },
            Cadence::Daily {
                at_hour: 8,
                at_minute: None,
            },
            Cadence::Weekly {
                day_of_week: 0,
                at_hour: 8,
                at_minute: Some(30),
            },
            Cadence::Cron {
                expression: "0 8 * * *".to_owned(),
            },
        ];
        for cadence in cadences {
            let wire: Map = from_value(to_value(mission(cadence)).unwrap()).unwrap();
            assert_eq!(check_mission(&wire, |_| true), [], "{wire:?}");
            let read = mission::Mission::parse("m1", &wire);
            assert_eq!(read.title, "Week");
            assert_eq!(read.concept_markdown, "Plan it");
            assert_eq!(read.objective, "A quiet Monday");
            assert_eq!(read.inputs[0].id.as_deref(), Some("t1"));
            assert_eq!(read.timezone.as_deref(), Some("Europe/Berlin"));
            assert_eq!(read.state, mission::MissionState::Done);
            assert_eq!(read.next_run_at, Some(Micros(5)));
            assert_eq!(read.agent_id.as_deref(), Some("a1"));
            assert_eq!(read.model.as_deref(), Some("m1"));
            assert_eq!(read.overlap, Overlap::Allow);
            assert_eq!(read.catch_up_minutes, Some(7));
            assert_eq!(read.budget.tokens_per_day, Some(8));
            assert_eq!(read.retry_slot.as_deref(), Some("due:1"));
            assert_eq!(read.failures, 2);
            assert_eq!(read.failed_on.as_deref(), Some("2026-11-20"));
            assert_eq!(read.paused_reason.as_deref(), Some("paused"));
            assert_eq!(read.lessons, [Lesson::default()]);
        }
    }

    #[test]
    fn schema_of_an_agent_and_of_settings_is_what_the_parser_reads() {
        let budget = Budget {
            tokens_per_day: Some(1),
            money_per_day: Some(0.5),
            tokens_per_run: Some(2),
        };
        let policy = Overrides {
            default: Some(Policy::Deny),
            modules: [("todo".to_owned(), Policy::Auto)].into(),
            tools: [("create_task".to_owned(), Policy::Propose)].into(),
        };
        let text = |text: &str| Some(text.to_owned());
        let agent = AgentData {
            name: "Flora".to_owned(),
            avatar: text("F"),
            role: text("Gardens"),
            system_prompt: text("Think in seasons."),
            memory: text("Clay soil."),
            policy: Some(policy.clone()),
            model: text("m1"),
            budget: Some(budget.clone()),
            concurrency: Some(2),
        };
        let wire: Map = from_value(to_value(agent).unwrap()).unwrap();
        let mut all = wire.clone();
        let read = mission::Agent::parse("a1", &wire);
        assert_eq!((&read.policy, &read.budget), (&policy, &budget));
        all.insert("id".to_owned(), json!("a1"));
        assert_eq!(to_value(read).unwrap(), Value::Object(all));

        let settings = SettingsData {
            budget: Some(budget),
            debug: Some(true),
            max_steps: Some(3),
            max_open_proposals: Some(4),
        };
        let wire: Map = from_value(to_value(settings).unwrap()).unwrap();
        let read = mission::MissionSettings::parse(&wire);
        assert_eq!(to_value(read).unwrap(), Value::Object(wire));
    }

    #[test]
    fn schema_of_an_intent_is_what_a_step_reads() {
        let kinds = [
            Intent::ToolCall {
                tool_name: "create_task".to_owned(),
                params: BTreeMap::from([("title".to_owned(), json!("Milk"))]),
            },
            Intent::Note {
                body: "All is well".to_owned(),
            },
        ];
        for kind in kinds {
            let wire = to_value(kind).unwrap();
            let read: mission::Intent = from_value(wire.clone()).unwrap();
            assert!(!matches!(read, mission::Intent::Other(_)), "{wire}");
            assert_eq!(to_value(read).unwrap(), wire);
        }
    }
}
