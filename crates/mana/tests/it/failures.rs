//! Every bad answer of a model is a failed iteration with its reason in plain words, and affects no other mission.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::missions::{mission, moved_on, push_due_mission};
use crate::support::Server;
use crate::upstream::{Upstream, fenced, plans, says, step};

/// A mission's title, the model's answer to it, and the code of the reason.
fn cases() -> Vec<(&'static str, ResponseTemplate, &'static str)> {
    let one_step = |step: Value| plans(json!([step]));
    vec![
        (
            "Unknown tool",
            one_step(
                json!({ "summary": "s", "toolName": "launch_rocket", "params": {}, "rationale": "r" }),
            ),
            "unknown_tool",
        ),
        (
            "Missing rationale",
            one_step(
                json!({ "summary": "s", "toolName": "create_task", "params": {"title": "t"} }),
            ),
            "no_rationale",
        ),
        (
            "Bad parameters",
            one_step(
                json!({ "summary": "s", "toolName": "create_task", "params": {"title": "t", "colour": 7},
                    "rationale": "r" }),
            ),
            "bad_params",
        ),
        (
            "Only prose",
            says("I would rather talk about the weather."),
            "prose",
        ),
        (
            "Truncated JSON",
            says("```json\n{\"summary\": \"A plan\", \"steps\": [{\"summ"),
            "truncated",
        ),
        ("Empty answer", says(""), "empty_answer"),
        (
            "No completion",
            ResponseTemplate::new(200).set_body_string("<html>hello</html>"),
            "bad_answer",
        ),
        (
            "Too much",
            ResponseTemplate::new(200).set_body_string("x".repeat(100 * 1024 * 1024)),
            "answer_too_large",
        ),
        (
            "Too slow",
            says("late").set_delay(Duration::from_secs(600)),
            "provider_timeout",
        ),
        (
            "Too many",
            ResponseTemplate::new(429).set_body_json(json!({"error": {"message": "slow down"}})),
            "rate_limit_exceeded",
        ),
        (
            "Broken server",
            ResponseTemplate::new(500).set_body_json(json!({"error": {"message": "boom"}})),
            "provider_error",
        ),
    ]
}

#[tokio::test]
async fn failure_of_a_model_is_an_iteration_with_its_reason() {
    let model = Upstream::new().await;
    let home = model.home(&[("MANA_LLM_TIMEOUT_MS", "2000")]);
    let (server, owner) = Server::with_owner(&home).await;
    for (title, template, _) in cases() {
        model.answers(title, template).await;
        push_due_mission(&owner, title, title).await;
    }
    model
        .answers(
            "All is well",
            plans(json!([step("Buy milk", "The fridge is empty.")])),
        )
        .await;
    push_due_mission(&owner, "good", "All is well").await;

    let (status, report) = server.tick(&home.service_key()).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert_eq!(report["dueMissionCount"], cases().len() + 1, "{report}");
    assert_eq!(report["plansWrittenBack"], 1, "{report}");
    assert_eq!(
        report["errors"].as_array().unwrap().len(),
        cases().len(),
        "{report}"
    );

    for (title, _, code) in cases() {
        let (iterations, next) = mission(&owner, title).await;
        assert_eq!(iterations.len(), 1, "{title}: {iterations:?}");
        let reason = iterations[0]["error"]["message"]
            .as_str()
            .unwrap_or_else(|| panic!("{title} has no reason: {}", iterations[0]));
        assert_eq!(iterations[0]["error"]["code"], code, "{title}: {reason}");
        assert!(reason.len() > 15, "{title}: {reason}");
        assert!(reason.len() < 2_000, "{title}: {} characters", reason.len());
        assert!(!reason.contains("hunter2"), "{title}: {reason}");
        assert!(moved_on(&next), "{title} is tried again later: {next}");
    }
    let (iterations, _) = mission(&owner, "good").await;
    assert_eq!(
        iterations[0]["error"],
        Value::Null,
        "the next mission is unaffected"
    );
    assert_eq!(
        iterations[0]["plan"][0]["rationale"],
        "The fridge is empty."
    );
    let (_, runs) = owner.get("/ai/missions/Only%20prose/runs").await;
    assert_eq!(runs["runs"][0]["status"], "failed", "{runs}");
    server.stop().await;
}

#[tokio::test]
async fn failure_of_one_step_leaves_the_others_and_is_named() {
    let model = Upstream::new().await;
    let bad =
        json!({ "summary": "s", "toolName": "launch_rocket", "params": {}, "rationale": "r" });
    let text =
        json!({ "summary": "A plan.", "steps": [step("Buy milk", "The fridge is empty."), bad] })
            .to_string();
    model.answers("Shopping", says(&fenced(&text))).await;
    let home = model.home(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    push_due_mission(&owner, "m1", "Shopping").await;
    server.tick(&home.service_key()).await;
    let (iterations, _) = mission(&owner, "m1").await;
    assert!(
        iterations[0].to_string().contains("launch_rocket"),
        "the refused step is named: {}",
        iterations[0]
    );
}
