//! Runs that are tried again at a time of their own, and due times that nothing calls for.

use std::sync::Arc;

use mana_core::mission::ScheduleRow;
use mana_store::{Lease, RunRequest};

use super::support::*;

pub async fn a_postponed_run_is_claimed_at_its_time(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    let mut run = claim(&*store, "a", after(3600), after(9999))
        .await
        .remove(0);
    assert_eq!((run.attempts, run.tries), (1, 0));
    for tries in 1..=2 {
        let until = after(3600 + 240 * tries);
        store.postpone(&run, until).await.unwrap();
        assert_eq!(store.renew(&run, after(9999)).await.unwrap(), Lease::Lost);
        assert_eq!(store.next_wake().await.unwrap(), Some(until));
        assert_eq!(
            store.release_all().await.unwrap(),
            0,
            "the time outlives a restart"
        );
        assert!(
            claim(&*store, "b", until.plus(-1), after(9999))
                .await
                .is_empty()
        );
        run = claim(&*store, "b", until, after(9999)).await.remove(0);
        assert_eq!(
            (run.attempts, i64::from(run.tries)),
            (1, tries),
            "a try that ended is no interrupted attempt"
        );
    }
    store
        .push(&scope("me"), result(&run, after(4200)))
        .await
        .unwrap();
    store.postpone(&run, after(9999)).await.unwrap();
    let next = claim(&*store, "b", after(9999), after(99_999))
        .await
        .remove(0);
    assert_eq!(next.tries, 0, "another slot begins anew");
}

pub async fn a_postponed_run_that_is_asked_for_is_claimed_at_once(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    let run = claim(&*store, "a", after(3600), after(9999))
        .await
        .remove(0);
    store.postpone(&run, after(5000)).await.unwrap();
    let asked = RunRequest {
        mission_id: run.mission_id.clone(),
        slot: run.slot.clone(),
        iteration_id: "i".to_owned(),
        not_before: after(3700),
        inputs: None,
    };
    store.enqueue_run(&me, asked).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(after(3700)));
    let again = claim(&*store, "b", after(3700), after(9999))
        .await
        .remove(0);
    assert_eq!((again.requested, again.tries), (true, 1));
    store.postpone(&again, after(6000)).await.unwrap();
    assert_eq!(
        store.next_wake().await.unwrap(),
        Some(after(6000)),
        "its request has ended"
    );
}

pub async fn a_due_time_that_nothing_calls_for_is_put_right(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    let run = claim(&*store, "a", after(3600), after(9999))
        .await
        .remove(0);
    let due = ScheduleRow {
        mission_id: run.mission_id.clone(),
        next_run_at: after(7200),
        slot: "due:1".to_owned(),
    };
    store.correct_schedule(&run, Some(&due)).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(after(7200)));
    store.correct_schedule(&run, None).await.unwrap();
    assert_eq!(
        store.next_wake().await.unwrap(),
        Some(after(7200)),
        "a lost claim corrects nothing"
    );
    let run = claim(&*store, "a", after(7200), after(9999))
        .await
        .remove(0);
    store.correct_schedule(&run, None).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), None);
}

pub async fn missions_beyond_a_time_are_listed_in_pages(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    let all = store.scheduled_beyond(after(0), None, 10).await.unwrap();
    assert_eq!(all.len(), 1);
    let next = all.last().cloned();
    assert_eq!(
        store.scheduled_beyond(after(0), next, 10).await.unwrap(),
        []
    );
    assert_eq!(
        store.scheduled_beyond(after(3600), None, 10).await.unwrap(),
        []
    );
}
