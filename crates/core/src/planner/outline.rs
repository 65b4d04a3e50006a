//! `builtin/outline`: a plan without a model. The outline turns the bullet points of a
//! mission's concept into tasks, and says of itself that it is no AI.

use serde_json::json;

use super::language;
use super::prompt::{ITERATIONS_SHOWN, PromptParts, one_line};
use crate::mission::agent::DEFAULT_MAX_STEPS;
use crate::mission::{Intent, Step, StepStatus};
use crate::text::without_hidden;

/// The name under which the gateway lists it.
pub const MODEL: &str = "builtin/outline";

/// The tool that it uses.
const TOOL: &str = "create_task";

/// The longest title that it makes.
const TITLE_CHARS: usize = 200;

/// The longest summary that is compared with a title.
const SUMMARY_CHARS: usize = 500;

/// The data that an outline is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutlineInput {
    /// The mission's concept, in Markdown.
    pub concept: String,
    /// The account's language, such as `en` or `de`.
    pub locale: String,
    /// Whether the policy lets the mission create tasks.
    pub may_create_tasks: bool,
    /// The summaries of steps that create a task and that the person refused or has yet to decide on.
    pub settled: Vec<String>,
}

impl OutlineInput {
    /// The data of the mission that a prompt is made for.
    pub fn of(parts: &PromptParts<'_>) -> Self {
        let iterations = parts.mission.iterations.iter().rev();
        let earlier = iterations
            .filter(|iteration| iteration.id != parts.iteration_id)
            .take(ITERATIONS_SHOWN)
            .flat_map(|iteration| &iteration.plan)
            .filter(|step| is_settled(step))
            .map(|step| &step.summary);
        let pending = parts
            .pending
            .iter()
            .filter(|proposal| proposal.tool_name == TOOL)
            .map(|proposal| &proposal.summary);
        Self {
            concept: parts.mission.concept_markdown.clone(),
            locale: parts.locale.to_owned(),
            may_create_tasks: parts.tools.has(TOOL),
            settled: earlier
                .chain(pending)
                .map(|summary| one_line(summary, SUMMARY_CHARS))
                .collect(),
        }
    }
}

/// Whether a step creates a task, and the person refused it or has yet to decide on it.
fn is_settled(step: &Step) -> bool {
    let status = &step.status;
    let open = matches!(
        status,
        StepStatus::Planned | StepStatus::Staged | StepStatus::Rejected
    );
    open && matches!(&step.intent, Intent::ToolCall { tool_name, .. } if tool_name == TOOL)
}

/// The answer to a mission with this data; without any, as for a chat, it is a plan without steps.
pub fn answer(input: Option<&OutlineInput>) -> String {
    let Some(input) = input.filter(|input| !input.concept.trim().is_empty()) else {
        let locale = input.map_or("en", |input| &input.locale);
        return plan(words(locale).without_concept, Vec::new());
    };
    let words = words(&input.locale);
    if !input.may_create_tasks {
        return plan(words.no_tool, Vec::new());
    }
    let all = bullets(&input.concept);
    if all.is_empty() {
        return plan(words.no_bullets, Vec::new());
    }
    let steps: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(index, title)| (index + 1, title))
        .filter(|(_, title)| !input.settled.contains(title))
        .take(DEFAULT_MAX_STEPS as usize)
        .map(|(number, title)| {
            json!({
                "summary": title,
                "toolName": TOOL,
                "params": { "title": title },
                "rationale": words.rationale.replace("{n}", &number.to_string()),
            })
        })
        .collect();
    let summary = if steps.is_empty() {
        words.nothing_new
    } else {
        words.summary
    };
    plan(summary, steps)
}

fn plan(summary: &str, steps: Vec<serde_json::Value>) -> String {
    format!(
        "```json\n{}\n```",
        json!({ "summary": summary, "steps": steps })
    )
}

/// The bullet points of a Markdown text, without those that are ticked off.
fn bullets(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    let seen = without_hidden(markdown);
    for line in seen.lines() {
        let line = line.trim_start();
        let Some(item) = ["- ", "* ", "+ ", "• "]
            .iter()
            .find_map(|mark| line.strip_prefix(mark))
            .or_else(|| numbered(line))
        else {
            continue;
        };
        let item = item.trim_start();
        let item = match item.get(..3) {
            Some("[x]" | "[X]") => continue,
            Some("[ ]") => &item[3..],
            _ => item,
        };
        let title: String = item
            .replace("**", "")
            .replace("__", "")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if title.is_empty() {
            continue;
        }
        let title: String = title.chars().take(TITLE_CHARS).collect();
        if !found.contains(&title) {
            found.push(title);
        }
    }
    found
}

/// The text of `1. item` or `1) item`.
fn numbered(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = (1..=3).contains(&digits).then(|| &line[digits..])?;
    rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))
}

struct Words {
    summary: &'static str,
    rationale: &'static str,
    without_concept: &'static str,
    no_bullets: &'static str,
    no_tool: &'static str,
    nothing_new: &'static str,
}

fn words(locale: &str) -> &'static Words {
    const EN: Words = Words {
        summary: "The bullet points of the concept as tasks. No AI took part: no model is connected.",
        rationale: "Bullet point {n} of this mission’s concept, word for word. No AI took part.",
        without_concept: "No AI took part: no model is connected, and there is no concept with bullet points to go by.",
        no_bullets: "No AI took part: no model is connected. \
            Write bullet points into the concept, and they become proposals.",
        no_tool: "No AI took part: no model is connected, and creating tasks is not allowed.",
        nothing_new: "No AI took part: no model is connected. Every bullet point of the concept was proposed already.",
    };
    const DE: Words = Words {
        summary: "Die Stichpunkte des Konzepts als Aufgaben. Keine KI war beteiligt: Es ist kein Modell verbunden.",
        rationale: "Stichpunkt {n} aus dem Konzept dieser Mission, Wort für Wort. Keine KI war beteiligt.",
        without_concept: "Keine KI war beteiligt: Es ist kein Modell verbunden, \
            und es gibt kein Konzept mit Stichpunkten.",
        no_bullets: "Keine KI war beteiligt: Es ist kein Modell verbunden. \
            Schreib Stichpunkte ins Konzept, dann werden sie zu Vorschlägen.",
        no_tool: "Keine KI war beteiligt: Es ist kein Modell verbunden, und Aufgaben anzulegen ist nicht erlaubt.",
        nothing_new: "Keine KI war beteiligt: Es ist kein Modell verbunden. \
            Jeder Stichpunkt des Konzepts wurde schon vorgeschlagen.",
    };
    match language::primary(locale) {
        "de" => &DE,
        _ => &EN,
    }
}
