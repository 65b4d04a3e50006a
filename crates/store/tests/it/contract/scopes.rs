//! A user's rows are out of another's reach.

use std::sync::Arc;

use mana_core::RecordKey;
use mana_store::{ChangesQuery, Lease, Push, RunRequest, StoreError};
use serde_json::json;

use super::support::*;

pub async fn a_log_is_read_by_its_owner_alone(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    push(&*store, &me, "c", vec![task("mine", "x", NOW)], NOW).await;
    push(&*store, &you, "c", vec![task("yours", "x", NOW)], NOW).await;
    assert_eq!(ids_of(&log(&*store, &me).await), ["mine"]);
    assert_eq!(ids_of(&log(&*store, &you).await), ["yours"]);
    for odd in ["", "me' OR '1'='1", "%", "ME", "me\0"] {
        let query = ChangesQuery {
            app: Some("todo".into()),
            limit: 10,
            ..Default::default()
        };
        // A backend may refuse what can be no user's id.
        if let Ok(page) = store.changes(&scope(odd), query).await {
            assert_eq!(page.changes, [], "{odd}");
        }
    }
}

pub async fn records_are_read_by_their_owner_alone(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    push(&*store, &me, "c", vec![task("t", "mine", NOW)], NOW).await;
    assert_eq!(get_task(&*store, &you, "t").await, None);
    assert_eq!(store.records(&you, "todo", "tasks").await.unwrap(), []);
    // The same key in another log is another record.
    push(
        &*store,
        &you,
        "c",
        vec![set("t", "notes", json!("yours"), NOW)],
        NOW,
    )
    .await;
    let mine = get_task(&*store, &me, "t").await.unwrap();
    let yours = get_task(&*store, &you, "t").await.unwrap();
    assert_eq!(mine.data.keys().collect::<Vec<_>>(), ["title"]);
    assert_eq!(yours.data.keys().collect::<Vec<_>>(), ["notes"]);
}

pub async fn sync_s4_an_event_id_is_unique_for_a_user_only(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    let change = task("t", "x", after(3600));
    let mine = push(&*store, &me, "c", vec![change.clone()], NOW).await;
    let yours = push(&*store, &you, "c", vec![change], after(100)).await;
    assert_eq!(
        yours.tables.len(),
        1,
        "another's event id keeps nothing out"
    );
    assert_ne!(
        yours.adjusted, mine.adjusted,
        "nor does it answer what theirs was set back to"
    );
}

pub async fn run_inputs_are_read_by_their_owner_alone(store: Arc<impl Backend>) {
    let request = RunRequest {
        mission_id: "m".into(),
        slot: "run:1".into(),
        iteration_id: "i".into(),
        not_before: NOW,
        inputs: Some(json!("secret")),
    };
    store.enqueue_run(&scope("me"), request).await.unwrap();
    assert_eq!(
        store.run_inputs(&scope("you"), "m", "run:1").await.unwrap(),
        None
    );
    assert_eq!(
        store.run_inputs(&scope("me"), "m", "run:1").await.unwrap(),
        Some(json!("secret"))
    );
}

pub async fn a_fence_of_another_user_is_refused(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let claim = store
        .claim_due(&take("w", after(7200), after(7300), 9))
        .await
        .unwrap()
        .remove(0);
    let theirs = Push {
        fence: Some(claim.fence()),
        sender: None,
        ..pushing("w", vec![task("t", "x", NOW)], after(7200))
    };
    assert!(matches!(
        store.push(&you, theirs).await,
        Err(StoreError::LeaseLost)
    ));
    assert_eq!(log(&*store, &you).await.changes, []);
    assert_eq!(
        store.renew(&claim, after(7400)).await.unwrap(),
        Lease::Held,
        "the claim is still held"
    );
}

pub async fn the_same_mission_id_of_two_users_is_two_missions(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    for user in [&me, &you] {
        push(&*store, user, "c", vec![hourly("m")], NOW).await;
    }
    let claims = store
        .claim_due(&take("w", after(7200), after(7300), 9))
        .await
        .unwrap();
    assert_eq!(claims.len(), 2);
    push(
        &*store,
        &you,
        "c",
        vec![set_mission("m", json!({"state": "paused"}), after(1))],
        after(7200),
    )
    .await;
    let key = RecordKey::new("ai", "aiMissions", "m");
    assert_eq!(
        store.record(&me, &key).await.unwrap().unwrap().data["state"],
        "active"
    );
    store.release_all().await.unwrap();
    let claims = store
        .claim_due(&take("w", after(7200), after(7300), 9))
        .await
        .unwrap();
    assert_eq!(
        claims
            .iter()
            .map(|claim| claim.user.as_str())
            .collect::<Vec<_>>(),
        ["me"]
    );
}
