//! Appending: all or nothing, and repeatable.

use std::sync::Arc;

use mana_core::{AdjustedStamp, Micros};
use mana_store::{Cursor, Pushed, StoreError};
use serde_json::json;

use super::support::*;

pub async fn sync_s2_an_empty_push_answers_the_end_of_the_log(store: Arc<impl Backend>) {
    let me = scope("me");
    let none = push(&*store, &me, "c", vec![], NOW).await;
    assert_eq!(none, Pushed::default());
    push(&*store, &me, "c", vec![task("t", "x", NOW)], NOW).await;
    let end = push(&*store, &me, "c", vec![], after(9)).await;
    assert_eq!(
        end,
        Pushed {
            before: Cursor(NOW),
            cursor: Cursor(NOW),
            ..Pushed::default()
        }
    );
}

pub async fn sync_s4_a_replay_stores_nothing(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes = vec![task("t", "x", NOW), set("t", "title", json!("y"), after(1))];
    push(&*store, &me, "c", changes.clone(), NOW).await;
    let before = log(&*store, &me).await;
    let replay = push(&*store, &me, "c", changes.clone(), after(9)).await;
    assert_eq!(replay.tables.len(), 0);
    assert_eq!(replay.cursor, before.cursor);
    // An event id says it all, whoever sends it and whatever else it says.
    let mut other = changes;
    other[1].fields.clear();
    push(&*store, &me, "another client", other, after(9)).await;
    assert_eq!(log(&*store, &me).await, before);
}

pub async fn sync_s4_an_event_id_twice_in_a_push_counts_once(store: Arc<impl Backend>) {
    let me = scope("me");
    let twice = vec![task("t", "x", after(600)), task("t", "x", after(600))];
    let pushed = push(&*store, &me, "c", twice.clone(), NOW).await;
    assert_eq!(log(&*store, &me).await.changes.len(), 1);
    let replay = push(&*store, &me, "c", twice, NOW).await;
    assert_eq!(pushed.adjusted, replay.adjusted);
}

pub async fn sync_s4_a_push_that_was_stored_in_part_stores_the_rest(store: Arc<impl Backend>) {
    let me = scope("me");
    let (a, b) = (task("a", "x", NOW), task("b", "x", NOW));
    push(&*store, &me, "c", vec![a.clone()], NOW).await;
    push(&*store, &me, "c", vec![a, b], after(1)).await;
    assert_eq!(ids_of(&log(&*store, &me).await), ["a", "b"]);
}

pub async fn sync_t3_future_stamps_are_set_back_in_their_order(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes = vec![
        task("t", "first", after(3600)),
        set("t", "title", json!("second"), after(3601)),
        set("t", "title", json!("first again"), after(3602)),
    ];
    let pushed = push(&*store, &me, "c", changes.clone(), NOW).await;
    assert!(
        pushed
            .adjusted
            .iter()
            .all(|adjusted| adjusted.at > NOW && adjusted.at < after(61))
    );
    let titles: Vec<&AdjustedStamp> = pushed
        .adjusted
        .iter()
        .filter(|adjusted| adjusted.field == "/fields/title/updatedAt")
        .collect();
    assert_eq!(titles.len(), 3);
    assert!(titles.is_sorted_by(|a, b| a.at < b.at));
    let record = get_task(&*store, &me, "t").await.unwrap();
    assert_eq!(
        record.data["title"], "first again",
        "what was later stays later"
    );
    assert_eq!(record.meta["title"].at, titles[2].at);
    let page = log(&*store, &me).await;
    assert_eq!(
        page.changes[2].change.fields["title"].updated_at,
        Some(titles[2].at)
    );
}

/// Found by the simulation: a device whose clock is ahead keeps its last write, the log held the one before.
pub async fn sync_t3_what_is_later_stays_later_in_the_next_push_whatever_the_clock(
    store: Arc<impl Backend>,
) {
    let me = scope("me");
    let ahead = after(86_400);
    let title = |value: &str, at: Micros| set("t", "title", json!(value), at);
    let first = vec![
        title("z", ahead),
        title("zz", ahead.plus(1)),
        title("zzz", ahead.plus(2)),
    ];
    push(&*store, &me, "c", first, NOW).await;
    // Through another instance, at the same moment, earlier, and much earlier.
    let clocks = [NOW, NOW.plus(-1), after(-2)];
    for (n, now) in clocks.into_iter().enumerate() {
        let value = format!("{}", 9 - n);
        let change = title(&value, ahead.plus(10 + n as i64));
        push(&*store, &me, "c", vec![change], now).await;
        let record = get_task(&*store, &me, "t").await.unwrap();
        assert_eq!(record.data["title"], value.as_str());
    }
}

pub async fn sync_s4_a_replay_answers_the_same_adjusted(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes = vec![
        task("a", "x", after(3600)),
        task("b", "x", NOW),
        task("c", "x", after(7200)),
    ];
    let pushed = push(&*store, &me, "c", changes.clone(), NOW).await;
    assert!(!pushed.adjusted.is_empty());
    // Later, when the stamps would not lie in the future any more.
    let replay = push(&*store, &me, "c", changes.clone(), after(9000)).await;
    assert_eq!(sorted(replay.adjusted), sorted(pushed.adjusted.clone()));
    // With something new beside it.
    let more = changes.into_iter().chain([task("d", "x", NOW)]).collect();
    let more = push(&*store, &me, "c", more, after(9000)).await;
    assert_eq!(sorted(more.adjusted), sorted(pushed.adjusted));
}

fn sorted(mut adjusted: Vec<AdjustedStamp>) -> Vec<AdjustedStamp> {
    adjusted.sort_by(|a, b| (&a.event_id, &a.field).cmp(&(&b.event_id, &b.field)));
    adjusted
}

pub async fn sync_t3_stamps_within_a_minute_stay(store: Arc<impl Backend>) {
    let me = scope("me");
    let pushed = push(&*store, &me, "c", vec![task("t", "x", after(60))], NOW).await;
    assert_eq!(pushed.adjusted, []);
    assert_eq!(
        get_task(&*store, &me, "t").await.unwrap().meta["title"].at,
        after(60)
    );
}

pub async fn sync_s3_a_bad_change_stores_nothing_of_its_push(store: Arc<impl Backend>) {
    let me = scope("me");
    let mut bad = task("b", "x", NOW);
    bad.actor = None;
    let refused = store
        .push(
            &me,
            pushing("c", vec![hourly("m"), task("a", "x", NOW), bad], NOW),
        )
        .await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
    assert_eq!(log(&*store, &me).await.changes, []);
    assert_eq!(get_task(&*store, &me, "a").await, None);
    assert_eq!(store.next_wake().await.unwrap(), None);
    push(&*store, &me, "c", vec![task("a", "x", NOW)], NOW).await;
}

pub async fn sync_s1_thousands_of_changes_at_once(store: Arc<impl Backend>) {
    let me = scope("me");
    let changes: Vec<_> = (0..3000)
        .map(|n| task(&format!("t{n:04}"), "x", NOW))
        .collect();
    let pushed = push(&*store, &me, "c", changes.clone(), NOW).await;
    assert_eq!(pushed.cursor, Cursor(NOW.plus(2999)));
    assert_eq!(
        store.records(&me, "todo", "tasks").await.unwrap().len(),
        3000
    );
    let page = log(&*store, &me).await;
    assert!(
        page.changes
            .iter()
            .map(|logged| &logged.change.id)
            .is_sorted()
    );
    assert_eq!(page.changes.len(), 3000);
    let replay = push(&*store, &me, "c", changes, after(1)).await;
    assert_eq!(replay.cursor, pushed.cursor);
}

pub async fn tables_names_what_was_appended(store: Arc<impl Backend>) {
    let me = scope("me");
    let (stored, new) = (task("t", "x", NOW), hourly("m"));
    push(&*store, &me, "c", vec![stored.clone()], NOW).await;
    let pushed = push(&*store, &me, "c", vec![stored, new], NOW).await;
    let tables: Vec<_> = pushed
        .tables
        .iter()
        .map(|(app, table)| (app.as_str(), table.as_str()))
        .collect();
    assert_eq!(tables, [("ai", "aiMissions")]);
}
