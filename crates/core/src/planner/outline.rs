//! `builtin/outline`: a plan without a model. The outline turns the bullet points of a
//! mission's concept into tasks, and says of itself that it is no AI.

use serde_json::json;

use super::prompt::mark;
use crate::mission::agent::DEFAULT_MAX_STEPS;

/// The name under which the gateway lists it.
pub const MODEL: &str = "builtin/outline";

/// The tool that it uses.
const TOOL: &str = "create_task";

/// The longest title that it makes.
const TITLE_CHARS: usize = 200;

/// The answer to a prompt: the messages' text, one after the other.
pub fn answer(prompt: &str) -> String {
    // At the beginning of a line, which a title can't reach, and before anything that is data.
    let concept = prompt
        .split_once(&format!("\n{}", mark::CONCEPT))
        .filter(|(before, _)| !before.contains(&format!("\n{}", mark::DATA)));
    let Some((before, rest)) = concept else {
        return plan(words(prompt).without_concept, Vec::new());
    };
    let words = words(prompt);
    let fence = rest.lines().next().unwrap_or("");
    let end = format!("\n{fence}{}", mark::END);
    let (concept, after) = rest[fence.len()..]
        .split_once(&end)
        .unwrap_or((&rest[fence.len()..], ""));

    if !before
        .lines()
        .chain(after.lines())
        .any(|line| line.strip_prefix(mark::TOOL) == Some(TOOL))
    {
        return plan(words.no_tool, Vec::new());
    }
    let all = bullets(concept);
    if all.is_empty() {
        return plan(words.no_bullets, Vec::new());
    }
    let settled = settled(after);
    let steps: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(index, title)| (index + 1, title))
        .filter(|(_, title)| {
            let quoted = format!("{} ({TOOL} ", json!(title));
            !settled.iter().any(|line| line.contains(&quoted))
        })
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

/// The lines about steps that a person refused or has yet to decide on: those
/// are not proposed again.
fn settled(text: &str) -> Vec<&str> {
    text.lines()
        .skip_while(|line| *line != mark::EARLIER)
        .take_while(|line| *line != mark::RECORDS)
        .filter(|line| line.starts_with("- "))
        .filter(|line| {
            [mark::REFUSED, mark::WAITS, mark::FROM]
                .iter()
                .any(|mark| line.contains(mark))
        })
        .collect()
}

/// The bullet points of a Markdown text, without those that are ticked off.
fn bullets(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in markdown.lines() {
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

fn words(prompt: &str) -> &'static Words {
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
    let german = prompt
        .split_once(mark::LANGUAGE)
        .is_some_and(|(_, language)| language.starts_with("German"));
    if german { &DE } else { &EN }
}
