//! Times that nobody expects: waits of years, zones whose midnight is missing, clocks that go back during an outage,
//! and missions that are paused, moved or deleted while a run is tried again.

use std::time::Duration;

use mana_ai::LlmError;
use mana_core::mission::RunStatus::{Failed, Missed, Ran, Skipped};
use mana_core::mission::{MissionState, slot};
use mana_store::Schedule as _;
use mana_sync::{AcceptPush, Origin};
use serde_json::json;

use crate::test_llm::{say, task};
use crate::world::{MORNING, World, at};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn away() -> LlmError {
    LlmError::new("provider_unreachable", "Nobody answers.")
}

fn limited(wait: Duration) -> LlmError {
    LlmError {
        retry_after: Some(wait),
        ..LlmError::new("rate_limit_exceeded", "It asks to wait.")
    }
}

#[tokio::test]
async fn missions_e6_a_retry_after_of_years_never_passes_the_next_occurrence() {
    let tomorrow = at("2026-11-21T08:00:00Z");
    for seconds in [2 * 86_400, 315_360_000, u64::from(u32::MAX) + 1, u64::MAX] {
        let world = World::new().await;
        let id = world.daily_mission("Week").await;
        world
            .llm
            .is_away(Some(limited(Duration::from_secs(seconds))));
        world.pass_until(at(MORNING).plus(60 * MINUTE)).await;
        assert_eq!(world.llm.calls(), 1, "{seconds}: it asked to be left alone");
        let mission = world.mission_now(&id).await;
        assert_eq!((mission.next_run_at, mission.failures), (Some(tomorrow), 0));
        world.llm.is_away(None);
        world.pass_until(tomorrow).await;
        let statuses = world.run_statuses(&id).await;
        assert_eq!(statuses, [(at(MORNING), Failed), (tomorrow, Ran)]);
    }
}

#[tokio::test]
async fn missions_e7_a_retry_after_of_nothing_is_no_reason_to_ask_at_once() {
    let world = World::new().await;
    world.daily_mission("Week").await;
    world.llm.is_away(Some(limited(Duration::ZERO)));
    world.pass_until(at(MORNING).plus(31 * MINUTE)).await;
    assert_eq!(world.llm.calls(), 5, "at 0, 2, 6, 14 and 30 minutes");
}

#[tokio::test]
async fn missions_t6_what_is_too_late_to_catch_up_is_not_tried_again_either() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"catchUpMinutes": 10})).await;
    world.llm.is_away(Some(away()));
    world.pass_until(at(MORNING).plus(7 * MINUTE)).await;
    let asked = world.llm.calls();
    assert_eq!(asked, 3, "at 0, 2 and 6 minutes; 14 would be too late");
    world.llm.is_away(None);
    world.pass_until(at("2026-11-21T07:59:00Z")).await;
    assert_eq!(world.llm.calls(), asked);
    let run = world.runs(&id).await.remove(0);
    assert_eq!((run.status, run.attempts), (Failed, 3));
    let details = json!(run.details);
    assert_eq!(details["next"], "next", "{details}");
    world.pass_until(at("2026-11-21T08:00:00Z")).await;
    assert_eq!(world.llm.calls(), asked + 1);
}

#[tokio::test]
async fn missions_e6_after_a_night_off_the_newest_occurrence_runs_and_not_the_one_tried_again() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.is_away(Some(away()));
    world.pass_until(at(MORNING).plus(15 * MINUTE)).await;
    world.llm.is_away(None);
    world.set_clock("2026-11-23T09:00:00Z");
    world.tick().await;
    let day = |day: u32| at(&format!("2026-11-{day}T08:00:00Z"));
    let newest = world.iterations(&id).await.pop().expect("an iteration");
    assert_eq!(newest.slot, slot::due(day(23)));
    let runs = world.runs(&id).await;
    let told: Vec<_> = runs.iter().map(|run| run.status).collect();
    assert_eq!(told, [Failed, Missed, Ran], "{runs:?}");
    assert_eq!(
        json!(runs[1].details),
        json!({"madeUp": true, "count": 2, "first": day(21), "last": day(22)})
    );
    assert_eq!(
        (runs[0].slot.clone(), runs[2].attempts),
        (slot::due(day(20)), 1)
    );
    assert_eq!(world.mission_now(&id).await.next_run_at, Some(day(24)));
}

#[tokio::test]
async fn missions_n5_a_mission_that_is_paused_and_resumed_during_an_outage_waits_for_its_time() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.is_away(Some(away()));
    world.pass_until(at(MORNING).plus(7 * MINUTE)).await;
    let asked = world.llm.calls();
    world.update(&id, json!({"state": "paused"})).await;
    world.pass_until(at(MORNING).plus(60 * MINUTE)).await;
    world.update(&id, json!({"state": "active"})).await;
    world.llm.is_away(None);
    world.pass_until(at("2026-11-21T07:59:00Z")).await;
    assert_eq!(world.llm.calls(), asked, "the old occurrence is over");
    world.pass_until(at("2026-11-21T08:00:00Z")).await;
    assert_eq!(world.llm.calls(), asked + 1);
}

#[tokio::test]
async fn missions_n9_a_mission_that_is_deleted_during_an_outage_leaves_nothing_due() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.is_away(Some(away()));
    world.pass_until(at(MORNING).plus(7 * MINUTE)).await;
    let asked = world.llm.calls();
    world
        .write("ai", "aiMissions", &id, "delete", json!({}))
        .await;
    world.tick().await;
    assert_eq!(
        world.store.next_wake().await.expect("the store reads"),
        None
    );
    world.pass_until(at(MORNING).plus(2 * DAY)).await;
    assert_eq!(world.llm.calls(), asked);
}

#[tokio::test]
async fn missions_n8_a_clock_that_goes_back_during_an_outage_keeps_no_mission_waiting() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.is_away(Some(away()));
    // The clock is a month ahead, and the model away; then both are put right.
    world.set_clock("2026-12-20T08:00:00Z");
    world.tick().await;
    world.pass_until(at("2026-12-20T08:20:00Z")).await;
    world.llm.is_away(None);
    world.set_clock("2026-11-20T12:00:00Z");
    world.tick().await;
    let mission = world.mission_now(&id).await;
    assert_eq!(mission.next_run_at, Some(at("2026-11-21T08:00:00Z")));
    let calls = world.llm.calls();
    world.pass_until(at("2026-11-21T08:00:00Z")).await;
    assert_eq!(world.llm.calls(), calls + 1);
}

#[tokio::test]
async fn missions_c6_a_midnight_that_is_missing_comes_at_the_first_minute_of_its_day() {
    let world = World::new().await;
    // Cairo puts its clocks forward at midnight of the last Friday of April.
    world.set_clock("2026-04-22T12:00:00Z");
    let midnight = json!({"cadence": {"kind": "daily", "atHour": 0, "atMinute": 0},
        "timezone": "Africa/Cairo", "overlap": "allow"});
    let id = world.mission("Night", midnight).await;
    world.pass_until(at("2026-04-25T12:00:00Z")).await;
    let nights = [
        "2026-04-22T22:00:00Z",
        "2026-04-23T22:00:00Z",
        "2026-04-24T21:00:00Z",
    ];
    let statuses = world.run_statuses(&id).await;
    assert_eq!(statuses, nights.map(|night| (at(night), Ran)));
}

#[tokio::test]
async fn missions_e4_a_weekly_mission_that_fails_by_itself_is_paused_after_five_weeks() {
    let world = World::new().await;
    let weekly = json!({"cadence": {"kind": "weekly", "dayOfWeek": 5, "atHour": 8, "atMinute": 0}});
    let id = world.mission("Week", weekly).await;
    for _ in 0..30 {
        world.llm.will_say("Week", say("prose"));
    }
    world.pass_until(at("2026-12-17T12:00:00Z")).await;
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.state, mission.failures), (MissionState::Active, 4));
    world.pass_until(at("2026-12-18T12:00:00Z")).await;
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.state, mission.failures), (MissionState::Paused, 5));
    let told = world.runs(&id).await.into_iter().map(|run| run.status);
    assert_eq!(Vec::from_iter(told), [Failed; 5]);
}

#[tokio::test]
async fn missions_e7_an_outage_between_two_bad_answers_neither_counts_nor_forgets() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    for _ in 0..4 {
        world.llm.will_say("Week", say("prose"));
    }
    world.pass_until(at("2026-11-20T12:00:00Z")).await;
    assert_eq!(world.mission_now(&id).await.failures, 1);
    world.llm.is_away(Some(away()));
    world.pass_until(at("2026-11-24T07:00:00Z")).await;
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.state, mission.failures), (MissionState::Active, 1));
    world.llm.is_away(None);
    world.llm.will_say("Week", task("Milk"));
    world.pass_until(at("2026-11-24T08:00:00Z")).await;
    assert_eq!(world.mission_now(&id).await.failures, 0);
}

#[tokio::test]
async fn missions_c8_a_stored_zone_that_this_server_does_not_know_is_the_accounts() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    // As a server with newer zones wrote it, whose database this one opens.
    let change = json!({"eventId": "newer", "appId": "ai", "table": "aiMissions", "id": id, "op": "update",
        "at": world.now(), "actor": {"kind": "system", "source": "mission-runner"},
        "fields": {"timezone": {"value": "Europe/Atlantis", "updatedAt": world.now().plus(1)}}});
    let push = AcceptPush::new(Origin::Runner, "mana-runner", vec![change]);
    let taken = world.sync.accept(&world.scope(), push, world.now()).await;
    taken.expect("the log holds it already");
    let tomorrow = at("2026-11-21T08:00:00Z");
    let mission = world.mission_now(&id).await;
    assert_eq!(
        mission.next_run_at,
        Some(tomorrow),
        "eight in UTC, the account's"
    );
    world.pass_until(tomorrow).await;
    assert_eq!(world.run_statuses(&id).await, [(tomorrow, Ran)]);
}

#[tokio::test]
async fn missions_n3_a_device_whose_clock_began_in_1970_causes_no_flood() {
    let world = World::new().await;
    let every = json!({"cadence": {"kind": "interval", "everyMinutes": 1},
        "nextRunAt": "1970-01-01T00:00:00Z"});
    let id = world.mission("Minute", every).await;
    world.llm.will_say("Minute", task("Milk"));
    world.tick().await;
    let runs = world.runs(&id).await;
    let told: Vec<_> = runs.iter().map(|run| run.status).collect();
    assert_eq!(told, [Missed, Ran], "{runs:?}");
    assert_eq!(world.llm.calls(), 1);
    let next = world.mission_now(&id).await.next_run_at;
    assert!(next.is_some_and(|next| next > world.now() && next <= world.now().plus(MINUTE)));
    world.pass_until(world.now().plus(5 * MINUTE)).await;
    let told = world.runs(&id).await.into_iter().map(|run| run.status);
    assert_eq!(
        Vec::from_iter(told),
        [Missed, Ran, Skipped],
        "a row of skips is one"
    );
}
