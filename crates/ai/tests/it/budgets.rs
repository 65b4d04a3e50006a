//! Budgets: reserved before a call, settled after it, and a visible skip where a call would exceed one.

use std::time::Duration;

use mana_ai::{ChatAnswer, ModelFacts, RunnerConfig};
use mana_core::mission::RunStatus;
use mana_store::{Ledger, Limits};
use serde_json::{Value, json};

use crate::test_llm::{say, task};
use crate::world::{World, at};

async fn used(world: &World, account: &str) -> (u64, u64) {
    let since = at("2026-11-20T00:00:00Z");
    let used = world.store.used(account, since).await;
    let used = used.expect("the ledger reads");
    (used.tokens, used.micros_usd)
}

/// Sets a budget of the mission, of its agent or of the person.
async fn limit(world: &World, mission: &str, whose: &str, budget: Value) {
    match whose {
        "mission" => world.update(mission, json!({"budget": budget})).await,
        "agent" => {
            world
                .agent("default", json!({"name": "Mana", "budget": budget}))
                .await
        }
        _ => world.settings(json!({"budget": budget})).await,
    }
}

#[tokio::test]
async fn missions_b3_what_a_run_used_stands_in_the_ledger_and_on_its_record() {
    let world = World::new().await;
    world.llm.is(ModelFacts {
        price: Some((1.0, 1.0)),
        ..ModelFacts::default()
    });
    let id = world.daily_mission("Week").await;
    world.llm.will_say("Week", say("prose"));
    world.llm.will_say("Week", task("Milk"));
    world.tick().await;
    let user = &world.user;
    for account in [
        format!("user:{user}"),
        format!("mission:{user}/{id}"),
        format!("agent:{user}/default"),
    ] {
        assert_eq!(used(&world, &account).await, (200, 200), "{account}");
    }
    let run = world.runs(&id).await.remove(0);
    assert_eq!((run.tokens, run.cost), (Some(200), Some(0.0002)));
}

#[tokio::test]
async fn missions_b4_over_a_budget_of_the_day_is_a_visible_skip_until_the_next_day() {
    for whose in ["mission", "agent", "person"] {
        let world = World::new().await;
        let id = world.daily_mission("Week").await;
        limit(&world, &id, whose, json!({"tokensPerDay": 50})).await;
        world.tick().await;
        assert_eq!(world.llm.calls(), 0, "{whose}: nobody is asked");
        let run = world.runs(&id).await.remove(0);
        assert_eq!(
            (run.status, run.code.as_deref()),
            (RunStatus::Skipped, Some("over-budget")),
            "{whose}"
        );
        let details = run.details.expect("figures");
        assert_eq!(
            (
                &details["of"],
                &details["measure"],
                &details["per"],
                &details["limit"],
                &details["until"]
            ),
            (
                &json!(whose),
                &json!("tokens"),
                &json!("day"),
                &json!(50),
                &json!("2026-11-21T00:00:00.000000Z")
            ),
            "{whose}"
        );
        let reason = run.reason.expect("words");
        assert!(reason.contains("allows 50 tokens a day"), "{reason}");
        let mission = world.mission_now(&id).await;
        assert_eq!(mission.failures, 0);
        assert!(mission.iterations.is_empty());
        assert_eq!(mission.next_run_at, Some(at("2026-11-21T08:00:00Z")));
    }
}

#[tokio::test]
async fn missions_b4_a_member_is_held_to_the_limits_of_the_servers_owner() {
    let world = World::with(RunnerConfig {
        members: Limits {
            calls: Some(1),
            ..Limits::default()
        },
        ..RunnerConfig::default()
    })
    .await;
    let ids = [
        world.daily_mission("Week").await,
        world.daily_mission("Month").await,
    ];
    for title in ["Week", "Month"] {
        world.llm.will_say(title, task("Milk"));
    }
    world.tick().await;
    assert_eq!(world.llm.calls(), 1, "a call is left for one of them");
    let mut skipped = Vec::new();
    for id in &ids {
        skipped.extend(world.runs(id).await);
    }
    skipped.retain(|run| run.code.as_deref() == Some("over-budget"));
    assert_eq!(skipped.len(), 1);
    let run = skipped.remove(0);
    let details = run.details.expect("figures");
    assert_eq!(
        (&details["of"], &details["measure"], &details["limit"]),
        (&json!("server"), &json!("calls"), &json!(1))
    );
    let reason = run.reason.expect("words");
    assert!(reason.contains("owner sets for each member"), "{reason}");
    assert!(reason.contains("allows 1 call a day"), "{reason}");
}

#[tokio::test]
async fn missions_b4_money_is_a_budget_too_and_a_new_day_begins_at_nothing() {
    let world = World::new().await;
    world.llm.is(ModelFacts {
        price: Some((1_000.0, 1_000.0)),
        ..ModelFacts::default()
    });
    let id = world.daily_mission("Week").await;
    // A call is reserved at more than 2 dollars, and settled at 10 cents.
    limit(
        &world,
        &id,
        "mission",
        json!({"moneyPerDay": 6.0, "tokensPerDay": 1_000_000}),
    )
    .await;
    world.llm.will_say("Week", task("Milk"));
    world.tick().await;
    assert_eq!(world.runs(&id).await[0].cost, Some(0.1));
    world.decide(&id, "approved", None).await;

    world
        .update(&id, json!({"budget": {"moneyPerDay": 0.15}}))
        .await;
    world.request(&id, "run:again", None).await;
    world.tick().await;
    let run = world.runs(&id).await.pop().expect("a run");
    assert_eq!(
        (run.status, run.code.as_deref()),
        (RunStatus::Skipped, Some("over-budget"))
    );
    assert!(
        run.reason
            .is_some_and(|reason| reason.contains("0.15 US dollars a day"))
    );

    world
        .update(&id, json!({"budget": {"moneyPerDay": 6.0}}))
        .await;
    world.set_clock("2026-11-21T08:00:00Z");
    world.tick().await;
    assert_eq!(
        world.runs(&id).await.pop().expect("a run").status,
        RunStatus::Ran
    );
}

#[tokio::test]
async fn missions_b5_a_run_ends_where_its_own_tokens_end_and_keeps_what_it_has() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    limit(&world, &id, "agent", json!({"tokensPerRun": 10})).await;
    world.tick().await;
    let run = world.runs(&id).await.remove(0);
    assert_eq!(
        (run.status, run.code.as_deref()),
        (RunStatus::Skipped, Some("over-budget"))
    );
    assert_eq!(run.details.expect("figures")["per"], "run");
    assert_eq!(world.llm.calls(), 0);

    // The budget is enough for a call and not for its repair: the good step of the first answer counts.
    world
        .write(
            "ai",
            "aiAgents",
            "default",
            "update",
            json!({"budget": {"tokensPerRun": 8_000}}),
        )
        .await;
    world.llm.takes(6_000);
    let good = json!({"summary": "Milk", "toolName": "create_task", "params": {"title": "Milk"}, "rationale": "r"});
    let bad = json!({"toolName": "nope", "rationale": "r"});
    world
        .llm
        .will_say("Week", crate::test_llm::steps(json!([good, bad])));
    world.advance(Duration::from_secs(86_400));
    world.tick().await;
    assert_eq!(world.llm.calls(), 1);
    let iteration = world.iterations(&id).await.remove(0);
    assert_eq!(iteration.plan.len(), 2);
}

#[tokio::test]
async fn missions_b6_a_call_that_nobody_answered_costs_nothing() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.llm.will_say(
        "Week",
        Err(mana_ai::LlmError::new(
            "provider_unreachable",
            "Nobody there.",
        )),
    );
    world.tick().await;
    assert_eq!(
        used(&world, &format!("mission:{}/{id}", world.user)).await,
        (0, 0)
    );
    assert_eq!(world.runs(&id).await[0].status, RunStatus::Failed);
}

#[tokio::test]
async fn missions_b6_every_model_that_has_read_the_prompt_is_paid_for() {
    let mut charged = Vec::new();
    for prompts_read in 0..3 {
        let world = World::new().await;
        let id = world.daily_mission("Week").await;
        let failed = mana_ai::LlmError {
            prompts_read,
            ..mana_ai::LlmError::new("provider_timeout", "Too slow.")
        };
        world.llm.will_say("Week", Err(failed));
        world.tick().await;
        charged.push(
            used(&world, &format!("mission:{}/{id}", world.user))
                .await
                .0,
        );
    }
    assert!(charged[0] == 0 && charged[1] > 0, "{charged:?}");
    assert_eq!(charged[2], 2 * charged[1]);
}

#[tokio::test]
async fn missions_b6_the_cost_that_the_provider_tells_is_what_a_run_costs() {
    let world = World::new().await;
    world.llm.is(ModelFacts {
        price: Some((1_000.0, 1_000.0)),
        ..ModelFacts::default()
    });
    let id = world.daily_mission("Week").await;
    let answer = ChatAnswer {
        text: task("Milk").expect("a plan"),
        tokens: Some(100),
        micros_usd: Some(1_250),
        ..ChatAnswer::default()
    };
    world.llm.will_answer("Week", Ok(answer));
    world.tick().await;
    assert_eq!(world.runs(&id).await[0].cost, Some(0.00125));
}

#[tokio::test]
async fn missions_b7_a_budget_in_money_needs_a_price() {
    let world = World::new().await;
    world.llm.is(ModelFacts {
        unpriced: true,
        ..ModelFacts::default()
    });
    let id = world.daily_mission("Week").await;
    limit(&world, &id, "person", json!({"moneyPerDay": 5})).await;
    world.tick().await;
    assert_eq!(world.llm.calls(), 0, "nobody is asked");
    let run = world.runs(&id).await.remove(0);
    assert_eq!(
        (run.status, run.code.as_deref()),
        (RunStatus::Skipped, Some("over-budget"))
    );
    assert_eq!(run.details.expect("why")["price"], "unknown");
    assert!(
        run.reason
            .is_some_and(|reason| reason.contains("nobody knows what the model costs"))
    );

    limit(&world, &id, "person", json!({"tokensPerDay": 100_000})).await;
    world.llm.will_say("Week", task("Milk"));
    world.request(&id, "run:again", None).await;
    world.tick().await;
    assert_eq!(world.llm.calls(), 1, "tokens are a budget without a price");
}
