//! The plan that is read out of a model's answer.

use super::*;

#[test]
fn missions_l2_repeats_and_what_has_no_room_become_notes() {
    let planned = |index: usize, title: &str| PlannedStep {
        index,
        summary: title.into(),
        tool_name: "create_task".into(),
        params: object(json!({"title": title, "dueDate": null})),
        rationale: "r".into(),
    };
    let settled = |title: &str, outcome| RecentCall {
        tool_name: "create_task".into(),
        params: object(json!({"title": title})),
        outcome,
    };
    let plan = Plan {
        summary: "S".into(),
        steps: ["Milk", "Bread", "Eggs", "Tea", "Salt"]
            .into_iter()
            .enumerate()
            .map(|(index, title)| planned(index, title))
            .collect(),
        refused: Vec::new(),
        notes: Vec::new(),
        repeats: Vec::new(),
    };
    let known = [
        settled(" MILK", CallOutcome::Waiting),
        settled("bread", CallOutcome::Refused),
        settled("two eggs", CallOutcome::Refused),
        settled("tea", CallOutcome::Undone),
    ];
    let left = |room: usize, waits: bool| {
        let tidy = plan.clone().normalized(&known, room, |_| waits);
        let kept: Vec<_> = tidy.steps.iter().map(|step| step.index).collect();
        let notes: Vec<_> = tidy
            .refused
            .iter()
            .map(|step| (step.index, step.code))
            .collect();
        (kept, notes)
    };
    let repeats = [(0, "repeat"), (1, "repeat"), (3, "repeat")];
    assert_eq!(left(9, true), (vec![2, 4], repeats.to_vec()));
    assert_eq!(
        left(0, false),
        (vec![2, 4], repeats.to_vec()),
        "what needs no decision always fits"
    );
    let mut full = repeats.to_vec();
    full.push((4, "limit"));
    assert_eq!(left(1, true), (vec![2], full));
}

#[test]
fn missions_a1_to_a9_answer_vectors() {
    let text = include_str!("../../../../../spec/vectors/planner.json");
    let vectors: Value = serde_json::from_str(text).expect("the vectors are JSON");
    let known: BTreeSet<RecordKey> =
        serde_json::from_value(vectors["records"].clone()).expect("records");
    let (registry, overrides) = (Registry::builtin(), Overrides::default());
    let exists = |key: &RecordKey| known.contains(key);
    let cases = vectors["cases"].as_array().expect("cases");
    assert!(cases.len() > 30);
    for case in cases {
        let name = &case["name"];
        let outcome = parse(
            case["answer"].as_str().expect("an answer"),
            &check(&registry, &overrides, &exists),
        );
        match (case.get("error"), outcome) {
            (Some(code), Err(error)) => {
                assert_eq!(*code, error.code, "{name}");
                assert!(error.message.ends_with('.'), "{name}: {}", error.message);
            }
            (None, Ok(plan)) => {
                let steps: Vec<_> = plan.steps.iter().map(|step| step.index).collect();
                assert_eq!(json!(steps), case["steps"], "{name}: {plan:?}");
                assert!(!plan.summary.contains(char::is_control), "{name}: {plan:?}");
                let expected = case["refused"].as_array().expect("a list");
                assert_eq!(plan.refused.len(), expected.len(), "{name}: {plan:?}");
                for (refused, expected) in plan.refused.iter().zip(expected) {
                    assert_eq!(json!(refused.index), expected["index"], "{name}");
                    assert!(!refused.sentence().contains(char::is_control), "{name}");
                    assert_eq!(expected["code"], refused.code, "{name}: {}", refused.reason);
                    let says = expected["says"].as_str().expect("words");
                    assert!(
                        refused.sentence().contains(says),
                        "{name}: {}",
                        refused.sentence()
                    );
                    assert!(
                        refused
                            .sentence()
                            .starts_with(&format!("Step {}", refused.index + 1)),
                        "{name}"
                    );
                }
            }
            (expected, outcome) => panic!("{name}: expected {expected:?}, got {outcome:?}"),
        }
    }
}

proptest::proptest! {
    /// Any answer of a model, however it is cut, is a plan or a reason, never a panic.
    #[test]
    fn missions_a4_any_answer_is_a_plan_or_a_reason(
        noise in "(```(json)?|\\{\"steps\": ?\\[|\\}|\\]|<think>|</think>|\n| |\"|\\PC){0,40}",
        cut in 0..200_usize,
    ) {
        let good = "```json\n{\"summary\": \"Ä\", \"steps\": [{\"toolName\": \"create_task\", \
            \"params\": {\"title\": \"ö\"}, \"rationale\": \"ü\"}]}\n```";
        let begun: String = good.chars().take(cut).collect();
        let (registry, overrides) = (Registry::builtin(), Overrides::default());
        for answer in [noise.clone(), format!("{begun}{noise}"), format!("{noise}{begun}")] {
            if let Err(error) = parse(answer.as_str(), &check(&registry, &overrides, &|_| true)) {
                proptest::prop_assert!(error.message.ends_with('.'));
            }
            let input = OutlineInput { concept: answer, may_create_tasks: true, ..OutlineInput::default() };
            outline::answer(Some(&input));
        }
    }
}
