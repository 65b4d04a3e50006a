//! The log's lock: who waits, for how long, and that readers miss nothing meanwhile.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mana_core::manifest::Registry;
use mana_store::{Cursor, Log, PostgresOptions, PostgresStore, StoreError};
use mana_test_postgres::Cluster;

use super::*;
use crate::contract::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_log_leaves_the_pool_to_others() {
    let (database, store) = database().await;
    let mut program = sql_of(&database, Some("held 0")).await;
    run(&mut program, "BEGIN").await.unwrap();
    insert_task(&mut program, "held 0", "theirs").await.unwrap();
    // More logs than there are connections.
    let hold =
        "SELECT pg_advisory_xact_lock(mana_log_key('held ' || n)) FROM generate_series(1, 5) n";
    run(&mut program, hold).await.unwrap();

    let waiting: Vec<_> = (0..18)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let held = scope(&format!("held {}", n % 6));
                let change = task(&format!("t{n}"), "x", NOW);
                store.push(&held, pushing("c", vec![change], NOW)).await
            })
        })
        .collect();
    for n in 0..20 {
        let change = task(&format!("t{n}"), "x", NOW);
        push(&*store, &scope("free"), "c", vec![change], NOW).await;
        // Readers never wait: what is not committed is not there.
        assert_eq!(log(&*store, &scope("held 0")).await.changes, []);
    }
    run(&mut program, "COMMIT").await.unwrap();
    for push in waiting {
        push.await.unwrap().unwrap();
    }
    for n in 0..6 {
        let page = log(&*store, &scope(&format!("held {n}"))).await;
        assert_eq!(page.changes.len(), if n == 0 { 4 } else { 3 });
    }
    assert_eq!(ids_of(&log(&*store, &scope("held 0")).await)[0], "theirs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_held_too_long_is_busy() {
    let (database, patient_one) = database().await;
    let options = PostgresOptions {
        wait: Duration::from_millis(200),
        ..PostgresOptions::default()
    };
    let url = Cluster::shared().url(&database);
    let store = PostgresStore::open(&url, Arc::new(Registry::builtin()), options)
        .await
        .unwrap();
    let mut program = sql_of(&database, Some("held")).await;
    run(&mut program, "BEGIN").await.unwrap();
    insert_task(&mut program, "held", "theirs").await.unwrap();

    let me = scope("held");
    let refused = futures_util::future::join_all((0..12).map(|n| {
        let change = task(&format!("t{n}"), "x", NOW);
        store.push(&me, pushing("c", vec![change], NOW))
    }))
    .await;
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    }
    run(&mut program, "ROLLBACK").await.unwrap();
    push(&*patient_one, &me, "c", vec![task("t", "x", NOW)], NOW).await;
    assert_eq!(ids_of(&log(&*store, &me).await), ["t"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_merged_yet_is_not_handed_out() {
    let (database, patient_one) = database().await;
    let options = PostgresOptions {
        wait: Duration::from_millis(200),
        ..PostgresOptions::default()
    };
    let url = Cluster::shared().url(&database);
    let store = PostgresStore::open(&url, Arc::new(Registry::builtin()), options)
        .await
        .unwrap();
    let me = scope("me");
    push(&*patient_one, &me, "c", vec![task("first", "x", NOW)], NOW).await;
    // Committed, but the session keeps the log: nobody can fold the row.
    let mut program = sql_of(&database, Some("me")).await;
    let keep = "SELECT pg_advisory_lock(mana_log_key('me'))";
    run(&mut program, keep).await.unwrap();
    insert_task(&mut program, "me", "second").await.unwrap();

    let page = log(&*store, &me).await;
    assert_eq!((ids_of(&page), page.has_more), (vec!["first"], false));
    assert_eq!(get_task(&*store, &me, "second").await, None);
    run(&mut program, "SELECT pg_advisory_unlock_all()")
        .await
        .unwrap();
    assert_eq!(ids_of(&log(&*patient_one, &me).await), ["first", "second"]);
    assert!(get_task(&*patient_one, &me, "second").await.is_some());
}

const USERS: usize = 2;
const PUSHERS: usize = 4;
const PROGRAMS: usize = 4;
const ROUNDS: usize = 8;

/// Pushes through two servers and transactions by SQL that are held open, some undone; a reader a log polls
/// `> cursor` the whole time, and once more when the writers are done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_s1_readers_see_every_row_once_whoever_writes() {
    let (database, one) = database().await;
    let two = store(&Cluster::shared().url(&database)).await;
    let running = Arc::new(AtomicUsize::new(PUSHERS + PROGRAMS));
    let mut writers = Vec::new();
    for writer in 0..PUSHERS {
        let store = if writer % 2 == 0 { &one } else { &two };
        writers.push(tokio::spawn(pusher(store.clone(), writer, running.clone())));
    }
    for writer in 0..PROGRAMS {
        writers.push(tokio::spawn(program(
            database.clone(),
            writer,
            running.clone(),
        )));
    }
    let readers: Vec<_> = (0..USERS)
        .map(|user| {
            let store = if user % 2 == 0 { &two } else { &one };
            tokio::spawn(reader(store.clone(), user, running.clone()))
        })
        .collect();

    let mut written: HashMap<usize, Vec<String>> = HashMap::new();
    for writer in writers {
        for (user, id) in writer.await.expect("the writer ends well") {
            written.entry(user).or_default().push(id);
        }
    }
    for (user, reader) in readers.into_iter().enumerate() {
        let mut seen = reader.await.expect("the reader ends well");
        let me = scope(&user.to_string());
        assert_eq!(
            seen,
            ids_of(&log(&*one, &me).await),
            "user {user}: in the log's order"
        );
        let mut expected = written.remove(&user).unwrap_or_default();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "user {user}: every acknowledged row");
        let records = one.records(&me, "todo", "tasks").await.unwrap();
        assert_eq!(
            records.len(),
            expected.len(),
            "user {user}: all of it is merged"
        );
    }
}

async fn pusher(
    store: Arc<PostgresStore>,
    writer: usize,
    running: Arc<AtomicUsize>,
) -> Vec<(usize, String)> {
    let mut rng = Rng(writer as u64);
    let mut written = Vec::new();
    for n in 0..ROUNDS * 2 {
        let user = rng.below(USERS);
        let ids: Vec<String> = (0..=rng.below(5))
            .map(|k| format!("{writer}-{n}-{k}"))
            .collect();
        let changes = ids.iter().map(|id| task(id, "x", NOW)).collect();
        let now = after(rng.below(3) as i64);
        push(&*store, &scope(&user.to_string()), "c", changes, now).await;
        written.extend(ids.into_iter().map(|id| (user, id)));
    }
    running.fetch_sub(1, Ordering::SeqCst);
    written
}

async fn program(
    database: String,
    writer: usize,
    running: Arc<AtomicUsize>,
) -> Vec<(usize, String)> {
    let mut rng = Rng(100 + writer as u64);
    let mut written = Vec::new();
    for n in 0..ROUNDS {
        let user = rng.below(USERS);
        let mut connection = sql_of(&database, Some(&user.to_string())).await;
        run(&mut connection, "BEGIN").await.unwrap();
        let ids: Vec<String> = (0..=rng.below(3))
            .map(|k| format!("sql-{writer}-{n}-{k}"))
            .collect();
        for id in &ids {
            insert_task(&mut connection, &user.to_string(), id)
                .await
                .unwrap();
            // Held open, by the database's clock: others come in between.
            let hold = format!("SELECT pg_sleep({})", rng.below(40) as f64 / 1000.0);
            run(&mut connection, &hold).await.unwrap();
        }
        if rng.below(4) == 0 {
            run(&mut connection, "ROLLBACK").await.unwrap();
        } else {
            run(&mut connection, "COMMIT").await.unwrap();
            written.extend(ids.into_iter().map(|id| (user, id)));
        }
    }
    running.fetch_sub(1, Ordering::SeqCst);
    written
}

async fn reader(store: Arc<PostgresStore>, user: usize, running: Arc<AtomicUsize>) -> Vec<String> {
    let mut cursor = Cursor::BEGINNING;
    let mut seen = Vec::new();
    loop {
        // Asked before the page is read: what it says is then surely in the page or a later one.
        let last = running.load(Ordering::SeqCst) == 0;
        let page = store
            .changes(&scope(&user.to_string()), from(cursor, 7))
            .await
            .expect("the log is readable");
        assert!(page.cursor >= cursor);
        cursor = page.cursor;
        seen.extend(ids_of(&page).into_iter().map(str::to_owned));
        if last && !page.has_more {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}
