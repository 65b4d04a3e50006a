//! Every place in a person's data that a prompt tells of, filled with a text and a mark of its own.
//!
//! Records come from the manifests: each field of each table, whatever its kind. The other parts of a prompt are taken
//! apart field by field, so that a new one does not compile until it is placed here, or said why not.

use std::time::Duration;

use mana_core::manifest::{EffectOp, Registry};
use mana_core::mission::{APP, Agent, Iteration, Lesson, MISSIONS, Mission, RunError, Step};
use mana_core::planner::{InputText, PendingProposal, PromptParts};
use mana_core::{Map, RecordKey};
use mana_sync::{AcceptPush, Origin};
use serde_json::{Value, json};

use crate::world::World;

/// Whether a part of a prompt is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A text with a mark is put there, and must reach the model.
    Filled,
    /// Not, and why.
    Not(&'static str),
}
use Reach::{Filled, Not};

/// The fields of a type, each with its reach. All of them have to be named.
macro_rules! parts {
    ($type:ident { $($field:ident: $reach:expr),* $(,)? }) => {{
        let _all = |part: $type| {
            let $type { $($field: _),* } = part;
        };
        vec![$((concat!(stringify!($type), "-", stringify!($field)), $reach)),*]
    }};
}

const NEVER: Reach = Not("it is in no prompt");
const OWN: Reach = Not("by its own parts");
const SERVERS: Reach = Not("the server makes it");

/// The marks of the parts of a prompt that are no records.
pub fn parts() -> Vec<(&'static str, Reach)> {
    let parts = [
        parts!(PromptParts {
            mission: OWN,
            iteration_id: SERVERS,
            now: SERVERS,
            zone: Not("a zone that the server knows"),
            locale: Not("a language that the server knows"),
            agent: OWN,
            format: SERVERS,
            max_steps: Not("a number"),
            registry: Not("the modules, which the owner installs"),
            tools: Not("the modules, which the owner installs"),
            short: SERVERS,
            context: Not("a record"),
            inputs: OWN,
            busy: Not("times"),
            notes: Not("about the mission's inputs"),
            lessons: OWN,
            pending: OWN,
            budget_tokens: SERVERS,
            room_tokens: SERVERS,
        }),
        parts!(InputText {
            module: Not("of a manifest"),
            table: Not("of a manifest"),
            id: NEVER,
            short: SERVERS,
            text: Not("a record"),
        }),
        parts!(Mission {
            id: NEVER,
            title: Filled,
            concept_markdown: Filled,
            objective: Filled,
            inputs: Filled,
            cadence: NEVER,
            timezone: Not("a zone that the server knows"),
            state: NEVER,
            next_run_at: NEVER,
            retry_slot: NEVER,
            failures: NEVER,
            failed_on: NEVER,
            paused_reason: NEVER,
            agent_id: NEVER,
            model: NEVER,
            overlap: Not("a word of Mana's"),
            catch_up_minutes: NEVER,
            jitter_minutes: NEVER,
            budget: NEVER,
            iterations: OWN,
            lessons: OWN,
            deleted: NEVER,
            problems: NEVER,
        }),
        parts!(Agent {
            id: NEVER,
            name: Filled,
            avatar: NEVER,
            role: Filled,
            system_prompt: Filled,
            memory: Filled,
            policy: NEVER,
            model: NEVER,
            budget: NEVER,
            concurrency: NEVER,
            problems: NEVER,
        }),
        parts!(Iteration {
            id: NEVER,
            slot: NEVER,
            started_at: Not("a time"),
            finished_at: NEVER,
            updated_at: NEVER,
            source: NEVER,
            summary: Filled,
            user_feedback: Filled,
            error: OWN,
            overall_status: NEVER,
            plan: OWN,
            model: NEVER,
            principal_id: NEVER,
            display_name: NEVER,
            extra: NEVER,
        }),
        parts!(RunError {
            code: NEVER,
            message: Filled,
            steps: NEVER,
            details: NEVER,
            extra: NEVER,
        }),
        parts!(Step {
            id: NEVER,
            index: NEVER,
            summary: Filled,
            rationale: NEVER,
            intent: Filled,
            proposal_id: NEVER,
            expires_at: NEVER,
            status: Not("a word of Mana's"),
            decided_at: NEVER,
            decided_by: NEVER,
            feedback: Filled,
            edited_params: Filled,
            replaced: NEVER,
            decisions: NEVER,
            updated_at: NEVER,
            extra: NEVER,
        }),
        parts!(Lesson {
            id: NEVER,
            kind: Not("a word of Mana's"),
            summary: Filled,
            tool_name: Filled,
            params: NEVER,
            edited_params: Filled,
            reason: Filled,
            for_ever: NEVER,
            decided_at: NEVER,
            kept_until: NEVER,
            iteration_id: NEVER,
            removed_at: NEVER,
            updated_at: NEVER,
            extra: NEVER,
        }),
        parts!(PendingProposal {
            mission_title: Filled,
            summary: Filled,
            tool_name: Filled,
            params: Filled,
        }),
    ];
    let notes = [
        ("Step-tool", Filled),
        ("Step-note", Filled),
        ("Step-key", Filled),
    ];
    parts.into_iter().flatten().chain(notes).collect()
}

/// The record of each table that has the text in every field.
const POISONED: &str = "poisoned";

/// The tables of the modules that missions read.
pub fn tables(registry: &Registry) -> Vec<RecordKey> {
    let modules = registry.manifests().iter();
    let modules = modules.filter(|module| module.id != APP);
    let keys = modules.flat_map(|module| {
        let tables = module.tables.iter();
        tables.map(|(name, table)| match table.singleton {
            true => RecordKey::new(&module.id, name, &module.id),
            false => RecordKey::new(&module.id, name, POISONED),
        })
    });
    keys.collect()
}

/// The mark of every field of these tables.
pub fn record_marks(registry: &Registry) -> Vec<String> {
    let tables = tables(registry).into_iter();
    let marks = tables.flat_map(|key| {
        let table = registry.table(&key.app, &key.table).expect("a table");
        let fields = table.fields.keys().cloned().collect::<Vec<_>>();
        fields
            .into_iter()
            .map(move |field| format!("IN-{}-{}-{field} ", key.app, key.table))
    });
    marks.collect()
}

/// The query tools, each with a search for the text where it searches.
pub fn queries(registry: &Registry) -> Vec<(String, Map)> {
    let tools = registry
        .tools()
        .into_iter()
        .filter(|tool| tool.tool.effect.op == EffectOp::Query);
    let asked = tools.map(|tool| {
        let texts = tool.tool.params.iter();
        let texts = texts.filter(|(name, _)| *name == "text");
        let params = texts.map(|(name, _)| (name.clone(), json!("ATTACK")));
        (tool.tool.name.clone(), params.collect())
    });
    asked.collect()
}

/// A text with the mark of its place, cut where a prompt has room for one line.
fn line(place: &str, text: &str) -> String {
    let marked = format!("IN-{place} {text}");
    marked.chars().take(150).collect()
}

/// Puts the text in every field of every table.
pub async fn poison_records(world: &World, text: &str) {
    for key in tables(&world.registry) {
        let table = world.registry.table(&key.app, &key.table).expect("a table");
        let mut set = Map::new();
        for (name, field) in &table.fields {
            let place = format!("{}-{}-{name}", key.app, key.table);
            let value = match field.reference(&key.app) {
                Some((app, table)) => {
                    let title = &world
                        .registry
                        .table(app, table)
                        .expect("a table")
                        .list
                        .title;
                    let titled = json!({ title: line(&place, text) });
                    let other = format!("of-{name}");
                    world.write(app, table, &other, "update", titled).await;
                    json!(other)
                }
                None => match (field.kind.kind().is_document, field.kind.kind().json_type) {
                    // A page has room for the whole text.
                    (true, _) => json!(format!("IN-{place} {text}")),
                    (_, Some("array")) => json!([line(&place, text), text]),
                    (_, None) => json!({ line(&place, text): [text] }),
                    _ => json!(line(&place, text)),
                },
            };
            set.insert(name.clone(), value);
        }
        let set = Value::Object(set);
        world
            .write(&key.app, &key.table, &key.id, "update", set)
            .await;
    }
}

/// Puts the text in everything else that the prompt of a mission tells of.
pub async fn poison_mission(world: &World, id: &str, text: &str) {
    let line = |place: &str| line(place, text);
    let agent = json!({"name": line("Agent-name"), "role": line("Agent-role"),
        "systemPrompt": line("Agent-system_prompt"), "memory": line("Agent-memory")});
    world
        .write("ai", "aiAgents", "default", "update", agent)
        .await;
    let inputs = tables(&world.registry).into_iter();
    let inputs = inputs.map(|key| json!({"module": key.app, "table": key.table, "id": key.id}));
    let further = [
        json!({"module": "todo", "table": "tasks"}),
        json!({"module": "notes", "table": "notes", "id": text}),
        json!({"module": line("Mission-inputs"), "table": text}),
    ];
    let said = json!({"title": line("Mission-title"), "objective": line("Mission-objective"),
        "conceptMarkdown": line("Mission-concept_markdown"), "inputs": Vec::from_iter(inputs.chain(further)),
        "lessons": [lesson(world, &line)], "iterations": [failed(world, &line), decided(world, &line)]});
    as_runner(world, id, "update", said).await;
    let waiting = json!({"title": line("PendingProposal-mission_title"), "iterations": [waiting(world, &line)]});
    as_runner(world, &format!("{id}-other"), "update", waiting).await;
}

type Line<'a> = dyn Fn(&str) -> String + 'a;

fn at(world: &World, hours_ago: i64) -> Value {
    json!(world.now().plus(-hours_ago * 3_600_000_000))
}

fn lesson(world: &World, line: &Line<'_>) -> Value {
    json!({"id": "lesson", "kind": "refused", "summary": line("Lesson-summary"),
        "toolName": line("Lesson-tool_name"), "params": {"title": "x"},
        "editedParams": {"title": line("Lesson-edited_params")}, "reason": line("Lesson-reason"),
        "forEver": true, "decidedAt": at(world, 30), "keptUntil": "9999-12-30T00:00:00Z", "iterationId": "gone",
        "updatedAt": at(world, 30)})
}

fn failed(world: &World, line: &Line<'_>) -> Value {
    json!({"id": "failed-run", "slot": "due:1", "source": "server", "startedAt": at(world, 48),
        "updatedAt": at(world, 47), "userFeedback": "No.", "plan": [],
        "error": {"code": "x", "message": line("RunError-message")}})
}

fn step(world: &World, index: usize, intent: Value, more: Value) -> Value {
    let mut step = json!({"id": format!("step-{index}"), "index": index, "summary": "s", "rationale": "r",
        "status": "rejected", "intent": intent, "updatedAt": at(world, 20), "decidedAt": at(world, 20)});
    let more = more.as_object().expect("fields").clone();
    step.as_object_mut().expect("an object").extend(more);
    step
}

/// A run with steps of every sort, some of them with more parameters than a prompt has room for.
fn decided(world: &World, line: &Line<'_>) -> Value {
    let call =
        |name: &str, params: Value| json!({"kind": "toolCall", "toolName": name, "params": params});
    let long = format!("{}{}", line("Step-intent"), "filler ".repeat(200));
    let many: Map = (0..60)
        .map(|n| (format!("p{n}"), json!(line("Step-more"))))
        .collect();
    let steps = [
        step(
            world,
            0,
            call(
                "create_task",
                json!({"title": line("Step-intent"), "notes": long}),
            ),
            json!({"summary": line("Step-summary"), "feedback": line("Step-feedback"),
                "editedParams": {"title": line("Step-edited_params"), "notes": long}}),
        ),
        step(
            world,
            1,
            call(&line("Step-tool"), json!({"x": "y"})),
            json!({}),
        ),
        step(
            world,
            2,
            call("create_task", json!({line("Step-key"): "x"})),
            json!({}),
        ),
        step(
            world,
            3,
            call("create_task", Value::Object(many)),
            json!({"status": "approved"}),
        ),
        step(
            world,
            4,
            json!({"kind": "note", "body": line("Step-note")}),
            json!({}),
        ),
    ];
    json!({"id": "decided-run", "slot": "due:2", "source": "server", "startedAt": at(world, 24),
        "finishedAt": at(world, 23), "updatedAt": at(world, 23), "summary": line("Iteration-summary"),
        "userFeedback": line("Iteration-user_feedback"), "plan": steps})
}

fn waiting(world: &World, line: &Line<'_>) -> Value {
    let call =
        |name: &str, params: Value| json!({"kind": "toolCall", "toolName": name, "params": params});
    let open = |index: usize, intent: Value| {
        let said = json!({"summary": line("PendingProposal-summary"), "status": "planned", "decidedAt": null});
        step(world, index, intent, said)
    };
    let steps = [
        open(
            0,
            call(
                "create_task",
                json!({"title": line("PendingProposal-params")}),
            ),
        ),
        open(1, call(&line("PendingProposal-tool_name"), json!({}))),
    ];
    json!({"id": "waiting-run", "slot": "due:3", "source": "server", "startedAt": at(world, 2),
        "finishedAt": at(world, 1), "updatedAt": at(world, 1), "summary": "s", "plan": steps})
}

/// The runner writes a mission: its iterations are the server's.
async fn as_runner(world: &World, id: &str, op: &str, data: Value) {
    world.advance(Duration::from_millis(1));
    let now = world.now();
    let fields = data.as_object().expect("fields").iter();
    let fields: Map = fields
        .map(|(field, value)| (field.clone(), json!({"value": value, "updatedAt": now})))
        .collect();
    let change = json!({"eventId": format!("runner-{id}-{}", now.0), "appId": APP, "table": MISSIONS, "id": id,
        "op": op, "at": now, "actor": {"kind": "user"}, "fields": fields});
    let push = AcceptPush {
        since: now.to_string(),
        ..AcceptPush::new(Origin::Runner, "mana-runner", vec![change])
    };
    let pushed = world.sync.accept(&world.scope(), push, now).await;
    pushed.expect("a good push");
}
