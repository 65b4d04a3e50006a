//! Every due occurrence leaves exactly one record.

use std::time::Duration;

use mana_core::mission::RunStatus::{Missed, Ran, Skipped};
use mana_core::mission::slot;
use mana_core::{Micros, ids};
use mana_store::{Log as _, Maintenance as _};
use mana_sync::JoinBody;
use serde_json::json;

use crate::test_llm::task;
use crate::world::{MORNING, World, at};

#[tokio::test]
async fn missions_t3_while_a_plan_waits_for_review_the_occurrence_is_skipped_and_says_so() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.tick().await;
    world.set_clock("2026-11-21T08:00:00Z");
    let report = world.tick().await;
    assert_eq!(
        (report.skipped, report.plans_produced),
        (1, 0),
        "{report:?}"
    );
    assert_eq!(world.llm.calls(), 1, "no model is asked");
    let mission = world.mission_now(&id).await;
    assert_eq!(
        (mission.iterations.len(), mission.next_run_at),
        (1, Some(at("2026-11-22T08:00:00Z")))
    );
    let skipped = world.runs(&id).await.pop().expect("a record");
    assert_eq!(
        (skipped.status, skipped.code.as_deref()),
        (Skipped, Some("waiting-for-review"))
    );
    assert!(skipped.reason.expect("a reason").contains("One proposal"));

    world.decide(&id, "approved", None).await;
    world.set_clock("2026-11-22T08:00:00Z");
    assert_eq!(
        world.tick().await.plans_produced,
        1,
        "decided: it runs again"
    );
}

#[tokio::test]
async fn missions_t3_overlap_allow_runs_anyway_and_tells_the_model_what_waits() {
    let world = World::new().await;
    world.llm.will_say("Week", task("Buy oat milk"));
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"overlap": "allow"})).await;
    world.tick().await;
    world.set_clock("2026-11-21T08:00:00Z");
    assert_eq!(world.tick().await.plans_produced, 1);
    let prompt = world.llm.last_prompt();
    let waits = prompt.split("## Waiting").nth(1).expect("the section");
    assert!(waits.contains("\"Buy oat milk\" (create_task"), "{prompt}");
}

#[tokio::test]
async fn missions_t5_after_days_off_the_newest_runs_and_the_others_are_missed() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.set_clock("2026-11-23T09:30:00Z");
    let report = world.tick().await;
    assert_eq!(
        (report.due_mission_count, report.plans_written_back),
        (1, 1),
        "{report:?}"
    );
    let expected = [
        (at("2026-11-20T08:00:00Z"), Missed),
        (at("2026-11-23T09:30:00Z"), Ran),
    ];
    assert_eq!(world.run_statuses(&id).await, expected);
    let missed = world.runs(&id).await.remove(0);
    assert_eq!(
        json!(missed.details),
        json!({"madeUp": true, "count": 3, "first": at(MORNING), "last": at("2026-11-22T08:00:00Z")})
    );
    let reason = missed.reason.expect("a reason");
    assert!(
        reason.ends_with(
            "3 runs in a row, from 08:00 on Friday, 20 November 2026 to 08:00 on Sunday, 22 November 2026."
        ),
        "{reason}"
    );
    assert_eq!(world.iterations(&id).await.len(), 1);
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2026-11-24T08:00:00Z"))
    );
    assert_eq!(world.tick().await.due_mission_count, 0);
}

#[tokio::test]
async fn missions_t5_thousands_of_missed_occurrences_are_one_record() {
    let world = World::new().await;
    let every_minute = json!({"cadence": {"kind": "interval", "everyMinutes": 1}});
    let id = world.mission("Minute", every_minute).await;
    let first = world.mission_now(&id).await.next_run_at.expect("a time");
    for (until, count, more) in [
        ("2026-11-24T08:00:30Z", 5_760, json!(null)),
        ("2026-12-24T08:00:30Z", 10_000, json!(true)),
    ] {
        world.set_clock(until);
        world.decide_all(&id).await;
        assert_eq!(world.tick().await.plans_written_back, 1);
        let runs = world.runs(&id).await;
        let row = runs.iter().rev().find(|run| run.status == Missed);
        let details = json!(row.expect("a row").details);
        let told = details["count"].as_u64().expect("a number");
        assert!((count - 10..=count).contains(&told), "{details}");
        assert_eq!(details["more"], more);
        if more.is_null() {
            assert_eq!(details["first"], json!(first));
        }
        assert!(world.mission_now(&id).await.next_run_at > Some(world.now()));
    }
    assert_eq!(world.runs(&id).await.len(), 4);
}

#[tokio::test]
async fn missions_t3_a_row_of_skips_is_one_record_until_something_else_happens() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.pass_until(at("2026-11-29T12:00:00Z")).await;
    assert_eq!(world.llm.calls(), 1);
    let runs = world.runs(&id).await;
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(
        json!(runs[1].details),
        json!({"proposals": 1, "count": 9, "first": at("2026-11-21T08:00:00Z"), "last": at("2026-11-29T08:00:00Z")})
    );
    assert_eq!(
        runs[1].slot,
        mana_core::mission::slot::due(at("2026-11-21T08:00:00Z"))
    );
    world.decide_all(&id).await;
    world.pass_until(at("2026-12-01T12:00:00Z")).await;
    let codes: Vec<_> = world
        .runs(&id)
        .await
        .into_iter()
        .map(|run| run.code)
        .collect();
    let waiting = Some("waiting-for-review".to_owned());
    assert_eq!(codes, [None, waiting.clone(), None, waiting]);
}

#[tokio::test]
async fn missions_t14_what_a_restore_may_have_lost_is_missed_and_a_run_given_back_wins() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    // The copy is from the 20th; the server is put back on the 22nd at noon.
    world.set_clock("2026-11-22T12:00:00Z");
    let (store, scope) = (world.store.clone(), world.scope());
    store.begin_epoch(&scope, world.now(), false).await.unwrap();
    let report = world.tick().await;
    assert_eq!(
        (report.plans_produced, report.skipped),
        (0, 1),
        "{report:?}"
    );
    let due = [
        "2026-11-20T08:00:00Z",
        "2026-11-21T08:00:00Z",
        "2026-11-22T08:00:00Z",
    ]
    .map(at);
    assert_eq!(world.run_statuses(&id).await, due.map(|at| (at, Missed)));
    let runs = world.runs(&id).await;
    assert!(
        runs.iter()
            .all(|run| run.code.as_deref() == Some("restored")),
        "{runs:?}"
    );
    // A device had the run of the 21st.
    let slot = slot::due(due[1]);
    let record_id = ids::iteration_id(&id, &slot);
    let record = world.record("ai", "aiRuns", &record_id).await.unwrap();
    assert!(
        record.meta.values().all(|stamp| stamp.at == due[1]),
        "{record:?}"
    );
    let ended = due[1].plus(5_000_000);
    let run = json!({"missionId": id, "slot": slot, "status": "ran", "startedAt": due[1], "finishedAt": ended,
        "attempts": 1});
    let stamp = json!({"at": ended, "actor": {"kind": "system", "source": "mission-runner"}});
    let meta: serde_json::Map<_, _> = (run.as_object().unwrap().keys())
        .map(|field| (field.clone(), stamp.clone()))
        .collect();
    let body = JoinBody {
        client_id: None,
        log_epoch: store.identity(&scope).await.unwrap().epoch,
        records: vec![
            json!({"app": "ai", "table": "aiRuns", "id": record_id, "data": run, "meta": meta}),
        ],
        ..JoinBody::default()
    };
    world
        .sync
        .join(&scope, "phone".to_owned(), body, world.now())
        .await
        .unwrap();
    assert_eq!(
        world.run_statuses(&id).await,
        [(due[0], Missed), (due[1], Ran), (due[2], Missed)]
    );
    let given = world.runs(&id).await;
    assert_eq!(
        (given[1].code.as_deref(), given[1].reason.as_deref()),
        (None, None)
    );
    // Occurrences from now on run.
    world.set_clock("2026-11-23T08:00:00Z");
    assert_eq!(world.tick().await.plans_produced, 1);
}

#[tokio::test]
async fn missions_t6_what_is_too_late_to_catch_up_is_missed_and_nothing_runs() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"catchUpMinutes": 60})).await;
    world.set_clock("2026-11-21T10:00:00Z");
    let report = world.tick().await;
    assert_eq!(
        (report.plans_produced, report.skipped),
        (0, 1),
        "{report:?}"
    );
    let expected = [(at(MORNING), Missed), (at("2026-11-21T08:00:00Z"), Missed)];
    assert_eq!(world.run_statuses(&id).await, expected);
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2026-11-22T08:00:00Z"))
    );
}

#[tokio::test]
async fn missions_t8_occurrences_during_a_long_run_are_skipped_with_a_record() {
    let world = World::new().await;
    let id = world
        .mission(
            "Minute",
            json!({"cadence": {"kind": "interval", "everyMinutes": 1}}),
        )
        .await;
    let due = world.mission_now(&id).await.next_run_at.expect("a time");
    world
        .clock
        .store(due.0, std::sync::atomic::Ordering::SeqCst);
    world.llm.close();
    let runner = world.runner.clone();
    let tick = tokio::spawn(async move { runner.tick().await });
    world.llm.called().await;
    world.advance(Duration::from_secs(150));
    world.llm.open();
    tick.await.expect("the tick ends");
    let minute = |n: i64| due.plus(n * 60_000_000);
    let statuses = world.run_statuses(&id).await;
    assert_eq!(statuses, [(due, Ran), (minute(1), Skipped)]);
    let row = world.runs(&id).await.remove(1);
    assert_eq!(row.code.as_deref(), Some("overlap"));
    assert_eq!(
        json!(row.details),
        json!({"count": 2, "first": minute(1), "last": minute(2)})
    );
    assert_eq!(world.mission_now(&id).await.next_run_at, Some(minute(3)));
}

#[tokio::test]
async fn missions_c6_a_daily_mission_runs_once_on_the_day_that_the_clock_jumps() {
    let world = World::new().await;
    world.set_clock("2026-03-28T02:00:00Z");
    let cadence = json!({"cadence": {"kind": "daily", "atHour": 2, "atMinute": 30}, "timezone": "Europe/Berlin",
        "overlap": "allow"});
    let id = world.mission("Night", cadence).await;
    let mut due = Vec::new();
    for _ in 0..3 {
        let next = world.mission_now(&id).await.next_run_at.expect("a time");
        due.push(next);
        world
            .clock
            .store(next.0, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(world.tick().await.plans_written_back, 1);
    }
    // 03:30 summer time on the 29th, then 02:30 again.
    assert_eq!(
        due,
        [
            "2026-03-29T01:30:00Z",
            "2026-03-30T00:30:00Z",
            "2026-03-31T00:30:00Z"
        ]
        .map(at)
    );
}

#[tokio::test]
async fn missions_c7_a_daily_mission_runs_once_on_the_day_with_an_hour_twice() {
    let world = World::new().await;
    world.set_clock("2026-10-24T12:00:00Z");
    let cadence = json!({"cadence": {"kind": "daily", "atHour": 2, "atMinute": 30}, "timezone": "Europe/Berlin",
        "overlap": "allow"});
    let id = world.mission("Night", cadence).await;
    world.set_clock("2026-10-25T00:30:00Z");
    assert_eq!(world.tick().await.plans_written_back, 1);
    world.set_clock("2026-10-25T01:30:00Z");
    assert_eq!(world.tick().await.due_mission_count, 0, "the second 02:30");
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2026-10-26T01:30:00Z"))
    );
}

#[tokio::test]
async fn missions_t9_a_mission_changed_while_the_model_thinks_keeps_what_the_person_set() {
    let world = World::new().await;
    let paused = world.daily_mission("Paused").await;
    let moved = world.daily_mission("Moved").await;
    let deleted = world.daily_mission("Deleted").await;
    world.llm.close();
    let runner = world.runner.clone();
    let tick = tokio::spawn(async move { runner.tick().await });
    for _ in 0..3 {
        world.llm.called().await;
    }
    world.update(&paused, json!({"state": "paused"})).await;
    world
        .update(
            &moved,
            json!({"cadence": {"kind": "daily", "atHour": 20, "atMinute": 0}}),
        )
        .await;
    world
        .update(&deleted, json!({"deletedAt": world.now()}))
        .await;
    world.llm.open();
    tick.await.expect("the tick ends");

    let mission = world.mission_now(&paused).await;
    assert_eq!(
        (mission.next_run_at, mission.iterations.len()),
        (None, 1),
        "the plan is kept, the pause too"
    );
    let mission = world.mission_now(&moved).await;
    assert_eq!(
        (mission.next_run_at, mission.iterations.len()),
        (Some(at("2026-11-20T20:00:00Z")), 1)
    );
    assert_eq!(world.mission_now(&deleted).await.iterations.len(), 0);
    assert_eq!(world.tick().await.due_mission_count, 0);
}

#[tokio::test]
async fn missions_t10_a_manual_mission_is_never_due() {
    let world = World::new().await;
    let id = world
        .mission("Manual", json!({"cadence": {"kind": "manual"}}))
        .await;
    world.set_clock("2036-01-01T00:00:00Z");
    assert_eq!(world.tick().await.due_mission_count, 0);
    assert_eq!(world.mission_now(&id).await.next_run_at, None::<Micros>);
}

#[tokio::test]
async fn missions_n8_a_next_run_beyond_the_next_occurrence_heals() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let far = at("2031-01-01T08:00:00Z");
    world.update(&id, json!({"nextRunAt": far})).await;
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2026-11-21T08:00:00Z")),
        "a device's clock was wrong"
    );
    let manual = world
        .mission(
            "Once",
            json!({"cadence": {"kind": "manual"}, "nextRunAt": far}),
        )
        .await;
    assert_eq!(
        world.mission_now(&manual).await.next_run_at,
        Some(far),
        "there is no occurrence"
    );

    world.update(&id, json!({"overlap": "allow"})).await;
    world.set_clock("2030-06-01T12:00:00Z");
    world.tick().await;
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2030-06-02T08:00:00Z"))
    );
    world.set_clock("2026-11-21T12:00:00Z");
    world.tick().await;
    assert_eq!(
        world.mission_now(&id).await.next_run_at,
        Some(at("2026-11-22T08:00:00Z")),
        "the server's clock was wrong"
    );
    world.set_clock("2026-11-22T08:00:00Z");
    assert_eq!(world.tick().await.plans_written_back, 1);
}

#[tokio::test]
async fn missions_c8_an_unknown_time_zone_is_refused_by_its_field() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    for zone in ["GMT+2", "UTC+2", " Europe/Berlin ", "Europe/Atlantis"] {
        let refused = world
            .try_update(&id, json!({"timezone": zone}))
            .await
            .expect_err(zone);
        let said = refused.to_string();
        assert!(said.contains("`timezone`") && said.contains(zone), "{said}");
    }
    world
        .update(&id, json!({"timezone": "Asia/Calcutta"}))
        .await;
    world.update(&id, json!({"timezone": null})).await;
}
