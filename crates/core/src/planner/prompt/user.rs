//! The user message: the time, the mission, what happened before and the records.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{
    mark,
    parts::{PendingProposal, PromptParts},
    shorten::Shortened,
    text::{data, neutral, one_line, params_line, quoted, record},
};
use crate::mission::{Intent, Iteration, Step, StepStatus};
use crate::time::Micros;

/// How many earlier iterations the prompt tells of.
pub const ITERATIONS_SHOWN: usize = 3;

/// How many waiting proposals the prompt lists.
const PENDING_SHOWN: usize = 20;

/// How many notes about records the prompt has.
const NOTES_SHOWN: usize = 40;

pub(super) fn user(parts: &PromptParts<'_>, fence: &str, shortened: &Shortened<'_>) -> String {
    let mission = parts.mission;
    let mut text = format!("# Now\n{}\n\n# Mission\n", now_line(parts));
    text.push_str(&format!("Title: {}\n", one_line(&mission.title, 300)));
    if !mission.objective.trim().is_empty() {
        text.push_str(&format!(
            "Objective: {}\n",
            one_line(&mission.objective, 2_000)
        ));
    }
    if !shortened.concept.trim().is_empty() {
        let concept = neutral(&shortened.concept, fence);
        text.push_str(&format!(
            "{}{fence}\n{concept}\n{fence}{}\n",
            mark::CONCEPT,
            mark::END
        ));
    }

    if !shortened.context.trim().is_empty() {
        text.push_str("\n# What the person says about themselves\n");
        data(&mut text, fence, "", &shortened.context);
    }
    if !shortened.memory.trim().is_empty() {
        text.push_str("\n# What you keep in mind from earlier\n");
        data(&mut text, fence, "", &shortened.memory);
    }

    text.push_str(&format!("\n{}\n", mark::EARLIER));
    earlier(&mut text, parts);
    text.push_str(&format!("\n{}\n", mark::PENDING));
    pending(&mut text, parts.pending);

    text.push_str(&format!("\n{}\n", mark::RECORDS));
    if parts.inputs.is_empty() {
        text.push_str("None is linked.\n");
    }
    for (input, body) in &shortened.inputs {
        record(&mut text, fence, input, body);
    }
    let notes = shortened.notes.iter().chain(parts.notes);
    for note in notes.take(NOTES_SHOWN) {
        text.push_str(&format!("About these records: {}\n", quoted(note)));
    }
    text.push_str("\nPlan now.");
    text
}

/// `Sunday, 22 November 2026, 23:41, Europe/Berlin (2026-11-22T23:41:00+01:00)`
fn now_line(parts: &PromptParts<'_>) -> String {
    let zoned = zoned(parts.now, &parts.zone.1);
    format!(
        "{}, {} ({})",
        zoned.strftime("%A, %-d %B %Y, %H:%M"),
        parts.zone.0,
        zoned.strftime("%Y-%m-%dT%H:%M:%S%:z"),
    )
}

fn zoned(at: Micros, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(at.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}

fn earlier(text: &mut String, parts: &PromptParts<'_>) {
    let mut any = false;
    let decided = parts
        .mission
        .iterations
        .iter()
        .rev()
        .filter(|iteration| iteration.id != parts.iteration_id);
    for iteration in decided.take(ITERATIONS_SHOWN) {
        any = true;
        text.push_str(&iteration_lines(iteration, &parts.zone.1));
    }
    if !any {
        text.push_str("This is the first run.\n");
    }
}

fn iteration_lines(iteration: &Iteration, zone: &TimeZone) -> String {
    let when = iteration
        .started_at
        .map(|at| zoned(at, zone).strftime("%A %Y-%m-%d %H:%M").to_string())
        .unwrap_or_else(|| "At an unknown time".to_owned());
    let mut text = match (&iteration.error, &iteration.summary) {
        // The reason may quote a model or its server.
        (Some(error), _) => format!("{when}: the run failed: {}\n", quoted(&error.message)),
        (None, Some(summary)) => format!("{when}: {}\n", quoted(summary)),
        (None, None) => format!("{when}:\n"),
    };
    for step in &iteration.plan {
        text.push_str(&step_line(step));
    }
    if let Some(feedback) = &iteration.user_feedback {
        text.push_str(&format!(
            "- The person said of the plan: {}\n",
            quoted(feedback)
        ));
    }
    text
}

fn step_line(step: &Step) -> String {
    let became = match step.status {
        StepStatus::Planned | StepStatus::Staged => mark::WAITS,
        StepStatus::Failed => ": could not be carried out",
        StepStatus::Expired => ": expired undecided",
        StepStatus::Skipped => ": was not offered",
        StepStatus::Rejected => mark::REFUSED,
        StepStatus::Approved if step.decided_by.as_deref() == Some("policy") => ": carried out",
        StepStatus::Approved => ": approved by the person",
        StepStatus::Undone => ": approved, then UNDONE by the person",
    };
    let what = match &step.intent {
        Intent::ToolCall { tool_name, params } => {
            format!(
                "{} ({tool_name} {})",
                quoted(&step.summary),
                params_line(params)
            )
        }
        Intent::Note { body } => format!("note {}", quoted(body)),
        Intent::Other(_) => quoted(&step.summary),
    };
    let mut line = format!("- {what}{became}");
    if let Some(feedback) = step
        .feedback
        .as_deref()
        .filter(|feedback| !feedback.trim().is_empty())
    {
        line.push_str(&format!(", saying {}", quoted(feedback)));
    }
    if let Some(edited) = step
        .edited_params
        .as_ref()
        .filter(|edited| !edited.is_empty())
    {
        line.push_str(&format!(", changed to {}", params_line(edited)));
    }
    line.push('\n');
    line
}

fn pending(text: &mut String, pending: &[PendingProposal]) {
    if pending.is_empty() {
        text.push_str("Nothing.\n");
    }
    for proposal in pending.iter().take(PENDING_SHOWN) {
        text.push_str(&format!(
            "- {} ({} {}{}{}\n",
            quoted(&proposal.summary),
            one_line(&proposal.tool_name, 100),
            params_line(&proposal.params),
            mark::FROM,
            quoted(&proposal.mission_title).trim_start_matches('"'),
        ));
    }
    if pending.len() > PENDING_SHOWN {
        text.push_str(&format!("- and {} more\n", pending.len() - PENDING_SHOWN));
    }
}
