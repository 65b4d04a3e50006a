//! Proposals that outlive their sense: they expire with their day, and a newer plan takes the place of an older one.

use mana_core::mission::{Step, StepStatus};
use mana_core::staging;
use serde_json::json;

use crate::test_llm::{say, step, steps, task};
use crate::world::{World, at};

async fn all_steps(world: &World, id: &str) -> Vec<Step> {
    let iterations = world.iterations(id).await;
    iterations
        .into_iter()
        .flat_map(|iteration| iteration.plan)
        .collect()
}

async fn statuses(world: &World, id: &str) -> Vec<(String, StepStatus)> {
    let steps = all_steps(world, id).await.into_iter();
    let calls = steps.filter(|step| json!(step.intent)["kind"] == "toolCall");
    calls.map(|step| (step.summary, step.status)).collect()
}

#[tokio::test]
async fn missions_l4_a_step_that_makes_something_due_expires_with_its_day() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world
        .update(&id, json!({"timezone": "America/New_York"}))
        .await;
    world.set_clock("2026-11-20T13:00:00Z");
    let mut bread = step("Buy bread");
    bread["params"]["dueDate"] = json!("2026-11-20");
    world
        .llm
        .will_say("Week", steps(json!([bread, step("Call home")])));
    world.tick().await;
    let plan = all_steps(&world, &id).await;
    assert_eq!(
        plan[0].expires_at,
        Some(at("2026-11-21T05:00:00Z")),
        "midnight in New York"
    );
    assert_eq!(plan[1].expires_at, None);
    let open = |now: &'static str| {
        let (world, id) = (&world, &id);
        async move {
            let mission = world.mission_now(id).await;
            staging::open_steps(&world.registry, &mission, at(now)).count()
        }
    };
    assert_eq!(open("2026-11-21T04:59:59Z").await, 2);
    assert_eq!(open("2026-11-21T05:00:00Z").await, 1);
}

#[tokio::test]
async fn missions_t14_a_new_plan_replaces_the_older_one_but_for_what_it_repeats() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"overlap": "replace"})).await;
    world
        .llm
        .will_say("Week", steps(json!([step("Buy milk"), step("Call home")])));
    world.pass_until(at("2026-11-20T12:00:00Z")).await;
    let first = all_steps(&world, &id).await;
    world.llm.will_say(
        "Week",
        steps(json!([step("buy milk!"), step("Mend the bike")])),
    );
    world.pass_until(at("2026-11-21T12:00:00Z")).await;
    assert!(
        world
            .llm
            .last_prompt()
            .contains("Your plan takes the place of this mission’s own proposals")
    );
    assert_eq!(
        statuses(&world, &id).await,
        [
            ("Buy milk".to_owned(), StepStatus::Planned),
            ("Call home".to_owned(), StepStatus::Expired),
            ("Mend the bike".to_owned(), StepStatus::Planned),
        ]
    );
    let steps_now = all_steps(&world, &id).await;
    let replaced = &steps_now[1];
    assert_eq!(replaced.id, first[1].id);
    assert_eq!(replaced.decided_by.as_deref(), Some("replaced"));
    let note = steps_now
        .iter()
        .find(|step| json!(step.intent)["kind"] == "note");
    assert!(
        json!(note.expect("a note").intent)
            .to_string()
            .contains("waits for a decision")
    );

    // A plan of nothing replaces too, and a failed run nothing.
    for _ in 0..4 {
        world.llm.will_say("Week", say("prose"));
    }
    world.pass_until(at("2026-11-22T12:00:00Z")).await;
    let waiting = |status: &[(String, StepStatus)]| {
        status.iter().filter(|(_, status)| status.is_open()).count()
    };
    assert_eq!(waiting(&statuses(&world, &id).await), 2);
    world.llm.will_say("Week", steps(json!([])));
    world.pass_until(at("2026-11-23T12:00:00Z")).await;
    assert_eq!(waiting(&statuses(&world, &id).await), 0);
}

#[tokio::test]
async fn missions_t14_an_approval_made_meanwhile_outranks_the_replacement() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"overlap": "replace"})).await;
    world.llm.will_say("Week", task("Buy milk"));
    world.pass_until(at("2026-11-20T12:00:00Z")).await;
    let before = world.iterations(&id).await.remove(0);
    world.llm.will_say("Week", task("Mend the bike"));
    world.pass_until(at("2026-11-21T12:00:00Z")).await;
    // A phone that was offline approved it before it heard of the new plan.
    let mut approved = json!(before.plan[0]);
    approved["status"] = json!("approved");
    approved["decidedAt"] = json!(at("2026-11-21T07:00:00Z"));
    let element = json!({"id": before.id, "startedAt": before.started_at, "plan": [approved]});
    world.update(&id, json!({"iterations": [element]})).await;
    assert_eq!(statuses(&world, &id).await[0].1, StepStatus::Approved);
}

#[tokio::test]
async fn missions_t14_replaced_proposals_leave_room_for_the_new_ones() {
    let world = World::new().await;
    world
        .write(
            "ai",
            "aiSettings",
            "settings",
            "insert",
            json!({"maxOpenProposals": 2}),
        )
        .await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({"overlap": "replace"})).await;
    world
        .llm
        .will_say("Week", steps(json!([step("A1"), step("A2")])));
    world.pass_until(at("2026-11-20T12:00:00Z")).await;
    world
        .llm
        .will_say("Week", steps(json!([step("B1"), step("B2")])));
    world.pass_until(at("2026-11-21T12:00:00Z")).await;
    let open = statuses(&world, &id)
        .await
        .into_iter()
        .filter(|(_, status)| status.is_open());
    let titles: Vec<_> = open.map(|(title, _)| title).collect();
    assert_eq!(titles, ["B1", "B2"]);
}
