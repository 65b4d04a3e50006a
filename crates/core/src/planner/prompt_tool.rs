//! The tools of a mission, as a model is told of them: those of the modules that it links or names.

use std::collections::BTreeSet;

use super::reader::CLEAR;
pub use super::reader::{FIND_TOOLS, HAND_IN_TOOL};
use crate::manifest::set_from;
use crate::manifest::{
    EffectOp, Field, Manifest, PromptText, QueryContext, Registry, Schema, ToolRef,
};
use crate::mission::Mission;
use crate::policy::{Overrides, Policy};

/// A tool that a model is told of.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptTool {
    /// Its name.
    pub name: String,
    /// The purpose of the tool, in English.
    pub description: String,
    /// Whether a person decides, or it just happens.
    pub automatic: bool,
    /// Whether it only reads.
    pub reads: bool,
    /// Its parameters.
    pub params_schema: Schema,
    /// The parameters in a line: `title, dueDate?: date, priority?: low|high`.
    pub signature: String,
    /// Other words for what it works on, by which it is found.
    words: BTreeSet<String>,
}

/// The tools of a mission, as far as the policy allows them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptTools {
    /// The tools that change something, which a plan is made of.
    pub changing: Vec<PromptTool>,
    /// The tools that read.
    pub reading: Vec<PromptTool>,
    /// The tools of other modules than those that the mission links or names.
    pub further: Vec<PromptTool>,
}

impl PromptTools {
    /// The tools of a mission. Where it neither links nor names a module, all of them are its own.
    pub fn of(
        mission: &Mission,
        registry: &Registry,
        overrides: &Overrides,
        at: &QueryContext,
    ) -> PromptTools {
        let text = format!(
            "{}\n{}\n{}",
            mission.title, mission.objective, mission.concept_markdown
        );
        let text = plain(&text);
        let modules: BTreeSet<&str> = registry
            .manifests()
            .iter()
            .filter(|module| {
                let is_linked = mission.inputs.iter().any(|input| input.module == module.id);
                is_linked || is_named(module, &text)
            })
            .map(|module| module.id.as_str())
            .collect();
        let mut tools = PromptTools::default();
        for (tool, policy) in registry.allowed(overrides) {
            let is_own = modules.is_empty() || modules.contains(tool.module.id.as_str());
            let told = PromptTool::new(tool, policy, at);
            match (is_own, told.reads) {
                (true, false) => tools.changing.push(told),
                (true, true) => tools.reading.push(told),
                (false, _) => tools.further.push(told),
            }
        }
        tools
    }

    /// The further tools that words speak of, the best first.
    pub fn find(&self, words: &str) -> Vec<&PromptTool> {
        const FOUND: usize = 8;
        let wanted: BTreeSet<String> = plain(words).split(' ').map(str::to_owned).collect();
        let fits = |tool: &PromptTool| wanted.intersection(&tool.words).count();
        let mut found: Vec<&PromptTool> =
            self.further.iter().filter(|tool| fits(tool) > 0).collect();
        found.sort_by_key(|tool| std::cmp::Reverse(fits(tool)));
        found.truncate(FOUND);
        found
    }

    /// Makes further tools the mission's own.
    pub fn take_up(&mut self, names: &[String]) {
        let further = std::mem::take(&mut self.further);
        for tool in further {
            match (names.contains(&tool.name), tool.reads) {
                (false, _) => self.further.push(tool),
                (true, false) => self.changing.push(tool),
                (true, true) => self.reading.push(tool),
            }
        }
    }

    /// Whether a tool is among them, further ones too.
    pub fn has(&self, name: &str) -> bool {
        let mut all = self
            .changing
            .iter()
            .chain(&self.reading)
            .chain(&self.further);
        all.any(|tool| tool.name == name)
    }
}

/// Whether a text, as [`plain`] has it, names a module: by its name, by what its records are called, or by a tool.
fn is_named(module: &Manifest, text: &str) -> bool {
    let tables = module.tables.values();
    let labels = tables.flat_map(|table| [&table.name, &table.plural]);
    let labels = labels.chain([&module.name]);
    let words = labels.flat_map(|label| label.0.values());
    let tools = module.tools.iter().map(|tool| &tool.name);
    let mut names = words.chain(tools).map(|name| plain(name));
    names.any(|name| !name.is_empty() && format!(" {text} ").contains(&format!(" {name} ")))
}

/// The words of a text in small letters, with single blanks between them.
fn plain(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

impl PromptTool {
    fn new(tool: ToolRef<'_>, policy: Policy, at: &QueryContext) -> PromptTool {
        let labels = [&tool.table.name, &tool.table.plural, &tool.module.name];
        let labels = labels.into_iter().flat_map(|label| label.0.values());
        let said = labels.map(|label| plain(label)).chain([
            plain(&tool.tool.name.replace('_', " ")),
            plain(&tool.tool.description),
            plain(&tool.module.id),
        ]);
        let words = said.flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let emptied = emptied(tool);
        PromptTool {
            name: tool.tool.name.clone(),
            description: tool.tool.description.trim().to_owned(),
            automatic: policy == Policy::Auto,
            reads: tool.tool.effect.op == EffectOp::Query,
            params_schema: params_schema(tool, &emptied, at),
            signature: signature(tool, &emptied),
            words: words.filter(|word| word.chars().count() > 2).collect(),
        }
    }

    /// The tool in a line: `create_task(title, dueDate?: date): Create one task.`
    pub fn line(&self, described: bool) -> String {
        let happens = match self.automatic && !self.reads {
            true => " (happens without being asked)",
            false => "",
        };
        match described {
            true => format!(
                "{}({}): {}{happens}",
                self.name, self.signature, self.description
            ),
            false => format!("{}({}){happens}", self.name, self.signature),
        }
    }
}

/// The parameters in a line, optional ones with a question mark.
fn signature(tool: ToolRef<'_>, emptied: &[&str]) -> String {
    let params = tool.tool.params.iter().map(|(name, field)| {
        let optional = if field.required { "" } else { "?" };
        let kind = field.kind.kind();
        let values = || field.values.iter().map(|value| value.value());
        let said = match (kind.json_type, kind.json_format) {
            _ if !field.values.is_empty() => values().collect::<Vec<_>>().join("|"),
            (Some("string"), Some("date")) => "date".to_owned(),
            (Some("string"), Some("date-time")) => "time".to_owned(),
            _ if kind.prompt == PromptText::Recurrence => "RRULE".to_owned(),
            (Some("string"), _) => String::new(),
            (Some("integer" | "number"), _) => "number".to_owned(),
            (Some(other), _) => other.to_owned(),
            (None, _) => "JSON".to_owned(),
        };
        let gap = if said.is_empty() { "" } else { ": " };
        format!("{name}{optional}{gap}{said}")
    });
    let clear = (!emptied.is_empty() && !tool.tool.params.contains_key(CLEAR))
        .then(|| format!("{CLEAR}?: list"));
    params.chain(clear).collect::<Vec<_>>().join(", ")
}

/// The JSON Schema of a tool's parameters. A null is no value there, because models that fill in every parameter would
/// empty what they have nothing to say about; fields are emptied by name (rule MISSIONS A11).
fn params_schema(tool: ToolRef<'_>, emptied: &[&str], at: &QueryContext) -> Schema {
    let mut schema = tool.params_schema(at);
    if let Some(properties) = &mut schema.properties
        && !emptied.is_empty()
        && !properties.contains_key(CLEAR)
    {
        let field = Schema {
            values: emptied.iter().map(|name| (*name).to_owned()).collect(),
            ..Schema::text("")
        };
        let clear = Schema {
            kind: Some("array"),
            items: Some(Box::new(field)),
            description: "Fields to be emptied. Say so in your reason.".to_owned(),
            ..Schema::default()
        };
        properties.insert(CLEAR.to_owned(), clear);
    }
    schema
}

/// The parameters whose fields a call may empty.
fn emptied<'a>(tool: ToolRef<'a>) -> Vec<&'a str> {
    if tool.tool.effect.op != EffectOp::Update {
        return Vec::new();
    }
    let set = tool
        .tool
        .effect
        .set
        .iter()
        .filter(|(_, value)| value.is_string());
    let optional = set.filter_map(|(field, value)| {
        let param = set_from(value)?;
        let is_required = |field: Option<&Field>| field.is_none_or(|field| field.required);
        let fixed =
            is_required(tool.table.fields.get(field)) || is_required(tool.tool.params.get(param));
        (!fixed).then_some(param)
    });
    optional.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Micros;

    fn tools(mission: serde_json::Value) -> PromptTools {
        let at = QueryContext {
            now: Micros::EPOCH,
            zone: jiff::tz::TimeZone::UTC,
        };
        let data = mission.as_object().expect("an object").clone();
        let mission = Mission::parse("m", &data);
        PromptTools::of(&mission, &Registry::builtin(), &Overrides::default(), &at)
    }

    #[test]
    fn missions_p2_a_mission_is_told_of_the_tools_of_the_modules_that_it_links_or_names() {
        for (mission, own, others) in [
            (
                json!({"title": "Week", "inputs": [{"module": "todo", "table": "tasks"}]}),
                "create_task",
                "create_note",
            ),
            (
                json!({"title": "Tidy my notes"}),
                "create_note",
                "create_task",
            ),
            (
                json!({"title": "Woche", "conceptMarkdown": "Trag jeden *Termin* ein."}),
                "create_event",
                "create_task",
            ),
            (
                json!({"title": "x", "objective": "Use create_place only."}),
                "create_place",
                "create_task",
            ),
        ] {
            let tools = tools(mission.clone());
            let is_own = |name: &str| tools.changing.iter().any(|tool| tool.name == name);
            assert!(
                is_own(own) && !is_own(others) && tools.has(others),
                "{mission}"
            );
        }
        let all = tools(json!({"title": "Plan the week"}));
        assert!(all.further.is_empty() && all.changing.len() > 20 && all.reading.len() > 5);
    }

    #[test]
    fn missions_p2_further_tools_are_found_by_words() {
        let mut tools = tools(json!({"title": "Tidy my notes"}));
        let found = |tools: &PromptTools, words: &str| -> Vec<String> {
            tools
                .find(words)
                .iter()
                .map(|tool| tool.name.clone())
                .collect()
        };
        assert_eq!(found(&tools, "create a task")[0], "create_task");
        assert!(found(&tools, "Termine").contains(&"create_event".to_owned()));
        assert_eq!(found(&tools, "quantum"), Vec::<String>::new());
        tools.take_up(&["create_task".to_owned(), "list_tasks".to_owned()]);
        assert!(tools.changing.iter().any(|tool| tool.name == "create_task"));
        assert!(tools.reading.iter().any(|tool| tool.name == "list_tasks"));
    }

    #[test]
    fn missions_p2_a_tool_is_told_in_a_line() {
        let tools = tools(json!({"title": "Tasks"}));
        let line = |name: &str| {
            let tool = tools.changing.iter().find(|tool| tool.name == name);
            tool.expect("the tool").line(false)
        };
        assert_eq!(
            line("create_task"),
            "create_task(title, notes?, dueDate?: date, dueTime?, recurrence?: RRULE, list?, \
             estimateMinutes?: number, priority?: low|normal|high, goalId?)"
        );
        assert!(line("update_task").ends_with("goalId?, clear?: list)"));
    }
}
