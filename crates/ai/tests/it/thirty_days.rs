//! Thirty days of a daily mission whose person has a fixed taste: nothing refused comes again, nothing comes twice, the
//! mission never stands still in silence, and a row of skips is one record.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::mission::{Intent, RunStatus, StepStatus};
use mana_core::text::same_meaning;
use mana_core::{Micros, ids};
use serde_json::{Value, json};

use crate::test_llm::{step, steps};
use crate::world::{MORNING, World, at};

const DAY: i64 = 24 * 3_600_000_000;

/// The model's ideas; it has no memory, and words them otherwise each time.
const IDEAS: [&str; 8] = [
    "Call the landlord",
    "Buy oat milk",
    "Water the plants",
    "Mend the bike",
    "Plan the holiday",
    "Read a book",
    "Clean the windows",
    "Write to grandmother",
];

fn worded(idea: &str, day: usize) -> String {
    match day % 4 {
        0 => idea.to_owned(),
        1 => format!("{}!", idea.to_lowercase()),
        2 => format!("“{idea}”"),
        _ => idea.to_uppercase(),
    }
}

/// The taste: what becomes of a proposal, by its idea.
fn taste(idea: &str) -> &'static str {
    match idea {
        "Call the landlord" => "never",
        "Read a book" => "refuse",
        "Mend the bike" => "edit",
        "Plan the holiday" | "Clean the windows" => "ignore",
        _ => "approve",
    }
}

fn idea_of(title: &str) -> &'static str {
    let key = same_meaning(title);
    let found = IDEAS.into_iter().find(|idea| same_meaning(idea) == key);
    found.unwrap_or_else(|| panic!("nobody had the idea {title}"))
}

/// The person decides on what is open, and does the approved tasks after six days.
async fn decide(world: &World, id: &str, made: &mut BTreeMap<String, Micros>) {
    for iteration in world.iterations(id).await {
        for planned in iteration.plan.iter().filter(|step| step.status.is_open()) {
            let Intent::ToolCall { params, .. } = &planned.intent else {
                continue;
            };
            let title = params["title"].as_str().expect("a title");
            let mut step = json!(planned);
            let mut title = Value::from(title);
            match taste(idea_of(title.as_str().expect("a title"))) {
                "never" => {
                    step["status"] = json!("rejected");
                    step["feedback"] = json!("Never propose this again, I settled it in court");
                }
                "refuse" => {
                    step["status"] = json!("rejected");
                    step["feedback"] = json!("Not now");
                }
                "edit" => {
                    step["status"] = json!("approved");
                    title = json!("Take the bicycle to the shop");
                    step["editedParams"] = json!({ "title": title });
                }
                "approve" => step["status"] = json!("approved"),
                _ => continue,
            }
            step["decidedAt"] = json!(world.now());
            step["decidedBy"] = json!(world.user);
            let element =
                json!({"id": iteration.id, "startedAt": iteration.started_at, "plan": [step]});
            world.update(id, json!({"iterations": [element]})).await;
            if step["status"] == "approved" {
                let task = ids::created_record_id(&planned.id, 0);
                let data = json!({"title": title, "done": false});
                world.write("todo", "tasks", &task, "insert", data).await;
                made.insert(task, world.now());
            }
        }
    }
    let done: Vec<String> = made
        .iter()
        .filter(|(_, at)| world.now().0 - at.0 > 6 * DAY)
        .map(|(task, _)| task.clone())
        .collect();
    for task in done {
        world
            .write("todo", "tasks", &task, "update", json!({"done": true}))
            .await;
        made.remove(&task);
    }
}

async fn thirty_days(overlap: &str) -> (World, String) {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world.update(&id, json!({ "overlap": overlap })).await;
    let mut made: BTreeMap<String, Micros> = BTreeMap::new();
    let mut refused: BTreeMap<&str, Micros> = BTreeMap::new();
    let mut open: BTreeSet<String> = BTreeSet::new();
    for day in 0..30 {
        let ideas = (0..4).map(|n| step(&worded(IDEAS[(day + n * 3) % IDEAS.len()], day)));
        world
            .llm
            .will_say("Week", steps(json!(Vec::from_iter(ideas))));
        let before = world.iterations(&id).await.len();
        world
            .pass_until(at(MORNING).plus(day as i64 * DAY + 3_600_000_000))
            .await;
        for iteration in world.iterations(&id).await.into_iter().skip(before) {
            for proposed in iteration.plan.iter().filter(|step| step.status.is_open()) {
                let idea = idea_of(&proposed.summary);
                let again = refused
                    .get(idea)
                    .is_some_and(|at| taste(idea) == "never" || world.now().0 - at.0 < 30 * DAY);
                assert!(!again, "{overlap}, day {day}: {idea} was refused");
                assert!(
                    !open.contains(idea),
                    "{overlap}, day {day}: {idea} is there already"
                );
            }
        }
        // The person looks every other day, after breakfast.
        if day % 2 == 0 {
            decide(&world, &id, &mut made).await;
        }
        open.clear();
        for iteration in world.iterations(&id).await {
            for step in &iteration.plan {
                let Intent::ToolCall { .. } = &step.intent else {
                    continue;
                };
                let idea = idea_of(&step.summary);
                let task = ids::created_record_id(&step.id, 0);
                match step.status {
                    StepStatus::Rejected => {
                        refused
                            .entry(idea)
                            .or_insert(step.decided_at.expect("a time"));
                    }
                    StepStatus::Approved if made.contains_key(&task) => {
                        open.insert(idea.to_owned());
                    }
                    status if status.is_open() => {
                        open.insert(idea.to_owned());
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(!refused.is_empty(), "{overlap}");
    (world, id)
}

#[tokio::test]
async fn missions_r9_thirty_days_with_a_person_of_fixed_taste() {
    let (world, id) = thirty_days("replace").await;
    let runs = world.runs(&id).await;
    assert_eq!(runs.len(), 30, "it ran every day");
    assert!(runs.iter().all(|run| run.status == RunStatus::Ran));
    let mission = world.mission_now(&id).await;
    let learnt = mana_core::mission::lessons::lessons(&mission);
    let summary = |for_ever: bool| {
        let kept = learnt.iter().filter(|lesson| lesson.for_ever == for_ever);
        kept.map(|lesson| idea_of(&lesson.summary))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(summary(true), BTreeSet::from(["Call the landlord"]));
    assert_eq!(
        summary(false),
        BTreeSet::from(["Mend the bike", "Read a book"])
    );
    let prompt = world.llm.last_prompt();
    assert!(
        prompt.contains("- REFUSED FOR EVER: \"") && prompt.contains("in court"),
        "{prompt}"
    );
}

#[tokio::test]
async fn missions_r9_a_mission_that_waits_says_so_in_one_record() {
    let (world, id) = thirty_days("skip").await;
    // What is ignored holds the mission up: one record of the row, however long.
    let runs = world.runs(&id).await;
    let rows = runs.iter().filter(|run| run.status == RunStatus::Skipped);
    let rows: Vec<_> = rows.collect();
    let ran = runs
        .iter()
        .filter(|run| run.status == RunStatus::Ran)
        .count();
    let counted: u64 = rows
        .iter()
        .map(|run| {
            let details = run.details.as_ref().expect("details");
            details.get("count").and_then(Value::as_u64).unwrap_or(1)
        })
        .sum();
    assert_eq!(ran as u64 + counted, 30, "every day is told");
    assert!(rows.len() <= ran, "{} rows beside {ran} runs", rows.len());
}

#[tokio::test]
async fn missions_r8_a_lesson_that_is_taken_back_is_forgotten() {
    let world = World::new().await;
    let id = world.daily_mission("Week").await;
    world
        .llm
        .will_say("Week", steps(json!([step("Call the landlord")])));
    world.tick().await;
    world.decide(&id, "rejected", Some("Never!")).await;
    for _ in 0..4 {
        world
            .llm
            .will_say("Week", steps(json!([step("call the LANDLORD.")])));
    }
    world.pass_until(at("2026-11-22T12:00:00Z")).await;
    let lesson = world.mission_now(&id).await.lessons.remove(0);
    assert!(lesson.for_ever);
    let mut removed = json!(lesson);
    removed["removedAt"] = json!(world.now());
    removed["updatedAt"] = json!(world.now());
    world.update(&id, json!({"lessons": [removed]})).await;
    world.pass_until(at("2026-11-23T12:00:00Z")).await;
    let prompt = world.llm.last_prompt();
    assert!(!prompt.contains("REFUSED FOR EVER"), "{prompt}");
    let plan = world
        .iterations(&id)
        .await
        .pop()
        .expect("an iteration")
        .plan;
    assert!(plan.iter().any(|step| step.status.is_open()), "{plan:?}");
}

#[tokio::test]
async fn missions_l2_an_open_record_of_the_same_meaning_is_not_proposed_again() {
    let world = World::new().await;
    let task = |title: &str, done: bool| json!({"title": title, "done": done});
    world
        .write("todo", "tasks", "t1", "insert", task("Buy Oat Milk", false))
        .await;
    world
        .write("todo", "tasks", "t2", "insert", task("Wash the car", true))
        .await;
    let event = json!({"title": "Gym", "startsAt": "2026-11-21T10:00:00Z"});
    world
        .write("calendar", "events", "e1", "insert", event)
        .await;
    let id = world.daily_mission("Week").await;
    let gym = |at: &str| {
        json!({"summary": "Gym", "toolName": "create_event", "rationale": "r",
            "params": {"title": "Gym", "startsAt": at, "endsAt": at.replace("T10", "T11")}})
    };
    let plan = [
        step("buy oat-milk"),
        step("Wash the car"),
        step("Buy some oat milk"),
        gym("2026-11-21T10:00:00Z"),
        gym("2026-11-22T10:00:00Z"),
    ];
    world.llm.will_say("Week", steps(json!(plan)));
    world.tick().await;
    let plan = world.iterations(&id).await.remove(0).plan;
    let open: Vec<_> = plan
        .iter()
        .filter(|step| step.status.is_open())
        .map(|step| step.index)
        .collect();
    assert_eq!(open, [1, 2, 4], "{plan:?}");
    let notes = json!(plan).to_string();
    assert!(
        notes.contains("there is “Buy Oat Milk” already."),
        "{notes}"
    );
    assert!(
        notes.contains("Step 3 resembles “Buy Oat Milk”, which is there already."),
        "{notes}"
    );
}
