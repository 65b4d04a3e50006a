//! Requested runs.

use std::sync::Arc;
use std::time::Duration;

use mana_core::ids;
use mana_core::mission::{RunStatus, slot};
use mana_store::{RunPhase, RunProgress, Runs};
use mana_sync::Notice;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::test_llm::{say, step, steps, task};
use crate::world::{Dies, Dying, MORNING, World, at};

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
    let slot = slot::due(at(MORNING));
    let expected = |phase| {
        Notice::Run(RunProgress {
            phase,
            started_at: Some(at(MORNING)),
            ..RunProgress::queued(&id, &slot, ids::iteration_id(&id, &slot))
        })
    };
    world.llm.called().await;
    // A listener that was too slow for a phase hears the next phase.
    assert_eq!(listener.recv().await, expected(RunPhase::Thinking));
    let running = world.store.running(&world.scope(), &id).await;
    let running = running.expect("the store reads");
    assert_eq!(
        Notice::Run(running[0].clone()),
        expected(RunPhase::Thinking)
    );
    world.llm.open();
    assert_eq!(listener.recv().await, expected(RunPhase::Writing));
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

/// Cancels a run as a device does, in whichever phase it is.
async fn cancel(world: &World, id: &str, slot: &str) -> bool {
    let cancelled = world.sync.cancel_run(&world.scope(), id, slot).await;
    cancelled.expect("the store writes")
}

#[tokio::test]
async fn missions_q6_a_run_that_is_cancelled_ends_and_leaves_a_record() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let slot = slot::due(at(MORNING));
    assert!(!cancel(&world, &id, &slot).await, "nothing runs yet");
    world.llm.close();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(world.runner.clone().run_until(shutdown.clone()));
    world.llm.called().await;
    let mut listener = world.hub.subscribe(&world.user);
    assert!(cancel(&world, &id, &slot).await);
    loop {
        if let Notice::Run(progress) = listener.recv().await {
            assert_eq!(progress.phase, RunPhase::Cancelled);
            break;
        }
    }
    let runs = world.runs(&id).await;
    assert_eq!(
        (runs.len(), runs[0].status, runs[0].code.as_deref()),
        (1, RunStatus::Skipped, Some("cancelled"))
    );
    let mission = world.mission_now(&id).await;
    assert_eq!(
        (mission.iterations.len(), mission.next_run_at),
        (0, Some(at("2026-11-21T08:00:00Z"))),
        "the next one comes at its time"
    );
    assert!(!cancel(&world, &id, &slot).await);
    shutdown.cancel();
    running.await.expect("it stops");
}

#[tokio::test]
async fn missions_q6_a_run_cancelled_at_one_that_died_is_not_planned_by_the_next() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let slot = slot::due(at(MORNING));
    let died = Arc::new(Notify::new());
    let doomed =
        world.another_runner(|inner| Dying::around(inner, Dies::BeforeTheWrite, died.clone()));
    let dead = tokio::spawn(async move { doomed.tick().await });
    died.notified().await;
    dead.abort();
    let calls = world.llm.calls();
    assert!(cancel(&world, &id, &slot).await);
    world.advance(world.config.lease + Duration::from_secs(1));
    assert_eq!(world.tick().await.skipped, 1);
    assert_eq!(world.llm.calls(), calls);
    assert_eq!(world.runs(&id).await[0].code.as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn missions_q6_a_run_that_still_waits_is_taken_back() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.request(&id, "run:one", None).await;
    let mut listener = world.hub.subscribe(&world.user);
    assert!(cancel(&world, &id, "run:one").await);
    let Notice::Run(progress) = listener.recv().await else {
        panic!("the run is told of");
    };
    assert_eq!(progress.phase, RunPhase::Cancelled);
    world.set_clock("2026-11-20T07:00:00Z");
    assert_eq!(world.tick().await.due_mission_count, 0);
}

#[tokio::test]
async fn missions_m1_a_backfill_runs_like_one_asked_for_and_says_which_time_it_is_for() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.tick().await;
    let slot = slot::backfill(at("2026-11-18T08:00:00Z"));
    world.request(&id, &slot, None).await;
    assert_eq!(world.tick().await.plans_written_back, 1);
    let prompt = world.llm.last_prompt();
    assert!(
        prompt.contains("makes up for the one of 08:00 on Wednesday, 18 November 2026"),
        "{prompt}"
    );
    let mission = world.mission_now(&id).await;
    assert_eq!(
        (mission.iterations.len(), mission.next_run_at),
        (2, Some(at("2026-11-21T08:00:00Z"))),
        "the schedule is left alone"
    );
    let runs = world.runs(&id).await;
    assert!(
        runs.iter()
            .any(|run| run.slot == slot && run.status == RunStatus::Ran)
    );
}

#[tokio::test]
async fn what_goes_to_the_model_is_kept_for_who_switched_that_on_alone() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.request(&id, "run:one", None).await;
    world.tick().await;
    let kept = async |slot: &str| {
        let iteration = ids::iteration_id(&id, slot);
        let kept = world.store.debug(&world.scope(), &iteration).await;
        kept.expect("the store reads").map(|record| record.body)
    };
    assert_eq!(kept("run:one").await, None);

    world
        .write(
            "ai",
            "aiSettings",
            "settings",
            "insert",
            json!({"debug": true}),
        )
        .await;
    world.llm.will_say("Week", say("prose"));
    world.llm.will_say("Week", task("Milk"));
    world.request(&id, "run:two", None).await;
    world.tick().await;
    let body = kept("run:two").await.expect("it is kept");
    let rounds = body["rounds"].as_array().expect("rounds");
    assert_eq!(rounds.len(), 2, "the repair round too: {body}");
    assert_eq!(rounds[0]["answer"], "prose");
    assert_eq!(
        (&rounds[1]["tokens"], &rounds[1]["model"]),
        (&json!(100), &json!("test/model"))
    );
    assert!(
        rounds[1]["request"]["messages"]
            .to_string()
            .contains("Title: Week")
    );
    let asked = &rounds[0]["request"];
    assert!(asked.get("functions").is_none(), "this model calls nothing");
    assert_eq!(
        (&body["slot"], &body["phase"]),
        (&json!("run:two"), &json!("finished"))
    );
}
