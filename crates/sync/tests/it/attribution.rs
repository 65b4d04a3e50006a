//! Whose name a write may carry.

use mana_core::RecordKey;
use mana_store::Log as _;
use mana_sync::{AcceptPush, Origin, SyncError};
use serde_json::{Value, json};

use crate::support::*;

fn from(origin: Origin, changes: Value) -> AcceptPush {
    AcceptPush {
        app: Some("ai".into()),
        origin,
        ..push("phone", changes)
    }
}

fn write(iteration: &Value) -> Value {
    json!({"table": "aiMissions", "id": "m", "op": "update", "fields": {"iterations": {"value": [iteration]}}})
}

fn made(iteration: &Value) -> Value {
    json!({"table": "aiMissions", "id": "m", "op": "insert", "data": {"title": "m", "iterations": [iteration]}})
}

/// An iteration with a step that waits.
fn iteration(source: Option<&str>, updated_s: i64) -> Value {
    let mut iteration = json!({"id": "x", "startedAt": NOW, "updatedAt": after(updated_s), "summary": "A plan",
        "plan": [{"id": "s", "index": 0, "summary": "Tidy up", "rationale": "You asked for it", "status": "planned",
            "updatedAt": NOW, "intent": {"kind": "toolCall", "toolName": "delete_task",
                "params": {"taskId": "t1", "share": 1.0}}}]});
    if let Some(source) = source {
        iteration["source"] = json!(source);
    }
    iteration
}

async fn accept(rig: &Rig, origin: Origin, changes: Value) -> Result<(), SyncError> {
    let answer = rig.sync.accept(&me(), from(origin, changes), NOW).await;
    answer.map(|_| ())
}

async fn stored(rig: &Rig) -> Value {
    let key = RecordKey::new("ai", "aiMissions", "m");
    let record = rig.store.record(&me(), &key).await.unwrap();
    record.map_or(Value::Null, |record| record.data["iterations"][0].clone())
}

/// The refusal's index and reason.
fn refusal(refused: Result<(), SyncError>) -> (u64, String) {
    let refused = refused.expect_err("a forged change");
    assert_eq!((refused.code(), refused.status()), ("invalid_change", 400));
    let details = refused.details().unwrap();
    (
        details["index"].as_u64().unwrap(),
        details["reason"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn sync_s13_no_sequence_of_device_pushes_makes_an_iteration_the_servers() {
    let (own, nameless) = (iteration(Some("browser"), 1), iteration(None, 1));
    let (later, earlier) = (iteration(Some("server"), 9), iteration(Some("server"), -9));
    let mut restarted = later.clone();
    restarted["startedAt"] = json!(after(30));
    for first in [&own, &nameless] {
        for forged in [&later, &earlier, &restarted] {
            // In two pushes.
            for begin in [made(first), write(first)] {
                let rig = Rig::new().await;
                accept(&rig, Origin::Device, json!([begin])).await.unwrap();
                let before = stored(&rig).await;
                let answer = accept(&rig, Origin::Device, json!([write(forged)])).await;
                let (index, reason) = refusal(answer);
                assert_eq!(index, 0);
                assert!(reason.contains("server"), "{reason}");
                assert_eq!(stored(&rig).await, before);
            }
            // In one push, of one change and of two.
            let rig = Rig::new().await;
            for (at, changes) in [
                (1, json!([made(first), write(forged)])),
                (0, json!([made(forged)])),
                (0, json!([write(forged), write(first)])),
            ] {
                let answer = accept(&rig, Origin::Device, changes).await;
                assert_eq!(refusal(answer).0, at);
                assert!(rig.log().await.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn sync_s13_a_device_decides_and_comments_on_the_servers_plan_and_changes_nothing_else() {
    let plan = iteration(Some("server"), 1);
    let changed = |path: &str, value: Value| {
        let mut element = iteration(Some("server"), 5);
        let step = &mut element["plan"][0];
        step["updatedAt"] = json!(after(5));
        *element.pointer_mut(path).unwrap() = value;
        element
    };
    let mut added = iteration(Some("server"), 1);
    added["plan"][0]["id"] = json!("another");
    for forged in [
        changed("/source", json!("browser")),
        changed("/startedAt", json!(after(1))),
        changed("/summary", json!("A better plan")),
        changed("/plan/0/summary", json!("Tidy nothing up")),
        changed("/plan/0/rationale", json!("The person swore to it")),
        changed("/plan/0/intent/params/taskId", json!("t2")),
        changed("/plan/0/intent/toolName", json!("delete_note")),
        added,
    ] {
        let rig = Rig::new().await;
        accept(&rig, Origin::Runner, json!([made(&plan)]))
            .await
            .unwrap();
        let answer = accept(&rig, Origin::Device, json!([write(&forged)])).await;
        let (_, reason) = refusal(answer);
        assert!(reason.contains("iterations"), "{reason}");
        assert_eq!(rig.log().await.len(), 1);
    }

    let rig = Rig::new().await;
    accept(&rig, Origin::Runner, json!([made(&plan)]))
        .await
        .unwrap();
    let mut feedback = iteration(Some("server"), 5);
    feedback["userFeedback"] = json!("Fewer, please");
    let mut decision = json!({"id": "x", "startedAt": NOW, "plan": [plan["plan"][0]]});
    let step = &mut decision["plan"][0];
    step["status"] = json!("approved");
    step["decidedAt"] = json!(after(6));
    step["updatedAt"] = json!(after(6));
    // JavaScript writes 1.0 as 1.
    step["intent"]["params"]["share"] = json!(1);
    // An old copy of the element loses the merge, so it may say anything of the plan.
    let mut old = changed("/summary", json!("An earlier attempt"));
    old["updatedAt"] = json!(after(-5));
    old["plan"][0]["updatedAt"] = json!(after(-5));
    for change in [feedback, decision, old] {
        accept(&rig, Origin::Device, json!([write(&change)]))
            .await
            .unwrap();
    }
    let now = stored(&rig).await;
    assert_eq!(now["userFeedback"], "Fewer, please");
    assert_eq!(now["overallStatus"], "approved");
    assert_eq!(
        (&now["source"], &now["summary"]),
        (&json!("server"), &json!("A plan"))
    );
}

#[tokio::test]
async fn sync_s13_what_a_device_leaves_out_of_the_servers_plan_stays() {
    let rig = Rig::new().await;
    let plan = iteration(Some("server"), 1);
    accept(&rig, Origin::Runner, json!([made(&plan)]))
        .await
        .unwrap();
    let before = stored(&rig).await;
    let alone =
        json!({"id": "s", "status": "approved", "decidedAt": after(6), "updatedAt": after(6)});
    let decision = json!({"id": "x", "startedAt": NOW, "plan": [alone]});
    let feedback = json!({"id": "x", "startedAt": NOW, "updatedAt": after(7), "userFeedback": "Fewer, please",
        "plan": [alone]});
    for change in [decision, feedback, iteration(None, 8)] {
        accept(&rig, Origin::Device, json!([write(&change)]))
            .await
            .unwrap();
        let now = stored(&rig).await;
        for part in [
            "/source",
            "/summary",
            "/plan/0/index",
            "/plan/0/summary",
            "/plan/0/rationale",
            "/plan/0/intent",
        ] {
            assert_eq!(now.pointer(part), before.pointer(part), "{part}: {now}");
        }
        assert_eq!(now["plan"][0]["status"], "approved");
    }
    // A device that decides with the words, on what it knew, is not refused for them.
    let mut whole = json!({"id": "x", "startedAt": NOW, "plan": [plan["plan"][0]]});
    whole["plan"][0]["status"] = json!("undone");
    whole["plan"][0]["updatedAt"] = json!(after(6));
    accept(&rig, Origin::Device, json!([write(&whole)]))
        .await
        .unwrap();
    assert_eq!(stored(&rig).await["plan"][0]["status"], "undone");
}

#[tokio::test]
async fn sync_s13_the_servers_own_marks_are_refused_from_a_device() {
    let task = |actor: Value| json!({"table": "tasks", "id": "t", "op": "insert", "data": {}, "actor": actor});
    for source in ["projection", "mission-runner"] {
        let rig = Rig::new().await;
        let forged = task(json!({"kind": "system", "source": source, "displayName": "Mana"}));
        let answer = rig
            .push("phone", json!([task(json!({"kind": "user"})), forged]))
            .await;
        let (index, reason) = refusal(answer.map(|_| ()));
        assert_eq!(index, 1);
        assert!(reason.contains("`actor`"), "{reason}");
        assert!(rig.log().await.is_empty());
    }
    // The client ids under which the server's own rows stand in the log.
    for client in ["mana-server", "mana-runner"] {
        let rig = Rig::new().await;
        let refused = rig.push(client, json!([])).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_client_id");
        let refused = rig
            .push(client, json!([task(json!({"kind": "user"}))]))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "invalid_client_id");
    }
    // The AI's name proves nothing by itself: the record is kept as the device wrote it (S13).
    let rig = Rig::new().await;
    let ai = json!({"kind": "ai", "missionId": "m", "iterationId": "i", "rationale": "I swear"});
    rig.push("phone", json!([task(ai)])).await.unwrap();
    assert_eq!(rig.log().await.len(), 1);
}

/// An element as the first client sends it: without a stamp of its own.
fn unstamped(mut element: Value) -> Value {
    element.as_object_mut().unwrap().remove("updatedAt");
    for step in element["plan"].as_array_mut().unwrap() {
        step.as_object_mut().unwrap().remove("updatedAt");
    }
    element
}

#[tokio::test]
async fn sync_s18_an_iteration_that_claims_to_be_the_servers_is_left_out_of_a_whole_array() {
    for first in [
        None,
        Some(iteration(Some("browser"), 1)),
        Some(iteration(None, 1)),
    ] {
        let rig = Rig::new().await;
        if let Some(first) = &first {
            accept(&rig, Origin::Device, json!([made(first)]))
                .await
                .unwrap();
        }
        let before = stored(&rig).await;
        let forged = unstamped(iteration(Some("server"), 0));
        accept(&rig, Origin::Device, json!([write(&forged)]))
            .await
            .unwrap();
        let after = stored(&rig).await;
        assert_ne!(after["source"], "server", "{after}");
        assert_eq!(after["summary"], before["summary"]);
    }
}

#[tokio::test]
async fn sync_s18_a_whole_array_decides_on_the_servers_plan_and_changes_nothing_else() {
    let rig = Rig::new().await;
    let plan = iteration(Some("server"), 1);
    accept(&rig, Origin::Runner, json!([made(&plan)]))
        .await
        .unwrap();
    let before = stored(&rig).await;
    let mut sent = unstamped(plan.clone());
    sent["summary"] = json!("Better");
    sent["plan"][0]["summary"] = json!("Tidy nothing up");
    sent["plan"][0]["proposalId"] = json!("p1");
    sent["plan"][0]["status"] = json!("approved");
    let mut added = sent["plan"][0].clone();
    added["id"] = json!("another");
    sent["plan"].as_array_mut().unwrap().push(added);
    accept(&rig, Origin::Device, json!([write(&sent)]))
        .await
        .unwrap();
    let after = stored(&rig).await;
    let mut expected = before.clone();
    expected["plan"][0]["status"] = json!("approved");
    expected["overallStatus"] = json!("approved");
    assert_eq!(after, expected);

    // A plan that was made anew since is not the one that was decided on.
    let mut stale = unstamped(plan);
    stale["startedAt"] = json!(crate::support::after(-60));
    stale["plan"][0]["status"] = json!("undone");
    accept(&rig, Origin::Device, json!([write(&stale)]))
        .await
        .unwrap();
    assert_eq!(stored(&rig).await, expected);
}

#[tokio::test]
async fn sync_s18_elements_older_than_a_full_list_are_left_out() {
    let rig = Rig::new().await;
    let element = |n: i64| json!({"id": format!("i{n:03}"), "startedAt": after(n), "source": "browser", "plan": []});
    let list: Vec<Value> = (0..100).map(element).collect();
    let full =
        json!({"table": "aiMissions", "id": "m", "op": "insert", "data": {"iterations": list}});
    accept(&rig, Origin::Device, json!([full])).await.unwrap();
    let pruned = json!({"id": "old", "startedAt": after(-5), "source": "server", "plan": []});
    accept(&rig, Origin::Device, json!([write(&pruned)]))
        .await
        .unwrap();
    assert_eq!(stored(&rig).await["id"], "i000");
}
