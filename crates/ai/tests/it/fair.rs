//! Fairness: a person never waits for another person's thousand missions, and never takes all permits.

use std::time::Duration;

use mana_ai::RunnerConfig;
use mana_core::ids;
use mana_store::{RunRequest, Scope, UserId};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::World;

async fn ask(world: &World, user: &UserId, mission_id: &str) {
    let request = RunRequest {
        mission_id: mission_id.to_owned(),
        slot: "run:one".to_owned(),
        iteration_id: ids::iteration_id(mission_id, "run:one"),
        not_before: world.now(),
        inputs: None,
    };
    let asked = world.sync.request_run(&Scope::own(user), request).await;
    asked.expect("the store writes");
}

/// The people whose calls the model got, in their order.
fn callers(world: &World) -> Vec<UserId> {
    let requests = world.llm.requests.lock().expect("unpoisoned");
    requests
        .iter()
        .map(|request| request.user.clone())
        .collect()
}

#[tokio::test]
async fn missions_w6_one_persons_thousand_missions_do_not_delay_anothers_one() {
    let places = 4;
    let world = World::with(RunnerConfig {
        parallel: places,
        per_user: places,
        stop_grace: Duration::from_millis(1),
        ..RunnerConfig::default()
    })
    .await;
    let other = world.another_user().await;
    world.due_missions(&world.user, 1_000).await;
    world.due_missions(&other, 1).await;
    // A mission that is not due, requested when the thousand hold every permit.
    world.llm.close();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(world.runner.clone().run_until(shutdown.clone()));
    for _ in 0..places {
        world.llm.called().await;
    }
    let first = callers(&world);
    assert!(
        first.contains(&other),
        "{first:?}: the other one is among the first"
    );
    world.llm.open();
    // Their run has ended. Their next request comes before the 996 that waited.
    ask(&world, &other, "m0").await;
    let place = loop {
        world.llm.called().await;
        let callers = callers(&world);
        let others = callers
            .iter()
            .enumerate()
            .filter(|(_, user)| **user == other);
        if let Some((place, _)) = others.skip(1).last() {
            break place;
        }
    };
    assert!(place < 100, "it was the {place}th of a thousand");
    shutdown.cancel();
    running.await.expect("it stops");
}

#[tokio::test]
async fn missions_w6_one_person_has_so_many_runs_at_a_time() {
    let world = World::with(RunnerConfig {
        parallel: 8,
        per_user: 2,
        stop_grace: Duration::from_millis(1),
        ..RunnerConfig::default()
    })
    .await;
    let other = world.another_user().await;
    world.due_missions(&world.user, 10).await;
    world.llm.close();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(world.runner.clone().run_until(shutdown.clone()));
    for _ in 0..2 {
        world.llm.called().await;
    }
    world.due_missions(&other, 3).await;
    for _ in 0..2 {
        world.llm.called().await;
    }
    let (one, two) = (&world.user, &other);
    assert_eq!(callers(&world), [one, one, two, two].map(UserId::clone));
    shutdown.cancel();
    running.await.expect("it stops");
}

#[tokio::test]
async fn missions_w6_a_tick_runs_all_of_a_person_though_only_so_many_at_a_time() {
    let world = World::with(RunnerConfig {
        parallel: 8,
        per_user: 2,
        ..RunnerConfig::default()
    })
    .await;
    world.due_missions(&world.user, 9).await;
    let report = world.tick().await;
    assert_eq!(
        (report.due_mission_count, report.plans_written_back),
        (9, 9),
        "{report:?}"
    );
}

#[tokio::test]
async fn missions_w6_an_agent_runs_so_many_missions_at_a_time() {
    let world = World::with(RunnerConfig {
        parallel: 8,
        per_user: 8,
        ..RunnerConfig::default()
    })
    .await;
    let only_one = json!({"name": "Careful", "concurrency": 1});
    world
        .write("ai", "aiAgents", "default", "insert", only_one)
        .await;
    world.due_missions(&world.user, 3).await;
    let other = world.another_user().await;
    world.due_missions(&other, 2).await;
    world.llm.close();
    let runner = world.runner.clone();
    let ticking = tokio::spawn(async move { runner.tick().await });
    for _ in 0..3 {
        world.llm.called().await;
    }
    let callers = callers(&world);
    let mine = callers.iter().filter(|user| **user == world.user).count();
    assert_eq!(
        (callers.len(), mine),
        (3, 1),
        "the other person has an agent of their own"
    );
    world.llm.open();
    let report = ticking.await.expect("the tick ends");
    assert_eq!(report.plans_written_back, 5, "{report:?}");
}
