//! A second implementation: a client that knows no more of the protocol than the first client's shapes
//! (spec/WIRE.md), beside Mana's own devices, over random histories.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{Map, Micros, Op, RecordKey};
use serde_json::{Value, json};

use crate::support::*;

/// The tables that everybody syncs.
const TABLES: [(&str, &str); 2] = [("todo", "tasks"), ("ai", "aiMissions")];
const MISSION: &str = "m";

type Key = (String, String);

/// A record as the first client keeps it: values, and a stamp for each.
#[derive(Default)]
struct Kept {
    data: Map,
    stamps: BTreeMap<String, Micros>,
}

/// The first client: last write wins by field, lists whole, no event ids, an app at a time.
struct FirstClient {
    id: String,
    records: BTreeMap<Key, Kept>,
    waiting: Vec<(&'static str, Value)>,
    cursors: BTreeMap<&'static str, String>,
    made: usize,
}

impl FirstClient {
    fn new(id: &str) -> FirstClient {
        FirstClient {
            id: id.to_owned(),
            records: BTreeMap::new(),
            waiting: Vec::new(),
            cursors: BTreeMap::new(),
            made: 0,
        }
    }

    fn wrote(&mut self, table: &str, id: &str, field: &str, value: &Value, at: Micros) {
        let kept = self.records.entry((table.into(), id.into())).or_default();
        kept.data.insert(field.into(), value.clone());
        kept.stamps.insert(field.into(), at);
    }

    fn insert(&mut self, app: &'static str, table: &str, id: &str, mut data: Value, at: Micros) {
        for field in ["createdAt", "updatedAt"] {
            data[field] = json!(short(at));
        }
        for (field, value) in data.as_object().unwrap() {
            self.wrote(table, id, field, value, at);
        }
        let change = json!({ "table": table, "id": id, "op": "insert", "data": data });
        self.waiting.push((app, change));
    }

    fn update(&mut self, app: &'static str, table: &str, id: &str, set: &Value, at: Micros) {
        let mut fields = Map::new();
        for (field, value) in set.as_object().unwrap() {
            self.wrote(table, id, field, value, at);
            // JavaScript's undefined.
            let write = match value {
                Value::Null => json!({ "updatedAt": short(at) }),
                value => json!({ "value": value, "updatedAt": short(at) }),
            };
            fields.insert(field.clone(), write);
        }
        let change = json!({ "table": table, "id": id, "op": "update", "fields": fields });
        self.waiting.push((app, change));
    }

    fn delete(&mut self, app: &'static str, table: &str, id: &str, at: Micros) {
        self.wrote(table, id, "deletedAt", &json!(short(at)), at);
        let at = short(at);
        let fields = json!({ "deletedAt": { "value": at, "updatedAt": at } });
        let change =
            json!({ "table": table, "id": id, "op": "delete", "deletedAt": at, "fields": fields });
        self.waiting.push((app, change));
    }

    /// The whole list of a mission's iterations, changed here and sent as it is.
    fn iterations(&mut self, change: impl FnOnce(&mut Vec<Value>), at: Micros) {
        let kept = self.records.get(&("aiMissions".into(), MISSION.into()));
        let Some(Value::Array(mut list)) =
            kept.and_then(|kept| kept.data.get("iterations").cloned())
        else {
            return;
        };
        change(&mut list);
        self.update(
            "ai",
            "aiMissions",
            MISSION,
            &json!({ "iterations": list }),
            at,
        );
    }

    fn begins_iteration(&mut self, at: Micros) {
        self.made += 1;
        let id = format!("{}-{}", self.id, self.made);
        let step = json!({ "id": format!("{id}-s"), "summary": "x", "status": "planned" });
        let element = json!({ "id": id, "startedAt": short(at), "source": "browser",
            "overallStatus": "awaiting-review", "plan": [step] });
        self.iterations(|list| list.push(element), at);
    }

    fn ends_iteration(&mut self, at: Micros) {
        let own = self.id.clone();
        let ends = |list: &mut Vec<Value>| {
            let mut mine = list.iter_mut().filter(|one| {
                one["id"].as_str().unwrap().starts_with(&own) && one.get("finishedAt").is_none()
            });
            if let Some(mine) = mine.next() {
                mine["finishedAt"] = json!(short(at));
                mine["summary"] = json!(format!("Planned by {own}"));
            }
        };
        self.iterations(ends, at);
    }

    fn decides(&mut self, pick: usize, at: Micros) {
        let decides = |list: &mut Vec<Value>| {
            let steps = list.iter_mut().filter_map(|one| one["plan"].as_array_mut());
            let mut open: Vec<&mut Value> = steps
                .flatten()
                .filter(|step| step["status"] == "planned")
                .collect();
            if !open.is_empty() {
                let pick = pick % open.len();
                open[pick]["status"] = json!("rejected");
            }
        };
        self.iterations(decides, at);
    }

    async fn sync(&mut self, server: &Server, loses_answer: bool) {
        for (app, table) in TABLES {
            let changes: Vec<Value> = (self.waiting.iter())
                .filter(|(of, _)| *of == app)
                .map(|(_, change)| change.clone())
                .collect();
            let since = self.cursors.get(table).cloned();
            let since = since.unwrap_or_else(|| "1970-01-01T00:00:00.000Z".to_owned());
            if !changes.is_empty() {
                let body = json!({ "clientId": self.id, "since": since, "changes": changes });
                let answer = server.first_client_push(app, &self.id, &body).await;
                if loses_answer {
                    continue;
                }
                self.waiting.retain(|(of, _)| *of != app);
                self.take(&answer["serverChanges"]);
            }
            let mut since = since;
            loop {
                let answer = server.first_client_pull(app, &self.id, table, &since).await;
                self.take(&answer["serverChanges"]);
                answer["syncedUntil"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut since);
                if answer["hasMore"] == false {
                    break;
                }
            }
            self.cursors.insert(table, since);
        }
    }

    fn take(&mut self, changes: &Value) {
        for change in changes.as_array().unwrap() {
            let text = |name: &str| change[name].as_str().expect(name).to_owned();
            let (table, id) = (text("table"), text("id"));
            if text("op") == "delete" {
                let at = Micros::parse(&text("deletedAt")).unwrap();
                self.merge(&table, &id, "deletedAt", &change["deletedAt"], at);
                continue;
            }
            for (field, write) in change["fields"].as_object().expect("fields") {
                let value = write
                    .get("value")
                    .unwrap_or_else(|| panic!("no value: {change}"));
                let at = Micros::parse(write["at"].as_str().expect("at")).unwrap();
                self.merge(&table, &id, field, value, at);
            }
        }
    }

    fn merge(&mut self, table: &str, id: &str, field: &str, value: &Value, at: Micros) {
        let kept = self.records.get(&(table.into(), id.into()));
        let local = kept.and_then(|kept| kept.stamps.get(field));
        if local.is_none_or(|local| at >= *local) {
            self.wrote(table, id, field, value, at);
        }
    }
}

/// A time as JavaScript writes it.
fn short(at: Micros) -> String {
    let text = at.to_string();
    format!("{}Z", &text[..text.len() - 4])
}

/// The part that everybody has to agree on: the values, a deletion as such, and times as instants.
fn agreed(data: &Map) -> Value {
    let mut data = data.clone();
    data.retain(|_, value| !value.is_null());
    if let Some(deleted) = data.get_mut("deletedAt") {
        *deleted = json!(true);
    }
    let mut data = Value::Object(data);
    instants(&mut data);
    data
}

fn instants(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Ok(at) = Micros::parse(text) {
                *value = json!(at);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(instants),
        Value::Object(fields) => {
            // A stamp of the server's follow-up, which the first client does not look at.
            fields.remove("updatedAt");
            fields.values_mut().for_each(instants);
        }
        _ => {}
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

async fn history(seed: u64, server: &Server) {
    let mut rng = Rng(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut firsts = [FirstClient::new("c-a"), FirstClient::new("c-b")];
    let devices = [Device::memory(0).await, Device::memory(0).await];
    let data = json!({ "title": "Plan", "state": "active", "cadence": {"kind": "manual"}, "iterations": [] });
    let begin = server.now();
    firsts[0].insert("ai", "aiMissions", MISSION, data, begin);
    firsts[0].sync(server, false).await;
    let mut plans = 0;
    for n in 0..60 {
        // Every stamp is its own: of two at the same instant the merge takes the greater value, a peer the later row.
        let at = server.now().plus(3_000);
        server
            .now
            .store(at.0 + 3_000, std::sync::atomic::Ordering::SeqCst);
        let (who, task) = (rng.below(2), format!("t{}", rng.below(5)));
        let title = json!({ "title": format!("Title {n}"), "isCompleted": n % 2 == 0 });
        let first = &mut firsts[who];
        let known = first.records.contains_key(&("tasks".into(), task.clone()));
        match rng.below(16) {
            0..=2 if !known => first.insert("todo", "tasks", &format!("{task}-{n}"), title, at),
            0..=2 => {
                let set = json!({ "title": format!("Title {n}"), "dueDate": null });
                first.update("todo", "tasks", &task, &set, at);
            }
            3 => {
                let all = first.records.keys().filter(|(table, _)| table == "tasks");
                let ids: Vec<String> = all.map(|(_, id)| id.clone()).collect();
                if !ids.is_empty() {
                    let id = &ids[rng.below(ids.len())];
                    first.delete("todo", "tasks", id, at);
                }
            }
            4 => first.begins_iteration(at),
            5 => first.ends_iteration(at),
            6 => first.decides(rng.below(9), at),
            7..=9 => {
                let loses_answer = rng.below(4) == 0;
                first.sync(server, loses_answer).await;
            }
            10 => {
                plans += 1;
                let step = json!({ "id": format!("p{plans}-s"), "index": 0, "summary": "s", "rationale": "r",
                    "status": "planned", "updatedAt": at, "intent": {"kind": "note", "body": "n"} });
                let iteration = json!({ "id": format!("p{plans}"), "slot": format!("run:{plans}"), "startedAt": at,
                    "finishedAt": at, "updatedAt": at, "source": "server", "summary": "A plan", "plan": [step] });
                server.runs(MISSION, iteration).await;
            }
            11..=12 => {
                let device = &devices[who];
                let tasks = device.replica.records("todo", "tasks").await.unwrap();
                let op = if tasks.iter().any(|(id, _)| *id == task) {
                    Op::Update
                } else {
                    Op::Insert
                };
                device
                    .write(crate::support::task(
                        op,
                        &task,
                        json!({ "title": format!("Device {n}") }),
                    ))
                    .await;
            }
            13 if n % 2 == 0 => server.compact().await,
            _ => devices[who].replica.sync(server).await.unwrap(),
        }
    }
    for _ in 0..3 {
        for first in &mut firsts {
            first.sync(server, false).await;
        }
        for device in &devices {
            device.replica.sync(server).await.unwrap();
        }
    }
    for first in &mut firsts {
        assert!(first.waiting.is_empty());
    }
    assert_eq!(devices[0].waiting().await + devices[1].waiting().await, 0);
    for (app, table) in TABLES {
        let mut held = Vec::new();
        for device in &devices {
            let records = device.replica.records(app, table).await.unwrap();
            let records = records
                .into_iter()
                .map(|(id, state)| (id, agreed(&state.data)));
            held.push(records.collect::<BTreeMap<String, Value>>());
        }
        for first in &firsts {
            let kept = first.records.iter().filter(|((of, _), _)| of == table);
            let kept = kept.map(|((_, id), kept)| (id.clone(), agreed(&kept.data)));
            held.push(kept.collect());
        }
        let ids: BTreeSet<&String> = held.iter().flat_map(BTreeMap::keys).collect();
        for id in ids {
            for (n, one) in held.iter().enumerate() {
                assert_eq!(
                    one.get(id),
                    held[0].get(id),
                    "seed {seed} on {:?}: {table}/{id} at {n}",
                    server.database
                );
            }
        }
    }
    let key = RecordKey::new("ai", "aiMissions", MISSION);
    assert!(devices[0].replica.record(&key).await.unwrap().is_some());
}

#[tokio::test]
async fn sync_a_second_implementation_and_manas_devices_are_equal_at_the_end() {
    // A history on Postgres takes many times as long, and differs in the store alone.
    for (database, histories) in [(Database::Sqlite, 100), (Database::Postgres, 20)] {
        let store = database.open().await;
        for seed in 0..histories {
            let server = Server::over(database, store.clone(), &format!("person {seed}"));
            history(seed, &server).await;
        }
    }
}

#[tokio::test]
async fn sync_x4_a_text_that_lost_stays_readable_where_the_first_client_deletes_its_record() {
    for database in Database::ALL {
        let server = Server::on(database).await;
        let (mut first, device) = (FirstClient::new("c-a"), Device::memory(0).await);
        let notes = |text: &str| json!({ "notes": text });
        device.add("t", "Milk").await;
        device.write(task(Op::Update, "t", notes("base"))).await;
        device.replica.sync(&server).await.unwrap();
        first.sync(&server, false).await;
        device
            .write(task(
                Op::Update,
                "t",
                notes("base, and two hours of writing"),
            ))
            .await;
        let at = NOW.plus(10_000_000);
        first.update("todo", "tasks", "t", &notes("one word"), at);
        first.sync(&server, false).await;
        first.delete("todo", "tasks", "t", at.plus(1_000_000));
        first.sync(&server, true).await;
        device.replica.sync(&server).await.unwrap();
        first.sync(&server, false).await;

        let key = RecordKey::new("todo", "tasks", "t");
        let record = device.replica.record(&key).await.unwrap().unwrap();
        assert!(record.is_deleted());
        assert_eq!(record.data["notes"], "one word");
        let conflicts = device.replica.conflicts().await.unwrap();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert_eq!(conflicts[0].loser.value, "base, and two hours of writing");

        // The person brings it back with the text that lost, and the first client sees both.
        let back = json!({ "deletedAt": null, "notes": conflicts[0].loser.value });
        device.write(task(Op::Update, "t", back)).await;
        device.replica.sync(&server).await.unwrap();
        assert_eq!(device.replica.conflicts().await.unwrap(), []);
        first.sync(&server, false).await;
        let record = device.replica.record(&key).await.unwrap().unwrap();
        let kept = &first.records[&("tasks".to_owned(), "t".to_owned())];
        assert_eq!(agreed(&kept.data), agreed(&record.data), "{database:?}");
        assert_eq!(kept.data["notes"], "base, and two hours of writing");
    }
}
