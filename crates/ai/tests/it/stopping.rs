//! The runner's loop: it wakes at due times, and stops without leaving anything behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mana_ai::{Runner, RunnerConfig, RunnerParts};
use mana_core::Micros;
use mana_store::{RunPhase, RunProgress};
use mana_sync::{Notice, Subscription};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// A time limit far above the time that any test here takes.
const LONG: Duration = Duration::from_secs(20);

fn real_now() -> Micros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    Micros(since.as_micros() as i64)
}

/// A runner by the real clock.
fn real_runner(world: &World, config: RunnerConfig) -> Arc<Runner> {
    world.clock.store(real_now().0, Ordering::SeqCst);
    Arc::new(Runner::new(RunnerParts {
        store: world.store.clone(),
        sync: world.sync.clone(),
        llm: world.llm.clone(),
        registry: world.registry.clone(),
        accounts: world.store.clone(),
        ledger: world.store.clone(),
        config,
        clock: Arc::new(real_now),
    }))
}

async fn finished(listener: &mut Subscription) -> String {
    let wait = async {
        loop {
            if let Notice::Run(RunProgress {
                slot,
                phase: RunPhase::Finished,
                ..
            }) = listener.recv().await
            {
                return slot;
            }
        }
    };
    timeout(LONG, wait).await.expect("a run ends")
}

#[tokio::test]
async fn missions_t12_a_due_time_wakes_the_runner_by_itself() {
    let world = World::new().await;
    // The interval alone would wake the runner far too late.
    let runner = real_runner(
        &world,
        RunnerConfig {
            tick_interval: LONG * 10,
            ..RunnerConfig::default()
        },
    );
    let mut listener = world.hub.subscribe(&world.user);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(runner.run_until(shutdown.clone()));
    let soon = real_now().plus(300_000);
    world
        .mission(
            "Soon",
            json!({"cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}, "nextRunAt": soon}),
        )
        .await;
    let slot = finished(&mut listener).await;
    assert_eq!(slot, mana_core::mission::slot::due(soon));
    shutdown.cancel();
    timeout(LONG, running)
        .await
        .expect("it stops")
        .expect("without a panic");
}

#[tokio::test]
async fn missions_t13_with_the_tick_switched_off_only_requests_and_ticks_run() {
    let world = World::new().await;
    let config = RunnerConfig {
        enabled: false,
        tick_interval: LONG * 10,
        ..RunnerConfig::default()
    };
    let runner = real_runner(&world, config);
    let mut listener = world.hub.subscribe(&world.user);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(runner.clone().run_until(shutdown.clone()));
    let past = real_now().plus(-1_000_000);
    let daily =
        json!({"cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}, "nextRunAt": past});
    let due = world.mission("Due", daily).await;
    let asked = world
        .mission("Asked", json!({"cadence": {"kind": "manual"}}))
        .await;
    world.request(&asked, "run:one", None).await;
    assert_eq!(finished(&mut listener).await, "run:one");
    assert_eq!(world.iterations(&due).await.len(), 0);
    assert_eq!(runner.tick().await.plans_written_back, 1);
    assert_eq!(world.iterations(&due).await.len(), 1);
    shutdown.cancel();
    timeout(LONG, running)
        .await
        .expect("it stops")
        .expect("without a panic");
}

#[tokio::test]
async fn missions_w5_a_stop_lets_a_run_end_that_ends_in_time() {
    let world = World::with(RunnerConfig {
        stop_grace: LONG,
        ..RunnerConfig::default()
    })
    .await;
    let id = world.daily_mission("Week").await;
    world.llm.close();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(world.runner.clone().run_until(shutdown.clone()));
    world.llm.called().await;
    shutdown.cancel();
    world.llm.open();
    timeout(LONG, running)
        .await
        .expect("it stops")
        .expect("without a panic");
    assert_eq!(world.iterations(&id).await.len(), 1);
}

#[tokio::test]
async fn missions_w5_a_stop_gives_back_what_takes_too_long() {
    let world = World::with(RunnerConfig {
        stop_grace: Duration::from_millis(20),
        ..RunnerConfig::default()
    })
    .await;
    let id = world.daily_mission("Week").await;
    world.llm.close();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(world.runner.clone().run_until(shutdown.clone()));
    world.llm.called().await;
    shutdown.cancel();
    timeout(LONG, running)
        .await
        .expect("it stops")
        .expect("without a panic");
    assert_eq!(world.iterations(&id).await.len(), 0);

    world.llm.open();
    let next = world.another_runner(|store| store);
    let report = next.tick().await;
    assert_eq!(
        report.plans_written_back, 1,
        "no lease is waited for: {report:?}"
    );
    assert_eq!(
        world.runs(&id).await[0].attempts,
        1,
        "a stop is no failed attempt"
    );
    assert_eq!(world.runner.tick().await.due_mission_count, 0);
}
