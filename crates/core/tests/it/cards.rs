//! Part C of `spec/MODULES.md`: what an approval runs is on the card, for every tool of every manifest.

use mana_core::{
    Op, RecordKey,
    manifest::Registry,
    staging::{
        CardField, CardRecords, FieldChange, ProposalCard, RunKind, TextChange, TextPart,
        card_records, ops_hash, proposal_card,
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::card_cases::{Case, generated_cases, marks, random_manifests, state, written_cases};

fn card(case: &Case) -> ProposalCard {
    let asked = card_records(&case.registry, &case.proposal);
    // What the card didn't ask for it can't see.
    let mut records = case.records.clone();
    records.retain(|key, _| asked.contains(key));
    proposal_card(&case.registry, &case.proposal, &records.into())
}

/// The JSON of everything about a field that can be read without unfolding an unchanged stretch, without `raw`.
fn readable(field: &CardField) -> String {
    let mut json = json!(field);
    for side in ["before", "after", "now"] {
        if let Some(value) = json.get_mut(side).and_then(Value::as_object_mut) {
            // A list is drawn from its items, a text from its change.
            value.remove("raw");
            if field.text.is_some() {
                value.remove("shown");
            }
        }
    }
    if let Some(parts) = json
        .pointer_mut("/text/parts")
        .and_then(Value::as_array_mut)
    {
        parts.retain(|part| part["kind"] == "hunk");
    }
    json.to_string()
}

fn rebuilt(change: &TextChange) -> (String, String) {
    match change {
        TextChange::Whole { text, .. } => (String::new(), text.clone()),
        TextChange::Removed { text, .. } => (text.clone(), String::new()),
        TextChange::Difference { parts, .. } => {
            let runs = parts.iter().flat_map(|part| match part {
                TextPart::Hunk { runs, .. } => runs
                    .iter()
                    .map(|run| (run.kind, run.text.as_str()))
                    .collect(),
                TextPart::Unchanged { text, .. } => vec![(RunKind::Same, text.as_str())],
            });
            let runs: Vec<(RunKind, &str)> = runs.collect();
            let without = |kind| {
                runs.iter()
                    .filter(|run| run.0 != kind)
                    .map(|run| run.1)
                    .collect()
            };
            (without(RunKind::Added), without(RunKind::Removed))
        }
    }
}

#[test]
fn the_random_manifests_are_those_of_the_browsers_tests() {
    let shared: Value =
        serde_json::from_str(include_str!("../random-manifests.json")).expect("JSON");
    let made = random_manifests();
    let digest = Sha256::digest(made.join("\n").as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        shared,
        json!({ "seeds": made.len(), "sha256": hash }),
        "random-manifests.json"
    );
}

#[test]
fn modules_c2_every_value_of_every_tool_is_on_the_card() {
    let cases = generated_cases();
    assert!(cases.len() > 300, "{}", cases.len());
    for case in cases {
        let (card, name) = (card(&case), &case.name);
        let operation = &case.proposal.operations[0];
        assert_eq!(card.ops_hash, ops_hash(&case.proposal.operations));
        assert!(!card.changes_nothing, "{name}");
        let table = case
            .registry
            .table(&operation.app, &operation.table)
            .expect("a table");
        let told = &card.operations[0];
        let field = |field: &str| {
            let found = told.fields.iter().find(|one| one.field == field);
            found.unwrap_or_else(|| panic!("{name}: {field} is not on the card"))
        };
        for (key, value) in &operation.set {
            let (field, readable) = (field(key), readable(field(key)));
            assert_eq!(
                field.label,
                table.fields[key].label.clone().expect("a label"),
                "{name}"
            );
            assert_eq!(field.after.raw, *value, "{name}");
            let seen = field
                .before
                .as_ref()
                .map(|before| before.raw.clone())
                .unwrap_or_default();
            let gone = marks(&seen)
                .into_iter()
                .filter(|mark| !marks(value).contains(mark));
            let came = marks(value)
                .into_iter()
                .filter(|mark| !marks(&seen).contains(mark));
            for mark in came.chain(gone) {
                assert!(
                    readable.contains(&mark),
                    "{name}: {key} lacks {mark}: {readable}"
                );
            }
            if let (Some(change), Some(after)) = (&field.text, value.as_str()) {
                let before = seen.as_str().unwrap_or_default();
                assert_eq!(
                    rebuilt(change),
                    (before.to_owned(), after.to_owned()),
                    "{name}: {key}"
                );
            }
        }
        for key in &operation.now {
            assert_eq!(
                json!(field(key).after.shown),
                json!({ "kind": "writeTime" }),
                "{name}"
            );
        }
        if operation.op == Op::Delete {
            for (key, value) in &case.records[&operation.key()].data {
                let (field, readable) = (field(key), readable(field(key)));
                assert_eq!(field.change, FieldChange::Removed);
                for mark in marks(value) {
                    assert!(
                        readable.contains(&mark),
                        "{name}: {key} lacks {mark}: {readable}"
                    );
                }
            }
        }
        let known: Vec<&String> = table
            .fields
            .keys()
            .filter(|key| told.fields.iter().any(|f| f.field == **key))
            .collect();
        let order: Vec<&String> = told.fields.iter().map(|field| &field.field).collect();
        assert_eq!(order, known, "{name}: the manifest's order");
    }
}

#[test]
fn modules_c1_the_cards_of_the_file_are_readable() {
    for (case, _) in written_cases() {
        let card = card(&case);
        let operation = &case.proposal.operations[0];
        for (key, value) in &operation.set {
            let field = card.operations[0]
                .fields
                .iter()
                .find(|field| field.field == *key);
            assert_eq!(field.expect("the field").after.raw, *value, "{}", case.name);
        }
        let long = case.name == "new long note";
        assert_eq!(
            card.folds, long,
            "{}: only a long text that is wholly new waits",
            case.name
        );
    }
}

#[test]
fn modules_c7_what_ends_as_it_was_says_so() {
    let (mut case, _) = written_cases().remove(3);
    let body = case.records.values().next().expect("the page").data["body"].clone();
    case.proposal.operations[0]
        .set
        .insert("body".to_owned(), body.clone());
    let same = card(&case);
    assert_eq!(same.operations[0].fields[0].change, FieldChange::Same);
    assert!(same.changes_nothing && same.operations[0].fields[0].text.is_none());
    case.proposal.operations[0]
        .set
        .insert("body".to_owned(), Value::Null);
    let cleared = card(&case);
    assert_eq!(cleared.operations[0].fields[0].change, FieldChange::Cleared);
    assert!(!cleared.changes_nothing && !cleared.folds);
}

#[test]
fn modules_c2_a_field_that_no_manifest_knows_is_raw_json_under_its_own_name() {
    let (mut case, _) = written_cases().remove(0);
    case.proposal.operations[0]
        .set
        .insert("zzz".to_owned(), json!({ "pay": [1] }));
    let fields = card(&case).operations.remove(0).fields;
    let last = fields.last().expect("a field");
    assert_eq!((last.label.en(), last.kind), ("zzz", None));
    assert_eq!(
        json!(last.after.shown),
        json!({ "kind": "json", "json": "{\n  \"pay\": [\n    1\n  ]\n}" })
    );
    case.proposal.operations[0].app = "unknown".to_owned();
    let card = card(&case);
    assert_eq!(card.operations[0].module.en(), "unknown");
    assert_eq!(card.operations[0].fields.len(), fields.len());
}

/// The module of a call that names another record, and the records that it could name.
fn naming(step: Value) -> Case {
    let module = json!({
        "id": "crew", "version": 1, "name": { "en": "Crew" }, "description": { "en": "Visits." },
        "tables": {
            "people": {
                "name": { "en": "Person" }, "plural": { "en": "People" },
                "list": { "title": "name", "meta": ["town"] },
                "fields": {
                    "name": { "type": "text", "label": { "en": "Name" }, "required": true },
                    "town": { "type": "text", "label": { "en": "Town" } },
                    "born": { "type": "date", "label": { "en": "Born" } },
                },
            },
            "visits": {
                "name": { "en": "Visit" }, "plural": { "en": "Visits" },
                "list": { "title": "title", "meta": [] },
                "fields": {
                    "title": { "type": "text", "label": { "en": "Title" }, "required": true },
                    "who": { "type": "ref", "table": "people", "label": { "en": "Who" } },
                },
            },
        },
        "tools": [
            {
                "name": "plan_visit", "label": { "en": "New visit" }, "description": "Plan a visit.",
                "params": {
                    "title": { "type": "text", "description": "Title.", "required": true },
                    "who": { "type": "ref", "table": "people", "description": "Person.", "required": true },
                },
                "effect": { "op": "insert", "table": "visits", "set": { "title": "$title", "who": "$who" } },
                "policy": "propose",
            },
            {
                "name": "move_person", "label": { "en": "Person moves" }, "description": "Change the town.",
                "params": {
                    "personId": { "type": "ref", "table": "people", "description": "Person.", "required": true },
                    "town": { "type": "text", "description": "Town.", "required": true },
                },
                "effect": { "op": "update", "table": "people", "id": "$personId", "set": { "town": "$town" } },
                "policy": "propose",
            },
        ],
    });
    let (registry, rejected) = Registry::builtin().with([("crew.json", module.to_string())]);
    assert_eq!(rejected, []);
    let people = [
        (
            "p1",
            json!({ "name": "Bob", "town": "Kiel", "born": "1990-01-02" }),
        ),
        (
            "p2",
            json!({ "name": "bob ", "town": "Kiel", "born": "1991-01-02" }),
        ),
        ("p3", json!({ "name": "Ann", "town": "Kiel" })),
        ("p4", json!({ "name": "Cy" })),
        ("p5", json!({ "name": "Cy" })),
    ];
    let records = people.map(|(id, data)| (RecordKey::new("crew", "people", id), state(data)));
    Case::new("naming".to_owned(), registry.into(), &step, records.into())
}

/// The card of a case with the namesakes of these records.
fn card_among(case: &Case, namesakes: &[(&str, &[&str])]) -> ProposalCard {
    let key = |id: &str| RecordKey::new("crew", "people", id);
    let named = |(of, others): &(&str, &[&str])| {
        let others = others.iter().map(|id| case.records[&key(id)].clone());
        (key(of), others.collect())
    };
    let known = CardRecords {
        records: case.records.clone(),
        namesakes: namesakes.iter().map(named).collect(),
    };
    proposal_card(&case.registry, &case.proposal, &known)
}

#[test]
fn modules_c5_a_record_is_told_from_others_of_its_title() {
    let visit = |who: &str| {
        naming(json!({
            "summary": "s", "rationale": "r", "toolName": "plan_visit", "params": { "title": "Tea", "who": who },
        }))
    };
    let who = |card: ProposalCard| json!(card.operations[0].fields[1].after.shown)["apart"].clone();
    let bob = card_among(&visit("p1"), &[("p1", &["p2"])]);
    assert_eq!(
        who(bob),
        json!({
            "kind": "field", "label": { "en": "Born" },
            "value": { "shown": { "kind": "date", "date": "1990-01-02" }, "fit": "fits", "raw": "1990-01-02" },
        })
    );
    assert_eq!(who(card_among(&visit("p3"), &[("p3", &[])])), Value::Null);
    let cy = card_among(&visit("p4"), &[("p4", &["p5"])]);
    assert_eq!(who(cy), json!({ "kind": "id", "id": "p4" }));

    let moves = naming(json!({
        "summary": "s", "rationale": "r", "toolName": "move_person", "params": { "personId": "p2", "town": "Bonn" },
    }));
    let apart = card_among(&moves, &[("p2", &["p1"])])
        .operations
        .remove(0)
        .apart;
    assert_eq!(json!(apart)["value"]["raw"], "1991-01-02");
    assert_eq!(card_among(&moves, &[]).operations[0].apart, None);
}

#[test]
fn modules_c8_a_value_that_changed_since_stands_beside_the_one_that_was_seen() {
    let (mut case, _) = written_cases().remove(4);
    let note = case.records.values_mut().next().expect("the note");
    note.data.insert("body".to_owned(), json!("Mine by now."));
    note.data.insert("title".to_owned(), json!("Another plan"));
    let told = card(&case).operations.remove(0);
    assert_eq!(told.title.as_deref(), Some("Another plan"));
    let field = &told.fields[0];
    assert_eq!(
        field.now.as_ref().map(|now| &now.raw),
        Some(&json!("Mine by now."))
    );
    assert!(
        field
            .before
            .as_ref()
            .is_some_and(|before| before.raw != json!("Mine by now."))
    );
    case.records.clear();
    assert!(card(&case).operations[0].gone);
}

#[test]
fn modules_c8_a_removal_shows_what_somebody_added_since() {
    let cases = generated_cases();
    let removal = |case: &Case| case.name == "delete_goal on all fields";
    let mut case = cases.into_iter().find(removal).expect("the removal");
    let key = case.proposal.operations[0].key();
    let seen = case.proposal.seen.values_mut().next().expect("the record");
    // A field that was empty when the removal was proposed, and one that was never written.
    seen.get_mut("why").expect("the field").value = Value::Null;
    seen.remove("unit");
    let fields = card(&case).operations.remove(0).fields;
    let field = |name: &str| {
        fields
            .iter()
            .find(|field| field.field == name)
            .expect("on the card")
    };
    let held = &case.records[&key].data;
    assert_eq!(
        field("why").now.as_ref().map(|now| &now.raw),
        held.get("why")
    );
    let unit = field("unit");
    assert_eq!(
        unit.before.as_ref().map(|before| &before.raw),
        held.get("unit")
    );
    assert_eq!(fields.len(), held.len());
}

#[test]
fn modules_c8_no_card_says_that_nothing_changes_where_somebody_wrote_since() {
    let (mut case, _) = written_cases().remove(4);
    let note = case.records.values_mut().next().expect("the note");
    let seen = note.data["body"].clone();
    case.proposal.operations[0]
        .set
        .insert("body".to_owned(), seen.clone());
    assert!(card(&case).changes_nothing);
    let note = case.records.values_mut().next().expect("the note");
    note.data.insert("body".to_owned(), json!("Written since."));
    let told = card(&case);
    let field = &told.operations[0].fields[0];
    assert!(!told.changes_nothing && field.change == FieldChange::Changed);
    assert_eq!(
        field.now.as_ref().map(|now| &now.raw),
        Some(&json!("Written since."))
    );
    assert_eq!(field.after.raw, seen);
    // The field was cleared since, and would be written again.
    let note = case.records.values_mut().next().expect("the note");
    note.data.insert("body".to_owned(), Value::Null);
    let told = card(&case);
    assert!(!told.changes_nothing);
    let now = told.operations[0].fields[0].now.as_ref();
    assert_eq!(now.map(|now| &now.raw), Some(&Value::Null));
}
