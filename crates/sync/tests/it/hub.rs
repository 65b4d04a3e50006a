//! Notices.

use std::collections::BTreeSet;

use mana_store::{RunPhase, RunProgress, UserId};
use mana_sync::{Hub, Notice, Subscription};

fn me() -> UserId {
    UserId("me".into())
}

fn commit(app: &str, table: &str, client: &str) -> Notice {
    Notice::Sync {
        app: app.into(),
        tables: BTreeSet::from([table.to_owned()]),
        sender: Some(client.into()),
    }
}

fn run(iteration: &str, phase: RunPhase) -> Notice {
    Notice::Run(RunProgress {
        phase,
        ..RunProgress::queued("m", "run:1", iteration.to_owned())
    })
}

/// Returns the notices that wait for a listener now.
async fn heard(listener: &mut Subscription) -> Vec<Notice> {
    let mut heard = Vec::new();
    loop {
        tokio::select! {
            biased;
            notice = listener.recv() => heard.push(notice),
            () = std::future::ready(()) => return heard,
        }
    }
}

#[tokio::test]
async fn a_notice_reaches_every_listener_of_its_log_and_no_other() {
    let hub = Hub::new();
    let (mut one, mut two) = (hub.subscribe(&me()), hub.subscribe(&me()));
    let mut other = hub.subscribe(&UserId("you".into()));
    hub.publish(&me(), commit("todo", "tasks", "c"));
    assert_eq!(heard(&mut one).await, [commit("todo", "tasks", "c")]);
    assert_eq!(heard(&mut two).await, [commit("todo", "tasks", "c")]);
    assert_eq!(heard(&mut other).await, []);
}

#[tokio::test]
async fn a_slow_listener_hears_once_of_all_that_happened() {
    let hub = Hub::new();
    let mut slow = hub.subscribe(&me());
    for n in 0..1000 {
        hub.publish(
            &me(),
            commit("todo", if n % 2 == 0 { "tasks" } else { "lists" }, "phone"),
        );
        hub.publish(
            &me(),
            commit("notes", "notes", if n == 500 { "laptop" } else { "phone" }),
        );
    }
    let both = BTreeSet::from(["lists".to_owned(), "tasks".to_owned()]);
    let expected = [
        Notice::Sync {
            app: "todo".into(),
            tables: both,
            sender: Some("phone".into()),
        },
        // Two clients' commits in one notice are nobody's own.
        Notice::Sync {
            app: "notes".into(),
            tables: BTreeSet::from(["notes".into()]),
            sender: None,
        },
    ];
    assert_eq!(heard(&mut slow).await, expected);
    hub.publish(&me(), commit("todo", "tasks", "phone"));
    assert_eq!(
        heard(&mut slow).await,
        [commit("todo", "tasks", "phone")],
        "and afresh of what comes after"
    );
}

#[tokio::test]
async fn what_does_not_fit_becomes_everything() {
    let hub = Hub::new();
    let mut slow = hub.subscribe(&me());
    for n in 0..500 {
        hub.publish(&me(), commit(&format!("app {n}"), "t", "c"));
    }
    let apps = heard(&mut slow).await;
    assert_eq!(apps, [Notice::Everything]);
    for n in 0..500 {
        hub.publish(&me(), commit("todo", &format!("table {n}"), "c"));
    }
    let tables = heard(&mut slow).await;
    let named: usize = tables
        .iter()
        .map(|notice| match notice {
            Notice::Sync { tables, .. } => tables.len(),
            _ => panic!("{notice:?}"),
        })
        .sum();
    assert_eq!(named, 500);
}

#[tokio::test]
async fn a_run_is_told_by_its_last_phase() {
    let hub = Hub::new();
    let mut slow = hub.subscribe(&me());
    for phase in [RunPhase::Queued, RunPhase::Thinking, RunPhase::Finished] {
        hub.publish(&me(), run("i", phase));
    }
    hub.publish(&me(), run("j", RunPhase::Failed));
    assert_eq!(
        heard(&mut slow).await,
        [run("i", RunPhase::Finished), run("j", RunPhase::Failed)]
    );
}

#[tokio::test]
async fn a_listener_that_waits_is_woken() {
    let hub = Hub::new();
    let mut listener = hub.subscribe(&me());
    let waiting = tokio::spawn(async move { listener.recv().await });
    tokio::task::yield_now().await;
    hub.publish(&me(), commit("todo", "tasks", "c"));
    assert_eq!(waiting.await.unwrap(), commit("todo", "tasks", "c"));
}

#[tokio::test]
async fn who_has_gone_is_forgotten() {
    let hub = Hub::new();
    let (one, two) = (hub.subscribe(&me()), hub.subscribe(&me()));
    assert_eq!(hub.listeners(), 2);
    drop(one);
    assert_eq!(hub.listeners(), 1);
    drop(two);
    assert_eq!(hub.listeners(), 0);
    hub.publish(&me(), Notice::Everything);
}
