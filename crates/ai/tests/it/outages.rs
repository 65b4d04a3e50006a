//! The model is away: nothing is paused, the log is told of the first and the last attempt of an occurrence, and one
//! run comes at the model's return.

use std::time::Duration;

use mana_ai::LlmError;
use mana_core::Micros;
use mana_core::mission::RunStatus::{self, Failed, Ran};
use mana_core::mission::{MissionState, slot};
use mana_store::Schedule as _;
use serde_json::json;

use crate::test_llm::{say, task};
use crate::world::{MORNING, World, at};

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;

fn unreachable() -> LlmError {
    LlmError::new(
        "provider_unreachable",
        "Nobody answers at the model’s address.",
    )
}

/// The minutes after the morning at which the model was asked.
async fn asked_until(world: &World, end: Micros) -> Vec<i64> {
    let mut asked = Vec::new();
    while let Some(wake) = world.store.next_wake().await.expect("the store reads") {
        if wake > end {
            break;
        }
        let calls = world.llm.calls();
        world.pass_until(wake.max(world.now())).await;
        if world.llm.calls() > calls {
            asked.push((world.now().0 - at(MORNING).0) / MINUTE);
        }
    }
    world.pass_until(end).await;
    asked
}

#[tokio::test]
async fn missions_e7_a_model_that_is_away_for_an_hour_is_asked_at_growing_intervals() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.is_away(Some(unreachable()));
    let rows = || async {
        let of = mana_store::ChangesQuery {
            app: Some("ai".into()),
            tables: Vec::new(),
            since: mana_store::Cursor::BEGINNING,
            limit: 1_000,
            ..Default::default()
        };
        use mana_store::Log as _;
        world
            .store
            .changes(&world.scope(), of)
            .await
            .expect("reads")
            .changes
            .len()
    };
    assert_eq!(asked_until(&world, at(MORNING)).await, [0]);
    let after_first = rows().await;
    let mission = world.mission_now(&id).await;
    let error = mission.iterations[0].error.clone().expect("an error");
    assert_eq!(
        json!(error.details),
        json!({"side": "model", "next": "retry", "at": at(MORNING).plus(2 * MINUTE),
            "until": at("2026-11-21T08:00:00Z"), "everyMinutes": 30})
    );
    assert!(
        error.message.contains("tries again at 08:02")
            && error.message.contains("every 30 minutes"),
        "{}",
        error.message
    );
    assert_eq!(
        asked_until(&world, at(MORNING).plus(59 * MINUTE)).await,
        [2, 6, 14, 30]
    );
    assert_eq!(
        rows().await,
        after_first,
        "the log is told of the first attempt only"
    );
    assert_eq!(world.run_statuses(&id).await, [(at(MORNING), Failed)]);

    world.llm.is_away(None);
    assert_eq!(asked_until(&world, at(MORNING).plus(3 * HOUR)).await, [60]);
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.state, mission.failures), (MissionState::Active, 0));
    assert_eq!(mission.iterations.len(), 1);
    assert_eq!(mission.iterations[0].error, None);
    let runs = world.runs(&id).await;
    assert_eq!((runs.len(), runs[0].status, runs[0].attempts), (1, Ran, 6));
    assert_eq!(mission.next_run_at, Some(at("2026-11-21T08:00:00Z")));
}

#[tokio::test]
async fn missions_e7_a_night_without_the_model_fails_each_occurrence_once_and_runs_once_after_it() {
    let world = World::new().await;
    world.set_clock("2026-11-20T21:30:00Z");
    let hourly =
        json!({"cadence": {"kind": "cron", "expression": "0 * * * *"}, "overlap": "allow"});
    let id = world.mission("Hourly", hourly).await;
    world.llm.is_away(Some(unreachable()));
    world.pass_until(at("2026-11-21T06:40:00Z")).await;
    let runs = world.runs(&id).await;
    assert_eq!(runs.len(), 9, "22:00 to 06:00, each told once");
    assert!(runs.iter().all(|run| run.status == Failed));
    for run in &runs[..8] {
        assert_eq!(run.attempts, 5, "at 0, 2, 6, 14 and 30 minutes");
        assert_eq!(run.details.as_ref().expect("details")["next"], "next");
        let reason = run.reason.as_deref().expect("a reason");
        assert!(
            reason.contains("Mana tried 5 times. The next run is due at"),
            "{reason}"
        );
    }
    let calls = world.llm.calls();
    world.llm.is_away(None);
    world.pass_until(at("2026-11-21T06:59:00Z")).await;
    assert_eq!(
        world.llm.calls(),
        calls,
        "the last attempt before seven was at 06:30"
    );
    world.pass_until(at("2026-11-21T07:30:00Z")).await;
    assert_eq!(world.llm.calls(), calls + 1);
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.state, mission.failures), (MissionState::Active, 0));
    assert_eq!(
        mission.iterations.len(),
        2,
        "a night of failures is one iteration"
    );
    assert_eq!(
        mission.iterations[1].slot,
        slot::due(at("2026-11-21T07:00:00Z"))
    );
}

#[tokio::test]
async fn missions_e7_a_week_without_the_model_pauses_nothing_and_tells_every_day() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.is_away(Some(unreachable()));
    world.pass_until(at("2026-11-27T07:50:00Z")).await;
    let statuses = world.run_statuses(&id).await;
    let days = (20..27).map(|day| (at(&format!("2026-11-{day}T08:00:00Z")), Failed));
    assert_eq!(statuses, Vec::from_iter(days));
    world.llm.is_away(None);
    let calls = world.llm.calls();
    world.pass_until(at("2026-11-27T12:00:00Z")).await;
    assert_eq!(world.llm.calls(), calls + 1, "one run at its return");
    let mission = world.mission_now(&id).await;
    assert_eq!(mission.state, MissionState::Active);
    assert_eq!((mission.failures, mission.iterations.len()), (0, 2));
}

#[tokio::test]
async fn missions_e7_retry_after_is_honoured_and_refusals_to_ask_count_for_nothing() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let limited = LlmError {
        retry_after: Some(Duration::from_secs(3600)),
        ..LlmError::new("rate_limit_exceeded", "It asks to wait an hour.")
    };
    world.llm.is_away(Some(limited));
    assert_eq!(
        asked_until(&world, at(MORNING).plus(50 * MINUTE)).await,
        [0]
    );
    let paused = LlmError::new("provider_paused", "It is left alone for a while.");
    world.llm.is_away(Some(paused));
    assert_eq!(
        asked_until(&world, at(MORNING).plus(120 * MINUTE)).await,
        [60, 64, 72, 88, 118]
    );
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.state, mission.failures), (MissionState::Active, 0));
}

#[tokio::test]
async fn missions_e7_a_postponed_run_is_asked_for_and_outlives_a_restart() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.is_away(Some(unreachable()));
    world.pass_until(at(MORNING).plus(20 * MINUTE)).await;
    // After a restart the time still stands.
    world.store.release_all().await.expect("the store writes");
    world.llm.is_away(None);
    assert_eq!(world.tick().await.due_mission_count, 0);
    world.request(&id, &slot::due(at(MORNING)), None).await;
    assert_eq!(
        world.tick().await.plans_written_back,
        1,
        "a person does not wait"
    );
    assert_eq!(
        world.store.next_wake().await.expect("reads"),
        Some(at("2026-11-21T08:00:00Z"))
    );
}

#[tokio::test]
async fn missions_e7_each_kind_of_failure_counts_on_its_side() {
    let cases: Vec<(&str, Option<LlmError>, u32)> = vec![
        ("provider_unreachable", Some(unreachable()), 0),
        (
            "provider_timeout",
            Some(LlmError::new("provider_timeout", "Too slow.")),
            0,
        ),
        (
            "provider_error",
            Some(LlmError::new("provider_error", "503")),
            0,
        ),
        (
            "provider_paused",
            Some(LlmError::new("provider_paused", "Later.")),
            0,
        ),
        (
            "rate_limit_exceeded",
            Some(LlmError::new("rate_limit_exceeded", "Later.")),
            0,
        ),
        (
            "model_not_found",
            Some(LlmError::new("model_not_found", "Gone.")),
            0,
        ),
        (
            "provider_refused_key",
            Some(LlmError::new("provider_refused_key", "No.")),
            0,
        ),
        (
            "provider_error",
            Some(LlmError {
                refused: true,
                ..LlmError::new("provider_error", "400")
            }),
            1,
        ),
        ("prose", None, 1),
    ];
    for (code, error, failures) in cases {
        let world = World::new().await;
        let id = world.daily_mission("Week").await;
        for _ in 0..4 {
            world.llm.will_say("Week", say("prose"));
        }
        world.llm.is_away(error);
        world.tick().await;
        let mission = world.mission_now(&id).await;
        assert_eq!(mission.failures, failures, "{code}");
        let error = mission.iterations[0].error.as_ref().expect("an error");
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn missions_e7_plans_are_not_pushed_out_by_failures() {
    let world = World::new().await;
    let every = json!({"cadence": {"kind": "interval", "everyMinutes": 1}, "overlap": "allow"});
    let id = world.mission("Minute", every).await;
    world.llm.will_say("Minute", task("Milk"));
    world.pass_until(world.now().plus(90_000_000)).await;
    world.llm.is_away(Some(unreachable()));
    world.pass_until(world.now().plus(150 * MINUTE)).await;
    let mission = world.mission_now(&id).await;
    assert_eq!(mission.iterations.len(), 2);
    assert_eq!(mission.iterations[0].plan.len(), 1);
    let failed = |run: &&mana_core::mission::AiRun| run.status == RunStatus::Failed;
    assert_eq!(world.runs(&id).await.iter().filter(failed).count(), 150);
}
