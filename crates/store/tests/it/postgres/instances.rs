//! Several servers on one database, and a database that goes away and comes back.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt, stream};
use mana_core::manifest::Registry;
use mana_store::{
    Accounts, Cancelled, Cursor, Lease, Log, Maintenance, PostgresStore, Push, RunPhase,
    RunProgress, RunRequest, Runs, Schedule, Scope, SharedDatabase, SqliteStore, StoreError,
    StoreNotice,
};
use mana_test_postgres::Cluster;

use super::*;
use crate::contract::support::*;

fn committed(user: &str, client: &str) -> StoreNotice {
    StoreNotice::Committed {
        user: scope(user).owner().clone(),
        tables: Some(BTreeSet::from([("todo".into(), "tasks".into())])),
        client: Some(client.into()),
    }
}

#[tokio::test]
async fn sync_s8_servers_hear_each_other_and_not_themselves() {
    let (database, one) = database().await;
    let two = store(&Cluster::shared().url(&database)).await;
    let (mut to_one, mut to_two) = (one.notices().unwrap(), two.notices().unwrap());
    let me = scope("me");
    push(
        &*one,
        &me,
        "phone",
        vec![task("a", "x", NOW), task("b", "x", NOW)],
        NOW,
    )
    .await;
    push(
        &*two,
        &scope("you"),
        "laptop",
        vec![task("c", "x", NOW)],
        NOW,
    )
    .await;
    // A replay stores nothing and tells nobody.
    push(&*one, &me, "phone", vec![task("a", "x", NOW)], NOW).await;
    let request = RunRequest {
        mission_id: "m".into(),
        slot: "run:1".into(),
        iteration_id: "i".into(),
        not_before: NOW,
        inputs: None,
    };
    one.enqueue_run(&me, request).await.unwrap();
    one.delete_session_by_id("a session").await.unwrap();

    assert_eq!(next(&mut to_two).await, committed("me", "phone"));
    let queued = StoreNotice::Run {
        user: me.owner().clone(),
        progress: RunProgress::queued("m", "run:1", "i".into()),
    };
    assert_eq!(next(&mut to_two).await, queued);
    assert_eq!(next(&mut to_two).await, StoreNotice::Schedule);
    let ended = StoreNotice::SessionEnded("a session".into());
    assert_eq!(next(&mut to_two).await, ended);
    assert_eq!(next(&mut to_one).await, committed("you", "laptop"));
}

#[tokio::test]
async fn sync_s8_r6_an_import_beside_servers_is_told_to_them() {
    let (database, one) = database().await;
    let beside = store(&Cluster::shared().url(&database)).await;
    let mut heard = one.notices().unwrap();
    let elsewhere = SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let user = elsewhere
        .create_user(new_user("a@x.org"), NOW)
        .await
        .unwrap();
    let me = Scope::own(&user.id);
    let changes = vec![task("a", "x", NOW), hourly("m")];
    push(&*elsewhere, &me, "c", changes, NOW).await;
    let rows = elsewhere
        .export(&me, Cursor::BEGINNING, 100)
        .await
        .unwrap()
        .rows;
    for _ in 0..2 {
        let rows = stream::iter(rows.clone()).map(Ok).boxed();
        beside
            .import(user.clone(), Cursor::BEGINNING, None, rows)
            .await
            .unwrap();
    }
    push(&*beside, &me, "later", vec![task("b", "x", NOW)], NOW).await;

    let tables = [("ai", "aiMissions"), ("todo", "tasks")];
    let told = StoreNotice::Committed {
        user: user.id.clone(),
        tables: Some(tables.map(|(app, table)| (app.into(), table.into())).into()),
        client: None,
    };
    assert_eq!(next(&mut heard).await, told);
    assert_eq!(next(&mut heard).await, StoreNotice::Schedule);
    // What was there already is no news.
    assert_eq!(next(&mut heard).await, committed(user.id.as_str(), "later"));
}

#[tokio::test]
async fn sync_s8_too_many_tables_to_name_are_told_without_names() {
    let (database, one) = database().await;
    let two = store(&Cluster::shared().url(&database)).await;
    let mut to_two = two.notices().unwrap();
    let changes = (0..200)
        .map(|n| {
            let table = format!("{n:0>200}");
            change(serde_json::json!({"table": table, "id": "x", "op": "insert", "data": {}}))
        })
        .collect();
    push(&*one, &scope("me"), "c", changes, NOW).await;
    let told = StoreNotice::Committed {
        user: scope("me").owner().clone(),
        tables: None,
        client: None,
    };
    assert_eq!(next(&mut to_two).await, told);
}

#[tokio::test]
async fn many_servers_claim_each_run_once() {
    let (database, one) = database().await;
    for user in 0..30 {
        push(
            &*one,
            &scope(&user.to_string()),
            "c",
            vec![hourly("m")],
            NOW,
        )
        .await;
    }
    let mut workers = Vec::new();
    for worker in 0..3 {
        let store = store(&Cluster::shared().url(&database)).await;
        workers.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claims = store
                    .claim_due(&take(&worker.to_string(), after(7200), after(7300), 4))
                    .await
                    .unwrap();
                if claims.is_empty() {
                    return mine;
                }
                mine.extend(claims.into_iter().map(|claim| claim.user.0));
            }
        }));
    }
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    let once: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!((claimed.len(), once.len()), (30, 30));
}

/// The next notice about a run: on a busy machine the server tells of the commit before it only now.
async fn next_of_run(notices: &mut Receiver<StoreNotice>) -> StoreNotice {
    loop {
        match next(notices).await {
            StoreNotice::Committed { .. } | StoreNotice::Schedule => {}
            notice => return notice,
        }
    }
}

#[tokio::test]
async fn missions_t11_and_q6_a_run_is_seen_and_cancelled_from_another_server() {
    let (database, one) = database().await;
    let two = store(&Cluster::shared().url(&database)).await;
    let me = scope("me");
    push(&*one, &me, "c", vec![hourly("m")], NOW).await;
    let run = one
        .claim_due(&take("one", after(3600), after(3700), 1))
        .await
        .unwrap()
        .remove(0);
    let (mut to_one, mut to_two) = (one.notices().unwrap(), two.notices().unwrap());
    let thinking = RunProgress {
        phase: RunPhase::Thinking,
        started_at: Some(after(3600)),
        ..RunProgress::queued("m", &run.slot, "i".into())
    };
    one.progress(&run, &thinking).await.unwrap();
    let told = StoreNotice::Run {
        user: me.owner().clone(),
        progress: thinking.clone(),
    };
    assert_eq!(next_of_run(&mut to_two).await, told);
    assert_eq!(two.running(&me, "m").await.unwrap(), [thinking]);

    assert_eq!(
        two.cancel_run(&me, "m", &run.slot).await.unwrap(),
        Cancelled::Running
    );
    let cancel = StoreNotice::Cancel {
        user: me.owner().clone(),
        mission_id: "m".into(),
    };
    assert_eq!(next_of_run(&mut to_one).await, cancel);
    assert_eq!(
        one.renew(&run, after(3800)).await.unwrap(),
        Lease::Cancelled
    );
}

/// Each of three servers claims a run and dies in the middle of it; what they hand in afterwards is refused, and
/// who comes fourth sees how often it was tried.
#[tokio::test]
async fn missions_w1_w3_three_servers_die_on_a_run_and_come_back_too_late() {
    let (database, one) = database().await;
    let me = scope("me");
    push(&*one, &me, "c", vec![hourly("m")], NOW).await;
    let mut late = Vec::new();
    for n in 0..3 {
        let server = store(&Cluster::shared().url(&database)).await;
        let now = after(3600 + 100 * n);
        let worker = n.to_string();
        let run = server
            .claim_due(&take(&worker, now, now.plus(100_000_000), 9))
            .await
            .unwrap();
        assert_eq!(run.len(), 1);
        assert_eq!(run[0].attempts, u32::try_from(n + 1).unwrap());
        for other in [&one, &server] {
            let taken = other
                .claim_due(&take("x", now, now.plus(1), 9))
                .await
                .unwrap();
            assert_eq!(taken, [], "while the lease lasts");
        }
        late.push((server, run[0].clone()));
    }
    let held = one
        .claim_due(&take("one", after(3900), after(4000), 9))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(held.attempts, 4);
    let result = |run: &mana_store::Claim| Push {
        fence: Some(run.fence()),
        sender: None,
        ..pushing(
            "runner",
            vec![set_mission(
                "m",
                serde_json::json!({"nextRunAt": after(7200)}),
                after(3900),
            )],
            after(3900),
        )
    };
    for (server, run) in &late {
        let refused = server.push(&me, result(run)).await;
        assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    }
    one.push(&me, result(&held)).await.unwrap();
    assert_eq!(one.next_wake().await.unwrap(), Some(after(7200)));
}

/// A cluster of its own, killed while two servers work on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_comes_back_is_used_again() {
    let cluster = tokio::task::spawn_blocking(Cluster::durable).await.unwrap();
    let url = cluster.url(&cluster.create());
    let one = store(&url).await;
    let impatient = PostgresOptions {
        wait: Duration::from_millis(500),
        ..PostgresOptions::default()
    };
    let two = PostgresStore::open(&url, Arc::new(Registry::builtin()), impatient)
        .await
        .unwrap();
    let mut to_two = two.notices().unwrap();
    let me = scope("me");
    push(&*one, &me, "c", vec![task("before", "x", NOW)], NOW).await;
    assert_eq!(next(&mut to_two).await, committed("me", "c"));

    cluster.kill();
    let refused = two
        .push(&me, pushing("c", vec![task("t", "x", NOW)], NOW))
        .await;
    assert!(
        matches!(refused, Err(StoreError::Busy | StoreError::Unavailable(_))),
        "{refused:?}"
    );
    cluster.restart();

    assert_eq!(next(&mut to_two).await, StoreNotice::Missed);
    assert_eq!(
        ids_of(&log(&*two, &me).await),
        ["before"],
        "what was acknowledged is there"
    );
    push(&*one, &me, "c", vec![task("after", "x", NOW)], NOW).await;
    assert_eq!(next(&mut to_two).await, committed("me", "c"));
}
