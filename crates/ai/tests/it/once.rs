//! A slot is planned once, through crashes and late workers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mana_core::mission::RunStatus;
use mana_core::{Change, ids, mission::slot};
use mana_store::{Push, Schedule};
use serde_json::json;
use tokio::sync::Notify;

use crate::test_llm::task;
use crate::world::{Dies, Dying, MORNING, World, at};

#[tokio::test]
async fn missions_t1_a_second_tick_right_after_plans_nothing() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let first = world.tick().await;
    assert_eq!(
        (first.due_mission_count, first.plans_written_back),
        (1, 1),
        "{first:?}"
    );
    let second = world.tick().await;
    assert_eq!(
        (second.due_mission_count, second.plans_produced),
        (0, 0),
        "{second:?}"
    );
    assert_eq!(world.llm.calls(), 1);
    assert_eq!(world.iterations(&id).await.len(), 1);
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2026-11-21T08:00:00Z"))
    );
}

#[tokio::test]
async fn missions_t2_of_two_ticks_at_once_one_says_overlap_skipped() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.close();
    let runner = world.runner.clone();
    let first = tokio::spawn(async move { runner.tick().await });
    world.llm.called().await;
    assert!(world.runner.is_running());
    let second = world.tick().await;
    assert_eq!(second.errors, ["overlap-skipped"]);
    assert_eq!(second.due_mission_count, 0);
    world.llm.open();
    assert_eq!(
        first.await.expect("the first tick ends").plans_written_back,
        1
    );
    assert_eq!(world.iterations(&id).await.len(), 1);
    assert!(!world.runner.is_running());
}

async fn crash(when: Dies) -> (World, String) {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let died = Arc::new(Notify::new());
    let doomed = world.another_runner(|inner| Dying::around(inner, when, died.clone()));
    let dead = tokio::spawn(async move { doomed.tick().await });
    died.notified().await;
    dead.abort();
    (world, id)
}

#[tokio::test]
async fn missions_w1_a_crash_before_the_write_plans_the_same_slot_again() {
    let (world, id) = crash(Dies::BeforeTheWrite).await;
    assert_eq!(world.iterations(&id).await.len(), 0);
    assert_eq!(
        world.tick().await.due_mission_count,
        0,
        "the dead one's lease still holds"
    );

    world.store.release_all().await.expect("the store writes");
    let report = world.tick().await;
    assert_eq!(report.plans_written_back, 1, "{report:?}");
    let iterations = world.iterations(&id).await;
    assert_eq!(iterations.len(), 1);
    assert_eq!(
        iterations[0].id,
        ids::iteration_id(&id, &slot::due(at(MORNING)))
    );
    let runs = world.runs(&id).await;
    assert_eq!((runs.len(), runs[0].attempts), (1, 2));
}

#[tokio::test]
async fn missions_w1_a_crashed_run_is_taken_over_when_its_lease_ends() {
    let (world, id) = crash(Dies::BeforeTheWrite).await;
    world.advance(world.config.lease + Duration::from_secs(1));
    assert_eq!(world.tick().await.plans_written_back, 1);
    assert_eq!(world.iterations(&id).await.len(), 1);
}

#[tokio::test]
async fn missions_w2_a_crash_after_the_write_plans_nothing_again() {
    let (world, id) = crash(Dies::AfterTheWrite).await;
    world.store.release_all().await.expect("the store writes");
    world.advance(world.config.lease + Duration::from_secs(1));
    let report = world.tick().await;
    assert_eq!(report.due_mission_count, 0, "{report:?}");
    assert_eq!(world.iterations(&id).await.len(), 1);
    assert_eq!(world.run_statuses(&id).await.len(), 1);
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2026-11-21T08:00:00Z"))
    );
}

#[tokio::test]
async fn missions_w3_who_lost_the_claim_writes_nothing() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.will_say("Week", task("By the late one"));
    world.llm.close();
    let late = world.another_runner(|store| store);
    let late = tokio::spawn(async move { late.tick().await });
    world.llm.called().await;

    world.advance(world.config.lease + Duration::from_secs(1));
    let runner = world.runner.clone();
    let winner = tokio::spawn(async move { runner.tick().await });
    world.llm.called().await;
    world.llm.open();
    let reports = [late.await.expect("ends"), winner.await.expect("ends")];
    let written: usize = reports.iter().map(|report| report.plans_written_back).sum();
    assert_eq!(written, 1, "{reports:?}");
    assert_eq!(reports[0].plans_produced, 1, "{reports:?}");
    assert!(
        reports[0].errors[0].starts_with("lease-lost"),
        "{reports:?}"
    );
    assert_eq!(world.iterations(&id).await.len(), 1);
}

#[tokio::test]
async fn missions_w4_a_run_that_keeps_crashing_fails_without_another_call() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    for _ in 0..3 {
        let died = Arc::new(Notify::new());
        let when = Dies::BeforeTheWrite;
        let doomed = world.another_runner(|inner| Dying::around(inner, when, died.clone()));
        let dead = tokio::spawn(async move { doomed.tick().await });
        died.notified().await;
        dead.abort();
        world.store.release_all().await.expect("the store writes");
    }
    let calls = world.llm.calls();
    world.tick().await;
    assert_eq!(world.llm.calls(), calls);
    let iteration = world.iterations(&id).await.pop().expect("an iteration");
    assert_eq!(iteration.error.expect("an error").code, "interrupted");
    assert_eq!(world.runs(&id).await[0].status, RunStatus::Failed);
}

#[tokio::test]
async fn missions_t9_a_cadence_changed_between_the_look_and_the_push_keeps_its_next_run() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let cadence = json!({"kind": "daily", "atHour": 20, "atMinute": 0});
    let fields = json!({"cadence": {"value": cadence, "updatedAt": at(MORNING)}});
    let change = json!({"eventId": "meanwhile", "appId": "ai", "table": "aiMissions", "id": id, "op": "update",
        "at": at(MORNING), "actor": {"kind": "user"}, "fields": fields});
    let theirs = Push::new(
        "phone",
        vec![Change::parse(change).expect("a change")],
        at(MORNING),
    );
    let runner = world.another_runner(|inner| {
        Arc::new(Dying {
            inner,
            when: Dies::Never,
            died: Arc::default(),
            meanwhile: Mutex::new([theirs].into()),
        })
    });
    let report = runner.tick().await;
    assert_eq!(report.plans_written_back, 1, "{report:?}");
    assert_eq!(world.llm.calls(), 1, "the model is not asked again");
    let mission = world.mission_now(&id).await;
    assert_eq!(
        (mission.iterations.len(), mission.next_run_at),
        (1, Some(at("2026-11-20T20:00:00Z")))
    );
}

#[tokio::test]
async fn missions_t4_a_clock_that_jumps_makes_no_occurrence_twice_and_leaves_none_out() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"overlap": "allow"})).await;
    world.set_clock(MORNING);
    assert_eq!(world.tick().await.plans_written_back, 1);
    // Two days back, over the same morning again, and three days ahead.
    for (clock, due) in [
        ("2026-11-18T08:00:00Z", 0),
        ("2026-11-20T08:00:00Z", 0),
        ("2026-11-20T08:00:01Z", 0),
        ("2026-11-23T08:00:00Z", 1),
        ("2026-11-21T08:00:00Z", 0),
        ("2026-11-23T08:00:00Z", 0),
    ] {
        world.set_clock(clock);
        assert_eq!(world.tick().await.due_mission_count, due, "at {clock}");
    }
    let slots: Vec<String> = world
        .runs(&id)
        .await
        .into_iter()
        .map(|run| run.slot)
        .collect();
    // The 21st and the 22nd were missed, which is one record.
    let days = ["20", "21", "23"];
    let expected = days.map(|day| slot::due(at(&format!("2026-11-{day}T08:00:00Z"))));
    assert_eq!(slots, expected);
}
