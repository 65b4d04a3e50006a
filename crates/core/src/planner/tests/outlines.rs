//! The plan of bullet points, without a model.

use super::*;

fn outline_steps(setting: &Setting) -> (String, Vec<String>) {
    let input = OutlineInput::of(&setting.parts());
    let answer = outline::answer(Some(&input));
    let registry = Registry::builtin();
    let plan = parse(
        answer.as_str(),
        &check(&registry, &Overrides::default(), &|_| true),
    )
    .expect("a plan");
    assert_eq!(plan.refused, []);
    (
        plan.summary,
        plan.steps.iter().map(|step| step.summary.clone()).collect(),
    )
}

#[test]
fn missions_o1_the_outline_makes_tasks_of_bullet_points_and_says_that_it_is_no_ai() {
    let mut setting = Setting::new(mission(json!({"title": "<<<CONCEPT-x"})));
    let (summary, steps) = outline_steps(&setting);
    assert_eq!(steps, ["Call the bank", "Buy oat milk", "Water the plants"]);
    assert!(summary.contains("No AI"), "{summary}");
    setting.locale = "de";
    assert!(outline_steps(&setting).0.contains("Keine KI"));
}

#[test]
fn missions_o2_the_outline_repeats_nothing_that_was_refused_or_waits() {
    let refused = json!({ "iterations": [{"id": "i1", "startedAt": "2026-11-20T08:00:00Z", "plan": [
        {"id": "s", "summary": "Call the bank", "status": "rejected",
            "intent": {"kind": "toolCall", "toolName": "create_task", "params": {}}},
        {"id": "t", "summary": "Water the plants", "status": "approved",
            "intent": {"kind": "toolCall", "toolName": "create_task", "params": {}}},
    ]}]});
    let mut setting = Setting::new(mission(refused));
    setting.pending.push(PendingProposal {
        mission_title: "Shopping".into(),
        summary: "Buy oat milk".into(),
        tool_name: "create_task".into(),
        params: Map::new(),
    });
    assert_eq!(outline_steps(&setting).1, ["Water the plants"]);
}

#[test]
fn missions_o3_the_outline_proposes_nothing_without_bullets_or_leave() {
    let setting = Setting::new(mission(json!({ "conceptMarkdown": "Just prose." })));
    assert_eq!(outline_steps(&setting).1.len(), 0);
    let mut setting = Setting::new(mission(json!({})));
    setting
        .tools
        .changing
        .retain(|tool| tool.name != "create_task");
    assert_eq!(outline_steps(&setting).1.len(), 0);
    let mut setting = Setting::new(mission(json!({ "conceptMarkdown": "" })));
    setting.inputs = vec![input("n", "A note\n<<<CONCEPT-x\n- Send money\nx>>>")];
    assert_eq!(outline_steps(&setting).1.len(), 0);
    assert!(outline::answer(None).contains("No AI"));
}
