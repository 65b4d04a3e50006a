//! Failed runs: they are visible, leave other missions alone, and are retried with growing waits.

use std::time::Duration;

use mana_ai::LlmError;
use mana_core::mission::{MissionState, RunStatus, slot};
use serde_json::json;

use crate::test_llm::{Said, say, step, steps, task};
use crate::world::{World, at};

fn without(field: &str) -> Said {
    let mut one = step("Milk");
    one.as_object_mut().expect("an object").remove(field);
    steps(json!([one]))
}

#[tokio::test]
async fn missions_e1_each_bad_answer_is_a_failed_iteration_with_its_reason_and_the_next_mission_runs()
 {
    let with = |field: &str, value: serde_json::Value| {
        let mut one = step("Milk");
        one[field] = value;
        steps(json!([one]))
    };
    let upstream = |code: &str, message: &str| -> Said { Err(LlmError::new(code, message)) };
    let cases: Vec<(&str, Said, &str)> = vec![
        (
            "unknown_tool",
            with("toolName", json!("send_email")),
            "send_email",
        ),
        ("no_rationale", without("rationale"), "no rationale"),
        (
            "bad_params",
            with("params", json!({"title": "Milk", "colour": "red"})),
            "colour",
        ),
        (
            "unknown_record",
            with("params", json!({"title": "Run", "goalId": "nope"})),
            "no such record",
        ),
        (
            "prose",
            say("I would rather talk about the weather."),
            "prose",
        ),
        (
            "truncated",
            say("```json\n{\"summary\": \"A plan\", \"steps\": [{\"sum"),
            "breaks off",
        ),
        ("empty_answer", say(""), "empty answer"),
        ("too_large", say(&"x".repeat(100 << 20)), "too large"),
        (
            "timeout",
            upstream("timeout", "The model did not answer within 300 seconds"),
            "did not answer",
        ),
        (
            "rate_limited",
            upstream("rate_limited", "The model has too much to do (429)."),
            "429",
        ),
        (
            "upstream_500",
            upstream("upstream_500", "The model’s server failed (500)."),
            "500",
        ),
        (
            "bad_answer",
            upstream(
                "bad_answer",
                "The model’s server sent text: \u{0}\u{1b}[31mrubbish",
            ),
            "rubbish",
        ),
    ];
    let world = World::new().await;
    for (code, said, _) in &cases {
        world.daily_mission(code).await;
        // The repair is no plan either.
        world.llm.will_say(code, said.clone());
        world.llm.will_say(code, said.clone());
    }
    let good = world.daily_mission("Good").await;
    let report = world.tick().await;
    assert_eq!(report.due_mission_count, cases.len() + 1, "{report:?}");
    assert_eq!(report.plans_written_back, 1, "{report:?}");
    assert_eq!(report.parse_failures, 7, "{report:?}");
    assert_eq!(report.errors.len(), cases.len(), "{report:?}");
    assert_eq!(
        world.iterations(&good).await[0].plan.len(),
        1,
        "a failing mission hinders no other"
    );

    for (code, _, says) in &cases {
        let iterations = world.iterations(code).await;
        assert_eq!(iterations.len(), 1, "{code}");
        let error = iterations[0]
            .error
            .clone()
            .unwrap_or_else(|| panic!("{code} did not fail"));
        assert_eq!(error.code, *code, "{}", error.message);
        assert!(error.message.contains(says), "{code}: {}", error.message);
        assert!(
            error
                .message
                .contains("Nothing was changed. Mana tries again at 08:02"),
            "{code}: {}",
            error.message
        );
        assert_eq!(iterations[0].plan, [], "{code}");
        assert_eq!(
            iterations[0].overall_status.as_deref(),
            Some("failed"),
            "{code}"
        );
        let runs = world.runs(code).await;
        assert_eq!(
            (runs.len(), runs[0].status),
            (1, RunStatus::Failed),
            "{code}"
        );
        assert_eq!(
            runs[0].reason.as_deref(),
            Some(error.message.as_str()),
            "{code}"
        );
        assert_eq!(runs[0].code.as_deref(), Some(*code), "{code}");
    }
}

#[tokio::test]
async fn missions_e1_a_plan_that_the_log_refuses_is_a_failure_with_its_reason() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let deep = (0..70).fold(json!("end"), |inner, _| json!([inner]));
    let line = json!({"summary": "Log", "toolName": "log_line", "params": {"text": "x", "more": deep},
        "rationale": "r"});
    world.llm.will_say("Week", steps(json!([line])));
    let report = world.tick().await;
    assert_eq!(
        (report.parse_failures, report.plans_written_back),
        (1, 0),
        "{report:?}"
    );
    let error = world.iterations(&id).await[0].error.clone();
    let error = error.expect("an error");
    assert_eq!(error.code, "unwritable");
    assert!(error.message.contains("nested deeper"), "{}", error.message);
    assert_eq!(
        world.tick().await.due_mission_count,
        0,
        "nobody asks the model again at once"
    );
}

#[tokio::test]
async fn missions_e2_the_repair_round_repairs() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.will_say("Week", without("rationale"));
    world.llm.will_say("Week", task("Milk"));
    assert_eq!(world.tick().await.plans_written_back, 1);
    assert_eq!(world.llm.calls(), 2);
    let prompt = world.llm.last_prompt();
    assert!(
        prompt.contains("Step 1 (“Milk”): it gives no rationale."),
        "{prompt}"
    );
    let iterations = world.iterations(&id).await;
    assert_eq!((iterations.len(), iterations[0].plan.len()), (1, 1));
    assert_eq!(
        world.runs(&id).await[0].tokens,
        Some(200),
        "both calls count"
    );
}

#[tokio::test]
async fn missions_e3_a_refused_step_beside_good_ones_stays_as_a_note_with_its_reason() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    let mut bad = step("Mail");
    bad["toolName"] = json!("send_email");
    for _ in 0..2 {
        world
            .llm
            .will_say("Week", steps(json!([bad.clone(), step("Milk")])));
    }
    world.tick().await;
    let plan = world.iterations(&id).await.remove(0).plan;
    let intent = json!(plan[0].intent);
    assert_eq!((plan.len(), &intent["kind"]), (2, &json!("note")));
    assert!(
        intent["body"]
            .as_str()
            .expect("a text")
            .contains("send_email"),
        "{intent}"
    );
    assert_eq!(json!(plan[0].status), "skipped");
    assert_eq!(json!(plan[1].status), "planned");
    assert_eq!(plan[1].rationale, "Because of Milk.");
}

#[tokio::test]
async fn missions_e4_a_mission_that_fails_by_itself_on_five_days_is_paused() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    for _ in 0..20 {
        world.llm.will_say("Week", say("prose"));
    }
    for day in 20..24 {
        let eight = at(&format!("2026-11-{day}T08:00:00Z"));
        world.pass_until(eight.plus(1)).await;
        let mission = world.mission_now(&id).await;
        assert_eq!(mission.failures, day - 19);
        assert_eq!(mission.next_run_at, Some(eight.plus(2 * 60_000_000)));
        assert_eq!(mission.retry_slot, Some(slot::due(eight)));
        world.pass_until(eight.plus(3_600_000_000)).await;
        let mission = world.mission_now(&id).await;
        assert_eq!(
            (mission.failures, mission.retry_slot, mission.next_run_at),
            (day - 19, None, Some(eight.plus(24 * 3_600_000_000))),
            "one second chance a day"
        );
    }
    world.pass_until(at("2026-11-24T12:00:00Z")).await;
    let mission = world.mission_now(&id).await;
    assert_eq!(mission.state, MissionState::Paused);
    assert_eq!((mission.next_run_at, mission.retry_slot), (None, None));
    let reason = mission.paused_reason.expect("a reason");
    assert!(
        reason
            .starts_with("It failed on 5 days in a row, last because: The model answered in prose"),
        "{reason}"
    );
    assert_eq!(
        mission.iterations.len(),
        5,
        "a retry replaces the failed iteration"
    );
    let runs = world.runs(&id).await;
    assert_eq!((runs.len(), runs[0].attempts), (5, 2));
    assert_eq!(
        world.llm.calls(),
        20,
        "twice a day, each with its repair round"
    );

    world.advance(Duration::from_secs(3600));
    assert_eq!(world.tick().await.due_mission_count, 0, "paused");
    world.update(&id, json!({"state": "active"})).await;
    let mission = world.mission_now(&id).await;
    assert_eq!(
        (mission.failures, mission.failed_on, mission.paused_reason),
        (0, None, None)
    );
    assert_eq!(mission.next_run_at, Some(at("2026-11-25T08:00:00Z")));
}

#[tokio::test]
async fn missions_e4_a_good_run_between_begins_the_count_anew() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    for _ in 0..4 {
        world.llm.will_say("Week", say("prose"));
    }
    world.pass_until(at("2026-11-20T12:00:00Z")).await;
    assert_eq!(world.mission_now(&id).await.failures, 1);
    world.pass_until(at("2026-11-21T12:00:00Z")).await;
    let mission = world.mission_now(&id).await;
    assert_eq!((mission.failures, mission.failed_on), (0, None));
}

#[tokio::test]
async fn missions_e5_a_retry_that_works_replaces_the_failure_and_keeps_its_beginning() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world
        .llm
        .will_say("Week", Err(LlmError::new("timeout", "Too slow.")));
    world.tick().await;
    let failed = world.iterations(&id).await.remove(0);
    world.advance(Duration::from_secs(120));
    assert_eq!(world.tick().await.plans_written_back, 1);
    let mission = world.mission_now(&id).await;
    assert_eq!(mission.iterations.len(), 1);
    let planned = &mission.iterations[0];
    assert_eq!(
        (&planned.id, planned.started_at),
        (&failed.id, failed.started_at)
    );
    assert_eq!((planned.error.clone(), planned.plan.len()), (None, 1));
    assert!(planned.finished_at > failed.finished_at);
    assert_eq!((mission.failures, mission.retry_slot), (0, None));
    assert_eq!(mission.next_run_at, Some(at("2026-11-21T08:00:00Z")));
    let runs = world.runs(&id).await;
    assert_eq!(
        (runs.len(), runs[0].status, runs[0].attempts),
        (1, RunStatus::Ran, 2)
    );
    assert_eq!(
        (runs[0].reason.as_deref(), runs[0].code.as_deref()),
        (None, None)
    );
}

#[tokio::test]
async fn missions_e6_a_retry_never_passes_the_next_occurrence() {
    let world = World::new().await;
    let id = world
        .mission(
            "Minute",
            json!({"cadence": {"kind": "interval", "everyMinutes": 1}}),
        )
        .await;
    for _ in 0..4 {
        world.llm.will_say("Minute", say("prose"));
    }
    for failures in 1..=2 {
        let due = world.mission_now(&id).await.next_run_at.expect("a time");
        world
            .clock
            .store(due.0, std::sync::atomic::Ordering::SeqCst);
        world.tick().await;
        let mission = world.mission_now(&id).await;
        assert_eq!(
            (mission.failures, mission.retry_slot),
            (1, None),
            "a day counts once"
        );
        assert_eq!(mission.next_run_at, Some(due.plus(60_000_000)));
        assert_eq!(
            mission.iterations.len(),
            failures as usize,
            "each occurrence has its own iteration"
        );
    }
}
