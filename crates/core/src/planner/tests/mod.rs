//! The planner as a whole: prompt in, answer out.

mod answers;
mod hostile;
mod inputs;
mod iterations;
mod outlines;
mod prompts;
mod readings;
mod realistic;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::*;
use crate::Map;
use crate::manifest::{QueryContext, Registry};
use crate::mission::{Agent, Input, Intent, Mission, StepStatus};
use crate::planner::build::RunAttempt;
use crate::planner::resolve::Resolver;
use crate::policy::{Overrides, Policy};
use crate::record::{RecordKey, RecordState};
use crate::time::Micros;
use crate::zone::time_zone;

const ITERATION: &str = "6f4a5c0e-0000-5000-8000-000000000001";

static BERLIN: LazyLock<TimeZone> = LazyLock::new(|| time_zone("Europe/Berlin").expect("a zone"));

fn at(text: &str) -> Micros {
    Micros::parse(text).expect("a time")
}

fn object(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn mission(more: Value) -> Mission {
    let mut data = object(json!({
        "title": "Plan the week",
        "objective": "Every goal gets a step.",
        "conceptMarkdown": "- Call the bank\n- Buy **oat** milk\n- [x] Done already\n1. Water the plants",
    }));
    data.extend(object(more));
    Mission::parse("m1", &data)
}

struct Setting {
    mission: Mission,
    tools: PromptTools,
    registry: Registry,
    short: ShortIds,
    busy: Option<Vec<BusyTime>>,
    context: Option<String>,
    inputs: Vec<InputText>,
    pending: Vec<PendingProposal>,
    locale: &'static str,
    budget_tokens: usize,
    room_tokens: Option<usize>,
    agent: Agent,
    format: PlanFormat,
    max_steps: usize,
}

impl Setting {
    fn new(mission: Mission) -> Setting {
        let registry = Registry::builtin();
        let all = Mission::parse("m", &Map::new());
        Setting {
            mission,
            tools: PromptTools::of(&all, &registry, &Overrides::default(), &evening()),
            short: ShortIds::new(&registry),
            registry,
            busy: None,
            context: None,
            inputs: Vec::new(),
            pending: Vec::new(),
            locale: "en",
            budget_tokens: 5_000,
            room_tokens: None,
            agent: Agent::builtin(),
            format: PlanFormat::FencedJson,
            max_steps: 5,
        }
    }

    fn parts(&self) -> PromptParts<'_> {
        let berlin = time_zone("Europe/Berlin").expect("a zone");
        PromptParts {
            mission: &self.mission,
            iteration_id: ITERATION,
            now: at("2026-11-22T22:41:00Z"),
            zone: ("Europe/Berlin", berlin),
            locale: self.locale,
            tools: &self.tools,
            registry: &self.registry,
            short: &self.short,
            busy: self.busy.as_deref(),
            context: self.context.as_deref(),
            inputs: &self.inputs,
            notes: &[],
            lessons: &[],
            pending: &self.pending,
            budget_tokens: self.budget_tokens,
            room_tokens: self.room_tokens,
            agent: &self.agent,
            format: self.format,
            max_steps: self.max_steps,
        }
    }

    fn text(&self) -> String {
        let messages = prompt(&self.parts());
        messages
            .iter()
            .map(|message| message.content.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The evening of the tests, in Berlin.
fn evening() -> QueryContext {
    QueryContext {
        now: at("2026-11-22T22:41:00Z"),
        zone: BERLIN.clone(),
    }
}

fn input(id: &str, text: &str) -> InputText {
    InputText {
        module: "notes".into(),
        table: "notes".into(),
        id: id.into(),
        short: id.into(),
        text: text.into(),
    }
}

fn check<'a>(
    registry: &'a Registry,
    overrides: &'a Overrides,
    known: &'a dyn Fn(&RecordKey) -> bool,
) -> PlanChecks<'a> {
    PlanChecks {
        registry,
        overrides,
        exists: known,
        state: &|_| None,
        shown: &[],
        now: at("2026-11-22T22:41:00Z"),
        zone: &BERLIN,
        locale: "en",
        max_steps: 5,
    }
}
