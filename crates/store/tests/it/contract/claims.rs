//! Claims, leases and fences.

use std::{collections::HashSet, sync::Arc};

use mana_store::{Claim, Lease, Push, RunRequest, StoreError, Take};
use serde_json::json;

use super::support::*;

pub async fn nothing_is_claimed_before_it_is_due(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    assert_eq!(claim(&*store, "w", after(3599), after(9999)).await, []);
    let claims = claim(&*store, "w", after(3600), after(9999)).await;
    assert_eq!(claims.len(), 1);
    let Claim {
        user,
        mission_id,
        slot,
        token: _,
        attempts,
        tries: _,
        due_at,
        requested,
        cancelled,
    } = &claims[0];
    assert_eq!((user.as_str(), mission_id.as_str()), ("me", "m"));
    assert_eq!(*slot, format!("due:{}", after(3600).millis()));
    assert_eq!(
        (*attempts, *due_at, *requested, *cancelled),
        (1, after(3600), false, false)
    );
}

pub async fn a_claim_is_held_until_its_lease_ends(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    assert_eq!(claim(&*store, "a", after(3600), after(3700)).await.len(), 1);
    assert_eq!(claim(&*store, "b", after(3699), after(3800)).await, []);
    assert_eq!(
        claim(&*store, "a", after(3699), after(3800)).await,
        [],
        "not even by the same worker"
    );
    assert_eq!(claim(&*store, "b", after(3700), after(3800)).await.len(), 1);
}

pub async fn a_takeover_has_the_greater_token(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    let first = claim(&*store, "a", after(3600), after(3700))
        .await
        .remove(0);
    let second = claim(&*store, "b", after(3700), after(3800))
        .await
        .remove(0);
    assert!(second.token > first.token);
    assert_eq!((first.attempts, second.attempts), (1, 2));
    assert_eq!(first.slot, second.slot);
    store.drop_run(&second).await.unwrap();
    let third = claim(&*store, "a", after(3800), after(3900))
        .await
        .remove(0);
    assert!(third.token > second.token, "a token is never given twice");
}

pub async fn a_late_writer_is_refused_and_stores_nothing(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    let late = claim(&*store, "a", after(3600), after(3700))
        .await
        .remove(0);
    let held = claim(&*store, "b", after(3700), after(3800))
        .await
        .remove(0);
    let before = log(&*store, &me).await;
    let refused = store.push(&me, result(&late, after(3710))).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)));
    assert_eq!(log(&*store, &me).await, before);
    assert_eq!(
        store.next_wake().await.unwrap(),
        Some(after(3800)),
        "the claim of the other stands"
    );
    store.push(&me, result(&held, after(3720))).await.unwrap();
    let iterations = get_mission(&*store, &me, "m").await.data["iterations"].clone();
    assert_eq!(iterations.as_array().map(Vec::len), Some(1));
    let refused = store.push(&me, result(&late, after(3730))).await;
    assert!(
        matches!(refused, Err(StoreError::LeaseLost)),
        "nor once the other is done"
    );
}

pub async fn a_finished_run_ends_its_claim_and_request(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    store
        .enqueue_run(
            &me,
            RunRequest {
                inputs: Some(json!([1])),
                ..request("run:1", NOW)
            },
        )
        .await
        .unwrap();
    let run = claim(&*store, "w", NOW, after(60)).await.remove(0);
    assert!(run.requested);
    assert_eq!(
        store.run_inputs(&me, "m", "run:1").await.unwrap(),
        Some(json!([1]))
    );
    store.push(&me, result(&run, after(30))).await.unwrap();
    assert_eq!(store.run_inputs(&me, "m", "run:1").await.unwrap(), None);
    assert_eq!(store.renew(&run, after(90)).await.unwrap(), Lease::Lost);
    assert_eq!(claim(&*store, "w", after(61), after(99)).await, []);
    assert_eq!(store.next_wake().await.unwrap(), Some(after(3600)));
}

pub async fn a_repeated_result_is_a_replay(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    let run = claim(&*store, "w", after(3600), after(3700))
        .await
        .remove(0);
    let first = store.push(&me, result(&run, after(3650))).await.unwrap();
    let again = store.push(&me, result(&run, after(3650))).await.unwrap();
    assert_eq!((first.tables.len(), again.tables.len()), (1, 0));
    assert_eq!(first.cursor, again.cursor);
}

pub async fn one_claim_a_mission(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    for slot in ["run:1", "run:2"] {
        store
            .enqueue_run(&me, request(slot, after(100)))
            .await
            .unwrap();
    }
    let mut slots = Vec::new();
    for n in 0..3 {
        let now = after(4000 + n);
        let run = claim(&*store, "w", now, after(9999)).await;
        assert_eq!(run.len(), 1);
        assert_eq!(
            claim(&*store, "w", now, after(9999)).await,
            [],
            "one at a time"
        );
        store.push(&me, result(&run[0], now)).await.unwrap();
        slots.push(run[0].slot.clone());
    }
    let due = format!("due:{}", after(3600).millis());
    assert_eq!(
        slots,
        ["run:1", "run:2", due.as_str()],
        "each slot had its run, the longest due first"
    );
    assert_eq!(claim(&*store, "w", after(4003), after(9999)).await, []);
}

pub async fn a_due_slot_that_was_asked_for_is_one_run(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    let slot = format!("due:{}", after(3600).millis());
    store
        .enqueue_run(&me, request(&slot, after(3605)))
        .await
        .unwrap();
    let run = claim(&*store, "w", after(3605), after(3700))
        .await
        .remove(0);
    assert_eq!(
        (run.slot.as_str(), run.requested, run.due_at),
        (slot.as_str(), true, after(3600))
    );
    store.push(&me, result(&run, after(3610))).await.unwrap();
    assert_eq!(claim(&*store, "w", after(3700), after(3800)).await, []);
}

pub async fn renew_prolongs_a_held_claim_only(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    let run = claim(&*store, "a", after(3600), after(3700))
        .await
        .remove(0);
    assert_eq!(store.renew(&run, after(3900)).await.unwrap(), Lease::Held);
    assert_eq!(claim(&*store, "b", after(3800), after(3999)).await, []);
    assert_eq!(claim(&*store, "b", after(3900), after(3999)).await.len(), 1);
    assert_eq!(store.renew(&run, after(9999)).await.unwrap(), Lease::Lost);
    assert_eq!(
        store.next_wake().await.unwrap(),
        Some(after(3999)),
        "the other's lease is as it was"
    );
}

pub async fn release_gives_the_slot_back_untried(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    let given_back = claim(&*store, "a", after(3600), after(9999))
        .await
        .remove(0);
    store.release(&given_back).await.unwrap();
    assert_eq!(
        store.renew(&given_back, after(9999)).await.unwrap(),
        Lease::Lost,
        "it is given back for good"
    );
    let refused = store.push(&me, result(&given_back, after(3601))).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)));
    let run = claim(&*store, "b", after(3601), after(9999))
        .await
        .remove(0);
    assert_eq!(run.attempts, 1);
    store.release(&given_back).await.unwrap();
    assert_eq!(
        store.renew(&run, after(9999)).await.unwrap(),
        Lease::Held,
        "a lost claim gives nothing back"
    );
}

pub async fn release_all_counts_the_attempts(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    for attempts in 1..=3 {
        let run = claim(&*store, "w", after(3600), after(9999))
            .await
            .remove(0);
        assert_eq!(
            run.attempts, attempts,
            "a run that kills the server is seen to"
        );
        assert_eq!(store.release_all().await.unwrap(), 1);
        assert!(matches!(
            store.push(&me, result(&run, after(3601))).await,
            Err(StoreError::LeaseLost)
        ));
    }
    assert_eq!(store.release_all().await.unwrap(), 0);
}

pub async fn attempts_start_anew_with_another_slot(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    claim(&*store, "w", after(3600), after(3601)).await;
    push(
        &*store,
        &me,
        "c",
        vec![set_mission(
            "m",
            json!({"nextRunAt": after(5000)}),
            after(3602),
        )],
        after(3602),
    )
    .await;
    let run = claim(&*store, "w", after(5000), after(5001))
        .await
        .remove(0);
    assert_eq!(
        (run.slot, run.attempts),
        (format!("due:{}", after(5000).millis()), 1)
    );
}

pub async fn a_dropped_run_is_gone(store: Arc<impl Backend>) {
    let me = scope("me");
    store
        .enqueue_run(
            &me,
            RunRequest {
                inputs: Some(json!(1)),
                ..request("run:1", NOW)
            },
        )
        .await
        .unwrap();
    let run = claim(&*store, "w", NOW, after(60)).await.remove(0);
    store.drop_run(&run).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), None);
    assert_eq!(store.run_inputs(&me, "m", "run:1").await.unwrap(), None);
}

pub async fn a_drop_without_the_claim_does_nothing(store: Arc<impl Backend>) {
    store
        .enqueue_run(&scope("me"), request("run:1", NOW))
        .await
        .unwrap();
    let lost = claim(&*store, "a", NOW, after(60)).await.remove(0);
    let held = claim(&*store, "b", after(60), after(120)).await.remove(0);
    store.drop_run(&lost).await.unwrap();
    assert_eq!(store.renew(&held, after(180)).await.unwrap(), Lease::Held);
    store.release(&held).await.unwrap();
    assert_eq!(
        claim(&*store, "c", after(61), after(99)).await.len(),
        1,
        "the request is still there"
    );
}

pub async fn next_wake_is_the_earliest_of_all(store: Arc<impl Backend>) {
    let me = scope("me");
    assert_eq!(store.next_wake().await.unwrap(), None);
    given_hourly(&*store).await;
    assert_eq!(store.next_wake().await.unwrap(), Some(after(3600)));
    store
        .enqueue_run(
            &me,
            RunRequest {
                mission_id: "n".into(),
                ..request("run:1", after(50))
            },
        )
        .await
        .unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(after(50)));
    let run = claim(&*store, "w", after(50), after(4000)).await.remove(0);
    assert_eq!(
        store.next_wake().await.unwrap(),
        Some(after(3600)),
        "what is held is no reason to wake"
    );
    let due = claim(&*store, "w", after(3600), after(3900))
        .await
        .remove(0);
    assert_eq!(
        store.next_wake().await.unwrap(),
        Some(after(3900)),
        "but the end of a lease is"
    );
    store.release(&run).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(after(50)));
    store.release(&due).await.unwrap();
    store
        .drop_run(&claim(&*store, "w", after(50), after(60)).await[0])
        .await
        .unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(after(3600)));
}

pub async fn a_due_mission_does_not_hide_a_request_that_lies_ahead(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    assert_eq!(store.next_requested_wake().await.unwrap(), None);
    let asked = request("due:0", after(4000));
    store.enqueue_run(&me, asked).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(after(3600)));
    assert_eq!(
        store.next_requested_wake().await.unwrap(),
        Some(after(4000))
    );
    claim(&*store, "w", after(3600), after(4100))
        .await
        .remove(0);
    assert_eq!(
        store.next_requested_wake().await.unwrap(),
        Some(after(4100)),
        "a request waits for the run that is under way"
    );
}

pub async fn the_longest_due_come_first_up_to_the_limit(store: Arc<impl Backend>) {
    let me = scope("me");
    for (mission, at) in [("late", 30), ("first", 10), ("second", 20)] {
        let due = RunRequest {
            mission_id: mission.into(),
            ..request("run:1", after(at))
        };
        store.enqueue_run(&me, due).await.unwrap();
    }
    let claims = store
        .claim_due(&take("w", after(60), after(99), 2))
        .await
        .unwrap();
    assert_eq!(
        claims
            .iter()
            .map(|claim| claim.mission_id.as_str())
            .collect::<Vec<_>>(),
        ["first", "second"]
    );
    let rest = store
        .claim_due(&take("w", after(60), after(99), 2))
        .await
        .unwrap();
    assert_eq!(
        rest.iter()
            .map(|claim| claim.mission_id.as_str())
            .collect::<Vec<_>>(),
        ["late"]
    );
    assert_eq!(
        store
            .claim_due(&take("w", after(60), after(99), 0))
            .await
            .unwrap(),
        []
    );
}

pub async fn many_workers_claim_each_run_once(store: Arc<impl Backend>) {
    for user in 0..40 {
        push(
            &*store,
            &scope(&format!("u{user:02}")),
            "c",
            vec![hourly("m")],
            NOW,
        )
        .await;
    }
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let store = share(&store);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let name = format!("w{worker}");
                    let claims = store
                        .claim_due(&take(&name, after(3600), after(9999), 3))
                        .await
                        .unwrap();
                    if claims.is_empty() {
                        return mine;
                    }
                    mine.extend(claims);
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    assert_eq!(all.len(), 40);
    let tokens: HashSet<_> = all.iter().map(|claim| claim.token).collect();
    let users: HashSet<_> = all.iter().map(|claim| claim.user.clone()).collect();
    assert_eq!((tokens.len(), users.len()), (40, 40));
}

pub async fn missions_w6_people_take_turns(store: Arc<impl Backend>) {
    given_waiting(&*store, "many", 100, NOW).await;
    given_waiting(&*store, "two", 2, after(10)).await;
    given_waiting(&*store, "one", 1, after(20)).await;
    let first = store
        .claim_due(&take("w", after(60), after(999), 4))
        .await
        .unwrap();
    assert_eq!(users(&first), ["many", "two", "one", "many"]);
    let next = store
        .claim_due(&take("w", after(60), after(999), 2))
        .await
        .unwrap();
    assert_eq!(
        users(&next),
        ["two", "many"],
        "what is under way was a turn, too"
    );
}

pub async fn missions_w6_a_person_has_so_many_runs_at_a_time(store: Arc<impl Backend>) {
    given_waiting(&*store, "many", 10, NOW).await;
    let few = |now, lease| Take {
        per_user: 3,
        ..take("w", now, lease, 100)
    };
    let held = store.claim_due(&few(after(1), after(60))).await.unwrap();
    assert_eq!(held.len(), 3);
    assert_eq!(
        store.claim_due(&few(after(2), after(60))).await.unwrap(),
        []
    );
    store.drop_run(&held[0]).await.unwrap();
    assert_eq!(
        store
            .claim_due(&few(after(2), after(60)))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        store
            .claim_due(&few(after(60), after(99)))
            .await
            .unwrap()
            .len(),
        3,
        "a lease that has ended counts for nobody"
    );
}

pub async fn missions_t13_only_what_was_asked_for_can_be_taken(store: Arc<impl Backend>) {
    given_hourly(&*store).await;
    given_waiting(&*store, "you", 1, NOW).await;
    let asked = Take {
        requested_only: true,
        ..take("w", after(9000), after(9999), 100)
    };
    assert_eq!(users(&store.claim_due(&asked).await.unwrap()), ["you"]);
    assert_eq!(store.claim_due(&asked).await.unwrap(), []);
    assert_eq!(
        users(&claim(&*store, "w", after(9000), after(9999)).await),
        ["me"]
    );
}

pub async fn missions_t9_a_result_made_from_an_older_mission_is_refused(store: Arc<impl Backend>) {
    let me = scope("me");
    given_hourly(&*store).await;
    let run = claim(&*store, "w", after(3600), after(3700))
        .await
        .remove(0);
    let seen = get_mission(&*store, &me, "m").await;
    push(
        &*store,
        &me,
        "phone",
        vec![set_mission("m", json!({"title": "New"}), after(3601))],
        after(3601),
    )
    .await;
    let before = log(&*store, &me).await;
    let from = |state| Push {
        fence: Some(run.fence().having_seen(state)),
        sender: None,
        ..result(&run, after(3602))
    };
    let refused = store.push(&me, from(&seen)).await;
    assert!(matches!(refused, Err(StoreError::Moved)), "{refused:?}");
    assert_eq!(log(&*store, &me).await, before);
    assert_eq!(
        store.renew(&run, after(3800)).await.unwrap(),
        Lease::Held,
        "it may look again"
    );
    let seen = get_mission(&*store, &me, "m").await;
    store.push(&me, from(&seen)).await.unwrap();
    store.push(&me, from(&seen)).await.expect("a replay");
}
