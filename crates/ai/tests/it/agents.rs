//! Agents: instructions, model, policy and name.

use mana_core::Actor;
use mana_core::ids::created_record_id;
use mana_core::mission::RunStatus;
use serde_json::{Value, json};

use crate::test_llm::{step, steps, task};
use crate::world::World;

impl World {
    pub async fn agent(&self, id: &str, data: Value) {
        self.write("ai", "aiAgents", id, "insert", data).await;
    }

    pub async fn settings(&self, data: Value) {
        self.write("ai", "aiSettings", "settings", "insert", data)
            .await;
    }
}

#[tokio::test]
async fn missions_g5_g6_the_agents_words_and_model_are_used() {
    let world = World::new().await;
    let id = world.daily_mission("Garden").await;
    world
        .agent(
            "gardener",
            json!({"name": "Flora", "role": "Looks after the garden", "systemPrompt": "Think in seasons.",
                "memory": "The soil is clay.", "model": "ollama/qwen3"}),
        )
        .await;
    world.update(&id, json!({"agentId": "gardener"})).await;
    world.tick().await;
    let requests = world.llm.requests.lock().expect("unpoisoned").clone();
    assert_eq!(requests[0].model, "ollama/qwen3");
    let (system, user) = (
        &requests[0].messages[0].content,
        &requests[0].messages[1].content,
    );
    assert!(
        system.starts_with("You are Flora (Looks after the garden)."),
        "{system}"
    );
    assert!(system.contains("Think in seasons."), "{system}");
    let memory = user.find("The soil is clay.").expect("the memory");
    assert!(
        user[..memory].lines().last().is_some_and(str::is_empty) || user[..memory].ends_with('\n')
    );
    assert!(
        user[..memory].rfind("<<<DATA-") > user[..memory].rfind(">>>\n"),
        "fenced: {user}"
    );

    world
        .update(
            &id,
            json!({"model": "openai/gpt", "nextRunAt": world.now()}),
        )
        .await;
    world.decide(&id, "approved", None).await;
    world.tick().await;
    assert_eq!(
        world.llm.requests.lock().expect("unpoisoned")[1].model,
        "openai/gpt"
    );
}

#[tokio::test]
async fn missions_g2_g7_the_agents_policy_counts_and_its_name_stays_on_what_it_did() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let policy = json!({"modules": {"notes": "deny"}, "tools": {"create_task": "auto"}});
    world
        .agent("default", json!({"name": "Ada", "policy": policy}))
        .await;
    let note = json!({"summary": "Note", "toolName": "create_note", "params": {"title": "N"}, "rationale": "Why not."});
    for _ in 0..2 {
        world
            .llm
            .will_say("Week", steps(json!([step("Milk"), note])));
    }
    world.tick().await;
    let prompt = world.llm.last_prompt();
    assert!(!prompt.contains("create_note(") && prompt.contains("create_task("));
    assert!(prompt.contains("(happens without being asked)"));

    let iteration = world.iterations(&id).await.remove(0);
    let done: Vec<_> = iteration
        .plan
        .iter()
        .map(|step| json!(step.status))
        .collect();
    assert_eq!(done, ["approved", "skipped"]);
    let made = created_record_id(&iteration.plan[0].id, 0);
    world
        .write(
            "ai",
            "aiAgents",
            "default",
            "update",
            json!({"name": "Grace"}),
        )
        .await;
    let record = world
        .record("todo", "tasks", &made)
        .await
        .expect("the task");
    let named = (Some("default"), Some("Ada"));
    assert_eq!(
        record.meta["title"].actor,
        Actor::agent(&id, &iteration.id, "Because of Milk.", named.0, named.1)
            .of_step(&iteration.plan[0].id)
    );
    assert_eq!(
        (
            iteration.principal_id.as_deref(),
            iteration.display_name.as_deref()
        ),
        named
    );
    assert_eq!(
        world
            .record(
                "notes",
                "notes",
                &created_record_id(&iteration.plan[1].id, 0)
            )
            .await,
        None
    );
}

#[tokio::test]
async fn missions_g3_without_its_agent_a_mission_asks_before_everything() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world
        .agent(
            "default",
            json!({"name": "Ada", "policy": {"default": "auto"}}),
        )
        .await;
    world.update(&id, json!({"agentId": "gone"})).await;
    world.tick().await;
    let iteration = world.iterations(&id).await.remove(0);
    assert_eq!(json!(iteration.plan[0].status), "planned");
}

#[tokio::test]
async fn missions_g8_an_agent_runs_as_many_missions_at_a_time_as_it_is_set_to() {
    let world = World::new().await;
    world
        .agent("slow", json!({"name": "Slow", "concurrency": 1}))
        .await;
    for title in ["One", "Two", "Three"] {
        let id = world.daily_mission(title).await;
        if title != "Three" {
            world.update(&id, json!({"agentId": "slow"})).await;
        }
    }
    world.llm.close();
    let runner = world.runner.clone();
    let tick = tokio::spawn(async move { runner.tick().await });
    world.llm.called().await;
    world.llm.called().await;
    let asked = |world: &World| -> Vec<String> {
        let requests = world.llm.requests.lock().expect("unpoisoned");
        let ids = requests.iter().map(|request| request.mission_id.clone());
        ids.filter(|id| id != "three").collect()
    };
    assert_eq!(asked(&world).len(), 1, "{:?}", asked(&world));
    world.llm.open();
    let report = tick.await.expect("no panic");
    assert_eq!(report.plans_written_back, 3);
    assert_eq!(asked(&world).len(), 2);
}

#[tokio::test]
async fn missions_l1_a_run_proposes_and_a_mission_leaves_waiting_only_so_much() {
    let world = World::new().await;
    world
        .settings(json!({"maxSteps": 3, "maxOpenProposals": 4}))
        .await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"overlap": "allow"})).await;
    let plan = |titles: &[&str]| steps(titles.iter().map(|title| step(title)).collect());
    world.llm.will_say("Week", plan(&["a", "b", "c"]));
    world.tick().await;
    assert!(world.llm.last_prompt().contains("- 0 to 3 steps."));

    world.llm.will_say("Week", plan(&["d", "e"]));
    world.set_clock("2026-11-21T08:00:00Z");
    world.tick().await;
    let second = world.iterations(&id).await.remove(1);
    let statuses: Vec<_> = second.plan.iter().map(|step| json!(step.status)).collect();
    assert_eq!(statuses, ["planned", "skipped"]);
    assert!(
        second.plan[1].rationale.contains("too many proposals"),
        "{:?}",
        second.plan[1]
    );

    let calls = world.llm.calls();
    world.set_clock("2026-11-22T08:00:00Z");
    world.tick().await;
    assert_eq!(world.llm.calls(), calls, "nobody is asked");
    let run = world.runs(&id).await.remove(2);
    assert_eq!(
        (run.status, run.code.as_deref()),
        (RunStatus::Skipped, Some("too-many-open"))
    );
    assert_eq!(json!(run.details), json!({"proposals": 4, "most": 4}));
    assert_eq!(world.mission_now(&id).await.failures, 0);
}

#[tokio::test]
async fn missions_l2_what_waits_or_was_just_refused_is_not_proposed_again() {
    let world = World::new().await;
    let other = world.daily_mission("Shopping").await;
    world.llm.will_say("Shopping", task("Buy bread"));
    let id = world.daily_mission("Week").await;
    world.llm.will_say("Week", task("Oat milk"));
    world.tick().await;
    world.decide(&id, "rejected", Some("Plenty left")).await;

    let again = json!([
        step("Buy  BREAD"),
        step("oat milk"),
        step("Eggs"),
        step("Eggs")
    ]);
    world.llm.will_say("Week", steps(again));
    world.set_clock("2026-11-21T08:00:00Z");
    let before = world.llm.calls();
    world.tick().await;
    assert_eq!(
        world.llm.calls(),
        before + 1,
        "a repeat is no fault to repair"
    );
    let plan = world.iterations(&id).await.remove(1).plan;
    let said: Vec<_> = plan
        .iter()
        .map(|step| (json!(step.status), step.rationale.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (
                json!("skipped"),
                "the same proposal waits for a decision already."
            ),
            (json!("skipped"), "you refused the same proposal."),
            (json!("planned"), "Because of Eggs."),
            (json!("skipped"), "it is in this plan already."),
        ]
    );
    assert_eq!(world.iterations(&other).await.len(), 1);

    // A plan of repeated steps alone is a run with nothing to do, not a failure.
    world.decide_all(&id).await;
    world.llm.will_say("Week", task("Oat milk"));
    world.set_clock("2026-11-22T08:00:00Z");
    world.tick().await;
    let run = world.runs(&id).await.pop().expect("a run");
    assert_eq!(run.status, RunStatus::Ran);
}
