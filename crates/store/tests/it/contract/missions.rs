//! The schedule follows the missions' records, in the same write. When a mission is due is core's to say.

use std::sync::Arc;

use mana_core::Micros;
use mana_store::Scope;
use serde_json::{Value, json};

use super::support::*;

/// The slots that are due by a time, as `(mission, slot)`; the claims are given back.
async fn due(store: &impl Backend, at: Micros) -> Vec<(String, String)> {
    let claims = store
        .claim_due(&take("w", at, at.plus(1), 100))
        .await
        .unwrap();
    for claim in &claims {
        store.release(claim).await.unwrap();
    }
    claims
        .into_iter()
        .map(|claim| (claim.mission_id, claim.slot))
        .collect()
}

fn slot(at: Micros) -> String {
    format!("due:{}", at.millis())
}

pub async fn sync_s9_a_new_mission_is_scheduled_and_its_device_told(store: Arc<impl Backend>) {
    let me = scope("me");
    let pushed = push(&*store, &me, "phone", vec![hourly("m")], NOW).await;
    assert!(pushed.schedule_changed);
    let next = get_mission(&*store, &me, "m").await.data["nextRunAt"].clone();
    assert_eq!(next, json!(after(3600)));
    let page = log(&*store, &me).await;
    assert_eq!(page.changes.len(), 2);
    assert_eq!(page.cursor, pushed.cursor);
    let follow_up = &page.changes[1];
    assert_ne!(
        follow_up.client_id, "phone",
        "the device that pushed has to hear of it too"
    );
    assert_eq!(follow_up.change.fields["nextRunAt"].value, Some(next));
    assert_eq!(due(&*store, after(3599)).await, []);
    assert_eq!(
        due(&*store, after(3600)).await,
        [("m".to_owned(), slot(after(3600)))]
    );
}

async fn next_run(store: &impl Backend, me: &Scope, fields: Value, at: Micros) -> Option<Micros> {
    let pushed = push(store, me, "c", vec![set_mission("m", fields, at)], at).await;
    assert!(pushed.schedule_changed);
    let next = store.next_wake().await.unwrap();
    let recorded = get_mission(store, me, "m")
        .await
        .data
        .get("nextRunAt")
        .cloned()
        .unwrap_or_default();
    if !get_mission(store, me, "m").await.is_deleted() {
        assert_eq!(recorded, json!(next), "record and schedule say the same");
    }
    next
}

pub async fn sync_s9_pause_takes_it_out_and_resume_puts_it_back(store: Arc<impl Backend>) {
    let me = scope("me");
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    assert_eq!(
        next_run(&*store, &me, json!({"state": "paused"}), after(60)).await,
        None
    );
    assert_eq!(
        next_run(&*store, &me, json!({"state": "active"}), after(120)).await,
        Some(after(3720))
    );
}

pub async fn sync_s9_delete_takes_it_out(store: Arc<impl Backend>) {
    let me = scope("me");
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let delete = change(
        json!({"appId": "ai", "table": "aiMissions", "id": "m", "op": "delete", "deletedAt": after(1)}),
    );
    assert!(
        push(&*store, &me, "c", vec![delete], after(1))
            .await
            .schedule_changed
    );
    assert_eq!(store.next_wake().await.unwrap(), None);
    assert_eq!(
        next_run(&*store, &me, json!({"deletedAt": null}), after(60)).await,
        Some(after(3660))
    );
}

pub async fn sync_s9_a_new_cadence_moves_the_due_time(store: Arc<impl Backend>) {
    let me = scope("me");
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let daily = json!({"cadence": {"kind": "daily", "atHour": 8, "atMinute": 30}});
    assert_eq!(
        next_run(&*store, &me, daily, after(60)).await,
        Some(after(9000))
    );
    assert_eq!(
        next_run(&*store, &me, json!({"timezone": "Asia/Tokyo"}), after(120)).await,
        Some(after(63_000))
    );
}

pub async fn sync_s9_a_given_next_run_stays(store: Arc<impl Backend>) {
    let me = scope("me");
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let given = json!({"nextRunAt": after(77), "cadence": {"kind": "interval", "everyMinutes": 5}});
    assert_eq!(
        next_run(&*store, &me, given, after(1)).await,
        Some(after(77))
    );
}

pub async fn the_accounts_time_zone_counts(store: Arc<impl Backend>) {
    let user = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let daily = json!({"title": "x", "state": "active", "cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}});
    push(
        &*store,
        &Scope::own(&user.id),
        "c",
        vec![mission("m", daily.clone(), NOW)],
        NOW,
    )
    .await;
    // 8:00 in Berlin, in winter.
    assert_eq!(store.next_wake().await.unwrap(), Some(after(3600)));
    push(
        &*store,
        &scope("nobody"),
        "c",
        vec![mission("m", daily, NOW)],
        after(3600),
    )
    .await;
    assert_eq!(
        due(&*store, after(7200)).await.len(),
        2,
        "without an account it is 8:00 UTC"
    );
}

pub async fn a_retry_keeps_its_slot(store: Arc<impl Backend>) {
    let me = scope("me");
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let retry = json!({"nextRunAt": after(3660), "retrySlot": slot(after(3600)), "failures": 1});
    assert_eq!(
        next_run(&*store, &me, retry, after(3601)).await,
        Some(after(3660))
    );
    assert_eq!(
        due(&*store, after(3660)).await,
        [("m".to_owned(), slot(after(3600)))]
    );
    let moved = json!({"nextRunAt": after(7200), "retrySlot": null});
    next_run(&*store, &me, moved, after(3700)).await;
    assert_eq!(
        due(&*store, after(7200)).await,
        [("m".to_owned(), slot(after(7200)))]
    );
}

pub async fn a_manual_mission_is_never_due(store: Arc<impl Backend>) {
    let me = scope("me");
    let manual = mission(
        "m",
        json!({"title": "x", "state": "active", "cadence": {"kind": "manual"}}),
        NOW,
    );
    let pushed = push(&*store, &me, "c", vec![manual], NOW).await;
    assert!(!pushed.schedule_changed);
    assert_eq!(store.next_wake().await.unwrap(), None);
}

pub async fn other_changes_leave_the_schedule_alone(store: Arc<impl Backend>) {
    let me = scope("me");
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let renamed = vec![
        set_mission("m", json!({"title": "new"}), after(9)),
        task("t", "x", NOW),
    ];
    let pushed = push(&*store, &me, "c", renamed, after(9)).await;
    assert!(!pushed.schedule_changed);
    assert_eq!(
        log(&*store, &me).await.changes.len(),
        4,
        "and add nothing of the server's"
    );
    assert_eq!(store.next_wake().await.unwrap(), Some(after(3600)));
}
