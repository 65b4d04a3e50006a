//! The iteration that a run leaves.

use super::*;

fn attempt() -> RunAttempt {
    RunAttempt {
        mission_id: "m1".into(),
        slot: "due:1795420800000".into(),
        started_at: at("2026-11-22T08:00:00Z"),
        finished_at: at("2026-11-22T08:00:09Z"),
        attempts: 1,
        model: Some("ollama/qwen".into()),
        tokens: Some(700),
        cost: Some(0.01),
        agent: Some(("gardener".into(), "Flora".into())),
    }
}

#[test]
fn missions_i1_ids_derive_from_mission_slot_and_index() {
    let registry = Registry::builtin();
    let answer = "{\"summary\":\"S\",\"steps\":[{\"toolName\":\"nope\",\"rationale\":\"r\"},\
        {\"toolName\":\"create_task\",\"params\":{\"title\":\"x\"},\"rationale\":\"because\"}]}";
    let overrides = Overrides::default();
    let plan = parse(answer, &check(&registry, &overrides, &|_| true)).expect("a plan");
    let iteration = attempt().planned(plan);
    assert_eq!(
        iteration.id,
        crate::ids::iteration_id("m1", "due:1795420800000")
    );
    assert_eq!(iteration.plan[1].id, crate::ids::step_id(&iteration.id, 1));
    assert_eq!(iteration.plan[1].status, StepStatus::Planned);
    assert_eq!(iteration.plan[1].rationale, "because");
    assert_eq!(
        iteration.plan[0].status,
        StepStatus::Skipped,
        "a refused step stays as a note"
    );
    assert!(matches!(&iteration.plan[0].intent, Intent::Note { body } if body.contains("nope")));
    let json = iteration.to_value();
    assert_eq!(
        json["plan"][1]["intent"],
        json!({"kind": "toolCall", "toolName": "create_task", "params": {"title": "x"}})
    );
    assert_eq!(json["source"], "server");
    assert_eq!(json["finishedAt"], "2026-11-22T08:00:09.000000Z");
    assert_eq!(
        crate::mission::Iteration::parse(&json).as_ref(),
        Ok(&iteration)
    );
}

#[test]
fn missions_i2_a_failed_run_is_an_iteration_with_a_reason_and_no_steps() {
    let iteration = attempt().failed("timeout", "The model did not answer.".into(), &[]);
    assert_eq!(
        iteration.to_value()["error"],
        json!({"code": "timeout", "message": "The model did not answer."})
    );
    assert_eq!(iteration.plan, []);
    assert_eq!(iteration.open_steps(), 0);
}
