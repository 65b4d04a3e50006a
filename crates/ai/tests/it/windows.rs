//! The window of a model: what is sent fits, whatever its server says beforehand, and what a server cuts is noticed.

use mana_ai::{ChatAnswer, LlmError, ModelFacts};
use mana_core::mission::RunStatus;
use mana_core::planner::fit;
use serde_json::json;

use crate::test_llm::{say, step, steps, task};
use crate::world::World;

/// A mission that reads more notes than a small window holds.
async fn world_with_notes() -> (World, String) {
    let world = World::new().await;
    for n in 0..20 {
        let body = "The plumber comes on Monday and wants to see the cellar first. ".repeat(20);
        let note = json!({"title": format!("Note {n}"), "body": body});
        world
            .write("notes", "notes", &format!("n{n}"), "insert", note)
            .await;
    }
    let inputs = json!({"inputs": [{"module": "notes", "table": "notes"}, {"module": "todo", "table": "tasks"}]});
    let id = world.daily_mission("Week").await;
    world.update(&id, inputs).await;
    (world, id)
}

fn window(tokens: usize) -> ModelFacts {
    ModelFacts {
        context_tokens: Some(tokens),
        ..ModelFacts::default()
    }
}

/// The tokens of each request's messages, by Mana's count.
fn sent(world: &World) -> Vec<usize> {
    let requests = world.llm.requests.lock().expect("unpoisoned");
    let size = |request: &mana_ai::ChatRequest| {
        let texts = request
            .messages
            .iter()
            .map(|message| fit::tokens(&message.content));
        texts.sum()
    };
    requests.iter().map(size).collect()
}

fn plan_of_milk() -> String {
    steps(json!([step("Milk")])).expect("a plan")
}

#[tokio::test]
async fn missions_p7_what_is_sent_fits_the_window_and_bounds_the_answer() {
    for tokens in [2_048, 4_096, 8_192] {
        let (world, id) = world_with_notes().await;
        world.llm.is(window(tokens));
        world.llm.will_say("Week", task("Milk"));
        world.tick().await;
        let size = sent(&world)[0];
        assert!(size <= tokens - 2_000.min(tokens / 4), "{size} in {tokens}");
        let request = world.llm.requests.lock().expect("unpoisoned").remove(0);
        assert_eq!(request.window, Some(tokens));
        assert!(
            size + request.max_tokens <= tokens + 64,
            "{size} and {}",
            request.max_tokens
        );
        assert!(request.temperature > 0.0 && request.temperature < 0.7);
        assert_eq!(world.iterations(&id).await[0].plan.len(), 1);
    }
}

#[tokio::test]
async fn missions_p7_functions_that_leave_no_room_are_not_sent() {
    let (world, _) = world_with_notes().await;
    world.llm.is(ModelFacts {
        tools: true,
        ..window(4_096)
    });
    world.llm.will_say("Week", task("Milk"));
    world.tick().await;
    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    assert!(
        requests[0].functions.is_empty() && requests[0].messages[0].content.contains("```json")
    );
}

#[tokio::test]
async fn missions_p7_a_limit_that_the_server_names_is_kept_from_then_on() {
    let (world, id) = world_with_notes().await;
    let refused = LlmError {
        refused: true,
        limit: Some(3_000),
        ..LlmError::new(
            "provider_error",
            "The maximum context length is 3000 tokens.",
        )
    };
    world.llm.will_say("Week", Err(refused));
    world.llm.will_say("Week", task("Milk"));
    world.tick().await;
    world.decide_all(&id).await;
    world.request(&id, "run:again", None).await;
    world.tick().await;
    let sent = sent(&world);
    assert!(
        sent[0] > 3_000 && sent[1] < 2_300 && sent[2] < 2_300,
        "{sent:?}"
    );
    let run = world.runs(&id).await;
    assert!(
        run.iter().all(|run| run.status == RunStatus::Ran),
        "{run:?}"
    );

    let (world, _) = world_with_notes().await;
    let unnamed = LlmError {
        refused: true,
        limit: Some(0),
        ..LlmError::new(
            "provider_error",
            "Please reduce the length of the messages.",
        )
    };
    world.llm.will_say("Week", Err(unnamed));
    world.llm.will_say("Week", task("Milk"));
    world.tick().await;
    let sent = self::sent(&world);
    assert!(sent.len() == 2 && sent[1] < sent[0] * 3 / 4, "{sent:?}");
}

#[tokio::test]
async fn missions_p7_a_prompt_that_the_server_cut_is_sent_shorter_and_said() {
    let (world, id) = world_with_notes().await;
    let answer = |prompt_tokens| ChatAnswer {
        text: plan_of_milk(),
        model: "ollama/qwen3".to_owned(),
        tokens: Some(prompt_tokens + 100),
        prompt_tokens: Some(prompt_tokens),
        ..ChatAnswer::default()
    };
    world.llm.will_answer("Week", Ok(answer(2_048)));
    world.llm.will_answer("Week", Ok(answer(1_200)));
    world.tick().await;
    let sent = sent(&world);
    assert!(
        sent.len() == 2 && sent[0] > 4_096 && sent[1] < 1_600,
        "{sent:?}"
    );
    let iteration = world.iterations(&id).await.remove(0);
    assert!(iteration.error.is_none());
    let note = json!(iteration.plan[1].intent)["body"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for said in [
        "it read 2048 of about",
        "num_ctx",
        "--ctx-size",
        "Models and providers",
    ] {
        assert!(note.contains(said), "{note}");
    }
}

#[tokio::test]
async fn missions_p7_the_count_follows_what_the_model_counts() {
    let (world, id) = world_with_notes().await;
    world.llm.is(window(6_000));
    for _ in 0..2 {
        world.llm.obeys(|request| {
            let texts = request
                .messages
                .iter()
                .map(|message| fit::tokens(&message.content));
            // This model counts a fifth more than Mana.
            let prompt = texts.sum::<usize>() as u64 * 6 / 5;
            ChatAnswer {
                text: plan_of_milk(),
                tokens: Some(prompt + 50),
                prompt_tokens: Some(prompt),
                ..ChatAnswer::default()
            }
        });
        world.tick().await;
        world.decide_all(&id).await;
        world.set_clock("2026-11-21T08:00:00Z");
    }
    let sent = sent(&world);
    assert!(sent[1] * 6 / 5 <= 4_500 && sent[1] < sent[0], "{sent:?}");
}

#[tokio::test]
async fn missions_v7_a_model_without_calls_reads_before_it_plans() {
    for json_schema in [false, true] {
        let world = World::new().await;
        world
            .write(
                "todo",
                "tasks",
                "t1",
                "insert",
                json!({"title": "Buy shoes", "done": false}),
            )
            .await;
        world.llm.is(ModelFacts {
            json_schema,
            ..ModelFacts::default()
        });
        let id = world.daily_mission("Week").await;
        let read = json!({"summary": "First I read", "steps": [
            {"summary": "Read", "toolName": "list_tasks", "params": {}, "rationale": "To know."}]});
        let thoughts = format!("<think>long thoughts</think>{read}");
        world.llm.will_say("Week", say(&thoughts));
        let done = json!({"summary": "Shoes", "toolName": "complete_task", "params": {"taskId": "t1"},
            "rationale": "They are here."});
        world.llm.will_say("Week", steps(json!([done])));
        world.tick().await;
        let requests = world.llm.requests.lock().expect("unpoisoned").clone();
        assert_eq!(requests.len(), 2);
        let messages = &requests[1].messages;
        assert!(
            messages[2].content.contains("list_tasks"),
            "{}",
            messages[2].content
        );
        assert!(
            !messages[2].content.contains("long thoughts"),
            "{}",
            messages[2].content
        );
        assert!(
            messages[3].content.contains("t1 | Buy shoes"),
            "{}",
            messages[3].content
        );
        let iteration = world.iterations(&id).await.remove(0);
        let tool = json!(iteration.plan[0].intent)["toolName"].clone();
        assert_eq!((iteration.plan.len(), tool), (1, json!("complete_task")));
    }
}

#[tokio::test]
async fn missions_v7_reading_without_calls_comes_to_an_end() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let read =
        json!({"steps": [{"toolName": "list_tasks", "params": {}, "rationale": "r"}]}).to_string();
    for _ in 0..8 {
        world.llm.will_say("Week", say(&read));
    }
    world.tick().await;
    assert_eq!(
        world.llm.calls(),
        7,
        "five rounds, an answer and its repair"
    );
    assert!(world.iterations(&id).await[0].error.is_some());
}

#[tokio::test]
async fn missions_v1_further_tools_are_found_and_called() {
    let world = World::new().await;
    world.llm.is(ModelFacts {
        tools: true,
        ..ModelFacts::default()
    });
    let id = world.daily_mission("Week").await;
    world
        .update(
            &id,
            json!({"inputs": [{"module": "notes", "table": "notes"}]}),
        )
        .await;
    world
        .llm
        .will_call("Week", &[("find_tools", json!({"words": "create a task"}))]);
    world.llm.will_call(
        "Week",
        &[("create_task", json!({"title": "Milk", "why": "It is out."}))],
    );
    world
        .llm
        .will_call("Week", &[("hand_in_plan", json!({"summary": "One"}))]);
    world.tick().await;
    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    let has =
        |place: usize, name: &str| requests[place].functions.iter().any(|one| one.name == name);
    assert!(!has(0, "create_task") && has(0, "find_tools") && has(0, "create_note"));
    assert!(has(1, "create_task"), "the model can call what it found");
    let step = world.iterations(&id).await.remove(0).plan.remove(0);
    assert_eq!(
        (step.summary.as_str(), step.rationale.as_str()),
        ("New task: Milk", "It is out.")
    );
}

#[tokio::test]
async fn missions_p9_the_repair_round_is_without_thoughts() {
    let world = World::new().await;
    world.daily_mission("Week").await;
    let bad = json!({"steps": [{"toolName": "fly", "params": {}, "rationale": "r"}]});
    world.llm.will_say(
        "Week",
        say(&format!("<think>{}</think>{bad}", "hm ".repeat(500))),
    );
    world.llm.will_say("Week", steps(json!([step("Milk")])));
    world.tick().await;
    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    let told = &requests[1].messages[2].content;
    assert!(
        told.contains("\"fly\"") && !told.contains("hm hm"),
        "{told}"
    );
}

#[tokio::test]
async fn missions_p9_the_repair_round_fits_the_window_too() {
    for tokens in [2_048, 4_096] {
        let (world, id) = world_with_notes().await;
        world.llm.is(window(tokens));
        let bad =
            json!({"steps": [{"toolName": "fly", "params": {"to": "the moon ".repeat(400)}}]});
        world.llm.will_say("Week", say(&bad.to_string()));
        world.llm.will_say("Week", task("Milk"));
        world.tick().await;
        let size = sent(&world)[1];
        assert!(size <= tokens - tokens / 4 + 40, "{size} in {tokens}");
        assert_eq!(world.iterations(&id).await[0].plan.len(), 1);
    }
}
