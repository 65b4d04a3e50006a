//! Planning by tool calls, for models that have them: what they can call, and what a call means. Rules MISSIONS V1–V5.

use serde::Serialize;
use serde_json::{Value, json};

use super::checks::PlanChecks;
pub use super::message::ToolCall;
use super::parser;
use super::plan::RefusedStep;
use super::prompt_tool::{FIND_TOOLS, HAND_IN_TOOL, PromptTool, PromptTools};
use super::reader::{self, CLEAR, ReadAnswer, ToolNames};
use crate::Map;
use crate::manifest::{EffectOp, Schema};
use crate::policy::Policy;

/// In how many rounds a model may read before it has to hand in.
pub const MAX_READ_ROUNDS: usize = 5;

/// How many calls of one answer are looked at.
pub const MAX_CALLS_PER_ANSWER: usize = 16;

/// Something that a model can call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The purpose of the function, in English.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Schema,
}

/// Returns the functions that a mission's model can call: the tools of a plan, those that read and the one that finds
/// further tools unless it has read enough, and handing in.
pub fn functions(tools: &PromptTools, may_read: bool) -> Vec<Function> {
    let steps = tools.changing.iter().map(step_function);
    let reads = tools.reading.iter().map(|tool| Function {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: brief(tool.params_schema.clone()),
    });
    let further = (!tools.further.is_empty()).then(|| {
        let names: Vec<_> = tools
            .further
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        let word = Schema::text("Words for what you want to do.");
        Function {
            name: FIND_TOOLS.to_owned(),
            description: format!(
                "Get further tools, of which you can then call: {}.",
                names.join(", ")
            ),
            parameters: Schema::object([("words".to_owned(), word)], vec!["words".to_owned()]),
        }
    });
    let reads = reads.chain(further).filter(|_| may_read);
    let summary = Schema::text("One line: what the plan does, or why nothing is to be done.");
    let hand_in = Function {
        name: HAND_IN_TOOL.to_owned(),
        description: "Hand in the plan with the steps that you called. Call it once, at the end; also when nothing \
                      is to be done."
            .to_owned(),
        parameters: Schema::object([("summary".to_owned(), summary)], vec!["summary".to_owned()]),
    };
    let named = |function: &Function| function.name != HAND_IN_TOOL;
    steps.chain(reads).filter(named).chain([hand_in]).collect()
}

/// A tool of a plan as a function: its parameters, and the reason of the step last. Small models flatten what is
/// nested.
fn step_function(tool: &PromptTool) -> Function {
    let mut parameters = brief(tool.params_schema.clone());
    if let (Some(properties), Some(required)) =
        (&mut parameters.properties, &mut parameters.required)
    {
        let reason = reason_param(|name| properties.contains_key(name));
        properties.insert(reason.to_owned(), Schema::text(""));
        required.push(reason.to_owned());
    }
    let happens = match tool.automatic {
        true => " It happens without being asked when you hand in.",
        false => "",
    };
    Function {
        name: tool.name.clone(),
        description: format!("{}{happens}", tool.description),
        parameters,
    }
}

/// The parameter that carries a step's reason: `why`, unless the tool has one of its own.
fn reason_param(is_taken: impl Fn(&str) -> bool) -> &'static str {
    if is_taken("why") { "rationale" } else { "why" }
}

/// A schema without what its names say, and what the prompt says once for all functions: ids, reasons, and that fields
/// are emptied by name.
fn brief(mut schema: Schema) -> Schema {
    schema.additional_properties = None;
    for (name, property) in schema.properties.iter_mut().flatten() {
        if name == CLEAR || property.description.starts_with("The id of ") {
            property.description.clear();
        }
    }
    schema
}

/// Calls that a model wrote as text, or a plan in place of calls, as calls.
pub fn written(read: &ReadAnswer) -> Vec<ToolCall> {
    let steps = read.steps.iter().map(|step| {
        let name = step["toolName"].as_str().unwrap_or_default();
        let arguments = json!({
            "summary": step["summary"],
            "rationale": step["rationale"],
            "params": step["params"],
        });
        (name.to_owned(), arguments)
    });
    let hand_in = (HAND_IN_TOOL.to_owned(), json!({"summary": read.summary}));
    let calls = steps.chain(read.hands_in.then_some(hand_in));
    let calls = calls
        .enumerate()
        .map(|(place, (name, arguments))| ToolCall {
            id: format!("written_{place}"),
            name,
            arguments: arguments.to_string(),
        });
    calls.collect()
}

/// The calls with those opened that hold others: a call of no tool, whose arguments are calls or a plan.
pub fn opened(calls: Vec<ToolCall>, checks: &PlanChecks<'_>) -> Vec<ToolCall> {
    let names = ToolNames::of(checks);
    let mut all = Vec::new();
    for call in calls {
        let is_own = names.is_hand_in(&call.name) || names.is_find_tools(&call.name);
        let holds = match is_own || names.find(&call.name).is_some() {
            true => None,
            false => parser::read(call.arguments.as_str(), checks).ok(),
        };
        match holds.filter(|read| !read.steps.is_empty()) {
            Some(read) => {
                let inner = written(&read).into_iter().enumerate();
                all.extend(inner.map(|(place, one)| ToolCall {
                    id: format!("{}_{place}", call.id),
                    ..one
                }));
            }
            None => all.push(call),
        }
    }
    all
}

/// The meaning of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallMeaning {
    /// The plan is complete.
    HandIn {
        /// The summary of the plan.
        summary: String,
        /// Steps that were handed in with it.
        steps: Vec<Value>,
    },
    /// Something is to be read.
    Query {
        /// With which tool.
        tool: String,
        /// Its parameters, which fit.
        params: Map,
    },
    /// A query that can't be understood; the reason is for the model.
    UnclearQuery(String),
    /// Further tools are looked for, by these words.
    FindTools(String),
    /// A step, in the form of a plan's; whether it can be proposed is checked as there.
    Step(Value),
    /// A step of which the arguments can't be read.
    UnreadableStep(RefusedStep),
}

/// The calls of an answer, each with the arguments of one. Servers that put a stream together may join the arguments of
/// two calls in one text, `{…}{…}`, or leave an empty object before them.
pub fn apart(calls: Vec<ToolCall>) -> Vec<ToolCall> {
    calls
        .into_iter()
        .map(with_arguments)
        .flat_map(each)
        .collect()
}

/// The call with the arguments that stand behind its name, where it has none: `create_task{"title": …}`.
fn with_arguments(call: ToolCall) -> ToolCall {
    let has_none = matches!(call.arguments.trim(), "" | "{}" | "null");
    match call.name.find('{').filter(|_| has_none) {
        Some(open) => ToolCall {
            name: call.name[..open]
                .trim_end_matches(['(', ' ', '\n'])
                .to_owned(),
            arguments: call.name[open..].trim_end_matches(')').to_owned(),
            id: call.id,
        },
        None => call,
    }
}

fn each(call: ToolCall) -> Vec<ToolCall> {
    let values = serde_json::Deserializer::from_str(&call.arguments).into_iter::<Map>();
    let Ok(mut arguments) = values
        .take(MAX_CALLS_PER_ANSWER)
        .collect::<Result<Vec<_>, _>>()
    else {
        return vec![call];
    };
    let several = arguments.len() > 1;
    arguments.retain(|arguments| !arguments.is_empty());
    if !several || arguments.is_empty() {
        return vec![call];
    }
    let calls = arguments.into_iter().enumerate();
    let calls = calls.map(|(place, arguments)| ToolCall {
        id: match place {
            0 => call.id.clone(),
            _ => format!("{}_{place}", call.id),
        },
        name: call.name.clone(),
        arguments: Value::Object(arguments).to_string(),
    });
    calls.collect()
}

/// Interprets a call. A tool that the policy denies is no tool; a step that names it is refused like any other.
pub fn interpret(call: &ToolCall, checks: &PlanChecks<'_>) -> CallMeaning {
    let names = ToolNames::of(checks);
    let arguments = reader::arguments(&call.arguments);
    if names.is_hand_in(&call.name) {
        return hand_in(&call.arguments, arguments, checks);
    }
    if names.is_find_tools(&call.name) {
        let words = arguments.unwrap_or_default();
        let words: Vec<_> = words.values().filter_map(Value::as_str).collect();
        return CallMeaning::FindTools(words.join(" "));
    }
    let query = names
        .find(&call.name)
        .filter(|tool| tool.tool.effect.op == EffectOp::Query)
        .filter(|tool| checks.overrides.effective(*tool) != Policy::Deny);
    let Some(arguments) = arguments else {
        let shown: String = call.name.chars().take(60).collect();
        let reason = format!(
            "the arguments of {shown} can’t be read: they are not the JSON of a whole object."
        );
        return match query {
            Some(_) => CallMeaning::UnclearQuery(reason),
            None => CallMeaning::UnreadableStep(RefusedStep {
                index: 0,
                code: "unreadable",
                summary: shown,
                reason,
            }),
        };
    };
    let step = reader::call(&call.name, &arguments, names);
    let Some(tool) = query else {
        return CallMeaning::Step(step);
    };
    let given = step["params"].as_object().cloned().unwrap_or_default();
    let coerced = reader::coerce(tool, &given, checks);
    let problems = tool.check(&coerced.params);
    if problems.is_empty() {
        return CallMeaning::Query {
            tool: tool.tool.name.clone(),
            params: coerced.params,
        };
    }
    let said: Vec<_> = problems
        .into_iter()
        .map(|problem| problem.message)
        .collect();
    CallMeaning::UnclearQuery(said.join(" "))
}

/// A plan that is handed in: with a summary, as words alone, or with the steps themselves.
fn hand_in(text: &str, arguments: Option<Map>, checks: &PlanChecks<'_>) -> CallMeaning {
    let Some(arguments) = arguments else {
        let words = text.trim();
        let summary = if words.starts_with(['{', '[']) {
            ""
        } else {
            words
        };
        return CallMeaning::HandIn {
            summary: summary.trim_matches('"').to_owned(),
            steps: Vec::new(),
        };
    };
    let said = arguments
        .get("summary")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let json = Value::Object(arguments).to_string();
    let read = parser::read(json.as_str(), checks).unwrap_or_default();
    CallMeaning::HandIn {
        summary: if said.is_empty() { read.summary } else { said },
        steps: read.steps,
    }
}

/// The JSON Schema of a plan, for models whose answer can be bound to one but that call no tools. Reading tools are
/// steps too while the model may read.
pub fn plan_schema(tools: &PromptTools, may_read: bool, max_steps: usize) -> Schema {
    let named = |name: &str| name.to_owned();
    let step = |tool: &PromptTool| {
        let tool_name = Schema {
            values: vec![tool.name.clone()],
            ..Schema::text("")
        };
        let rationale = Schema {
            min_length: Some(1),
            ..Schema::text("")
        };
        let members = [
            ("summary", Schema::text("")),
            ("toolName", tool_name),
            ("params", tool.params_schema.clone()),
            ("rationale", rationale),
        ];
        let required = members.iter().map(|(name, _)| named(name)).collect();
        Schema::object(
            members.map(|(name, schema)| (named(name), schema)),
            required,
        )
    };
    let reads = tools.reading.iter().filter(|_| may_read);
    let any_of: Vec<Schema> = tools.changing.iter().chain(reads).map(step).collect();
    let items = match any_of.is_empty() {
        true => Schema {
            kind: Some("object"),
            ..Schema::default()
        },
        false => Schema {
            any_of,
            ..Schema::default()
        },
    };
    let steps = Schema {
        kind: Some("array"),
        max_items: Some(if items.any_of.is_empty() {
            0
        } else {
            max_steps
        }),
        items: Some(Box::new(items)),
        ..Schema::default()
    };
    let members = [
        (named("summary"), Schema::text("")),
        (named("steps"), steps),
    ];
    Schema::object(members, vec![named("summary"), named("steps")])
}

/// A query that an answer without calls asks for: a step that names a reading tool.
#[derive(Clone, Debug, PartialEq)]
pub enum WantedRead {
    /// With this tool and these parameters, which fit.
    Query(String, Map),
    /// The query can't be understood; the reason is for the model.
    Unclear(String),
}

/// The queries among the steps of an answer.
pub fn wanted_reads(read: &ReadAnswer, checks: &PlanChecks<'_>) -> Vec<WantedRead> {
    let calls = written(read);
    let meant = calls.iter().map(|call| interpret(call, checks));
    let reads = meant.filter_map(|meaning| match meaning {
        CallMeaning::Query { tool, params } => Some(WantedRead::Query(tool, params)),
        CallMeaning::UnclearQuery(reason) => Some(WantedRead::Unclear(reason)),
        _ => None,
    });
    reads.take(MAX_CALLS_PER_ANSWER).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Registry;
    use crate::policy::Overrides;

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall {
            id: "c1".into(),
            name: name.into(),
            arguments: arguments.into(),
        }
    }

    fn tools(registry: &Registry, overrides: &Overrides) -> PromptTools {
        let at = crate::manifest::QueryContext {
            now: crate::Micros::EPOCH,
            zone: jiff::tz::TimeZone::UTC,
        };
        let mission = crate::mission::Mission::parse("m", &Map::new());
        PromptTools::of(&mission, registry, overrides, &at)
    }

    fn names(functions: &[Function]) -> Vec<&str> {
        functions
            .iter()
            .map(|function| function.name.as_str())
            .collect()
    }

    #[test]
    fn missions_v1_a_model_can_call_what_the_policy_allows_and_hand_in() {
        let registry = Registry::builtin();
        let overrides = Overrides {
            tools: [
                ("delete_task".to_owned(), Policy::Deny),
                ("list_tasks".to_owned(), Policy::Deny),
            ]
            .into(),
            ..Overrides::default()
        };
        let tools = tools(&registry, &overrides);
        let all = functions(&tools, true);
        for there in ["create_task", "find_notes", HAND_IN_TOOL] {
            assert!(names(&all).contains(&there), "{there}");
        }
        for absent in ["delete_task", "list_tasks"] {
            assert!(!names(&all).contains(&absent), "{absent}");
        }
        assert!(!names(&functions(&tools, false)).contains(&"find_notes"));
        let params = |name: &str| -> Vec<String> {
            let function = all.iter().find(|one| one.name == name);
            let properties = function.and_then(|one| one.parameters.properties.as_ref());
            properties.expect("properties").keys().cloned().collect()
        };
        assert_eq!(params("complete_task"), ["taskId", "why"]);
        assert_eq!(
            params("create_goal"),
            ["title", "why", "targetDate", "target", "unit", "rationale"],
            "the tool’s own parameter keeps its name"
        );
    }

    #[test]
    fn missions_v2_a_call_reads_or_is_a_step_or_hands_in() {
        let registry = Registry::builtin();
        let overrides = Overrides {
            tools: [("find_notes".to_owned(), Policy::Deny)].into(),
            ..Overrides::default()
        };
        let zone = jiff::tz::TimeZone::UTC;
        let checks = PlanChecks {
            registry: &registry,
            overrides: &overrides,
            exists: &|_| true,
            state: &|_| None,
            shown: &[],
            now: crate::Micros::EPOCH,
            zone: &zone,
            locale: "en",
            max_steps: 5,
        };
        let interpret = |name: &str, arguments: &str| interpret(&call(name, arguments), &checks);
        let handed_in = |summary: &str| CallMeaning::HandIn {
            summary: summary.to_owned(),
            steps: Vec::new(),
        };
        for said in ["{\"summary\":\"Done\"}", "Done", "{'summary': 'Done',}"] {
            assert_eq!(interpret(HAND_IN_TOOL, said), handed_in("Done"), "{said}");
        }
        assert!(matches!(
            interpret("read_context", ""),
            CallMeaning::Query { .. }
        ));
        assert!(matches!(interpret("read_context", "{\"x\":1}"),
                CallMeaning::UnclearQuery(reason) if reason.contains("no parameter x")));
        for arguments in ["{\"title\"", "[1, 2]", "{\"params\": {\"title\": \"Mi"] {
            let meaning = interpret("create_task", arguments);
            assert!(
                matches!(&meaning, CallMeaning::UnreadableStep(step) if step.code == "unreadable"),
                "{meaning:?}"
            );
        }
        let step = json!({"toolName": "create_task", "summary": "S", "rationale": "R", "params": {"title": "T"}});
        for arguments in [
            "{\"summary\":\"S\",\"rationale\":\"R\",\"params\":{\"title\":\"T\"}}",
            "{\"summary\":\"S\",\"why\":\"R\",\"title\":\"T\"}",
            "```json\n{'summary': 'S', 'rationale': 'R', 'params': \"{\\\"title\\\": \\\"T\\\"}\",}\n```",
        ] {
            let meaning = interpret("createTask", arguments);
            assert_eq!(meaning, CallMeaning::Step(step.clone()), "{arguments}");
        }
        let given = "{\"list\": null, \"dueFrom\": \"\"}";
        assert!(matches!(interpret("list_tasks", given),
                CallMeaning::Query { params, .. } if params.is_empty()));
        assert!(
            matches!(
                interpret("find_notes", "{\"text\":\"x\"}"),
                CallMeaning::Step(_)
            ),
            "refused by the check of steps"
        );
    }

    #[test]
    fn missions_v5_a_plans_schema_takes_the_tools_that_are_allowed_and_no_other() {
        let registry = Registry::builtin();
        let tools = tools(&registry, &Overrides::default());
        let schema = |tools: &PromptTools, may_read: bool| {
            json!(plan_schema(tools, may_read, 3))["properties"]["steps"].clone()
        };
        let kinds = |steps: &Value| steps["items"]["anyOf"].as_array().map_or(0, Vec::len);
        let (reading, last) = (schema(&tools, true), schema(&tools, false));
        assert_eq!(last["maxItems"], 3);
        assert_eq!(kinds(&last), tools.changing.len());
        assert_eq!(kinds(&reading), tools.changing.len() + tools.reading.len());
        assert_eq!(schema(&PromptTools::default(), true)["maxItems"], 0);
    }
}
