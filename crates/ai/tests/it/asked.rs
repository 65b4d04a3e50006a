//! Runs that somebody asks for.

use mana_core::ids;
use mana_core::mission::{RunStatus, slot};
use mana_sync::{Notice, RunPhase};
use serde_json::json;

use crate::world::{MORNING, World, at, say, step, steps, task};

#[tokio::test]
async fn missions_q1_a_run_asked_for_runs_once_and_leaves_the_schedule_alone() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.set_clock("2026-11-20T07:30:00Z");
    for _ in 0..2 {
        world.request(&id, "run:one", None).await;
    }
    assert_eq!(world.tick().await.plans_written_back, 1);
    world.request(&id, "run:one", None).await;
    let again = world.tick().await;
    assert_eq!((again.plans_produced, again.skipped), (0, 1), "{again:?}");
    let mission = world.mission_now(&id).await;
    assert_eq!(mission.iterations.len(), 1);
    assert_eq!(mission.iterations[0].id, ids::iteration_id(&id, "run:one"));
    assert_eq!(mission.next_run_at, Some(at(MORNING)));
    let runs = world.runs(&id).await;
    assert_eq!(
        (runs.len(), runs[0].slot.as_str(), runs[0].status),
        (1, "run:one", RunStatus::Ran)
    );
}

#[tokio::test]
async fn missions_q1_who_asks_gets_a_run_although_a_plan_waits_or_the_mission_is_paused() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.tick().await;
    world.update(&id, json!({"state": "paused"})).await;
    world.request(&id, "run:one", None).await;
    assert_eq!(world.tick().await.plans_written_back, 1);
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.iterations.len(), mission.next_run_at), (2, None));
}

#[tokio::test]
async fn missions_q2_the_tabs_inputs_are_used_instead_of_the_servers() {
    let world = World::new().await;
    world
        .write(
            "todo",
            "tasks",
            "t1",
            "insert",
            json!({"title": "On the server", "done": false}),
        )
        .await;
    let id = world.daily_mission("Week").await;
    world
        .update(
            &id,
            json!({"inputs": [{"module": "todo", "table": "tasks"}]}),
        )
        .await;
    let inputs = json!([
        {"module": "todo", "table": "tasks", "id": "t2", "data": {"title": "Not synced yet", "done": false}},
        {"module": "todo", "table": "tasks", "id": "t3", "data": {"title": "Done offline", "done": true}},
        {"module": "notes", "table": "notes", "id": "n1", "data": {"title": "Never linked"}},
        "rubbish"
    ]);
    let slot = slot::due(at(MORNING));
    let mut done = step("Not synced yet");
    done["toolName"] = json!("complete_task");
    done["params"] = json!({"taskId": "t2"});
    world.llm.will_say("Week", steps(json!([done])));
    world.request(&id, &slot, Some(inputs)).await;
    let report = world.tick().await;
    assert_eq!(
        (report.due_mission_count, report.plans_written_back),
        (1, 1),
        "due and asked for is one run"
    );
    let prompt = world.llm.last_prompt();
    assert!(prompt.contains("Not synced yet"), "{prompt}");
    for other in ["On the server", "Done offline", "Never linked"] {
        assert!(!prompt.contains(other), "{other} in {prompt}");
    }
    let mission = world.mission_now(&id).await;
    assert_eq!(mission.iterations[0].id, ids::iteration_id(&id, &slot));
    assert_eq!(
        mission.iterations[0].open_steps(),
        1,
        "a step may name a record that only the tab has: {:?}",
        mission.iterations[0]
    );
    assert_eq!(mission.next_run_at, Some(at("2026-11-21T08:00:00Z")));
    assert_eq!(world.tick().await.due_mission_count, 0);
}

#[tokio::test]
async fn missions_q3_a_failed_run_that_was_asked_for_waits_to_be_asked_for_again() {
    let world = World::new().await;
    let id = world
        .mission("Manual", json!({"cadence": {"kind": "manual"}}))
        .await;
    world.llm.will_say("Manual", say("prose"));
    world.llm.will_say("Manual", say("prose"));
    world.request(&id, "run:one", None).await;
    world.tick().await;
    let failed = world.mission_now(&id).await;
    let error = failed.iterations[0].error.clone().expect("an error");
    assert!(
        error
            .message
            .ends_with("Nothing was changed. Run it again when you like."),
        "{}",
        error.message
    );
    assert_eq!((failed.failures, failed.next_run_at), (0, None));
    world.set_clock("2026-11-21T08:00:00Z");
    assert_eq!(world.tick().await.due_mission_count, 0);

    world.llm.will_say("Manual", task("Milk"));
    world.request(&id, "run:one", None).await;
    assert_eq!(world.tick().await.plans_written_back, 1);
    let mission = world.mission_now(&id).await;
    assert_eq!(
        (
            mission.iterations.len(),
            mission.iterations[0].error.clone()
        ),
        (1, None)
    );
}

#[tokio::test]
async fn missions_q4_an_old_slot_or_a_mission_that_is_gone_runs_nothing() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.tick().await;
    world.request(&id, "due:1000", None).await;
    world.request(&id, &slot::due(at(MORNING)), None).await;
    world.request("nobody", "run:one", None).await;
    let calls = world.llm.calls();
    while world.tick().await.due_mission_count > 0 {}
    assert_eq!(world.llm.calls(), calls);
    let mission = world.mission_now(&id).await;
    assert_eq!(
        (mission.iterations.len(), mission.next_run_at),
        (1, Some(at("2026-11-21T08:00:00Z")))
    );
}

#[tokio::test]
async fn missions_t11_a_run_is_told_while_it_goes_on_and_when_it_ends() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let mut listener = world.hub.subscribe(&world.user);
    world.llm.close();
    let runner = world.runner.clone();
    let tick = tokio::spawn(async move { runner.tick().await });
    let expected = |phase| Notice::Run {
        mission_id: id.clone(),
        iteration_id: ids::iteration_id(&id, &slot::due(at(MORNING))),
        slot: slot::due(at(MORNING)),
        phase,
    };
    assert_eq!(listener.recv().await, expected(RunPhase::Started));
    world.llm.open();
    match listener.recv().await {
        Notice::Sync { app, tables, .. } => {
            assert_eq!(app, "ai");
            assert_eq!(
                tables,
                ["aiMissions".to_owned(), "aiRuns".to_owned()].into()
            );
        }
        other => panic!("expected the commit, got {other:?}"),
    }
    assert_eq!(listener.recv().await, expected(RunPhase::Finished));
    tick.await.expect("the tick ends");
}
