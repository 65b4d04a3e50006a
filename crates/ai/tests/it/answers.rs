//! Answers of models as people's servers give them: each of `answers.json` ends as a person who reads it would expect.

use mana_ai::{ChatAnswer, LlmError, ModelFacts};
use mana_core::Micros;
use mana_core::mission::{Intent, Iteration, RunStatus, StepStatus};
use serde_json::{Value, json};

use crate::world::{MORNING, World};

/// The cases after which nothing is to be done.
const NOTHING_TO_DO: &[&str] = &[
    "no steps key = nothing to do",
    "hand in alone",
    "hand in with text arguments",
];

/// The answer, as the gateway hands it on.
fn answer(case: &Value) -> Result<ChatAnswer, LlmError> {
    if let Some(status) = case["_status"].as_u64() {
        let message = case["_error"].as_str().unwrap_or_default();
        return Err(LlmError {
            refused: status < 500,
            is_about_form: status == 500,
            ..LlmError::new("provider_error", message)
        });
    }
    let message = match case {
        Value::String(text) => json!({"content": text}),
        other => other.clone(),
    };
    let choice = match message.get("choices") {
        Some(choices) => choices[0].clone(),
        None => json!({"message": message, "finish_reason": message.get("_finish")}),
    };
    Ok(ChatAnswer {
        model: "test/model".to_owned(),
        tokens: Some(10),
        ..ChatAnswer::of_choice(&choice)
    })
}

/// Runs a mission whose model gives these answers, the last one again and again, among these records and with these
/// fields of its own.
async fn run(mode: &str, answers: &[Value], records: &[Value], fields: &Value) -> (World, String) {
    let world = World::new().await;
    world.llm.is(ModelFacts {
        tools: mode == "calls",
        ..ModelFacts::default()
    });
    let rent = json!({"title": "Pay rent", "done": false});
    world.write("todo", "tasks", "t1", "insert", rent).await;
    for record in records {
        let part = |name: &str| record[name].as_str().expect("a name");
        let data = record["data"].clone();
        world
            .write(part("module"), part("table"), part("id"), "insert", data)
            .await;
    }
    let mut mission = json!({"cadence": {"kind": "daily", "atHour": 8, "atMinute": 0},
        "inputs": [{"module": "todo", "table": "tasks"}]});
    let fields = fields.as_object().expect("fields").clone();
    mission.as_object_mut().expect("an object").extend(fields);
    let id = world.mission("Week", mission).await;
    world.set_clock(MORNING);
    let again = std::iter::repeat_n(answers.last().expect("an answer"), 10);
    for given in answers.iter().chain(again) {
        world.llm.will_answer("Week", answer(given));
    }
    world.tick().await;
    (world, id)
}

/// Whether two values are the same; of times only the moment counts.
fn same(left: &Value, right: &Value) -> bool {
    let moment = |value: &Value| value.as_str().and_then(|text| Micros::parse(text).ok());
    left == right || moment(left).is_some_and(|moment_left| moment(right) == Some(moment_left))
}

/// Whether the proposed steps are exactly these `{toolName, params}`.
fn is_as_expected(iteration: &Iteration, expected: &[Value]) -> bool {
    let planned = iteration
        .plan
        .iter()
        .filter(|step| step.status == StepStatus::Planned);
    let planned: Vec<_> = planned.collect();
    planned.len() == expected.len()
        && planned.iter().zip(expected).all(|(step, expected)| {
            let Intent::ToolCall { tool_name, params } = &step.intent else {
                return false;
            };
            let wanted = expected["params"].as_object().expect("params");
            expected["toolName"] == tool_name.as_str()
                && params.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|(name, value)| params.get(name).is_some_and(|given| same(given, value)))
        })
}

/// The titles of the steps that are proposed.
fn titles(iteration: &Iteration) -> Vec<String> {
    let planned = iteration
        .plan
        .iter()
        .filter(|step| step.status == StepStatus::Planned);
    let titles = planned.map(|step| match &step.intent {
        Intent::ToolCall { params, .. } => {
            let title = params.get("title").and_then(Value::as_str);
            title.unwrap_or_default().to_owned()
        }
        other => panic!("{other:?}"),
    });
    titles.collect()
}

/// The fault at the end of a case, if there is one.
async fn fault(case: &Value) -> Option<String> {
    let answers = case["answers"].as_array().expect("answers");
    let mode = case["mode"].as_str().expect("a mode");
    let records = case["records"].as_array().map_or(&[][..], Vec::as_slice);
    let none = json!({});
    let fields = case.get("mission").unwrap_or(&none);
    let (world, id) = run(mode, answers, records, fields).await;
    let iteration = world.iterations(&id).await.remove(0);
    let status = world.runs(&id).await.remove(0).status;
    let titles = titles(&iteration);
    let name = case["name"].as_str().expect("a name");
    let ends_well = match case["want"].as_str() {
        Some("taken") => {
            let fits = match NOTHING_TO_DO.contains(&name) {
                true => {
                    titles.is_empty()
                        && iteration
                            .summary
                            .as_ref()
                            .is_some_and(|summary| !summary.is_empty())
                }
                false => (1..=5).contains(&titles.len()) || case["steps"] == 0,
            };
            iteration.error.is_none() && status == RunStatus::Ran && fits
        }
        Some("refused") => {
            let says = iteration
                .error
                .as_ref()
                .is_some_and(|error| error.message.ends_with('.'));
            titles.is_empty() && status == RunStatus::Failed && says
        }
        other => panic!("{name}: {other:?}"),
    };
    let drafts = titles.iter().any(|title| title == "Draft idea");
    let notes = iteration.plan.len() - titles.len();
    let one_note = case["note"]
        .as_str()
        .is_some_and(|note| note.contains("one note"));
    let noted = !one_note || notes == 1 && titles.len() == 5;
    let counted = case["steps"]
        .as_u64()
        .is_none_or(|steps| titles.len() as u64 == steps);
    let as_expected = case["expect"]
        .as_array()
        .is_none_or(|expected| is_as_expected(&iteration, expected));
    let fine = ends_well && !drafts && noted && counted && as_expected;
    (!fine).then(|| {
        format!(
            "{name}: {titles:?}, {:?}, {:?}",
            iteration.error, iteration.plan
        )
    })
}

async fn faults(cases: &str, count: usize) {
    let all: Value = serde_json::from_str(cases).expect("the cases");
    let cases = all["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), count);
    let mut faults = Vec::new();
    for case in cases {
        faults.extend(fault(case).await);
    }
    assert!(
        faults.is_empty(),
        "{} of {count}:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[tokio::test]
async fn missions_a1_to_a13_answers_as_servers_give_them() {
    faults(include_str!("../answers.json"), 99).await;
}

#[tokio::test]
async fn missions_a1_to_a13_further_answers() {
    faults(include_str!("../answers_more.json"), 54).await;
}

#[tokio::test]
async fn missions_a1_to_a13_answers_by_others() {
    faults(include_str!("../answers_unseen.json"), 50).await;
}

#[tokio::test]
async fn missions_a1_to_a13_answers_by_others_to_the_last_value() {
    faults(include_str!("../answers_fresh.json"), 71).await;
}

#[tokio::test]
async fn missions_a1_to_a13_answers_by_others_of_further_kinds() {
    faults(include_str!("../answers_blind.json"), 58).await;
}
