//! The mission as people have it: how many tokens its prompt takes.

use super::*;
use crate::planner::calls::{functions, plan_schema};
use crate::planner::prompt::functions_tokens;

/// Tokens for the answer, which a prompt leaves in a window.
const ANSWER: usize = 2_000;

/// The realistic mission, with everything that its prompt tells of.
struct Realistic {
    setting: Setting,
    records: Vec<(RecordKey, RecordState)>,
}

fn realistic() -> Realistic {
    let all: Value = serde_json::from_str(include_str!("realistic.json")).expect("JSON");
    let registry = Registry::builtin();
    let mission = Mission::parse("m1", &object(all["mission"].clone()));
    let context = QueryContext {
        now: at(all["now"].as_str().expect("a time")),
        zone: BERLIN.clone(),
    };
    let text = |record: &Value, field: &str| record[field].as_str().unwrap_or_default().to_owned();
    let records = all["records"].as_array().expect("records").iter();
    let records: Vec<(RecordKey, RecordState)> = records
        .map(|record| {
            let key = RecordKey::new(
                text(record, "module"),
                text(record, "table"),
                text(record, "id"),
            );
            let state = RecordState {
                data: object(record["data"].clone()),
                ..RecordState::default()
            };
            (key, state)
        })
        .collect();
    let mut setting = Setting::new(mission);
    setting.tools = PromptTools::of(&setting.mission, &registry, &Overrides::default(), &context);
    for (key, _) in &records {
        setting.short.add(key);
    }
    let title = |key: &RecordKey| {
        let found = records.iter().find(|(own, _)| own == key);
        found.and_then(|(_, state)| state.data.get("title")?.as_str().map(str::to_owned))
    };
    let resolver = Resolver {
        registry: &registry,
        short: &setting.short,
        told: &|key| key.table == "goals",
        context,
        title: &title,
    };
    for input in &setting.mission.inputs {
        let rows = || {
            let own = records
                .iter()
                .filter(|(key, _)| key.app == input.module && key.table == input.table);
            own.map(|(key, state)| (key.id.as_str(), state))
        };
        // The page about the person stands in every prompt already.
        if input.module != "context" {
            setting.inputs.extend(resolver.resolve(input, rows()).texts);
        }
        let table = registry
            .table(&input.module, &input.table)
            .expect("the table");
        setting.busy = setting.busy.or(resolver.busy(table, rows()));
    }
    let page = records.iter().find(|(key, _)| key.app == "context");
    setting.context =
        page.map(|(_, state)| state.data["body"].as_str().unwrap_or_default().to_owned());
    setting.budget_tokens = 8_000;
    Realistic { setting, records }
}

/// The bounds that a further module of Mana’s may not lift, by Mana's own count. Against the tokenizer of Qwen 3, of
/// which the prompt may have 6,500 tokens and 9,000 with functions, the count errs by a sixth upwards.
#[test]
fn missions_p7_the_realistic_mission_takes_no_more_tokens_than_it_may() {
    let mut realistic = realistic();
    assert_eq!(realistic.records.len(), 95);
    let setting = &mut realistic.setting;
    let calls = functions(&setting.tools, true);
    let mut over = Vec::new();
    for (format, most) in [
        (PlanFormat::FencedJson, 7_450),
        (PlanFormat::JsonSchema, 7_450),
        (PlanFormat::ToolCalls, 10_600),
    ] {
        setting.format = format;
        let with = match format {
            PlanFormat::ToolCalls => functions_tokens(&calls),
            PlanFormat::FencedJson | PlanFormat::JsonSchema => 0,
        };
        setting.room_tokens = None;
        let text = setting.text();
        write(&format!("{format:?}.txt"), &text);
        let size = fit::tokens(&text) + with;
        over.extend((size > most).then(|| format!("{format:?}: {size}")));
        assert!(!text.contains("did not fit"), "{text}");
        // Where the functions take more than half of the room, the runner asks for an answer instead of calls.
        let windows: &[usize] = match format {
            PlanFormat::ToolCalls => &[16_384],
            PlanFormat::FencedJson | PlanFormat::JsonSchema => &[2_048, 4_096, 8_192],
        };
        for window in windows {
            let room = window - ANSWER.min(window / 4);
            setting.room_tokens = Some(room);
            let text = setting.text();
            write(&format!("{format:?}-{window}.txt"), &text);
            let size = fit::tokens(&text) + with;
            over.extend((size > room).then(|| format!("{format:?} in {window}: {size}")));
        }
    }
    let lines: Vec<_> = calls.iter().map(|call| json_line(&call)).collect();
    write("functions.txt", &lines.join("\n"));
    write(
        "schema.txt",
        &json_line(&plan_schema(&setting.tools, true, 5)),
    );
    assert_eq!(over, Vec::<String>::new());
}

fn json_line(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// Writes a part of the prompt where `cargo xtask tokens` asks for it, to be counted by real tokenizers.
fn write(name: &str, text: &str) {
    if let Some(folder) = std::env::var_os("MANA_PROMPTS_DIR") {
        let path = std::path::Path::new(&folder).join(name);
        std::fs::write(path, text).expect("a file can be written");
    }
}
