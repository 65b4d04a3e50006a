//! The golden cases in `spec/vectors/staging.json`. Input and answer are those of the core's calls in the
//! browser, where the same file is run.

use serde::de::DeserializeOwned;

use super::*;

/// A part of a case's input.
fn part<T: DeserializeOwned>(input: &Value, name: &str) -> T {
    let value = input.get(name).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn records(input: &Value) -> Records {
    let records: Vec<Value> = part(input, "records");
    let present = records
        .into_iter()
        .filter(|record| !record["state"].is_null());
    present
        .map(|record| {
            (
                serde_json::from_value(record.clone()).expect("a key"),
                part(&record, "state"),
            )
        })
        .collect()
}

pub(super) fn run(method: &str, input: &Value) -> Value {
    let registry = Registry::builtin();
    let overrides: Overrides = part::<Option<_>>(input, "overrides").unwrap_or_default();
    let mission: RecordState = part(input, "mission");
    if method == "decide" {
        let decided = decide(&DecisionInput {
            registry: &registry,
            overrides: &overrides,
            proposal: &part(input, "proposal"),
            decision: &part(input, "decision"),
            mission: &mission,
            records: &records(input),
            tick: part(input, "now"),
            by: "user",
            device: "device",
            event_ids: &part::<Vec<String>>(input, "eventIds"),
        });
        return match decided {
            Err(error) => json!({ "error": error }),
            Ok(decided) => {
                let keyed = |(key, state): &(RecordKey, RecordState)| {
                    json!({
                        "app": key.app, "table": key.table, "id": key.id, "state": state
                    })
                };
                json!({
                    "changes": decided.changes,
                    "records": decided.records.iter().map(keyed).collect::<Vec<_>>(),
                    "proposal": decided.proposal,
                    "last": decided.last,
                })
            }
        };
    }
    let have = part(input, "have");
    let mission_id: String = part(input, "missionId");
    let staging = Staging {
        registry: &registry,
        overrides: &overrides,
        mission_id: &mission_id,
        mission: &mission,
        have: &have,
    };
    match method {
        "touched" => json!({ "records": staging.touched() }),
        "stage" => {
            json!({ "proposals": staging.stage(&records(input)), "closed": staging.closed() })
        }
        other => panic!("no method {other}"),
    }
}

#[test]
fn modules_s1_to_s8_vectors() {
    let text = include_str!("../../../../../spec/vectors/staging.json");
    let vectors: Value = serde_json::from_str(text).expect("vectors");
    let specification = include_str!("../../../../../spec/MODULES.md");
    let cases = vectors["cases"].as_array().expect("cases");
    assert!(cases.len() >= 20, "some vectors are gone");
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let rule = case["rule"].as_str().expect("a rule");
        assert!(
            specification.contains(&format!("**{rule}**")),
            "{name}: no rule {rule}"
        );
        // Numbers and objects compare as values; what a case doesn't name is as in `given`.
        let mut input = object(vectors["given"].clone());
        input.extend(object(case["input"].clone()));
        let method = case["method"].as_str().expect("a method");
        assert_eq!(run(method, &Value::Object(input)), case["expect"], "{name}");
    }
}
