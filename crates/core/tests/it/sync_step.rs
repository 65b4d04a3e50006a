//! The sync step by itself: a driver in a few lines, over a storage that is a struct.

use std::collections::BTreeMap;

use mana_core::{
    Actor, Change, FieldWrite, Map, Micros, Op, Prepare, RecordKey, RecordState, Stamp,
    conflict::{ConflictKind, KeptConflict, Lineages, TextLineage},
    manifest::Registry,
    mission::{APP, MISSIONS},
    prepare,
    sync::{
        Commit, Effect, Event, OutboxRow, PushAnswer, PushRequest, QueuedChange, RecordRow,
        Refusal, ReplicaMeta, SetAside, SnapshotPage, SnapshotRecord, State, TransportError,
        note_own_texts, step,
    },
};
use serde_json::{Value, json};

pub const NOW: Micros = Micros(1_772_431_200_000_000);
/// A replica's storage.
#[derive(Default)]
pub struct Replica {
    pub meta: ReplicaMeta,
    pub outbox: Vec<OutboxRow>,
    pub records: BTreeMap<RecordKey, RecordState>,
    set_aside: Vec<SetAside>,
    pub left_out: Vec<String>,
    texts: BTreeMap<(RecordKey, String), TextLineage>,
    pub conflicts: BTreeMap<String, KeptConflict>,
}

impl Replica {
    pub fn at(cursor: &str) -> Replica {
        let mut replica = Replica::default();
        cursor.clone_into(&mut replica.meta.cursor);
        replica
    }

    pub fn queue(&mut self, ids: &[&str]) {
        for id in ids {
            let mut change = Change::new("tasks", *id, Op::Update);
            change.event_id = Some(format!("event-{id}"));
            change.app_id = Some("todo".to_owned());
            change.actor = Some(Actor::user());
            let write = FieldWrite {
                value: Some(json!(id)),
                updated_at: Some(NOW),
                base: None,
            };
            change.fields.insert("title".to_owned(), write);
            self.outbox.push(OutboxRow {
                seq: self.outbox.len() as u64 + 1,
                change: change.into(),
                since: self.meta.cursor.clone(),
            });
        }
    }

    fn read(&self, outbox: usize, keys: &std::collections::BTreeSet<RecordKey>) -> Event {
        let records = keys
            .iter()
            .filter_map(|key| Some(RecordRow::new(key.clone(), self.records.get(key)?.clone())));
        Event::Read {
            meta: self.meta.clone(),
            outbox: self.outbox.iter().take(outbox).cloned().collect(),
            records: records.collect(),
            texts: self.texts.values().cloned().collect(),
            conflicts: self.conflicts.values().cloned().collect(),
            range: Vec::new(),
        }
    }

    /// Writes a note's text, as a device does.
    fn write_note(&mut self, body: &str, at: Micros) -> Change {
        let registry = Registry::builtin();
        let key = RecordKey::new("notes", "notes", "n1");
        let write = Prepare {
            key: &key,
            op: Op::Update,
            set: Map::from_iter([("body".to_owned(), json!(body))]),
            state: self.records.get(&key),
            tick: at,
            at: None,
            stamps: BTreeMap::new(),
            seen: BTreeMap::new(),
            actor: Actor::user(),
            event_id: format!("{body} {at}"),
        };
        let prepared = prepare(registry.schema("notes", "notes"), write).expect("a good write");
        let mut lineages = Lineages::new(self.texts.values().cloned());
        let mut before = self.records.clone();
        let change = prepared.change;
        let written = std::slice::from_ref(&change);
        note_own_texts(&registry, &mut before, &mut lineages, written, at);
        for text in lineages.into_changed() {
            self.texts
                .insert((text.key.clone(), text.field.clone()), text);
        }
        self.records.insert(key, prepared.state);
        self.outbox.push(OutboxRow {
            seq: self.outbox.len() as u64 + 1,
            change: change.clone().into(),
            since: self.meta.cursor.clone(),
        });
        change
    }

    fn commit(&mut self, commit: Commit) {
        self.meta = commit.meta.unwrap_or_else(|| self.meta.clone());
        self.records
            .extend(commit.records.into_iter().map(RecordRow::into_parts));
        self.records.retain(|key, _| !commit.dropped.contains(key));
        self.outbox.retain(|row| !commit.dequeue.contains(&row.seq));
        self.set_aside
            .retain(|one| !commit.unset_aside.iter().any(|id| id == one.event_id()));
        self.set_aside.extend(commit.set_aside);
        for text in commit.texts {
            self.texts
                .insert((text.key.clone(), text.field.clone()), text);
        }
        for conflict in commit.conflicts {
            let id = conflict.conflict_id.clone();
            self.conflicts.entry(id).or_insert(conflict);
        }
        for id in commit.ended {
            self.conflicts.get_mut(&id).expect("a conflict").ended = true;
        }
        for change in commit.queue {
            let seq = 1_000 + self.outbox.len() as u64;
            let since = self.meta.cursor.clone();
            let change = change.into();
            self.outbox.push(OutboxRow { seq, change, since });
        }
        self.left_out
            .extend(commit.left_out.into_iter().map(|one| one.reason));
    }

    /// Syncs with a server that is a function. `meanwhile` may change the replica while a request is under way.
    pub fn sync(
        &mut self,
        mut server: impl FnMut(Request) -> Reply,
        mut meanwhile: impl FnMut(&mut Replica),
    ) -> Result<(), TransportError> {
        let registry = Registry::builtin();
        let mut state = State::default();
        let mut next = |event| {
            let (after, effects) = step(&registry, std::mem::take(&mut state), event);
            state = after;
            std::collections::VecDeque::from(effects)
        };
        let mut effects = next(Event::Started {});
        let mut request = None;
        for _ in 0..1_000 {
            match effects.pop_front() {
                Some(Effect::Push(push)) => request = Some(Request::Push(push)),
                Some(Effect::Fetch(asked)) => request = Some(Request::Page(asked.after)),
                Some(Effect::Read {
                    outbox, records, ..
                }) => {
                    effects = next(self.read(outbox, &records));
                    if let Some(Effect::Commit(_)) = effects.front()
                        && let Some(Effect::Commit(commit)) = effects.pop_front()
                    {
                        self.commit(*commit);
                        effects = next(Event::Committed {});
                    }
                }
                Some(Effect::Done {}) => return Ok(()),
                Some(Effect::Stop { error }) => return Err(error),
                Some(Effect::Commit(_) | Effect::Join(_)) => panic!("a commit follows a read"),
                None => {
                    let reply = server(request.take().expect("a request is under way"));
                    meanwhile(self);
                    let (sent_at, now) = (NOW, NOW);
                    effects = next(match reply {
                        Reply::Answer(answer) => Event::Answered {
                            answer,
                            sent_at,
                            now,
                        },
                        Reply::Page(page) => Event::Paged { page, sent_at, now },
                        Reply::Refused(refusal) => Event::Failed {
                            error: TransportError::Refused(refusal),
                            now,
                        },
                    });
                }
            }
        }
        panic!("the sync never ends");
    }
}

pub enum Request {
    Push(PushRequest),
    Page(String),
}

pub enum Reply {
    Answer(PushAnswer),
    Page(SnapshotPage),
    Refused(Refusal),
}

pub fn answer(synced_until: &str, server_changes: Vec<Value>) -> Reply {
    Reply::Answer(PushAnswer {
        server_changes,
        synced_until: synced_until.to_owned(),
        server_time: NOW,
        ..PushAnswer::default()
    })
}

pub fn page(records: Vec<SnapshotRecord>, after: Option<&str>, synced_until: &str) -> Reply {
    Reply::Page(SnapshotPage {
        records,
        after: after.map(str::to_owned),
        synced_until: synced_until.to_owned(),
        server_time: NOW,
        ..SnapshotPage::default()
    })
}

pub fn refused(status: u16, code: &str, details: Value) -> Reply {
    let mut refusal = Refusal::new(status, code, "No.");
    refusal.details = details;
    Reply::Refused(refusal)
}

fn record(table: (&str, &str), id: &str, fields: &[(&str, Value, i64)]) -> SnapshotRecord {
    let stamp = |at: i64| Stamp {
        at: NOW.plus(at),
        actor: Actor::user(),
    };
    SnapshotRecord {
        app_id: table.0.to_owned(),
        table: table.1.to_owned(),
        id: id.to_owned(),
        data: fields
            .iter()
            .map(|(name, value, _)| ((*name).to_owned(), value.clone()))
            .collect(),
        meta: fields
            .iter()
            .map(|(name, _, at)| ((*name).to_owned(), stamp(*at)))
            .collect(),
    }
}

/// A mission with so many iterations, each of which holds a long text.
fn long_mission(iterations: usize) -> Value {
    let long = "x".repeat(150_000);
    let iteration = |n: usize| {
        let at = NOW.plus(n as i64).to_string();
        json!({"id": format!("i{n}"), "slot": format!("run:{n}"), "startedAt": at, "finishedAt": at,
            "updatedAt": at, "source": "server", "plan": [{"id": format!("s{n}"), "status": "approved",
            "summary": "Append", "rationale": "Because.", "updatedAt": at, "replaced": {"body": long}}]})
    };
    (0..iterations).map(iteration).collect()
}

#[test]
fn sync_s7_a_record_larger_than_a_change_joins_whole() {
    let mut replica = Replica::at("");
    let key = RecordKey::new(APP, MISSIONS, "m");
    let known = record((APP, MISSIONS), "m", &[("title", json!("Mine"), 5)]);
    replica.records.insert(key.clone(), known.into_parts().1);
    let iterations = long_mission(31);
    let whole = record(
        (APP, MISSIONS),
        "m",
        &[("title", json!("Theirs"), 1), ("iterations", iterations, 2)],
    );
    assert!(json!(whole).to_string().len() > (4 << 20));
    let mut pages = vec![answer("9", Vec::new()), page(vec![whole], None, "9")];
    replica.sync(|_| pages.pop().unwrap(), |_| {}).unwrap();
    let state = &replica.records[&key];
    assert_eq!(state.data["title"], "Mine");
    assert_eq!(state.data["iterations"].as_array().unwrap().len(), 31);
    assert_eq!(replica.meta.cursor, "9");
}

#[test]
fn sync_s5_an_unreadable_change_is_left_out_and_named_and_blocks_nothing() {
    let mut replica = Replica::at("1");
    let good = json!({"eventId": "e3", "appId": "todo", "table": "tasks", "id": "a", "op": "insert",
        "data": {"title": "Milk"}, "at": NOW.to_string()});
    let unknown =
        json!({"eventId": "e1", "appId": "todo", "table": "tasks", "id": "a", "op": "upsert"});
    let nameless = json!({"eventId": "e2", "table": "tasks", "id": "a", "op": "delete"});
    let mut changes = Some(vec![unknown, nameless, json!(7), good]);
    replica
        .sync(|_| answer("5", changes.take().unwrap_or_default()), |_| {})
        .unwrap();
    assert_eq!(replica.left_out.len(), 3, "{:?}", replica.left_out);
    assert!(replica.left_out[0].contains("upsert"));
    assert_eq!(replica.records.len(), 1);
    assert_eq!(replica.meta.cursor, "5");
}

#[test]
fn sync_s7_a_snapshot_resumes_where_it_broke_off_and_restarts_where_the_server_does_not_know_the_page()
 {
    let mut replica = Replica::at("");
    let of = |id: &str| vec![record(("todo", "tasks"), id, &[("title", json!(id), 1)])];
    let busy = || refused(503, "busy", Value::Null);
    let mut replies = vec![busy(), page(of("a"), Some("p1"), "9")];
    let mut asked = Vec::new();
    let mut server = |request: Request| {
        let Request::Page(after) = request else {
            return answer("9", Vec::new());
        };
        asked.push(after);
        replies.pop().unwrap()
    };
    let error = replica.sync(&mut server, |_| {}).unwrap_err();
    assert!(matches!(error, TransportError::Refused(refusal) if refusal.status == 503));
    assert_eq!(replica.meta.snapshot_after, "p1");
    assert_eq!(asked, ["", "p1"]);

    let unknown = refused(400, "invalid_after", Value::Null);
    replies = vec![
        page(of("b"), None, "9"),
        page(of("a"), Some("q1"), "9"),
        unknown,
    ];
    asked.clear();
    let mut server = |request: Request| {
        let Request::Page(after) = request else {
            return answer("9", Vec::new());
        };
        asked.push(after);
        replies.pop().unwrap()
    };
    replica.sync(&mut server, |_| {}).unwrap();
    assert_eq!(asked, ["p1", "", "q1"]);
    assert_eq!(replica.records.len(), 2);
    assert_eq!(
        (
            replica.meta.cursor.as_str(),
            replica.meta.snapshot_after.as_str()
        ),
        ("9", "")
    );
}

#[test]
fn sync_r3_a_cursor_that_is_refused_again_after_a_snapshot_ends_the_sync() {
    let mut replica = Replica::at("1");
    let mut pushes = 0;
    let server = |request: Request| match request {
        Request::Push(_) => {
            pushes += 1;
            refused(410, "resync_required", Value::Null)
        }
        Request::Page(_) => page(Vec::new(), None, "1"),
    };
    let error = replica.sync(server, |_| {}).unwrap_err();
    assert!(matches!(error, TransportError::Refused(refusal) if refusal.status == 410));
    assert_eq!(pushes, 2);
}

#[test]
fn sync_r3_a_server_that_refuses_every_cursor_does_not_keep_a_sync_for_ever() {
    let mut replica = Replica::at("0");
    let mut cursor = 0;
    let server = |request: Request| match request {
        Request::Push(_) => refused(410, "resync_required", Value::Null),
        Request::Page(_) => {
            cursor += 1;
            page(Vec::new(), None, &cursor.to_string())
        }
    };
    assert!(replica.sync(server, |_| {}).is_err());
}

#[test]
fn sync_s12_a_push_that_is_too_large_is_halved_and_a_change_that_is_too_large_is_set_aside() {
    let mut replica = Replica::at("1");
    replica.queue(&["a", "b", "big", "c", "d", "e"]);
    let mut sent = Vec::new();
    let server = |request: Request| {
        let Request::Push(push) = request else {
            panic!("no snapshot is needed")
        };
        let big = push.changes.iter().any(|change| id_of(change) == "big");
        if push.changes.len() > 3 || big {
            return refused(413, "too_large", Value::Null);
        }
        sent.extend(push.changes.iter().map(id_of));
        answer("1", Vec::new())
    };
    replica.sync(server, |_| {}).unwrap();
    assert_eq!(sent, ["a", "b", "c", "d", "e"]);
    assert_eq!(id_of(&replica.set_aside[0].change), "big");
    assert!(replica.outbox.is_empty());
}

#[test]
fn sync_s3_a_refused_change_that_another_driver_sent_meanwhile_is_not_set_aside() {
    let mut replica = Replica::at("1");
    replica.queue(&["a", "b"]);
    let mut first = true;
    let server = |_| match std::mem::take(&mut first) {
        true => refused(400, "invalid_change", json!({"index": 0, "reason": "no"})),
        false => answer("1", Vec::new()),
    };
    replica
        .sync(server, |replica| {
            replica.outbox.retain(|row| id_of(&row.change) != "a")
        })
        .unwrap();
    assert!(replica.set_aside.is_empty());
    assert!(replica.outbox.is_empty());
}

/// The other driver has set the cursor back, to read again what a stamp that was set back had beaten. An answer that
/// was under way must not pass over that part of the log.
#[test]
fn sync_t4_an_answer_does_not_move_a_cursor_that_another_driver_has_set() {
    for set_back in ["2", ""] {
        let mut replica = Replica::at("5");
        let mut since = Vec::new();
        let mut pages = 0;
        let server = |request: Request| match request {
            Request::Push(push) => {
                since.push(push.since);
                answer("9", Vec::new())
            }
            Request::Page(_) => {
                pages += 1;
                page(Vec::new(), None, "8")
            }
        };
        let mut first = true;
        let meanwhile = |replica: &mut Replica| {
            if std::mem::take(&mut first) {
                set_back.clone_into(&mut replica.meta.cursor);
            }
        };
        replica.sync(server, meanwhile).unwrap();
        let from_there = if set_back.is_empty() { "8" } else { set_back };
        assert_eq!(since, ["5", from_there]);
        assert_eq!(pages, usize::from(set_back.is_empty()));
        assert_eq!(replica.meta.cursor, "9");
    }
}

/// Another driver began the snapshot anew while a page was under way: the page joins, and the new snapshot goes on.
#[test]
fn sync_s7_a_page_does_not_move_a_snapshot_that_another_driver_began_anew() {
    let mut replica = Replica::at("");
    "p7".clone_into(&mut replica.meta.snapshot_after);
    let mut asked = Vec::new();
    let server = |request: Request| match request {
        Request::Push(_) => answer("9", Vec::new()),
        Request::Page(after) => {
            asked.push(after);
            page(Vec::new(), None, "9")
        }
    };
    let mut first = true;
    replica
        .sync(server, |replica| {
            if std::mem::take(&mut first) {
                replica.meta.snapshot_after.clear();
            }
        })
        .unwrap();
    assert_eq!(asked, ["p7", ""]);
}

#[test]
fn sync_an_event_that_is_not_awaited_stops_the_sync() {
    let (_, effects) = step(&Registry::builtin(), State::default(), Event::Committed {});
    assert!(matches!(
        effects.as_slice(),
        [Effect::Stop {
            error: TransportError::Unexpected(_)
        }]
    ));
}

fn id_of(change: &QueuedChange) -> String {
    change.record_id().to_owned()
}

#[test]
fn sync_s3_a_change_that_cannot_be_read_here_is_sent_and_set_aside_alone() {
    let mut replica = Replica::at("1");
    let bad =
        json!({"eventId": "bad-1", "appId": "todo", "table": "tasks", "id": "x", "op": "explode"});
    let row = json!({"seq": 7, "change": bad});
    let row: OutboxRow = serde_json::from_value(row).expect("any JSON is an outbox row's change");
    assert!(row.change.readable().is_none());
    replica.outbox.push(row);
    replica.queue(&["good"]);
    let mut sent = Vec::new();
    let server = |request: Request| {
        let Request::Push(push) = request else {
            panic!("no snapshot is needed")
        };
        let wire: Vec<Value> = push.changes.iter().map(|change| json!(change)).collect();
        if let Some(index) = wire.iter().position(|change| change["op"] == "explode") {
            assert_eq!(wire[index], bad);
            return refused(
                400,
                "invalid_change",
                json!({"index": index, "reason": "`op` is another word"}),
            );
        }
        sent.extend(push.changes.iter().map(id_of));
        answer("1", Vec::new())
    };
    replica.sync(server, |_| {}).unwrap();
    assert_eq!(sent, ["good"]);
    assert_eq!(replica.set_aside[0].event_id(), "bad-1");
    assert!(replica.outbox.is_empty());
}

const COMMON: &str = "One.\n\nTwo.";

/// Two devices that hold the same note.
fn two_devices() -> (Replica, Replica) {
    let mut first = Replica::at("1");
    first.write_note(COMMON, NOW);
    first.outbox.clear();
    let mut second = Replica::at("1");
    second.write_note(COMMON, NOW);
    second.outbox.clear();
    (first, second)
}

fn sync_with(replica: &mut Replica, others: &[&Change]) -> Vec<Change> {
    let mut others = Some(
        others
            .iter()
            .map(|change| json!(change))
            .collect::<Vec<_>>(),
    );
    let mut sent = Vec::new();
    let server = |request: Request| {
        let Request::Push(push) = request else {
            panic!("no snapshot is needed")
        };
        let changes = push.changes.iter();
        sent.extend(changes.map(|change| change.readable().expect("a change").clone()));
        answer("5", others.take().unwrap_or_default())
    };
    replica.sync(server, |_| {}).unwrap();
    sent
}

fn body(replica: &Replica) -> &str {
    let note = &replica.records[&RecordKey::new("notes", "notes", "n1")];
    note.data["body"].as_str().expect("a text")
}

#[test]
fn sync_x5_the_device_whose_text_lost_merges_it_once() {
    let (mut laptop, mut phone) = two_devices();
    let lost = laptop.write_note("One, and hours.\n\nTwo.", NOW.plus(1_000_000));
    let won = phone.write_note("One.\n\nTwo, a word.", NOW.plus(2_000_000));
    let sent = sync_with(&mut laptop, &[&won]);
    assert_eq!(body(&laptop), "One, and hours.\n\nTwo, a word.");
    let [first, merged] = sent.as_slice() else {
        panic!("the laptop's own change, then the merge: {sent:?}");
    };
    assert_eq!(first, &lost);
    assert_eq!(merged.fields["body"].base, Some(NOW.plus(2_000_000)));
    assert_eq!(merged.actor, Some(Actor::user()));
    assert!(laptop.conflicts.values().all(|one| one.ended));
    // The same page again merges nothing again.
    assert_eq!(sync_with(&mut laptop, &[&won]), []);
    // The phone keeps the laptop's text until the merge arrives, and writes nothing.
    assert_eq!(sync_with(&mut phone, &[&lost]).len(), 1);
    let told: Vec<_> = phone.conflicts.values().collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, told[0].ended), (ConflictKind::Text, false));
    assert_eq!(told[0].loser.text(), Some("One, and hours.\n\nTwo."));
    assert_eq!(sync_with(&mut phone, &[merged]), []);
    assert_eq!(body(&phone), body(&laptop));
    assert!(phone.conflicts.values().all(|one| one.ended));
}

#[test]
fn sync_x5_texts_that_touch_are_both_kept_and_both_devices_are_told() {
    let (mut laptop, mut phone) = two_devices();
    let lost = laptop.write_note("One, and hours.\n\nTwo.", NOW.plus(1_000_000));
    let won = phone.write_note("One!\n\nTwo.", NOW.plus(2_000_000));
    assert_eq!(sync_with(&mut laptop, &[&won]), std::slice::from_ref(&lost));
    assert_eq!(sync_with(&mut phone, &[&lost]), [won]);
    for replica in [&laptop, &phone] {
        assert_eq!(body(replica), "One!\n\nTwo.");
        let told: Vec<_> = replica.conflicts.values().collect();
        assert_eq!(told.len(), 1);
        assert!(!told[0].ended);
        assert_eq!(told[0].loser.text(), Some("One, and hours.\n\nTwo."));
    }
}
