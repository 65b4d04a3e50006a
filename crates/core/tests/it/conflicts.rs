//! Texts in conflict (X1 to X5): what a replica finds where changes are applied.

use mana_core::{
    Actor, Change, Map, Micros, Op, Prepare, RecordKey, RecordState, apply,
    conflict::{FoundConflict, Lineages, apply_watching},
    manifest::Registry,
    prepare,
};
use serde_json::json;

/// A replica of one note.
#[derive(Clone, Default)]
struct Replica {
    state: RecordState,
    lineages: Lineages,
    found: Vec<FoundConflict>,
}

fn note() -> RecordKey {
    RecordKey::new("notes", "notes", "n1")
}

impl Replica {
    fn take(&mut self, change: &Change, own: bool) {
        let registry = Registry::builtin();
        let schema = registry.schema("notes", "notes");
        let (_, found) = apply_watching(
            schema,
            &note(),
            &mut self.state,
            &mut self.lineages,
            change,
            own,
        );
        self.found.extend(found);
    }

    fn write(&mut self, body: &str, at: i64) -> Change {
        let registry = Registry::builtin();
        let key = note();
        let write = Prepare {
            key: &key,
            op: Op::Update,
            set: Map::from_iter([("body".to_owned(), json!(body))]),
            state: Some(&self.state),
            tick: Micros(at),
            at: None,
            stamps: Default::default(),
            seen: Default::default(),
            actor: Actor::user(),
            event_id: format!("{body} {at}"),
        };
        let change = prepare(registry.schema("notes", "notes"), write)
            .expect("a good write")
            .change;
        self.take(&change, true);
        change
    }

    fn texts(&self) -> Vec<(&str, &str)> {
        let found = self.found.iter();
        found
            .map(|one| (one.winner.text().unwrap(), one.loser.text().unwrap()))
            .collect()
    }
}

/// A note that both replicas have seen.
fn shared() -> (Replica, Replica) {
    let mut first = Replica::default();
    first.write("Base", 1_000_000);
    (first.clone(), first)
}

#[test]
fn sync_x1_a_write_of_a_text_names_the_stamp_that_it_replaces() {
    let (mut laptop, _) = shared();
    let change = laptop.write("Hours", 2_000_000);
    assert_eq!(change.fields["body"].base, Some(Micros(1_000_000)));
    let wire = serde_json::to_value(&change).unwrap();
    assert_eq!(
        wire["fields"]["body"]["base"],
        "1970-01-01T00:00:01.000000Z"
    );
    assert_eq!(Change::parse(wire).unwrap(), change);
    let first = Replica::default().write("New", 1);
    assert_eq!(first.fields["body"].base, Some(Micros::EPOCH));
    // The merge takes no notice.
    let mut state = RecordState::default();
    apply(
        Registry::builtin().schema("notes", "notes"),
        &mut state,
        &change,
    );
    assert!(!serde_json::to_string(&state).unwrap().contains("base"));
}

#[test]
fn sync_x2_both_sides_find_the_text_that_lost_whatever_arrives_first() {
    let (mut laptop, mut phone) = shared();
    let hours = laptop.write("Hours of work", 5_000_000);
    let word = phone.write("One word", 6_000_000);
    let mut server = shared().0;
    let mut backwards = shared().0;
    laptop.take(&word, false);
    phone.take(&hours, false);
    server.take(&hours, false);
    server.take(&word, false);
    backwards.take(&word, false);
    backwards.take(&hours, false);
    for replica in [&laptop, &phone, &server, &backwards] {
        assert_eq!(replica.texts(), [("One word", "Hours of work")]);
    }
    assert!(laptop.found[0].own, "the laptop lost its own");
    assert!(!phone.found[0].own);
    assert_eq!(laptop.found[0].ancestor.as_deref(), Some("Base"));
}

#[test]
fn sync_x2_a_text_that_was_seen_is_in_no_conflict() {
    let (mut laptop, mut phone) = shared();
    let first = laptop.write("First", 5_000_000);
    phone.take(&first, false);
    let second = phone.write("Second", 6_000_000);
    laptop.take(&second, false);
    laptop.take(&first, false);
    laptop.take(&second, false);
    phone.take(&first, false);
    assert_eq!(laptop.texts(), []);
    assert_eq!(phone.texts(), []);
}

#[test]
fn sync_x2_a_text_that_lost_to_an_earlier_one_of_a_row_is_found() {
    let (mut laptop, mut phone) = shared();
    let rows: Vec<Change> = (0..30)
        .map(|n| laptop.write(&format!("Laptop {n}"), 10_000_000 + n * 1_000_000))
        .collect();
    let word = phone.write("One word", 5_000_000);
    laptop.take(&word, false);
    assert_eq!(laptop.texts(), [("Laptop 29", "One word")]);
    for change in &rows {
        phone.take(change, false);
    }
    assert_eq!(phone.texts(), [("Laptop 0", "One word")]);
    assert!(phone.found[0].own);
}

#[test]
fn sync_x2_of_two_texts_of_one_instant_the_one_that_lost_is_found_without_its_base() {
    let (mut laptop, mut phone) = shared();
    let mut older = laptop.clone().write("An older device's", 5_000_000);
    for write in older.fields.values_mut() {
        write.base = None;
    }
    let word = phone.write("One word", 5_000_000);
    phone.take(&older, false);
    laptop.take(&older, false);
    laptop.take(&word, false);
    for replica in [&laptop, &phone] {
        assert_eq!(replica.texts(), [("One word", "An older device's")]);
    }
}

#[test]
fn sync_x2_a_replay_finds_nothing_again() {
    let (mut laptop, mut phone) = shared();
    let hours = laptop.write("Hours of work", 5_000_000);
    let word = phone.write("One word", 6_000_000);
    for _ in 0..2 {
        laptop.take(&word, false);
        laptop.take(&hours, true);
    }
    assert_eq!(laptop.texts().len(), 1);
}

#[test]
fn sync_x1_a_short_line_is_no_text() {
    let registry = Registry::builtin();
    let schema = registry.schema("notes", "notes");
    let mut state = RecordState::default();
    let mut lineages = Lineages::default();
    let write = |title: &str, at: i64, base: i64| {
        Change::parse(
            json!({"eventId": title, "appId": "notes", "table": "notes", "id": "n1", "op": "update",
            "fields": {"title": {"value": title, "updatedAt": Micros(at), "base": Micros(base)}}}),
        )
        .unwrap()
    };
    let mut found = Vec::new();
    for change in [
        write("a", 10, 0),
        write("b", 20, 1),
        write(&"c".repeat(201), 30, 1),
    ] {
        found.extend(apply_watching(schema, &note(), &mut state, &mut lineages, &change, false).1);
    }
    let found: Vec<_> = found.iter().map(|one| one.loser.value.clone()).collect();
    assert_eq!(found, [json!("b")], "over 200 characters it is one");
}
