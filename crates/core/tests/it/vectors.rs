//! The golden cases in `spec/vectors`, which every other client can run too.

use mana_core::{Change, RecordState, TableSchema, apply, ids};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::sync_step::{Replica, answer};

#[derive(Deserialize)]
struct Merge {
    schemas: BTreeMap<String, TableSchema>,
    cases: Vec<MergeCase>,
}

#[derive(Deserialize)]
struct MergeCase {
    name: String,
    rule: String,
    schema: String,
    changes: Vec<Value>,
    expect: Value,
}

/// Every order of a few things: all permutations of `0..n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, n - 1);
        order
    };
    (0..n)
        .flat_map(|at| shorter.iter().map(move |order| insert(order, at)))
        .collect()
}

#[test]
fn sync_vectors_merge_in_every_order_and_twice() {
    let text = include_str!("../../../../spec/vectors/merge.json");
    let merge: Merge = serde_json::from_str(text).expect("vectors");
    assert!(merge.cases.len() >= 80, "some vectors are gone");
    let mut wrong = Vec::new();
    for case in &merge.cases {
        let schema = merge
            .schemas
            .get(&case.schema)
            .expect("a schema of that name");
        let changes: Vec<Change> = (case.changes.iter())
            .map(|wire| Change::parse(wire.clone()).expect("a change that the wire accepts"))
            .collect();
        // The expected state is read and written once, so that it has the same layout.
        let expect: RecordState = serde_json::from_value(case.expect.clone()).expect("a state");
        let expect = serde_json::to_string(&expect).expect("JSON");
        for order in orders(changes.len()) {
            let mut state = RecordState::default();
            for index in order.iter().chain(&order) {
                apply(schema, &mut state, &changes[*index]);
            }
            let got = serde_json::to_string(&state).expect("JSON");
            if got != expect {
                wrong.push(format!(
                    "{} ({}), order {order:?}\n     got {got}\nexpected {expect}",
                    case.name, case.rule
                ));
                break;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn sync_vectors_name_rules_that_the_specification_has() {
    let specification = include_str!("../../../../spec/SYNC.md");
    let text = include_str!("../../../../spec/vectors/merge.json");
    let merge: Merge = serde_json::from_str(text).expect("vectors");
    for case in &merge.cases {
        let heading = format!("**{}**", case.rule);
        assert!(
            specification.contains(&heading),
            "{}: no rule {}",
            case.name,
            case.rule
        );
    }
}

#[test]
fn sync_vectors_keep_and_end_conflicts() {
    let text = include_str!("../../../../spec/vectors/conflicts.json");
    let vectors: Value = serde_json::from_str(text).expect("vectors");
    let cases = vectors["cases"].as_array().expect("cases");
    assert!(cases.len() >= 9, "some vectors are gone");
    for case in cases {
        let changes = case["changes"].as_array().expect("changes");
        for at_once in [1, changes.len()] {
            let mut replica = Replica::at("0");
            for (index, changes) in changes.chunks(at_once).enumerate() {
                let synced = (index + 1).to_string();
                let answer = |_| answer(&synced, changes.to_vec());
                replica.sync(answer, |_| {}).expect("a sync");
            }
            let mut kept: Vec<_> = replica.conflicts.values().collect();
            kept.sort_by_key(|one| (one.winner.updated_at, one.loser.updated_at));
            let kept = kept.into_iter().map(|one| {
                json!({ "kind": one.kind, "field": one.field, "winner": one.winner.updated_at,
                    "loser": one.loser.updated_at, "ended": one.ended })
            });
            let kept = Value::Array(kept.collect());
            assert_eq!(kept, case["expect"], "{}", case["name"]);
        }
    }
}

#[test]
fn sync_vectors_derive_ids() {
    let text = include_str!("../../../../spec/vectors/ids.json");
    let vectors: Value = serde_json::from_str(text).expect("vectors");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let cases = vectors["derive"].as_array().expect("cases");
    assert!(cases.len() >= 7, "some vectors are gone");
    for case in cases {
        let id = ids::derive(&text(&case["parent"]), &text(&case["name"]));
        assert_eq!(id, text(&case["id"]), "{case}");
    }
    let chain = &vectors["chain"];
    let iteration = ids::iteration_id(&text(&chain["mission"]), &text(&chain["slot"]));
    assert_eq!(iteration, text(&chain["iteration"]));
    let index = chain["index"].as_u64().expect("a number") as usize;
    let step = ids::step_id(&iteration, index);
    assert_eq!(step, text(&chain["step"]));
    assert_eq!(ids::proposal_id(&step), text(&chain["proposal"]));
    for n in 0..2 {
        assert_eq!(ids::created_record_id(&step, n), text(&chain["created"][n]));
    }
}
