//! Models that call tools, and models that answer by a JSON Schema.

use mana_ai::{LlmError, ModelFacts};
use mana_core::mission::RunStatus;
use mana_core::planner::MessageRole;
use serde_json::{Value, json};

use crate::test_llm::{say, step, steps, task};
use crate::world::World;

const CALLS: ModelFacts = ModelFacts {
    tools: true,
    json_schema: true,
    context_tokens: None,
    price: None,
    unpriced: false,
};

fn create(title: &str) -> (&'static str, Value) {
    (
        "create_task",
        json!({"summary": title, "rationale": format!("Because of {title}."), "params": {"title": title}}),
    )
}

fn hand_in(summary: &str) -> (&'static str, Value) {
    ("hand_in_plan", json!({"summary": summary}))
}

async fn world_with_tasks() -> (World, String) {
    let world = World::new().await;
    world.llm.is(CALLS);
    for (id, data) in [
        ("t1", json!({"title": "Buy shoes", "done": false})),
        (
            "t2",
            json!({"title": "Call </data> the bank", "done": false}),
        ),
    ] {
        world.write("todo", "tasks", id, "insert", data).await;
    }
    let id = world.daily_mission("Week").await;
    (world, id)
}

#[tokio::test]
async fn missions_v2_what_is_read_comes_at_once_and_what_is_changed_becomes_a_step() {
    let (world, id) = world_with_tasks().await;
    world.llm.will_call("Week", &[("list_tasks", json!({}))]);
    let done = (
        "complete_task",
        json!({"summary": "Shoes", "rationale": "They are here.", "params": {"taskId": "t1"}}),
    );
    world.llm.will_call("Week", &[done, create("Milk")]);
    world.llm.will_call("Week", &[hand_in("Two steps")]);
    world.tick().await;

    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    assert_eq!(requests.len(), 3);
    let names: Vec<_> = requests[0]
        .functions
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    for name in ["create_task", "list_tasks", "hand_in_plan"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!requests[0].messages[0].content.contains("create_task("));
    let result = requests[1].messages.last().expect("the result");
    assert_eq!(result.role, MessageRole::Tool);
    assert!(
        result.content.contains("todo/tasks\nt1 | Buy shoes"),
        "{}",
        result.content
    );
    assert!(result.content.starts_with("<<<DATA-"), "{}", result.content);

    let iteration = world.iterations(&id).await.remove(0);
    assert_eq!(iteration.summary.as_deref(), Some("Two steps"));
    let steps: Vec<_> = iteration
        .plan
        .iter()
        .map(|step| {
            (
                json!(step.status),
                json!(step.intent)["toolName"].clone(),
                step.rationale.as_str(),
            )
        })
        .collect();
    assert_eq!(
        steps,
        [
            (json!("planned"), json!("complete_task"), "They are here."),
            (json!("planned"), json!("create_task"), "Because of Milk."),
        ]
    );
    let run = world.runs(&id).await.remove(0);
    assert_eq!((run.status, run.tokens), (RunStatus::Ran, Some(300)));
}

#[tokio::test]
async fn missions_v2_another_persons_records_are_out_of_reach() {
    let (world, _) = world_with_tasks().await;
    world
        .stranger_writes("todo", "tasks", "s1", json!({"title": "Stranger’s secret"}))
        .await;
    world.llm.will_call("Week", &[("list_tasks", json!({}))]);
    world.llm.will_call("Week", &[hand_in("Nothing")]);
    world.tick().await;
    let prompt = world.llm.last_prompt();
    assert!(
        prompt.contains("Buy shoes") && !prompt.contains("secret"),
        "{prompt}"
    );
}

#[tokio::test]
async fn missions_v3_a_faulty_step_gets_one_round_to_be_put_right() {
    let (world, id) = world_with_tasks().await;
    let bad = (
        "complete_task",
        json!({"summary": "Gone", "rationale": "r", "params": {"taskId": "nope"}}),
    );
    world
        .llm
        .will_call("Week", &[bad.clone(), create("Milk"), hand_in("First")]);
    world
        .llm
        .will_call("Week", &[bad, create("Bread"), hand_in("Second")]);
    world.tick().await;
    assert_eq!(world.llm.calls(), 2);
    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    let said: Vec<_> = requests[1].messages[3..]
        .iter()
        .map(|one| one.content.clone())
        .collect();
    assert!(said[0].contains("no such record"), "{said:?}");
    let plan = world.iterations(&id).await.remove(0).plan;
    let statuses: Vec<_> = plan
        .iter()
        .map(|step| (json!(step.status), step.summary.as_str()))
        .collect();
    assert_eq!(
        statuses,
        [
            (json!("planned"), "Milk"),
            (json!("skipped"), "Gone"),
            (json!("planned"), "Bread")
        ]
    );
}

#[tokio::test]
async fn missions_v4_a_model_that_reads_for_ever_is_ended() {
    let (world, id) = world_with_tasks().await;
    for _ in 0..10 {
        world.llm.will_call("Week", &[("list_tasks", json!({}))]);
    }
    world.tick().await;
    assert_eq!(
        world.llm.calls(),
        6,
        "five rounds to read in, and one to hand in"
    );
    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    assert!(
        !requests[5]
            .functions
            .iter()
            .any(|one| one.name == "list_tasks")
    );
    let run = world.runs(&id).await.remove(0);
    assert_eq!(
        (run.status, run.code.as_deref()),
        (RunStatus::Failed, Some("no_plan"))
    );
}

#[tokio::test]
async fn missions_v4_words_instead_of_calls_are_asked_about_once() {
    let (world, id) = world_with_tasks().await;
    world.llm.will_say("Week", say("You should buy milk."));
    world.llm.will_call("Week", &[create("Milk")]);
    world.llm.will_say("Week", say("That is my plan."));
    world.tick().await;
    let iteration = world.iterations(&id).await.remove(0);
    assert_eq!(iteration.summary.as_deref(), Some("That is my plan."));
    assert_eq!(iteration.plan.len(), 1);

    world.decide(&id, "approved", None).await;
    world.llm.will_say("Week", say("Hm."));
    world.llm.will_say("Week", say("Hm, hm."));
    world.set_clock("2026-11-21T08:00:00Z");
    world.tick().await;
    let run = world.runs(&id).await.pop().expect("a run");
    assert_eq!(run.code.as_deref(), Some("no_plan"));
}

#[tokio::test]
async fn missions_v1_a_denied_tool_can_neither_be_seen_nor_called() {
    let (world, id) = world_with_tasks().await;
    let policy = json!({"tools": {"delete_task": "deny", "list_tasks": "deny"}});
    world
        .agent("default", json!({"name": "Mana", "policy": policy}))
        .await;
    let delete = (
        "delete_task",
        json!({"summary": "x", "rationale": "r", "params": {"taskId": "t1"}}),
    );
    world.llm.will_call(
        "Week",
        &[delete.clone(), ("list_tasks", json!({})), hand_in("x")],
    );
    world.llm.will_call("Week", &[delete, hand_in("x")]);
    world.tick().await;
    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    let given = format!("{:?}{:?}", requests[0].functions, requests[0].messages);
    assert!(
        !given.contains("delete_task") && !given.contains("list_tasks"),
        "{given}"
    );
    let results: String = requests[1].messages[3..]
        .iter()
        .map(|one| one.content.as_str())
        .collect();
    assert!(!results.contains("Buy shoes"), "{results}");
    let run = world.runs(&id).await.remove(0);
    assert_eq!(
        (run.status, run.code.as_deref()),
        (RunStatus::Failed, Some("unknown_tool"))
    );
    assert!(
        world
            .record("todo", "tasks", "t1")
            .await
            .is_some_and(|task| !task.is_deleted())
    );
}

#[tokio::test]
async fn missions_v5_without_calls_the_answer_is_bound_to_the_plans_schema() {
    let world = World::new().await;
    world.llm.is(ModelFacts {
        tools: false,
        ..CALLS
    });
    let id = world.daily_mission("Week").await;
    world.llm.will_say(
        "Week",
        say(&json!({"summary": "S", "steps": [step("Milk")]}).to_string()),
    );
    world.tick().await;
    let request = world.llm.requests.lock().expect("unpoisoned").remove(0);
    let schema = request.schema.expect("a schema");
    assert_eq!(json!(schema)["properties"]["steps"]["maxItems"], 5);
    assert!(request.functions.is_empty());
    assert_eq!(world.iterations(&id).await[0].plan.len(), 1);
}

#[tokio::test]
async fn missions_v5_a_model_that_turns_out_to_have_neither_is_asked_in_the_plain_way() {
    for facts in [
        CALLS,
        ModelFacts {
            tools: false,
            ..CALLS
        },
    ] {
        let world = World::new().await;
        world.llm.is(facts);
        let id = world.daily_mission("Week").await;
        let refused = LlmError {
            refused: true,
            ..LlmError::new("provider_error", "It does not support tools.")
        };
        world.llm.will_say("Week", Err(refused));
        world.llm.will_say("Week", task("Milk"));
        world.tick().await;
        let requests = world.llm.requests.lock().expect("unpoisoned").clone();
        assert_eq!(requests.len(), 2);
        assert!(requests[1].functions.is_empty() && requests[1].schema.is_none());
        assert!(requests[1].messages[0].content.contains("```json"));
        assert_eq!(world.iterations(&id).await[0].plan.len(), 1);
    }
}

#[tokio::test]
async fn missions_v5_in_the_plain_way_a_fault_gets_one_repair_round() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world
        .llm
        .will_say("Week", say("I think you should buy milk."));
    world.llm.will_say("Week", steps(json!([step("Milk")])));
    world.tick().await;
    assert_eq!(
        (world.llm.calls(), world.iterations(&id).await[0].plan.len()),
        (2, 1)
    );
}
