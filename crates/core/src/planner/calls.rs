//! Planning by tool calls, for models that have them: what they can call, and what a call means. Rules MISSIONS V1–V5.

use serde::Serialize;
use serde_json::{Value, json};

pub use super::message::ToolCall;
use super::prompt_tool::{HAND_IN_TOOL, PromptTool};
use crate::Map;
use crate::manifest::{EffectOp, Registry};
use crate::policy::{Overrides, Policy};

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
    pub parameters: Value,
}

/// Returns the functions that a mission's model can call: the tools of a plan, those that read unless it has read
/// enough, and handing in.
pub fn functions(tools: &[PromptTool], reads: &[PromptTool]) -> Vec<Function> {
    let steps = tools.iter().map(|tool| Function {
        name: tool.name.clone(),
        description: format!(
            "{} A call adds a step to your plan; {}.",
            tool.description.trim(),
            if tool.automatic {
                "it happens without being asked when you hand in"
            } else {
                "the person decides on it"
            }
        ),
        parameters: json!({
            "type": "object",
            "properties": {
                "summary": {"type": "string", "description": "One line: what the step does."},
                "rationale": {"type": "string",
                    "description": "One or two sentences to the person: why this step, from what they wrote."},
                "params": tool.params_schema,
            },
            "required": ["summary", "rationale", "params"],
            "additionalProperties": false,
        }),
    });
    let reads = reads.iter().map(|tool| Function {
        name: tool.name.clone(),
        description: format!("{} Answers at once.", tool.description.trim()),
        parameters: tool.params_schema.clone(),
    });
    let hand_in = Function {
        name: HAND_IN_TOOL.to_owned(),
        description: "Hand in the plan with the steps that you called. Call it once, at the end; also when nothing \
                      is to be done."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "summary": {"type": "string",
                    "description": "One line: what the plan does, or why nothing is to be done."},
            },
            "required": ["summary"],
            "additionalProperties": false,
        }),
    };
    let named = |function: &Function| function.name != HAND_IN_TOOL;
    steps.chain(reads).filter(named).chain([hand_in]).collect()
}

/// The meaning of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallMeaning {
    /// The plan is complete.
    HandIn {
        /// The summary of the plan.
        summary: String,
    },
    /// Something is to be read.
    Query {
        /// With which tool.
        tool: String,
        /// Its parameters, which fit.
        params: Map,
    },
    /// A step, in the form of a plan's; whether it can be proposed is checked as there.
    Step(Value),
    /// The call can't be understood; the reason is for the model.
    Unclear(String),
}

/// Interprets a call. A tool that the policy denies is no tool; a step that names it is refused like any other.
pub fn interpret(call: &ToolCall, registry: &Registry, overrides: &Overrides) -> CallMeaning {
    let text = call.arguments.trim();
    let arguments = match text {
        "" => Ok(Map::new()),
        text => serde_json::from_str::<Map>(text),
    };
    let Ok(arguments) = arguments else {
        let shown: String = call.name.chars().take(60).collect();
        return CallMeaning::Unclear(format!(
            "The arguments of {shown} are not the JSON of an object."
        ));
    };
    if call.name == HAND_IN_TOOL {
        let summary = arguments.get("summary").and_then(Value::as_str);
        return CallMeaning::HandIn {
            summary: summary.unwrap_or_default().to_owned(),
        };
    }
    let query = registry
        .tool(&call.name)
        .filter(|tool| tool.tool.effect.op == EffectOp::Query)
        .filter(|tool| overrides.effective(*tool) != Policy::Deny);
    if let Some(tool) = query {
        let problems = tool.check(&arguments);
        return match problems.is_empty() {
            true => CallMeaning::Query {
                tool: call.name.clone(),
                params: arguments,
            },
            false => CallMeaning::Unclear(
                problems
                    .into_iter()
                    .map(|problem| problem.message)
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
        };
    }
    let part = |name: &str| arguments.get(name).cloned().unwrap_or(Value::Null);
    CallMeaning::Step(json!({
        "toolName": call.name,
        "summary": part("summary"),
        "rationale": part("rationale"),
        "params": part("params"),
    }))
}

/// The JSON Schema of a plan, for models whose answer can be bound to one but that call no tools.
pub fn plan_schema(tools: &[PromptTool], max_steps: usize) -> Value {
    let step = |tool: &PromptTool| {
        json!({
            "type": "object",
            "properties": {
                "summary": {"type": "string"},
                "toolName": {"type": "string", "enum": [tool.name]},
                "params": tool.params_schema,
                "rationale": {"type": "string", "minLength": 1},
            },
            "required": ["summary", "toolName", "params", "rationale"],
            "additionalProperties": false,
        })
    };
    let steps = match tools {
        [] => json!({"type": "array", "maxItems": 0, "items": {"type": "object"}}),
        tools => json!({
            "type": "array",
            "maxItems": max_steps,
            "items": {"anyOf": tools.iter().map(step).collect::<Vec<_>>()},
        }),
    };
    json!({
        "type": "object",
        "properties": {"summary": {"type": "string"}, "steps": steps},
        "required": ["summary", "steps"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall {
            id: "c1".into(),
            name: name.into(),
            arguments: arguments.into(),
        }
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
        let (tools, reads) = (
            PromptTool::all(&registry, &overrides),
            PromptTool::reads(&registry, &overrides),
        );
        let all = functions(&tools, &reads);
        for there in ["create_task", "find_notes", HAND_IN_TOOL] {
            assert!(names(&all).contains(&there), "{there}");
        }
        for absent in ["delete_task", "list_tasks"] {
            assert!(!names(&all).contains(&absent), "{absent}");
        }
        assert!(!names(&functions(&tools, &[])).contains(&"find_notes"));
        let create = all.iter().find(|one| one.name == "create_task");
        let schema = &create.expect("the tool").parameters;
        assert_eq!(
            schema["properties"]["params"]["properties"]["title"]["type"],
            "string"
        );
    }

    #[test]
    fn missions_v2_a_call_reads_or_is_a_step_or_hands_in() {
        let registry = Registry::builtin();
        let overrides = Overrides {
            tools: [("find_notes".to_owned(), Policy::Deny)].into(),
            ..Overrides::default()
        };
        let interpret =
            |name: &str, arguments: &str| interpret(&call(name, arguments), &registry, &overrides);
        assert_eq!(
            interpret(HAND_IN_TOOL, "{\"summary\":\"Done\"}"),
            CallMeaning::HandIn {
                summary: "Done".into()
            }
        );
        assert!(matches!(
            interpret("read_context", ""),
            CallMeaning::Query { .. }
        ));
        assert!(matches!(interpret("read_context", "{\"x\":1}"),
                CallMeaning::Unclear(reason) if reason.contains("no parameter x")));
        assert!(matches!(
            interpret("create_task", "{\"title\""),
            CallMeaning::Unclear(_)
        ));
        assert!(matches!(
            interpret("create_task", "[]"),
            CallMeaning::Unclear(_)
        ));
        assert_eq!(
            interpret(
                "create_task",
                "{\"summary\":\"S\",\"rationale\":\"R\",\"params\":{\"title\":\"T\"}}"
            ),
            CallMeaning::Step(
                json!({"toolName": "create_task", "summary": "S", "rationale": "R", "params": {"title": "T"}})
            )
        );
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
        let tools = PromptTool::all(&registry, &Overrides::default());
        let schema = plan_schema(&tools, 3);
        let steps = &schema["properties"]["steps"];
        assert_eq!(steps["maxItems"], 3);
        assert_eq!(
            steps["items"]["anyOf"].as_array().expect("tools").len(),
            tools.len()
        );
        assert_eq!(plan_schema(&[], 3)["properties"]["steps"]["maxItems"], 0);
    }
}
