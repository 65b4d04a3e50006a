//! Steps that the person has settled already: refused or taken back in this mission, or there as an open record.
//! Rules MISSIONS L2 and R9.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::plan::{Plan, PlanNote, PlannedStep, RefusedStep, dedup_key};
use super::resolve;
use crate::manifest::{EffectOp, Registry, Table, ToolRef, set_from};
use crate::mission::{Intent, Lesson, LessonKind, Mission, StepStatus};
use crate::record::RecordState;
use crate::text::same_meaning;
use crate::time::Micros;
use crate::{Map, ids};

/// Shared words of two titles, out of all, from which they are similar.
const SIMILAR: f64 = 0.7;

/// A record that stands for something still to be done, or that is simply there.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenRecord {
    /// Its title, as it is shown.
    pub title: String,
    /// Its title, and the title under which it was proposed, without what makes no difference.
    keys: BTreeSet<String>,
    /// The time that it is about, where its table has one: the same title at another time is another record.
    moment: Option<Micros>,
}

/// The open records of a table: not deleted, not done, and not of a time that has passed. Records that a step of the
/// mission made are known by the title of the step too.
pub fn open_records(
    table: &Table,
    rows: &[(String, RecordState)],
    mission: &Mission,
    now: Micros,
) -> Vec<OpenRecord> {
    let proposed = proposed_titles(mission);
    let open = rows.iter().filter(|(_, state)| {
        let done = table
            .list
            .done
            .as_ref()
            .and_then(|done| state.data.get(done));
        !state.is_deleted() && done != Some(&Value::Bool(true))
    });
    let records = open.filter_map(|(id, state)| {
        let title = resolve::title(table, &state.data)?;
        let moment = moment(table, |field| state.data.get(field));
        if moment.is_some_and(|moment| moment < now) {
            return None;
        }
        let mut keys = BTreeSet::from([same_meaning(&title)]);
        keys.extend(proposed.get(id).into_iter().flatten().cloned());
        Some(OpenRecord {
            title,
            keys,
            moment,
        })
    });
    records.collect()
}

/// The titles under which the mission's approved steps proposed the records that they made, by record.
fn proposed_titles(mission: &Mission) -> BTreeMap<String, Vec<String>> {
    let steps = mission
        .iterations
        .iter()
        .flat_map(|iteration| &iteration.plan);
    let approved = steps.filter(|step| step.status == StepStatus::Approved);
    let titles = approved.filter_map(|step| {
        let Intent::ToolCall { params, .. } = &step.intent else {
            return None;
        };
        let titles = ["title", "name"]
            .iter()
            .filter_map(|name| params.get(*name));
        let keys = titles.filter_map(Value::as_str).map(same_meaning).collect();
        Some((ids::created_record_id(&step.id, 0), keys))
    });
    titles.collect()
}

/// Everything that steps are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The modules.
    pub registry: &'a Registry,
    /// The lessons that the mission still keeps.
    pub lessons: &'a [Lesson],
    /// The open records, by module and table.
    pub records: &'a BTreeMap<(String, String), Vec<OpenRecord>>,
}

/// The judgement on a step.
enum Judgement {
    New,
    /// The step repeats something; why it is left out.
    Known(String),
    /// The step resembles something; the person is told.
    Similar(String),
}

impl Known<'_> {
    /// The plan without the steps that repeat what is known. Each stays as a note; a step that resembles something
    /// stays too, with a note that asks the person.
    pub fn sift(&self, plan: Plan) -> Plan {
        let mut sifted = Plan {
            steps: Vec::new(),
            ..plan
        };
        for step in plan.steps {
            match self.judge(&step) {
                Judgement::New => sifted.steps.push(step),
                Judgement::Known(reason) => sifted.refused.push(RefusedStep {
                    index: step.index,
                    code: "repeat",
                    summary: step.summary.chars().take(80).collect(),
                    reason,
                }),
                Judgement::Similar(text) => {
                    sifted.notes.push(PlanNote::similar(step.index, &text));
                    sifted.steps.push(step);
                }
            }
        }
        sifted.refused.sort_by_key(|step| step.index);
        sifted
    }

    fn judge(&self, step: &PlannedStep) -> Judgement {
        let tool = self.registry.tool(&step.tool_name);
        let title = tool.and_then(|tool| title_of(tool, &step.params));
        let key = title.map(same_meaning);
        let mut similar = None;
        for lesson in self.lessons {
            let settled = match lesson.kind {
                LessonKind::Refused => "refused",
                LessonKind::Undone => "took back",
                LessonKind::Edited => continue,
            };
            let same_tool = lesson.tool_name == step.tool_name;
            let theirs = tool
                .filter(|_| same_tool)
                .and_then(|tool| title_of(tool, &lesson.params));
            let their_key = theirs.map(same_meaning);
            let same_call = dedup_key(&lesson.tool_name, &lesson.params)
                == dedup_key(&step.tool_name, &step.params);
            let same_title = key.is_some() && key == their_key && !lesson.is_about_time();
            if same_call || same_title {
                let ever = if lesson.for_ever { " for ever" } else { "" };
                return Judgement::Known(format!("you {settled} the same proposal{ever}."));
            }
            if let (Some(key), Some(theirs), Some(their_key)) = (&key, theirs, &their_key)
                && key != their_key
                && are_similar(key, their_key)
            {
                similar.get_or_insert(format!("“{theirs}”, which you {settled}"));
            }
        }
        let (Some(tool), Some(key)) = (tool, key) else {
            return Judgement::New;
        };
        let place = (tool.module.id.clone(), tool.tool.effect.table.clone());
        let at = moment(tool.table, |field| value_of(tool, field, &step.params));
        for record in self.records.get(&place).into_iter().flatten() {
            if record.moment != at {
                continue;
            }
            if record.keys.contains(&key) {
                return Judgement::Known(format!("there is “{}” already.", record.title));
            }
            if record.keys.iter().any(|other| are_similar(&key, other)) {
                similar.get_or_insert(format!("“{}”, which is there already", record.title));
            }
        }
        similar.map_or(Judgement::New, Judgement::Similar)
    }
}

/// The title that a step which makes a record gives it.
fn title_of<'p>(tool: ToolRef<'_>, params: &'p Map) -> Option<&'p str> {
    let makes = tool.tool.effect.op == EffectOp::Insert;
    let title = value_of(tool, &tool.table.list.title, params).filter(|_| makes)?;
    title.as_str().filter(|title| !title.trim().is_empty())
}

/// The value that a call puts into a field.
fn value_of<'p>(tool: ToolRef<'_>, field: &str, params: &'p Map) -> Option<&'p Value> {
    params.get(set_from(tool.tool.effect.set.get(field)?)?)
}

/// The time that a record is about, by its table's deadline.
fn moment<'v>(table: &Table, value: impl Fn(&str) -> Option<&'v Value>) -> Option<Micros> {
    let field = table.deadline.as_ref()?;
    Micros::parse(value(field)?.as_str()?).ok()
}

/// Whether two texts share most of their words, two at least.
fn are_similar(one: &str, other: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> { text.split(' ').map(str::to_owned).collect() };
    let (one, other) = (words(one), words(other));
    let shared = one.intersection(&other).count();
    shared >= 2 && 2.0 * shared as f64 / (one.len() + other.len()) as f64 >= SIMILAR
}
