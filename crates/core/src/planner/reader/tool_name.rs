//! The tool that a model means: by its name however it is written, else by the one synonym that fits.

use std::collections::BTreeSet;

use crate::manifest::{EffectOp, Registry, ToolRef, folded};
use crate::planner::checks::PlanChecks;
use crate::policy::{Overrides, Policy};

/// The name of the tool that hands the plan in.
pub const HAND_IN_TOOL: &str = "hand_in_plan";

/// The name of the tool that finds further tools.
pub const FIND_TOOLS: &str = "find_tools";

/// The longest name that is looked up.
const LONGEST: usize = 100;

/// Words for what a tool does, each with the words that stand for it.
const VERBS: &[(&str, &[&str])] = &[
    (
        "create",
        &[
            "create",
            "add",
            "new",
            "make",
            "insert",
            "schedule",
            "book",
            "erstellen",
            "anlegen",
        ],
    ),
    (
        "update",
        &[
            "update", "edit", "modify", "change", "alter", "revise", "patch", "ändern",
        ],
    ),
    (
        "delete",
        &[
            "delete", "remove", "erase", "discard", "trash", "cancel", "löschen",
        ],
    ),
    (
        "complete",
        &[
            "complete",
            "completed",
            "finish",
            "finished",
            "done",
            "tick",
            "erledigen",
        ],
    ),
    (
        "reschedule",
        &[
            "reschedule",
            "move",
            "postpone",
            "shift",
            "defer",
            "delay",
            "verschieben",
        ],
    ),
    ("reopen", &["reopen", "uncomplete", "uncheck"]),
    ("list", &["list", "get", "read", "fetch", "show", "view"]),
    ("find", &["find", "search", "lookup", "query"]),
];

/// Words for kinds of records, beside the manifests' own.
const NOUNS: &[(&str, &[&str])] = &[
    ("event", &["appointment", "meeting"]),
    ("note", &["memo"]),
    ("goal", &["objective"]),
];

/// Words that say nothing.
const FILLERS: &[&str] = &[
    "a", "an", "the", "to", "my", "in", "for", "from", "as", "mark", "item", "entry", "tool",
    "function", "call",
];

/// The tools that a model may name.
#[derive(Clone, Copy)]
pub(in crate::planner) struct ToolNames<'a> {
    pub registry: &'a Registry,
    pub overrides: &'a Overrides,
}

impl<'a> ToolNames<'a> {
    /// The tools of this context.
    pub fn of(checks: &PlanChecks<'a>) -> ToolNames<'a> {
        ToolNames {
            registry: checks.registry,
            overrides: checks.overrides,
        }
    }

    /// The name as the manifest or the planner has it; the name as it was given where it is none of them.
    pub fn canonical(self, given: &str) -> String {
        if self.is_hand_in(given) {
            return HAND_IN_TOOL.to_owned();
        }
        if self.is_find_tools(given) {
            return FIND_TOOLS.to_owned();
        }
        match self.find(given) {
            Some(tool) => tool.tool.name.clone(),
            None => bare(given).to_owned(),
        }
    }

    /// Whether the name is a tool's, or the one that hands a plan in, apart from case and separators.
    pub fn is_known(self, given: &str) -> bool {
        self.is_hand_in(given) || self.is_find_tools(given) || self.spelled(given).is_some()
    }

    /// Whether the name finds further tools. A module's own tool of that name counts first.
    pub fn is_find_tools(self, given: &str) -> bool {
        if given.len() > LONGEST {
            return false;
        }
        let given = bare(given);
        folded(given).eq(folded(FIND_TOOLS)) && self.registry.tool(given).is_none()
    }

    /// Whether the name hands a plan in.
    pub fn is_hand_in(self, given: &str) -> bool {
        let given = bare(given);
        ["handinplan", "submitplan", "finalplan", "handin"]
            .into_iter()
            .any(|name| folded(given).eq(name.chars()))
    }

    /// The tool of this name, in any case and with any separators and namespace; else the one tool that the words
    /// mean. Words never choose a tool that acts without asking.
    pub fn find(self, given: &str) -> Option<ToolRef<'a>> {
        self.spelled(given).or_else(|| self.meant(given))
    }

    fn spelled(self, given: &str) -> Option<ToolRef<'a>> {
        if given.len() > LONGEST {
            return None;
        }
        let given = bare(given);
        if let Some(tool) = self.registry.tool(given) {
            return Some(tool);
        }
        // Every tag of an answer is looked up, so that this neither sorts nor allocates.
        let manifests = self.registry.manifests().iter();
        let mut same = manifests
            .flat_map(|manifest| &manifest.tools)
            .filter(|tool| folded(&tool.name).eq(folded(given)));
        let only = same.next()?;
        match same.next() {
            None => self.registry.tool(&only.name),
            Some(_) => None,
        }
    }

    fn meant(self, given: &str) -> Option<ToolRef<'a>> {
        if given.len() > LONGEST {
            return None;
        }
        self.means(bare(given)).or_else(|| self.means(head(given)))
    }

    fn means(self, name: &str) -> Option<ToolRef<'a>> {
        let wanted = self.meaning(name)?;
        let mut fitting = self
            .registry
            .allowed(self.overrides)
            .into_iter()
            .filter(|(tool, policy)| {
                *policy != Policy::Auto || tool.tool.effect.op == EffectOp::Query
            })
            .map(|(tool, _)| tool)
            .filter(|tool| self.meaning(&tool.tool.name).as_ref() == Some(&wanted));
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }

    /// The words of a name as verbs, kinds of records and others; none without a kind of record.
    fn meaning(self, name: &str) -> Option<BTreeSet<String>> {
        let mut meaning = BTreeSet::new();
        let mut has_noun = false;
        for word in words(name) {
            if FILLERS.contains(&word.as_str()) {
                continue;
            }
            if let Some((verb, _)) = VERBS
                .iter()
                .find(|(_, words)| words.contains(&word.as_str()))
            {
                meaning.insert((*verb).to_owned());
            } else if let Some(place) = self.noun(&word) {
                has_noun = true;
                meaning.insert(place);
            } else {
                meaning.insert(word);
            }
        }
        has_noun.then_some(meaning)
    }

    /// The table that a word names, as `module/table`.
    fn noun(self, word: &str) -> Option<String> {
        let known = NOUNS.iter().find(|(_, words)| words.contains(&word));
        let word = known.map_or(word, |(noun, _)| noun);
        let is_word = |text: &str| text.to_lowercase() == word;
        for manifest in self.registry.manifests() {
            for (name, table) in &manifest.tables {
                let labels = table.name.0.values().chain(table.plural.0.values());
                let only_table = manifest.tables.len() == 1 && is_word(&manifest.id);
                if only_table || is_word(name) || labels.into_iter().any(|label| is_word(label)) {
                    return Some(format!("{}/{name}", manifest.id));
                }
            }
        }
        None
    }
}

/// The name without namespace, brackets and channel tokens: `functions.create_task:0`, `create_task()`,
/// `create_task<|channel|>commentary`.
pub(super) fn bare(given: &str) -> &str {
    let mut given = head(given);
    for separator in [':', '.', '/'] {
        while let Some((before, after)) = given.rsplit_once(separator) {
            let is_number = !after.is_empty() && after.bytes().all(|b| b.is_ascii_digit());
            given = if is_number || after.is_empty() {
                before
            } else {
                after
            };
        }
    }
    match given.rsplit_once("__") {
        Some((_, after)) if !after.is_empty() => after,
        _ => given,
    }
}

/// The name up to brackets and channel tokens.
fn head(given: &str) -> &str {
    let given = given.trim().trim_matches(['"', '\'', '`', '*']);
    let end = given
        .find(['<', '(', '[', '{', '\n'])
        .unwrap_or(given.len());
    given[..end].trim()
}

/// The words of a name, in small letters: `createTask`, `create-task`, `Create Task`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before_small = false;
    let mut inside = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            inside = false;
            continue;
        }
        if !inside || c.is_uppercase() && before_small {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        (inside, before_small) = (true, c.is_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_a5_a_tool_is_understood_however_its_name_is_written() {
        let (registry, overrides) = (Registry::builtin(), Overrides::default());
        let names = ToolNames {
            registry: &registry,
            overrides: &overrides,
        };
        for (given, name) in [
            ("create_task", "create_task"),
            ("functions.create_task", "create_task"),
            ("functions.create_task:0", "create_task"),
            ("todo.create_task", "create_task"),
            ("todo/create_task", "create_task"),
            ("mcp__mana__create_task", "create_task"),
            ("createTask", "create_task"),
            ("Create-Task", "create_task"),
            ("create task", "create_task"),
            ("create_task()", "create_task"),
            ("create_task<|channel|>commentary", "create_task"),
            ("add_task", "create_task"),
            ("task.create", "create_task"),
            ("task_create", "create_task"),
            ("add_todo", "create_task"),
            ("create_calendar_event", "create_event"),
            ("schedule_meeting", "create_event"),
            ("mark_task_done", "complete_task"),
            ("move_event", "reschedule_event"),
            ("remove_note", "delete_note"),
            ("get_tasks", "list_tasks"),
            ("set_goal_progress", "set_goal_progress"),
            ("create_reminder", "create_reminder"),
            ("wipe_everything", "wipe_everything"),
            ("hand_in_plan<|channel|>json", "hand_in_plan"),
            ("handInPlan", "hand_in_plan"),
        ] {
            assert_eq!(names.canonical(given), name, "{given}");
        }
    }
}
