//! Proposals to read on a card: those of `tests/cards.json`, and one for every tool of every manifest, whose values
//! are marked so that each can be looked for. The command line's tests use this file too.

use std::{collections::BTreeMap, sync::Arc};

use mana_core::{
    Actor, Map, Micros, RecordKey, RecordState,
    manifest::{EffectOp, Field, FieldType, Registry, ToolRef},
    record::Stamp,
    staging::{Proposal, ProposalStatus, Records, Staging},
};
use serde_json::{Value, json};

const MISSION: &str = "0190d000-0000-7000-8000-000000000001";
const FINISHED: &str = "2026-04-08T06:01:48.000000Z";

/// A proposal with everything that its card is drawn from.
pub struct Case {
    pub name: String,
    pub registry: Arc<Registry>,
    pub proposal: Proposal,
    pub records: Records,
}

impl Case {
    /// A proposal of one step that calls a tool on these records.
    pub fn new(name: String, registry: Arc<Registry>, step: &Value, records: Records) -> Case {
        let iteration = json!({
            "id": "0190d000-0000-7000-8000-000000000002", "slot": "due:1775628000000", "source": "server",
            "startedAt": "2026-04-08T06:00:00.000000Z", "finishedAt": FINISHED, "updatedAt": FINISHED,
            "plan": [{
                "id": "0190d000-0000-7000-8000-000000000003", "index": 0, "status": "planned",
                "summary": step["summary"], "rationale": step["rationale"], "updatedAt": FINISHED,
                "intent": { "kind": "toolCall", "toolName": step["toolName"], "params": step["params"] },
            }],
        });
        let mission = state(json!({ "title": "Weekly plan", "iterations": [iteration] }));
        let staging = Staging {
            registry: &registry,
            overrides: &Default::default(),
            mission_id: MISSION,
            mission: &mission,
            have: &BTreeMap::new(),
        };
        let proposal = staging.stage(&records).remove(0);
        assert_eq!(
            proposal.status,
            ProposalStatus::Open,
            "{name}: {:?}",
            proposal.error
        );
        Case {
            name,
            registry,
            proposal,
            records,
        }
    }
}

/// A record with these values, all written at one time.
pub fn state(data: Value) -> RecordState {
    let data: Map = serde_json::from_value(data).expect("an object");
    let at = Micros::parse("2026-04-01T08:00:00Z").expect("a time");
    let stamp = |field: &String| {
        let actor = Actor::user();
        (field.clone(), Stamp { at, actor })
    };
    RecordState {
        meta: data.keys().map(stamp).collect(),
        data,
    }
}

/// A case of `cards.json`, and the texts that its card must hold.
pub fn written_cases() -> Vec<(Case, Vec<String>)> {
    let file: Value = serde_json::from_str(include_str!("../cards.json")).expect("JSON");
    let cases = file["cards"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|card| {
            let mut registry = Registry::builtin();
            if card["module"].is_object() {
                let (with, rejected) = registry.with([("module.json", card["module"].to_string())]);
                assert_eq!(rejected, []);
                registry = with;
            }
            let mut records = Records::new();
            if let Some((app, table)) = card["before"]["table"]
                .as_str()
                .and_then(|t| t.split_once('/'))
            {
                let mut data = card["before"].clone();
                data.as_object_mut().expect("an object").remove("table");
                let id = if app == "context" { app } else { "<id>" };
                records.insert(RecordKey::new(app, table, id), state(data));
            }
            let shown = serde_json::from_value(card["shown"].clone()).expect("texts");
            let name = card["name"].as_str().expect("a name").to_owned();
            (
                Case::new(name, Arc::new(registry), &card["step"], records),
                shown,
            )
        });
    cases.collect()
}

/// A case for each tool of the shipped manifests, of the specification's example, of `cards.json` and of 60 random
/// manifests; each on a record that has every field, and on one that has none.
pub fn generated_cases() -> Vec<Case> {
    let books = include_str!("../../../../spec/MODULES.md");
    let (_, books) = books.split_once("```json manifest\n").expect("the example");
    let (books, _) = books.split_once("```").expect("its end");
    let mut files = vec![books.to_owned()];
    let file: Value = serde_json::from_str(include_str!("../cards.json")).expect("JSON");
    let cards = file["cards"].as_array().into_iter().flatten();
    let modules = cards
        .map(|card| &card["module"])
        .filter(|module| module.is_object());
    files.extend(modules.map(Value::to_string));
    files.extend(random_manifests());
    let named = files
        .iter()
        .enumerate()
        .map(|(n, text)| (format!("{n}.json"), text));
    let (registry, rejected) = Registry::builtin().with(named);
    assert_eq!(rejected, []);
    let registry = Arc::new(registry);
    let mut cases = Vec::new();
    for tool in registry.tools() {
        if tool.tool.effect.op == EffectOp::Query {
            continue;
        }
        for full in [true, false] {
            // Only what exists can be removed, and a removal of nothing says nothing.
            if full || tool.tool.effect.op == EffectOp::Update {
                cases.push(marked(&registry, tool, full));
            }
        }
    }
    cases
}

/// A call of a tool whose every value is marked, on a record whose every value is marked otherwise.
fn marked(registry: &Arc<Registry>, tool: ToolRef<'_>, full: bool) -> Case {
    let effect = &tool.tool.effect;
    let (app, table) = (&tool.module.id, &effect.table);
    let mut records = Records::new();
    let id = if tool.table.singleton { app } else { "r1" };
    let old = tool
        .table
        .fields
        .iter()
        .enumerate()
        .map(|(n, (name, field))| {
            let value = sample("zq", n + 100, field);
            refer(registry, &mut records, app, field, &value, "zq");
            (name.clone(), value)
        });
    let mut old: Map = old.collect();
    if !full {
        old.retain(|name, _| *name == tool.table.list.title);
    }
    if effect.op != EffectOp::Insert {
        records.insert(RecordKey::new(app, table, id), state(Value::Object(old)));
    }
    let target = effect.id.as_deref().and_then(|id| id.strip_prefix('$'));
    let params = tool
        .tool
        .params
        .iter()
        .enumerate()
        .map(|(n, (name, param))| {
            if target == Some(name) {
                return (name.clone(), Value::from(id));
            }
            // The table's field bounds the value too.
            let source = json!(format!("${name}"));
            let set = effect.set.iter().find(|(_, value)| **value == source);
            let field = set.and_then(|(field, _)| tool.table.fields.get(field));
            let mut bounded = param.clone();
            bounded.max = [param.max, field.and_then(|field| field.max)]
                .into_iter()
                .flatten()
                .reduce(f64::min);
            let value = sample("qz", n, &bounded);
            refer(registry, &mut records, app, param, &value, "qz");
            (name.clone(), value)
        });
    let step = json!({
        "toolName": tool.tool.name, "params": Map::from_iter(params),
        "summary": "Something else", "rationale": "Because.",
    });
    let name = format!(
        "{} on {} fields",
        tool.tool.name,
        if full { "all" } else { "no" }
    );
    Case::new(name, registry.clone(), &step, records)
}

/// Puts in the record that a reference names.
fn refer(
    registry: &Registry,
    records: &mut Records,
    app: &str,
    field: &Field,
    id: &Value,
    mark: &str,
) {
    let (Some(table), Some(id)) = (&field.table, id.as_str()) else {
        return;
    };
    let app = field.module.as_deref().unwrap_or(app);
    let title = &registry.table(app, table).expect("a table").list.title;
    let title = Map::from_iter([(title.clone(), Value::from(format!("{mark}{id}title")))]);
    records.insert(RecordKey::new(app, table, id), state(Value::Object(title)));
}

/// An unlikely value for a field. Every text begins and ends with a mark of its own.
fn sample(mark: &str, n: usize, field: &Field) -> Value {
    let number = |value: f64| {
        let value = field.max.map_or(value, |max| value.min(max));
        field.min.map_or(value, |min| value.max(min))
    };
    match field.kind {
        FieldType::Text | FieldType::Markdown => {
            let (begin, end) = (format!("{mark}{n}begin"), format!("{mark}{n}end"));
            let room = field.max.unwrap_or(3000.0) as usize;
            let line = if field.kind == FieldType::Text {
                "word, "
            } else {
                "Some line of text.\n"
            };
            let filler = room.min(3000).saturating_sub(begin.len() + end.len() + 2) / line.len();
            json!(format!("{begin} {}{end}", line.repeat(filler)))
        }
        FieldType::Number => json!(number(700.25 + n as f64)),
        FieldType::Integer => json!(number(7000.0 + n as f64) as i64),
        FieldType::Boolean => json!(mark == "qz"),
        FieldType::Date => json!(format!("{}-03-17", 2031 + n)),
        FieldType::Datetime => json!(format!("{}-03-17T03:07:41.000000Z", 2031 + n)),
        FieldType::Recurrence => json!({ "rule": format!("FREQ=DAILY;COUNT={}", 4_031 + n) }),
        FieldType::Time => json!(format!("03:{:02}", n % 60)),
        FieldType::Enum => {
            let place = if mark == "qz" {
                field.values.len() - 1
            } else {
                0
            };
            json!(field.values[place].value())
        }
        FieldType::Ref => json!(format!("{mark}{n}ref")),
        FieldType::Tags => json!([format!("{mark}{n}one"), format!("{mark}{n}two")]),
        FieldType::Url => json!(format!("https://{mark}{n}.example/a?b={mark}{n}end")),
        FieldType::KeyedList => {
            json!([{ "id": format!("{mark}{n}id"), "word": format!("{mark}{n}item") }])
        }
        FieldType::Json => json!({ format!("{mark}{n}key"): [format!("{mark}{n}value")] }),
    }
}

/// The words of a value that carry a mark.
pub fn marks(value: &Value) -> Vec<String> {
    let text = value.to_string();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let marked = words.filter(|word| word.starts_with("qz") || word.starts_with("zq"));
    marked.map(str::to_owned).collect()
}

/// The random manifests; `web/src/lib/testing/randomManifest.ts` makes the same.
pub fn random_manifests() -> Vec<String> {
    (0..60)
        .map(|seed| random_manifest(seed).to_string())
        .collect()
}

/// A module with one table, whose fields are of every kind in an order of their own, and with a tool of every sort.
fn random_manifest(seed: u64) -> Value {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
    let mut kinds = vec![
        "text",
        "markdown",
        "number",
        "integer",
        "boolean",
        "date",
        "datetime",
        "time",
        "recurrence",
        "enum",
        "ref",
        "tags",
        "url",
        "keyedList",
        "json",
    ];
    let more = random.below(6);
    for _ in 0..more {
        kinds.push(kinds[random.below(kinds.len())]);
    }
    for n in (1..kinds.len()).rev() {
        kinds.swap(n, random.below(n + 1));
    }
    let (mut fields, mut params, mut set, mut meta) =
        (Map::new(), Map::new(), Map::new(), Vec::new());
    let (mut title, mut long) = (String::new(), String::new());
    for (n, kind) in kinds.iter().enumerate() {
        let name = match random.below(4) {
            0 if *kind == "integer" => format!("f{n}Minutes"),
            _ => format!("f{n}"),
        };
        let mut field = json!({ "type": kind, "label": { "en": format!("Label {n}"), "de": format!("Feld {n}") } });
        let mut param = json!({ "type": kind, "description": "A value." });
        match *kind {
            "text" if title.is_empty() => title.clone_from(&name),
            "markdown" => long.clone_from(&name),
            "enum" => {
                let value = |n: usize, m: usize| {
                    let label = format!("Choice {n} {m}");
                    json!({ "value": format!("v{m}"), "label": { "en": label } })
                };
                field["values"] = (0..3).map(|m| value(n, m)).collect();
                param["values"] = json!(["v0", "v1", "v2"]);
            }
            "ref" => {
                field["table"] = json!("rows");
                param["table"] = json!("rows");
            }
            "keyedList" => field["list"] = json!({ "orderBy": "word" }),
            _ => {}
        }
        if random.below(3) == 0 {
            meta.push(name.clone());
        }
        fields.insert(name.clone(), field);
        // No tool writes a keyed list; it goes with a record that is removed.
        if *kind != "keyedList" {
            set.insert(name.clone(), json!(format!("${name}")));
            params.insert(name, param);
        }
    }
    let id = json!({ "type": "ref", "table": "rows", "required": true, "description": "Which." });
    let tool = |verb: &str, params: Value, effect: Value| {
        json!({ "name": format!("{verb}_random{seed}"), "label": { "en": format!("{verb} it") }, "policy": "propose",
            "description": "Does it.", "params": params, "effect": effect })
    };
    let mut with_id = params.clone();
    with_id.insert("rowId".to_owned(), id.clone());
    let text = json!({ "type": "markdown", "required": true, "description": "More." });
    let append = Map::from_iter([(long, json!({ "$append": "$text" }))]);
    json!({
        "id": format!("random{seed}"), "version": 1, "name": { "en": "Random" }, "description": { "en": "Random." },
        "tables": { "rows": { "name": { "en": "Row" }, "plural": { "en": "Rows" }, "fields": fields,
            "list": { "title": title, "meta": meta } } },
        "tools": [
            tool("create", json!(params), json!({ "op": "insert", "table": "rows", "set": set })),
            tool("update", json!(with_id), json!({ "op": "update", "table": "rows", "id": "$rowId", "set": set })),
            tool("delete", json!({ "rowId": id }), json!({ "op": "delete", "table": "rows", "id": "$rowId" })),
            tool("append", json!({ "rowId": id, "text": text }),
                json!({ "op": "update", "table": "rows", "id": "$rowId", "set": append })),
        ],
    })
}

/// A small generator, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
