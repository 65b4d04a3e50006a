//! The conflicts that the answer to a push names, and the past of a record.

use mana_core::Micros;
use mana_sync::{AcceptPush, HistoryParams, PushAnswer};
use serde_json::{Value, json};

use crate::support::*;

/// A write of a task's notes.
fn notes(text: &str, at: i64, base: Option<i64>) -> Value {
    let mut write = json!({ "value": text, "updatedAt": after(at) });
    if let Some(base) = base {
        write["base"] = json!(after(base));
    }
    json!({ "eventId": text, "table": "tasks", "id": "a", "op": "update", "fields": { "notes": write } })
}

async fn pushed(rig: &Rig, client: &str, since: Micros, change: Value) -> PushAnswer {
    let accept = AcceptPush {
        since: since.to_string(),
        ..push(client, json!([change]))
    };
    rig.sync.accept(&me(), accept, after(100)).await.unwrap()
}

fn texts(answer: &PushAnswer) -> Vec<(&str, &str, &str)> {
    let conflicts = answer.conflicts.iter();
    conflicts
        .map(|one| {
            (
                one.event_id.as_str(),
                one.winner.value.as_str().unwrap(),
                one.loser.value.as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn sync_x3_the_answer_names_the_texts_that_lost_by_the_push_and_a_replay_says_the_same() {
    let rig = Rig::new().await;
    let begin = Micros(1);
    pushed(&rig, "laptop", begin, notes("base", 1, Some(0))).await;
    let hours = pushed(&rig, "laptop", begin, notes("hours", 5, Some(1))).await;
    assert_eq!(texts(&hours), []);
    // The phone's is later, and saw the base alone.
    let word = notes("word", 6, Some(1));
    let answer = pushed(&rig, "phone", begin, word.clone()).await;
    assert_eq!(texts(&answer), [("word", "word", "hours")]);
    let wire = serde_json::to_value(&answer.conflicts[0]).unwrap();
    assert_eq!(
        wire["loser"],
        json!({ "value": "hours", "updatedAt": after(5), "actor": { "kind": "user" } })
    );
    assert_eq!(
        (&wire["app"], &wire["table"], &wire["id"], &wire["field"]),
        (
            &json!("todo"),
            &json!("tasks"),
            &json!("a"),
            &json!("notes")
        )
    );
    // A tablet's is older than both.
    let old = pushed(&rig, "tablet", begin, notes("old", 3, Some(1))).await;
    assert_eq!(texts(&old), [("old", "word", "old")]);
    // What was seen is in no conflict, and a replay of an earlier push knows nothing of later ones.
    let seen = pushed(&rig, "phone", begin, notes("more", 7, Some(6))).await;
    assert_eq!(texts(&seen), []);
    let replay = pushed(&rig, "phone", begin, word).await;
    assert_eq!(replay.conflicts, answer.conflicts);
}

#[tokio::test]
async fn sync_x3_without_base_the_cursor_of_the_push_decides() {
    let rig = Rig::new().await;
    pushed(&rig, "laptop", Micros(1), notes("base", 1, None)).await;
    let hours = pushed(&rig, "laptop", Micros(1), notes("hours", 5, None)).await;
    assert_eq!(texts(&hours), [], "a client has seen its own");
    let unread = pushed(&rig, "phone", Micros(1), notes("word", 6, None)).await;
    assert_eq!(texts(&unread), [("word", "word", "hours")]);
    let read = pushed(
        &rig,
        "tablet",
        unread.synced_until.0,
        notes("more", 7, None),
    )
    .await;
    assert_eq!(texts(&read), []);
}

#[tokio::test]
async fn sync_s14_history_says_who_wrote_what_and_when() {
    let rig = Rig::new().await;
    pushed(&rig, "laptop", Micros(1), notes("first", 1, None)).await;
    let mut ai = notes("of the mission", 2, Some(1));
    ai["actor"] = json!({ "kind": "ai", "missionId": "m", "iterationId": "i", "rationale": "So.",
        "decidedAt": after(50) });
    pushed(&rig, "laptop", Micros(1), ai).await;
    let params = HistoryParams {
        table: "tasks".into(),
        id: "a".into(),
        ..HistoryParams::default()
    };
    let answer = rig.sync.history(&me(), "todo".into(), params, NOW).await;
    let answer = answer.unwrap();
    let told: Vec<_> = (answer.entries.iter())
        .map(|entry| (entry.value.as_str().unwrap(), entry.made_at, entry.stands))
        .collect();
    assert_eq!(
        told,
        [
            ("of the mission", after(50), true),
            ("first", after(1), false)
        ]
    );
    assert!(!answer.has_more);
}
