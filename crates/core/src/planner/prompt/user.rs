//! The user message: the time, the mission, what happened before and the records.

use super::{
    days::{self, zoned},
    lessons, mark,
    parts::{Detail, PendingProposal, PlanFormat, PromptParts},
    shorten::Shortened,
    text::{data, instruction, neutral, params_line, quoted, table, tool_name},
};
use crate::mission::{Intent, Iteration, Overlap, Step, StepStatus};
use crate::planner::prompt_tool::HAND_IN_TOOL;

/// How many earlier iterations the prompt tells of.
pub const ITERATIONS_SHOWN: usize = 3;

/// How many waiting proposals the prompt lists.
const PENDING_SHOWN: usize = 20;

/// How many notes about records the prompt has.
const NOTES_SHOWN: usize = 40;

pub(super) fn user(
    parts: &PromptParts<'_>,
    fence: &str,
    shortened: &Shortened<'_>,
    detail: Detail,
) -> String {
    let mission = parts.mission;
    let mut text = format!("# Now\n{}\n\n# Mission\n", now_line(parts));
    text.push_str(&format!(
        "Title: {}\n",
        instruction(&mission.title, 300, fence)
    ));
    if !mission.objective.trim().is_empty() {
        text.push_str(&format!(
            "Objective: {}\n",
            instruction(&mission.objective, 2_000, fence)
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
    earlier(&mut text, parts, detail);
    lessons::lessons(&mut text, parts);
    text.push_str(&format!("\n{}\n", mark::PENDING));
    if parts.mission.overlap == Overlap::Replace && !parts.pending.is_empty() {
        text.push_str(mark::REPLACES);
    }
    pending(&mut text, parts);

    text.push_str(&format!("\n{}\n", mark::RECORDS));
    if parts.inputs.is_empty() {
        text.push_str("None is linked.\n");
    }
    for part in &shortened.tables {
        table(&mut text, fence, (part.module, part.table), &part.records);
    }
    let notes = shortened.notes.iter().chain(parts.notes);
    for note in notes.take(NOTES_SHOWN) {
        text.push_str(&format!("About these records: {}\n", quoted(note)));
    }
    if detail > Detail::Least {
        let free = match parts.busy {
            Some(_) => format!(" (free of {})", days::hours()),
            None => String::new(),
        };
        text.push_str(&format!("\n## The days ahead{free}\n"));
        text.push_str(&days::strip(parts.busy, &parts.at()));
    }
    task(&mut text, parts, fence);
    text
}

/// The mission, the number of steps and the form, once more behind the records: a model of few parameters goes by
/// what it read last, and a server that cuts a prompt leaves its end.
fn task(text: &mut String, parts: &PromptParts<'_>, fence: &str) {
    let mission = parts.mission;
    let objective = match mission.objective.trim() {
        "" => String::new(),
        objective => format!(" {}", instruction(objective, 300, fence)),
    };
    let form = match parts.format {
        PlanFormat::FencedJson => {
            "Answer with one fenced json block: {\"summary\", \"steps\": [{\"summary\", \"toolName\", \"params\", \
             \"rationale\"}]}."
                .to_owned()
        }
        PlanFormat::JsonSchema => {
            "Answer with one JSON object: {\"summary\", \"steps\": [{\"summary\", \"toolName\", \"params\", \
             \"rationale\"}]}."
                .to_owned()
        }
        PlanFormat::ToolCalls => {
            format!("Call a tool for each step, with its `why`, then {HAND_IN_TOOL}.")
        }
    };
    text.push_str(&format!(
        "\n# Plan now\nThe mission: {}.{objective}\nAt most {} steps, each of them one thing that the person can \
         approve by itself.\n{form}",
        instruction(&mission.title, 300, fence).trim_end_matches('.'),
        parts.max_steps,
    ));
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

fn earlier(text: &mut String, parts: &PromptParts<'_>, detail: Detail) {
    let mut any = false;
    let decided = parts
        .mission
        .iterations
        .iter()
        .rev()
        .filter(|iteration| iteration.id != parts.iteration_id)
        .filter(|iteration| iteration.user_feedback.is_some() || !iteration.plan.is_empty());
    let most = if detail == Detail::Least {
        1
    } else {
        ITERATIONS_SHOWN
    };
    for iteration in decided.take(most) {
        any = true;
        text.push_str(&iteration_lines(iteration, parts));
    }
    if !any {
        text.push_str("This is the first run.\n");
    }
}

fn iteration_lines(iteration: &Iteration, parts: &PromptParts<'_>) -> String {
    let when = iteration
        .started_at
        .map(|at| {
            zoned(at, &parts.zone.1)
                .strftime("%A %Y-%m-%d %H:%M")
                .to_string()
        })
        .unwrap_or_else(|| "At an unknown time".to_owned());
    let mut text = match (&iteration.error, &iteration.summary) {
        // The reason may quote a model or its server.
        (Some(error), _) => format!("{when}: the run failed: {}\n", quoted(&error.message)),
        (None, Some(summary)) => format!("{when}: {}\n", quoted(summary)),
        (None, None) => format!("{when}:\n"),
    };
    for step in &iteration.plan {
        text.push_str(&step_line(step, parts));
    }
    if let Some(feedback) = &iteration.user_feedback {
        text.push_str(&format!(
            "- The person said of the plan: {}\n",
            quoted(feedback)
        ));
    }
    text
}

fn step_line(step: &Step, parts: &PromptParts<'_>) -> String {
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
        Intent::ToolCall {
            tool_name: name,
            params,
        } => {
            format!(
                "{} ({} {})",
                quoted(&step.summary),
                tool_name(name, parts),
                params_line(name, params, parts)
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
        let tool = match &step.intent {
            Intent::ToolCall { tool_name, .. } => tool_name,
            Intent::Note { .. } | Intent::Other(_) => "",
        };
        line.push_str(&format!(
            ", changed to {}",
            params_line(tool, edited, parts)
        ));
    }
    line.push('\n');
    line
}

fn pending(text: &mut String, parts: &PromptParts<'_>) {
    let pending: &[PendingProposal] = parts.pending;
    if pending.is_empty() {
        text.push_str("Nothing.\n");
    }
    for proposal in pending.iter().take(PENDING_SHOWN) {
        text.push_str(&format!(
            "- {} ({} {}{}{}\n",
            quoted(&proposal.summary),
            tool_name(&proposal.tool_name, parts),
            params_line(&proposal.tool_name, &proposal.params, parts),
            mark::FROM,
            quoted(&proposal.mission_title).trim_start_matches('"'),
        ));
    }
    if pending.len() > PENDING_SHOWN {
        text.push_str(&format!("- and {} more\n", pending.len() - PENDING_SHOWN));
    }
}
