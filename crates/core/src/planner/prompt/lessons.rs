//! The lines of a prompt about what the mission has learnt.

use super::parts::PromptParts;
use super::text::{params_line, quoted, tool_name};
use crate::mission::{Lesson, LessonKind};

/// How many lessons a prompt tells of. Those for ever come first, then the newest.
const LESSONS_SHOWN: usize = 30;

/// Adds the lessons as a list of their own.
pub(super) fn lessons(text: &mut String, parts: &PromptParts<'_>) {
    let lessons = parts.lessons;
    if lessons.is_empty() {
        return;
    }
    text.push_str(
        "\n## Learnt from the person’s decisions\n\
         Never propose again what was refused or taken back, in other words neither. Follow the changes.\n",
    );
    let (ever, others): (Vec<_>, Vec<_>) = lessons.iter().partition(|lesson| lesson.for_ever);
    for lesson in ever.into_iter().chain(others).take(LESSONS_SHOWN) {
        text.push_str(&line(lesson, parts));
    }
    if lessons.len() > LESSONS_SHOWN {
        text.push_str(&format!("- and {} more\n", lessons.len() - LESSONS_SHOWN));
    }
}

fn line(lesson: &Lesson, parts: &PromptParts<'_>) -> String {
    let became = match (lesson.kind, lesson.for_ever) {
        (LessonKind::Refused, true) => "REFUSED FOR EVER",
        (LessonKind::Refused, false) => "REFUSED",
        (LessonKind::Undone, _) => "approved, then UNDONE",
        (LessonKind::Edited, _) => "changed",
    };
    let mut line = format!(
        "- {became}: {} ({})",
        quoted(&lesson.summary),
        tool_name(&lesson.tool_name, parts)
    );
    if let Some(edited) = &lesson.edited_params {
        let edited = params_line(&lesson.tool_name, edited, parts);
        line.push_str(&format!(" to {edited}"));
    }
    if let Some(reason) = &lesson.reason {
        line.push_str(&format!(", saying {}", quoted(reason)));
    }
    line.push('\n');
    line
}
