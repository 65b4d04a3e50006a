//! Cases that only a file can show: a crash, a second process, what an eavesdropper reads.

use std::{fs, path::Path, sync::Arc};

use mana_core::manifest::Registry;
use mana_store::{Accounts, Log, NewSession, Schedule, SharedDatabase, SqliteStore, StoreError};
use tempfile::TempDir;

use crate::contract::support::*;

async fn open(folder: &Path) -> Arc<SqliteStore> {
    let store = SqliteStore::open(folder.join("mana.db"), Arc::new(Registry::builtin())).await;
    store.expect("the store opens")
}

/// The files as a process that dies now leaves them: nothing closed, nothing checkpointed.
fn crash(folder: &Path) -> TempDir {
    let left = tempfile::tempdir().unwrap();
    for file in ["mana.db", "mana.db-wal"] {
        fs::copy(folder.join(file), left.path().join(file)).unwrap();
    }
    left
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let me = scope("me");
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let claim = store
        .claim_due(&take("w", after(3600), after(3700), 9))
        .await
        .unwrap()
        .remove(0);
    for n in 0..20 {
        push(
            &*store,
            &me,
            "c",
            vec![task(&format!("t{n:02}"), "x", NOW)],
            after(n),
        )
        .await;
    }
    let before = log(&*store, &me).await;

    let left = crash(folder.path());
    let again = open(left.path()).await;
    assert_eq!(log(&*again, &me).await, before);
    assert_eq!(again.records(&me, "todo", "tasks").await.unwrap().len(), 20);
    assert_eq!(again.next_wake().await.unwrap(), Some(after(3700)));
    assert_eq!(again.release_all().await.unwrap(), 1);
    let retried = again
        .claim_due(&take("w", after(3600), after(3700), 9))
        .await
        .unwrap()
        .remove(0);
    assert_eq!((retried.slot, retried.attempts), (claim.slot, 2));
    push(&*again, &me, "c", vec![task("t20", "x", NOW)], NOW).await;
    assert_eq!(
        log(&*again, &me).await.changes.len(),
        before.changes.len() + 1
    );
}

#[tokio::test]
async fn a_store_that_is_dropped_without_close_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let me = scope("me");
    for n in 0..3 {
        let store = open(folder.path()).await;
        assert_eq!(log(&*store, &me).await.changes.len(), n);
        push(
            &*store,
            &me,
            "c",
            vec![task(&format!("t{n}"), "x", NOW)],
            NOW,
        )
        .await;
        drop(store);
    }
}

#[tokio::test]
async fn a_push_that_is_dropped_halfway_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let me = scope("me");
    let changes: Vec<_> = (0..200).map(|n| task(&format!("t{n}"), "x", NOW)).collect();
    for polls in 1..200 {
        let mut push = Box::pin(store.push(&me, pushing("c", changes.clone(), NOW)));
        let mut left = polls;
        let done = std::future::poll_fn(|cx| {
            left -= 1;
            match push.as_mut().poll(cx) {
                std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
                poll => std::task::Poll::Ready(poll.is_ready()),
            }
        })
        .await;
        drop(push);
        // The next writer's turn comes when the one before is rolled back or committed.
        store.delete_expired(NOW).await.unwrap();
        let stored = log(&*store, &me).await.changes.len();
        assert!(
            stored == 0 || stored == 200,
            "{stored} of 200 changes after {polls} polls"
        );
        assert_eq!(
            store.records(&me, "todo", "tasks").await.unwrap().len(),
            stored
        );
        if done {
            assert_eq!(stored, 200);
            return;
        }
    }
    panic!("the push was never finished");
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(folder.path()).await;
    let second =
        SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin())).await;
    assert!(matches!(second, Err(StoreError::InUse(_))));
}

#[tokio::test]
async fn the_file_holds_no_token_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store
        .create_session(NewSession::new(&ada.id, "a-session-token", NOW, after(60)))
        .await
        .unwrap();
    store.put_setup_secret("a-setup-token").await.unwrap();
    store
        .put_invitation("an-invite-token", invitation(after(60)))
        .await
        .unwrap();
    store.close().await;
    let file = fs::read(folder.path().join("mana.db")).unwrap();
    let holds = |text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("ada@example.org"), "this is where it would be");
    for token in ["a-session-token", "a-setup-token", "an-invite-token"] {
        assert!(!holds(token), "{token}");
    }
    assert!(
        !folder.path().join("mana.db-wal").exists(),
        "a closed store has nothing left to write"
    );
}
